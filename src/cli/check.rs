//! `gander check`: whether Gander can work on a repository, and what it would check changes with.
//!
//! Invariants: it asks no model and changes nothing, but for the rules file that it is told to
//! write, which must not be there yet.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::Mode;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{
    AnyError, CommandResult, INCONCLUSIVE, local, say, say_json, start_logging, unprivileged,
};
use crate::agent::HeldSlot;
use crate::clock::Clock;
use crate::core::conventions::Conventions;
use crate::core::event::IssueText;
use crate::core::evidence::{Check, CheckOutcome, cannot_run};
use crate::core::id::{Number, Sha};
use crate::core::job::{Kind, Planning};
use crate::core::policy::{RULES_PATH, Rules};
use crate::environment::{Environment, Environments};
use crate::model::{Model, Scripted};
use crate::sandbox::Sandbox;
use crate::store::Memory;
use crate::verify::detect::FoundCommand;
use crate::worker::{AttemptInput, JobContext, Survey, survey};
use crate::workspace::builds::Builds;
use crate::workspace::confined::{self, ConfinedError};
use crate::workspace::mirror::Mirror;
use crate::workspace::remove::remove_aside;
use crate::workspace::scratch::Scratch;

/// See whether Gander can work on a repository, and what it would check changes with
#[derive(Debug, clap::Args)]
pub struct CheckCommand {
    /// The repository, or a directory in it
    #[arg(value_name = "REPO", default_value = ".")]
    repo: PathBuf,
    /// The commit, tag or branch to look at; what is checked out if not given
    #[arg(long, value_name = "REV")]
    base: Option<String>,
    /// Write the rules file that it proposes, if there is none yet
    #[arg(long)]
    fix: bool,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
    /// Fetch no packages from registries
    #[arg(long)]
    offline: bool,
}

/// How long clearing up may take.
const CLEARING: Duration = Duration::from_secs(60);

/// Runs the subcommand.
///
/// # Errors
/// When the repository could not be looked at.
pub fn run(command: &CheckCommand) -> CommandResult {
    start_logging("warn", Arc::default());
    if unprivileged::is_root() {
        return without_root(command);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let cache = tempfile::Builder::new().prefix("gander-check-").tempdir()?.keep();
        let done = check(&cache, command).await;
        if let Err(error) = remove_aside(&cache, CLEARING).await {
            tracing::warn!(path = %cache.display(), %error, "could not be removed");
        }
        done
    })
}

/// Commands of a repository never run as root.
fn without_root(command: &CheckCommand) -> CommandResult {
    if command.fix {
        return Err("--fix writes into the repository, and root's rights are given up before \
                    anything of it runs: run this as the user whose repository it is, or without \
                    --fix, and write the file yourself"
            .into());
    }
    let repo = local::repository(&command.repo)?;
    let mut arguments: Vec<OsString> = vec!["check".into(), repo.clone().into()];
    arguments.extend(command.base.iter().flat_map(|base| ["--base".into(), base.into()]));
    for (given, name) in [(command.json, "--json"), (command.offline, "--offline")] {
        arguments.extend(given.then(|| name.into()));
    }
    match unprivileged::rerun_with_cache(arguments, &[repo])? {}
}

async fn check(cache: &Path, command: &CheckCommand) -> CommandResult {
    let repository = local::repository(&command.repo)?;
    local::clear_old(cache).await;
    let sandbox = local::sandbox_for(false);
    sandbox.probe().await?;
    let mirror = Mirror::open(&cache.join("mirrors"), "local").await?;
    let base = local::fetch(&repository, command.base.as_deref(), &mirror).await?;
    let rules = local::rules_at(&mirror, &base)?;
    let place = CheckPlace {
        cache,
        sandbox,
        builds: local::builds(&command.repo, command.base.as_deref(), cache)?,
        environments: local::environments(command.offline, cache)?,
    };
    if !command.json {
        say(format!(
            "Looking at {}, commit {}. This runs its tests once.",
            repository.display(),
            base.short()
        ));
    }
    let seen = CheckedCommit::look(mirror, base, &rules, place).await?;
    match command.json {
        true => say_json(&seen.as_json())?,
        false => say(seen.as_text()),
    }
    if command.fix {
        say(write_rules(&repository, &seen)?);
    }
    Ok(if seen.problem().is_none() { ExitCode::SUCCESS } else { ExitCode::from(INCONCLUSIVE) })
}

