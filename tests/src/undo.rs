//! What is to be undone in any case: when a test ends, when it panics, and when it is killed.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

/// A shell that waits for the end of its input, which comes when this is dropped or its process is gone, and then runs a
/// script.
#[derive(Debug)]
pub struct Undo(Child);

impl Undo {
    /// `script` finds the arguments in `$1`, `$2` …
    ///
    /// # Panics
    /// When there is no shell.
    #[track_caller]
    pub fn by<S: AsRef<OsStr>>(script: &str, arguments: impl IntoIterator<Item = S>) -> Self {
        let script = format!("read _; {script}");
        let mut command = Command::new("sh");
        command.args(["-c", &script, "undo"]).args(arguments);
        // Interrupted from the keyboard, all of the foreground gets the signal, and this is needed then.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        Self(command.spawn().unwrap_or_else(|error: io::Error| panic!("sh: {error}")))
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _done = self.0.wait();
    }
}
