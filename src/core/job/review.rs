//! The review of a job's pull request: what is remembered of it, what one look at GitHub shows, and
//! what follows.
//!
//! Invariants: everything is decided on what GitHub shows *now*. Webhooks only say that it is worth
//! looking, so their order, doubling and loss change nothing. A request for changes becomes one
//! round and is answered once; requests that come during a round wait for the next. Merging follows
//! only an [`Approval`] of the very head, green checks on it, and rules that want it.

use crate::core::machine::Machine;
use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize};

use super::{
    ApprovalBinding, Base, Ci, Declined, Job, JobEnding, JobStage, JobStep, NoRepair, Obstacle,
    OnLines, OpenPull, PullEnd, PullSnapshot, PushedRound, RedBecause, RunAgain, Update,
    WaitingFor,
};
use crate::core::approval::{Approval, MergeAttempt, NotApproved};
use crate::core::id::{CommentId, Login, ReviewId, Sha, Timestamp, UserId};
use crate::core::patch::PatchDigest;
use crate::core::policy::MergeOn;

/// What is remembered of the review.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReviewState {
    /// Requests by command that wait for a round.
    pub asks: Vec<ReviseRequest>,
    /// People whose waiting reviews a maintainer has taken up.
    pub taken: Vec<TakenReviews>,
    /// Reviews that a round was about.
    pub answered: BTreeSet<ReviewId>,
    /// Who wants the base merged in, until that begins.
    pub update: Option<ReviseRequest>,
    /// Rounds that merged the base in.
    pub updates: u32,
    /// The head into which the base was last merged, or was to be.
    pub update_tried: Option<Sha>,
    /// Rounds that repaired red CI without being asked.
    pub repairs: u32,
    /// What the present or last round is about.
    pub round: Option<Round>,
    /// Reviews by people without write access, which wait until a maintainer takes them.
    pub outsiders: Vec<Outsider>,
    /// What it waits for.
    pub waiting: Option<WaitingFor>,
    /// What Gander's own checks say of the head.
    pub proof: Option<HeadProof>,
    /// The change that a person let out of hold.
    pub go: Option<PatchDigest>,
    /// Why the change is held back.
    pub risks: Vec<String>,
    /// What of its evidence a person has to say yes to.
    pub touches: Vec<String>,
    /// What of all evidence a person has said yes to.
    pub allowed: Vec<String>,
    /// The change that is held back, as people are shown it.
    pub held: String,
    /// Its files, each with the lines added and removed.
    pub held_files: Vec<String>,
    /// Approvals count only for this base branch and these rules.
    pub binding: Option<ApprovalBinding>,
    /// Whether somebody else's commit was ever the head: then the branch is not ours to remove.
    pub foreign: bool,
    /// Since when the head is what it is.
    pub head_since: Option<(Sha, Timestamp)>,
    /// Whose approvals it is merged with. Rows of before name one, or none.
    #[serde(deserialize_with = "one_or_many")]
    pub approved_by: Vec<Login>,
    /// Who pushed or wrote some of what is merged.
    pub pushed_by: Vec<Login>,
    /// What was pushed so far, a round each.
    pub pushed: Vec<PushedRound>,
    /// What of the change is suggested on lines of the pull request.
    pub on_lines: OnLines,
    /// The head on which GitHub would not run a check again.
    pub rerun_refused: Option<Sha>,
    /// What GitHub was last asked to merge on.
    pub tried: Option<MergeAttempt>,
}

/// A name, a list of them, or nothing.
fn one_or_many<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Login>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Names {
        Many(Vec<Login>),
        One(Option<Login>),
    }
    Ok(match Names::deserialize(from)? {
        Names::Many(names) => names,
        Names::One(name) => name.into_iter().collect(),
    })
}

/// A request by command: `/gander revise words`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ReviseRequest {
    #[serde(rename = "by")]
    pub by_id: UserId,
    pub login: Login,
    pub words: String,
    #[serde(rename = "comment")]
    pub comment_id: Option<CommentId>,
}

/// `/gander take @LOGIN`: that person's reviews up to then count like a maintainer's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct TakenReviews {
    pub login: Login,
    pub until: Timestamp,
    /// Who took them: their permission counts for the round.
    #[serde(rename = "by")]
    pub by_id: UserId,
    pub by_login: Login,
}

/// A round after the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// Why it is made.
    pub cause: Cause,
    /// Whose permission counts; whoever ordered the job, for a repair.
    #[serde(rename = "by")]
    pub by_id: UserId,
    /// Whom to mention.
    pub login: Login,
    /// The reviews it answers.
    pub reviews: Vec<ReviewId>,
    /// Their authors, who are asked again.
    pub reviewers: Vec<Login>,
    /// The words of commands it answers.
    pub words: Vec<String>,
    /// The head it builds on, once known.
    pub from: Option<Sha>,
    /// The threads it answers, once read.
    pub threads: Vec<Thread>,
    /// The merge that it makes, if the base is merged in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<Update>,
    /// The task for the agent, once put together.
    pub task: String,
    /// What came of it.
    pub outcome: Option<RoundOutcome>,
}

