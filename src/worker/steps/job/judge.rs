//! Asks a model, apart from the author, what it thinks of a verified change.
//!
//! Invariants: whatever the model says or fails at, the job goes on; what its replies cost is
//! counted, also those of a try that died.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::agent::judge::{self, JudgedChange, JudgedFile};
use crate::agent::transcript::Transcript;
use crate::agent::{AgentContext, AgentError};
use crate::core::budget::Budget;
use crate::core::evidence::Evidence;
use crate::core::fault::ErrorKind;
use crate::core::job::{Job, JobFact};
use crate::core::judgement::SecondOpinion;
use crate::core::patch::{Change, Patch, is_binary};
use crate::core::path::RepoPath;
use crate::core::policy::ProofMode;
use crate::core::proof::{ProofOutcome, ProvenTest, TakenBack, WeakTest, WithoutPart};
use crate::core::report::outcome_words;
use crate::verify::is_code;
use crate::worker::attempt::check_lines;
use crate::worker::job_context::JobContext;
use crate::worker::steps::job::{about, rules_and_base};
use crate::worker::{WorkError, checks, patches};
use crate::workspace::diff;

pub(in crate::worker) async fn run(
    ctx: &JobContext,
    job: &Job,
    round: u32,
    stop: &CancellationToken,
) -> Result<JobFact, WorkError> {
    let (rules, base) = rules_and_base(job)?;
    let patch = patches::proposed(ctx.store.as_ref(), job).await?;
    let digest = patch.digest();
    let entries = ctx.mirror.list(&base.sha).await?;
    let mirror = ctx.mirror.clone();
    let files = checks::blocking(move || {
        let base = diff::base_files(&mirror, &entries, &patch)?;
        Ok::<_, WorkError>(files(&patch, &base))
    })
    .await??;
    let input = about(job, rules, base);
    let issue = format!("{}\n\n{}", input.issue.title, input.issue.body);
    let said = std::iter::once(input.request)
        .chain(input.notes.iter().take(job.notes_read).map(|it| it.words.as_str()));
    let request = said.filter(|it| !it.is_empty()).collect::<Vec<_>>().join("\n\n");
    let mode = rules.proof.mode;
    let evidence = job.evidence().map(|it| what_was_run(it, mode)).unwrap_or_default();
    let change = JudgedChange {
        kind: input.kind,
        round,
        issue: &issue,
        request: &request,
        review: input.round,
        files: &files,
        evidence: &evidence,
        flags: job.proposal().map_or(&[], |proposal| &proposal.flags),
        record: ctx.store.judge_record(job.repo.repo_id).await?,
    };
    let log = ctx.records.join(format!("r{round}-judge")).join("transcript.jsonl");
    let mut transcript = Transcript::open(&log).map_err(|error| WorkError::passing(&error))?;
    let mut budget = Budget::new(job.budget().saturating_sub(job.spent));
    let spent = transcript.cost_so_far(&ctx.judge.price());
    budget.book(spent.map_err(|error| WorkError::passing(&error))?);
    let mut means = AgentContext {
        model: ctx.judge.as_ref(),
        slot: &ctx.slot,
        tools: &[],
        budget: &mut budget,
        transcript: &mut transcript,
        notes: None,
        waited: Duration::ZERO,
        stop,
        end_of_tools: stop,
    };
    let opinion = match judge::judge(&change, &mut means, ctx.model_pause).await {
        Ok(Some(opinion)) => opinion,
        Ok(None) => return Err(WorkError::later("the job was stopped from outside".to_owned())),
        Err(AgentError::Model(error)) if error.kind() != ErrorKind::Withheld => {
            SecondOpinion::Missing(error.to_string())
        }
        Err(error) => return Err(error.into()),
    };
    Ok(JobFact::Judged { round, patch: digest, opinion, cost: budget.spent() })
}

/// What ran and what came out, without any word of the author: what its tests say, and their names,
/// stand in quotes, so that they are no lines of ours.
fn what_was_run(evidence: &Evidence, mode: ProofMode) -> String {
    let mut text = check_lines(evidence);
    text.push_str(outcome_words(evidence.outcome()));
    text.push('\n');
    let mut say = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    for what in evidence.needs_a_person(mode) {
        say(format!("a person has to look first: {}", quoted(&what)));
    }
    let Some(proof) = &evidence.proof else { return text };
    match &proof.outcome {
        ProofOutcome::Proven => {}
        ProofOutcome::GreenOnBase => say("its tests pass without the rest of it, too".to_owned()),
        ProofOutcome::OnlyTests(_) => say("what failed passes as the test is another".to_owned()),
        ProofOutcome::NoTest => say("no test fails without it".to_owned()),
        ProofOutcome::TestsNotRun => say("the checks do not run its tests".to_owned()),
        ProofOutcome::OnlyMissing(_) => {
            say("without the rest of it its tests fail only as something is missing".to_owned());
        }
        ProofOutcome::Unstable { .. } => say("its tests waver".to_owned()),
        ProofOutcome::NotTried(why) => say(format!("more was not tried: {why}")),
    }
    for told in &proof.under_base_settings {
        say(format!("with hooks and settings as they were: {}", quoted(told)));
    }
    for ProvenTest { id, on_base } in &proof.tests {
        let (id, on_base) = (quoted(id), quoted(on_base));
        say(format!("{id} passes with it, and fails without the rest of it, saying {on_base}"));
    }
    for WeakTest { id, .. } in &proof.weak_tests {
        say(format!("{} is new, and passes without the rest of it, too", quoted(id)));
    }
    for TakenBack { path, line, without, .. } in &proof.parts {
        let came_out = match without {
            WithoutPart::Red => "a test fails",
            WithoutPart::Green => "no test fails",
            WithoutPart::DoesNotBuild => "it does not build",
        };
        say(format!("without what changed at {path} line {line}: {came_out}"));
    }
    text
}

/// Others' words on one line, cut.
fn quoted(text: &str) -> String {
    const LONGEST: usize = 200;
    format!("{:?}", text.chars().take(LONGEST).collect::<String>())
}

fn files(patch: &Patch, base: &diff::BaseFiles) -> Vec<JudgedFile> {
    let file = |(path, change): (&RepoPath, &Change)| {
        let changes = [(path.clone(), change.clone())].into();
        let diff = diff::unified(&Patch { changes }, base);
        let lines = match change {
            Change::Write { content, .. } if !is_binary(content) => diff::lines_of(content).len(),
            Change::Write { .. } | Change::Delete { .. } => 0,
        };
        JudgedFile {
            path: path.to_string(),
            diff: String::from_utf8_lossy(&diff).into_owned(),
            lines: u32::try_from(lines).unwrap_or(u32::MAX),
            is_code: is_code(path.as_str()),
        }
    };
    patch.changes.iter().map(file).collect()
}
