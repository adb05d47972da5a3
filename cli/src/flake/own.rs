//! A run's own view of directories that it would share with the runs before it: what it writes there, the next one does
//! not see.
//!
//! ```text
//! /tmp/build-cache   as it is outside   ── lower ─┐
//! room/own-0/upper   what this run writes ────────┴─▶ /tmp/build-cache, as this run sees it
//! ```
//!
//! An overlay in a mount namespace of the run, so as root only, and gone with it. Which directories: those in a
//! temporary place that a variable of the environment names, since that is what such variables are for, and those
//! that were asked for. Where it cannot be had the run shares the directory, and the report says so.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

/// Where temporary files are.
const TEMPORARY: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];
/// Directories that are found by themselves.
const MOST: usize = 16;

/// Directories that variables name, below a temporary place. Pure but for `is_directory`.
pub(crate) fn named(
    variables: impl Iterator<Item = (OsString, OsString)>,
    temporary: &Path,
    is_directory: impl Fn(&Path) -> bool,
) -> Vec<PathBuf> {
    let places: Vec<&Path> = TEMPORARY.iter().map(Path::new).chain([temporary]).collect();
    let is_scratch = |path: &Path| {
        path.is_absolute()
            && places.iter().any(|place| path.starts_with(place) && path != *place)
            && !places.contains(&path)
            && !path.components().any(|part| part == std::path::Component::ParentDir)
    };
    // The shell's own; and hangdog's, whose captures are to stay.
    let is_left = |name: &OsString| {
        ["PWD", "OLDPWD", "TMPDIR", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"].iter().any(|left| name == left)
    };
    let mut found: Vec<PathBuf> = variables
        .filter(|(name, _)| !is_left(name))
        .map(|(_, value)| PathBuf::from(value))
        .filter(|path| is_scratch(path) && is_directory(path))
        .collect();
    outermost(&mut found);
    found.truncate(MOST);
    found
}

/// Leaves out what lies within another one.
pub(crate) fn outermost(paths: &mut Vec<PathBuf>) {
    paths.sort();
    paths.dedup();
    let all = paths.clone();
    paths.retain(|path| !all.iter().any(|other| other != path && path.starts_with(other)));
}

/// Makes this process, and what it starts, see its own directories: each as `directory=where it writes`.
pub(crate) fn take(views: &[(PathBuf, PathBuf)]) -> io::Result<Vec<String>> {
    if views.is_empty() {
        return Ok(Vec::new());
    }
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)?;
    let trouble = |(directory, room): &(PathBuf, PathBuf)| {
        overlay(directory, room).err().map(|error| format!("{} is shared by all runs: {error}", directory.display()))
    };
    Ok(views.iter().filter_map(trouble).collect())
}

fn overlay(directory: &Path, room: &Path) -> io::Result<()> {
    let (upper, work) = (room.join("upper"), room.join("work"));
    for path in [room, &upper, &work] {
        fs::create_dir(path)?;
    }
    let text = |path: &Path| {
        let text = path.to_str().filter(|text| !text.contains([',', ':', '\\']));
        text.map(str::to_owned).ok_or(io::ErrorKind::InvalidInput)
    };
    let (lower, upper, work) = (text(directory)?, text(&upper)?, text(&work)?);
    // A lower directory must not hold the upper one.
    if room.starts_with(directory) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the runs' own directories are in it"));
    }
    let permissions = fs::metadata(directory)?.permissions();
    fs::set_permissions(&upper, permissions)?;
    let options = format!("lowerdir={lower},upperdir={upper},workdir={work}");
    Ok(mount(Some("overlay"), directory, Some("overlay"), MsFlags::empty(), Some(options.as_str()))?)
}

/// Reads `DIR=ROOM`.
pub(crate) fn view(text: &str) -> Result<(PathBuf, PathBuf), String> {
    let (directory, room) = text.rsplit_once('=').ok_or("write it as DIR=ROOM")?;
    Ok((directory.into(), room.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(variables: &[(&str, &str)], expected: &[&str]) {
        let pairs = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let found = named(pairs, Path::new("/scratch"), |path| !path.ends_with("file"));
        assert_eq!(found, expected.iter().map(PathBuf::from).collect::<Vec<_>>());
    }

    #[test]
    fn scratch_directories_are_those_that_variables_name_in_temporary_places() {
        check(&[("STATE", "/tmp/a"), ("HOME", "/root"), ("TMPDIR", "/tmp/b"), ("X", "tmp/c")], &["/tmp/a"]);
        check(&[("A", "/tmp"), ("B", "/scratch"), ("C", "/scratch/x"), ("D", "/tmp/file")], &["/scratch/x"]);
        check(&[("A", "/tmp/a/b"), ("B", "/tmp/a"), ("PWD", "/tmp/w"), ("P", "/tmp/a:/tmp/b/../..")], &["/tmp/a"]);
    }
}
