//! The program `hangdog`, built again from its library, so that the tests of this package have it.

use std::process::ExitCode;

fn main() -> ExitCode {
    hangdog_cli::main()
}
