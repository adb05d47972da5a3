//! Where things are kept.

use std::path::{Path, PathBuf};

use hangdog_collector::run_directory_fails;

use super::{Check, State};
use crate::console::variable;

/// `statfs` type of tmpfs (linux/magic.h).
const TMPFS: u64 = 0x0102_1994;

/// Room that the recorders of some ten processes take, bytes.
const ROOM: u64 = 64 << 20;

pub(super) fn memory() -> Check {
    let name = "memory-files";
    let places = variable("XDG_RUNTIME_DIR").map(PathBuf::from).into_iter().chain([PathBuf::from("/dev/shm")]);
    let cost = "phases are recorded in smaller rings, or in files that only their own process names";
    let advice = "mount a tmpfs of 64 MiB or more on /dev/shm (containers: `--shm-size=64m`)";
    let uid = rustix::process::geteuid().as_raw();
    if let Some(why) = run_directory_fails(std::env::var_os("XDG_RUNTIME_DIR"), uid) {
        return Check::short(
            name,
            State::Missing,
            format!("no directory for a run can be made: {why}"),
            cost,
            advice,
        );
    }
    let mut found = String::from("no tmpfs");
    for place in places {
        let Ok(stat) = rustix::fs::statfs(&place) else { continue };
        if stat.f_type.cast_unsigned() != TMPFS {
            continue;
        }
        let free = stat.f_bavail.saturating_mul(stat.f_bsize.cast_unsigned());
        found = format!("{} is a tmpfs with {} MiB free", place.display(), free >> 20);
        if free >= ROOM {
            return Check::ok(name, found);
        }
    }
    let state = if found == "no tmpfs" { State::Missing } else { State::Limited };
    Check::short(name, state, found, cost, advice)
}

pub(super) fn captures() -> Check {
    let name = "captures";
    let state = variable("XDG_STATE_HOME").map(PathBuf::from);
    let Some(place) = state.or_else(|| variable("HOME").map(|home| Path::new(&home).join(".local/state"))) else {
        return Check::short(
            name,
            State::Missing,
            "neither XDG_STATE_HOME nor HOME is set",
            "captures are not kept unless `run -o FILE.hang` names a file",
            "set XDG_STATE_HOME, or give -o",
        );
    };
    // It is created when the first capture is kept; until then its nearest ancestor counts.
    let there = place.ancestors().find(|path| path.exists()).unwrap_or(&place);
    let writable = rustix::fs::access(there, rustix::fs::Access::WRITE_OK).is_ok();
    let place = place.join("hangdog");
    if writable {
        Check::ok(name, format!("kept in {}", place.display()))
    } else {
        Check::short(
            name,
            State::Missing,
            format!("{} cannot be written", place.display()),
            "captures are not kept unless `run -o FILE.hang` names a file",
            "set XDG_STATE_HOME to a directory of yours, or give -o",
        )
    }
}
