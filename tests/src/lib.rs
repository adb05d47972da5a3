//! What the end-to-end tests share: programs, scratch directories, runs and what came of them.
//!
//! | to know | look in |
//! | --- | --- |
//! | where the programs are | [`programs!`], [`Programs`] |
//! | how a program is run, with and without hangdog | [`Bench`] |
//! | what must be true of a verdict | [`Expected`] |
//! | what a test needs of the machine | [`Needs`] |
//! | in which places programs are made to stand still | [`Disk`], [`Group`], [`SmallTmpfs`] |
//! | what is undone in any case | [`Undo`] |
//! | healthy programs that must not be accused | [`soak`] |
//!
//! The tests use the real kernel, wait for conditions and never for a time, and are not repeated until they are green.

mod bench;
mod expected;
mod needs;
mod places;
mod signals;
pub mod soak;
mod undo;
mod wait;

pub use bench::{Bench, Ended, Programs};
pub use expected::{Expected, Wait};
pub use needs::{Needs, no_ipc_namespace, root, trial};
pub use places::{Disk, Freezer, Group, SmallTmpfs};
pub use signals::as_in_the_foreground;
pub use undo::Undo;
pub use wait::until;

/// The programs under test, as cargo built them for the calling test.
#[macro_export]
macro_rules! programs {
    () => {
        $crate::Programs {
            hangdog: env!("CARGO_BIN_EXE_hangdog-under-test").into(),
            scenario: env!("CARGO_BIN_EXE_scenario").into(),
        }
    };
}
