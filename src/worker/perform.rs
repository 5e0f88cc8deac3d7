//! What each task does. Everything here may be done twice, or again after being cut off anywhere.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::fix::{self, Attempt, AttemptEnd, Rooms};
use super::{Fault, Learnt, Outcome, Worker};
use crate::core::command::Role;
use crate::core::event::{Actor, RepoRef, SKIP_LABEL};
use crate::core::evidence::Verdict;
use crate::core::fault::FaultKind;
use crate::core::id::JobId;
use crate::core::job::{Base, Declined, Fact, Job, Stage, Step};
use crate::core::machine::Failure;
use crate::core::path::PatchDigest;
use crate::core::policy::{Decision, Denied, RULES_PATH, Rules, authorize};
use crate::core::report;
use crate::core::task::{Reply, Task};
use crate::forge::BranchHead;
use crate::publish::{self, Published, surface, talk};
use crate::store::{Claim, Commit};
use crate::workspace::mirror::{History, Mirror, MirrorError, Source, Want};
use crate::workspace::patch::Patch;

/// The longest a fetch may take.
const FETCH_TIME: Duration = Duration::from_secs(15 * 60);

impl Worker {
    // The steps' futures are large: each stands on the heap, not in the worker's stack.
    pub(super) async fn perform(
        &self,
        claim: &Claim,
        stop: &CancellationToken,
    ) -> Result<Outcome, Fault> {
        match &claim.task {
            Task::Delivery { event, payload, .. } => {
                Box::pin(self.decide(event, payload, claim.tries)).await
            }
            Task::NextOn { repo, number } => self.next_on(*repo, *number).await,
            Task::Reply(reply) => self.post_reply(reply).await.map(|()| Outcome::Done),
            Task::Sweep(sweep) => self.sweep(*sweep).await.map(|()| Outcome::Done),
            Task::Release { release, step } => {
                Box::pin(self.release_step(release, step, claim)).await
            }
            Task::NextRelease { repo, base } => self.next_release(*repo, base).await,
            Task::Step { job, step } => Box::pin(self.job_step(job, step, claim, stop)).await,
        }
    }

    async fn job_step(
        &self,
        id: &JobId,
        step: &Step,
        claim: &Claim,
        stop: &CancellationToken,
    ) -> Result<Outcome, Fault> {
        let Some(stored) = self.parts.store.job(id).await? else {
            return Err(Fault::bug("a task names a job that does not exist"));
        };
        let job = stored.job;
        let learnt = |fact| {
            let learnt = Learnt { job: id.clone(), fact, patch: None };
            Ok(Outcome::Learnt(Box::new(learnt)))
        };
        let awaited = step.spec().failure == Failure::Awaited;
        if awaited && !job.stage.awaits(step) {
            // The job has moved on meanwhile: there is nothing left to do for this task.
            return Ok(Outcome::Done);
        }
        let forge = &self.parts.forge;
        match step {
            Step::Acknowledge => talk::acknowledge_order(forge, &job).await?,
            Step::React { comment } => {
                talk::acknowledge(forge, &job.place, job.subject, Some(*comment)).await?;
            }
            Step::Show => Box::pin(self.show(&job)).await?,
            Step::Announce => Box::pin(self.announce(&job)).await?,
            Step::Undo => {
                let undone = publish::undo(forge, &job).await;
                forge.revoke_push_token(&job.place).await;
                undone?;
            }
            Step::Explain => Box::pin(self.explain(&job)).await?,
            Step::RefuseRound { limit } => Box::pin(self.refuse_round(&job, *limit)).await?,
            Step::CleanUp => {
                let cleaned = Box::pin(publish::clean_up(forge, &job)).await;
                forge.revoke_push_token(&job.place).await;
                cleaned?;
            }
            Step::Wake => return Ok(look_again(id)),
            Step::Look => {
                if !job.stage.is_in_review() {
                    return Ok(Outcome::Done);
                }
                return match Box::pin(self.look(&job)).await? {
                    Some(sight) => learnt(Fact::Seen(Box::new(sight))),
                    None => Ok(Outcome::Done),
                };
            }
            Step::CheckHead { head } => {
                return learnt(Box::pin(self.check_head(&job, head, stop)).await?);
            }
            Step::Start { round } => {
                return learnt(Box::pin(self.start_round(&job, *round)).await?);
            }
            Step::Answer { round } => {
                return learnt(Box::pin(self.answer_round(&job, *round)).await?);
            }
            Step::Merge { .. } => {
                self.still_held(claim).await?;
                let merged = Box::pin(self.merge(&job)).await;
                forge.revoke_push_token(&job.place).await;
                return learnt(merged?);
            }
            Step::Prepare => return learnt(Box::pin(self.prepare(&job)).await?),
            Step::Fix { round, attempt } => {
                return Box::pin(self.fix(&job, (*round, *attempt), stop)).await;
            }
            Step::Verify { round, attempt } => {
                return learnt(Box::pin(self.verify(&job, (*round, *attempt), stop)).await?);
            }
            Step::Publish { .. } => return learnt(Box::pin(self.publish(&job, claim)).await?),
            // A task of its own: `Task::NextOn`.
            Step::StartNext => {}
        }
        Ok(Outcome::Done)
    }

