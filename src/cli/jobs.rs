//! `gander jobs`: what a server has to do, beside it.
//!
//! Invariants: a job is changed by its server alone: what is asked for here stands in the queue, and
//! is in the audit log as the operator's.

use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;

use super::beside::{Beside, BesideServer};
use super::{AnyError, CommandResult, say, say_json};
use crate::clock::{day_and_time, rfc_3339};
use crate::core::id::JobId;
use crate::core::job::{Job, JobStage};
use crate::core::machine::Machine;
use crate::core::report;
use crate::core::task::{OperatorOrder, Task};
use crate::metrics::dollars;
use crate::store::{JobQuery, ListedJob, LogLine, LogPlace, WaitingTask};

mod words;

use words::waits_for;

/// See what jobs a server has, follow, stop and repeat them
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct JobsCommand {
    #[command(subcommand)]
    verb: Option<JobsVerb>,
    /// Those that are over, too: the newest 100
    #[arg(long)]
    all: bool,
    /// For programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    beside: BesideServer,
}

/// What to do with one
#[derive(Debug, clap::Subcommand)]
enum JobsVerb {
    /// Its history, what it cost, and why it stands
    Show {
        /// Its id, or how that begins
        job: String,
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// What jobs learn, as it happens
    Follow {
        /// Only this one, until it is over
        job: Option<String>,
    },
    /// Stop it, as a `cancel` on GitHub would
    Cancel {
        /// Its id, or how that begins
        job: String,
    },
    /// Take it up again, for whoever asked for it
    Retry {
        /// Its id, or how that begins
        job: String,
    },
}

/// More are not told at once.
const MOST_LISTED: u32 = 100;
/// How often the database is looked at.
const LOOKS_EVERY: Duration = Duration::from_millis(250);
/// How long the server is waited for, in looks: ten seconds.
const MOST_LOOKS: usize = 40;
/// So many lines are told of before it is followed.
const LINES_BEFORE: u32 = 10;

/// Runs the subcommand.
///
/// # Errors
/// When the database cannot be used, or there is no such job.
pub fn run(command: &JobsCommand) -> CommandResult {
    command.beside.with_store(async |beside| match &command.verb {
        None => list(beside, command.all, command.json).await,
        Some(JobsVerb::Show { job, json }) => show(beside, job, *json || command.json).await,
        Some(JobsVerb::Follow { job }) => follow(beside, job.as_deref()).await,
        Some(JobsVerb::Cancel { job }) => cancel(beside, job).await,
        Some(JobsVerb::Retry { job }) => retry(beside, job).await,
    })
}

/// A job for programs.
#[derive(Serialize)]
struct JobView {
    id: String,
    repository: String,
    issue: u64,
    pull: Option<u64>,
    stage: &'static str,
    /// When it last learnt anything.
    since: String,
    /// In US dollars.
    cost: f64,
    asked_by: String,
    waits_for: Option<String>,
}

/// The same with all that is known.
#[derive(Serialize)]
struct WholeView {
    #[serde(flatten)]
    job: JobView,
    /// In US dollars.
    budget: f64,
    follows: Option<String>,
    base: Option<String>,
    head: Option<String>,
    ending: Option<String>,
    tasks: Vec<TaskView>,
    log: Vec<LineView>,
}

#[derive(Serialize)]
struct TaskView {
    task: String,
    due: String,
    tries: u32,
    at_work: bool,
    fault: Option<String>,
}

#[derive(Serialize)]
struct LineView {
    at: String,
    text: String,
}

/// A job as it stands, and what stands in the queue for it.
struct SeenJob {
    listed: ListedJob,
    tasks: Vec<WaitingTask>,
    waits_for: Option<String>,
}

impl SeenJob {
    fn job(&self) -> &Job {
        &self.listed.stored.machine
    }

