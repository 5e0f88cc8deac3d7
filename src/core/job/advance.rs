//! What a job does next: its first round, and where later rounds begin.

use super::{
    Declined, Job, JobEnding, JobFact, JobStage, JobStep, Proposal, ProposedChange, PullSnapshot,
    RoundOutcome, RuleOverride, UnfinishedAttempt,
};
use crate::core::budget::Money;
use crate::core::evidence::{Evidence, Verdict};
use crate::core::id::{JobId, Login};
use crate::core::machine::Machine;
use crate::core::proof::ProofOutcome;

impl Machine for Job {
    type Id = JobId;
    type Fact = JobFact;
    type Step = JobStep;

    fn id(&self) -> &JobId {
        &self.id
    }

    fn advance(&self, fact: &JobFact) -> Option<(Self, Vec<JobStep>)> {
        advance(self, fact)
    }

    fn turn() -> JobFact {
        JobFact::TurnCame
    }

    fn is_queued(&self) -> bool {
        self.stage == JobStage::Queued
    }

    fn is_done(&self) -> bool {
        match self.stage {
            JobStage::Done(_) => true,
            JobStage::Queued
            | JobStage::Preparing
            | JobStage::Planning { .. }
            | JobStage::PlanReady { .. }
            | JobStage::Fixing { .. }
            | JobStage::Verifying { .. }
            | JobStage::Judging { .. }
            | JobStage::Publishing { .. }
            | JobStage::Holding { .. }
            | JobStage::InReview { .. }
            | JobStage::Starting { .. }
            | JobStage::Answering { .. }
            | JobStage::Merging { .. } => false,
        }
    }
}

/// The job after learning `fact`, and what to do then. `None`: the fact changes nothing.
pub fn advance(job: &Job, fact: &JobFact) -> Option<(Job, Vec<JobStep>)> {
    if job.is_done() {
        return None;
    }
    let mut next = job.clone();
    let steps = next.learn(fact)?;
    Some((next, steps))
}

