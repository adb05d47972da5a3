//! The service: axum on tokio, three spans a request, two of them across an await.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use tracing::{Instrument as _, info_span, instrument};
use tracing_subscriber::prelude::*;

use super::Recorded;
use crate::clock::{off_this_cpu, stay_on};
use crate::lines::registry;

/// A service in a process of its own, ended with this.
pub(super) struct Server {
    child: Child,
    /// Where it listens.
    pub(super) address: String,
}

impl Server {
    /// Starts one and waits until it listens.
    pub(super) fn start(recorded: Recorded) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.args(["--serve", recorded.word()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        // It chooses its CPU itself; the one of the load would be all that it knows.
        let mut started = None;
        off_this_cpu(|| started = Some(command.spawn()));
        let started = started.ok_or("the service was not started")?;
        let mut child = started.map_err(|error| error.to_string())?;
        let said = child.stdout.take().and_then(|out| BufReader::new(out).lines().next());
        let server = Self { child, address: said.and_then(Result::ok).unwrap_or_default() };
        if server.address.is_empty() { Err("the service does not start".to_owned()) } else { Ok(server) }
    }

    /// CPU time of all its threads so far.
    pub(super) fn cpu_time(&self) -> Result<Duration, String> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.child.id())).map_err(|error| error.to_string())?;
        let mut ns = 0;
        for thread in threads {
            let path = thread.map_err(|error| error.to_string())?.path().join("schedstat");
            let stat = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            ns += stat.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()).ok_or("schedstat has no run time")?;
        }
        Ok(Duration::from_nanos(ns))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves until killed, or until who started it is gone.
pub(crate) fn serve(recorded: Recorded) -> Result<(), String> {
    // Two CPUs are known to be there: the load is on the other.
    stay_on(0)?;
    match recorded {
        Recorded::Not => {}
        Recorded::Registry => registry().init(),
        Recorded::Subscriber => hangdog_tracer::subscriber().init(),
        Recorded::Layer => tracing_subscriber::registry().with(hangdog_tracer::layer()).init(),
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.spawn(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        axum::serve(listener, Router::new().route("/items/{number}", get(item)).route("/pages/{number}", get(page)))
            .await
    });
    let _ended = std::io::stdin().lines().count();
    Ok(())
}

#[instrument(name = "GET /items", fields(hang.serve = "http:items"))]
async fn item(Path(number): Path<u64>) -> String {
    let found = find(number).instrument(info_span!("find", number, table = "items")).await;
    let _encode = info_span!("encode", number, form = "json").entered();
    format!("{{\"number\":{number},\"found\":{found}}}")
}

#[instrument(name = "GET /pages", fields(hang.serve = "http:pages"))]
async fn page(Path(number): Path<u64>) -> String {
    let mut found: Vec<u64> = (0..100).map(|item: u64| (number + item).wrapping_mul(0x9e37_79b9) % 10_000).collect();
    find(number).instrument(info_span!("find", number, table = "items")).await;
    let _encode = info_span!("encode", number, form = "json").entered();
    found.sort_unstable();
    let items = found.iter().map(|item| format!("{{\"number\":{item},\"name\":\"item {item}\"}}"));
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

/// As if something else was asked.
async fn find(number: u64) -> bool {
    tokio::task::yield_now().await;
    number.is_multiple_of(2)
}
