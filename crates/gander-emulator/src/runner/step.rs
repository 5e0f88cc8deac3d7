//! One step after the other: commands, composite actions, and what is done in place of others'.
//!
//! Invariants: a step whose condition does not hold leaves no trace but its name; what a step
//! leaves in its files counts also when it failed, as on GitHub.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Map, json};
use tokio::time::Instant;

use super::bench::{Bench, Frame};
use super::commands::{Ear, Heard};
use super::files::StepFiles;
use super::journal::Journal;
use super::plan::{Meaning, Ours, filled};
use super::process::{self, Ending, Order};
use super::{Foreign, StepReport, artifacts, attest, checkout};
use crate::Trouble;
use crate::workflow::{Act, Settings, Sight, Step, Template, Uses};

/// How a step went, and what it hands on.
struct Done {
    outcome: Outcome,
    outputs: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Success,
    Failure,
    Cancelled,
    Skipped,
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }
}

impl Done {
    fn of(outcome: Outcome) -> Self {
        Self { outcome, outputs: BTreeMap::new() }
    }
}

/// How long the steps that come after a job's time is up may take.
const GRACE: Duration = Duration::from_secs(300);

/// Runs the steps of a job or of an action.
pub(crate) fn run_all<'f>(
    bench: &'f mut Bench<'_>,
    frame: &'f mut Frame,
    steps: &'f [Step],
) -> BoxFuture<'f, Result<(), Trouble>> {
    async move {
        for step in steps {
            run_one(bench, frame, step).await?;
        }
        Ok(())
    }
    .boxed()
}

async fn run_one(bench: &mut Bench<'_>, frame: &mut Frame, step: &Step) -> Result<(), Trouble> {
    bench.begun += 1;
    let in_job = frame.inputs.is_none();
    if in_job {
        bench.journal.begin_step();
    }
    let (name, done) = match prepare(bench, frame, step) {
        Ok(Ready { name, env: Some(env) }) => {
            let done = perform(bench, frame, step, &name, &env).await?;
            (name, done)
        }
        Ok(Ready { name, env: None }) => (name, Done::of(Outcome::Skipped)),
        Err(says) => {
            bench.journal.error(&says);
            (plain_name(step), Done::of(Outcome::Failure))
        }
    };
    let conclusion = match done.outcome {
        Outcome::Failure if step.goes_on_after_failure => Outcome::Success,
        outcome => outcome,
    };
    let failed = conclusion == Outcome::Failure;
    frame.failed |= failed;
    if let Some(id) = &step.id {
        let record = json!({
            "outputs": done.outputs,
            "outcome": done.outcome.word(),
            "conclusion": conclusion.word(),
        });
        frame.steps.insert(id.clone(), record);
    }
    if in_job {
        bench.standing.failed |= failed;
        bench.reports.push(StepReport {
            name: bench.journal.masked(&name),
            outcome: done.outcome.word().to_owned(),
            conclusion: conclusion.word().to_owned(),
        });
    }
    Ok(())
}

/// A step that was looked at; without variables it is not to run.
struct Ready {
    name: String,
    env: Option<BTreeMap<String, String>>,
}

fn prepare(bench: &Bench<'_>, frame: &Frame, step: &Step) -> Result<Ready, String> {
    let mut env = bench.env.clone();
    env.extend(frame.env.clone());
    let before = bench.sight(frame, &env);
    for (name, value) in &step.env {
        env.insert(name.clone(), value.fill(&before)?);
    }
    let sight = bench.sight(frame, &env);
    let holds = step.condition.holds(&sight)?;
    let name = step.name.as_ref().map(|name| name.fill(&sight)).transpose()?;
    let name = name.unwrap_or_else(|| plain_name(step));
    Ok(Ready { name, env: holds.then_some(env) })
}

fn plain_name(step: &Step) -> String {
    match &step.act {
        Act::Run { script, .. } => format!("Run {}", script.first_line()),
        Act::Uses { action, .. } => format!("Run {action}"),
    }
}