impl Job {
    /// Every fact has a row, and says itself at which stage it means anything.
    fn learn(&mut self, fact: &JobFact) -> Option<Vec<JobStep>> {
        match fact {
            JobFact::TurnCame => {
                self.only_at(&JobStage::Queued)?;
                Some(self.prepare())
            }
            JobFact::Prepared(prepared) => {
                self.only_at(&JobStage::Preparing)?;
                self.prepared = Some(prepared.clone());
                self.begin_with_reverse_patch();
                Some(self.begin())
            }
            JobFact::Declined(why) => self.declined(why),
            JobFact::OfPlan { version, news } => self.learn_of_plan(*version, news),
            &JobFact::Proposed { round, attempt, ref proposal, cost, notes_read } => {
                self.only_at(&JobStage::Fixing { round, attempt })?;
                self.notes_read = notes_read;
                Some(self.proposed(round, attempt, proposal, cost))
            }
            &JobFact::NothingToFix { round, attempt, ref why, cost, notes_read } => {
                self.only_at(&JobStage::Fixing { round, attempt })?;
                self.notes_read = notes_read;
                Some(self.nothing_to_fix(round, why, cost))
            }
            &JobFact::AttemptFailed { round, attempt, ref left, cost } => {
                self.attempt_failed((round, attempt), left, cost)
            }
            &JobFact::CannotCheck { round, attempt, ref why, cost } => {
                self.only_at(&JobStage::Fixing { round, attempt })?;
                self.spent = self.spent + cost;
                Some(self.cannot_check(round, why.clone()))
            }
            JobFact::OutOfBudget { why, cost } => self.out_of_budget(why, *cost),
            JobFact::Verified(evidence) => self.verified(evidence),
            JobFact::Judged { .. } => self.judged(fact),
            JobFact::Published { pull } => self.published(pull),
            JobFact::HeadMoved { head } => self.head_moved(head),
            JobFact::Suggested { .. } => self.suggested(fact),
            JobFact::Held { .. } => self.held(fact),
            JobFact::Go { patch } => self.let_out(patch),
            JobFact::Overridden(new) => self.overridden(new),
            JobFact::Seen(pull) => self.looked_at(pull),
            JobFact::Asked(request) => self.asked(request),
            JobFact::Noted(note) => self.noted(note),
            JobFact::Taken(reviews) => self.taken(reviews),
            &JobFact::RoundReady { round, ref base, ref task, ref threads, budget } => {
                self.round_ready(round, base, (task, threads), budget)
            }
            JobFact::UpdateAsked(ask) => self.update_asked(ask),
            JobFact::UpdateReady { .. } => self.update_ready(fact),
            &JobFact::RoundRefused { round, ref why } => {
                self.only_at(&JobStage::Starting { round })?;
                Some(self.no_commit(RoundOutcome::Refused(why.clone())))
            }
            &JobFact::Answered { round } => {
                self.only_at(&JobStage::Answering { round })?;
                Some(self.answered(round))
            }
            JobFact::RerunRefused => self.rerun_refused(),
            JobFact::HeadChecked { head, failed } => self.head_checked(head, failed.clone()),
            JobFact::Merged { by } => {
                self.stage.merging()?;
                Some(self.end(JobEnding::Merged { by: by.clone() }))
            }
            JobFact::NotMerged { why } => {
                self.stage.merging()?;
                Some(self.not_merged(why))
            }
            JobFact::Closed { by, merged: true } => self.merged_by_people(by.clone()),
            JobFact::Closed { by, merged: false } => {
                Some(self.end(JobEnding::Closed { by: by.clone() }))
            }
            // It may have happened already: what GitHub says next decides.
            JobFact::Cancelled { .. } if self.stage.merging().is_some() => None,
            JobFact::Cancelled { by } => Some(self.end(JobEnding::Cancelled { by: by.clone() })),
            JobFact::Withheld { why } => self.withheld(why),
            JobFact::Broke { step, why } => self.broke(step, why),
        }
    }

    /// What an earlier job left is checked first where nothing but rules stopped it that people
    /// have overridden since.
    fn begin(&mut self) -> Vec<JobStep> {
        if self.plans_first() {
            return self.make_plan();
        }
        let blocked = self.evidence().map_or(&[][..], |evidence| &evidence.blocked_by);
        let overridden = |rule: &String| self.order.overrides.iter().any(|it| it.rule == *rule);
        if blocked.is_empty() || !blocked.iter().all(overridden) {
            return self.fix(1, 1);
        }
        self.stage = JobStage::Verifying { round: 1, attempt: 1 };
        vec![JobStep::Show, JobStep::Verify { round: 1, attempt: 1 }]
    }

    /// It counts from the next check on.
    fn overridden(&mut self, new: &RuleOverride) -> Option<Vec<JobStep>> {
        if self.order.overrides.contains(new) {
            return None;
        }
        self.order.overrides.push(new.clone());
        Some(vec![JobStep::Show])
    }

    /// A step of Gander's own failed for good: before there is a pull request that ends the job.
    fn broke(&mut self, step: &JobStep, why: &str) -> Option<Vec<JobStep>> {
        if *step == JobStep::Look {
            return self.not_shown(why);
        }
        if matches!(step, JobStep::Rerun { .. }) {
            return self.rerun_refused();
        }
        if !self.stage.awaits(step) {
            return None;
        }
        let why = why.to_owned();
        if let JobStep::CheckHead { head } = step {
            return self.head_checked(head, Some(why));
        }
        if let JobStage::Judging { round } = self.stage {
            return Some(self.not_judged(round, &why));
        }
        if let Some(steps) = self.as_it_was_before() {
            return Some(steps);
        }
        Some(match &self.stage {
            JobStage::Merging { .. } => self.not_merged(&why),
            &JobStage::Answering { round } => self.answered(round),
            stage if stage.round().is_some_and(|round| round > 1) => {
                self.no_commit(RoundOutcome::Failed { why })
            }
            JobStage::Queued
            | JobStage::Preparing
            | JobStage::Planning { .. }
            | JobStage::PlanReady { .. }
            | JobStage::Fixing { .. }
            | JobStage::Verifying { .. }
            | JobStage::Judging { .. }
            | JobStage::Publishing { .. }
            | JobStage::Holding { .. }
            | JobStage::InReview { .. }
            | JobStage::Starting { .. }
            | JobStage::Done(_) => self.end(JobEnding::Failed { why }),
        })
    }

