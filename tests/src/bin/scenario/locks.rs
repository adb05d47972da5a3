//! Hangs over file locks.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Stdio};

use crate::{Outcome, role};

pub(crate) fn lock_file(path: &str) -> io::Result<File> {
    File::options().create(true).append(true).open(Path::new(path))
}

/// Asks for a lock that a daemon inherited from somebody who has ended.
pub(crate) fn inherited(arguments: &[String]) -> Outcome {
    role::take("asker")?;
    let path = arguments.first().ok_or("no path given")?;
    role::part("flock-daemon-starter")?.arg(path).status()?;
    lock_file(path)?.lock()?;
    Ok(())
}

/// Takes the lock and starts a daemon that has the same open file as standard input.
pub(crate) fn daemon_starter(arguments: &[String]) -> Outcome {
    let file = lock_file(arguments.first().ok_or("no path given")?)?;
    file.lock()?;
    role::part("daemon")?.stdin(Stdio::from(file)).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    Ok(())
}

/// Two processes take two locks in different order, each when the other has its first.
pub(crate) fn abba(arguments: &[String]) -> Outcome {
    role::take("starter")?;
    let directory = Path::new(arguments.first().ok_or("no directory given")?);
    let (one, two) = (directory.join("one.lock"), directory.join("two.lock"));
    let start = |role: &str, first: &Path, second: &Path| -> io::Result<Child> {
        let mut command = role::part("flock-taker")?;
        command.arg(role).arg(first).arg(second).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
    };
    let mut takers = [start("taker-a", &one, &two)?, start("taker-b", &two, &one)?];
    for taker in &mut takers {
        let mut holds = [0];
        taker.stdout.take().ok_or("no output")?.read_exact(&mut holds)?;
    }
    for taker in &mut takers {
        taker.stdin.take().ok_or("no input")?.write_all(b"!")?;
    }
    for taker in &mut takers {
        taker.wait()?;
    }
    Ok(())
}

/// Takes one lock, says so, and takes the other when it is told to.
pub(crate) fn taker(arguments: &[String]) -> Outcome {
    let [role, first, second] = arguments else { return Err("expected a role and two paths".into()) };
    role::take(role)?;
    let (first, second) = (lock_file(first)?, lock_file(second)?);
    first.lock()?;
    io::stdout().write_all(b"!")?;
    io::stdout().flush()?;
    io::stdin().read_exact(&mut [0])?;
    second.lock()?;
    Ok(())
}
