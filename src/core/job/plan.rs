//! The plan of a change: made first where that was asked for, and agreed to by a person before
//! anything is written.
//!
//! Invariants: with `plan=first` no change is begun before a person agrees to the very plan that
//! is shown; what people want otherwise makes another plan, and is given to whoever makes it.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Job, JobEnding, JobStage, JobStep, ReviseRequest};
use crate::core::budget::Money;
use crate::core::id::Login;

/// So many plans are made of one job.
pub const MOST_PLANS: u32 = 5;

/// How far the planning of a job is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Planning {
    /// The last plan.
    pub plan: Option<Plan>,
    /// So many were begun.
    pub made: u32,
    /// What people wanted otherwise, oldest first.
    pub wishes: Vec<ReviseRequest>,
    /// Who agreed to it.
    pub agreed: Option<Login>,
    /// The files that the rounds changed so far.
    pub changed: BTreeSet<String>,
}

/// A plan, in the model's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What is wrong or missing, and what is to be done about it.
    pub what: String,
    /// The files that it changes.
    pub files: Vec<PlannedFile>,
    /// What will show that it works.
    pub shown_by: String,
    /// What it leaves as it is.
    pub left_out: String,
}

/// A file that a plan changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFile {
    /// Its path.
    pub path: String,
    /// What changes in it.
    pub change: String,
}

/// As people and the model read it.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.what.trim())?;
        for file in &self.files {
            writeln!(f, "- {}: {}", file.path.trim(), file.change.trim())?;
        }
        for (name, words) in [("Shown by", &self.shown_by), ("Left out", &self.left_out)] {
            if !words.trim().is_empty() {
                writeln!(f, "\n{name}: {}", words.trim())?;
            }
        }
        Ok(())
    }
}

impl Planning {
    /// The plan that a person agreed to.
    pub fn agreed_plan(&self) -> Option<&Plan> {
        self.plan.as_ref().filter(|_| self.agreed.is_some())
    }
}

/// What became of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum PlanNews {
    /// The agent made it.
    Made { plan: Plan, cost: Money },
    /// It made none.
    NotMade { why: NoPlan, cost: Money },
    /// A person agrees to it.
    Agreed(ReviseRequest),
    /// A person wants another.
    Refused(ReviseRequest),
}

impl PlanNews {
    /// In a few words, for the log.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Made { .. } => "a plan is made",
            Self::NotMade { .. } => "no plan was made",
            Self::Agreed(_) => "a person agreed to the plan",
            Self::Refused(_) => "a person wants another plan",
        }
    }
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoPlan {
    /// The agent says that nothing needs to change.
    NothingToFix(String),
    /// It came to no plan.
    Failed(String),
    /// The commands of the repository cannot be run.
    CannotCheck(String),
}

impl Job {
    /// Whether a plan is to be made before the change.
    pub(super) fn plans_first(&self) -> bool {
        self.order.plan_first && self.planning.agreed.is_none()
    }

    pub(super) fn make_plan(&mut self) -> Vec<JobStep> {
        self.planning.made += 1;
        let version = self.planning.made;
        self.notes_read = self.notes.len();
        self.stage = JobStage::Planning { version };
        vec![JobStep::Show, JobStep::Plan { version }]
    }

    pub(super) fn learn_of_plan(&mut self, version: u32, news: &PlanNews) -> Option<Vec<JobStep>> {
        match news {
            PlanNews::Made { plan, cost } => {
                self.only_at(&JobStage::Planning { version })?;
                self.spent = self.spent + *cost;
                self.planning.plan = Some(plan.clone());
                self.stage = JobStage::PlanReady { version };
                Some(vec![JobStep::Show, JobStep::Announce])
            }
            PlanNews::NotMade { why, cost } => {
                self.only_at(&JobStage::Planning { version })?;
                self.spent = self.spent + *cost;
                Some(self.end(match why.clone() {
                    NoPlan::NothingToFix(why) => JobEnding::NothingToFix { why },
                    NoPlan::Failed(why) => JobEnding::GaveUp { why },
                    NoPlan::CannotCheck(why) => JobEnding::CannotCheck { why },
                }))
            }
            PlanNews::Agreed(ask) => self.plan_agreed(version, ask),
            PlanNews::Refused(ask) => self.plan_refused(version, ask),
        }
    }

    /// A person agrees, with words that are part of the request. What the plan was made with may
    /// be old by now: rules and base are read again.
    fn plan_agreed(&mut self, version: u32, ask: &ReviseRequest) -> Option<Vec<JobStep>> {
        self.only_at(&JobStage::PlanReady { version })?;
        self.planning.agreed = Some(ask.login.clone());
        if !ask.words.is_empty() {
            let words = [self.order.request.as_str(), &ask.words];
            self.order.request = words.join("\n").trim().to_owned();
        }
        Some(self.prepare())
    }

    /// A person wants another plan.
    fn plan_refused(&mut self, version: u32, ask: &ReviseRequest) -> Option<Vec<JobStep>> {
        self.only_at(&JobStage::PlanReady { version })?;
        if version >= MOST_PLANS {
            return None;
        }
        self.planning.wishes.push(ask.clone());
        Some(self.prepare())
    }
}
