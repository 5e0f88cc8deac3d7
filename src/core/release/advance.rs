//! The steps of a release: from a fact to the next state and what to do then.

use super::{
    Blocked, Merged, NamedVersion, Release, ReleaseChecks, ReleaseEnding, ReleaseFact,
    ReleaseOrder, ReleaseStage, ReleaseStep, VersionPlan,
};
use crate::core::approval::{Approval, MergeAttempt};
use crate::core::github::PullRef;
use crate::core::id::{Login, Number, Sha};
use crate::core::machine::Machine;

/// The release after learning `fact`, and what to do then. `None`: the fact changes nothing.
pub fn advance(release: &Release, fact: &ReleaseFact) -> Option<(Release, Vec<ReleaseStep>)> {
    let mut next = release.clone();
    let steps = next.learn(fact)?;
    Some((next, steps))
}

impl Release {
    /// Every fact has a row, and says itself at which stage it means anything.
    fn learn(&mut self, fact: &ReleaseFact) -> Option<Vec<ReleaseStep>> {
        match fact {
            ReleaseFact::TurnCame => {
                self.only_at(&ReleaseStage::Queued)?;
                Some(self.plan_again())
            }
            ReleaseFact::Ordered(order) => self.ordered(order),
            ReleaseFact::Planned { orders, plan } => {
                self.only_planning(*orders)?;
                Some(self.planned(plan))
            }
            ReleaseFact::Checked { orders, checks } => self.checked(*orders, checks),
            ReleaseFact::Refused { orders, why } => {
                self.only_planning(*orders).or_else(|| self.checking(*orders).map(drop))?;
                let blocked = Blocked::Order(why.clone());
                Some(self.not_planned(blocked, ReleaseEnding::Refused(why.clone())))
            }
            ReleaseFact::NothingToRelease { orders, last } => {
                self.only_planning(*orders)?;
                let ending = ReleaseEnding::NothingToRelease { last: last.clone() };
                Some(self.not_planned(Blocked::NothingLeft, ending))
            }
            ReleaseFact::Proposed { orders, pull } => {
                self.only_at(&ReleaseStage::Proposing)?;
                (*orders == self.orders).then(|| self.proposed(pull))
            }
            ReleaseFact::HeadMoved { pull, head, version } => {
                self.head_moved(*pull, head, version.as_ref())
            }
            ReleaseFact::BaseMoved { base } => self.base_moved(base),
            ReleaseFact::Refreshed { base, head, version } => {
                self.only_at(&ReleaseStage::Refreshing { base: base.clone() })?;
                self.plan.as_mut()?.base = base.clone();
                self.pull.as_mut()?.head = head.clone();
                Some(self.edited_by_people(version.as_ref()))
            }
            ReleaseFact::Stuck { base } => {
                self.only_at(&ReleaseStage::Refreshing { base: base.clone() })?;
                Some(self.stand(Some(Blocked::Conflict)))
            }
            ReleaseFact::Approved(approval, on) => {
                self.only_at(&ReleaseStage::Proposed)?;
                self.is_consent(approval).then(|| self.approved(approval.head(), on))?
            }
            ReleaseFact::Free { head } => {
                self.only_at(&ReleaseStage::Proposed)?;
                self.is_head(head).then(|| self.freed())?
            }
            ReleaseFact::NotMerged { head, why } => self.not_merged(head, why),
            ReleaseFact::Merged(merged) => self.merged(merged),
            ReleaseFact::Closed { by } => self.closed(by.clone()),
            ReleaseFact::Cancelled { by } => self.cancelled(by),
            ReleaseFact::Dispatched { attempt } => {
                self.only_at(&ReleaseStage::Dispatching)?;
                self.only_try(*attempt)?;
                self.stage = ReleaseStage::Publishing;
                Some(self.follow())
            }
            ReleaseFact::RunSeen { attempt, run } => {
                self.only_at(&ReleaseStage::Publishing)?;
                self.only_try(*attempt)?;
                let known = self.run_id.replace(*run) == Some(*run);
                (!known).then(|| self.follow())
            }
            ReleaseFact::Published { attempt, url } => {
                self.only_try(*attempt)?;
                self.published(url)
            }
            ReleaseFact::RunFailed { attempt, why } => {
                self.only_at(&ReleaseStage::Publishing)?;
                self.only_try(*attempt)?;
                Some(self.end(ReleaseEnding::Failed { why: why.clone() }))
            }
            ReleaseFact::Retried { .. } => self.retried(),
            ReleaseFact::Broke { step, why } => self.broke(step, why),
        }
    }

