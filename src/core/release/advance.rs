//! The steps of a release: from a fact to the next state and what to do then.

use super::{Blocked, Ending, Fact, Merged, NamedVersion, Order, Release, Stage, Step};
use crate::core::approval::{Approval, Tried};
use crate::core::github::PullRef;
use crate::core::id::{Number, Sha};
use crate::core::machine::Machine;

/// The release after learning `fact`, and what to do then. `None`: the fact changes nothing.
pub fn advance(release: &Release, fact: &Fact) -> Option<(Release, Vec<Step>)> {
    let mut next = release.clone();
    let steps = match (&release.stage, fact) {
        (Stage::Done(Ending::Failed { .. }), Fact::Retried { .. }) => match next.merged {
            Some(_) => next.dispatch(),
            None if next.edited => {
                let unversioned = next.blocked.take().filter(|why| *why == Blocked::NoVersion);
                next.stand(unversioned)
            }
            None => {
                next.orders = next.orders.saturating_add(1);
                next.plan_again()
            }
        },
        // People merged what we had given up.
        (Stage::Done(Ending::Failed { .. }), Fact::Merged(merged))
            if release.pull.is_some() && release.merged.is_none() =>
        {
            next.was_merged(merged)
        }
        // Whatever we thought of the run: it is out.
        (Stage::Done(Ending::Failed { .. }), Fact::Published { attempt, url })
            if release.run.is_some() && *attempt == release.tries =>
        {
            next.end(Ending::Published { url: url.clone() })
        }
        (Stage::Done(_), _) => return None,
        (_, Fact::Ordered(order)) => next.ordered(order)?,
        (_, Fact::Broke { step, why }) if release.step().as_ref() == Some(step) => {
            next.end(Ending::Failed { why: why.clone() })
        }
        (Stage::Queued, Fact::TurnCame) => next.plan_again(),
        (Stage::Dispatching | Stage::Publishing, fact) => next.after_merge(fact)?,
        (_, Fact::Merged(merged)) if release.pull.is_some() => next.was_merged(merged),
        (stage, Fact::Closed { by }) if release.pull.is_some() || *stage == Stage::Proposing => {
            next.end(Ending::Closed { by: by.clone() })
        }
        // GitHub has been asked to merge it, and may have.
        (Stage::Merging { .. }, Fact::Cancelled { .. }) => return None,
        (before, Fact::Cancelled { by }) => {
            let nothing_made = *before == Stage::Queued;
            let mut steps = next.end(Ending::Cancelled { by: by.clone() });
            steps.extend((!nothing_made).then_some(Step::Undo));
            steps
        }
        (Stage::Planning, fact) => next.after_plan(fact)?,
        (Stage::Proposing, Fact::Proposed { orders, pull }) if *orders == next.orders => {
            let first = next.pull.is_none();
            next.pull = Some(pull.clone());
            let mut steps = next.stand(None);
            if first {
                steps.push(Step::Announce);
            }
            steps
        }
        (_, fact) => next.before_merge(fact)?,
    };
    Some((next, steps))
}

impl Release {
    fn was_merged(&mut self, merged: &Merged) -> Vec<Step> {
        self.merged = Some(merged.clone());
        self.begin_anew();
        let mut steps = self.dispatch();
        steps.push(Step::CleanUp);
        steps
    }

    /// What stood in the way of something else says nothing of this.
    fn begin_anew(&mut self) {
        (self.blocked, self.tried, self.followed) = (None, None, None);
    }

    fn plan_again(&mut self) -> Vec<Step> {
        self.stage = Stage::Planning;
        vec![Step::Show, Step::Plan { orders: self.orders }]
    }

    /// Stands before people, who may have said something already.
    fn stand(&mut self, blocked: Option<Blocked>) -> Vec<Step> {
        self.stage = Stage::Proposed;
        self.blocked = blocked;
        // What is blocked waits for the next event: looking at once would go round in circles.
        match self.blocked {
            None => vec![Step::Show, Step::Look],
            Some(_) => vec![Step::Show],
        }
    }

    fn dispatch(&mut self) -> Vec<Step> {
        self.stage = Stage::Dispatching;
        self.tries = self.tries.saturating_add(1);
        self.run = None;
        vec![Step::Show, Step::Dispatch { attempt: self.tries }]
    }