    /// As people are told of it where a secret was about to leave.
    #[must_use]
    pub fn withholding(&self, why: String) -> Self {
        Self { stage: JobStage::Done(JobEnding::Withheld { why }), ..self.clone() }
    }

    /// A secret was about to leave: nothing more is done, and a pull request is left to people.
    fn withheld(&mut self, why: &str) -> Option<Vec<JobStep>> {
        if self.stage.merging().is_some() {
            return None;
        }
        let mut steps = self.end(JobEnding::Withheld { why: why.to_owned() });
        steps.retain(|step| self.pull.is_none() || *step != JobStep::Undo);
        Some(steps)
    }

    fn proposed(
        &mut self,
        round: u32,
        attempt: u32,
        proposal: &Proposal,
        cost: Money,
    ) -> Vec<JobStep> {
        self.spent = self.spent + cost;
        self.unfinished = None;
        self.change =
            Some(ProposedChange { proposal: proposal.clone(), evidence: None, opinion: None });
        self.stage = JobStage::Verifying { round, attempt };
        vec![JobStep::Show, JobStep::Verify { round, attempt }]
    }

    fn attempt_failed(
        &mut self,
        (round, attempt): (u32, u32),
        left: &UnfinishedAttempt,
        cost: Money,
    ) -> Option<Vec<JobStep>> {
        self.only_at(&JobStage::Fixing { round, attempt })?;
        self.spent = self.spent + cost;
        self.unfinished = Some(left.clone());
        Some(self.try_again_or_give_up(round, attempt, left.why.clone()))
    }

    fn nothing_to_fix(&mut self, round: u32, why: &str, cost: Money) -> Vec<JobStep> {
        self.spent = self.spent + cost;
        if let Some(steps) = self.as_it_was_before() {
            return steps;
        }
        let why = why.to_owned();
        match round {
            1 => self.end(JobEnding::NothingToFix { why }),
            _ => self.no_commit(RoundOutcome::NoChange { why }),
        }
    }

    /// While it is being published it may be known to GitHub, and to us not yet.
    fn merged_by_people(&mut self, by: Option<Login>) -> Option<Vec<JobStep>> {
        let is_ours = self.pull.is_some() || matches!(self.stage, JobStage::Publishing { .. });
        is_ours.then(|| self.end(JobEnding::Merged { by }))
    }

    fn looked_at(&mut self, pull: &PullSnapshot) -> Option<Vec<JobStep>> {
        match self.stage {
            JobStage::InReview { round } => self.seen(round, pull),
            JobStage::Merging { .. } => self.seen_while_merging(pull),
            JobStage::Queued
            | JobStage::Preparing
            | JobStage::Planning { .. }
            | JobStage::PlanReady { .. }
            | JobStage::Fixing { .. }
            | JobStage::Verifying { .. }
            | JobStage::Judging { .. }
            | JobStage::Publishing { .. }
            | JobStage::Holding { .. }
            | JobStage::Starting { .. }
            | JobStage::Answering { .. }
            | JobStage::Done(_) => None,
        }
    }

