//! The `procfs` crate's parsers as a second opinion on what this machine's `/proc` says now, where they can read
//! it. Only files that never block (KERNEL: `status`, `mountinfo`), and our own `stat`.

use procfs_core::FromRead;
use procfs_core::process::{MountInfos, Stat, Status};

use super::{mountinfo, stat, status};

#[test]
fn every_status_is_read_alike() {
    let mut compared = 0;
    for entry in std::fs::read_dir("/proc").expect("/proc is mounted").flatten() {
        let is_process = entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit());
        let Ok(bytes) = std::fs::read(entry.path().join("status")) else { continue };
        // Theirs refuses names that hold a colon or are no UTF-8.
        let (true, Ok(theirs)) = (is_process, Status::from_read(&bytes[..])) else { continue };
        let ours = status::status(&bytes).expect("what they read we read");
        assert_eq!(i64::from(ours.parent.0), i64::from(theirs.ppid));
        assert_eq!(i64::from(ours.tgid.0), i64::from(theirs.tgid));
        assert_eq!(u64::from(ours.threads), theirs.threads);
        assert_eq!(Some(ours.state.letter()), theirs.state.chars().next());
        assert_eq!(ours.uid, Some(theirs.euid));
        assert_eq!(Some(ours.voluntary), theirs.voluntary_ctxt_switches);
        assert_eq!(Some(ours.involuntary), theirs.nonvoluntary_ctxt_switches);
        assert_eq!((ours.signals.blocked.0, ours.signals.caught.0), (theirs.sigblk, theirs.sigcgt));
        compared += 1;
    }
    assert!(compared > 0, "at least our own status is readable");
}

#[test]
fn our_mounts_are_read_alike() {
    let bytes = std::fs::read("/proc/self/mountinfo").expect("our own mounts are readable");
    let theirs = MountInfos::from_read(&bytes[..]).expect("they read it");
    let ours = mountinfo::mountinfo(&bytes);
    assert_eq!(ours.len(), theirs.0.len());
    for (ours, theirs) in ours.iter().zip(&theirs.0) {
        assert_eq!(i64::from(ours.mount), i64::from(theirs.mnt_id));
        assert_eq!(i64::from(ours.parent), i64::from(theirs.pid));
        assert_eq!(ours.device.to_string(), theirs.majmin);
        assert_eq!(ours.fs_type, theirs.fs_type);
        // Theirs leaves \040 as it is.
        if !theirs.mount_point.to_string_lossy().contains('\\') {
            assert_eq!(ours.mount_point, theirs.mount_point.to_string_lossy());
        }
    }
}

#[test]
fn our_stat_is_read_alike() {
    let bytes = std::fs::read("/proc/self/stat").expect("our own stat is readable");
    let theirs = Stat::from_read(&bytes[..]).expect("they read it");
    let ours = stat::stat(&bytes).expect("we read it");
    assert_eq!(ours.start, theirs.starttime);
    assert_eq!(
        (i64::from(ours.group.0), i64::from(ours.session.0)),
        (i64::from(theirs.pgrp), i64::from(theirs.session))
    );
    assert_eq!((ours.foreground, ours.flags), (theirs.tpgid, theirs.flags));
}
