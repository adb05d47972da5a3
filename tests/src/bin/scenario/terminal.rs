//! A program asks a person where there is none.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::process::Stdio;

use crate::{Outcome, role};

/// A step that copies what a tool prints on a terminal, and never types.
pub(crate) fn prompt(_: &[String]) -> Outcome {
    role::take("runner")?;
    let pty = nix::pty::openpty(None, None)?;
    let terminal = File::from(pty.slave);
    let mut tool = role::part("tty-prompter")?
        .stdin(Stdio::from(terminal.try_clone()?))
        .stdout(Stdio::from(terminal))
        .spawn()?;
    // A terminal whose other side is closed reads as an error, not as an end.
    let _closed = io::copy(&mut File::from(pty.master), &mut io::stdout());
    tool.wait()?;
    Ok(())
}

/// A tool that asks on its controlling terminal.
pub(crate) fn prompter(_: &[String]) -> Outcome {
    role::take("prompter")?;
    rustix::process::setsid()?;
    rustix::process::ioctl_tiocsctty(io::stdin().as_fd())?;
    let mut terminal = File::options().read(true).write(true).open("/dev/tty")?;
    terminal.write_all(b"Passphrase: ")?;
    terminal.read_exact(&mut [0])?;
    Ok(())
}
