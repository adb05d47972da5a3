/* A mailroom: the test drops letters into a spool directory and rings (SIGUSR1); a sorter, its child, delivers them.
 *
 * Why it fails: the sorter looks whether somebody rang, writes its status file when the clock ticked (every 250 ms), and
 * then sleeps in pause(). A ring while it writes is seen only after the next tick, and the test allows 150 ms.
 *
 * Truth: the signal comes between the look at the flag and pause(), so that the sorter sleeps though somebody rang.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LETTERS = 20, LIMIT_MS = 150 };

static volatile sig_atomic_t rang, ticked;

static void on_signal(int signal) {
    if (signal == SIGUSR1)
        rang = 1;
    else
        ticked = 1;
}

static void nap(int low_ms, int high_ms) {
    long us = low_ms * 1000L + random() % ((high_ms - low_ms) * 1000L);
    struct timespec time = {us / 1000000, us % 1000000 * 1000};
    nanosleep(&time, NULL);
}

static void write_status(int delivered) {
    FILE *status = fopen("status.new", "w");
    fprintf(status, "pid %d\ndelivered %d\ntime %ld\n", getpid(), delivered, (long)time(NULL));
    fclose(status);
    rename("status.new", "status");
}

static int deliver(int acknowledge) {
    int count = 0;
    DIR *spool = opendir("spool");
    for (struct dirent *entry; (entry = readdir(spool));) {
        char from[300], to[300];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(from, sizeof from, "spool/%s", entry->d_name);
        snprintf(to, sizeof to, "delivered/%s", entry->d_name);
        rename(from, to);
        if (write(acknowledge, "+", 1) == 1)
            count++;
    }
    closedir(spool);
    return count;
}

static void sort_letters(int acknowledge) {
    struct itimerval every = {{0, 250000}, {0, 250000}};
    int delivered = 0;
    signal(SIGUSR1, on_signal);
    signal(SIGALRM, on_signal);
    setitimer(ITIMER_REAL, &every, NULL);
    if (write(acknowledge, "r", 1) != 1)
        _exit(2);
    for (;;) {
        if (rang) {
            rang = 0;
            delivered += deliver(acknowledge);
        }
        if (ticked) {
            ticked = 0;
            write_status(delivered);
        }
        pause();
    }
}

static int answered(int from, int limit_ms) {
    struct pollfd poll_for = {from, POLLIN, 0};
    char byte;
    return poll(&poll_for, 1, limit_ms) == 1 && read(from, &byte, 1) == 1;
}

static int send_letters(pid_t sorter, int from) {
    if (!answered(from, 5000))
        return 2;
    for (int letter = 0; letter < LETTERS; letter++) {
        char name[40];
        nap(20, 70);
        snprintf(name, sizeof name, "spool/letter-%d", letter);
        close(open(name, O_CREAT | O_WRONLY, 0644));
        kill(sorter, SIGUSR1);
        if (!answered(from, LIMIT_MS)) {
            fprintf(stderr, "letter %d was not delivered within %d ms\n", letter, LIMIT_MS);
            return 1;
        }
    }
    return 0;
}

static void clean(const char *folder) {
    char command[400];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    if (system(command) != 0)
        exit(2);
}

int main(void) {
    char folder[300];
    const char *base = getenv("TMPDIR");
    int pipe_ends[2], code, status;
    pid_t sorter;
    snprintf(folder, sizeof folder, "%s/missed-signal-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(folder) || chdir(folder) || mkdir("spool", 0755) || mkdir("delivered", 0755) || pipe(pipe_ends))
        return 2;
    srandom(getpid() ^ time(NULL));
    sorter = fork();
    if (sorter == 0) {
        close(pipe_ends[0]);
        sort_letters(pipe_ends[1]);
    }
    close(pipe_ends[1]);
    code = send_letters(sorter, pipe_ends[0]);
    kill(sorter, SIGTERM);
    waitpid(sorter, &status, 0);
    clean(folder);
    return code;
}
