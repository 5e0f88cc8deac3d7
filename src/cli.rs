//! The command line: one small file per subcommand.

use std::error::Error as StdError;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory, Parser, Subcommand};
use serde::Serialize;

use crate::config::{toolchain_places, variable};
use crate::core::hidden::for_terminal;
use crate::core::leak::KnownSecrets;
use crate::sandbox::{init, overlay};
use crate::telemetry::{self, LogFormat};

pub mod action;
pub mod audit;
pub mod backup;
mod beside;
pub mod check;
pub mod config;

pub mod db;
pub mod demo;
pub mod doctor;
mod first_process;
pub mod forget;
pub mod jobs;
mod local;
pub mod pause;
pub mod rules;
pub mod run;
pub mod serve;
pub mod setup;
mod supervisor;
pub mod unprivileged;
pub mod verify;
mod without_server;
pub mod worker;

/// A comment in, a checked pull request out
#[derive(Debug, Parser)]
#[command(
    name = "gander",
    version,
    about,
    after_help = "Exit codes: 0 done, 1 not possible (the message says why), 2 wrong usage, \
                  7 changes cannot be checked here; `gander run`: 3 no verified change, 4 no test \
                  was run, 5 held for a person, 6 not reproducible; `gander rules`: 3 something \
                  blocks, 5 something is found; `gander verify` and `gander audit verify`: 3 \
                  something does not hold; `gander doctor`: 3 something is red."
)]
struct Cli {
    #[command(subcommand)]
    command: CliCommand,
}

#[derive(Debug, Subcommand)]
enum CliCommand {
    /// Receive webhooks and work on jobs
    Serve(serve::ServeCommand),
    /// Work on jobs beside `gander serve`, with the same PostgreSQL
    Worker(worker::WorkerCommand),
    /// Make your GitHub App in a browser, from its manifest
    Setup(setup::SetupCommand),
    /// See whether an installation is safe and ready
    Doctor(doctor::DoctorCommand),
    /// Do one job on a local repository, without GitHub
    Run(run::RunCommand),
    /// See whether Gander can work on a repository, and what it would check changes with
    Check(check::CheckCommand),
    /// See what the rules against cheats say of commits, or of a patch
    Rules(rules::RulesCommand),
    /// Check who approved what a release holds, and that its files are what was built
    Verify(verify::VerifyCommand),
    /// Watch a bug become a release on a GitHub emulator: no network, key or account
    Demo(demo::Demo),
    /// Do what the companion Action does
    Action(action::Action),
    /// Check a repository's rules
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// See what jobs a server has, follow, stop and repeat them
    Jobs(jobs::JobsCommand),
    /// Let a server begin nothing new, or go on
    Pause(pause::PauseCommand),
    /// See who changed what, and that nothing of it was changed since
    Audit(audit::AuditCommand),
    /// Copy all that a server remembers, while it runs
    Backup(backup::BackupCommand),
    /// Put a copy back into an empty data directory
    Restore(backup::RestoreCommand),
    /// Remove all that is known of a repository
    Forget(forget::ForgetCommand),
    /// Move what Gander remembers to another database
    #[command(subcommand)]
    Db(db::DbCommand),
    /// Run a program without root's rights (used by `make test`)
    #[command(hide = true)]
    Unprivileged(unprivileged::Unprivileged),
}

/// What a subcommand ends with.
pub type CommandResult = Result<ExitCode, AnyError>;

/// Whatever went wrong, for people.
pub type AnyError = Box<dyn StdError + Send + Sync>;

/// Exit code when all went well but no verified change came out.
pub const NO_CHANGE: u8 = 3;
/// The same: checks passed, and no test ran.
pub const NOTHING_RAN: u8 = 4;
/// The same: verified, and a person has to look first.
pub const HELD: u8 = 5;
/// The same: a test for the issue passes without any change.
pub const NOT_REPRODUCIBLE: u8 = 6;
/// Exit code when changes cannot be checked here.
pub const INCONCLUSIVE: u8 = 7;

/// All that may be typed, for whoever checks what people are told to type.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Parses the arguments and does what they say.
pub fn main() -> ExitCode {
    if let Some(words) = init::is_wanted(std::env::args_os()) {
        return init::run(&words).unwrap_or_else(|error| {
            complain(&error);
            ExitCode::FAILURE
        });
    }
    if let Some(words) = overlay::is_wanted(std::env::args_os()) {
        return overlay::run(&words).map_or_else(
            |error| {
                complain(&error);
                ExitCode::FAILURE
            },
            |never| match never {},
        );
    }
    let cli = Cli::parse();
    let done = match cli.command {
        CliCommand::Unprivileged(command) => unprivileged::run(&command, &toolchain_places())
            .map(|never| match never {})
            .map_err(Into::into),
        CliCommand::Action(command) => action::run(&command),
        CliCommand::Config(command) => config::run(&command),
        CliCommand::Jobs(command) => jobs::run(&command),
        CliCommand::Pause(command) => pause::run(&command),
        CliCommand::Audit(command) => audit::run(&command),
        CliCommand::Backup(command) => backup::back_up_now(&command),
        CliCommand::Restore(command) => backup::restore_now(&command),
        CliCommand::Forget(command) => forget::run(&command),
        CliCommand::Db(command) => db::run(&command),
        CliCommand::Serve(command) => serve::run(&command),
        CliCommand::Worker(command) => worker::run(&command),
        CliCommand::Setup(command) => setup::run(&command),
        CliCommand::Doctor(command) => doctor::run(&command),
        CliCommand::Run(command) => run::run(&command),
        CliCommand::Check(command) => check::run(&command),
        CliCommand::Rules(command) => rules::run(&command),
        CliCommand::Verify(command) => verify::run(&command),
        CliCommand::Demo(command) => demo::run(&command),
    };
    done.unwrap_or_else(|error| {
        complain(error.as_ref());
        ExitCode::FAILURE
    })
}

/// Begins to log as the environment says: `GANDER_LOG`, `GANDER_LOG_FORMAT=json`.
fn start_logging(default: &str, known: Arc<KnownSecrets>) {
    let format = match variable("GANDER_LOG_FORMAT").as_deref() {
        Some("json") => LogFormat::Json,
        _ => LogFormat::Text,
    };
    telemetry::start(Some(variable("GANDER_LOG").as_deref().unwrap_or(default)), format, known);
}

/// An error and its causes, one a line.
fn complain(error: &dyn StdError) {
    let mut text = format!("gander: {error}\n");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!("  because: {error}\n"));
        cause = error.source();
    }
    // There is nowhere left to report that standard error is gone.
    let _ = std::io::stderr().write_all(for_terminal(&text).as_bytes());
}

/// A line on standard output, whoever wrote what stands in it: nothing steers the terminal. A
/// reader that went away ends the program quietly elsewhere.
fn say(line: impl AsRef<str>) {
    say_exactly(&for_terminal(line.as_ref()));
}

/// The same as JSON: a character that nobody sees is written as its number.
fn say_json(value: &impl Serialize) -> Result<(), serde_json::Error> {
    let mut text = String::new();
    for c in serde_json::to_string_pretty(value)?.chars() {
        match c {
            '\n' => text.push(c),
            _ if for_terminal(c.encode_utf8(&mut [0; 4])).is_empty() => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    text.push_str(&format!("\\u{unit:04x}"));
                }
            }
            _ => text.push(c),
        }
    }
    say_exactly(&text);
    Ok(())
}

fn say_exactly(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}
