//! The program `gander`.

use std::process::ExitCode;

fn main() -> ExitCode {
    gander::cli::main()
}
