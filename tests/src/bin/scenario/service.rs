//! A service on tokio: load for a second, then quiet with clients that stay connected, then load again.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Semaphore, mpsc};

use crate::Outcome;

const CLIENTS: usize = 8;

/// `tokio-service SECONDS`: quiet for that long.
pub(crate) fn service(arguments: &[String]) -> Outcome {
    let quiet: f64 = arguments.first().ok_or("no seconds given")?.parse()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let program = std::env::current_exe()?;
        let mut load = tokio::process::Command::new(program)
            .args(["tokio-clients", &listener.local_addr()?.to_string(), &quiet.to_string()])
            .spawn()?;
        let counter = Arc::new(Mutex::new(0_u64));
        let pool = Arc::new(Semaphore::new(3));
        let (log, mut lines) = mpsc::channel::<u64>(4);
        tokio::spawn(async move { while lines.recv().await.is_some() {} });
        loop {
            tokio::select! {
                ended = load.wait() => return if ended?.success() { Ok(()) } else { Err("the clients failed".into()) },
                accepted = listener.accept() => {
                    let (counter, pool, log) = (counter.clone(), pool.clone(), log.clone());
                    tokio::spawn(answer(accepted?.0, counter, pool, log));
                }
            }
        }
    })
}

async fn answer(mut client: TcpStream, counter: Arc<Mutex<u64>>, pool: Arc<Semaphore>, log: mpsc::Sender<u64>) {
    let mut request = [0; 512];
    while client.read(&mut request).await.is_ok_and(|read| read > 0) {
        let Ok(_permit) = pool.acquire().await else { return };
        let served = {
            let mut counter = counter.lock().await;
            *counter += 1;
            *counter
        };
        let logged = log.send(served).await;
        let reply = format!("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{served:8}");
        if logged.is_err() || client.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// `tokio-clients ADDRESS SECONDS`: ask, are quiet for that long and stay connected, and ask again.
pub(crate) fn clients(arguments: &[String]) -> Outcome {
    let [address, quiet] = arguments else { return Err("an address and seconds are needed".into()) };
    let quiet = Duration::from_secs_f64(quiet.parse()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let clients: Vec<_> = (0..CLIENTS).map(|_| tokio::spawn(client(address.clone(), quiet))).collect();
        for client in clients {
            client.await??;
        }
        Ok(())
    })
}

async fn client(address: String, quiet: Duration) -> std::io::Result<()> {
    let mut server = TcpStream::connect(address).await?;
    for round in 0..2 {
        for _ in 0..500 {
            server.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await?;
            let mut reply = [0; 46];
            server.read_exact(&mut reply).await?;
        }
        if round == 0 {
            tokio::time::sleep(quiet).await;
        }
    }
    Ok(())
}
