//! The release: where the making of one version stands, and what to do next.
//!
//! ```text
//! Queued ─► Planning ─► Proposing ─► Proposed ─approved─► Merging ─► Dispatching ─► Publishing ─► Done
//!              ▲            ▲            │ base moved,        │ head or base moved,
//!              └────────────┴────────────┴─ another order ────┘ blocked
//! ```
//!
//! What holds, shown by the walk at the bottom: merging only follows an [`Approval`] of exactly that
//! head; dispatching only follows a merge; from an approval to its merge no commit is made, and one
//! that is made voids it; what people wrote on the release branch is never replaced; every ending is
//! shown; after the end only a retry of a failure counts; a fact that comes late, twice or out of
//! order changes nothing.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::approval::{Approval, NotApproved};
use super::changelog::is_version;
use super::event::Place;
use super::id::{Branch, CommentId, Login, Number, ReleaseId, RunId, Sha, Timestamp, UserId};
use super::job::Pull;

/// The making of one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Names it for ever.
    pub id: ReleaseId,
    /// Where.
    pub place: Place,
    /// The issue or pull request on which its status is shown.
    pub subject: Number,
    /// The branch it is made from.
    pub base: Branch,
    /// What was asked last, by whom.
    pub order: Order,
    /// How often something was asked of it. A plan for an earlier order counts no more.
    pub orders: u32,
    /// Where it stands.
    pub stage: Stage,
    /// What is to be released.
    pub plan: Option<Plan>,
    /// The release pull request, once there is one.
    pub pull: Option<Pull>,
    /// Whether people have committed to its branch: what they wrote stays.
    pub edited: bool,
    /// Why it does not go on at this moment, though it stands.
    pub blocked: Option<Blocked>,
    /// The commit that is released.
    pub merged: Option<Merged>,
    /// How often publishing was begun.
    pub tries: u32,
    /// The run that publishes.
    pub run: Option<RunId>,
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Whose permission counts.
    pub by: UserId,
    /// Whom to mention.
    pub login: Login,
    /// When.
    pub at: Timestamp,
    /// The comment that asked, if it was one.
    pub comment: Option<CommentId>,
    /// How far the version goes, if that was said.
    pub bump: Option<Bump>,
}

/// How far a version goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[allow(missing_docs)]
pub enum Bump {
    Major,
    Minor,
    Patch,
    /// Exactly there.
    To(String),
}

/// A word that is neither a step nor a version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected major, minor, patch or a version such as 1.2.0")]
pub struct NotABump;

/// What is released.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Plan {
    /// The commit of the base branch that it is made on.
    pub base: Sha,
    /// `1.2.0`. Once people edit the pull request, what `CHANGELOG.md` says there.
    pub version: String,
    /// Its tag.
    pub tag: String,
    /// The tag of the release before.
    pub last: Option<String>,
    /// Why it is that version, in our words.
    pub why: String,
    /// `2026-01-31`, which stands in the changelog.
    pub date: String,
    /// The changelog's new section, without its heading.
    pub notes: String,
    /// The files that change.
    pub files: Vec<String>,
    /// Files that hold a version and are left as they are, each with the reason.
    pub left: Vec<String>,
    /// The issues that are fixed by it.
    pub fixes: Vec<Number>,
}

/// A merge of the release pull request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Merged {
    pub commit: Sha,
    pub by: Option<Login>,
}

/// Where a release stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Stage {
    /// The release before it on this branch is not over.
    Queued,
    /// Version, changelog and manifests are worked out.
    Planning,
    /// Branch, commit and pull request are made.
    Proposing,
    /// The moved base is merged into a branch that people have edited.
    Refreshing { base: Sha },
    /// People look at it. Holds no worker.
    Proposed,
    /// It is approved and being merged.
    Merging { head: Sha },
    /// The publishing run is being started.
    Dispatching,
    /// It runs. Holds no worker.
    Publishing,
    /// Over.
    Done(Ending),
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Ending {
    /// It is out.
    Published { url: String },
    /// It can be taken up where it stopped.
    Failed { why: String },
    /// The rules do not allow it.
    Refused(Refusal),
    /// People closed the pull request.
    Closed { by: Option<Login> },
    /// Nothing changed since the release before.
    NothingToRelease { last: Option<String> },
}

/// Why no version is made.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Refusal {
    /// It does not come after the last one.
    NotHigher { version: String, last: String },
    /// That version was released, or its tag was set by hand.
    TagExists { tag: String },
    /// The tag's pattern and the version make no tag that git accepts.
    BadTag { version: String },
    /// The changelog has it, though it was never released.
    InChangelog { version: String },
    /// The repository's file cannot be read as rules.
    BadConfig { problem: String },
    /// The repository makes its releases with a tool of its own.
    OwnTool,
    /// Whoever asked may not any more.
    PermissionLost { login: Login, why: String },
    /// There is no such branch, or no commit at all.
    NoCommit { branch: Branch },
}

