//! The test process: starts the server, mounts its file system, writes `send` through a child and waits for it.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};

use super::indexd::{Address, LISTENS};
use super::mount::{self, Mounted, Way};
use super::outbox::Outbox;
use super::stage::Stage;
use super::{Answer, DemoError, recorded, show};

/// The whole test.
pub(super) fn run(stage: &Stage, way: Way, mount_name: &str, threads: u16, answer: Answer) -> Result<(), DemoError> {
    stage.enter("fuse.test")?;
    way.prepare()?;
    recorded::start();
    let server = Server::start(stage, threads, answer)?;
    let address = server.address;
    let point = stage.mount_point(mount_name);
    fs::create_dir_all(&point).map_err(|source| DemoError::Stage { path: point.clone(), source })?;
    let mounted = Mounted::new(Outbox::new(address, &point), &point, way)?;
    mount::note_connection(stage, &mounted)?;
    list(&point)?;

    let phase = tracing::info_span!("test send", mount = %point.display());
    let written = phase.in_scope(|| write_in_child(stage, &point.join("send")))?;
    if !written.success() {
        return Err(DemoError::Part { who: "the writer of `send`", what: ended(written) });
    }
    // In the twin the walk goes on after the answer; the mount stays until it has ended.
    ureq::get(address.url("/api/conversations/walks"))
        .call()
        .map_err(|error| DemoError::Part { who: "indexd", what: format!("did not answer: {error}") })?;
    mounted.unmount()
}

/// The server as a child; dropping it ends it.
struct Server {
    child: Child,
    address: Address,
}

impl Server {
    /// Starts it and reads its address from the first line that it prints.
    fn start(stage: &Stage, threads: u16, answer: Answer) -> Result<Self, DemoError> {
        let child = show::part(stage, "indexd")?
            .args(["--threads", &threads.to_string()])
            .args(answer.flag())
            .env("TMPDIR", stage.temp())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|source| DemoError::Start { what: "indexd", source })?;
        // Owned before it can fail, so that it does not outlive a test that gives up.
        let mut server = Self { child, address: Address(([0, 0, 0, 0], 0).into()) };
        let mut line = String::new();
        if let Some(stdout) = server.child.stdout.take() {
            BufReader::new(stdout)
                .read_line(&mut line)
                .map_err(|source| DemoError::Call { call: "reading the address of indexd", source })?;
        }
        let address = line.strip_prefix(LISTENS).and_then(|address| address.trim_end().parse().ok());
        server.address = Address(address.ok_or_else(|| DemoError::Part {
            who: "indexd",
            what: format!("said {line:?} instead of its address"),
        })?);
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            eprintln!("fuse.test: indexd cannot be ended: {error}");
        }
    }
}

/// What tests do before they write: look. The kernel keeps the listing, and the attributes that are
/// read after it (reading a directory makes those before it stale), so a later walk gets one level deeper.
fn list(point: &Path) -> Result<(), DemoError> {
    let failed = |source| DemoError::Stage { path: point.to_owned(), source };
    for entry in fs::read_dir(point).map_err(failed)? {
        entry.map_err(failed)?;
    }
    fs::metadata(point).map(drop).map_err(failed)
}

fn write_in_child(stage: &Stage, file: &Path) -> Result<ExitStatus, DemoError> {
    show::part(stage, "write")?
        .arg("--file")
        .arg(file)
        .status()
        .map_err(|source| DemoError::Start { what: "the writer of `send`", source })
}

/// The child: writes the file and closes it. The close is where it hangs.
pub(super) fn write(stage: &Stage, file: &Path) -> Result<(), DemoError> {
    stage.enter("write")?;
    let failed = |source| DemoError::Stage { path: file.to_owned(), source };
    let mut send = File::options().write(true).open(file).map_err(failed)?;
    send.write_all(b"hello\n").map_err(failed)
}

fn ended(status: ExitStatus) -> String {
    match status.signal() {
        Some(signal) => format!("was ended by signal {signal}"),
        None => format!("ended with {}", status.code().unwrap_or_default()),
    }
}