impl Round {
    /// What it works on is known.
    pub(super) fn begins_with(&mut self, base: &Base, task: &str, threads: &[Thread]) {
        self.from = Some(base.sha.clone());
        task.clone_into(&mut self.task);
        self.threads = threads.to_vec();
        self.outcome = None;
    }
}

/// Why a round is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Cause {
    /// People asked for changes.
    People,
    /// A required check is red on Gander's head.
    Ci {
        check: String,
        /// Whether it was green on the base; else it never ran there.
        #[serde(default = "yes")]
        green_on_base: bool,
    },
    /// The base is merged in.
    Update {
        /// By command; else by itself.
        asked: bool,
    },
}

/// Repairs of before were made of nothing else.
const fn yes() -> bool {
    true
}

/// A review thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// GitHub's name of the thread, for resolving it.
    pub id: String,
    /// Its first comment, for answering it.
    pub comment: CommentId,
    /// The file it stands on.
    pub path: String,
}

/// What the model says to one thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadAnswer {
    /// From 1, as the threads were shown to it.
    pub thread: u32,
    /// Whether it says that the change does what was asked.
    pub fixed: bool,
    /// In its words.
    pub words: String,
}

/// What came of a round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum RoundOutcome {
    Pushed { head: Sha },
    NoChange { why: String },
    GaveUp { why: String },
    OutOfBudget { why: String },
    Refused(Declined),
    Failed { why: String },
}

/// A review that waits for a maintainer's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Outsider {
    #[serde(rename = "review")]
    pub review_id: ReviewId,
    pub login: Login,
    pub points: u32,
}

/// Gander's own checks of a head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct HeadProof {
    pub head: Sha,
    /// Whether Gander made it; else a person did.
    pub ours: bool,
    /// What failed, if anything.
    pub failed: Option<String>,
}

impl Job {
    /// Rounds that people asked for.
    pub fn rounds_asked(&self, round: u32) -> u32 {
        round.saturating_sub(1).saturating_sub(self.review.repairs + self.review.updates)
    }

    /// What follows from a look at the pull request. `None`: nothing is new.
    pub(super) fn seen(&mut self, round: u32, seen: &PullSnapshot) -> Option<Vec<JobStep>> {
        match seen {
            PullSnapshot::Open(pull) => self.seen_open(round, pull),
            PullSnapshot::Ended(PullEnd::Merged { by }) => {
                Some(self.end(JobEnding::Merged { by: by.clone() }))
            }
            PullSnapshot::Ended(PullEnd::Closed { by }) => {
                Some(self.end(JobEnding::Closed { by: by.clone() }))
            }
        }
    }

    fn seen_open(&mut self, round: u32, pull: &OpenPull) -> Option<Vec<JobStep>> {
        let before = self.clone();
        self.adopt(pull);
        // A review by somebody whose word does not count is acknowledged, whatever else follows.
        let thanks = match self.review.outsiders == before.review.outsiders {
            true => Vec::new(),
            false => vec![JobStep::Explain],
        };
        let limits =
            self.rules().map_or((1, 0), |rules| (rules.limits.rounds, rules.limits.ci_repairs));
        if let Some(next) = self.next_round(pull, limits.1).filter(|_| !pull.skipped) {
            let asked = matches!(next.cause, Cause::People);
            if asked && self.rounds_asked(round) >= limits.0 {
                self.review.answered.extend(next.reviews);
                self.review.asks.clear();
                let limit = limits.0;
                self.review.waiting = Some(WaitingFor::RoundsUsed { limit });
                let refuse = vec![JobStep::Show, JobStep::RefuseRound { limit }, JobStep::Look];
                return Some([thanks, refuse].concat());
            }
            return Some([thanks, self.begin_round(round + 1, next)].concat());
        }
        let (waiting, mut steps) = self.standing(pull, limits.1);
        if self.stage != before.stage {
            return Some([thanks, steps].concat());
        }
        // What is known of a red check grows; what was said of it stands.
        let stands = before.review.waiting.clone().filter(|said| said.says_the_same(&waiting));
        self.review.waiting = Some(stands.unwrap_or(waiting));
        if *self == before {
            return None;
        }
        let told = before.review.waiting == self.review.waiting;
        if self.review.waiting.as_ref().is_some_and(WaitingFor::needs_words) && !told {
            steps.push(JobStep::Explain);
        }
        steps.extend(thanks);
        steps.insert(0, JobStep::Show);
        steps.dedup();
        Some(steps)
    }

