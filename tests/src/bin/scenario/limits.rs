//! Limits to run a command under. Each sets one and becomes the command.

use std::convert::Infallible;
use std::ffi::CString;
use std::fs::File;

use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::{Gid, Uid, fexecve, setgid, setgroups, setuid};

use crate::Outcome;

/// A user that owns nothing, so that its processes can be counted.
const NOBODY_ELSE: u32 = 64_242;

/// `limited NAME VALUE COMMAND…`, by the names of `ulimit` and `prlimit`; the command is one of this program.
pub(crate) fn limited(arguments: &[String]) -> Outcome {
    let [name, value, command @ ..] = arguments else { return Err("no limit given".into()) };
    let value = value.parse()?;
    let resource = match name.as_str() {
        "fsize" => Resource::RLIMIT_FSIZE,
        "as" => Resource::RLIMIT_AS,
        "nofile" => Resource::RLIMIT_NOFILE,
        "nproc" => Resource::RLIMIT_NPROC,
        "memlock" => Resource::RLIMIT_MEMLOCK,
        _ => return Err(format!("there is no limit {name:?}").into()),
    };
    // Before it is too late: under a limit of open files this one may be one too many, and another user may not be
    // allowed to look up the way to it.
    let this_program = File::open("/proc/self/exe")?;
    setrlimit(resource, value, value)?;
    if resource == Resource::RLIMIT_NPROC {
        setgroups(&[])?;
        setgid(Gid::from_raw(NOBODY_ELSE))?;
        setuid(Uid::from_raw(NOBODY_ELSE))?;
    }
    become_part(&this_program, command)?;
    Ok(())
}

fn become_part(program: &File, words: &[String]) -> Result<Infallible, Box<dyn std::error::Error>> {
    let text = |word: String| CString::new(word);
    let words = std::iter::once("scenario".to_owned())
        .chain(words.iter().cloned())
        .map(text)
        .collect::<Result<Vec<_>, _>>()?;
    let settings =
        std::env::vars().map(|(name, value)| text(format!("{name}={value}"))).collect::<Result<Vec<_>, _>>()?;
    Ok(fexecve(program, &words, &settings)?)
}