/// Why it does not go on, though it stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Blocked {
    /// The base moved, and does not go together with what people wrote on the branch.
    Conflict,
    /// The newest section of `CHANGELOG.md` on the branch has no version that can be released.
    NoVersion,
    /// There is no consent to this head.
    NotApproved(NotApproved),
    /// GitHub or a rule of the branch refuses the merge, in these words.
    Refused { why: String },
    /// The base moved to where nothing is left that was not released.
    NothingLeft,
    /// The last order could not be followed: what stood before still stands.
    Order(Refusal),
}

/// What was learnt.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Fact {
    /// No other release is under way on the branch.
    TurnCame,
    /// Somebody asked again.
    Ordered(Order),
    /// What is to be released, for this order.
    Planned { orders: u32, plan: Plan },
    /// Nothing changed since the last one.
    NothingToRelease { orders: u32, last: Option<String> },
    /// The rules do not allow it.
    Refused { orders: u32, why: Refusal },
    /// The pull request stands, with this head.
    Proposed { orders: u32, pull: Pull },
    /// The moved base was merged into the branch.
    Refreshed { base: Sha, head: Sha },
    /// It could not be.
    Stuck { base: Sha },
    /// The branch has another head, by people, with the version its changelog names.
    HeadMoved { head: Sha, version: Option<(String, String)> },
    /// The base branch has another head.
    BaseMoved { base: Sha },
    /// There is consent to a head.
    Approved(Approval),
    /// It was not merged.
    NotMerged { head: Sha, why: Blocked },
    /// The pull request is merged, by us or by people.
    Merged(Merged),
    /// People closed it.
    Closed { by: Option<Login> },
    /// The publishing run was asked for.
    Dispatched { attempt: u32 },
    /// It was seen.
    RunSeen { attempt: u32, run: RunId },
    /// GitHub shows the release.
    Published { attempt: u32, url: String },
    /// The run ended, and there is no release.
    RunFailed { attempt: u32, why: String },
    /// A person wants a failed one taken up.
    Retried { by: Login },
    /// An effect failed for good.
    Broke { why: String },
}

/// What to do next. Every one is idempotent, so doing it twice is doing it once.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Effect {
    /// React to the command.
    Acknowledge,
    /// Work out version, changelog and manifests.
    Plan { orders: u32 },
    /// Make or move branch, commit and pull request.
    Propose { orders: u32 },
    /// Merge the base into the branch.
    Refresh { base: Sha },
    /// Look at the pull request, its base and its approvals as they are now.
    Look,
    /// Merge it, if the consent still stands.
    Merge { head: Sha },
    /// Start the publishing run, unless there is one of this name.
    Dispatch { attempt: u32 },
    /// Look how the run goes, and whether the release is out.
    Follow { attempt: u32 },
    /// Bring status comment and pull request up to date.
    Show,
    /// Post the one comment that notifies whoever asked.
    Announce,
    /// Tell the fixed issues in which version they are.
    TellIssues,
    /// Let the next release on the branch begin.
    StartNext,
}

impl Release {
    /// A new one that waits for its turn.
    pub fn new(id: ReleaseId, place: Place, subject: Number, base: Branch, order: Order) -> Self {
        Self {
            id,
            place,
            subject,
            base,
            order,
            orders: 1,
            stage: Stage::Queued,
            plan: None,
            pull: None,
            edited: false,
            blocked: None,
            merged: None,
            tries: 0,
            run: None,
        }
    }

    /// The branch that belongs to it and to no other.
    pub fn branch(&self) -> Branch {
        Branch::of_release(&self.base, &self.id)
    }

    /// Names one try of publishing to the workflow: `12.1`.
    pub fn dispatch_id(&self, attempt: u32) -> Option<String> {
        self.pull.as_ref().map(|pull| format!("{}.{attempt}", pull.number))
    }

