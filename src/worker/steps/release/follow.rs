//! The run that publishes: started once for each try, followed to its end.
//!
//! Invariants: a run of that name is looked for before one is asked for; what counts as published
//! is what GitHub shows at the tag, on the merged commit.

use std::fmt::Write as _;

use crate::core::fault::ErrorKind;
use crate::core::release::{Release, ReleaseFact};
use crate::forge::WorkflowRun;
use crate::store::Claim;
use crate::worker::steps::release::{planned, wait};
use crate::worker::{Context, WorkError};

/// So often a run is looked for before it counts as never begun.
const MOST_LOOKS: u32 = 12;
const PAUSE_SECONDS: u64 = 20;
/// So many errors of each failed job are told.
const MOST_ERRORS: usize = 3;
/// Characters of each.
const LONGEST_ERROR: usize = 700;
/// A run that goes on is looked at less and less often: up to so many looks with that pause. In all
/// twelve hours; the webhook of its end comes before that.
const PAUSES: [(u32, u64); 3] = [(15, PAUSE_SECONDS), (30, 60), (99, 600)];

pub(in crate::worker) async fn run(
    ctx: &Context,
    release: &Release,
    claim: &Claim,
) -> Result<ReleaseFact, WorkError> {
    follow(ctx, release, claim.tries).await.map_err(patient)
}

/// How the run goes. Comes again while it goes on; `looks` is how often it came already.
async fn follow(ctx: &Context, release: &Release, looks: u32) -> Result<ReleaseFact, WorkError> {
    let attempt = release.tries;
    let (_, name) = names(release, attempt)?;
    let forge = &ctx.forge;
    let Some(run) = forge.run_named(&release.repo, &name).await? else {
        if looks < MOST_LOOKS {
            return Err(wait(PAUSE_SECONDS, "the release run has not begun yet"));
        }
        let why = format!(
            "No workflow run named \"{name}\" began. Is the release workflow on the default \
             branch, and are Actions enabled?"
        );
        return Ok(ReleaseFact::RunFailed { attempt, why });
    };
    if run.status.as_deref() != Some("completed") {
        if release.run_id != Some(run.id) {
            return Ok(ReleaseFact::RunSeen { attempt, run: run.id });
        }
        let pause = PAUSES.into_iter().find(|(most, _)| looks < *most);
        if let Some((_, pause)) = pause {
            return Err(wait(pause, "the release run goes on"));
        }
        let why = "The release run has been going on for twelve hours. Gander looks no more, but \
                   still hears of its end.";
        return Ok(ReleaseFact::RunFailed { attempt, why: why.to_owned() });
    }
    judged_run(ctx, release, &run).await
}

/// What came of the run, once it is over. `None`: it goes on.
pub(in crate::worker) async fn run_over(
    ctx: &Context,
    release: &Release,
) -> Result<Option<ReleaseFact>, WorkError> {
    let (_, name) = names(release, release.tries)?;
    let run = ctx.forge.run_named(&release.repo, &name).await?;
    match run.filter(|run| run.status.as_deref() == Some("completed")) {
        Some(run) => judged_run(ctx, release, &run).await.map(Some),
        None => Ok(None),
    }
}

async fn judged_run(
    ctx: &Context,
    release: &Release,
    run: &WorkflowRun,
) -> Result<ReleaseFact, WorkError> {
    let (attempt, forge) = (release.tries, &ctx.forge);
    let merged = release.merged.as_ref().ok_or_else(|| WorkError::bug("nothing was merged"))?;
    let tag = &planned(release)?.tag;
    Ok(match forge.released(&release.repo, tag, &merged.commit).await? {
        Some(url) => ReleaseFact::Published { attempt, url },
        None => {
            let how = run.conclusion.as_deref().unwrap_or("no conclusion");
            let mut why = format!("The release run ended with {how}, and {tag} is not out.");
            let failed = match forge.failed_jobs(&release.repo, run.id).await {
                // That it failed is told in any case.
                Err(error) if !matches!(error.kind(), ErrorKind::Retry { .. }) => {
                    tracing::warn!(%error, "why a release run failed was not to be had");
                    Vec::new()
                }
                failed => failed?,
            };
            for job in failed {
                let _ = write!(why, "\n\n{} failed", job.name);
                let said = job.errors.iter().take(MOST_ERRORS);
                for error in said {
                    why.push('\n');
                    why.extend(error.chars().take(LONGEST_ERROR));
                }
            }
            ReleaseFact::RunFailed { attempt, why }
        }
    })
}

/// The id that the workflow gets, and the name its run then has.
pub(in crate::worker) fn names(
    release: &Release,
    attempt: u32,
) -> Result<(String, String), WorkError> {
    let id =
        release.dispatch_id(attempt).ok_or_else(|| WorkError::bug("there is no pull request"))?;
    let name = format!("gander release {id}");
    Ok((id, name))
}

/// A run that cannot be asked about for a moment goes on all the same: its looks are no failed
/// tries.
fn patient(fault: WorkError) -> WorkError {
    match fault.kind {
        ErrorKind::Retry { after_seconds: None } => wait(PAUSE_SECONDS, &fault.text),
        ErrorKind::Retry { after_seconds: Some(_) }
        | ErrorKind::Permanent
        | ErrorKind::Withheld
        | ErrorKind::Bug => fault,
    }
}
