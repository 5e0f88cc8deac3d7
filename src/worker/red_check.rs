//! Whose fault a red check on a pull request seems to be.
//!
//! Invariants: what is remembered of a check only says where to look; that it came to both on one
//! commit is read from GitHub. Of checks of one name only those of the same workflow are compared.

use std::collections::BTreeSet;

use crate::clock::day_and_time;
use crate::core::check_history::{
    BROKEN_FOR_EVERYBODY, CheckInQuestion, REMEMBERED_DAYS, RedElsewhere, came_to_both, kept_name,
    red_elsewhere_today,
};
use crate::core::checks::CheckState;
use crate::core::github::RepoRef;
use crate::core::id::{Number, Sha, Timestamp};
use crate::core::job::{Job, MOST_RERUNS, RedBecause, RunAgain};
use crate::forge::ReportedCheck;
use crate::forge::payload::PullDetail;
use crate::worker::{Context, WorkError, patches};

/// So many commits are asked of GitHub, whether a check really came to both there.
const MOST_ASKED: usize = 3;
/// A person is asked to run a check again that was flaky on so many other commits.
const ENOUGH_TO_ASK: usize = 2;
/// At so many places where a check is red GitHub is asked whose pull request it is.
const MOST_PLACES: usize = 10;

/// Whose fault a red check seems to be.
pub(in crate::worker) async fn because(
    ctx: &Context,
    job: &Job,
    pull: &PullDetail,
    red: &ReportedCheck,
) -> Result<RedBecause, WorkError> {
    if red.wavered {
        let why = "it passed on this very commit before".to_owned();
        return Ok(RedBecause::Flaky { why, again: run_again(ctx, job, red).await? });
    }
    if red.state == CheckState::CutOff {
        // Somebody may have stopped it, and whatever hangs would hang again.
        let why = "it was cut off before it had a result".to_owned();
        return Ok(RedBecause::Flaky { why, again: RunAgain::ByPerson });
    }
    let blame = held_against_base(ctx, job, pull, red).await?;
    let history = RedHistory::read(ctx, job, pull, red).await?;
    if !history.says_anything() || points_at_change(ctx, job, red).await? {
        return Ok(blame);
    }
    if let Some(flaky) = history.flaky().await? {
        return Ok(flaky);
    }
    if blame != RedBecause::AlsoOnBase
        && let Some(pulls) = history.for_everybody().await?
    {
        return Ok(RedBecause::ForEverybody { pulls });
    }
    Ok(blame)
}

/// How it is run again: by us where it is a job of GitHub Actions and people gave the permission.
async fn run_again(ctx: &Context, job: &Job, red: &ReportedCheck) -> Result<RunAgain, WorkError> {
    let Some(run) = ctx.forge.actions_run(&job.repo, red.suite).await? else {
        return Ok(RunAgain::ByPerson);
    };
    Ok(if run.attempt > MOST_RERUNS {
        RunAgain::Spent
    } else if !ctx.forge.may_rerun(&job.repo).await? {
        RunAgain::ByPerson
    } else if run.over {
        RunAgain::ByUs { run: run.id, attempt: run.attempt }
    } else {
        RunAgain::Later
    })
}

/// What is remembered of a red check.
struct RedHistory<'a> {
    ctx: &'a Context,
    job: &'a Job,
    red: &'a ReportedCheck,
    /// Other commits on which it seems to have come to both, and when it last ended there.
    both: Vec<(Sha, Timestamp)>,
    /// Where else it is red today, with nothing green since.
    elsewhere: Vec<RedElsewhere>,
    own: Number,
}

impl<'a> RedHistory<'a> {
    async fn read(
        ctx: &'a Context,
        job: &'a Job,
        pull: &'a PullDetail,
        red: &'a ReportedCheck,
    ) -> Result<Self, WorkError> {
        let now = ctx.clock.now();
        let since = now.plus_seconds(-REMEMBERED_DAYS * 24 * 60 * 60);
        let name = kept_name(&red.name);
        let results = ctx.store.check_results(job.repo.repo_id, since, Some(&name)).await?;
        let number = format!("#{}", pull.number);
        let of = CheckInQuestion {
            name: &red.name,
            app: red.app,
            sha: &pull.head.sha,
            own_places: [&number, &pull.head.branch],
            base: &pull.base.branch,
        };
        let both = came_to_both(&results, &of).into_iter().take(MOST_ASKED);
        let both = both.map(|(sha, last)| (sha.clone(), last)).collect();
        let elsewhere = red_elsewhere_today(&results, &of, now);
        Ok(Self { ctx, job, red, both, elsewhere, own: pull.number })
    }

    fn says_anything(&self) -> bool {
        !self.both.is_empty() || self.elsewhere.len() >= BROKEN_FOR_EVERYBODY
    }

    /// Whether it is flaky, and what becomes of it then.
    async fn flaky(&self) -> Result<Option<RedBecause>, WorkError> {
        let mut shown = Vec::new();
        for (sha, last) in &self.both {
            if self.really_came_to_both(sha).await? {
                shown.push((sha.short(), day_and_time(*last)));
            }
        }
        let Some((sha, day)) = shown.first() else { return Ok(None) };
        let again = run_again(self.ctx, self.job, self.red).await?;
        let counts = match again {
            RunAgain::ByUs { .. } | RunAgain::Later => true,
            // One that stays red however often it is run is no accident.
            RunAgain::Spent => self.red.reds <= MOST_RERUNS,
            // A person's time is worth more than a run: one accident is not enough to ask for it.
            RunAgain::ByPerson => self.red.reds <= 1 && shown.len() >= ENOUGH_TO_ASK,
        };
        let why = format!("on {sha} it came to red and to green ({day})");
        Ok(counts.then_some(RedBecause::Flaky { why, again }))
    }