    fn view(&self) -> JobView {
        let job = self.job();
        JobView {
            id: job.id.to_string(),
            repository: job.repo.name.to_string(),
            issue: job.subject.0,
            pull: job.pull.as_ref().map(|pull| pull.number.0),
            stage: (&job.stage).into(),
            since: rfc_3339(self.listed.since),
            cost: dollars(job.spent.micros()),
            asked_by: job.order.login.to_string(),
            waits_for: self.waits_for.clone(),
        }
    }
}

async fn look_at(beside: &Beside, listed: ListedJob) -> Result<SeenJob, AnyError> {
    let job = &listed.stored.machine;
    let tasks = beside.store.waiting(&Task::lanes_of(job)).await?;
    let paused = beside.store.paused().await?.is_some();
    let waits_for = waits_for(job, &tasks, paused, beside.clock.steady());
    Ok(SeenJob { listed, tasks, waits_for })
}

async fn list(beside: &Beside, all: bool, json: bool) -> CommandResult {
    let which = if all { JobQuery::All } else { JobQuery::NotOver };
    let mut seen = Vec::new();
    for listed in beside.store.list_jobs(&which, MOST_LISTED).await? {
        seen.push(look_at(beside, listed).await?);
    }
    if json {
        say_json(&seen.iter().map(SeenJob::view).collect::<Vec<_>>())?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(since) = beside.store.paused().await? {
        let since = day_and_time(since);
        say(format!("Paused since {since}: nothing new begins (`gander pause --resume`).\n"));
    }
    for it in &seen {
        let job = it.job();
        let subject = format!("{}#{}", job.repo.name, job.subject);
        say(format!(
            "{}  {subject}  {}  since {}  {}{}",
            job.id,
            job.stage.name(),
            day_and_time(it.listed.since),
            job.spent,
            it.waits_for.as_ref().map_or_else(String::new, |it| format!("  waits for {it}"))
        ));
    }
    if seen.is_empty() {
        say(if all { "There was no job yet." } else { "No job is under way." });
    } else if seen.len() == MOST_LISTED as usize {
        say(format!("\nThese are the newest {MOST_LISTED}."));
    }
    Ok(ExitCode::SUCCESS)
}

/// The one job that was meant.
async fn meant(beside: &Beside, name: &str) -> Result<SeenJob, AnyError> {
    let mut found = beside.store.list_jobs(&JobQuery::Named(name.to_lowercase()), 6).await?;
    // A whole id is no beginning of another.
    if let Some(exact) = found.iter().position(|it| it.stored.machine.id.as_str() == name) {
        found = vec![found.swap_remove(exact)];
    }
    match found.len() {
        0 => Err(format!(
            "there is no job {name:?}: `gander jobs --all` lists the newest, by their ids"
        )
        .into()),
        1 => look_at(beside, found.swap_remove(0)).await,
        _ => {
            let ids = found.iter().map(|it| {
                let job = &it.stored.machine;
                format!("  {}  {}#{}", job.id, job.repo.name, job.subject)
            });
            let ids: Vec<String> = ids.collect();
            Err(format!(
                "more than one job begins with {name:?}; write more of it:\n{}",
                ids.join("\n")
            )
            .into())
        }
    }
}

async fn show(beside: &Beside, name: &str, json: bool) -> CommandResult {
    let seen = meant(beside, name).await?;
    let job = seen.job();
    let log = beside.store.log(&job.id).await?;
    if json {
        say_json(&whole_view(&seen, log))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut lines = vec![
        ("job", job.id.to_string()),
        ("repository", job.repo.name.to_string()),
        ("issue", format!("#{}", job.subject)),
        ("asked for by", format!("{}, {}", job.order.login, day_and_time(job.order.at))),
        ("stage", format!("{}, since {}", job.stage.name(), day_and_time(seen.listed.since))),
        ("cost", format!("{} of {}", job.spent, job.budget())),
    ];
    lines.extend(job.follows.as_ref().map(|id| ("takes up", id.to_string())));
    lines.extend(job.base().map(|base| ("base", format!("{} of {}", base.sha, base.branch))));
    lines.extend(job.pull.as_ref().map(|it| ("pull request", format!("#{}", it.number))));
    lines.extend(job.pull.as_ref().map(|it| ("head", it.head.to_string())));
    lines.extend(job.stage.ending().map(|_| ("ended", plain(&report::headline(job)))));
    lines.extend(seen.waits_for.clone().map(|it| ("waits for", it)));
    for (name, value) in lines {
        say(format!("{name:>13}  {value}"));
    }
    for task in &seen.tasks {
        say(format!("{:>13}  {}", "queued", words::task_line(task)));
    }
    say("");
    for line in log {
        say(format!("{}  {}", day_and_time(line.at), line.text));
    }
    Ok(ExitCode::SUCCESS)
}

fn whole_view(seen: &SeenJob, log: Vec<LogLine>) -> WholeView {
    let job = seen.job();
    let task = |it: &WaitingTask| TaskView {
        task: words::task_name(&it.task),
        due: rfc_3339(it.due),
        tries: it.tries,
        at_work: it.taken,
        fault: it.fault.clone(),
    };
    WholeView {
        job: seen.view(),
        budget: dollars(job.budget().micros()),
        follows: job.follows.as_ref().map(ToString::to_string),
        base: job.base().map(|base| base.sha.to_string()),
        head: job.pull.as_ref().map(|pull| pull.head.to_string()),
        ending: job.stage.ending().map(|ending| <&str>::from(ending).to_owned()),
        tasks: seen.tasks.iter().map(task).collect(),
        log: log
            .into_iter()
            .map(|line| LineView { at: rfc_3339(line.at), text: line.text })
            .collect(),
    }
}

/// Without the marks of Markdown.
fn plain(text: &str) -> String {
    text.replace(['*', '`'], "")
}

async fn follow(beside: &Beside, name: Option<&str>) -> CommandResult {
    let job = match name {
        Some(name) => Some(meant(beside, name).await?.job().id.clone()),
        None => None,
    };
    let mut from = LogPlace::Last(LINES_BEFORE);
    loop {
        // Looked at before the lines are, so that its last one is told.
        let over = match &job {
            Some(id) => beside.store.job(id).await?.is_none_or(|it| it.machine.is_done()),
            None => false,
        };
        let lines = beside.store.log_lines(from, job.as_ref()).await?;
        for it in &lines {
            let about = it.about.as_deref().unwrap_or("-");
            say(format!("{}  {about}  {}", day_and_time(it.line.at), it.line.text));
        }
        from = match lines.last() {
            Some(last) => LogPlace::After(last.number),
            None if from == LogPlace::Last(LINES_BEFORE) => LogPlace::After(0),
            None => from,
        };
        if over {
            return Ok(ExitCode::SUCCESS);
        }
        tokio::time::sleep(LOOKS_EVERY).await;
    }
}

async fn cancel(beside: &Beside, name: &str) -> CommandResult {
    let seen = meant(beside, name).await?;
    let job = seen.job();
    if job.is_done() {
        return Err(over_already(job).into());
    }
    if let JobStage::Merging { .. } = job.stage {
        return Err(format!(
            "{} is being merged at this moment, which may have happened already: GitHub decides",
            job.id
        )
        .into());
    }
    order(beside, OperatorOrder::Cancel { job_id: job.id.clone() }).await?;
    for _ in 0..MOST_LOOKS {
        let now = beside.store.job(&job.id).await?;
        if let Some(now) = now.filter(|it| it.machine.is_done()) {
            say(format!("{}: {}.", job.id, plain(&report::headline(&now.machine))));
            return Ok(ExitCode::SUCCESS);
        }
        tokio::time::sleep(LOOKS_EVERY).await;
    }
    say(format!("{}: {NOT_YET}", job.id));
    Ok(ExitCode::SUCCESS)
}

const NOT_YET: &str = "it is written down, and no server has done it yet. It is done as soon as one \
                       works with this database.";

fn over_already(job: &Job) -> String {
    format!(
        "{} is over already ({}): `gander jobs retry {}` takes it up again",
        job.id,
        plain(&report::headline(job)),
        job.id
    )
}

async fn retry(beside: &Beside, name: &str) -> CommandResult {
    let seen = meant(beside, name).await?;
    let job = seen.job();
    if !job.is_done() {
        return Err(format!(
            "{} is under way ({}): `gander jobs cancel {}` stops it",
            job.id,
            job.stage.name(),
            job.id
        )
        .into());
    }
    let here = beside.store.jobs_on(job.repo.repo_id, job.subject).await?;
    if let Some(other) = here.iter().map(|it| &it.machine).find(|it| !it.is_done()) {
        return Err(format!(
            "another job is under way on {}#{}: {} ({})",
            job.repo.name,
            job.subject,
            other.id,
            other.stage.name()
        )
        .into());
    }
    let key = format!("operator/retry/{}/{}", job.id, beside.clock.now().0);
    let new = JobId::of_trigger(&key);
    order(beside, OperatorOrder::Retry { job_id: job.id.clone(), key }).await?;
    for _ in 0..MOST_LOOKS {
        if beside.store.job(&new).await?.is_some() {
            say(format!("{new} takes up {}, for {}.", job.id, job.order.login));
            return Ok(ExitCode::SUCCESS);
        }
        tokio::time::sleep(LOOKS_EVERY).await;
    }
    say(format!("{new}: {NOT_YET}"));
    Ok(ExitCode::SUCCESS)
}

async fn order(beside: &Beside, order: OperatorOrder) -> Result<(), AnyError> {
    Ok(beside.store.enqueue(&Task::Operator(order), beside.clock.steady()).await?)
}
