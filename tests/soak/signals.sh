# Timers and signals that wake what looks as if nothing could. (What a timer only kills cannot end by itself: a hang.)

#: pause-with-an-alarm | python3
python3 -c 'import os, signal
signal.signal(signal.SIGALRM, lambda *_: None); signal.setitimer(signal.ITIMER_REAL, float(os.environ["P"])); signal.pause()'

#: select-with-an-alarm | python3
python3 -c 'import os, select, signal
r, w = os.pipe()
signal.signal(signal.SIGALRM, lambda *_: os.write(w, b"x")); signal.setitimer(signal.ITIMER_REAL, float(os.environ["P"])); select.select([r], [], [])'

#: read-of-an-own-pipe-with-an-alarm | perl
perl -e 'pipe R, W; $SIG{ALRM} = sub { syswrite W, "x" }; alarm int $ENV{P}; my $x; until (sysread R, $x, 1) {} die unless $x eq "x"'

#: two-who-wait-for-each-other-and-an-alarm | python3
python3 - <<'EOT'
import os, signal, socket
a, b = socket.socketpair()
if os.fork() == 0:
    a.close(); b.recv(9); b.sendall(b"y"); os._exit(0)
b.close()
signal.signal(signal.SIGALRM, lambda *_: a.sendall(b"x")); signal.setitimer(signal.ITIMER_REAL, float(os.environ["P"]))
assert a.recv(9) == b"y"; os.wait()
EOT

#: pipes-in-a-ring-and-an-alarm | perl
perl -e 'pipe A, B; pipe C, D; my $pid = fork // die;
unless ($pid) { close B; close C; sysread A, my $x, 1; syswrite D, $x; exit 0 }
close A; close D; $SIG{ALRM} = sub { syswrite B, "x" }; alarm int $ENV{P};
until (sysread C, my $y, 1) {} waitpid $pid, 0'

#: own-flock-twice-and-an-alarm | perl
perl -e 'use Fcntl ":flock"; open F, ">", "lock"; flock F, LOCK_EX; open G, ">", "lock";
$SIG{ALRM} = sub { flock F, LOCK_UN }; alarm int $ENV{P}; flock G, LOCK_EX or flock G, LOCK_EX or die'

#: sigwait-for-a-child | python3
python3 -c 'import os, signal, time
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1}); main = os.getpid()
if os.fork() == 0: time.sleep(float(os.environ["P"])); os.kill(main, signal.SIGUSR1); os._exit(0)
signal.sigwait({signal.SIGUSR1}); os.wait()'

#: sigwait-for-an-alarm | python3
python3 -c 'import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM}); signal.setitimer(signal.ITIMER_REAL, float(os.environ["P"])); signal.sigwait({signal.SIGALRM})'

#: sigsuspend-for-a-grandchild | bash
trap 'got=1' USR2; got=0; me=$$
(setsid sh -c "sleep $P; kill -USR2 $me" &)
until test $got = 1; do sleep 40 & napper=$!; wait $napper || true; kill $napper; done

#: posix-timer | cc
cat > t.c <<'EOT'
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <sys/timerfd.h>
#include <sys/epoll.h>
#include <stdint.h>
static int p[2];
static void tick(union sigval v) { (void)!write(p[1], "x", 1); }
int main(void) {
    char c; double s = atof(getenv("P")); struct itimerspec at = {.it_value = {(int)s, 5000000}};
    (void)!pipe(p); struct sigevent e = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = tick}; timer_t t;
    timer_create(CLOCK_MONOTONIC, &e, &t); timer_settime(t, 0, &at, 0); (void)!read(p[0], &c, 1);
    int f = timerfd_create(CLOCK_MONOTONIC, 0), q = epoll_create1(0); struct epoll_event v = {.events = EPOLLIN};
    at.it_value.tv_sec = 3; timerfd_settime(f, 0, &at, 0); epoll_ctl(q, EPOLL_CTL_ADD, f, &v); epoll_wait(q, &v, 1, -1);
    uint64_t n; at.it_value.tv_sec = 3; timerfd_settime(f, 0, &at, 0); (void)!read(f, &n, 8);
    return 0; }
EOT
cc t.c -o t -lrt; ./t

#: signalfd-and-eventfd | cc
cat > t.c <<'EOT'
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
    double s = atof(getenv("P")) * 5e5; int e = eventfd(0, 0); uint64_t n = 1; sigset_t m; sigemptyset(&m); sigaddset(&m, SIGCHLD);
    sigprocmask(SIG_BLOCK, &m, 0); int f = signalfd(-1, &m, 0); struct signalfd_siginfo i;
    if (!fork()) { usleep(s); (void)!write(e, &n, 8); usleep(s); _exit(0); }
    (void)!read(e, &n, 8); (void)!read(f, &i, sizeof i); wait(0); return 0; }
