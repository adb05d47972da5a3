//! Whose an instance is, by its name: `hangdog-PID-START-RUN`. PID and START (in ticks since boot) are those of the
//! hangdog that made it; tracefs is as old as the boot, so together they are never used twice.

use hangdog_schemas::{Big, Pid, ProcessId};

use super::tracefs::Tracefs;
use crate::kernel::{has_ended, open_process, start_of_own};

const PREFIX: &str = "hangdog-";

/// The name of a run's instance.
pub(super) fn name(owner: ProcessId, run: &str) -> String {
    format!("{PREFIX}{}-{}-{run}", owner.pid, owner.start)
}

/// Who made an instance; `None` when hangdog did not.
fn owner(name: &str) -> Option<ProcessId> {
    let mut words = name.strip_prefix(PREFIX)?.splitn(3, '-');
    let (pid, start) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    words.next()?;
    Some(ProcessId { pid: Pid(pid), start: Big(start) })
}

/// Removes the instances of those who are provably dead. Only for a helper: a start time is read, which can block.
pub(super) fn remove_dead(tracefs: &Tracefs) {
    for name in tracefs.instances() {
        let Some(name) = name.to_str() else { continue };
        if owner(name).is_some_and(is_dead) {
            // Somebody may look at it, or its helper be about to remove it: then it is theirs to do.
            let _ = tracefs.remove(name);
        }
    }
}

/// Its number is free, a zombie's, or somebody else's.
fn is_dead(owner: ProcessId) -> bool {
    open_process(owner.pid.0).is_none_or(has_ended)
        || start_of_own(owner.pid.0).is_ok_and(|start| start != owner.start.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_whose_it_is() {
        let own = ProcessId { pid: Pid(4412), start: Big(998) };
        assert_eq!(name(own, "01ARZ"), "hangdog-4412-998-01ARZ");
        for (text, expected) in [
            ("hangdog-4412-998-01ARZ", Some(own)),
            ("hangdog-4412-998-", Some(own)),
            ("hangdog-4412-998", None),
            ("hangdog-x-998-01ARZ", None),
            ("foo", None),
        ] {
            assert_eq!(owner(text), expected, "{text}");
        }
    }

    #[test]
    fn the_dead_are_told_from_the_living() {
        let pid = std::process::id();
        let own = ProcessId { pid: Pid(pid), start: Big(start_of_own(pid).unwrap()) };
        assert!(!is_dead(own));
        assert!(is_dead(ProcessId { start: Big(own.start.0 - 1), ..own }));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let gone = ProcessId { pid: Pid(child.id()), ..own };
        child.wait().unwrap();
        assert!(is_dead(gone));
    }
}
