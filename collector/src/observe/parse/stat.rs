//! `/proc/PID/stat`: start time, terminal, process group, kernel thread or not.
//!
//! Reading it can block behind an exec (seen on 6.18), so it comes through the worker only.

use hangdog_schemas::{Device, Pid};

use super::text::{number, words};

/// What is used of a `stat` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) group: Pid,
    pub(crate) session: Pid,
    /// Controlling terminal.
    pub(crate) terminal: Option<Device>,
    /// Foreground process group of that terminal, -1 when none.
    pub(crate) foreground: i32,
    /// `PF_*` of the kernel.
    pub(crate) flags: u32,
    /// Clock ticks since boot.
    pub(crate) start: u64,
}

/// `PF_KTHREAD` of include/linux/sched.h.
const KERNEL_THREAD: u32 = 0x0020_0000;

impl Stat {
    /// Whether it is a thread of the kernel, which holds no descriptor and waits for nobody.
    pub(crate) fn is_kernel_thread(&self) -> bool {
        self.flags & KERNEL_THREAD != 0
    }
}

/// `None` when it is no stat file. The name may hold `)` and newlines: it ends at the last `)`.
pub(crate) fn stat(bytes: &[u8]) -> Option<Stat> {
    let close = bytes.iter().rposition(|&b| b == b')')?;
    // Numbered as in proc(5); the first word after the name is field 3.
    let rest: Vec<&[u8]> = words(&bytes[close + 1..]).collect();
    let field = |n: usize| rest.get(n - 3).copied();
    let tty: i32 = number(field(7)?)?;
    Some(Stat {
        group: Pid(number(field(5)?)?),
        session: Pid(number(field(6)?)?),
        terminal: (tty != 0).then(|| device(tty as u32)),
        foreground: number(field(8)?)?,
        flags: number(field(9)?)?,
        start: number(field(22)?)?,
    })
}

/// `new_encode_dev` of the kernel, the other way round.
fn device(encoded: u32) -> Device {
    Device { major: (encoded >> 8) & 0xfff, minor: (encoded & 0xff) | ((encoded >> 12) & 0xf_ff00) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_ends_at_the_last_parenthesis() {
        let stat = stat(
            b"9301 (a) R 1 (b\n) S 9299 9298 7321 34819 9298 4194304 98 0 0 0 0 0 0 0 20 0 1 0 124297 3133440 390",
        )
        .unwrap();
        assert_eq!((stat.group, stat.session, stat.start), (Pid(9298), Pid(7321), 124_297));
        assert_eq!((stat.terminal, stat.foreground), (Some(Device { major: 136, minor: 3 }), 9298));
        assert!(!stat.is_kernel_thread());
    }

    #[test]
    fn a_cut_line_is_none() {
        assert_eq!(stat(b"9301 (cat) R 1 2"), None);
        assert_eq!(stat(b""), None);
    }
}