    /// Whether it is over.
    pub fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done(_))
    }

    /// Whether it holds its branch: neither waiting for its turn nor over.
    pub fn is_live(&self) -> bool {
        !matches!(self.stage, Stage::Queued | Stage::Done(_))
    }

    /// Whether another order can still change it.
    pub fn takes_orders(&self) -> bool {
        match self.stage {
            Stage::Queued => true,
            Stage::Planning | Stage::Proposing | Stage::Proposed => !self.edited,
            _ => false,
        }
    }

    fn plan_again(&mut self) -> Vec<Effect> {
        self.stage = Stage::Planning;
        vec![Effect::Show, Effect::Plan { orders: self.orders }]
    }

    /// Stands before people, who may have said something already.
    fn stand(&mut self, blocked: Option<Blocked>) -> Vec<Effect> {
        self.stage = Stage::Proposed;
        self.blocked = blocked;
        // What is blocked waits for the next event: looking at once would go round in circles.
        match self.blocked {
            None => vec![Effect::Show, Effect::Look],
            Some(_) => vec![Effect::Show],
        }
    }

    fn dispatch(&mut self) -> Vec<Effect> {
        self.stage = Stage::Dispatching;
        self.tries = self.tries.saturating_add(1);
        self.run = None;
        vec![Effect::Show, Effect::Dispatch { attempt: self.tries }]
    }

    fn end(&mut self, ending: Ending) -> Vec<Effect> {
        let mut effects = vec![Effect::Show];
        if !matches!(ending, Ending::Closed { .. }) {
            effects.push(Effect::Announce);
        }
        if matches!(ending, Ending::Published { .. }) {
            effects.push(Effect::TellIssues);
        }
        effects.push(Effect::StartNext);
        self.stage = Stage::Done(ending);
        effects
    }
}

/// The release after learning `fact`, and what to do then. `None`: the fact changes nothing.
pub fn advance(release: &Release, fact: &Fact) -> Option<(Release, Vec<Effect>)> {
    let mut next = release.clone();
    let effects = match (&release.stage, fact) {
        (Stage::Done(Ending::Failed { .. }), Fact::Retried { .. }) => match next.merged {
            Some(_) => next.dispatch(),
            None if next.edited => next.stand(None),
            None => {
                next.orders = next.orders.saturating_add(1);
                next.plan_again()
            }
        },
        (Stage::Done(_), _) => return None,
        (_, Fact::Ordered(order)) => next.ordered(order)?,
        (stage, Fact::Broke { why }) if stage.is_ours() => {
            next.end(Ending::Failed { why: why.clone() })
        }
        (Stage::Queued, Fact::TurnCame) => next.plan_again(),
        (Stage::Dispatching | Stage::Publishing, fact) => next.after_merge(fact)?,
        (_, Fact::Merged(merged)) if release.pull.is_some() => {
            next.merged = Some(merged.clone());
            next.blocked = None;
            next.dispatch()
        }
        (_, Fact::Closed { by }) if release.pull.is_some() => {
            next.end(Ending::Closed { by: by.clone() })
        }
        (Stage::Planning, fact) => next.after_plan(fact)?,
        (Stage::Proposing, Fact::Proposed { orders, pull }) if *orders == next.orders => {
            let first = next.pull.is_none();
            next.pull = Some(pull.clone());
            let mut effects = next.stand(None);
            if first {
                effects.push(Effect::Announce);
            }
            effects
        }
        (_, fact) => next.before_merge(fact)?,
    };
    Some((next, effects))
}

impl Stage {
    /// Whether Gander itself is at work, so that its own failures are facts about the release.
    fn is_ours(&self) -> bool {
        !matches!(self, Self::Queued | Self::Proposed | Self::Done(_))
    }

    /// Its name, for logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Planning => "planning",
            Self::Proposing => "proposing",
            Self::Refreshing { .. } => "refreshing",
            Self::Proposed => "proposed",
            Self::Merging { .. } => "merging",
            Self::Dispatching => "dispatching",
            Self::Publishing => "publishing",
            Self::Done(_) => "done",
        }
    }
}

impl Release {
    fn ordered(&mut self, order: &Order) -> Option<Vec<Effect>> {
        if !self.takes_orders() {
            return None;
        }
        self.order = order.clone();
        self.orders = self.orders.saturating_add(1);
        Some(match self.stage {
            Stage::Queued => vec![Effect::Show],
            _ => self.plan_again(),
        })
    }

    fn after_plan(&mut self, fact: &Fact) -> Option<Vec<Effect>> {
        let stands = self.pull.is_some();
        match fact {
            Fact::Planned { orders, plan } if *orders == self.orders => {
                self.plan = Some(plan.clone());
                self.stage = Stage::Proposing;
                Some(vec![Effect::Show, Effect::Propose { orders: self.orders }])
            }
            // A pull request that stands is not taken away because a later order cannot be followed.
            Fact::Refused { orders, why } if *orders == self.orders => Some(if stands {
                self.stand(Some(Blocked::Order(why.clone())))
            } else {
                self.end(Ending::Refused(why.clone()))
            }),
            Fact::NothingToRelease { orders, last } if *orders == self.orders => {
                Some(if stands {
                    self.stand(Some(Blocked::NothingLeft))
                } else {
                    self.end(Ending::NothingToRelease { last: last.clone() })
                })
            }
            _ => None,
        }
    }

