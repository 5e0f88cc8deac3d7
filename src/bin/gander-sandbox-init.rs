//! The program `gander-sandbox-init`: the first one inside the sandbox, small because each command
//! starts it.

use std::process::ExitCode;

fn main() -> ExitCode {
    gander_sandbox_init::main(env!("CARGO_PKG_VERSION"))
}
