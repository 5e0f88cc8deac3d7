//! Asks another model what it thinks of a verified change.
//!
//! Invariants: whatever the model says or fails at, the job goes on; what it cost is counted, also
//! that of a try that died.

use tokio_util::sync::CancellationToken;

use crate::agent::judge::{self, JudgedChange};
use crate::agent::transcript::Transcript;
use crate::agent::{AgentContext, AgentError};
use crate::core::budget::Budget;
use crate::core::evidence::Evidence;
use crate::core::fault::ErrorKind;
use crate::core::job::{Job, JobFact};
use crate::core::judgement::SecondOpinion;
use crate::core::patch::Patch;
use crate::core::proof::{ProvenTest, TakenBack, WeakTest, WithoutPart};
use crate::core::report::{outcome_words, why_not_proven};
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
    let (digest, paths) = (patch.digest(), paths(&patch));
    let entries = ctx.mirror.list(&base.sha).await?;
    let mirror = ctx.mirror.clone();
    let diff = checks::blocking(move || {
        let base = diff::base_files(&mirror, &entries, &patch)?;
        Ok::<_, WorkError>(String::from_utf8_lossy(&diff::unified(&patch, &base)).into_owned())
    })
    .await??;
    let input = about(job, rules, base);
    let issue = format!("{}\n\n{}", input.issue.title, input.issue.body);
    let evidence = job.evidence().map(what_was_run).unwrap_or_default();
    let change = JudgedChange {
        kind: input.kind,
        round,
        issue: &issue,
        request: input.request,
        review: input.round,
        diff: &diff,
        paths: &paths,
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
        tools: &[],
        budget: &mut budget,
        transcript: &mut transcript,
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

/// What ran and what came out, as the pull request says it, without any word of the author.
fn what_was_run(evidence: &Evidence) -> String {
    let mut text = check_lines(evidence);
    text.push_str(outcome_words(evidence.outcome()));
    text.push('\n');
    let Some(proof) = &evidence.proof else { return text };
    let mut say = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    if let Some(why) = why_not_proven(proof) {
        say(why);
    }
    for ProvenTest { id, on_base } in &proof.tests {
        say(format!("{id} passes with the change, and fails without the rest of it: {on_base}"));
    }
    for WeakTest { id, .. } in &proof.weak_tests {
        say(format!("{id} is new, and passes without the rest of the change, too"));
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

fn paths(patch: &Patch) -> Vec<String> {
    patch.changes.keys().map(ToString::to_string).collect()
}
