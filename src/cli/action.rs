//! `gander action`: what the companion Action runs.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use rustix::process::DumpableBehavior;

use super::rules::annotations;
use super::{AnyError, CommandResult, say, start_logging, unprivileged, without_server};
use crate::action::{
    ActionEnd, ActionError, ActionReport, Checkout, PublishInputs, RegistryInputs, Surroundings,
    adopt, asked, build, command_data, end_leftovers, give_tree, given, inputs, kept, package,
    publish, repository, test,
};
use crate::app::{forge_of_job, registries_of_job, sandbox};
use crate::clock::Clock;
use crate::config::{environment, toolchain_places, variable};
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
    /// Set when the environment holds no secret of the job any more
    #[arg(long, global = true, hide = true)]
    cleared: bool,
}

/// What to do
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Subcommand)]
enum ActionMode {
    /// Run the project's own checks
    #[command(after_help = inputs::TEST.help())]
    Test,
    /// Build what is released, with sums and a manifest
    #[command(after_help = inputs::BUILD.help())]
    Build,
    /// Publish what was built, if GitHub says that it was approved
    #[command(after_help = inputs::PUBLISH.help())]
    Publish,
    /// Without a server: decide what follows from a comment or review, and answer it
    #[command(after_help = inputs::DECIDE.help())]
    Decide,
    /// Without a server: fetch what the work needs, so that it does without a token
    #[command(hide = true)]
    Fetch,
    /// Without a server: fix, check and prove, with the model's key and no token
    #[command(after_help = inputs::WORK.help())]
    Work,
    /// Without a server: push what was handed over, and tell people
    #[command(after_help = inputs::PUSH.help())]
    Push,
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
    let runs_commands = matches!(command.mode, ActionMode::Test | ActionMode::Build);
    if runs_commands && !command.cleared {
        return without_secrets();
    }
    start_logging("warn", Arc::default());
    let surroundings = Surroundings::read(&variable)?;
    if runs_commands {
        close_to_commands(&surroundings)?;
    } else if command.mode == ActionMode::Work {
        rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    }
    // Before a command can put something else there.
    let mut outputs = opened(surroundings.output.as_deref())?;
    let mut summary = opened(surroundings.summary.as_deref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let report = match runtime.block_on(work(command.mode, &surroundings)) {
        Ok(report) => report,
        Err(error) => {
            let text = in_words(error.as_ref());
            say(format!("::error title=Gander::{}", command_data(&text)));
            // File names of others stand in it.
            let words = format!("## Not possible\n\n{}\n", boxed(&text, SUMMARY_CAP));
            append(summary.as_mut(), &words)?;
            return Ok(ExitCode::FAILURE);
        }
    };
    append(summary.as_mut(), &report.summary)?;
    let lines = report.outputs.iter().map(|(name, value)| format!("{name}={value}\n"));
    append(outputs.as_mut(), &lines.collect::<String>())?;
    Ok(match report.end {
        ActionEnd::Done => ExitCode::SUCCESS,
        ActionEnd::Failed => ExitCode::from(FAILED),
        ActionEnd::Refused => ExitCode::from(REFUSED),
    })
}

/// Begins anew, without what this job was given: a command could read it in `/proc`, where the
/// environment of a process stands as it was when that began.
fn without_secrets() -> CommandResult {
    let arguments = std::env::args_os().skip(1).chain(["--cleared".into()]);
    match unprivileged::rerun_with(arguments, kept(environment()))? {}
}

/// Commands look into this process as little as they outlive it. Where the runner is the sandbox,
/// they are also not to become root, which many a runner's user may.
fn close_to_commands(surroundings: &Surroundings) -> Result<(), AnyError> {
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    if surroundings.fresh_runner {
        rustix::thread::set_no_new_privs(true)?;
    }
    Ok(adopt()?)
}

/// Runs the checkout's commands, and leaves none of them running.
async fn with_commands(
    mode: ActionMode,
    surroundings: &Surroundings,
) -> Result<ActionReport, AnyError> {
    let mut log = |line: &str| say(line);
    let (sandbox, variables) = sandbox_for(surroundings).await?;
    let (sandbox, variables) = (sandbox.as_ref(), variables.as_slice());
    let checkout = Checkout { tree: &surroundings.workspace, sandbox, variables };
    // Before a command can change what is checked out.
    if mode == ActionMode::Test && surroundings.cheats {
        annotations(&surroundings.workspace).await.iter().for_each(say);
    }
    let report = if mode == ActionMode::Test {
        test(checkout, &mut log).await
    } else {
        let (repository, asked) = (repository(&variable)?, asked(&variable)?);
        let (directory, package) = (&surroundings.directory, package(&variable));
        let what = (&asked, package.as_deref());
        build(checkout, directory, &repository, what, &mut log).await
    };
    end_leftovers().await.map_err(ActionError::Leftovers)?;
    Ok(report?)
}

async fn work(mode: ActionMode, surroundings: &Surroundings) -> Result<ActionReport, AnyError> {
    match mode {
        ActionMode::Test | ActionMode::Build => with_commands(mode, surroundings).await,
        ActionMode::Decide => without_server::decide(surroundings).await,
        ActionMode::Fetch => without_server::fetch(surroundings).await,
        ActionMode::Work => without_server::work(surroundings).await,
        ActionMode::Push => without_server::push(surroundings).await,
        ActionMode::Publish => {
            let inputs = PublishInputs::read(&variable)?;
            let token = surroundings.token.clone().ok_or(
                "token: it is not given; the publish job hands its own in, as \
                 `token: ${{ github.token }}`",
            )?;
            let registries = RegistryInputs::read(&variable)?;
            let registries = registries_of_job(
                registries,
                &inputs.repo.name,
                (&surroundings.api, token.clone()),
            )?;
            let forge = forge_of_job(&surroundings.api, &surroundings.web, token)?;
            let (clock, directory) = (Clock::system(), &surroundings.directory);
            let (report, words) = publish(&forge, &registries, &inputs, directory, &clock).await?;
            if let Some(words) = words {
                let text = command_data(&format!("{} {}", words.what, words.next));
                say(format!("::error title=Not released::{text}"));
            }
            Ok(report)
        }
    }
}

/// Where commands run, and the variables that they are given.
type Commands = (Arc<dyn Sandbox>, Vec<(String, String)>);

/// A machine that GitHub made for this one job is the sandbox. On any other there is a sandbox, or
/// nothing runs. With the variables that commands are given there.
async fn sandbox_for(surroundings: &Surroundings) -> Result<Commands, AnyError> {
    let user = unprivileged::is_root().then_some(unprivileged::NOBODY_ELSE);
    if let Some(user) = user {
        let workspace = variable("GITHUB_WORKSPACE").ok_or(
            "GITHUB_WORKSPACE is not set: started as root, the checkout is given to another user, \
             so it has to be named",
        )?;
        unprivileged::is_reachable(Path::new(&workspace))?;
        give_tree(Path::new(&workspace), user)?;
    }
    if surroundings.fresh_runner {
        let mut sandbox = Unconfined::new(environment());
        let mut variables = given(environment());
        if let Some(user) = user {
            sandbox = sandbox.run_as(user);
            // Root's own is closed, or not to be trusted after this.
            let home = tempfile::tempdir_in(&surroundings.temporary)?.keep();
            give_tree(&home, user)?;
            let managers = unprivileged::version_managers(&toolchain_places());
            let managers = managers.into_iter().map(|(name, path)| (name.to_owned(), path));
            let paths = managers.chain([("HOME".to_owned(), home)]);
            variables.extend(paths.map(|(name, path)| (name, path.display().to_string())));
        }
        return Ok((Arc::new(sandbox), variables));
    }
    let sandbox = user.map_or_else(sandbox, |user| sandbox().run_as(user));
    sandbox.probe().await.map_err(|error| {
        let words = format!(
            "this runner is not made afresh for each job (RUNNER_ENVIRONMENT is not \
             `github-hosted`), and there is no sandbox for the repository's code: {error}"
        );
        AnyError::from(words)
    })?;
    Ok((Arc::new(sandbox), Vec::new()))
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

/// A file of the runner that is added to; never what a link leads to, or a pipe.
fn opened(path: Option<&Path>) -> Result<Option<File>, AnyError> {
    let Some(path) = path else { return Ok(None) };
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::CLOEXEC;
    let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = rustix::fs::open(path, flags, Mode::from_raw_mode(0o644));
    let file = file.map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
    Ok(Some(file.into()))
}

fn append(file: Option<&mut File>, text: &str) -> Result<(), AnyError> {
    let Some(file) = file else { return Ok(()) };
    let written = file.write_all(text.as_bytes());
    written.map_err(|error| format!("the runner's file cannot be written: {error}").into())
}
