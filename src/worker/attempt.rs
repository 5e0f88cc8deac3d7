//! One attempt: a tree, an agent in it, and what it hands in.
//!
//! The same function serves a job on GitHub and `gander run` on a local repository.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::agent::files::Root;
use crate::agent::prompt::{self, Brief, PlanBrief};
use crate::agent::tools::{Edit, FilesContext, Read, RunTool, Search};
use crate::agent::transcript::Transcript;
use crate::agent::{self, Assignment, Finished, HandsIn, Tool, ToolFault};
use crate::core::budget::{Budget, Money};
use crate::core::evidence::{Check, CheckOutcome, Evidence};
use crate::core::job::{Proposal, ReviseRequest, ThreadAnswer};
use crate::core::patch::Patch;
use crate::core::path::RepoPath;
use crate::core::text::first_of;
use crate::model::ToolSpec;
use crate::sandbox::{Sandbox, SandboxLimits};
use crate::verify;
use crate::verify::scope::far_files;
use crate::verify::{ProofDepth, is_of_tests};
use crate::worker::checks::{
    CheckedChange, blocking, checker, checks_changed, commands, edits_tests, limits, minutes,
};
use crate::worker::job_context::{AttemptInput, JobContext};
use crate::worker::notes::Notes;
use crate::worker::packages::with_packages;
use crate::worker::proof::{WholeChange, for_the_model};
use crate::worker::to_read::{cheats_in, packages_changed, reading};
use crate::worker::{WorkError, update};
use crate::workspace::patch::{self, PatchError};
use crate::workspace::patience::Patience;
use crate::workspace::tree::Workspace;
use crate::workspace::{Changes, READING, diff, origins};

/// Which attempt, and what it may take up.
#[derive(Clone)]
pub struct Attempt<'a> {
    /// From 1.
    pub round: u32,
    /// From 1.
    pub number: u32,
    /// What is left of the job's budget.
    pub budget: Budget,
    /// What the attempt before left.
    pub former: Option<FormerAttempt>,
    /// What the checks come to without any change, once that is known.
    pub base: watch::Receiver<Vec<Check>>,
    /// What people say meanwhile.
    pub notes: Option<&'a Notes>,
    /// Ends it early.
    pub stop: &'a CancellationToken,
}

/// What an attempt left to the next one.
#[derive(Clone)]
pub struct FormerAttempt {
    /// Its change, if there is one.
    pub patch: Option<Patch>,
    /// Why it was not good enough, in words for the agent.
    pub why: String,
}

/// What came of an attempt.
pub struct AttemptResult {
    /// How it ended.
    pub end: AttemptEnd,
    /// What the model cost.
    pub cost: Money,
}

/// How an attempt ended.
pub enum AttemptEnd {
    /// With a change.
    Proposed(Patch, Proposal),
    /// With the word that nothing needs to change.
    NothingToFix(String),
    /// Without a usable answer: why, and what stood in its tree.
    Failed(String, Option<Patch>),
    /// Without money.
    OutOfBudget(String),
    /// From outside.
    Stopped,
}

/// Lets the agent try.
///
/// # Errors
/// Only when it could not try.
pub async fn attempt(
    job: &AttemptInput<'_>,
    ctx: &JobContext,
    attempt: &Attempt<'_>,
) -> Result<AttemptResult, WorkError> {
    let scratch = ctx.scratch.make("agent-").await?;
    let result = attempt_in(&scratch.path().join("tree"), job, ctx, attempt).await;
    scratch.throw_away().await;
    result
}