    /// A step failed for good.
    fn broke(&mut self, step: &ReleaseStep, why: &str) -> Option<Vec<ReleaseStep>> {
        if *step == ReleaseStep::Look {
            return self.not_shown(why);
        }
        // What could not be run decides nothing.
        if let ReleaseStep::Check { orders } = step {
            let base = self.checking(*orders)?.base.clone();
            return self.checked(*orders, &ReleaseChecks::impossible(base, why.to_owned()));
        }
        let why = why.to_owned();
        (self.step().as_ref() == Some(step)).then(|| self.end(ReleaseEnding::Failed { why }))
    }

    /// `None` at any other stage.
    fn only_at(&self, stage: &ReleaseStage) -> Option<()> {
        (self.stage == *stage).then_some(())
    }

    /// `None` unless it is being planned, and for these orders.
    fn only_planning(&self, orders: u32) -> Option<()> {
        self.only_at(&ReleaseStage::Planning)?;
        (self.orders == orders).then_some(())
    }

    /// The plan that is being checked, for these orders.
    fn checking(&self, orders: u32) -> Option<&VersionPlan> {
        let ReleaseStage::Checking { plan } = &self.stage else { return None };
        (self.orders == orders).then_some(plan)
    }

    /// `None` for any but the present try.
    fn only_try(&self, attempt: u32) -> Option<()> {
        (self.tries == attempt).then_some(())
    }

    fn has_failed(&self) -> bool {
        matches!(self.stage, ReleaseStage::Done(ReleaseEnding::Failed { .. }))
    }

    /// Its files are checked before people see them. Where only the base moved under a proposal, the
    /// checks on GitHub tell: ours would hardly come to an end where a branch moves often.
    fn planned(&mut self, plan: &VersionPlan) -> Vec<ReleaseStep> {
        let before = self.plan.as_ref().filter(|it| self.pull.is_some() && it.tag == plan.tag);
        let known = before.and_then(|it| it.checks.clone());
        match known.filter(|checks| checks.problem.is_none()) {
            Some(checks) => self.propose(VersionPlan { checks: Some(checks), ..plan.clone() }),
            None => {
                self.stage = ReleaseStage::Checking { plan: Box::new(plan.clone()) };
                vec![ReleaseStep::Show, ReleaseStep::Check { orders: self.orders }]
            }
        }
    }

    fn checked(&mut self, orders: u32, checks: &ReleaseChecks) -> Option<Vec<ReleaseStep>> {
        let plan = self.checking(orders)?.clone();
        Some(self.propose(VersionPlan { checks: Some(checks.clone()), ..plan }))
    }

    fn propose(&mut self, plan: VersionPlan) -> Vec<ReleaseStep> {
        self.plan = Some(plan);
        self.stage = ReleaseStage::Proposing;
        vec![ReleaseStep::Show, ReleaseStep::Propose { orders: self.orders }]
    }

    /// A pull request that stands is not taken away because a later order cannot be followed.
    fn not_planned(&mut self, blocked: Blocked, ending: ReleaseEnding) -> Vec<ReleaseStep> {
        match self.pull {
            Some(_) => self.stand(Some(blocked)),
            None => self.end(ending),
        }
    }

    /// GitHub does not show the pull request: people are told, and the next look may.
    fn not_shown(&mut self, why: &str) -> Option<Vec<ReleaseStep>> {
        self.only_at(&ReleaseStage::Proposed)?;
        let head = self.pull.as_ref()?.head.clone();
        self.not_merged(&head, &Blocked::InTheWay { why: why.to_owned() })
    }

    fn follow(&self) -> Vec<ReleaseStep> {
        vec![ReleaseStep::Show, ReleaseStep::Follow { attempt: self.tries }]
    }

    /// What kept people from approving it is gone.
    fn freed(&mut self) -> Option<Vec<ReleaseStep>> {
        self.blocked.take()?.ends_when_free().then(|| vec![ReleaseStep::Show])
    }

    /// Whatever we thought of the run: it is out.
    fn published(&mut self, url: &str) -> Option<Vec<ReleaseStep>> {
        let given_up = self.has_failed() && self.run_id.is_some();
        (given_up || self.stage == ReleaseStage::Publishing)
            .then(|| self.end(ReleaseEnding::Published { url: url.to_owned() }))
    }

    /// After a failure it goes on where it stood.
    fn retried(&mut self) -> Option<Vec<ReleaseStep>> {
        if !self.has_failed() {
            return None;
        }
        Some(if self.merged.is_some() {
            self.dispatch()
        } else if self.edited {
            let unversioned = self.blocked.take().filter(|why| *why == Blocked::NoVersion);
            self.stand(unversioned)
        } else {
            self.orders = self.orders.saturating_add(1);
            self.plan_again()
        })
    }

