//! Thaws control groups that hold nobody but the run.

use std::collections::BTreeSet;
use std::path::PathBuf;

use hangdog_schemas::record::Deed;

use super::apart::apart;
use super::{Done, Owned};
use crate::kernel::Children;

/// Thaws the groups in which processes of the run were seen frozen. A group with anybody else in it was
/// frozen by somebody else, or for somebody else: it is left alone.
pub(super) fn thaw(owned: &Owned, children: &mut Children, done: &mut Vec<Done>) {
    let run = children.of_run();
    for line in owned.frozen() {
        let Some(group) = Group::find(line) else { continue };
        if !group.is_frozen() || !group.members().is_subset(&run) {
            continue;
        }
        let (file, word) = group.thaw();
        let outcome = apart(children, || std::fs::write(&file, word));
        done.push((Deed::Thaw { cgroup: group.path.display().to_string() }, outcome.err()));
    }
}

/// A control group with a freezer.
struct Group {
    path: PathBuf,
    is_v1: bool,
}

impl Group {
    /// From a line of `/proc/PID/cgroup` without its number: `freezer:/ci/run` (v1) or `:/ci/run` (v2).
    fn find(line: &str) -> Option<Self> {
        let (controllers, path) = line.split_once(':')?;
        let is_v1 = !controllers.is_empty();
        if is_v1 && !controllers.split(',').any(|controller| controller == "freezer") {
            return None;
        }
        let root = hierarchy(is_v1)?;
        Some(Self { path: root.join(path.trim_start_matches('/')), is_v1 })
    }

    fn is_frozen(&self) -> bool {
        if self.is_v1 {
            let state = std::fs::read_to_string(self.path.join("freezer.state")).unwrap_or_default();
            state.trim() != "THAWED" && !state.is_empty()
        } else {
            let freeze = std::fs::read_to_string(self.path.join("cgroup.freeze")).unwrap_or_default();
            freeze.trim() == "1"
        }
    }

    fn members(&self) -> BTreeSet<u32> {
        let text = std::fs::read_to_string(self.path.join("cgroup.procs")).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    }

    fn thaw(&self) -> (PathBuf, &'static str) {
        if self.is_v1 { (self.path.join("freezer.state"), "THAWED") } else { (self.path.join("cgroup.freeze"), "0") }
    }
}

/// Where the v1 freezer or the v2 hierarchy is mounted.
fn hierarchy(is_v1: bool) -> Option<PathBuf> {
    let text = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    text.lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let mut right = right.split(' ');
        let (fs_type, options) = (right.next()?, right.nth(1).unwrap_or_default());
        let fits = if is_v1 {
            fs_type == "cgroup" && options.split(',').any(|option| option == "freezer")
        } else {
            fs_type == "cgroup2"
        };
        fits.then(|| left.split(' ').nth(4).map(PathBuf::from)).flatten()
    })
}
