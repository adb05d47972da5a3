//! Who wrote a recorder file: (boot id, pid namespace, pid, start time), as the owner sees itself.

use std::fmt;
use std::os::unix::fs::MetadataExt;

/// The process that a recorder file belongs to.
///
/// Pid and start time are those of the owner's own namespaces: a reader in another pid namespace
/// joins them through `NSpid`, one in another time namespace shifts the start by the anchors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// Its pid in its own namespace.
    pub pid: u32,
    /// When it began, in clock ticks since boot (`/proc/self/stat`, field 22).
    pub start_ticks: u64,
    /// Which boot.
    pub boot_id: BootId,
    /// Inode of its pid namespace.
    pub pid_namespace: u64,
}

/// `/proc/sys/kernel/random/boot_id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BootId(pub u128);

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = format!("{:032x}", self.0);
        write!(f, "{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }
}

impl std::str::FromStr for BootId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(&text.trim().replace('-', ""), 16).map(Self)
    }
}

impl Owner {
    /// The calling process. Reads its own files in `/proc` only: none of these waits for anybody.
    pub(crate) fn me() -> std::io::Result<Self> {
        let garbled = || std::io::Error::new(std::io::ErrorKind::InvalidData, "/proc/self is not as documented");
        let stat = std::fs::read("/proc/self/stat")?;
        Ok(Self {
            pid: std::process::id(),
            start_ticks: start_ticks(&stat).ok_or_else(garbled)?,
            boot_id: std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.parse().map_err(|_| garbled())?,
            pid_namespace: std::fs::metadata("/proc/self/ns/pid")?.ino(),
        })
    }
}

/// Field 22 of a `stat` line. The name in field 2 may hold spaces and brackets, so count from the last one.
fn start_ticks(stat: &[u8]) -> Option<u64> {
    let after_name = stat.iter().rposition(|&byte| byte == b')')? + 1;
    let fields = std::str::from_utf8(stat.get(after_name..)?).ok()?;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_itself() {
        let me = Owner::me().unwrap();
        assert_eq!(me.pid, std::process::id());
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        assert_eq!(me.boot_id.to_string(), boot_id.trim());
    }

    #[test]
    fn a_name_with_brackets_does_not_move_the_fields() {
        let line = b"7 (a) b) (c) S 1 7 7 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 4711 0 0";
        assert_eq!(start_ticks(line), Some(4711));
        assert_eq!(start_ticks(b"7 (a"), None);
    }
}