async fn perform(
    bench: &mut Bench<'_>,
    frame: &Frame,
    step: &Step,
    name: &str,
    env: &BTreeMap<String, String>,
) -> Result<Done, Trouble> {
    let limit = step.minutes.map(|minutes| Duration::from_secs_f64((minutes * 60.0).min(1e9)));
    let own = limit.map(|limit| Instant::now() + limit);
    let deadline = own.map_or(bench.deadline(frame), |own| own.min(bench.deadline(frame)));
    bench.journal.write(&format!("##[group]{name}"));
    let sight = bench.sight(frame, env);
    match &step.act {
        Act::Run { script, settings } => {
            let filled = fill_run(script, settings, &sight);
            match filled {
                Ok(run) => run_script(bench, frame, step, (env, deadline), &run).await,
                Err(says) => Ok(fail(bench, &says)),
            }
        }
        Act::Uses { action, with } => {
            let given = match filled(with, &sight) {
                Ok(given) => given,
                Err(says) => return Ok(fail(bench, &says)),
            };
            for (input, value) in &given {
                bench.journal.write(&format!("  {input}: {value}"));
            }
            bench.journal.write("##[endgroup]");
            match bench.plan.meaning(bench.setup, action) {
                Some(Meaning::Ours(ours)) => {
                    use_ours(bench, &ours, action, given, (env, deadline)).await
                }
                Some(Meaning::Foreign(foreign)) => stand_in(bench, foreign, &given, deadline).await,
                None => Ok(loud(bench, step, &format!("`{action}` is not known to the runner"))),
            }
        }
    }
}

fn fail(bench: &mut Bench<'_>, says: &str) -> Done {
    bench.journal.error(says);
    Done::of(Outcome::Failure)
}

/// A failure that is not the workflow's own.
fn loud(bench: &mut Bench<'_>, step: &Step, says: &str) -> Done {
    let fault = format!("{} line {}: {says}", bench.run.path, step.line);
    bench.fault.get_or_insert(fault);
    fail(bench, says)
}

/// A script, ready to run.
struct Script {
    text: String,
    shell: Option<String>,
    directory: Option<String>,
}

fn fill_run(script: &Template, settings: &Settings, sight: &Sight) -> Result<Script, String> {
    let directory = settings.directory.as_ref().map(|directory| directory.fill(sight));
    Ok(Script {
        text: script.fill(sight)?,
        shell: settings.shell.clone(),
        directory: directory.transpose()?,
    })
}

async fn run_script(
    bench: &mut Bench<'_>,
    frame: &Frame,
    step: &Step,
    (env, deadline): (&BTreeMap<String, String>, Instant),
    run: &Script,
) -> Result<Done, Trouble> {
    let disk = |source| Trouble::Disk { doing: "write a script", source };
    let files = StepFiles::create(&bench.folders.temp, bench.begun)?;
    let path = bench.folders.temp.join(format!("script-{}.sh", bench.begun));
    std::fs::write(&path, format!("{}\n", run.text)).map_err(disk)?;
    for line in run.text.lines() {
        bench.journal.write(line);
    }
    // GitHub's own templates for these shells.
    let (program, flags): (&str, &[&str]) = match run.shell.as_deref() {
        Some("bash") => ("bash", &["--noprofile", "--norc", "-eo", "pipefail"]),
        Some(_) => ("sh", &["-e"]),
        None => ("bash", &["-e"]),
    };
    bench.journal.write(&format!("shell: {program} {} {{0}}", flags.join(" ")));
    bench.journal.write("##[endgroup]");
    let mut arguments: Vec<std::ffi::OsString> = flags.iter().map(Into::into).collect();
    arguments.push(path.into());
    let directory = run.directory.as_deref().unwrap_or(".");
    let directory = bench.folders.workspace.join(directory);
    let id = step.id.as_deref().unwrap_or("__run");
    let environment = bench.variables(frame, env, &files, id);
    let order =
        Order { program, arguments, directory: &directory, environment: &environment, deadline };
    let mut said = Said { ear: Ear::default(), outputs: BTreeMap::new(), refused: false };
    let journal = &mut bench.journal;
    let ended = process::run(order, &mut |line| said.hear(journal, line)).await;
    let mut done = Done::of(Outcome::Success);
    match ended {
        Ok(Ending::Exited(0)) => {}
        Ok(Ending::Exited(code)) => {
            done = fail(bench, &format!("Process completed with exit code {code}."));
        }
        Ok(Ending::Killed) => done = fail(bench, "The process was killed."),
        Ok(Ending::TooSlow) => done.outcome = too_slow(bench),
        Err(error) => done = fail(bench, &format!("The command could not start: {error}")),
    }
    if said.refused {
        done.outcome = Outcome::Failure;
    }
    done.outputs = said.outputs;
    match files.read() {
        Ok(left) => {
            bench.env.extend(left.env);
            done.outputs.extend(left.outputs);
            for path in left.paths {
                bench.paths.insert(0, path);
            }
            add_summary(bench, &left.summary);
        }
        Err(says) => done.outcome = fail(bench, &says).outcome,
    }
    Ok(done)
}

