//! Where FUSE cannot be had: two processes, a pipe and a file lock.
//!
//! ```text
//!     reader  holds the lock, waits for the pipe ──▶ writer
//!     writer  would write the pipe, waits for the lock ──▶ reader
//! ```
//!
//! In the twin the writer writes first and asks for the lock afterwards.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::Stdio;

use super::stage::Stage;
use super::{Answer, DemoError, recorded, show};

/// Starts both and waits for both.
pub(super) fn run(stage: &Stage, answer: Answer) -> Result<(), DemoError> {
    stage.enter("pipe.test")?;
    let (from, into) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(DemoError::call("pipe2"))?;
    let mut reader = show::part(stage, "pipe-reader")?
        .stdin(Stdio::from(from))
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|source| DemoError::Start { what: "the reader", source })?;
    // Its first byte says that it holds the lock; only then the writer starts.
    let mut locked = [0];
    reader
        .stdout
        .take()
        .map_or(Ok(()), |mut stdout| stdout.read_exact(&mut locked))
        .map_err(|source| DemoError::Call { call: "waiting for the reader's lock", source })?;
    let mut writer = show::part(stage, "pipe-writer")?
        .args(answer.flag())
        .stdin(Stdio::null())
        .stdout(Stdio::from(into))
        .spawn()
        .map_err(|source| DemoError::Start { what: "the writer", source })?;
    for (who, child) in [("the reader", &mut reader), ("the writer", &mut writer)] {
        let status = child.wait().map_err(|source| DemoError::Call { call: "waiting for a child", source })?;
        if !status.success() {
            return Err(DemoError::Part { who, what: format!("ended with {status}") });
        }
    }
    Ok(())
}

/// Takes the lock, says so, and reads its standard input to the end of a line.
pub(super) fn read(stage: &Stage) -> Result<(), DemoError> {
    stage.enter("reader")?;
    recorded::start();
    let lock = take_lock(stage)?;
    let path = stage.lock_file();
    let held = tracing::info_span!("update the list", hang.hold = %format_args!("path:{}", path.display()));
    let _held = held.enter();
    let failed = |source| DemoError::Call { call: "telling that the lock is held", source };
    std::io::stdout().write_all(b"!").and_then(|()| std::io::stdout().flush()).map_err(failed)?;
    // The parent waits for this byte alone; nobody reads standard output after it.
    let mut line = String::new();
    let read = std::io::stdin()
        .read_line(&mut line)
        .map_err(|source| DemoError::Call { call: "reading the pipe", source })?;
    drop(lock);
    if read == 0 {
        return Err(DemoError::Part { who: "the writer", what: "closed the pipe without a word".to_owned() });
    }
    Ok(())
}

/// Takes the lock and writes a line; the twin writes first.
pub(super) fn write(stage: &Stage, answer: Answer) -> Result<(), DemoError> {
    stage.enter("writer")?;
    recorded::start();
    let say = || {
        let mut stdout = std::io::stdout();
        stdout
            .write_all(b"next\n")
            .and_then(|()| stdout.flush())
            .map_err(|source| DemoError::Call { call: "writing the pipe", source })
    };
    let lock_then = || {
        let path = stage.lock_file();
        let wait = tracing::info_span!("lock the list", hang.wait = %format_args!("path:{}", path.display()));
        wait.in_scope(|| take_lock(stage))
    };
    match answer {
        Answer::First => say().and_then(|()| lock_then()).map(drop),
        Answer::Last => lock_then().and_then(|_lock| say()),
    }
}

fn take_lock(stage: &Stage) -> Result<File, DemoError> {
    let path: PathBuf = stage.lock_file();
    let failed = |source| DemoError::Stage { path: path.clone(), source };
    let file = File::options().create(true).append(true).open(&path).map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(file)
}