    fn merged(&mut self, merged: &Merged) -> Option<Vec<ReleaseStep>> {
        let is_news = match self.stage {
            // People may merge what we had given up.
            ReleaseStage::Done(ReleaseEnding::Failed { .. }) => self.merged.is_none(),
            ReleaseStage::Dispatching | ReleaseStage::Publishing | ReleaseStage::Done(_) => false,
            ReleaseStage::Queued
            | ReleaseStage::Planning
            | ReleaseStage::Checking { .. }
            | ReleaseStage::Proposing
            | ReleaseStage::Proposed
            | ReleaseStage::Refreshing { .. }
            | ReleaseStage::Merging { .. } => true,
        };
        if self.pull.is_none() || !is_news {
            return None;
        }
        self.merged = Some(merged.clone());
        self.begin_anew();
        let mut steps = self.dispatch();
        steps.push(ReleaseStep::CleanUp);
        Some(steps)
    }

    fn closed(&mut self, by: Option<Login>) -> Option<Vec<ReleaseStep>> {
        match self.stage {
            ReleaseStage::Dispatching | ReleaseStage::Publishing | ReleaseStage::Done(_) => None,
            // The answer with its number may have been lost.
            ReleaseStage::Proposing => Some(self.end(ReleaseEnding::Closed { by })),
            ReleaseStage::Queued
            | ReleaseStage::Planning
            | ReleaseStage::Checking { .. }
            | ReleaseStage::Proposed
            | ReleaseStage::Refreshing { .. }
            | ReleaseStage::Merging { .. } => {
                self.pull.is_some().then(|| self.end(ReleaseEnding::Closed { by }))
            }
        }
    }

    fn cancelled(&mut self, by: &Login) -> Option<Vec<ReleaseStep>> {
        let ending = ReleaseEnding::Cancelled { by: by.clone() };
        match self.stage {
            // GitHub has been asked to merge it, and may have.
            ReleaseStage::Merging { .. }
            | ReleaseStage::Dispatching
            | ReleaseStage::Publishing
            | ReleaseStage::Done(_) => None,
            ReleaseStage::Queued => Some(self.end(ending)),
            ReleaseStage::Planning
            | ReleaseStage::Checking { .. }
            | ReleaseStage::Proposing
            | ReleaseStage::Proposed
            | ReleaseStage::Refreshing { .. } => {
                let mut steps = self.end(ending);
                steps.push(ReleaseStep::Undo);
                Some(steps)
            }
        }
    }

    /// What stood in the way of something else says nothing of this.
    fn begin_anew(&mut self) {
        (self.blocked, self.tried, self.followed) = (None, None, None);
    }

    fn plan_again(&mut self) -> Vec<ReleaseStep> {
        self.stage = ReleaseStage::Planning;
        vec![ReleaseStep::Show, ReleaseStep::Plan { orders: self.orders }]
    }

    /// Stands before people, who may have said something already.
    fn stand(&mut self, blocked: Option<Blocked>) -> Vec<ReleaseStep> {
        self.stage = ReleaseStage::Proposed;
        self.blocked = blocked;
        // What is blocked waits for the next event: looking at once would go round in circles.
        match self.blocked {
            None => vec![ReleaseStep::Show, ReleaseStep::Look],
            Some(_) => vec![ReleaseStep::Show],
        }
    }

    fn dispatch(&mut self) -> Vec<ReleaseStep> {
        self.stage = ReleaseStage::Dispatching;
        self.tries = self.tries.saturating_add(1);
        self.run_id = None;
        vec![ReleaseStep::Show, ReleaseStep::Dispatch { attempt: self.tries }]
    }

    fn end(&mut self, ending: ReleaseEnding) -> Vec<ReleaseStep> {
        let mut steps = vec![ReleaseStep::Show];
        if !matches!(ending, ReleaseEnding::Closed { .. }) {
            steps.push(ReleaseStep::Announce);
        }
        if matches!(ending, ReleaseEnding::Published { .. }) {
            steps.push(ReleaseStep::TellIssues);
        }
        steps.push(ReleaseStep::StartNext);
        (self.tried, self.followed) = (None, None);
        self.stage = ReleaseStage::Done(ending);
        steps
    }

    fn ordered(&mut self, order: &ReleaseOrder) -> Option<Vec<ReleaseStep>> {
        if !self.takes_orders() {
            return None;
        }
        self.order = order.clone();
        self.orders = self.orders.saturating_add(1);
        Some(if self.is_queued() { vec![ReleaseStep::Show] } else { self.plan_again() })
    }

