//! `gander action`: what the companion Action runs.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use super::{CommandResult, say, start_logging};
use crate::action::{
    ActionEnd, ActionError, ActionReport, PublishInputs, Surroundings, asked, build, command_data,
    publish, repository, test,
};
use crate::app::{forge_of_job, sandbox};
use crate::clock::Clock;
use crate::config::{environment, variable};
use crate::core::text::boxed;
use crate::sandbox::{Sandbox, Unconfined};

/// Do what the companion Action does (it gets its inputs by variables)
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 done, 1 not possible (the message says why), 2 wrong usage, \
                        3 a command of the project failed, 4 GitHub's answers do not allow it."
)]
pub struct Action {
    #[command(subcommand)]
    mode: ActionMode,
}

/// What to do
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Subcommand)]
enum ActionMode {
    /// Run the project's own checks
    Test,
    /// Build what is released, with sums and a manifest
    Build,
    /// Publish what was built, if GitHub says that it was approved
    Publish,
}

/// Characters of an error that the summary shows.
const SUMMARY_CAP: usize = 4000;

/// A command of the project failed.
const FAILED: u8 = 3;
/// GitHub's answers do not allow it.
const REFUSED: u8 = 4;

/// Runs the subcommand.
///
/// # Errors
/// When not even the runner's own variables can be read.
pub fn run(command: &Action) -> CommandResult {
    start_logging("warn");
    let surroundings = Surroundings::read(&variable)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let report = match runtime.block_on(work(command.mode, &surroundings)) {
        Ok(report) => report,
        Err(error) => {
            let text = in_words(error.as_ref());
            say(format!("::error title=Gander::{}", command_data(&text)));
            // File names of others stand in it.
            let summary = format!("## Not possible\n\n{}\n", boxed(&text, SUMMARY_CAP));
            append(surroundings.summary.as_deref(), &summary)?;
            return Ok(ExitCode::FAILURE);
        }
    };
    append(surroundings.summary.as_deref(), &report.summary)?;
    let outputs = report.outputs.iter().map(|(name, value)| format!("{name}={value}\n"));
    append(surroundings.output.as_deref(), &outputs.collect::<String>())?;
    Ok(match report.end {
        ActionEnd::Done => ExitCode::SUCCESS,
        ActionEnd::Failed => ExitCode::from(FAILED),
        ActionEnd::Refused => ExitCode::from(REFUSED),
    })
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

async fn work(mode: ActionMode, surroundings: &Surroundings) -> Result<ActionReport, AnyError> {
    let mut log = |line: &str| say(line);
    let tree = &surroundings.workspace;
    match mode {
        ActionMode::Test => {
            let walls = walls(surroundings).await?;
            Ok(test(tree, walls.as_ref(), &mut log).await?)
        }
        ActionMode::Build => {
            let walls = walls(surroundings).await?;
            let (repository, asked) = (repository(&variable)?, asked(&variable)?);
            let directory = &surroundings.directory;
            Ok(build(tree, directory, repository, &asked, walls.as_ref(), &mut log).await?)
        }
        ActionMode::Publish => {
            let inputs = PublishInputs::read(&variable)?;
            let token = surroundings.token.clone().ok_or(
                "token: it is not given; the publish job hands its own in, as \
                 `token: ${{ github.token }}`",
            )?;
            let forge = forge_of_job(&surroundings.api, &surroundings.web, token)?;
            let clock = Clock::system();
            let (report, words) = publish(&forge, &inputs, &surroundings.directory, &clock).await?;
            if let Some(words) = words {
                let text = command_data(&format!("{} {}", words.what, words.next));
                say(format!("::error title=Not released::{text}"));
            }
            Ok(report)
        }
    }
}

/// A machine that GitHub made for this one job is the sandbox. On any other there are walls, or nothing
/// runs.
async fn walls(surroundings: &Surroundings) -> Result<Arc<dyn Sandbox>, AnyError> {
    if surroundings.fresh_runner {
        return Ok(Arc::new(Unconfined::new(environment())));
    }
    let walls = sandbox();
    walls.probe().await.map_err(|error| {
        let words = format!(
            "this runner is not made afresh for each job (RUNNER_ENVIRONMENT is not \
             `github-hosted`), and there is no sandbox for the repository's code: {error}"
        );
        AnyError::from(words)
    })?;
    Ok(Arc::new(walls))
}

/// An error and its causes, one a line.
fn in_words(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    // What GitHub was asked is the whole message where it is the cause.
    let mut cause = error.source();
    if let Some(ActionError::Input(_)) = error.downcast_ref() {
        cause = None;
    }
    while let Some(error) = cause {
        let _ = write!(text, "\nbecause: {error}");
        cause = error.source();
    }
    text
}

fn append(path: Option<&Path>, text: &str) -> Result<(), AnyError> {
    let Some(path) = path.filter(|_| !text.is_empty()) else { return Ok(()) };
    let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| format!("{} cannot be written: {error}", path.display()).into())
}