    /// The pull request and the approval to merge it with, if what is seen now still leads to
    /// merging that very head.
    pub fn merges<'a>(&self, seen: &'a PullSnapshot) -> Option<(&'a OpenPull, &'a Approval)> {
        let JobStage::Merging { round, .. } = self.stage else { return None };
        let PullSnapshot::Open(pull) = seen else { return None };
        let mut looking = Self { stage: JobStage::InReview { round }, ..self.clone() };
        looking.seen_open(round, pull)?;
        let approval = pull.consent.as_ref().ok().filter(|_| looking.stage == self.stage)?;
        Some((pull, approval))
    }

    /// It was about to be merged, and what is seen now speaks against that.
    pub(super) fn seen_while_merging(&mut self, seen: &PullSnapshot) -> Option<Vec<JobStep>> {
        let JobStage::Merging { round, .. } = self.stage else { return None };
        if self.merges(seen).is_some() {
            return None;
        }
        self.stage = JobStage::InReview { round };
        let steps = self.seen(round, seen).unwrap_or_else(|| vec![JobStep::Show]);
        // Ours, and only the answer was lost: then it was this approval.
        if !self.is_done() {
            self.review.approved_by.clear();
        }
        Some(steps)
    }

    /// GitHub does not show the pull request: people are told, once, and the next look may.
    pub(super) fn not_shown(&mut self, why: &str) -> Option<Vec<JobStep>> {
        let waiting = Some(WaitingFor::Github { why: why.to_owned() });
        if !self.stage.is_in_review() || self.review.waiting == waiting {
            return None;
        }
        self.review.waiting = waiting;
        Some(vec![JobStep::Show, JobStep::Explain])
    }

    /// Takes over what people and GitHub have changed.
    fn adopt(&mut self, seen: &OpenPull) {
        if let Some(pull) = &mut self.pull
            && pull.head != seen.head
        {
            pull.head = seen.head.clone();
            self.review.foreign = true;
            self.review.proof = None;
            self.review.waiting = None;
        }
        if self.review.head_since.as_ref().is_none_or(|(head, _)| *head != seen.head) {
            self.review.head_since = Some((seen.head.clone(), seen.at));
        }
        if let Some(prepared) = &mut self.prepared {
            prepared.base.branch = seen.base.clone();
            if let Ok(rules) = &seen.rules {
                prepared.rules = rules.clone();
            }
        }
        let bound = self.review.binding.as_ref();
        let same = bound.is_some_and(|it| it.base == seen.base && it.rules == seen.rules_digest);
        if !same {
            let since = if bound.is_some() { seen.at } else { Timestamp(0) };
            let rules = seen.rules_digest.clone();
            self.review.binding = Some(ApprovalBinding { base: seen.base.clone(), rules, since });
        }
        let open = seen.requests.iter().filter(|it| !self.review.answered.contains(&it.review_id));
        let waits = open.filter(|it| self.takes(it).is_none());
        self.review.outsiders = waits
            .map(|it| Outsider {
                review_id: it.review_id,
                login: it.by.login.clone(),
                points: it.points,
            })
            .collect();
    }

    /// Where an open pull request stands that nobody wants changed.
    fn standing(&mut self, seen: &OpenPull, repairs: u32) -> (WaitingFor, Vec<JobStep>) {
        let only = |waiting| (waiting, Vec::new());
        if seen.skipped {
            return only(WaitingFor::Skipped);
        }
        if let Err(problem) = &seen.rules {
            return only(WaitingFor::BadRules { problem: problem.clone() });
        }
        let proof = self.review.proof.as_ref().filter(|proof| proof.head == seen.head);
        let Some(proof) = proof else {
            let head = seen.head.clone();
            let asked = self.review.waiting == Some(WaitingFor::HeadCheck);
            let steps = if asked { Vec::new() } else { vec![JobStep::CheckHead { head }] };
            return (WaitingFor::HeadCheck, steps);
        };
        if let Some(why) = &proof.failed {
            return only(WaitingFor::HeadRed { head: seen.head.clone(), why: why.clone() });
        }
        if let Ci::Red { check, because, page } = &seen.ci {
            let mut steps = Vec::new();
            let why = match because {
                RedBecause::AlsoOnBase => NoRepair::RedOnBase,
                RedBecause::ForEverybody { pulls } => {
                    NoRepair::ForEverybody { pulls: pulls.clone() }
                }
                RedBecause::Flaky { why, again } => {
                    let again = self.run_again(&seen.head, again);
                    if let RunAgain::ByUs { run, attempt } = again {
                        let head = seen.head.clone();
                        steps.push(JobStep::Rerun { head, run, attempt });
                    }
                    NoRepair::Flaky { why: why.clone(), again, page: page.clone() }
                }
                RedBecause::Change | RedBecause::Touched if !proof.ours => NoRepair::NotOurs,
                RedBecause::Change | RedBecause::Touched => {
                    NoRepair::RepairsUsed { limit: repairs }
                }
                RedBecause::NeverOnBase => NoRepair::NeverOnBase,
            };
            return (WaitingFor::Red { check: check.clone(), why }, steps);
        }
        let since = self.review.binding.as_ref().map_or(Timestamp(0), |bound| bound.since);
        let approval = match &seen.consent {
            // Judged by a base or rules that have changed since: look again.
            Ok(_) if seen.since < since => return (WaitingFor::Review, vec![JobStep::Look]),
            Ok(approval) if *approval.head() == seen.head && *approval.base() == seen.base => {
                approval
            }
            Ok(_) | Err(NotApproved::Nobody) => return only(self.unapproved(seen)),
            Err(why) => return only(WaitingFor::Consent(why.clone())),
        };
        match self.obstacle(seen) {
            Some(obstacle) => only(WaitingFor::Setting(obstacle)),
            None => self.approved(seen, approval),
        }
    }

    /// How a flaky check is run again: not by us where GitHub would not have it.
    fn run_again(&self, head: &Sha, again: &RunAgain) -> RunAgain {
        let by_us = matches!(again, RunAgain::ByUs { .. } | RunAgain::Later);
        if by_us && self.review.rerun_refused.as_ref() == Some(head) {
            return RunAgain::ByPerson;
        }
        again.clone()
    }

    /// GitHub would not run a check again: a person is asked, with the next look.
    pub(super) fn rerun_refused(&mut self) -> Option<Vec<JobStep>> {
        let head = self.pull.as_ref()?.head.clone();
        if !self.stage.is_in_review() || self.review.rerun_refused.as_ref() == Some(&head) {
            return None;
        }
        self.review.rerun_refused = Some(head);
        Some(vec![JobStep::Look])
    }

    /// What would keep it from being merged by us.
    fn obstacle(&self, seen: &OpenPull) -> Option<Obstacle> {
        let merge = &self.rules().filter(|rules| rules.merge.on != MergeOn::Never)?.merge;
        seen.terms.obstacle(merge.method)
    }

    /// What an unapproved pull request waits for: a failed round stays told until somebody acts.
    /// What an approval would not mend is said before somebody gives one.
    fn unapproved(&self, seen: &OpenPull) -> WaitingFor {
        match &self.review.waiting {
            Some(kept @ (WaitingFor::RoundFailed { .. } | WaitingFor::RoundsUsed { .. })) => {
                kept.clone()
            }
            _ if seen.mergeable == Some(false) => WaitingFor::Conflict,
            _ => self.obstacle(seen).map_or(WaitingFor::Review, WaitingFor::Setting),
        }
    }

    fn approved(&mut self, seen: &OpenPull, approval: &Approval) -> (WaitingFor, Vec<JobStep>) {
        let only = |waiting| (waiting, Vec::new());
        let on = self.rules().map_or(MergeOn::Never, |rules| rules.merge.on);
        let by_command = approval.by_command();
        match &seen.ci {
            Ci::Pending { names } => return only(WaitingFor::Checks { names: names.clone() }),
            Ci::Missing(checks) => return only(WaitingFor::MissingChecks(checks.clone())),
            Ci::Green | Ci::Red { .. } => {}
        }
        if on == MergeOn::Never {
            return only(WaitingFor::Button);
        }
        if on == MergeOn::Command && !by_command {
            return only(WaitingFor::Command);
        }
        if seen.mergeable == Some(false) {
            return only(WaitingFor::Conflict);
        }
        let now = MergeAttempt {
            source: approval.source(),
            rules: seen.rules_digest.clone(),
            clean: seen.clean,
        };
        let news = self.review.tried.as_ref().is_none_or(|tried| now.is_news_after(tried));
        self.review.tried = Some(now);
        if let Some(blocked @ WaitingFor::Blocked { head, .. }) = &self.review.waiting
            && *head == seen.head
            && !news
        {
            return only(blocked.clone());
        }
        self.review.approved_by = approval.logins();
        self.review.pushed_by = approval.pushed_by().to_vec();
        self.review.waiting = None;
        let head = seen.head.clone();
        let round = self.stage.round().unwrap_or(1);
        self.stage = JobStage::Merging { round, head: head.clone() };
        (WaitingFor::Review, vec![JobStep::Show, JobStep::Merge { head }])
    }
}

#[cfg(test)]
#[path = "review_orders.rs"]
mod tests;
