//! A small HTTP service with the tracing layer, and a client that asks it; in the middle of the request it looks at
//! itself through the recorder, as hangdog would from outside.
//!
//! ```text
//! $ cargo run -p hangdog-tracer --features tokio --example service
//! ```

use std::io;

use hangdog_flight::Reader;
use hangdog_tracer::{InPhaseExt, open_phase, phase};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tracing_subscriber::prelude::*;

#[tokio::main]
async fn main() -> io::Result<()> {
    tracing_subscriber::registry().with(hangdog_tracer::layer()).init();
    println!("{}", hangdog_tracer::status());

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        handle(stream, format!("http:{address}")).await
    });
    let wait = format!("http:{address}");
    let ask = async move {
        let mut client = TcpStream::connect(address).await?;
        client.write_all(b"POST /api/conversations/new HTTP/1.1\r\n\r\n").await?;
        let mut reply = String::new();
        client.read_to_string(&mut reply).await?;
        io::Result::Ok(reply)
    };
    let reply =
        ask.in_phase(open_phase!("POST /api/conversations/new", hang.wait = wait, hang.deadline_ms = 5000)).await?;
    print!("{reply}");
    server.await?
}

#[tracing::instrument(name = "handle POST", skip(stream), fields(hang.serve = %serve))]
async fn handle(mut stream: TcpStream, serve: String) -> io::Result<()> {
    let mut request = [0; 1024];
    let _length = stream.read(&mut request).await?;
    let open = tokio::task::spawn_blocking(|| {
        let _phase = phase!("look", hang.wait = "path:/dev/shm");
        look()
    });
    let open = open.in_phase(open_phase!("wait for the look")).await??;
    stream.write_all(open.as_bytes()).await
}

/// The open phases of this process.
fn look() -> io::Result<String> {
    let Some(recorder) = hangdog_flight::current() else { return Ok("no recorder\n".to_owned()) };
    let recording =
        Reader::from_file(recorder.file()?).and_then(|mut reader| reader.read()).map_err(io::Error::other)?;
    let lines = recording.open.iter().map(|phase| {
        let task = phase.task.map_or(String::new(), |task| format!("task {task}"));
        let state = if phase.polled_now { "runs" } else { "open" };
        let serve = phase.hang.serve.iter().map(|resource| format!(" serves {resource}"));
        let wait = phase.hang.wait.iter().map(|resource| format!(" waits for {resource}"));
        let meaning: String = serve.chain(wait).collect();
        format!("{state} thread {} {task:7} {}{meaning}\n", phase.tid, phase.name)
    });
    Ok(lines.collect())
}