    fn proposed(&mut self, pull: &PullRef) -> Vec<ReleaseStep> {
        let first = self.pull.is_none();
        self.pull = Some(pull.clone());
        let mut steps = self.stand(None);
        if first {
            steps.push(ReleaseStep::Announce);
        }
        steps
    }

    fn not_merged(&mut self, head: &Sha, why: &Blocked) -> Option<Vec<ReleaseStep>> {
        if let ReleaseStage::Merging { head: ours } = &self.stage {
            return (ours == head).then(|| self.stand(Some(why.clone())));
        }
        self.only_at(&ReleaseStage::Proposed)?;
        // Told again and again: only news are shown. A missing version is not forgotten.
        let news = self.blocked.as_ref() != Some(why) && self.blocked != Some(Blocked::NoVersion);
        (self.is_head(head) && news).then(|| self.stand(Some(why.clone())))
    }

    /// People moved the branch, perhaps before we knew the number of its pull request.
    fn head_moved(
        &mut self,
        number: Number,
        head: &Sha,
        version: Option<&NamedVersion>,
    ) -> Option<Vec<ReleaseStep>> {
        if !self.stands_before_people() {
            return None;
        }
        let first = self.pull.is_none();
        if self.pull.as_ref().is_some_and(|it| it.number != number || it.head == *head) {
            return None;
        }
        self.pull = Some(PullRef { number, branch: self.branch(), head: head.clone() });
        self.edited = true;
        self.begin_anew();
        let mut steps = self.edited_by_people(version);
        steps.extend(first.then_some(ReleaseStep::Announce));
        Some(steps)
    }

    /// GitHub is asked again only when something is new since it refused.
    fn approved(&mut self, head: &Sha, on: &MergeAttempt) -> Option<Vec<ReleaseStep>> {
        let before = self.tried.replace(on.clone());
        if let (Some(Blocked::Refused { .. }), Some(before)) = (&self.blocked, before)
            && !on.is_news_after(&before)
        {
            return (*on != before).then(Vec::new);
        }
        self.stage = ReleaseStage::Merging { head: head.clone() };
        self.blocked = None;
        Some(vec![ReleaseStep::Show, ReleaseStep::Merge { head: head.clone() }])
    }

    fn edited_by_people(&mut self, version: Option<&NamedVersion>) -> Vec<ReleaseStep> {
        match (version, self.plan.as_mut()) {
            (Some((version, tag)), Some(plan)) => {
                plan.version.clone_from(version);
                plan.tag.clone_from(tag);
                self.stand(None)
            }
            _ => self.stand(Some(Blocked::NoVersion)),
        }
    }

    fn base_moved(&mut self, base: &Sha) -> Option<Vec<ReleaseStep>> {
        if !matches!(self.stage, ReleaseStage::Proposed | ReleaseStage::Merging { .. }) {
            return None;
        }
        let stuck = matches!(
            self.blocked,
            Some(Blocked::Conflict | Blocked::NothingLeft | Blocked::Order(_))
        );
        let again = stuck && self.followed.as_ref() == Some(base);
        if self.plan.as_ref()?.base == *base || again {
            return None;
        }
        self.followed = Some(base.clone());
        if !self.edited {
            return Some(self.plan_again());
        }
        self.stage = ReleaseStage::Refreshing { base: base.clone() };
        Some(vec![ReleaseStep::Show, ReleaseStep::Refresh { base: base.clone() }])
    }

    fn is_consent(&self, approval: &Approval) -> bool {
        self.blocked != Some(Blocked::NoVersion)
            && *approval.base() == self.base
            && self.pull.as_ref().is_some_and(|pull| pull.number == approval.pull())
            && self.is_head(approval.head())
    }

    fn is_head(&self, head: &Sha) -> bool {
        self.pull.as_ref().is_some_and(|pull| pull.head == *head)
    }

    /// Whether its branch is where people may push to it.
    fn stands_before_people(&self) -> bool {
        match self.stage {
            ReleaseStage::Proposing
            | ReleaseStage::Proposed
            | ReleaseStage::Merging { .. }
            | ReleaseStage::Refreshing { .. } => true,
            ReleaseStage::Queued
            | ReleaseStage::Planning
            | ReleaseStage::Checking { .. }
            | ReleaseStage::Dispatching
            | ReleaseStage::Publishing
            | ReleaseStage::Done(_) => false,
        }
    }
}

#[cfg(test)]
#[path = "walk.rs"]
mod tests;
