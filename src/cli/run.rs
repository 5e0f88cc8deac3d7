//! `gander run`: one job on a local repository, without GitHub.

pub(super) mod report;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use report::{CHANGE, RunReport, UNVERIFIED, as_json, as_text};
use secrecy::ExposeSecret;

use super::{AnyError, CommandResult, local, say, say_json, start_logging, unprivileged};
use crate::agent::HeldSlot;
use crate::app::{egress_to, model_addresses, models};
use crate::clock::Clock;
use crate::config::ModelChoice;
use crate::core::budget::Money;
use crate::core::event::IssueText;
use crate::core::github::RepoRef;
use crate::core::id::{InstallationId, JobId, Number, RepoId, Sha, UserId};
use crate::core::job::{Base, Job, JobOrder, Kind, Prepared, RuleOverride};
use crate::core::leak::KnownSecrets;
use crate::core::patch::Patch;
use crate::core::policy::runs_nothing;
use crate::egress::PrivateAddresses;
use crate::environment::Environment;
use crate::forge::RecentHistory;
use crate::model::Provider;
use crate::sandbox::Sandbox;
use crate::store::Memory;
use crate::verify::cheat::RULES;
use crate::worker::{JobContext, LocalFault, LocalJob, WorkError, conventions};
use crate::workspace::mirror::Mirror;
use crate::workspace::remove::remove_aside;
use crate::workspace::scratch::Scratch;
use crate::workspace::{diff, origins};

/// Do one job on a local repository, without GitHub
#[derive(Debug, clap::Args)]
pub struct RunCommand {
    /// The repository: a checkout or a bare one. Nothing in it is changed
    #[arg(long, value_name = "PATH", default_value = ".")]
    repo: PathBuf,
    /// The issue: its first line is the title
    #[arg(long, value_name = "FILE")]
    issue: PathBuf,
    /// The commit, tag or branch to work on; what is checked out if not given
    #[arg(long, value_name = "REV")]
    base: Option<String>,
    /// A model's name, `PROVIDER:NAME`, or `scripted:FILE` (docs/config.md has an example)
    #[arg(long, value_name = "MODEL", default_value = "claude-sonnet-4-5")]
    model: String,
    /// Whose model it is, where its name does not say: `anthropic` or `openai`
    #[arg(long, value_name = "NAME", value_parser = provider)]
    provider: Option<Provider>,
    /// Where to write patch, report and transcripts
    #[arg(long, value_name = "DIR", default_value = "gander-out")]
    out: PathBuf,
    /// Build a feature instead of fixing a bug
    #[arg(long)]
    build: bool,
    /// A command that must succeed, instead of those of the rules or found in the project
    #[arg(long, value_name = "COMMAND", value_parser = command_that_runs)]
    verify: Vec<String>,
    /// The most it may cost, in dollars
    #[arg(long, value_name = "$N")]
    budget: Option<Money>,
    /// Let through what a rule against cheats finds, for this reason
    #[arg(long = "override", value_name = "RULE=REASON", value_parser = rule_override)]
    overrides: Vec<RuleOverride>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// Fetch no packages from registries: the project has all it needs, or this machine has
    #[arg(long)]
    offline: bool,
    /// Run commands without a sandbox, on your own machine and at your own risk
    #[arg(long)]
    no_sandbox: bool,
}

const REPORT: &str = "report.md";
const REPORT_JSON: &str = "report.json";
/// How long clearing up may take.
const CLEARING: Duration = Duration::from_secs(60);

