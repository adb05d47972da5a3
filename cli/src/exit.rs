//! Every exit code of hangdog, in one place.
//!
//! `run` passes on the command's own code; its own codes are those of `timeout`, `env` and `nohup`, so that
//! scripts that know these know hangdog. Other verbs use 0, 1, 2.

/// All is well.
pub const OK: u8 = 0;

/// A verb other than `run` did its work and the answer is no: the demo went another way than it should, or
/// `report --exit-code` found something.
pub const NO: u8 = 1;

/// A verb other than `run`: wrong usage, or input that cannot be read.
pub const UNREADABLE: u8 = 2;

/// `run`: hangdog ended a hang, or `--timeout` was reached.
pub const HANG_ENDED: u8 = 124;

/// `run`: hangdog itself failed before the command was started, wrong usage included.
pub const HANGDOG_FAILED: u8 = 125;

/// `run`, `phase run`: the command was found and cannot be run.
pub const CANNOT_RUN: u8 = 126;

/// `run`, `phase run`: the command was not found.
pub const NOT_FOUND: u8 = 127;

/// What a shell says of a command that a signal ended. Used only where dying of the signal did not work.
pub fn of_signal(signal: i32) -> u8 {
    128_u8.wrapping_add(signal as u8)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_signal_counts_from_128() {
        assert_eq!(super::of_signal(11), 139);
    }
}
