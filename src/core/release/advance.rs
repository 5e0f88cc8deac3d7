//! The steps of a release: from a fact to the next state and what to do then.

use super::{
    Blocked, Merged, NamedVersion, Release, ReleaseEnding, ReleaseFact, ReleaseOrder, ReleaseStage,
    ReleaseStep,
};
use crate::core::approval::{Approval, MergeAttempt};
use crate::core::github::PullRef;
use crate::core::id::{Number, Sha};
use crate::core::machine::Machine;

/// The release after learning `fact`, and what to do then. `None`: the fact changes nothing.
pub fn advance(release: &Release, fact: &ReleaseFact) -> Option<(Release, Vec<ReleaseStep>)> {
    let mut next = release.clone();
    let steps = match (&release.stage, fact) {
        (ReleaseStage::Done(ReleaseEnding::Failed { .. }), ReleaseFact::Retried { .. }) => {
            match next.merged {
                Some(_) => next.dispatch(),
                None if next.edited => {
                    let unversioned = next.blocked.take().filter(|why| *why == Blocked::NoVersion);
                    next.stand(unversioned)
                }
                None => {
                    next.orders = next.orders.saturating_add(1);
                    next.plan_again()
                }
            }
        }
        // People merged what we had given up.
        (ReleaseStage::Done(ReleaseEnding::Failed { .. }), ReleaseFact::Merged(merged))
            if release.pull.is_some() && release.merged.is_none() =>
        {
            next.was_merged(merged)
        }
        // Whatever we thought of the run: it is out.
        (
            ReleaseStage::Done(ReleaseEnding::Failed { .. }),
            ReleaseFact::Published { attempt, url },
        ) if release.run_id.is_some() && *attempt == release.tries => {
            next.end(ReleaseEnding::Published { url: url.clone() })
        }
        (ReleaseStage::Done(_), _) => return None,
        (_, ReleaseFact::Ordered(order)) => next.ordered(order)?,
        (_, ReleaseFact::Broke { step, why }) if release.step().as_ref() == Some(step) => {
            next.end(ReleaseEnding::Failed { why: why.clone() })
        }
        (ReleaseStage::Queued, ReleaseFact::TurnCame) => next.plan_again(),
        (ReleaseStage::Dispatching | ReleaseStage::Publishing, fact) => next.after_merge(fact)?,
        (_, ReleaseFact::Merged(merged)) if release.pull.is_some() => next.was_merged(merged),
        (stage, ReleaseFact::Closed { by })
            if release.pull.is_some() || *stage == ReleaseStage::Proposing =>
        {
            next.end(ReleaseEnding::Closed { by: by.clone() })
        }
        // GitHub has been asked to merge it, and may have.
        (ReleaseStage::Merging { .. }, ReleaseFact::Cancelled { .. }) => return None,
        (before, ReleaseFact::Cancelled { by }) => {
            let nothing_made = *before == ReleaseStage::Queued;
            let mut steps = next.end(ReleaseEnding::Cancelled { by: by.clone() });
            steps.extend((!nothing_made).then_some(ReleaseStep::Undo));
            steps
        }
        (ReleaseStage::Planning, fact) => next.after_plan(fact)?,
        (ReleaseStage::Proposing, ReleaseFact::Proposed { orders, pull })
            if *orders == next.orders =>
        {
            let first = next.pull.is_none();
            next.pull = Some(pull.clone());
            let mut steps = next.stand(None);
            if first {
                steps.push(ReleaseStep::Announce);
            }
            steps
        }
        (_, fact) => next.before_merge(fact)?,
    };
    Some((next, steps))
}