async fn attempt_in(
    tree: &Path,
    job: &AttemptInput<'_>,
    ctx: &JobContext,
    attempt: &Attempt<'_>,
) -> Result<AttemptResult, WorkError> {
    let workspace = Arc::new(Workspace::export(&ctx.mirror, job.base, tree).await?);
    let taken_up = take_up(&workspace, attempt).await?;
    let commands = commands(job, ctx, &workspace).await?;
    let logs = ctx.records.join(format!("r{}-a{}", attempt.round, attempt.number));
    let end_of_tools = attempt.stop.child_token();
    let files = files(ctx, &workspace, &end_of_tools)?;
    let (tell_sandbox, sandbox) = watch::channel(ctx.sandbox_with_packages());
    let run = run_tool((job, ctx), &workspace, &commands, sandbox, &end_of_tools).await?;
    let verify = VerifyTool {
        job,
        ctx,
        commands: &commands,
        logs: logs.join("agent"),
        workspace: Arc::clone(&workspace),
        base: attempt.base.clone(),
        tell_sandbox,
        stop: end_of_tools.clone(),
    };
    let (read, search, edit) = (Read(files.clone()), Search(files.clone()), Edit(files));
    let tools: [&dyn Tool; 5] = [&read, &search, &edit, &run, &verify];

    let known = as_known(&commands, &attempt.base.borrow());
    let about = (plan(job), job.notes, ctx.pictures.len());
    let assignment = Assignment {
        pictures: &ctx.pictures,
        round: attempt.round,
        attempt: attempt.number,
        system: prompt::SYSTEM,
        task: task(job, &workspace, &known, about, taken_up.as_deref()),
        turns: job.rules.agent.turns,
        time: minutes(job.rules.agent.minutes),
        hands_in: HandsIn::Change,
        retry_pause: ctx.model_pause,
    };
    if let Some(words) = nothing_to_resolve(job, attempt) {
        let end = hand_in(job, ctx, &workspace, &commands, words, attempt.stop).await?;
        return Ok(AttemptResult { end, cost: Money::ZERO });
    }
    let mut transcript = Transcript::open(&logs.join("transcript.jsonl"))
        .map_err(|error| WorkError::passing(&error))?;
    // A try that died left its transcript: what it spent is spent.
    let mut budget = attempt.budget.clone();
    budget.book(
        transcript.cost_so_far(&ctx.model.price()).map_err(|error| WorkError::passing(&error))?,
    );
    let mut agent_context = agent::AgentContext {
        model: ctx.model.as_ref(),
        slot: &ctx.slot,
        tools: &tools,
        budget: &mut budget,
        transcript: &mut transcript,
        notes: Some(&|| Notes::new_ones(attempt.notes)),
        waited: Duration::ZERO,
        stop: attempt.stop,
        end_of_tools: &end_of_tools,
    };
    let finished = agent::run(&assignment, &mut agent_context).await?;
    let cost = budget.spent();
    let end = match finished {
        Finished::Changed { summary, answers, no_test } => {
            let words = SaidOfChange { summary, answers, no_test };
            hand_in(job, ctx, &workspace, &commands, words, attempt.stop).await?
        }
        Finished::NothingToFix { why } => AttemptEnd::NothingToFix(why),
        Finished::Planned(_) => return Err(WorkError::bug("a plan where a change was asked for")),
        Finished::WithoutAnswer { why } => {
            AttemptEnd::Failed(why, left_in(job, &workspace, attempt.stop).await?)
        }
        Finished::OutOfBudget(out) => AttemptEnd::OutOfBudget(out.to_string()),
        Finished::Stopped => AttemptEnd::Stopped,
    };
    Ok(AttemptResult { end, cost })
}