    /// Jobs of one name look the same in what is remembered: GitHub tells them apart.
    async fn really_came_to_both(&self, sha: &Sha) -> Result<bool, WorkError> {
        let there = match self.ctx.forge.checks(&self.job.repo, sha).await {
            // The commit is gone.
            Err(error) if matches!(error.status(), Some(404 | 422)) => return Ok(false),
            there => there?,
        };
        let same = there.into_iter().filter(|it| it.name == self.red.name);
        let both = same.filter(|it| it.app == self.red.app && it.came_to_both).collect();
        let both = of_same_workflow(self.ctx, &self.job.repo, self.red, both).await?;
        Ok(!both.is_empty())
    }

    /// The other pull requests on which it is red, where it is so on many.
    async fn for_everybody(&self) -> Result<Option<Vec<Number>>, WorkError> {
        if self.elsewhere.len() < BROKEN_FOR_EVERYBODY {
            return Ok(None);
        }
        let (forge, repo) = (&self.ctx.forge, &self.job.repo);
        let of = forge.workflow_of(repo, self.red.suite).await?;
        let mut pulls = BTreeSet::new();
        for it in self.elsewhere.iter().take(MOST_PLACES) {
            let other = forge.workflow_of(repo, it.suite).await?;
            if of.is_some() && other.is_some() && other != of {
                continue;
            }
            let pull = match it.pull {
                Some(pull) => Some(pull),
                None => forge.pull_with(repo, &it.sha).await?,
            };
            pulls.extend(pull.filter(|pull| *pull != self.own));
        }
        let many = pulls.len() >= BROKEN_FOR_EVERYBODY;
        Ok(many.then(|| pulls.into_iter().collect()))
    }
}

async fn held_against_base(
    ctx: &Context,
    job: &Job,
    pull: &PullDetail,
    red: &ReportedCheck,
) -> Result<RedBecause, WorkError> {
    let mut there = ctx.forge.checks(&job.repo, &pull.base.sha).await?;
    there.retain(|it| it.name == red.name && it.app == red.app);
    let there = of_same_workflow(ctx, &job.repo, red, there).await?;
    let is_green = |it: &&ReportedCheck| it.state == CheckState::Green;
    let reds_beside = |it: &ReportedCheck| reds_in(&there, it);
    Ok(if there.iter().filter(is_green).any(|it| reds_beside(it) == 0) {
        RedBecause::Change
    } else if let Some(most) = there.iter().filter(is_green).map(reds_beside).max() {
        // Jobs of one name, of which some are red there: so many of these may be the same ones.
        let here = ctx.forge.checks(&job.repo, &pull.head.sha).await?;
        if reds_in(&here, red) > most { RedBecause::Change } else { RedBecause::AlsoOnBase }
    } else if there.iter().any(|it| it.state == CheckState::Red) {
        RedBecause::AlsoOnBase
    } else if points_at_change(ctx, job, red).await? {
        RedBecause::Touched
    } else {
        RedBecause::NeverOnBase
    })
}

/// How many checks of one name are red in the suite of one of them: more than one have it in a
/// matrix whose jobs are named alike.
fn reds_in(checks: &[ReportedCheck], of: &ReportedCheck) -> usize {
    let twins = checks.iter().filter(|it| {
        of.suite.is_some() && it.suite == of.suite && it.name == of.name && it.app == of.app
    });
    twins.filter(|it| it.state == CheckState::Red).count()
}

/// Whether what a check says is wrong stands in a file that Gander changed.
async fn points_at_change(
    ctx: &Context,
    job: &Job,
    red: &ReportedCheck,
) -> Result<bool, WorkError> {
    let (Some(run), Some(proposal)) = (red.run, job.proposal()) else { return Ok(false) };
    let Some(patch) = patches::kept(ctx.store.as_ref(), &proposal.patch).await? else {
        return Ok(false);
    };
    let said = ctx.forge.annotations(&job.repo, run).await?;
    let of_it = |path: &str| said.iter().any(|line| line.starts_with(&format!("{path}:")));
    Ok(patch.changes.keys().any(|path| of_it(path.as_str())))
}

/// Of checks with one name those of the same workflow, and those of which GitHub does not say.
async fn of_same_workflow(
    ctx: &Context,
    repo: &RepoRef,
    red: &ReportedCheck,
    checks: Vec<ReportedCheck>,
) -> Result<Vec<ReportedCheck>, WorkError> {
    let forge = &ctx.forge;
    if checks.is_empty() {
        return Ok(checks);
    }
    let Some(of) = forge.workflow_of(repo, red.suite).await? else { return Ok(checks) };
    let mut same = Vec::new();
    for check in checks {
        if forge.workflow_of(repo, check.suite).await?.is_none_or(|other| other == of) {
            same.push(check);
        }
    }
    Ok(same)
}