EOT
cc t.c -o t; ./t

#: pidfd-and-poll | python3
python3 -c 'import os, select, subprocess
c = subprocess.Popen(["sleep", os.environ["P"]]); f = os.pidfd_open(c.pid); p = select.poll(); p.register(f, 1); p.poll(); c.wait()'

#: vfork-parent-waits | cc
cat > t.c <<'EOT'
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) { if (!vfork()) { usleep(atof(getenv("P")) * 1e6); _exit(0); } wait(0); return 0; }
EOT
cc t.c -o t; ./t

#: debugger-at-a-breakpoint | gdb cc
echo 'int main(void) { return 0; }' > t.c; cc -g t.c -o t
HOME=$PWD gdb -q -nx -batch -ex 'set debuginfod enabled off' -ex 'break main' -ex run -ex "shell sleep $P" -ex continue ./t >/dev/null 2>&1

#: traced-by-strace | strace
strace -f -o log sh -c "sleep $P & wait"

#: frozen-for-a-while | freezer
group=$FREEZER/soak-$$; mkdir "$group"
sh -c 'sleep 1; true' & echo $! > "$group/cgroup.procs"
echo 1 > "$group/cgroup.freeze"; sleep "$P"; echo 0 > "$group/cgroup.freeze"; wait
for i in 1 2 3 4 5; do rmdir "$group" && break || sleep 0.2; done

#: own-pid-namespace | pidns
unshare -p -f --mount-proc sh -c "sleep $P & wait"

#: terminal-with-a-patient-typist | python3
python3 - <<'EOT'
import os, pty, time
pid, master = pty.fork()
if pid == 0: os.execvp("sh", ["sh", "-c", "printf 'Continue? '; read answer; test \"$answer\" = yes"])
os.read(master, 100); time.sleep(float(os.environ["P"])); os.write(master, b"yes\n")
assert os.waitpid(pid, 0)[1] == 0
EOT

#: typist-in-another-process | python3
python3 - <<'EOT'
import os, pty, subprocess, time
master, slave = pty.openpty()
asker = subprocess.Popen(["sh", "-c", "read answer; test \"$answer\" = yes"], stdin=slave)
typist = subprocess.Popen(["sh", "-c", "sleep $P; echo yes >&3"], pass_fds=[3]) if os.dup2(master, 3) else None
os.close(slave); assert asker.wait() == 0; typist.wait()
EOT

#: script-records-a-sleeper | script
script -qec "sleep $P; echo done" /dev/null </dev/null >/dev/null

#: ring-broken-by-a-signal-from-the-run | python3
python3 - <<'EOT'
import os, signal, socket, time
a, b = socket.socketpair(); main = os.getpid()
if os.fork() == 0: a.close(); b.recv(9); b.sendall(b"y"); os._exit(0)
b.close(); signal.signal(signal.SIGUSR1, lambda *_: a.sendall(b"x"))
if os.fork() == 0: a.close(); time.sleep(float(os.environ["P"])); os.kill(main, signal.SIGUSR1); os._exit(0)
assert a.recv(9) == b"y"; os.wait(); os.wait()
EOT

#: ring-broken-by-a-signal-of-a-shell | python3
python3 - <<'EOT' & ring=$!
import os, signal, threading
(a, b), (c, d) = os.pipe(), os.pipe()
if os.fork() == 0: os.close(b); os.close(c); os.read(a, 1); os.write(d, b"y"); os._exit(0)
os.close(a); os.close(d); signal.signal(signal.SIGUSR2, lambda *_: os.write(b, b"x")); open("ready", "w")
assert os.read(c, 1) == b"y"; os.wait()
EOT
until test -e ready; do sleep 0.1; done; sleep "$P"; kill -USR2 $ring; wait $ring

#: writer-whose-first-thread-has-ended | cc
cat > t.c <<'EOT'
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static int p[2];
static void *later(void *_) { usleep(atof(getenv("P")) * 1e6); (void)!write(p[1], "x", 1); return _; }
int main(void) {
    char c; (void)!pipe(p);
    if (!fork()) { pthread_t t; pthread_create(&t, 0, later, 0); pthread_exit(0); }
    (void)!read(p[0], &c, 1); wait(0); return 0; }
EOT
cc -pthread t.c -o t; ./t
