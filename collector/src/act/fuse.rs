//! Frees the waiters of the FUSE connections that the run made, and takes its mounts away.

use std::ffi::CString;
use std::io::ErrorKind;

use hangdog_schemas::record::Deed;
use nix::mount::{MntFlags, umount2};

use super::Deeds;
use super::apart::apart;
use super::owned::{Before, Mount, Owned, connections, is_on_top, own_mounts};
use crate::kernel::Children;

/// Writes `1` to each connection's `abort`. Where that is not allowed (another user's namespace), the death
/// of the servers has ended the connection already, or the census names it.
pub(super) fn abort(owned: &Owned, children: &mut Children, done: &mut Deeds) {
    let there = connections();
    for connection in owned.fuse().filter(|connection| there.contains(&connection.0)) {
        done.push((Deed::AbortFuse(connection), abort_one(connection.0, children).err()));
    }
}

fn abort_one(connection: u32, children: &mut Children) -> Result<(), String> {
    let path = format!("/sys/fs/fuse/connections/{connection}/abort");
    apart(children, || match std::fs::write(&path, "1") {
        // It ended with its last server.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    })
}

/// Ends a connection that a dead run left.
pub(crate) fn abort_connection(connection: u32) -> Result<(), String> {
    abort_one(connection, &mut Children::of_others())
}

/// Detaches a mount that a dead run left.
pub(crate) fn detach_mount(mount: &Mount) -> Result<(), String> {
    let mounts = own_mounts();
    if !mounts.contains(mount) {
        return Ok(());
    }
    if !is_on_top(mount, &mounts) {
        return Err("another mount covers it there".to_owned());
    }
    detach_one(mount, &mut Children::of_others())
}

fn detach_one(mount: &Mount, children: &mut Children) -> Result<(), String> {
    let point = CString::new(mount.point.clone()).map_err(|error| error.to_string())?;
    apart(children, || Ok(umount2(point.as_c_str(), MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW)?))
}

/// Detaches the mounts of our own mount namespace that lie on the run's connections; those of others end
/// with their last process. The innermost first: mountinfo lists parents before children. `umount2` takes what lies
/// on top at that path: where that is somebody else's, ours is left to the census.
pub(super) fn detach(owned: &Owned, before: &Before, children: &mut Children, done: &mut Deeds) {
    let mounts = own_mounts();
    let of_run = mounts.iter().rev().filter(|mount| {
        !before.has_mount(mount) && mount.fuse().is_some_and(|connection| owned.owns_connection(connection))
    });
    for mount in of_run {
        if !is_on_top(mount, &own_mounts()) {
            continue;
        }
        let outcome = detach_one(mount, children);
        done.push((Deed::Detach { mount_point: mount.point.clone() }, outcome.err()));
    }
}