    fn end(&mut self, ending: Ending) -> Vec<Step> {
        let mut steps = vec![Step::Show];
        if !matches!(ending, Ending::Closed { .. }) {
            steps.push(Step::Announce);
        }
        if matches!(ending, Ending::Published { .. }) {
            steps.push(Step::TellIssues);
        }
        steps.push(Step::StartNext);
        (self.tried, self.followed) = (None, None);
        self.stage = Stage::Done(ending);
        steps
    }

    fn ordered(&mut self, order: &Order) -> Option<Vec<Step>> {
        if !self.takes_orders() {
            return None;
        }
        self.order = order.clone();
        self.orders = self.orders.saturating_add(1);
        Some(if self.is_queued() { vec![Step::Show] } else { self.plan_again() })
    }

    fn after_plan(&mut self, fact: &Fact) -> Option<Vec<Step>> {
        let stands = self.pull.is_some();
        match fact {
            Fact::Planned { orders, plan } if *orders == self.orders => {
                self.plan = Some(plan.clone());
                self.stage = Stage::Proposing;
                Some(vec![Step::Show, Step::Propose { orders: self.orders }])
            }
            // A pull request that stands is not taken away because a later order cannot be followed.
            Fact::Refused { orders, why } if *orders == self.orders => Some(if stands {
                self.stand(Some(Blocked::Order(why.clone())))
            } else {
                self.end(Ending::Refused(why.clone()))
            }),
            Fact::NothingToRelease { orders, last } if *orders == self.orders => Some(if stands {
                self.stand(Some(Blocked::NothingLeft))
            } else {
                self.end(Ending::NothingToRelease { last: last.clone() })
            }),
            Fact::TurnCame
            | Fact::Ordered(..)
            | Fact::Planned { .. }
            | Fact::NothingToRelease { .. }
            | Fact::Refused { .. }
            | Fact::Proposed { .. }
            | Fact::Refreshed { .. }
            | Fact::Stuck { .. }
            | Fact::HeadMoved { .. }
            | Fact::BaseMoved { .. }
            | Fact::Approved(..)
            | Fact::NotMerged { .. }
            | Fact::Free { .. }
            | Fact::Merged(..)
            | Fact::Closed { .. }
            | Fact::Cancelled { .. }
            | Fact::Dispatched { .. }
            | Fact::RunSeen { .. }
            | Fact::Published { .. }
            | Fact::RunFailed { .. }
            | Fact::Retried { .. }
            | Fact::Broke { .. } => None,
        }
    }

    /// What happens around a pull request that stands.
    fn before_merge(&mut self, fact: &Fact) -> Option<Vec<Step>> {
        match (self.stage.clone(), fact) {
            (
                Stage::Proposing
                | Stage::Proposed
                | Stage::Merging { .. }
                | Stage::Refreshing { .. },
                Fact::HeadMoved { pull, head, version },
            ) => self.head_moved(*pull, head, version.as_ref()),
            (Stage::Proposed, Fact::BaseMoved { base })
            | (Stage::Merging { .. }, Fact::BaseMoved { base }) => self.moved(base),
            (Stage::Refreshing { base: wanted }, Fact::Refreshed { base, head, version })
                if wanted == *base =>
            {
                self.plan.as_mut()?.base = base.clone();
                self.pull.as_mut()?.head = head.clone();
                Some(self.edited_by_people(version.as_ref()))
            }
            (Stage::Refreshing { base: wanted }, Fact::Stuck { base }) if wanted == *base => {
                Some(self.stand(Some(Blocked::Conflict)))
            }
            (Stage::Proposed, Fact::Approved(approval, on)) if self.is_consent(approval) => {
                self.approved(approval.head(), on)
            }
            (Stage::Proposed, Fact::Free { head }) if self.is_head(head) => {
                let over = matches!(
                    self.blocked.take()?,
                    Blocked::Refused { .. }
                        | Blocked::InTheWay { .. }
                        | Blocked::NotApproved(_)
                        | Blocked::Command
                        | Blocked::Button
                );
                over.then(|| vec![Step::Show])
            }
            (Stage::Merging { head: ours }, Fact::NotMerged { head, why }) if ours == *head => {
                Some(self.stand(Some(why.clone())))
            }
            // Told again and again while it waits: only news are shown. Without a version nothing else
            // matters, and it is not forgotten.
            (Stage::Proposed, Fact::NotMerged { head, why })
                if self.is_head(head)
                    && self.blocked.as_ref() != Some(why)
                    && self.blocked != Some(Blocked::NoVersion) =>
            {
                Some(self.stand(Some(why.clone())))
            }
            (
                _,
                Fact::TurnCame
                | Fact::Ordered(..)
                | Fact::Planned { .. }
                | Fact::NothingToRelease { .. }
                | Fact::Refused { .. }
                | Fact::Proposed { .. }
                | Fact::Refreshed { .. }
                | Fact::Stuck { .. }
                | Fact::HeadMoved { .. }
                | Fact::BaseMoved { .. }
                | Fact::Approved(..)
                | Fact::NotMerged { .. }
                | Fact::Free { .. }
                | Fact::Merged(..)
                | Fact::Closed { .. }
                | Fact::Cancelled { .. }
                | Fact::Dispatched { .. }
                | Fact::RunSeen { .. }
                | Fact::Published { .. }
                | Fact::RunFailed { .. }
                | Fact::Retried { .. }
                | Fact::Broke { .. },
            ) => None,
        }
    }

