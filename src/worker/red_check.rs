//! Whose fault a red check on a pull request seems to be.
//!
//! Invariants: what is remembered of a check only says where to look; that it came to both on one
//! commit is read from GitHub. Of checks of one name only those of the same workflow are compared.

use crate::clock::day_and_time;
use crate::core::check_history::{
    BROKEN_FOR_EVERYBODY, CheckInQuestion, CheckResult, REMEMBERED_DAYS, RedElsewhere,
    came_to_both, kept_name, red_elsewhere_today, red_on_base_today,
};
use crate::core::checks::CheckState;
use crate::core::github::RepoRef;
use crate::core::id::Timestamp;
use crate::core::job::{Job, MOST_RERUNS, RedBecause, RunAgain};
use crate::forge::ReportedCheck;
use crate::forge::payload::PullDetail;
use crate::worker::{Context, WorkError, patches};

/// So many commits are asked of GitHub, whether a check really came to both there.
const MOST_ASKED: usize = 3;
/// So many places are named where a check is red.
const MOST_PLACES: usize = 8;

/// Whose fault a red check seems to be.
pub(in crate::worker) async fn because(
    ctx: &Context,
    job: &Job,
    pull: &PullDetail,
    red: &ReportedCheck,
) -> Result<RedBecause, WorkError> {
    let shown = match (red.wavered, red.state) {
        (true, _) => Some("it passed on this very commit before"),
        (false, CheckState::CutOff) => Some("it was cut off before it had a result"),
        (false, _) => None,
    };
    if let Some(why) = shown {
        let again = run_again(ctx, job, red).await?;
        return Ok(RedBecause::Flaky { why: why.to_owned(), again });
    }
    let history = RedHistory::read(ctx, job, pull, red).await?;
    if let Some(why) = history.flaky().await? {
        let again = run_again(ctx, job, red).await?;
        // One that stays red however often it is run is no accident.
        let again_red = match again {
            RunAgain::Spent => true,
            RunAgain::ByPerson => red.reds > 1,
            RunAgain::ByUs { .. } | RunAgain::Later => false,
        };
        if !again_red {
            return Ok(RedBecause::Flaky { why, again });
        }
    }
    if let Some(places) = history.for_everybody().await? {
        return Ok(RedBecause::ForEverybody { places });
    }
    held_against_base(ctx, job, pull, red).await
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
    results: Vec<CheckResult>,
    /// The pull request and its branch, as results name them.
    own_places: [String; 2],
    pull: &'a PullDetail,
    now: Timestamp,
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
        let own_places = [format!("#{}", pull.number), pull.head.branch.clone()];
        Ok(Self { ctx, job, red, results, own_places, pull, now })
    }

    fn question(&self) -> CheckInQuestion<'_> {
        CheckInQuestion {
            name: &self.red.name,
            app: self.red.app,
            sha: &self.pull.head.sha,
            own_places: self.own_places.each_ref().map(String::as_str),
            base: &self.pull.base.branch,
        }
    }

    /// Why it looks flaky, if it does.
    async fn flaky(&self) -> Result<Option<String>, WorkError> {
        let of = self.question();
        for (sha, last) in came_to_both(&self.results, &of).into_iter().take(MOST_ASKED) {
            // Jobs of one name look the same in what is remembered: GitHub tells them apart.
            let there = self.ctx.forge.checks(&self.job.repo, sha).await?;
            let same = there.into_iter().filter(|it| it.name == self.red.name);
            let both = same.filter(|it| it.app == self.red.app && it.came_to_both).collect();
            if !of_same_workflow(self.ctx, &self.job.repo, self.red, both).await?.is_empty() {
                let day = day_and_time(last);
                let sha = sha.short();
                return Ok(Some(format!("on {sha} it came to red and to green ({day})")));
            }
        }
        let base = red_on_base_today(&self.results, &of, self.now);
        let elsewhere = red_elsewhere_today(&self.results, &of, self.now);
        let somewhere = elsewhere.first().filter(|_| base).map(|it| it.place.as_str());
        let green_there = match somewhere {
            Some(_) => self.is_green_on_base().await?,
            None => false,
        };
        Ok(somewhere.filter(|_| green_there).map(|place| {
            let base = &self.pull.base.branch;
            format!("within a day it was red on {base} too, where it is green now, and on {place}")
        }))
    }

    async fn is_green_on_base(&self) -> Result<bool, WorkError> {
        let there = self.ctx.forge.checks(&self.job.repo, &self.pull.base.sha).await?;
        let is_it = |it: &&ReportedCheck| it.name == self.red.name && it.app == self.red.app;
        Ok(there.iter().filter(is_it).any(|it| it.state == CheckState::Green))
    }

    /// The other pull requests on which it is red, where it is so on many.
    async fn for_everybody(&self) -> Result<Option<Vec<String>>, WorkError> {
        let elsewhere = red_elsewhere_today(&self.results, &self.question(), self.now);
        if elsewhere.len() < BROKEN_FOR_EVERYBODY {
            return Ok(None);
        }
        let (forge, repo) = (&self.ctx.forge, &self.job.repo);
        let of = forge.workflow_of(repo, self.red.suite).await?;
        let mut places = Vec::new();
        for RedElsewhere { place, suite } in elsewhere.into_iter().take(MOST_PLACES) {
            let other = forge.workflow_of(repo, suite).await?;
            if of.is_none() || other.is_none() || other == of {
                places.push(as_place(&place));
            }
        }
        Ok((places.len() >= BROKEN_FOR_EVERYBODY).then_some(places))
    }
}

/// A pull request is linked by GitHub, a branch is set in code.
fn as_place(place: &str) -> String {
    let number = place.strip_prefix('#').unwrap_or_default();
    if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) {
        return place.to_owned();
    }
    format!("`{}`", place.replace('`', ""))
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
