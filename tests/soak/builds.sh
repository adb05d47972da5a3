# Builds and suites of tests.

#: make-with-a-jobserver | make
printf 'all: %s\n%%.a:\n\t@sleep 1\nsub:\n\t@$(MAKE) --no-print-directory -f sub.mk\n' "$(seq -f '%g.a' 5 | tr '\n' ' ') sub" > Makefile
printf 'all: x y z\nx y z:\n\t@sleep 2\n' > sub.mk
make -s -j3

#: make-waits-for-a-token | make
printf 'all: a b\na:\n\t@sleep %s\nb:\n\t@+$(MAKE) -s -f sub.mk\n' "$P" > Makefile; printf 'all: x y\nx y:\n\t@sleep 2\n' > sub.mk
make -s -j2

#: make-output-sync | make
printf 'all: a b c\na b c:\n\t@echo $@; sleep %s; echo done\n' "$P" > Makefile
make -s -j2 -Otarget | cat >/dev/null

#: make-without-a-jobserver | make
printf 'all: a b\na b:\n\t@sleep 2 & wait; sleep 1\n' > Makefile; make -s

#: compiler | cc
python3 -c 'print("\n".join(f"int f{i}(int x) {{ return x * {i} + (x ? f{i-1}(x - 1) : 0); }}" if i else "int f0(int x) { return x; }" for i in range(600)))' > t.c
cc -O1 -c t.c; sleep 2.5

#: cargo-with-a-slow-build-script | cargo
export CARGO_HOME=$PWD/home; mkdir -p a/src lib/src home; echo 'pub fn x() {}' > lib/src/lib.rs
printf '[package]\nname = "l"\nversion = "0.1.0"\nedition = "2021"\n[workspace]\n' > lib/Cargo.toml
printf '[package]\nname = "a"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\nl = { path = "../lib" }\n[workspace]\n' > a/Cargo.toml
echo 'fn main() { l::x() }' > a/src/main.rs
echo 'fn main() { std::thread::sleep(std::time::Duration::from_secs(4)) }' > a/build.rs
cd a; cargo -q build --offline

#: cargo-behind-another-cargo | cargo
export CARGO_HOME=$PWD/home; mkdir -p src home; printf '[package]\nname = "a"\nversion = "0.1.0"\nedition = "2021"\n[workspace]\n' > Cargo.toml
echo 'fn main() {}' > src/main.rs
echo 'fn main() { std::thread::sleep(std::time::Duration::from_secs(5)) }' > build.rs
cargo -q build --offline & sleep 1; cargo -q build --offline; wait

#: cargo-tests-that-wait | cargo
export CARGO_HOME=$PWD/home; mkdir -p src home; printf '[package]\nname = "a"\nversion = "0.1.0"\nedition = "2021"\n[workspace]\n' > Cargo.toml
cat > src/lib.rs <<'EOT'
use std::sync::{Barrier, Condvar, Mutex, RwLock, mpsc};
use std::{thread, time::Duration};
static LOCK: Mutex<()> = Mutex::new(());
static RW: RwLock<()> = RwLock::new(());
fn nap() { thread::sleep(Duration::from_millis(2500)) }
#[test] fn one() { let _held = LOCK.lock(); nap() }
#[test] fn two() { let _held = LOCK.lock(); nap() }
#[test] fn reads() { let _held = RW.read(); nap() }
#[test] fn writes() { let _held = RW.write(); nap() }
#[test] fn channel() { let (tx, rx) = mpsc::channel(); thread::spawn(move || { nap(); tx.send(1) }); rx.recv().unwrap(); }
#[test] fn barrier() { let b = Barrier::new(2); thread::scope(|s| { s.spawn(|| { nap(); b.wait(); }); b.wait(); }); }
#[test] fn condvar() { let p = (Mutex::new(false), Condvar::new()); thread::scope(|s| { s.spawn(|| { nap(); *p.0.lock().unwrap() = true; p.1.notify_one(); }); let _g = p.1.wait_while(p.0.lock().unwrap(), |ready| !*ready); }); }
#[test] fn parked() { let t = thread::current(); thread::spawn(move || { nap(); t.unpark() }); thread::park(); }
EOT
cargo -q test --offline -- --test-threads=8 >/dev/null

