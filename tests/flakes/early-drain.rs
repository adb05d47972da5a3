//! An upload server that is told to stop while clients upload, with the phases of `hangdog_tracer`.
//!
//! Why it fails: the server counts the uploads it works on, and ends when it is told to stop and counts none. An upload is
//! counted once its head has been read; one that is connected and not counted yet is cut off, and its client sees the
//! connection end without a reply. (A client that finds the server gone altogether goes elsewhere; that is well.)
//!
//! Truth: the server stops because it counts no upload, while one is connected and not counted yet.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tracing::{Instrument, info_span};
use tracing_subscriber::prelude::*;

/// How long a client or a disk takes, anywhere between two times.
fn between(low_us: u64, high_us: u64) -> Duration {
    Duration::from_micros(low_us + RandomState::new().build_hasher().finish() % (high_us - low_us))
}

struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn upload(connection: tokio::net::TcpStream, in_flight: Arc<AtomicUsize>) -> std::io::Result<()> {
    let mut connection = tokio::io::BufReader::new(connection);
    let mut head = String::new();
    connection.read_line(&mut head).await?;
    let _counted = Counted::new(&in_flight);
    let mut body = vec![0; head.trim().parse().unwrap_or(0)];
    connection.read_exact(&mut body).await?;
    tokio::time::sleep(between(1_000, 4_000)).instrument(info_span!("store")).await;
    connection.write_all(b"stored\n").await?;
    connection.shutdown().await
}

async fn serve() -> std::io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("{}", listener.local_addr()?);
    let in_flight = Arc::new(AtomicUsize::new(0));
    let (told, mut stop) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read(&mut [0]);
        told.send(())
    });
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let work = upload(accepted?.0, Arc::clone(&in_flight));
                tokio::spawn(async { work.await.ok() }.instrument(info_span!("upload")));
            }
            _ = &mut stop => break,
        }
    }
    let _drain = info_span!("drain").entered();
    drop(listener);
    while in_flight.load(Ordering::SeqCst) > 0 {
        sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// Uploads until the server is gone, and says whether each upload was answered.
fn client(server: SocketAddr) -> bool {
    loop {
        sleep(between(50_000, 200_000));
        let Ok(mut connection) = TcpStream::connect(server) else { return true };
        let _upload = info_span!("send").entered();
        let mut reply = String::new();
        let sent = connection.write_all(b"5\n").and_then(|()| connection.write_all(b"image"));
        if sent.and_then(|()| connection.read_to_string(&mut reply)).is_err() || reply != "stored\n" {
            eprintln!("an upload was cut off");
            return false;
        }
    }
}

fn test() -> std::io::Result<bool> {
    let mut server =
        Command::new(std::env::current_exe()?).arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut address = String::new();
    BufReader::new(server.stdout.take().expect("stdout is piped")).read_line(&mut address)?;
    let address = address.trim().parse().map_err(std::io::Error::other)?;
    let clients: Vec<_> = (0..3).map(|_| std::thread::spawn(move || client(address))).collect();
    sleep(between(700_000, 1_000_000));
    server.stdin.take().expect("stdin is piped").write_all(b"\n")?;
    let cut_off = clients
        .into_iter()
        .map(std::thread::JoinHandle::join)
        .filter(|answered| !matches!(answered, Ok(true)))
        .count();
    server.wait()?;
    Ok(cut_off == 0)
}

fn main() -> ExitCode {
    tracing_subscriber::registry().with(hangdog_tracer::layer()).init();
    if std::env::args().nth(1).as_deref() == Some("serve") {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
        return if runtime.block_on(serve()).is_ok() { ExitCode::SUCCESS } else { ExitCode::from(2) };
    }
    match test() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
