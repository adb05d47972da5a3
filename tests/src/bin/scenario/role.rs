//! Who is who: a process takes its role as its name and notes its number.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Write as _};
use std::process::Command;

/// Takes `role` as short name and writes `role pid` to the file named by `SCENARIO_ROLES`.
pub(crate) fn take(role: &str) -> io::Result<()> {
    nix::sys::prctl::set_name(&CString::new(role)?)?;
    note(role, std::process::id() as i32)
}

/// Writes `role number` for a thread, which keeps its name.
pub(crate) fn note(role: &str, number: i32) -> io::Result<()> {
    if let Some(path) = std::env::var_os("SCENARIO_ROLES") {
        let line = format!("{role} {number}\n");
        // One write of a short line: several processes may note at once.
        File::options().create(true).append(true).open(path)?.write_all(line.as_bytes())?;
    }
    Ok(())
}

/// This program again, as another part.
pub(crate) fn part(name: &str) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(name);
    Ok(command)
}