/// What runs the agent's commands in its tree.
pub(super) async fn run_tool(
    (job, ctx): (&AttemptInput<'_>, &JobContext),
    workspace: &Arc<Workspace>,
    commands: &[String],
    sandbox: watch::Receiver<Arc<dyn Sandbox>>,
    stop: &CancellationToken,
) -> Result<RunTool, WorkError> {
    let wall = minutes(job.rules.verify.minutes);
    Ok(RunTool {
        sandbox,
        tree: workspace.path().to_owned(),
        build: build_directory(ctx, workspace, commands).await?,
        limits: SandboxLimits { wall, ..SandboxLimits::default() },
        env: environment(workspace, ctx.sandbox.as_ref()),
        stop: stop.clone(),
    })
}

/// Where the agent's commands build: what the checks built of the base is there.
async fn build_directory(
    ctx: &JobContext,
    workspace: &Arc<Workspace>,
    commands: &[String],
) -> Result<Option<PathBuf>, WorkError> {
    let (true, Some(command)) = (ctx.sandbox.is_closed(), commands.last()) else { return Ok(None) };
    let place = workspace.path().with_file_name("build");
    let laid = ctx.builds.lay(workspace, command, place).await;
    laid.map(|build| Some(build.path)).map_err(|error| WorkError::passing(&error))
}

/// Lays the former attempt's change on the tree, if it still fits, and says what failed.
async fn take_up(
    workspace: &Arc<Workspace>,
    attempt: &Attempt<'_>,
) -> Result<Option<String>, WorkError> {
    let Some(former) = &attempt.former else { return Ok(None) };
    let Some(patch) = former.patch.clone() else {
        return Ok(Some(format!("{}\n\nIt left no change in the tree.", former.why)));
    };
    let workspace = Arc::clone(workspace);
    let laid = blocking(move || workspace.apply(&patch)).await?;
    // The base has moved under it: begin afresh. A merge is no failed attempt.
    Ok(laid.is_ok().then(|| former.why.clone()).filter(|why| !why.is_empty()))
}

/// What the file tools work on, and what earlier attempts of the job edited.
pub(super) fn files(
    ctx: &JobContext,
    workspace: &Workspace,
    stop: &CancellationToken,
) -> Result<FilesContext, WorkError> {
    let passing = |error: std::io::Error| WorkError::passing(&error);
    workspace.origins().continue_in(&ctx.records.join(origins::RECORD)).map_err(passing)?;
    if let Some(former) = &ctx.former_records {
        workspace.origins().take_over(&former.join(origins::RECORD)).map_err(passing)?;
    }
    let root = Root::new(workspace.root().try_clone().map_err(passing)?);
    Ok(FilesContext {
        root: Arc::new(root.seen_at(ctx.sandbox.shows(workspace.path()))),
        attributes: Arc::clone(workspace.entries().attributes()),
        origins: Arc::clone(workspace.origins()),
        stop: stop.clone(),
    })
}

/// The words for a merge without a conflict, or for the reverse of one, which need no model
/// before their checks.
fn nothing_to_resolve(job: &AttemptInput<'_>, attempt: &Attempt<'_>) -> Option<SaidOfChange> {
    let merges = job.update.is_some_and(|update| update.conflicts.is_empty());
    (attempt.number == 1 && (merges || job.reverts.is_some())).then(SaidOfChange::default)
}

/// What the model says of its change.
#[derive(Default)]
struct SaidOfChange {
    summary: String,
    answers: Vec<ThreadAnswer>,
    no_test: Option<String>,
}

async fn hand_in(
    job: &AttemptInput<'_>,
    ctx: &JobContext,
    workspace: &Arc<Workspace>,
    commands: &[String],
    words: SaidOfChange,
    stop: &CancellationToken,
) -> Result<AttemptEnd, WorkError> {
    let changes = match changes(workspace, stop).await? {
        Ok(changes) => changes,
        Err(refusal) => {
            let left = left_in(job, workspace, stop).await?;
            return Ok(AttemptEnd::Failed(refusal.to_string(), left));
        }
    };
    let left_out = changes.left_out_words();
    let patch = changes.patch;
    if patch.is_empty() {
        let why = format!("the model said it was done, but changed nothing\n{left_out}");
        return Ok(AttemptEnd::Failed(why.trim_end().to_owned(), None));
    }
    let resolved = match update::judged(job, ctx, &patch).await? {
        Ok(flags) => flags,
        Err(why) => return Ok(AttemptEnd::Failed(why, Some(patch))),
    };
    let (rules, caps) = limits(job)?;
    let flags = match patch::check(&patch, workspace.entries(), &rules, caps) {
        Ok(flags) => flags,
        // What is too large is not even kept.
        Err(refusal) if refusal.is_about_size() => {
            return Ok(AttemptEnd::Failed(refusal.to_string(), None));
        }
        // A patch that breaks a rule is handed in all the same: the check finds it, and says so.
        Err(_) => Vec::new(),
    };
    let by_rules = flags.iter().map(|flag| format!("{}: {}", flag.path, flag.reason));
    // Of many only the first are shown: what makes a check worthless comes before all others.
    let mut flags = checks_changed(job, ctx, &patch, commands).await?;
    flags.extend(by_rules);
    flags.extend(resolved);
    let flag = |path| format!("{path}: is new, and not from an edit; a command may have left it");
    let by_ignored = changes.ignored.iter();
    flags.extend(by_ignored.map(|path| format!("{path}: is new, and .gitignore leaves it out")));
    // What a merge brings is from no edit.
    let from_edits = job.update.is_none() && job.reverts.is_none();
    let by_commands = changes.by_commands.iter().filter(|_| from_edits);
    flags.extend(by_commands.map(flag));
    let (mirror, tree) = (ctx.mirror.clone(), Arc::clone(workspace));
    let issue = [&job.issue.title, &job.issue.body, job.request].join("\n");
    let (patch, looked) = blocking(move || {
        let base = diff::base_files(&mirror, tree.entries(), &patch);
        let looked = base.map(|base| {
            let packages = packages_changed(&patch, &base);
            let mut told = cheats_in(&patch, &base);
            told.extend(far_files(&patch, &base, &issue));
            (diff::lines(&patch, &base), packages, told, reading(&patch, &base))
        });
        (patch, looked)
    })
    .await?;
    let ((added, removed), packages, told, mut reading) = looked?;
    // What is installed with a change is seen nowhere else.
    flags.splice(0..0, packages);
    flags.extend(told);
    let flagged = |path: &str| {
        flags.iter().any(|flag| flag.strip_prefix(path).is_some_and(|it| it.starts_with(':')))
    };
    reading.sort_by_key(|file| !flagged(&file.path));
    let files = u32::try_from(patch.changes.len()).unwrap_or(u32::MAX);
    let size = (files, added, removed);
    let SaidOfChange { summary, answers, no_test } = words;
    let tested = |path: &&str| !is_of_tests(path);
    let paths = patch.changes.keys().map(RepoPath::as_str).filter(tested);
    let area = job.conventions.titles.area(paths);
    let patch_digest = patch.digest();
    let proposal =
        Proposal { patch: patch_digest, summary, flags, size, reading, area, answers, no_test };
    Ok(AttemptEnd::Proposed(patch, proposal))
}

/// So many tests that fail on the base are named to the model.
const MOST_NAMED: usize = 20;

/// The commands, each with what is known of it on the base.
fn as_known(commands: &[String], base: &[Check]) -> Vec<String> {
    let known = |command: &String| {
        let check = base.iter().find(|check| check.name == *command);
        let Some(Check { outcome: CheckOutcome::Failed(_), failed_tests, .. }) = check else {
            return command.clone();
        };
        let named: Vec<&String> = failed_tests.iter().flatten().collect();
        let named = first_of(&named, MOST_NAMED).join(", ");
        let named = if named.is_empty() { named } else { format!(": {named}") };
        format!("{command}\n  (fails without any change{named})")
    };
    commands.iter().map(known).collect()
}

/// The plan that it follows, if a person agreed to one.
fn plan<'a>(job: &AttemptInput<'a>) -> PlanBrief<'a> {
    job.planning.agreed_plan().map_or(PlanBrief::None, PlanBrief::Agreed)
}