    async fn prepare(&self, job: &Job) -> Result<Fact, Fault> {
        let forge = &self.parts.forge;
        let (issue, repository) =
            tokio::try_join!(forge.issue(&job.place, job.subject), forge.repository(&job.place))?;
        let Some(issue) = issue.filter(|issue| issue.state == "open") else {
            return Ok(Fact::Declined(Declined::SubjectClosed));
        };
        if issue.labels.iter().any(|label| label.name.eq_ignore_ascii_case(SKIP_LABEL)) {
            return Ok(Fact::Declined(Declined::Skipped));
        }
        let actor = ordered_by(job);
        let (text, has) = tokio::try_join!(
            forge.file(&job.place, &repository.default_branch, RULES_PATH),
            forge.permission(&job.place, &actor)
        )?;
        let rules = match Rules::parse(&text.unwrap_or_default()) {
            Ok(rules) => rules,
            Err(bad) => {
                return Ok(Fact::Declined(Declined::BadConfig { problem: bad.to_string() }));
            }
        };
        let declined = match permission_lost(&actor, &rules, has) {
            None => self.over_limits(job, &rules).await?,
            lost => lost,
        };
        if let Some(declined) = declined {
            return Ok(Fact::Declined(declined));
        }
        let branch = match job.order.base.as_ref().or(rules.base.as_ref()) {
            Some(branch) => branch.clone(),
            None => repository.default_branch.parse().map_err(|bad| Fault::permanent(&bad))?,
        };
        let sha = match forge.branch_head(&job.place, &branch).await? {
            BranchHead::At(sha) => sha,
            BranchHead::EmptyRepository => return Ok(Fact::Declined(Declined::EmptyRepository)),
            BranchHead::Missing => return Ok(Fact::Declined(Declined::NoSuchBranch { branch })),
        };
        self.mirror(job, &sha).await?;
        let budget = self.budget(job, &rules);
        Ok(Fact::Prepared { base: Base { branch, sha }, rules, budget })
    }

    async fn fix(
        &self,
        job: &Job,
        (round, number): (u32, u32),
        stop: &CancellationToken,
    ) -> Result<Outcome, Fault> {
        let (rules, base) = rules_and_base(job)?;
        let former = match &job.proposal {
            Some(proposal) => self.patch(&proposal.patch).await?,
            None => None,
        };
        let rooms = self.rooms(job, base).await?;
        let attempt = Attempt {
            round,
            number,
            budget: job.budget.saturating_sub(job.spent),
            former: former.as_ref().map(|patch| (patch, job.evidence.as_ref())),
            stop,
        };
        let result = fix::attempt(&about(job, rules, base), &rooms, &attempt).await?;
        let cost = result.cost;
        let mut kept = None;
        let fact = match result.end {
            AttemptEnd::Proposed(patch, proposal) => {
                let bytes = serde_json::to_vec(&patch).map_err(|error| Fault::permanent(&error))?;
                kept = Some((proposal.patch.clone(), bytes));
                Fact::Proposed { round, attempt: number, proposal, cost }
            }
            AttemptEnd::NothingToFix(why) => {
                Fact::NothingToFix { round, attempt: number, why, cost }
            }
            AttemptEnd::Failed(why) => Fact::AttemptFailed { round, attempt: number, why, cost },
            AttemptEnd::OutOfBudget(why) => Fact::OutOfBudget { why: format!("{why}."), cost },
            AttemptEnd::Stopped => {
                let text = "the attempt was stopped from outside".to_owned();
                return Err(Fault { kind: FaultKind::Retry { after_seconds: None }, text });
            }
        };
        Ok(Outcome::Learnt(Box::new(Learnt { job: job.id.clone(), fact, patch: kept })))
    }