impl Release {
    fn was_merged(&mut self, merged: &Merged) -> Vec<ReleaseStep> {
        self.merged = Some(merged.clone());
        self.begin_anew();
        let mut steps = self.dispatch();
        steps.push(ReleaseStep::CleanUp);
        steps
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

    fn after_plan(&mut self, fact: &ReleaseFact) -> Option<Vec<ReleaseStep>> {
        let stands = self.pull.is_some();
        match fact {
            ReleaseFact::Planned { orders, plan } if *orders == self.orders => {
                self.plan = Some(plan.clone());
                self.stage = ReleaseStage::Proposing;
                Some(vec![ReleaseStep::Show, ReleaseStep::Propose { orders: self.orders }])
            }
            // A pull request that stands is not taken away because a later order cannot be followed.
            ReleaseFact::Refused { orders, why } if *orders == self.orders => Some(if stands {
                self.stand(Some(Blocked::Order(why.clone())))
            } else {
                self.end(ReleaseEnding::Refused(why.clone()))
            }),
            ReleaseFact::NothingToRelease { orders, last } if *orders == self.orders => {
                Some(if stands {
                    self.stand(Some(Blocked::NothingLeft))
                } else {
                    self.end(ReleaseEnding::NothingToRelease { last: last.clone() })
                })
            }
            ReleaseFact::TurnCame
            | ReleaseFact::Ordered(..)
            | ReleaseFact::Planned { .. }
            | ReleaseFact::NothingToRelease { .. }
            | ReleaseFact::Refused { .. }
            | ReleaseFact::Proposed { .. }
            | ReleaseFact::Refreshed { .. }
            | ReleaseFact::Stuck { .. }
            | ReleaseFact::HeadMoved { .. }
            | ReleaseFact::BaseMoved { .. }
            | ReleaseFact::Approved(..)
            | ReleaseFact::NotMerged { .. }
            | ReleaseFact::Free { .. }
            | ReleaseFact::Merged(..)
            | ReleaseFact::Closed { .. }
            | ReleaseFact::Cancelled { .. }
            | ReleaseFact::Dispatched { .. }
            | ReleaseFact::RunSeen { .. }
            | ReleaseFact::Published { .. }
            | ReleaseFact::RunFailed { .. }
            | ReleaseFact::Retried { .. }
            | ReleaseFact::Broke { .. } => None,
        }
    }

    /// What happens around a pull request that stands.
    fn before_merge(&mut self, fact: &ReleaseFact) -> Option<Vec<ReleaseStep>> {
        match (self.stage.clone(), fact) {
            (
                ReleaseStage::Proposing
                | ReleaseStage::Proposed
                | ReleaseStage::Merging { .. }
                | ReleaseStage::Refreshing { .. },
                ReleaseFact::HeadMoved { pull, head, version },
            ) => self.head_moved(*pull, head, version.as_ref()),
            (ReleaseStage::Proposed, ReleaseFact::BaseMoved { base })
            | (ReleaseStage::Merging { .. }, ReleaseFact::BaseMoved { base }) => self.moved(base),
            (
                ReleaseStage::Refreshing { base: wanted },
                ReleaseFact::Refreshed { base, head, version },
            ) if wanted == *base => {
                self.plan.as_mut()?.base = base.clone();
                self.pull.as_mut()?.head = head.clone();
                Some(self.edited_by_people(version.as_ref()))
            }
            (ReleaseStage::Refreshing { base: wanted }, ReleaseFact::Stuck { base })
                if wanted == *base =>
            {
                Some(self.stand(Some(Blocked::Conflict)))
            }
            (ReleaseStage::Proposed, ReleaseFact::Approved(approval, on))
                if self.is_consent(approval) =>
            {
                self.approved(approval.head(), on)
            }
            (ReleaseStage::Proposed, ReleaseFact::Free { head }) if self.is_head(head) => {
                let over = matches!(
                    self.blocked.take()?,
                    Blocked::Refused { .. }
                        | Blocked::InTheWay { .. }
                        | Blocked::NotApproved(_)
                        | Blocked::Command
                        | Blocked::Button
                );
                over.then(|| vec![ReleaseStep::Show])
            }
            (ReleaseStage::Merging { head: ours }, ReleaseFact::NotMerged { head, why })
                if ours == *head =>
            {
                Some(self.stand(Some(why.clone())))
            }
            // Told again and again while it waits: only news are shown. Without a version nothing else
            // matters, and it is not forgotten.
            (ReleaseStage::Proposed, ReleaseFact::NotMerged { head, why })
                if self.is_head(head)
                    && self.blocked.as_ref() != Some(why)
                    && self.blocked != Some(Blocked::NoVersion) =>
            {
                Some(self.stand(Some(why.clone())))
            }
            (
                _,
                ReleaseFact::TurnCame
                | ReleaseFact::Ordered(..)
                | ReleaseFact::Planned { .. }
                | ReleaseFact::NothingToRelease { .. }
                | ReleaseFact::Refused { .. }
                | ReleaseFact::Proposed { .. }
                | ReleaseFact::Refreshed { .. }
                | ReleaseFact::Stuck { .. }
                | ReleaseFact::HeadMoved { .. }
                | ReleaseFact::BaseMoved { .. }
                | ReleaseFact::Approved(..)
                | ReleaseFact::NotMerged { .. }
                | ReleaseFact::Free { .. }
                | ReleaseFact::Merged(..)
                | ReleaseFact::Closed { .. }
                | ReleaseFact::Cancelled { .. }
                | ReleaseFact::Dispatched { .. }
                | ReleaseFact::RunSeen { .. }
                | ReleaseFact::Published { .. }
                | ReleaseFact::RunFailed { .. }
                | ReleaseFact::Retried { .. }
                | ReleaseFact::Broke { .. },
            ) => None,
        }
    }

    /// People moved the branch, perhaps before we knew the number of its pull request.
    fn head_moved(
        &mut self,
        number: Number,
        head: &Sha,
        version: Option<&NamedVersion>,
    ) -> Option<Vec<ReleaseStep>> {
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

    fn moved(&mut self, base: &Sha) -> Option<Vec<ReleaseStep>> {
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

    fn after_merge(&mut self, fact: &ReleaseFact) -> Option<Vec<ReleaseStep>> {
        let this = self.tries;
        match (&self.stage, fact) {
            (ReleaseStage::Dispatching, ReleaseFact::Dispatched { attempt })
                if *attempt == this =>
            {
                self.stage = ReleaseStage::Publishing;
                Some(vec![ReleaseStep::Show, ReleaseStep::Follow { attempt: this }])
            }
            (ReleaseStage::Publishing, ReleaseFact::RunSeen { attempt, run })
                if *attempt == this && self.run_id != Some(*run) =>
            {
                self.run_id = Some(*run);
                Some(vec![ReleaseStep::Show, ReleaseStep::Follow { attempt: this }])
            }
            (ReleaseStage::Publishing, ReleaseFact::Published { attempt, url })
                if *attempt == this =>
            {
                Some(self.end(ReleaseEnding::Published { url: url.clone() }))
            }
            (ReleaseStage::Publishing, ReleaseFact::RunFailed { attempt, why })
                if *attempt == this =>
            {
                Some(self.end(ReleaseEnding::Failed { why: why.clone() }))
            }
            (
                _,
                ReleaseFact::TurnCame
                | ReleaseFact::Ordered(..)
                | ReleaseFact::Planned { .. }
                | ReleaseFact::NothingToRelease { .. }
                | ReleaseFact::Refused { .. }
                | ReleaseFact::Proposed { .. }
                | ReleaseFact::Refreshed { .. }
                | ReleaseFact::Stuck { .. }
                | ReleaseFact::HeadMoved { .. }
                | ReleaseFact::BaseMoved { .. }
                | ReleaseFact::Approved(..)
                | ReleaseFact::NotMerged { .. }
                | ReleaseFact::Free { .. }
                | ReleaseFact::Merged(..)
                | ReleaseFact::Closed { .. }
                | ReleaseFact::Cancelled { .. }
                | ReleaseFact::Dispatched { .. }
                | ReleaseFact::RunSeen { .. }
                | ReleaseFact::Published { .. }
                | ReleaseFact::RunFailed { .. }
                | ReleaseFact::Retried { .. }
                | ReleaseFact::Broke { .. },
            ) => None,
        }
    }
}

#[cfg(test)]
#[path = "walk.rs"]
mod tests;