pub(super) fn task(
    job: &AttemptInput<'_>,
    workspace: &Workspace,
    commands: &[String],
    (plan, notes, pictures): (PlanBrief<'_>, &[ReviseRequest], usize),
    failures: Option<&str>,
) -> String {
    let notes: Vec<&str> = notes.iter().map(|note| note.words.as_str()).collect();
    let mut top: Vec<String> = workspace
        .entries()
        .iter()
        .map(|entry| {
            let path = String::from_utf8_lossy(&entry.path);
            path.split_once('/').map_or_else(|| path.to_string(), |(top, _)| format!("{top}/"))
        })
        .collect();
    top.dedup();
    prompt::task(&Brief {
        kind: job.kind,
        title: &job.issue.title,
        body: &job.issue.body,
        attached: pictures,
        request: job.request,
        instructions: &job.rules.agent.instructions,
        conventions: job.conventions,
        issue: job.number.0,
        checks: commands,
        listing: &top.join("\n"),
        round: job.round,
        pull: job.others_pull,
        update: job.update.map(|update| update.task.as_str()),
        plan,
        notes: &notes,
        failures,
    })
}

/// What the agent's own commands need to see what the checks will see.
fn environment(workspace: &Workspace, sandbox: &dyn Sandbox) -> Vec<(String, String)> {
    let entries = workspace.entries().iter();
    let paths = entries.filter_map(|entry| std::str::from_utf8(&entry.path).ok());
    let layout = verify::python::Layout::of(paths);
    layout.map_or(Vec::new(), |layout| layout.environment(sandbox, workspace.path()))
}

/// What became of the tree; ends when the job is stopped, or nobody waits for it any more.
async fn changes(
    tree: &Arc<Workspace>,
    stop: &CancellationToken,
) -> Result<Result<Changes, PatchError>, WorkError> {
    let stop = stop.child_token();
    let _stop_when_dropped = stop.clone().drop_guard();
    let (tree, patience) = (Arc::clone(tree), Patience::new(READING, &stop));
    blocking(move || tree.changes_within(&patience)).await
}

/// What of the tree a patch can hold, for the next attempt; nothing where it is too large.
async fn left_in(
    job: &AttemptInput<'_>,
    tree: &Arc<Workspace>,
    stop: &CancellationToken,
) -> Result<Option<Patch>, WorkError> {
    let (walked, stop) = (Arc::clone(tree), stop.clone());
    let usable = blocking(move || walked.usable_changes(&Patience::new(READING, &stop))).await?;
    let (_, caps) = limits(job)?;
    let fits = |patch: &Patch| patch::check_caps(patch, tree.entries(), caps).is_ok();
    let patch = usable.ok().map(|changes| changes.patch);
    Ok(patch.filter(|patch| !patch.is_empty() && fits(patch)))
}

/// `verify`: the project's own checks on the agent's change, in a fresh copy.
struct VerifyTool<'a> {
    job: &'a AttemptInput<'a>,
    ctx: &'a JobContext,
    commands: &'a [String],
    logs: PathBuf,
    workspace: Arc<Workspace>,
    base: watch::Receiver<Vec<Check>>,
    /// Where `run` works from now on.
    tell_sandbox: watch::Sender<Arc<dyn Sandbox>>,
    stop: CancellationToken,
}