    async fn verify(
        &self,
        job: &Job,
        (round, attempt): (u32, u32),
        stop: &CancellationToken,
    ) -> Result<Fact, Fault> {
        let (rules, base) = rules_and_base(job)?;
        let patch = self.proposed(job).await?;
        let rooms = self.rooms(job, base).await?;
        let logs = rooms.records.join(format!("r{round}-a{attempt}"));
        let evidence = fix::check(&about(job, rules, base), &rooms, &patch, &logs, stop).await?;
        Ok(Fact::Verified(evidence))
    }

    async fn publish(&self, job: &Job, claim: &Claim) -> Result<Fact, Fault> {
        let (rules, base) = rules_and_base(job)?;
        let Some(Verdict::Green(verified)) = job.evidence.as_ref().map(|e| e.verdict()) else {
            return Err(Fault::bug("publishing was asked for without a green verdict"));
        };
        let asker = asked_by(job);
        let has = self.parts.forge.permission(&job.place, &asker).await?;
        if let Some(lost) = permission_lost(&asker, rules, has) {
            return Ok(Fact::Declined(lost));
        }
        let patch = self.proposed(job).await?;
        if let Some(held) = self.held_back(job, rules, base, &patch).await? {
            return Ok(held);
        }
        self.still_held(claim).await?;
        let setting = self.setting(job);
        let pull = publish::pull_request(&self.parts.forge, job, &verified, &patch, &setting).await;
        self.parts.forge.revoke_push_token(&job.place).await;
        Ok(match pull? {
            Published::Open(pull) => Fact::Published { pull },
            Published::Ended { merged } => Fact::Closed { by: None, merged },
            Published::Moved { head } => Fact::HeadMoved { head },
        })
    }

    /// From here on the world sees it: only whoever still holds the task may go on.
    pub(super) async fn still_held(&self, claim: &Claim) -> Result<(), Fault> {
        Ok(self.parts.store.heartbeat(&claim.lease, self.parts.clock.now()).await?)
    }

    async fn show(&self, job: &Job) -> Result<(), Fault> {
        Ok(surface::show(&self.parts.forge, job, &self.setting(job)).await?)
    }

    async fn announce(&self, job: &Job) -> Result<(), Fault> {
        let forge = &self.parts.forge;
        let status = if let Stage::Holding { .. } = job.stage {
            let marker = report::marker(job.id.as_str(), "status");
            forge.find_comment(&job.place, job.subject, &marker).await?
        } else {
            None
        };
        let (setting, status) = (self.setting(job), status.map(|it| it.id));
        let Some(text) = report::announcement(job, &setting, status) else { return Ok(()) };
        let (thread, marker) = (report::announced_on(job), report::announcement_marker(job));
        Ok(talk::say_once(forge, &job.place, thread, (&text, &marker)).await?)
    }

    async fn post_reply(&self, reply: &Reply) -> Result<(), Fault> {
        let marker = report::marker(&reply.key, "reply");
        let text = report::signed(&reply.text, &marker);
        let said = (text.as_str(), marker.as_str());
        Ok(talk::say_once(&self.parts.forge, &reply.place, reply.number, said).await?)
    }

    async fn over_limits(&self, job: &Job, rules: &Rules) -> Result<Option<Declined>, Fault> {
        let asked_for = job.order.model.as_ref().or(rules.agent.model.as_ref());
        if let Some(model) = asked_for {
            let allowed = self.parts.models.iter().map(|model| model.name().to_owned());
            let allowed: Vec<String> = allowed.collect();
            if !allowed.contains(model) {
                return Ok(Some(Declined::ModelNotAllowed { model: model.clone(), allowed }));
            }
        }
        let open = self.parts.store.open_pulls(job.place.repo).await?;
        if open >= rules.limits.open_pulls {
            let limit = rules.limits.open_pulls;
            return Ok(Some(Declined::TooManyOpenPulls { open, limit }));
        }
        self.day_budget(job, job.order.by, rules, self.budget(job, rules)).await
    }

    /// What was asked for, else what the repository says; never more than the operator allows.
    fn budget(&self, job: &Job, rules: &Rules) -> crate::core::budget::Money {
        job.order.budget.unwrap_or(rules.budget.run).min(self.parts.settings.most_per_job)
    }

