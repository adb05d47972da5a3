//! A deed in a process of its own, with a deadline: writing to a control file or detaching a mount may meet
//! the very locks that the run hangs on.

use std::io;
use std::time::Duration;

use crate::kernel::{Children, fork_helper};

const LIMIT: Duration = Duration::from_secs(1);

/// Does it, or says why not. A helper that does not come back is left to itself.
pub(super) fn apart(children: &mut Children, deed: impl FnOnce() -> io::Result<()>) -> Result<(), String> {
    let work = || deed().map_or_else(|error| error.raw_os_error().unwrap_or(libc::EIO), |()| 0);
    let helper = fork_helper(c"hangdog-act", &[], work).map_err(|error| error.to_string())?;
    match helper.wait(LIMIT) {
        Some(0) => Ok(()),
        Some(errno) if errno > 0 => Err(io::Error::from_raw_os_error(errno).to_string()),
        Some(_) => Err("the helper died".to_owned()),
        None => {
            helper.kill();
            if helper.wait(Duration::from_millis(5)).is_none() {
                let mut helpers = children.helpers().clone();
                helpers.insert(helper.pid);
                children.set_helpers(helpers);
            }
            Err(format!("it did not come back within {} s", LIMIT.as_secs()))
        }
    }
}
