//! Thaws control groups that hold nobody but the run.

use std::collections::BTreeSet;
use std::path::PathBuf;

use hangdog_schemas::record::Deed;

use super::apart::apart;
use super::{Deeds, Owned};
use crate::kernel::Children;

/// Most groups that are looked through below one.
const MOST_GROUPS: usize = 256;

/// Thaws the groups in which processes of the run were seen frozen, and those above that froze them. A group with
/// anybody else in it, or in a group below it, was frozen by somebody else, or for somebody else: it is left alone.
pub(super) fn thaw(owned: &Owned, children: &mut Children, done: &mut Deeds) {
    let groups: BTreeSet<Group> = owned.frozen().into_iter().flat_map(Group::find_all).collect();
    for group in groups.into_iter().filter(Group::is_frozen) {
        let run = children.of_run();
        let is_of_run = group.members().is_some_and(|members| !members.is_empty() && members.is_subset(&run));
        if is_of_run {
            let (file, word) = group.thaw();
            let outcome = apart(children, || std::fs::write(&file, word));
            done.push((Deed::Thaw { cgroup: group.path.display().to_string() }, outcome.err()));
        }
    }
}

/// A control group with a freezer.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    path: PathBuf,
    is_v1: bool,
}

impl Group {
    /// From a line of `/proc/PID/cgroup` without its number, `freezer:/ci/run` (v1) or `:/ci/run` (v2): the group and
    /// those above it, but for the outermost, which cannot be frozen.
    fn find_all(line: &str) -> Vec<Self> {
        let Some((controllers, path)) = line.split_once(':') else { return Vec::new() };
        let is_v1 = !controllers.is_empty();
        let has_freezer = !is_v1 || controllers.split(',').any(|controller| controller == "freezer");
        // A path outside our own cgroup namespace begins with `/..`.
        let is_visible = !path.split('/').any(|part| part == "..");
        let Some((root, point)) = hierarchy(is_v1).filter(|_| has_freezer && is_visible) else { return Vec::new() };
        let Some(below) = path.strip_prefix(root.trim_end_matches('/')) else { return Vec::new() };
        let below = PathBuf::from(below.trim_start_matches('/'));
        let names = below.ancestors().filter(|above| !above.as_os_str().is_empty());
        names.map(|name| Self { path: point.join(name), is_v1 }).collect()
    }

    /// Whether it was frozen itself, not just by one above.
    fn is_frozen(&self) -> bool {
        let file = if self.is_v1 { "freezer.self_freezing" } else { "cgroup.freeze" };
        std::fs::read_to_string(self.path.join(file)).is_ok_and(|text| text.trim() == "1")
    }

    /// Who is in it or in a group below it. `None` when that is not known of all: a group that cannot be read, a
    /// process of another pid namespace (it stands as 0), too many groups.
    fn members(&self) -> Option<BTreeSet<u32>> {
        let mut members = BTreeSet::new();
        let mut open = vec![self.path.clone()];
        let mut looked = 0;
        while let Some(group) = open.pop() {
            looked += 1;
            if looked > MOST_GROUPS {
                return None;
            }
            for line in std::fs::read_to_string(group.join("cgroup.procs")).ok()?.lines() {
                members.insert(line.parse().ok()?);
            }
            for entry in std::fs::read_dir(&group).ok()? {
                let entry = entry.ok()?;
                if entry.file_type().ok()?.is_dir() {
                    open.push(entry.path());
                }
            }
        }
        Some(members)
    }

    fn thaw(&self) -> (PathBuf, &'static str) {
        if self.is_v1 { (self.path.join("freezer.state"), "THAWED") } else { (self.path.join("cgroup.freeze"), "0") }
    }
}

/// Where the v1 freezer or the v2 hierarchy is mounted, after the group that is mounted there.
fn hierarchy(is_v1: bool) -> Option<(String, PathBuf)> {
    let text = std::fs::read("/proc/self/mountinfo").ok()?;
    String::from_utf8_lossy(&text).lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let mut right = right.split(' ');
        let (fs_type, options) = (right.next()?, right.nth(1).unwrap_or_default());
        let fits = if is_v1 {
            fs_type == "cgroup" && options.split(',').any(|option| option == "freezer")
        } else {
            fs_type == "cgroup2"
        };
        let mut left = left.split(' ').skip(3);
        let (root, point) = (left.next()?, left.next()?);
        fits.then(|| (root.to_owned(), PathBuf::from(point)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_the_members_of_those_below() {
        let place = tempfile::tempdir().unwrap();
        let group = |name: &str, members: &str| {
            let path = place.path().join(name);
            std::fs::create_dir_all(&path).unwrap();
            std::fs::write(path.join("cgroup.procs"), members).unwrap();
            Group { path, is_v1: true }
        };
        let (outer, _) = (group("a", "1\n2\n"), group("a/b/c", "3\n"));
        assert_eq!(outer.members(), None, "one without a list of members");
        group("a/b", "");
        assert_eq!(outer.members(), Some([1, 2, 3].into()));
        group("a/b/c", "0\n3\nx\n");
        assert_eq!(outer.members(), None, "a member that is no number");
    }
}
