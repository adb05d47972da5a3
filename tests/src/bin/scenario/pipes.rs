//! Hangs over pipes.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::process::Stdio;

use crate::{Outcome, role};

/// More than both pipes of [`full_cycle`] hold.
const MORE_THAN_FITS: usize = 4 << 20;

/// Writes all of a child's input before it reads any of its output: both pipes fill up.
pub(crate) fn full_cycle(_: &[String]) -> Outcome {
    fill("pipe-copier")
}

/// The same with a child that moves pages with `splice(2)`.
pub(crate) fn splice_cycle(_: &[String]) -> Outcome {
    fill("pipe-splicer")
}

fn fill(copier: &str) -> Outcome {
    role::take("filler")?;
    let mut child = role::part(copier)?.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut input = child.stdin.take().ok_or("no input")?;
    input.write_all(&vec![b'x'; MORE_THAN_FITS])?;
    drop(input);
    let mut copied = Vec::new();
    child.stdout.take().ok_or("no output")?.read_to_end(&mut copied)?;
    child.wait()?;
    Ok(())
}

/// Copies standard input to standard output, with `read(2)` and `write(2)`.
pub(crate) fn copier(_: &[String]) -> Outcome {
    role::take("copier")?;
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let mut chunk = vec![0; 1 << 14];
    loop {
        match input.read(&mut chunk)? {
            0 => return Ok(()),
            n => output.write_all(&chunk[..n])?,
        }
    }
}

/// Copies standard input to standard output, with `splice(2)`.
pub(crate) fn splicer(_: &[String]) -> Outcome {
    role::take("copier")?;
    let (input, output) = (io::stdin(), io::stdout());
    loop {
        let flags = rustix::pipe::SpliceFlags::empty();
        if rustix::pipe::splice(&input, None, &output, None, 1 << 16, flags)? == 0 {
            return Ok(());
        }
    }
}

/// Reads a pipe to its end while it has the other end open itself.
pub(crate) fn own_writer(_: &[String]) -> Outcome {
    role::take("collector")?;
    let (mut from, mut into) = io::pipe()?;
    into.write_all(b"some lines\n")?;
    let mut text = String::new();
    from.read_to_string(&mut text)?;
    drop(into);
    Ok(())
}

/// Reads the output of a command to its end, as `$(command)` does; a daemon that the command started has it open.
pub(crate) fn eof_daemon(_: &[String]) -> Outcome {
    role::take("reader")?;
    let mut starter = role::part("pipe-daemon-starter")?.stdout(Stdio::piped()).spawn()?;
    let mut text = String::new();
    let mut output = starter.stdout.take().ok_or("no output")?;
    starter.wait()?;
    output.read_to_string(&mut text)?;
    Ok(())
}

/// Starts a daemon that keeps standard output, and ends.
pub(crate) fn daemon_starter(_: &[String]) -> Outcome {
    role::part("daemon")?.stdin(Stdio::null()).stderr(Stdio::null()).spawn()?;
    println!("started");
    Ok(())
}

/// Opens a named pipe that nobody writes.
pub(crate) fn fifo_no_writer(arguments: &[String]) -> Outcome {
    role::take("opener")?;
    let path = arguments.first().ok_or("no path given")?;
    nix::unistd::mkfifo(path.as_str(), nix::sys::stat::Mode::S_IRWXU)?;
    let mut text = String::new();
    File::open(path)?.read_to_string(&mut text)?;
    fs::remove_file(path)?;
    Ok(())
}
