//! Which directories of a run are watched for file events. Pure.

use std::path::{Path, PathBuf};

use hangdog_schemas::record::Whose;

use super::directory::OWN_NAMES;
use crate::observe::files::{Directory, is_shared_place};

/// The working directory, where temporary files go, the run's own directory, and those that were asked for.
pub(super) fn directories(
    working: Option<PathBuf>,
    temporary: Option<PathBuf>,
    run: Option<&Path>,
    asked: &[PathBuf],
) -> Vec<Directory> {
    let temporary = temporary.filter(|path| path.is_absolute()).unwrap_or_else(|| PathBuf::from("/tmp"));
    let of_run = |path: PathBuf| {
        // What happens there is told only where it is told who did it.
        let is_shared = is_shared_place(&path);
        Directory { path, whose: Whose::Run, omitted: &[], is_shared }
    };
    // Absolute ones come first: what is relative belongs to the working directory.
    let asked = asked.iter().filter(|path| !path.as_os_str().is_empty()).filter_map(|path| match &working {
        _ if path.is_absolute() => Some(path.clone()),
        Some(working) => Some(working.join(path)),
        None => None,
    });
    let asked = asked.map(|path| Directory { path, whose: Whose::Everybody, omitted: &[], is_shared: false });
    let asked: Vec<Directory> = asked.collect();
    let own = run.map(|run| Directory { omitted: &OWN_NAMES, ..of_run(run.to_owned()) });
    working.into_iter().chain([temporary]).map(of_run).chain(own).chain(asked).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Directories as `path`, with `!` where they are shared and `*` where everybody's events are kept.
    #[track_caller]
    fn check(working: &str, temporary: Option<&str>, asked: &[&str], expected: &[&str]) {
        let asked: Vec<PathBuf> = asked.iter().map(PathBuf::from).collect();
        let found =
            directories(Some(working.into()), temporary.map(PathBuf::from), Some(Path::new("/run/1")), &asked);
        let text = |directory: Directory| {
            let shared = if directory.is_shared { "!" } else { "" };
            let everybody = if directory.whose == Whose::Everybody { "*" } else { "" };
            format!("{}{shared}{everybody}", directory.path.display())
        };
        assert_eq!(found.into_iter().map(text).collect::<Vec<String>>(), expected);
    }

    #[test]
    fn places_of_everybody_are_known_as_such() {
        check("/w", None, &[], &["/w", "/tmp!", "/run/1"]);
        check("/w", Some("/w/tmp"), &["/locks", "", "x"], &["/w", "/w/tmp", "/run/1", "/locks*", "/w/x*"]);
        check("/", Some("tmp"), &[], &["/!", "/tmp!", "/run/1"]);
    }
}