/// Runs the subcommand.
///
/// # Errors
/// When the job could not be tried.
pub fn run(command: &RunCommand) -> CommandResult {
    start_logging("warn", Arc::default());
    if unprivileged::is_root() && !command.no_sandbox {
        return without_root(command);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(work(command))
}

/// Commands of a repository never run as root: becomes a user without rights, who sees what the
/// arguments name and can write to the output directory.
fn without_root(command: &RunCommand) -> CommandResult {
    let found = |path: &Path| {
        path.canonicalize().map_err(|error| format!("{} cannot be opened: {error}", path.display()))
    };
    let repo = local::repository(&command.repo)?;
    unprivileged::give_directory(&command.out)
        .map_err(|error| format!("{} cannot be made: {error}", command.out.display()))?;
    let (issue, out) = (found(&command.issue)?, found(&command.out)?);
    let mut show = vec![repo.clone(), out.clone()];
    let mut model = match command.provider {
        Some(provider) => format!("{}:{}", provider.name(), command.model),
        None => command.model.clone(),
    };
    let mut files = vec![issue.clone()];
    if let Some(script) = command.model.strip_prefix("scripted:") {
        let script = found(Path::new(script))?;
        model = format!("scripted:{}", script.display());
        files.push(script);
    }
    show.extend(files.iter().filter_map(|file| file.parent().map(Path::to_owned)));
    let mut arguments: Vec<OsString> = vec!["run".into(), "--repo".into(), repo.into()];
    arguments.extend(["--issue".into(), issue.into(), "--out".into(), out.into()]);
    arguments.extend(["--model".into(), model.into()]);
    for (name, value) in [
        ("--base", command.base.clone()),
        ("--budget", command.budget.map(|budget| budget.to_string())),
    ] {
        arguments.extend(value.into_iter().flat_map(|value| [name.into(), value.into()]));
    }
    for line in &command.verify {
        arguments.extend(["--verify".into(), line.into()]);
    }
    for RuleOverride { rule, reason, .. } in &command.overrides {
        arguments.extend(["--override".into(), format!("{rule}={reason}").into()]);
    }
    let given =
        [(command.build, "--build"), (command.json, "--json"), (command.offline, "--offline")];
    for (given, name) in given {
        arguments.extend(given.then(|| name.into()));
    }
    match unprivileged::rerun_with_cache(arguments, &show)? {}
}

async fn work(command: &RunCommand) -> CommandResult {
    let text = std::fs::read_to_string(&command.issue).map_err(|error| {
        format!("the issue {} cannot be read: {error}", command.issue.display())
    })?;
    let issue = issue_of(&text)?;
    let cache = tempfile::Builder::new().prefix("gander-run-").tempdir()?.keep();
    let done = work_in(&cache, command, &issue).await;
    if let Err(error) = remove_aside(&cache, CLEARING).await {
        tracing::warn!(path = %cache.display(), %error, "could not be removed: remove it by hand");
    }
    done
}

async fn work_in(cache: &Path, command: &RunCommand, issue: &IssueText) -> CommandResult {
    let repository = local::repository(&command.repo)?;
    let sandbox = local::sandbox_for(command.no_sandbox);
    // A trial run of the sandbox takes about as long as the fetch, and neither needs the other.
    local::clear_old(cache).await;
    let probing = async { Ok::<_, AnyError>(sandbox.probe().await?) };
    let fetching = async {
        let mirror = Mirror::open(&cache.join("mirrors"), "local").await?;
        let base = local::fetch(&repository, command.base.as_deref(), &mirror).await?;
        Ok((mirror, base))
    };
    let (_, (mirror, base)) = tokio::try_join!(probing, fetching)?;
    let mut rules = local::rules_at(&mirror, &base)?;
    if !command.verify.is_empty() {
        rules.verify.commands.clone_from(&command.verify);
    }
    let kind = if command.build { Kind::Build } else { Kind::Fix };
    let conventions = Box::new(conventions(&mirror, &base, &RecentHistory::default(), kind).await?);
    let ctx = job_context(command, sandbox, mirror, cache)?;
    let budget = command.budget.unwrap_or(rules.budget.run);
    let base = Base { branch: "local".parse()?, sha: base };
    let job = LocalJob {
        job: job_on(issue, command)?,
        ctx: &ctx,
        prepared: Prepared {
            base: base.clone(),
            rules,
            budget,
            estimate: None,
            others_pull: None,
            reverts: None,
            conventions,
        },
        clock: Clock::system(),
        progress: &|what| progress(command, what),
    };
    clear_out(&command.out).await?;
    let end = match job.run().await {
        Ok(end) => end,
        Err(LocalFault { fault, patch }) => {
            return Err(without_end(&ctx, &base.sha, fault, patch).await?);
        }
    };
    let report = RunReport::of(base.sha, &end);
    write_out(command, &ctx, &report, end.patch.as_ref()).await?;
    if command.json {
        say_json(&as_json(&report))?;
    } else {
        say(as_text(&report, &command.out));
    }
    Ok(ExitCode::from(report.exit_code()))
}

/// The job as a comment on GitHub would have made it; whose issue of which repository it is, nobody
/// asks here.
fn job_on(issue: &IssueText, command: &RunCommand) -> Result<Job, AnyError> {
    let name = "local/local".parse()?;
    let repo = RepoRef { installation_id: InstallationId(0), repo_id: RepoId(0), name };
    let kind = if command.build { Kind::Build } else { Kind::Fix };
    let order = JobOrder {
        issue: issue.clone(),
        overrides: command.overrides.clone(),
        ..JobOrder::new(kind, (UserId(0), "local".parse()?), Clock::system().now())
    };
    Ok(Job::new(JobId::of_trigger("local"), repo, Number(1), order))
}

fn rule_override(text: &str) -> Result<RuleOverride, String> {
    let (rule, reason) = text.split_once('=').unwrap_or((text, ""));
    if !RULES.iter().any(|known| known.name == rule) {
        return Err(format!("there is no rule {rule:?}: `gander rules --list` shows all"));
    }
    if reason.trim().is_empty() {
        return Err(format!("say why: {rule}=REASON"));
    }
    let by = "local".parse().map_err(|bad| format!("{bad}"))?;
    Ok(RuleOverride { rule: rule.to_owned(), reason: reason.trim().to_owned(), by })
}

fn command_that_runs(line: &str) -> Result<String, &'static str> {
    match runs_nothing(line) {
        true => Err("it is empty: name a command that runs something, or leave it out"),
        false => Ok(line.to_owned()),
    }
}

