//! The first program inside the sandbox, as Gander sees it (`gander-sandbox-init` is the program).
//!
//! Invariants: it is of the same version as this Gander, or nothing runs.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(super) use gander_sandbox_init::{PROGRAM, command_line};
pub use gander_sandbox_init::{SUBCOMMAND, code_of, is_wanted};

/// What must be the same inside and outside.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The file to run first inside: the small program beside Gander's, which starts faster, or Gander
/// itself, where only that was installed.
pub(super) fn program(gander: &Path) -> PathBuf {
    let small = gander.with_file_name(gander_sandbox_init::FILE_NAME);
    if small.is_file() { small } else { gander.to_owned() }
}

/// Gander as the first program itself.
///
/// # Errors
/// When something could not be prepared; the command did not begin then.
pub fn run(words: &[OsString]) -> io::Result<ExitCode> {
    gander_sandbox_init::run(VERSION, words)
}