/// Where the checks of a commit run, and with what.
pub(super) struct CheckPlace<'a> {
    /// A directory of this run alone.
    pub(super) cache: &'a Path,
    pub(super) sandbox: Arc<dyn Sandbox>,
    pub(super) builds: Builds,
    pub(super) environments: Environments,
}

/// What was seen, on which commit.
pub(super) struct CheckedCommit {
    base: Sha,
    survey: Survey,
}

impl CheckedCommit {
    /// Looks at a commit as a job would, without any change.
    pub(super) async fn look(
        mirror: Mirror,
        base: Sha,
        rules: &Rules,
        place: CheckPlace<'_>,
    ) -> Result<Self, String> {
        let CheckPlace { cache, sandbox, builds, environments } = place;
        let nobody: Arc<dyn Model> = Arc::new(Scripted::from_turns(Vec::new()));
        let ctx = JobContext {
            pictures: Arc::default(),
            store: Arc::new(Memory::default()),
            sandbox,
            packages: Environment::default(),
            model: Arc::clone(&nobody),
            judge: nobody,
            slot: HeldSlot::default(),
            mirror,
            scratch: Scratch::below(cache),
            records: cache.join("logs"),
            clock: Clock::system(),
            base_checks: cache.join("base-checks"),
            builds,
            environments,
            former_records: None,
            model_pause: Duration::ZERO,
        };
        let issue = IssueText { title: String::new(), body: String::new() };
        let input = AttemptInput {
            kind: Kind::Fix,
            issue: &issue,
            request: "",
            number: Number(0),
            rules,
            conventions: &Conventions::default(),
            base: &base,
            round: None,
            others_pull: None,
            update: None,
            reverts: None,
            planning: &Planning::default(),
            notes: &[],
            overrides: &[],
        };
        let survey = survey(&input, &ctx, &CancellationToken::new()).await;
        Ok(Self { survey: survey.map_err(|fault| fault.text)?, base })
    }

    /// What would check a change, in one line.
    pub(super) fn commands(&self) -> String {
        let first = |found: &FoundCommand| {
            found.line.lines().next().map(|line| format!("`{line}`")).unwrap_or_default()
        };
        self.survey.commands.iter().map(first).collect::<Vec<_>>().join(", ")
    }

    /// Why changes cannot be checked here, with the way out. `None`: they can.
    pub(super) fn problem(&self) -> Option<String> {
        let Survey { packages, commands, checks, .. } = &self.survey;
        if let Err(why) = packages {
            return Some(why.clone());
        }
        if commands.is_empty() {
            return Some(format!(
                "no command was found that tests anything here: name one in {RULES_PATH}"
            ));
        }
        cannot_run(checks)
    }

    fn as_text(&self) -> String {
        let Survey { packages, tools, commands, checks } = &self.survey;
        let mut text = String::new();
        match packages {
            Ok(found) if found.is_empty() => text.push_str("Packages   none are needed\n"),
            Ok(found) => {
                for (at, found) in found.iter().enumerate() {
                    let head = if at == 0 { "Packages   " } else { "           " };
                    let _ = writeln!(text, "{head}fetched with {found}");
                }
            }
            Err(_) => text.push_str("Packages   cannot be fetched\n"),
        }
        for (at, tool) in tools.iter().enumerate() {
            let head = if at == 0 { "Tools      " } else { "           " };
            let _ = writeln!(text, "{head}{tool}");
        }
        for FoundCommand { line, from } in commands {
            let shown = line.replace('\n', "\n           ");
            let _ = writeln!(text, "Command    {shown}\n           found by {from}");
            for check in checks.iter().filter(|check| check.name == *line) {
                let tests = check.tests.filter(|tests| *tests > 0);
                let tests = tests.map_or(String::new(), |tests| format!(", {tests} tests"));
                let seconds = check.millis.div_ceil(1000);
                let words = words_of(&check.outcome);
                let _ = writeln!(text, "           {words}{tests}, {seconds} s");
                if let CheckOutcome::Failed(why) = &check.outcome {
                    let why = why.replace('\n', "\n           | ");
                    let _ = writeln!(text, "           | {why}");
                }
            }
        }
        match self.problem() {
            None => {
                text.push_str("\nGander can work here, and nothing needs to be configured.");
                for more in checks.iter().filter_map(what_it_means) {
                    let _ = write!(text, " {more}");
                }
            }
            Some(why) => {
                let _ = write!(text, "\nGander cannot check changes here yet: {why}");
                if commands.is_empty() {
                    let _ = write!(text, "\n\n{RULES_PATH} could say:\n\n{}", self.rules());
                }
            }
        }
        text
    }