fn issue_of(text: &str) -> Result<IssueText, String> {
    let text = text.trim();
    let (title, body) = text.split_once('\n').unwrap_or((text, ""));
    let title = title.trim_start_matches('#').trim();
    if title.is_empty() {
        return Err("the issue file is empty: write a title on its first line".to_owned());
    }
    Ok(IssueText { title: title.to_owned(), body: body.trim().to_owned() })
}

fn job_context(
    command: &RunCommand,
    sandbox: Arc<dyn Sandbox>,
    mirror: Mirror,
    cache: &Path,
) -> Result<JobContext, AnyError> {
    let choice = local::model_choice(&command.model, command.provider, None)?;
    let egress = egress_to(model_addresses(&choice)?, PrivateAddresses::Refuse)?;
    let key = match &choice {
        ModelChoice::Provider { key, .. } => Some(("the model's key", key.expose_secret())),
        ModelChoice::Script(_) => None,
    };
    let known = Arc::new(KnownSecrets::new(key)?);
    let model = models(&choice, &egress, &known)?.into_iter().next().ok_or("no model is named")?;
    std::fs::create_dir_all(&command.out)
        .map_err(|error| format!("{} cannot be made: {error}", command.out.display()))?;
    // What the agent edited in an older run says nothing about the files of this one's patch.
    let edited = command.out.join(origins::RECORD);
    if edited.exists() {
        std::fs::remove_file(edited)?;
    }
    Ok(JobContext {
        pictures: Arc::default(),
        store: Arc::new(Memory::default()),
        sandbox,
        packages: Environment::default(),
        judge: Arc::clone(&model),
        model,
        slot: HeldSlot::default(),
        mirror,
        scratch: Scratch::below(cache),
        records: command.out.clone(),
        clock: Clock::system(),
        base_checks: local::base_checks(&local::repository(&command.repo)?, cache),
        builds: local::builds(&command.repo, command.base.as_deref(), cache)?,
        environments: local::environments(command.offline, cache)?,
        former_records: None,
        model_pause: Duration::from_secs(2),
    })
}

fn provider(name: &str) -> Result<Provider, String> {
    name.parse().map_err(|()| format!("there is no provider {name:?}; use anthropic or openai"))
}

/// What an older run wrote must not pass for this one's, nor its costs be added to them.
async fn clear_out(out: &Path) -> std::io::Result<()> {
    for name in [CHANGE, UNVERIFIED, REPORT, REPORT_JSON] {
        match std::fs::remove_file(out.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    let entries = std::fs::read_dir(out).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_str().is_some_and(is_of_attempt)) {
        remove_aside(&entry.path(), CLEARING).await?;
    }
    Ok(())
}

/// Whether the records of an attempt have this name: `r1-a2`.
fn is_of_attempt(name: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let numbers = name.strip_prefix('r').and_then(|rest| rest.split_once("-a"));
    numbers.is_some_and(|(round, attempt)| is_number(round) && is_number(attempt))
}

pub(super) async fn write_patch(
    ctx: &JobContext,
    base: &Sha,
    patch: &Patch,
    path: &Path,
) -> Result<(), AnyError> {
    let entries = ctx.mirror.list(base).await?;
    let files = diff::base_files(&ctx.mirror, &entries, patch)?;
    Ok(std::fs::write(path, diff::applicable(patch, &files, base)?)?)
}

/// What is said of a step that could not be done; what was tried by then is kept.
async fn without_end(
    ctx: &JobContext,
    base: &Sha,
    fault: WorkError,
    patch: Option<Patch>,
) -> Result<AnyError, AnyError> {
    let Some(patch) = patch else { return Ok(fault.text.into()) };
    let left = ctx.records.join(UNVERIFIED);
    write_patch(ctx, base, &patch, &left).await?;
    Ok(format!("{}\nWhat was tried by then, not verified: {}", fault.text, left.display()).into())
}

async fn write_out(
    command: &RunCommand,
    ctx: &JobContext,
    report: &RunReport,
    patch: Option<&Patch>,
) -> Result<(), AnyError> {
    let out = &command.out;
    if let Some(patch) = patch {
        let name = if report.is_verified() { CHANGE } else { UNVERIFIED };
        write_patch(ctx, &report.base, patch, &out.join(name)).await?;
    }
    // After the patch, which it names.
    std::fs::write(out.join(REPORT), as_text(report, out))?;
    std::fs::write(out.join(REPORT_JSON), serde_json::to_string_pretty(&as_json(report))?)?;
    Ok(())
}

fn progress(command: &RunCommand, what: &str) {
    if !command.json {
        say(format!("… {what}"));
    }
}
