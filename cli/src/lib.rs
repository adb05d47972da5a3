//! The command line of hangdog, as a library: the one place where all parts meet.
//!
//! ```text
//!  arguments ─▶ args ─▶ verb/…  ──▶ collector, timeline, analysis, report, tui
//!                         │
//!                         ▼
//!                 exit code (exit) or message, cause, advice (failure)
//! ```
//!
//! | to know | look in |
//! | --- | --- |
//! | which verbs and flags there are | [`args`], and each verb's file in `verb` |
//! | what a number means to the caller | [`exit`] |
//! | how an error is laid out | [`failure`] |
//! | who thinks while the watchdog watches | `judge` |
//! | many runs of one command | `flake` |
//! | where reports are written | `outputs` |

pub mod args;
mod attempt;
mod capture;
mod config;
mod console;
mod demo;
mod die;
mod doctor;
pub mod exit;
pub mod failure;
mod fed;
mod flake;
mod judge;
mod masked;
mod outputs;
mod quiet;
mod verb;

use std::process::ExitCode;

/// The program: reads the arguments, does what they ask for, and says how it went.
pub fn main() -> ExitCode {
    attempt::attempt(std::env::args_os().collect())
}