    fn as_json(&self) -> serde_json::Value {
        let Survey { packages, tools, commands, checks } = &self.survey;
        let commands: Vec<_> = commands
            .iter()
            .map(|found| json!({ "command": found.line, "found_by": found.from }))
            .collect();
        json!({
            "commit": self.base,
            "can_work": self.problem().is_none(),
            "problem": self.problem(),
            "packages": packages.as_ref().unwrap_or(&Vec::new()),
            "tools": tools,
            "commands": commands,
            "checks": checks,
            "rules": self.rules(),
        })
    }

    /// The rules file that says what was found, or where to say it.
    fn rules(&self) -> String {
        let quoted = |line: &String| toml::Value::String(line.clone()).to_string();
        let lines: Vec<String> =
            self.survey.commands.iter().map(|found| quoted(&found.line)).collect();
        match lines.is_empty() {
            true => "[verify]\n# What a change must pass; each is run by `sh` in an empty machine \
                     without network.\ncommands = [\"./run-the-tests.sh\"]\n"
                .to_owned(),
            false => format!("[verify]\ncommands = [\n    {},\n]\n", lines.join(",\n    ")),
        }
    }
}

/// What a check that is not plainly green means for changes.
fn what_it_means(check: &Check) -> Option<String> {
    let first = check.name.lines().next().unwrap_or_default();
    match (&check.outcome, &check.failed_tests) {
        (CheckOutcome::NoTestRun, _) => Some(format!(
            "But `{first}` runs no test, so a change is hardly checked: name a command that does, \
             in {RULES_PATH}."
        )),
        (CheckOutcome::Failed(_), Some(_)) => Some(
            "What fails already, without any change, is named in every pull request and blamed on \
             none."
                .to_owned(),
        ),
        (CheckOutcome::Failed(_), None) => Some(format!(
            "But `{first}` fails already, without any change, and its output does not tell which \
             tests fail: a change passes only if all of it passes with it. See why it fails, or \
             name a command that passes, in {RULES_PATH}."
        )),
        _ => None,
    }
}

fn words_of(outcome: &CheckOutcome) -> &'static str {
    match outcome {
        CheckOutcome::Passed => "passes",
        CheckOutcome::NoTestRun => "passes, but no test was run",
        CheckOutcome::OnlyKnownFailures { .. } | CheckOutcome::Failed(_) => "fails",
        CheckOutcome::EndedEarly(_) => "ends early",
        CheckOutcome::Inconclusive(_) => "cannot be run",
    }
}

/// Writes the rules file, if there is none; what was done, for people.
fn write_rules(repository: &Path, seen: &CheckedCommit) -> Result<String, AnyError> {
    let path = repository.join(RULES_PATH);
    let not_written = |why: &str| Ok(format!("No file was written: {why}."));
    if seen.survey.commands.is_empty() {
        return not_written("it must name a command that tests something, and none was found");
    }
    if !repository.join(".git").exists() {
        return not_written("this repository has no working tree, so add it in a checkout");
    }
    let text = seen.rules();
    // It would be refused later: better now.
    Rules::parse(&text)?;
    // The tree may hold a link in the way: nothing is written through one.
    let root = std::fs::File::open(repository)?;
    let inside = RULES_PATH.as_bytes();
    let made = confined::make_parents(&root, inside, &mut Vec::new())
        .and_then(|()| confined::create_file(&root, inside, Mode::from_raw_mode(0o644)));
    match made {
        Ok(mut file) => std::io::Write::write_all(&mut file, text.as_bytes())?,
        Err(ConfinedError::Io(error)) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Ok(format!("{} is there already and was left alone.", path.display()));
        }
        Err(error) => return Err(format!("{} cannot be written: {error}", path.display()).into()),
    }
    Ok(format!("Written: {}. Commit it to the default branch.", path.display()))
}