#[async_trait]
impl Tool for VerifyTool<'_> {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "verify".to_owned(),
            description: "Runs the project's own checks on your change, in a fresh copy of the \
                          repository. Shows only what matters of their output."
                .to_owned(),
            parameters: json!({"type": "object", "properties": {}, "additionalProperties": false}),
        }
    }

    async fn call(&self, _arguments: Value) -> Result<String, ToolFault> {
        let fatal = |error: WorkError| ToolFault::Fatal(error.text.into());
        let changes = changes(&self.workspace, &self.stop).await.map_err(fatal)?;
        let changes = changes.map_err(|refusal| ToolFault::ForModel(refusal.to_string()))?;
        if changes.patch.is_empty() {
            let words = format!("Nothing is changed yet. {}", changes.left_out_words());
            return Err(ToolFault::ForModel(words.trim_end().to_owned()));
        }
        let (patch, job) = (&changes.patch, self.job);
        let with_packages = with_packages(job, self.ctx, patch, &self.stop).await.map_err(fatal)?;
        let ctx = with_packages.map_err(ToolFault::ForModel)?;
        self.tell_sandbox.send_replace(ctx.sandbox_with_packages());
        let checker = checker(job, &ctx, self.commands, &self.logs).map_err(fatal)?;
        let checked = checker.check(patch, &self.stop).await;
        let checked = checked.map_err(|error| fatal(error.into()))?;
        let in_tests = edits_tests(&ctx.mirror, job.base, patch).await.map_err(fatal)?;
        let base = self.base.borrow().clone();
        let evidence = checked.held_against(&base, in_tests);
        let (logs, stop) = (&*self.logs, &self.stop);
        let change = CheckedChange { job, ctx: &ctx, patch, logs, stop };
        // What a later round is about is its task's to say.
        let whole = WholeChange { base: job.base, checks: &base, patch };
        let whole = job.round.is_none().then_some(whole);
        let evidence = change.proven(evidence, whole, ProofDepth::OnBase).await.map_err(fatal)?;
        let mut text = check_lines(&evidence);
        text.push_str(&evidence.proof.as_ref().map_or_else(String::new, for_the_model));
        text.push_str(&changes.left_out_words());
        Ok(text)
    }
}

/// What the checks came to, a line each, with the reasons.
pub(in crate::worker) fn check_lines(evidence: &Evidence) -> String {
    let line = |check: &Check| match &check.outcome {
        CheckOutcome::Passed | CheckOutcome::OnlyKnownFailures { .. } => {
            format!("passed: {}\n", check.name)
        }
        CheckOutcome::Failed(why) => format!("FAILED: {}\n{why}\n", check.name),
        CheckOutcome::NoTestRun => format!("passed, but no test was run: {}\n", check.name),
        CheckOutcome::Inconclusive(why) | CheckOutcome::EndedEarly(why) => {
            format!("inconclusive: {}\n{why}\n", check.name)
        }
    };
    evidence.checks.iter().map(line).collect()
}
