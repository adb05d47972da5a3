# Locks that are held for a while, and given back.

#: flock-queue | flock
for i in $(seq "$N"); do flock lock sleep 2 & done; wait

#: flock-held-by-an-orphan | flock
sh -c "exec 9>lock; flock 9; sleep $P & exit"
flock lock true

#: flock-kept-by-two-for-a-while | flock
exec 9>lock; flock 9; sleep "$P" 9>&9 & sleep 1 & exec 9>&-
flock lock true; wait

#: flock-with-a-limit | flock
flock lock sleep "$P" & sleep 0.3
flock -w 1 lock true || true; wait

#: shared-then-exclusive | flock
flock -s lock sleep "$P" & flock -s lock sleep 2 & sleep 0.3; flock -x lock true; wait

#: flocks-in-a-chain | flock
flock a sleep "$P" & sleep 0.2; flock b flock a true & sleep 0.2; flock c flock b true & sleep 0.2; flock c true; wait

#: posix-locks | python3
python3 - <<'EOT'
import fcntl, os, time
f = open("data", "w"); f.write("x" * 100); f.flush()
for n in range(3):
    if os.fork() == 0:
        g = open("data", "r+"); fcntl.lockf(g, fcntl.LOCK_EX, 50, 10 * n); time.sleep(2); os._exit(0)
for n in range(3): os.wait()
EOT

#: posix-locks-crossed-in-time | python3
python3 - <<'EOT'
import fcntl, os, time
open("a", "w").close(); open("b", "w").close()
if os.fork() == 0:
    a = open("a", "r+"); fcntl.lockf(a, fcntl.LOCK_EX); time.sleep(float(os.environ["P"])); fcntl.lockf(a, fcntl.LOCK_UN)
    b = open("b", "r+"); fcntl.lockf(b, fcntl.LOCK_EX); os._exit(0)
time.sleep(0.5)
b = open("b", "r+"); fcntl.lockf(b, fcntl.LOCK_EX); a = open("a", "r+"); fcntl.lockf(a, fcntl.LOCK_EX)
fcntl.lockf(b, fcntl.LOCK_UN); os.wait()
EOT

