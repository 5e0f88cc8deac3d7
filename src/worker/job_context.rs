//! What the steps of one job work with, and what an attempt or a check is about.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::agent::HeldSlot;
use crate::clock::Clock;
use crate::core::conventions::Conventions;
use crate::core::event::IssueText;
use crate::core::id::{Number, Sha};
use crate::core::job::{Kind, Planning, Reverted, ReviseRequest, RuleOverride, Update};
use crate::core::picture::Picture;
use crate::core::policy::Rules;
use crate::environment::{Environment, Environments};
use crate::model::Model;
use crate::sandbox::Sandbox;
use crate::store::Store;
use crate::workspace::builds::Builds;
use crate::workspace::mirror::Mirror;
use crate::workspace::scratch::Scratch;

/// What the steps of one job work with that need no GitHub.
#[derive(Clone)]
pub struct JobContext {
    /// Where changes are kept.
    pub store: Arc<dyn Store>,
    /// Where commands of the repository run.
    pub sandbox: Arc<dyn Sandbox>,
    /// The packages that they find there.
    pub packages: Environment,
    /// Who writes the change.
    pub model: Arc<dyn Model>,
    /// Who is asked for a second opinion on it.
    pub judge: Arc<dyn Model>,
    /// Held on this machine; lent while one of them is asked.
    pub slot: HeldSlot,
    /// Where the base commit is.
    pub mirror: Mirror,
    /// For trees; emptied again.
    pub scratch: Scratch,
    /// For the transcript and the logs of this job; kept.
    pub records: PathBuf,
    /// Those of the job whose work this one takes up.
    pub former_records: Option<PathBuf>,
    /// First pause before asking an overloaded model again.
    pub model_pause: Duration,
    /// Tells how old those are.
    pub clock: Clock,
    /// What checks came to on commits without any change, kept for other jobs of the repository.
    pub base_checks: PathBuf,
    /// What checks built of commits without any change, kept for those of changes.
    pub builds: Builds,
    /// The pictures of the issue, as far as the model is shown them.
    pub pictures: Arc<[Picture]>,
    /// Where the packages of commits come from.
    pub environments: Environments,
}

impl JobContext {
    /// The sandbox in which commands find the packages.
    pub fn sandbox_with_packages(&self) -> Arc<dyn Sandbox> {
        self.packages.clone().around(Arc::clone(&self.sandbox))
    }
}

/// What an attempt is about.
#[derive(Clone)]
pub struct AttemptInput<'a> {
    /// Bug or feature.
    pub kind: Kind,
    /// The issue.
    pub issue: &'a IssueText,
    /// The maintainer's words.
    pub request: &'a str,
    /// The issue's number.
    pub number: Number,
    /// The repository's rules.
    pub rules: &'a Rules,
    /// Its ways.
    pub conventions: &'a Conventions,
    /// The commit to work on.
    pub base: &'a Sha,
    /// What a later round is about.
    pub round: Option<&'a str>,
    /// What the pull request is about that others opened.
    pub others_pull: Option<&'a str>,
    /// The merge that it is about, if the base is merged in.
    pub update: Option<&'a Update>,
    /// The merged pull request that it takes back.
    pub reverts: Option<&'a Reverted>,
    /// Its plan, where one is made first.
    pub planning: &'a Planning,
    /// What people said since, oldest first.
    pub notes: &'a [ReviseRequest],
    /// Rules whose findings stop nothing.
    pub overrides: &'a [RuleOverride],
}
