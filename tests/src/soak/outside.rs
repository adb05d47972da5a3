//! Somebody outside of a run on whom a part of it waits: answers, unlocks, writes and touches after some seconds.

use std::fs::File;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::stat::Mode;

/// What is said to who asks; good enough for a client of HTTP too.
const ANSWER: &[u8] = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nlate\n";
/// Between two looks whether somebody has come.
const STEP: Duration = Duration::from_millis(50);

/// The outside of one run.
#[derive(Debug)]
pub(super) struct Outside {
    variables: Vec<(&'static str, PathBuf)>,
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Outside {
    /// Who answers after `pause`, at places in this directory.
    pub(super) fn new(directory: &Path, pause: Duration) -> std::io::Result<Self> {
        let path = |name: &str| directory.join(name);
        let is_over = Arc::new(AtomicBool::new(false));
        let tcp = TcpListener::bind("127.0.0.1:0")?;
        let unix = UnixListener::bind(path("out.sock"))?;
        tcp.set_nonblocking(true)?;
        unix.set_nonblocking(true)?;
        nix::unistd::mkfifo(&path("out.fifo"), Mode::S_IRUSR | Mode::S_IWUSR)?;
        File::create(path("out.file"))?;
        let lock = File::create(path("out.lock"))?;
        lock.lock()?;
        let variables = vec![
            ("OUT_TCP", tcp.local_addr()?.port().to_string().into()),
            ("OUT_UNIX", path("out.sock")),
            ("OUT_FIFO", path("out.fifo")),
            ("OUT_FILE", path("out.file")),
            ("OUT_LOCK", path("out.lock")),
        ];
        let (file, fifo) = (path("out.file"), path("out.fifo"));
        let by_time = {
            let is_over = Arc::clone(&is_over);
            thread::spawn(move || {
                let mut lock = Some(lock);
                while rest(&is_over, pause * 2) {
                    drop(lock.take());
                    let _touched = File::create(&file).and_then(|mut file| file.write_all(b"x"));
                }
            })
        };
        let threads = vec![
            by_time,
            serve(&is_over, move || tcp.accept().map(|(client, _)| answer(client, pause))),
            serve(&is_over, move || unix.accept().map(|(client, _)| answer(client, pause))),
            serve(&is_over, move || write(&fifo, pause)),
        ];
        Ok(Self { variables, is_over, threads })
    }

    /// Where it is, as variables of the environment.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        self.variables.iter().map(|(name, value)| (*name, value.as_path()))
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ended = thread.join();
        }
    }
}

/// Sleeps, unless it is over before.
fn rest(is_over: &AtomicBool, pause: Duration) -> bool {
    for _ in 0..pause.as_millis() / STEP.as_millis() {
        if is_over.load(Ordering::Relaxed) {
            return false;
        }
        thread::sleep(STEP);
    }
    true
}

/// Tries again and again to serve somebody, and looks at whoever comes in turn.
fn serve(is_over: &Arc<AtomicBool>, mut one: impl FnMut() -> std::io::Result<()> + Send + 'static) -> JoinHandle<()> {
    let is_over = Arc::clone(is_over);
    thread::spawn(move || {
        while !is_over.load(Ordering::Relaxed) {
            if one().is_err() {
                thread::sleep(STEP);
            }
        }
    })
}

/// Reads what a client says first, and answers it late, in a thread of its own.
fn answer(mut client: impl std::io::Read + Write + Send + 'static, pause: Duration) {
    thread::spawn(move || {
        let mut said = [0; 1000];
        let heard = client.read(&mut said).is_ok();
        thread::sleep(pause);
        if heard {
            let _gone = client.write_all(ANSWER);
        }
    });
}

/// Writes a line to whoever reads the FIFO, some time after he came.
fn write(fifo: &Path, pause: Duration) -> std::io::Result<()> {
    // Without a reader that fails, and with one it is the open that ends the wait of his.
    let mut open = File::options().write(true).custom_flags(libc::O_NONBLOCK).open(fifo)?;
    thread::sleep(pause);
    open.write_all(b"hello\n")
}
