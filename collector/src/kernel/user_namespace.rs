//! Whether this user can mount in namespaces of its own. Settings alone do not tell: seccomp and AppArmor have a say
//! too.

use std::io;
use std::time::Duration;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use super::fork_helper;

const LIMIT: Duration = Duration::from_secs(1);

/// Tries it in a process that ends at once; why it cannot be done, if so.
pub fn user_namespace_fails() -> Option<String> {
    let none: Option<&str> = None;
    let work = || {
        let tried = unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)
            .and_then(|()| mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none));
        tried.map_or_else(|errno| errno as i32, |()| 0)
    };
    match fork_helper(c"hangdog-look", &[], work).map(|helper| helper.wait(LIMIT)) {
        Ok(Some(0)) => None,
        Ok(Some(errno)) => Some(io::Error::from_raw_os_error(errno).to_string()),
        Ok(None) => Some("it did not come back".to_owned()),
        Err(error) => Some(error.to_string()),
    }
}