fn add_summary(bench: &mut Bench<'_>, text: &str) {
    if text.is_empty() {
        return;
    }
    let text = bench.journal.masked(text);
    bench.summary.push_str(text.trim_end_matches('\n'));
    bench.summary.push('\n');
}

/// A step that took too long has failed; when the job's own time is up, the job is cancelled.
fn too_slow(bench: &mut Bench<'_>) -> Outcome {
    let now = Instant::now();
    if now < bench.deadline {
        bench.journal.error("The step has timed out.");
        return Outcome::Failure;
    }
    bench.journal.error("The job has exceeded the maximum execution time.");
    bench.standing.cancelled = true;
    bench.deadline = now + GRACE;
    Outcome::Cancelled
}

/// What one process said.
struct Said {
    ear: Ear,
    outputs: BTreeMap<String, String>,
    refused: bool,
}

impl Said {
    fn hear(&mut self, journal: &mut Journal, line: &str) {
        match self.ear.hear(line) {
            Heard::Line(line) => journal.write(&line),
            Heard::Annotation(annotation) => journal.annotate(annotation),
            Heard::Mask(value) => {
                journal.mask(&value);
                journal.write("::add-mask::***");
            }
            Heard::Output(name, value) => {
                self.outputs.insert(name, value);
            }
            Heard::Refused(says) => {
                journal.error(&says);
                self.refused = true;
            }
        }
    }
}

async fn use_ours(
    bench: &mut Bench<'_>,
    ours: &Arc<Ours>,
    action: &Uses,
    given: BTreeMap<String, String>,
    (env, deadline): (&BTreeMap<String, String>, Instant),
) -> Result<Done, Trouble> {
    let composite = &ours.composite;
    let mut inputs = BTreeMap::new();
    for input in &composite.inputs {
        let value = match (given.get(&input.name), &input.value) {
            (Some(value), _) => value.clone(),
            (None, Some(default)) => match default.fill(&bench.sight) {
                Ok(value) => value,
                Err(says) => return Ok(fail(bench, &says)),
            },
            (None, None) => String::new(),
        };
        inputs.insert(input.name.clone(), value);
    }
    let folder = bench.folders.actions.join(folder_name(action)).join(bench.begun.to_string());
    copy(&ours.folder, &folder)?;
    // What the caller's step sets holds inside; what is set for the job changes as it goes.
    let own = env.iter().filter(|(name, value)| bench.env.get(*name) != Some(value));
    let mut inner = Frame {
        steps: Map::new(),
        inputs: Some(inputs),
        env: own.map(|(name, value)| (name.clone(), value.clone())).collect(),
        action: Some(folder),
        failed: false,
        deadline: Some(deadline),
    };
    run_all(bench, &mut inner, &composite.steps).await?;
    let outcome = match (inner.failed, bench.standing.cancelled) {
        (true, _) => Outcome::Failure,
        (false, true) => Outcome::Cancelled,
        (false, false) => Outcome::Success,
    };
    let mut done = Done::of(outcome);
    let env = bench.env.clone();
    let sight = bench.sight(&inner, &env);
    for (name, template) in &composite.outputs {
        match template.fill(&sight) {
            Ok(value) => {
                done.outputs.insert(name.clone(), value);
            }
            Err(says) => return Ok(fail(bench, &says)),
        }
    }
    Ok(done)
}

fn folder_name(action: &Uses) -> String {
    action.to_string().trim_start_matches("./").replace(['/', '@'], "-")
}

/// Copies a directory; a job cannot change the original.
fn copy(from: &Path, to: &Path) -> Result<(), Trouble> {
    let disk = |source| Trouble::Disk { doing: "copy an action", source };
    std::fs::create_dir_all(to).map_err(disk)?;
    for entry in std::fs::read_dir(from).map_err(disk)? {
        let entry = entry.map_err(disk)?;
        let target = to.join(entry.file_name());
        if entry.file_type().map_err(disk)?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target).map_err(disk)?;
        }
    }
    Ok(())
}

async fn stand_in(
    bench: &mut Bench<'_>,
    foreign: Foreign,
    given: &BTreeMap<String, String>,
    deadline: Instant,
) -> Result<Done, Trouble> {
    let done = match foreign {
        Foreign::Checkout => checkout::run(bench, given, deadline).await?,
        Foreign::UploadArtifact => artifacts::upload(bench, given)?,
        Foreign::DownloadArtifact => artifacts::download(bench, given)?,
        Foreign::Attest => attest::run(bench, given)?,
    };
    Ok(match done {
        Ok(outputs) => Done { outcome: Outcome::Success, outputs },
        Err(says) => fail(bench, &says),
    })
}
