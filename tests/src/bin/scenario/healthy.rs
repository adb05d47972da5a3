//! Programs that are quiet for a while and then end by themselves. Each lives a few seconds, longer than the
//! tests' `--quiet-after`.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::locks::lock_file;
use crate::{Outcome, role};

/// How long they are quiet.
const QUIET: Duration = Duration::from_secs(5);

/// Waits without a limit for a reply that the other thread gives when its time has come.
pub(crate) fn long_poll(_: &[String]) -> Outcome {
    role::take("poller")?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let server = std::thread::spawn(move || -> io::Result<()> {
        let (mut connection, _) = listener.accept()?;
        BufReader::new(&connection).read_line(&mut String::new())?;
        std::thread::sleep(QUIET);
        connection.write_all(b"nothing new\n")
    });
    let mut connection = TcpStream::connect(address)?;
    connection.write_all(b"anything new?\n")?;
    BufReader::new(connection).read_line(&mut String::new())?;
    server.join().map_err(|_| "the server panicked")??;
    Ok(())
}

/// Waits for a child that computes without a word.
pub(crate) fn slow_compute(_: &[String]) -> Outcome {
    role::take("build")?;
    role::part("computer")?.status()?;
    Ok(())
}

/// Computes, and neither writes nor waits.
pub(crate) fn computer(_: &[String]) -> Outcome {
    role::take("computer")?;
    let begun = Instant::now();
    let mut state = 1_u64;
    while begun.elapsed() < QUIET {
        for _ in 0..100_000 {
            state = std::hint::black_box(state.rotate_left(7).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        }
    }
    Ok(())
}

/// Workers queue up for a lock that each holds for a while.
pub(crate) fn flock_queue(arguments: &[String]) -> Outcome {
    role::take("queue")?;
    let path = arguments.first().ok_or("no path given")?;
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(role::part("flock-worker")?.arg(path).spawn()?);
    }
    for mut worker in workers {
        worker.wait()?;
    }
    Ok(())
}

/// Holds the lock for a third of the quiet time.
pub(crate) fn flock_worker(arguments: &[String]) -> Outcome {
    role::take("worker")?;
    let file = lock_file(arguments.first().ok_or("no path given")?)?;
    file.lock()?;
    std::thread::sleep(QUIET / 3);
    Ok(())
}

/// A server in an event loop without a limit; its only client says something every second.
pub(crate) fn epoll_idle(_: &[String]) -> Outcome {
    role::take("server")?;
    let (mut connection, client) = UnixStream::pair()?;
    let client = std::thread::spawn(move || -> io::Result<()> {
        let mut client = client;
        for _ in 0..QUIET.as_secs() {
            std::thread::sleep(Duration::from_secs(1));
            client.write_all(b".")?;
        }
        Ok(())
    });
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(&connection, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
    let mut beat = [0; 16];
    loop {
        epoll.wait(&mut [EpollEvent::empty()], EpollTimeout::NONE)?;
        if connection.read(&mut beat)? == 0 {
            break;
        }
    }
    client.join().map_err(|_| "the client panicked")??;
    Ok(())
}

/// Leaves ended children unreaped for a while, and then reaps them.
pub(crate) fn reaped_zombies(_: &[String]) -> Outcome {
    role::take("nursery")?;
    let mut children = Vec::new();
    for _ in 0..3 {
        children.push(role::part("exit")?.arg("0").spawn()?);
    }
    std::thread::sleep(QUIET);
    for mut child in children {
        child.wait()?;
    }
    Ok(())
}

/// A producer whose consumer takes its time: the pipe is full most of the while.
pub(crate) fn slow_consumer(_: &[String]) -> Outcome {
    role::take("producer")?;
    let (from, mut into) = io::pipe()?;
    let mut consumer = role::part("consumer")?.stdin(Stdio::from(OwnedFd::from(from))).spawn()?;
    // Six times what a pipe holds.
    into.write_all(&vec![b'x'; 6 << 16])?;
    drop(into);
    consumer.wait()?;
    Ok(())
}

/// Reads a pipe's worth a second.
pub(crate) fn consumer(_: &[String]) -> Outcome {
    role::take("consumer")?;
    let mut input = io::stdin().lock();
    let mut chunk = vec![0; 1 << 16];
    loop {
        std::thread::sleep(Duration::from_secs(1));
        let mut filled = 0;
        while filled < chunk.len() {
            match input.read(&mut chunk[filled..])? {
                0 => return Ok(()),
                n => filled += n,
            }
        }
    }
}