    /// What happens around a pull request that stands.
    fn before_merge(&mut self, fact: &Fact) -> Option<Vec<Effect>> {
        match (self.stage.clone(), fact) {
            (
                Stage::Proposing | Stage::Proposed | Stage::Merging { .. } | Stage::Refreshing { .. },
                Fact::HeadMoved { head, version },
            ) => {
                let pull = self.pull.as_mut().filter(|pull| pull.head != *head)?;
                pull.head = head.clone();
                self.edited = true;
                Some(self.edited_by_people(version.as_ref()))
            }
            (Stage::Proposed, Fact::BaseMoved { base })
            | (Stage::Merging { .. }, Fact::BaseMoved { base }) => self.moved(base),
            (Stage::Refreshing { base: wanted }, Fact::Refreshed { base, head })
                if wanted == *base =>
            {
                self.plan.as_mut()?.base = base.clone();
                self.pull.as_mut()?.head = head.clone();
                Some(self.stand(None))
            }
            (Stage::Refreshing { base: wanted }, Fact::Stuck { base }) if wanted == *base => {
                Some(self.stand(Some(Blocked::Conflict)))
            }
            (Stage::Proposed, Fact::Approved(approval)) if self.is_consent(approval) => {
                let head = approval.head().clone();
                self.stage = Stage::Merging { head: head.clone() };
                self.blocked = None;
                Some(vec![Effect::Show, Effect::Merge { head }])
            }
            (Stage::Merging { head: ours }, Fact::NotMerged { head, why }) if ours == *head => {
                Some(self.stand(Some(why.clone())))
            }
            // Told again and again while it waits: only news are shown.
            (Stage::Proposed, Fact::NotMerged { head, why })
                if self.pull.as_ref().is_some_and(|pull| pull.head == *head)
                    && self.blocked.as_ref() != Some(why) =>
            {
                Some(self.stand(Some(why.clone())))
            }
            _ => None,
        }
    }

    fn edited_by_people(&mut self, version: Option<&(String, String)>) -> Vec<Effect> {
        match (version, self.plan.as_mut()) {
            (Some((version, tag)), Some(plan)) => {
                plan.version.clone_from(version);
                plan.tag.clone_from(tag);
                self.stand(None)
            }
            _ => self.stand(Some(Blocked::NoVersion)),
        }
    }

    fn moved(&mut self, base: &Sha) -> Option<Vec<Effect>> {
        if self.plan.as_ref()?.base == *base {
            return None;
        }
        if !self.edited {
            return Some(self.plan_again());
        }
        self.stage = Stage::Refreshing { base: base.clone() };
        Some(vec![Effect::Show, Effect::Refresh { base: base.clone() }])
    }

    fn is_consent(&self, approval: &Approval) -> bool {
        self.blocked != Some(Blocked::NoVersion)
            && *approval.base() == self.base
            && self.pull.as_ref().is_some_and(|pull| {
                pull.number == approval.pull() && pull.head == *approval.head()
            })
    }

    fn after_merge(&mut self, fact: &Fact) -> Option<Vec<Effect>> {
        let this = self.tries;
        match (&self.stage, fact) {
            (Stage::Dispatching, Fact::Dispatched { attempt }) if *attempt == this => {
                self.stage = Stage::Publishing;
                Some(vec![Effect::Show, Effect::Follow { attempt: this }])
            }
            (Stage::Publishing, Fact::RunSeen { attempt, run })
                if *attempt == this && self.run != Some(*run) =>
            {
                self.run = Some(*run);
                Some(vec![Effect::Show])
            }
            (Stage::Publishing, Fact::Published { attempt, url }) if *attempt == this => {
                Some(self.end(Ending::Published { url: url.clone() }))
            }
            (Stage::Publishing, Fact::RunFailed { attempt, why }) if *attempt == this => {
                Some(self.end(Ending::Failed { why: why.clone() }))
            }
            _ => None,
        }
    }
}

impl FromStr for Bump {
    type Err = NotABump;
    fn from_str(text: &str) -> Result<Self, NotABump> {
        match text.to_ascii_lowercase().as_str() {
            "major" => Ok(Self::Major),
            "minor" => Ok(Self::Minor),
            "patch" => Ok(Self::Patch),
            _ => {
                let version = text.strip_prefix('v').unwrap_or(text);
                is_version(version).then(|| Self::To(version.to_owned())).ok_or(NotABump)
            }
        }
    }
}

impl TryFrom<String> for Bump {
    type Error = NotABump;
    fn try_from(text: String) -> Result<Self, NotABump> {
        text.parse()
    }
}

impl From<Bump> for String {
    fn from(bump: Bump) -> Self {
        bump.to_string()
    }
}

impl fmt::Display for Bump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Major => "major",
            Self::Minor => "minor",
            Self::Patch => "patch",
            Self::To(version) => version,
        })
    }
}

#[cfg(test)]
#[path = "release_walk.rs"]
mod tests;