#: open-file-description-locks | python3
python3 - <<'EOT'
import fcntl, os, struct, time
def lock(f): fcntl.fcntl(f, 38, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
f = open("data", "w"); lock(f)
if os.fork() == 0: time.sleep(float(os.environ["P"])); os._exit(0)
f.close(); g = open("data", "w"); lock(g); os.wait()
EOT

#: sqlite-busy | python3
python3 - <<'EOT'
import os, sqlite3, time
sqlite3.connect("db").execute("create table t (x)").connection.close()
if os.fork() == 0:
    c = sqlite3.connect("db", isolation_level=None); c.execute("begin exclusive"); time.sleep(float(os.environ["P"])); c.execute("commit"); os._exit(0)
time.sleep(0.5); c = sqlite3.connect("db", timeout=40); c.execute("insert into t values (1)"); c.commit(); os.wait()
EOT

#: sqlite-shell | sqlite3
sqlite3 db 'create table t (x)'
(echo 'begin immediate; insert into t values (1);'; sleep "$P"; echo 'commit;') | sqlite3 db & sleep 0.5
sqlite3 -cmd '.timeout 40000' db 'insert into t values (2)'; wait

#: system-v-semaphore | perl
perl -MIPC::SysV=IPC_PRIVATE,IPC_RMID,S_IRUSR,S_IWUSR,SETVAL -e '
my $id = semget(IPC_PRIVATE, 1, S_IRUSR | S_IWUSR) // die; semctl($id, 0, SETVAL, 0);
my $pid = fork // die; unless ($pid) { select undef, undef, undef, $ENV{P}; semop($id, pack("s!3", 0, 1, 0)); exit 0 }
semop($id, pack("s!3", 0, -1, 0)) or die; waitpid $pid, 0; semctl($id, 0, IPC_RMID, 0)'

#: system-v-queue | perl
perl -MIPC::SysV=IPC_PRIVATE,IPC_RMID,S_IRUSR,S_IWUSR -e '
my $id = msgget(IPC_PRIVATE, S_IRUSR | S_IWUSR) // die;
my $pid = fork // die; unless ($pid) { select undef, undef, undef, $ENV{P}; msgsnd($id, pack("l! a*", 1, "x"), 0); exit 0 }
my $got; msgrcv($id, $got, 10, 0, 0) or die; waitpid $pid, 0; msgctl($id, IPC_RMID, 0)'

#: c-threads | cc
cat > t.c <<'EOT'
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <unistd.h>
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER, held = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t c = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t b; static sem_t s; static int ready;
static void *cond(void *_) { pthread_mutex_lock(&m); while (!ready) pthread_cond_wait(&c, &m); pthread_mutex_unlock(&m); return _; }
static void *lock(void *_) { pthread_mutex_lock(&held); pthread_mutex_unlock(&held); return _; }
static void *wr(void *_) { pthread_rwlock_wrlock(&rw); pthread_rwlock_unlock(&rw); return _; }
static void *sem(void *_) { sem_wait(&s); return _; }
static void *bar(void *_) { pthread_barrier_wait(&b); return _; }
static void *last(void *_) {
    pthread_mutex_lock(&held); pthread_rwlock_rdlock(&rw); usleep(atof(getenv("P")) * 1e6);
    pthread_rwlock_unlock(&rw); pthread_mutex_unlock(&held);
    pthread_mutex_lock(&m); ready = 1; pthread_cond_broadcast(&c); pthread_mutex_unlock(&m);
    sem_post(&s); pthread_barrier_wait(&b); return _; }
int main(void) {
    pthread_t t[6]; void *(*f[6])(void *) = {last, cond, lock, wr, sem, bar};
    pthread_barrier_init(&b, 0, 2); sem_init(&s, 0, 0);
    for (int i = 0; i < 6; i++) { pthread_create(&t[i], 0, f[i], 0); usleep(20000); }
    for (int i = 0; i < 6; i++) pthread_join(t[i], 0);
    return 0; }
EOT
cc -pthread t.c -o t; ./t

#: c-shared-between-processes | cc
cat > t.c <<'EOT'
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
struct shared { pthread_mutex_t m; pthread_cond_t c; sem_t s; int ready; };
int main(void) {
    struct shared *x = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t ma; pthread_mutexattr_init(&ma); pthread_mutexattr_setpshared(&ma, 1); pthread_mutex_init(&x->m, &ma);
    pthread_condattr_t ca; pthread_condattr_init(&ca); pthread_condattr_setpshared(&ca, 1); pthread_cond_init(&x->c, &ca);
    sem_init(&x->s, 1, 0);
    if (!fork()) { pthread_mutex_lock(&x->m); while (!x->ready) pthread_cond_wait(&x->c, &x->m); pthread_mutex_unlock(&x->m); _exit(0); }
    if (!fork()) { sem_wait(&x->s); pthread_mutex_lock(&x->m); x->ready = 1; pthread_cond_signal(&x->c); pthread_mutex_unlock(&x->m); _exit(0); }
    if (!fork()) { pthread_mutex_lock(&x->m); usleep(atof(getenv("P")) * 5e5); pthread_mutex_unlock(&x->m); usleep(atof(getenv("P")) * 5e5); sem_post(&x->s); _exit(0); }
    while (wait(0) > 0) ;
    return 0; }
EOT
cc -pthread t.c -o t; ./t

#: c-posix-queue | cc
cat > t.c <<'EOT'
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
    char name[40], text[20]; snprintf(name, 40, "/soak-%d", getpid());
    struct mq_attr a = {.mq_maxmsg = 2, .mq_msgsize = 10}; mqd_t q = mq_open(name, O_CREAT | O_RDWR, 0600, &a); mq_unlink(name);
    if (!fork()) { for (int i = 0; i < 6; i++) mq_send(q, "x", 1, 0); usleep(atof(getenv("P")) * 5e5); mq_send(q, "y", 1, 0); _exit(0); }
    usleep(atof(getenv("P")) * 5e5); for (int i = 0; i < 7; i++) mq_receive(q, text, 20, 0);
    wait(0); return 0; }
EOT
cc t.c -o t; ./t
