//! `gander config check`: what Gander would say about a rules file.

use std::path::PathBuf;
use std::process::ExitCode;

use super::{CommandResult, say};
use crate::core::policy::{RULES_PATH, Rules};

/// What to do with a rules file
#[derive(Debug, clap::Subcommand)]
pub enum ConfigCommand {
    /// Read it as Gander does, and name the first mistake
    Check {
        /// The file
        #[arg(default_value = RULES_PATH)]
        file: PathBuf,
    },
}

/// Runs the subcommand.
///
/// # Errors
/// When the file cannot be read or is no set of rules.
pub fn run(command: &ConfigCommand) -> CommandResult {
    let ConfigCommand::Check { file } = command;
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(format!(
                "there is no {}; without one Gander works with its defaults. Name another file: \
                 gander config check FILE",
                file.display()
            )
            .into());
        }
        Err(error) => return Err(format!("{} cannot be read: {error}", file.display()).into()),
    };
    let rules = Rules::parse(&text).map_err(|bad| {
        format!("{}, line {}, column {}: {}", file.display(), bad.line, bad.column, bad.problem)
    })?;
    say(format!("{} is good. With all defaults filled in it says:\n", file.display()));
    say(toml::to_string(&rules)?);
    Ok(ExitCode::SUCCESS)
}