    pub(super) async fn rooms(&self, job: &Job, base: &Base) -> Result<Rooms, Fault> {
        let data = &self.parts.settings.data;
        let model = self.model_of(job).ok_or_else(|| Fault::bug("the job's model is gone"))?;
        Ok(Rooms {
            sandbox: self.parts.sandbox.clone(),
            model: model.clone(),
            mirror: self.mirror(job, &base.sha).await?,
            scratch: self.scratch(),
            records: data.join("jobs").join(job.id.as_str()),
            model_pause: self.parts.settings.model_pause,
        })
    }

    /// The mirror with this commit in it. Costs nothing when it is there.
    pub(super) async fn mirror(
        &self,
        job: &Job,
        sha: &crate::core::id::Sha,
    ) -> Result<Mirror, Fault> {
        self.mirror_of(&job.place, sha).await
    }

    /// The mirror of a repository with this commit in it.
    pub(super) async fn mirror_of(
        &self,
        place: &RepoRef,
        sha: &crate::core::id::Sha,
    ) -> Result<Mirror, Fault> {
        let cache = self.parts.settings.data.join("mirrors");
        let mirror = Mirror::open(&cache, &place.repo.to_string()).await?;
        if mirror.has(sha).await {
            return Ok(mirror);
        }
        let url = self.parts.forge.clone_url(place).map_err(|e| Fault::permanent(&e))?;
        let token = self.parts.forge.git_token(place).await?;
        let source = Source::Url { url: &url, token: Some(&token) };
        let fetched = mirror.fetch(source, Want::Commit(sha), History::Tip, FETCH_TIME).await;
        match fetched {
            Ok(_) => Ok(mirror),
            // The branch moved away and the commit is gone: what is there now is another base.
            Err(error @ MirrorError::NotThere(_)) => Err(Fault::passing(&error)),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn proposed(&self, job: &Job) -> Result<Patch, Fault> {
        let proposal =
            job.proposal.as_ref().ok_or_else(|| Fault::bug("the job has no proposal"))?;
        let patch = self.patch(&proposal.patch).await?;
        patch.ok_or_else(|| Fault::bug("the proposed change was not kept"))
    }

    async fn patch(&self, digest: &PatchDigest) -> Result<Option<Patch>, Fault> {
        let Some(bytes) = self.parts.store.patch(digest).await? else { return Ok(None) };
        let patch = serde_json::from_slice(&bytes).map_err(|error| Fault::permanent(&error))?;
        Ok(Some(patch))
    }
}

pub(super) fn rules_and_base(job: &Job) -> Result<(&Rules, &Base), Fault> {
    match (&job.rules, &job.base) {
        (Some(rules), Some(base)) => Ok((rules, base)),
        _ => Err(Fault::bug("the job was not prepared")),
    }
}

pub(super) fn about<'a>(job: &'a Job, rules: &'a Rules, base: &'a Base) -> fix::Job<'a> {
    let round = job.review.round.as_ref().filter(|_| job.stage.round() > Some(1));
    fix::Job {
        kind: job.order.kind,
        issue: &job.order.issue,
        request: &job.order.request,
        rules,
        base: &base.sha,
        round: round.map(|round| round.task.as_str()),
    }
}

fn ordered_by(job: &Job) -> Actor {
    Actor { id: job.order.by, login: job.order.login.clone(), person: true }
}

/// Whose wish the present round is.
fn asked_by(job: &Job) -> Actor {
    match (&job.review.round, job.stage.round()) {
        (Some(round), Some(2..)) => {
            Actor { id: round.by, login: round.login.clone(), person: true }
        }
        _ => ordered_by(job),
    }
}

fn look_again(job: &JobId) -> Outcome {
    let look = Task::Step { job: job.clone(), step: Step::Look };
    Outcome::Ready(Box::new(Commit { tasks: vec![look], ..Commit::default() }))
}

/// Whether whoever asked for this may still, by the repository's own rule.
pub(super) fn permission_lost(actor: &Actor, rules: &Rules, has: Role) -> Option<Declined> {
    let why = match authorize(actor, has, Role::from(rules.trigger.role)) {
        Decision::Allowed => return None,
        Decision::Denied(Denied::NeedsRole { needed, has }) => {
            format!(
                "{needed} access is needed (`[trigger]` in `{RULES_PATH}`), and it is {has} now."
            )
        }
        Decision::Denied(Denied::NotAPerson) => "the account is not a person's.".to_owned(),
    };
    Some(Declined::PermissionLost { login: actor.login.clone(), why })
}