    /// The rules or GitHub do not allow it: in a later round the pull request stays.
    fn declined(&mut self, why: &Declined) -> Option<Vec<JobStep>> {
        match self.stage {
            JobStage::Publishing { round: 2.. } => {
                Some(self.no_commit(RoundOutcome::Refused(why.clone())))
            }
            JobStage::Preparing | JobStage::Publishing { .. } => {
                Some(self.end(JobEnding::Declined(why.clone())))
            }
            JobStage::Queued
            | JobStage::Planning { .. }
            | JobStage::PlanReady { .. }
            | JobStage::Fixing { .. }
            | JobStage::Verifying { .. }
            | JobStage::Judging { .. }
            | JobStage::Holding { .. }
            | JobStage::InReview { .. }
            | JobStage::Starting { .. }
            | JobStage::Answering { .. }
            | JobStage::Merging { .. }
            | JobStage::Done(_) => None,
        }
    }

    fn out_of_budget(&mut self, why: &str, cost: Money) -> Option<Vec<JobStep>> {
        if let JobStage::Planning { .. } = self.stage {
            self.spent = self.spent + cost;
            return Some(self.end(JobEnding::OutOfBudget { why: why.to_owned() }));
        }
        let JobStage::Fixing { round, .. } = self.stage else { return None };
        self.spent = self.spent + cost;
        if let Some(steps) = self.as_it_was_before() {
            return Some(steps);
        }
        let why = why.to_owned();
        Some(match round {
            1 => self.end(JobEnding::OutOfBudget { why }),
            _ => self.no_commit(RoundOutcome::OutOfBudget { why }),
        })
    }

    fn verified(&mut self, evidence: &Evidence) -> Option<Vec<JobStep>> {
        let JobStage::Verifying { round, attempt } = self.stage else { return None };
        let base = self.base().map(|base| &base.sha);
        if !self.proposes(&evidence.patch) || base != Some(&evidence.base) {
            return None;
        }
        self.change.as_mut()?.evidence = Some(evidence.clone());
        Some(match evidence.verdict() {
            Verdict::Green => match wavers(evidence) {
                Some(why) => self.try_again_or_give_up(round, attempt, why),
                None => self.green(round, attempt, evidence),
            },
            Verdict::Red => self.try_again_or_give_up(round, attempt, first_failure(evidence)),
            // Another attempt of the model would not mend what could not be run.
            Verdict::Unknown => self.cannot_check(round, first_failure(evidence)),
        })
    }

    fn cannot_check(&mut self, round: u32, why: String) -> Vec<JobStep> {
        if let Some(steps) = self.as_it_was_before() {
            return steps;
        }
        match round {
            1 => self.end(JobEnding::CannotCheck { why }),
            _ => self.no_commit(RoundOutcome::Failed { why }),
        }
    }

    pub(super) fn try_again_or_give_up(
        &mut self,
        round: u32,
        attempt: u32,
        why: String,
    ) -> Vec<JobStep> {
        if let Some(steps) = self.as_it_was_before() {
            return steps;
        }
        if attempt < self.attempts_allowed() {
            self.fix(round, attempt + 1)
        } else if round == 1 {
            self.end(JobEnding::GaveUp { why })
        } else {
            self.no_commit(RoundOutcome::GaveUp { why })
        }
    }
}

/// Why green checks are as good as red: a test of the change passes at one time and fails at
/// another.
fn wavers(evidence: &Evidence) -> Option<String> {
    match &evidence.proof.as_ref()?.outcome {
        ProofOutcome::Unstable { test, runs } => Some(format!(
            "{test} passes at one time and fails at another with this change: it did not pass in \
             all of {runs} runs. It is run by itself, in another order, and again in the same \
             directory: let it not depend on time, chance, other tests, or what an earlier run \
             left."
        )),
        ProofOutcome::Proven
        | ProofOutcome::GreenOnBase
        | ProofOutcome::OnlyTests(_)
        | ProofOutcome::NoTest
        | ProofOutcome::TestsNotRun
        | ProofOutcome::OnlyMissing(_)
        | ProofOutcome::NotTried(_) => None,
    }
}

fn first_failure(evidence: &Evidence) -> String {
    match evidence.failures().next() {
        Some((name, why)) => format!("{name}: {why}"),
        None => "no check could be run".to_owned(),
    }
}