    /// People moved the branch, perhaps before we knew the number of its pull request.
    fn head_moved(
        &mut self,
        number: Number,
        head: &Sha,
        version: Option<&NamedVersion>,
    ) -> Option<Vec<Step>> {
        let first = self.pull.is_none();
        if self.pull.as_ref().is_some_and(|it| it.number != number || it.head == *head) {
            return None;
        }
        self.pull = Some(PullRef { number, branch: self.branch(), head: head.clone() });
        self.edited = true;
        self.begin_anew();
        let mut steps = self.edited_by_people(version);
        steps.extend(first.then_some(Step::Announce));
        Some(steps)
    }

    /// GitHub is asked again only when something is new since it refused.
    fn approved(&mut self, head: &Sha, on: &Tried) -> Option<Vec<Step>> {
        let before = self.tried.replace(on.clone());
        if let (Some(Blocked::Refused { .. }), Some(before)) = (&self.blocked, before)
            && !on.is_news_after(&before)
        {
            return (*on != before).then(Vec::new);
        }
        self.stage = Stage::Merging { head: head.clone() };
        self.blocked = None;
        Some(vec![Step::Show, Step::Merge { head: head.clone() }])
    }

    fn edited_by_people(&mut self, version: Option<&NamedVersion>) -> Vec<Step> {
        match (version, self.plan.as_mut()) {
            (Some((version, tag)), Some(plan)) => {
                plan.version.clone_from(version);
                plan.tag.clone_from(tag);
                self.stand(None)
            }
            _ => self.stand(Some(Blocked::NoVersion)),
        }
    }

    fn moved(&mut self, base: &Sha) -> Option<Vec<Step>> {
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
        self.stage = Stage::Refreshing { base: base.clone() };
        Some(vec![Step::Show, Step::Refresh { base: base.clone() }])
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

    fn after_merge(&mut self, fact: &Fact) -> Option<Vec<Step>> {
        let this = self.tries;
        match (&self.stage, fact) {
            (Stage::Dispatching, Fact::Dispatched { attempt }) if *attempt == this => {
                self.stage = Stage::Publishing;
                Some(vec![Step::Show, Step::Follow { attempt: this }])
            }
            (Stage::Publishing, Fact::RunSeen { attempt, run })
                if *attempt == this && self.run != Some(*run) =>
            {
                self.run = Some(*run);
                Some(vec![Step::Show, Step::Follow { attempt: this }])
            }
            (Stage::Publishing, Fact::Published { attempt, url }) if *attempt == this => {
                Some(self.end(Ending::Published { url: url.clone() }))
            }
            (Stage::Publishing, Fact::RunFailed { attempt, why }) if *attempt == this => {
                Some(self.end(Ending::Failed { why: why.clone() }))
            }
            (
                _,
                Fact::TurnCame
                | Fact::Ordered(..)
                | Fact::Planned { .. }
                | Fact::NothingToRelease { .. }
                | Fact::Refused { .. }
                | Fact::Proposed { .. }
                | Fact::Refreshed { .. }
                | Fact::Stuck { .. }
                | Fact::HeadMoved { .. }
                | Fact::BaseMoved { .. }
                | Fact::Approved(..)
                | Fact::NotMerged { .. }
                | Fact::Free { .. }
                | Fact::Merged(..)
                | Fact::Closed { .. }
                | Fact::Cancelled { .. }
                | Fact::Dispatched { .. }
                | Fact::RunSeen { .. }
                | Fact::Published { .. }
                | Fact::RunFailed { .. }
                | Fact::Retried { .. }
                | Fact::Broke { .. },
            ) => None,
        }
    }
}

#[cfg(test)]
#[path = "walk.rs"]
mod tests;
