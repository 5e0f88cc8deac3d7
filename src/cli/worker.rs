//! `gander worker`: the working half alone, on as many machines as wanted.

use std::path::PathBuf;

use super::{CommandResult, serve};
use crate::app::Halves;

/// Work on jobs beside `gander serve`, with the same PostgreSQL
#[derive(Debug, clap::Args)]
pub struct WorkerCommand {
    /// The operator's configuration, that of the server; variables come before it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Started as root: the user to become before anything is opened
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
}

/// Runs the subcommand.
///
/// # Errors
/// When it cannot start, or has to stop.
pub fn run(command: &WorkerCommand) -> CommandResult {
    let what = (Halves::Worker, serve::Intake::Webhooks);
    serve::start(what, command.config.as_deref(), command.user.as_deref())
}
