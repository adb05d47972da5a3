//! Places at which a thread can be made late, and who came by them in a run that was disturbed.
//!
//! Only `hangdog flake` asks for them: system calls without a name of their own, and begins and ends of phases of
//! programs that were told to stop there ([`PHASES`]). Those with names are [`Call`]s.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::{Pid, Tid, When};

/// Where traced programs look in vain when they begin and end a phase: `/dev/null/hangdog/begin NAME`. Nothing is below
/// a file that is no directory, so the look costs nothing more than a system call, and cannot hang.
pub const PHASES: &str = "/dev/null/hangdog/";

/// A thread came by a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Visit {
    /// When it was held; it went on `held_ns` later.
    #[serde(flatten)]
    pub when: When,
    /// The process.
    pub pid: Pid,
    /// The thread.
    pub tid: Tid,
    /// Short name of the thread.
    pub comm: String,
    /// What it was about to do: the name of a system call, or `begin` or `end` of a phase.
    pub what: String,
    /// What it does that to, alike in all runs: the name of a file or phase, `pipe`, `signal 15`. May be empty.
    pub object: String,
    /// What it does that to, in this run: `pipe:[77]`. Those who have it in common are at the same thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<String>,
    /// Whether that changes something for others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub changes: bool,
    /// How long it was held on purpose, ns.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub held_ns: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// A place: who does what to what, by words that are alike in all runs. 13 bits of a hash of them, never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(u16);

/// Bits of a place.
pub(crate) const PLACE_BITS: u32 = 13;

impl Place {
    /// By its words.
    pub fn of(comm: &str, what: &str, object: &str) -> Self {
        // FNV-1a (Fowler, Noll, Vo 1991) with a byte between the words.
        let bytes = comm.bytes().chain([0]).chain(what.bytes()).chain([0]).chain(alike(object).into_bytes());
        let hash = bytes
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let most = (1 << PLACE_BITS) - 1;
        Self(u16::try_from((hash >> 24) % most + 1).unwrap_or(1))
    }

    /// That of a call with a name.
    pub fn of_call(call: &Call) -> Self {
        Self::of(&call.comm, &call.name, call.object())
    }

    /// That of a visit.
    pub fn of_visit(visit: &Visit) -> Self {
        Self::of(&visit.comm, &visit.what, &visit.object)
    }

    pub(crate) fn from_number(number: u64) -> Option<Self> {
        u16::try_from(number).ok().filter(|number| *number > 0 && *number < 1 << PLACE_BITS).map(Self)
    }

    /// Its number, from 1.
    pub fn number(self) -> u64 {
        u64::from(self.0)
    }
}

impl Call {
    /// What it is about, without what differs from run to run: the name of the file, the address without its port, the
    /// request.
    pub fn object(&self) -> &str {
        let path = self.paths.last().map(|path| path.rsplit('/').next().unwrap_or_default());
        let address =
            self.address.as_deref().map(|address| address.rsplit_once(':').map_or(address, |(host, _)| host));
        path.or(self.request.as_deref()).or(address).unwrap_or_default()
    }
}

/// A name with `#` for each part that has a number in it or was made up by `mktemp` and its like.
fn alike(name: &str) -> String {
    let is_made_up = |part: &str| {
        part.bytes().any(|byte| byte.is_ascii_digit()) || part.strip_prefix("tmp").is_some_and(|rest| rest.len() >= 6)
    };
    let parts: Vec<&str> = name.split(['.', '-', '/']).collect();
    let worded: Vec<&str> = parts.iter().map(|part| if is_made_up(part) { "#" } else { part }).collect();
    worded.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_the_same_in_all_runs() {
        let place = |comm, object| Place::of(comm, "openat", object);
        assert_eq!(place("w", "out-17"), place("w", "out-4"));
        assert_eq!(place("w", "tmpab12cd_x"), place("w", "tmpzz99qq_y"));
        assert_ne!(place("w", "leader"), place("w", "lock"));
        assert_ne!(place("w", "leader"), place("v", "leader"));
        assert_ne!(place("w", "leader"), Place::of("w", "unlink", "leader"));
    }

    #[test]
    fn names_lose_what_was_made_up() {
        for (name, expected) in [("app.lock", "app.lock"), ("run-00012.txt", "run.#.txt"), ("tmpabcdefgh", "#")] {
            assert_eq!(alike(name), expected);
        }
    }
}