#: go-waits | go
export GOCACHE=$SOAK_CACHE/go GOFLAGS=-mod=mod GO111MODULE=off HOME=$PWD
cat > t.go <<'EOT'
package main
import ("fmt"; "io"; "net"; "os"; "os/exec"; "strconv"; "sync"; "time")
func main() {
    s, _ := strconv.ParseFloat(os.Getenv("P"), 64); d := time.Duration(s * float64(time.Second) / 3)
    var wg sync.WaitGroup; var mu sync.Mutex; c := make(chan int)
    for i := 0; i < 4; i++ { wg.Add(1); go func() { defer wg.Done(); mu.Lock(); time.Sleep(d / 4); mu.Unlock() }() }
    go func() { wg.Wait(); time.Sleep(d); c <- 1 }()
    <-c
    l, _ := net.Listen("tcp", "127.0.0.1:0")
    go func() { k, _ := l.Accept(); time.Sleep(d); fmt.Fprint(k, "x"); k.Close() }()
    k, _ := net.Dial("tcp", l.Addr().String()); io.ReadAll(k)
    exec.Command("sleep", "3").Run()
    out, _ := exec.Command("sh", "-c", "sleep 2; echo x").Output()
    if len(out) != 2 { os.Exit(1) }
}
EOT
go build -o t t.go; ./t

#: go-tests | go
export GOCACHE=$SOAK_CACHE/go HOME=$PWD; printf 'module x\n\ngo 1.19\n' > go.mod
cat > x_test.go <<'EOT'
package x
import ("testing"; "time")
func TestA(t *testing.T) { t.Parallel(); time.Sleep(3 * time.Second) }
func TestB(t *testing.T) { t.Parallel(); c := make(chan int); time.AfterFunc(4*time.Second, func() { c <- 1 }); <-c }
EOT
go test ./... >/dev/null

#: node-tests | node
cat > x.test.js <<'EOT'
const test = require('node:test'); const { execFile } = require('node:child_process');
test('sleeps', () => new Promise(done => setTimeout(done, process.env.P * 1000)));
test('child', () => new Promise(done => execFile('sleep', ['2'], done)));
EOT
node --test x.test.js >/dev/null

#: node-waits | node
cat > t.js <<'EOT'
const http = require('node:http'), { Worker } = require('node:worker_threads'), { fork, execSync } = require('node:child_process');
const P = process.env.P * 1000;
if (process.send) { setTimeout(() => { process.send('x'); process.disconnect(); }, P / 2); }
else {
  const child = fork(__filename);
  child.on('message', () => {
    const server = http.createServer((q, r) => setTimeout(() => r.end('x'), P / 2)).listen(0, '127.0.0.1', () =>
      http.get({ port: server.address().port, host: '127.0.0.1' }, r => { r.resume(); r.on('end', () => {
        server.close(); const shared = new Int32Array(new SharedArrayBuffer(4));
        new Worker(`const { workerData: s } = require('node:worker_threads'); Atomics.wait(s, 0, 0, 3000);`, { eval: true, workerData: shared });
        execSync('sleep 2');
      }); }));
  });
}
EOT
node t.js

#: java-waits | java javac
cat > T.java <<'EOT'
import java.util.concurrent.*;
public class T { public static void main(String[] a) throws Exception {
    long p = (long) (Double.parseDouble(System.getenv("P")) * 500);
    ExecutorService e = Executors.newFixedThreadPool(2); Object lock = new Object(); CountDownLatch l = new CountDownLatch(1);
    e.submit(() -> { synchronized (lock) { Thread.sleep(p); } return 0; }); e.submit(() -> { synchronized (lock) { l.countDown(); } });
    l.await(); BlockingQueue<Integer> q = new LinkedBlockingQueue<>(); new Thread(() -> { try { Thread.sleep(p); q.put(1); } catch (InterruptedException x) {} }).start();
    q.take(); e.shutdown(); new ProcessBuilder("sleep", "3").start().waitFor(); } }
EOT
java -Xmx64m -XX:TieredStopAtLevel=1 T.java

#: perl-suite | prove
mkdir t; for i in 1 2 3; do printf 'use Test::More tests => 1; sleep 2; ok(1);\n' > t/$i.t; done; prove -j2 -Q t

#: parallel-jobs | parallel
export HOME=$PWD; parallel --will-cite -j2 "sleep {}; echo {}" ::: 1 2 3 1 | wc -l | grep -q 4

#: parallel-with-a-semaphore | parallel
export HOME=$PWD; for i in 1 2 3; do parallel --will-cite --semaphore --id soak -j1 "sleep 1.5"; done; parallel --will-cite --semaphore --wait --id soak

#: xargs-in-parallel | xargs
seq 6 | xargs -P 3 -n 1 sh -c 'sleep 2; true'
