//! The program `hangdog`.

use std::process::ExitCode;

fn main() -> ExitCode {
    hangdog_cli::main()
}
