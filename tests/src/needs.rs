//! What a test needs of the machine. Where it is missing the test is counted as ignored and says why.

use std::fs::File;
use std::process::{Command, Stdio};

use libtest_mimic::{Completion, Trial};

use crate::{Bench, Programs};

/// What a test needs.
#[derive(Clone, Debug)]
pub enum Needs {
    /// Nothing but Linux.
    Nothing,
    /// Opening `/dev/fuse`.
    Fuse,
    /// Mounting in a namespace of its own.
    Mounts(Programs),
    /// Something of its own: says why it cannot be had here, if so.
    That(fn() -> Option<String>),
    /// A program of the machine that, called with this argument, ends well.
    Program(&'static str, &'static str),
}

impl Needs {
    /// Why it cannot be had here, if so.
    fn missing(self) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::Fuse => File::options()
                .read(true)
                .write(true)
                .open("/dev/fuse")
                .err()
                .map(|error| format!("SKIPPED: needs root or access to /dev/fuse ({error})")),
            Self::That(missing) => missing().map(|why| format!("SKIPPED: {why}")),
            Self::Mounts(programs) => {
                let bench = Bench::new(programs);
                let line = bench.scenario("on-small-disk", &[bench.path("disk").as_ref(), "true".as_ref()]);
                let tried = bench.end_of(&mut bench.unwatched(line));
                (!tried.status.success())
                    .then(|| format!("SKIPPED: needs root or user namespaces to mount ({})", tried.stderr.trim()))
            }
            Self::Program(name, argument) => {
                let call = Command::new(name).arg(argument).stdout(Stdio::null()).stderr(Stdio::null()).status();
                (!call.is_ok_and(|status| status.success())).then(|| format!("SKIPPED: needs {name}"))
            }
        }
    }
}

/// Why no semaphores of System V can be tried that go with a namespace, if so.
pub fn no_ipc_namespace() -> Option<String> {
    let is_root = nix::unistd::geteuid().is_root();
    (!is_root).then(|| "needs root to make an IPC namespace and to look into it".to_owned())
}

/// A test by name. It fails by panicking.
pub fn trial(name: impl Into<String>, needs: Needs, test: impl FnOnce() + Send + 'static) -> Trial {
    Trial::ignorable_test(name, move || {
        if let Some(why) = needs.missing() {
            return Ok(Completion::ignored_with(why));
        }
        test();
        Ok(Completion::Completed)
    })
}

/// Why a test that needs root cannot be run, if so.
pub fn root() -> Option<String> {
    (!nix::unistd::geteuid().is_root()).then(|| "needs root".to_owned())
}
