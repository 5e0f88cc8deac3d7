//! What every step is handed: the adapters and the operator's choices, and what is made of them the
//! same way everywhere.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use url::Url;

use super::WorkError;
use super::job_context::JobContext;
use crate::agent::HeldSlot;
use crate::clock::Clock;
use crate::core::budget::Money;
use crate::core::command::Address;
use crate::core::fault::ErrorKind;
use crate::core::github::RepoRef;
use crate::core::id::{Branch, Sha};
use crate::core::job::{Base, Job};
use crate::core::policy::{MergeOn, Rules, Show};
use crate::core::report::ReportContext;
use crate::core::retention::Retention;
use crate::egress::Egress;
use crate::environment::{Environment, Environments};
use crate::forge::{Forge, SignIn, payload};
use crate::metrics::Metrics;
use crate::model::{Model, Scripted};
use crate::sandbox::{InstalledToolchain, Sandbox};
use crate::slack::Slack;
use crate::store::{Claim, Store};
use crate::workspace::builds::Builds;
use crate::workspace::mirror::{History, Mirror, MirrorError, Source, Want};
use crate::workspace::scratch::Scratch;

/// The longest a fetch may take.
const FETCH_TIME: Duration = Duration::from_secs(15 * 60);

/// What the worker works with.
#[derive(Clone)]
#[allow(missing_docs)]
pub struct Context {
    /// Jobs, releases, the queue, the ledger.
    pub store: Arc<dyn Store>,
    /// The client of GitHub.
    pub forge: Forge,
    /// Where commands of a repository run.
    pub sandbox: Arc<dyn Sandbox>,
    /// The client of Slack, where that is configured.
    pub slack: Option<Slack>,
    /// How people on Slack show who they are on GitHub, where that is configured.
    pub slack_visits: Option<SlackVisits>,
    /// To the registries of packages; without it nothing is fetched from there.
    pub registries: Option<Egress>,
    /// The compilers and interpreters of this machine.
    pub toolchains: Arc<[InstalledToolchain]>,
    /// The operator's list; the first is the default.
    pub models: Vec<Arc<dyn Model>>,
    pub clock: Clock,
    /// What this process counts.
    pub metrics: Arc<Metrics>,
    /// Woken when something new stands in the queue. A hint only: the queue is looked at anyway.
    pub wake: Arc<Notify>,
    /// That of the task which this is handed to.
    pub slot: HeldSlot,
    /// The operator's choices.
    pub settings: WorkerSettings,
}

/// How people on Slack show who they are on GitHub.
#[derive(Debug, Clone)]
pub struct SlackVisits {
    /// The App, as a client of GitHub's OAuth.
    pub sign_in: SignIn,
    /// Where GitHub leads them back to.
    pub redirect: Url,
}

/// The operator's choices.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// How people address Gander.
    pub address: Address,
    /// Mirrors, scratch trees, transcripts, logs.
    pub data: PathBuf,
    /// No job may cost more.
    pub most_per_job: Money,
    /// No installation may cost more in a day.
    pub installation_day: Money,
    /// Steps of jobs that work on this machine side by side.
    pub workers: usize,
    /// Those and the steps that wait for a model, together.
    pub models: usize,
    /// First pause before asking an overloaded model again.
    pub model_pause: Duration,
    /// How long a head must have stood before silence counts as "no checks", where none is
    /// required.
    pub settle: Duration,
    /// How long what is over is kept.
    pub retention: Retention,
}

impl Context {
    /// What is told around a job.
    pub(super) fn report_context(&self, job: &Job) -> ReportContext {
        ReportContext {
            model: self.model_of(job).map_or_else(String::new, |model| model.name().to_owned()),
            show: job.rules().map_or_else(Show::default, |rules| rules.show.clone()),
            ..self.release_report_context()
        }
    }

    /// What is told around a release.
    pub(super) fn release_report_context(&self) -> ReportContext {
        ReportContext {
            prefix: self.settings.address.prefix.clone(),
            model: String::new(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            show: Show::default(),
            unverified: String::new(),
            kept: String::new(),
            now: self.clock.time_of_day(),
            web: self.forge.web_address(),
        }
    }

    /// The repository's rules, as far as they go here: with a workflow's own token nothing is
    /// merged.
    pub(super) fn bounded(&self, mut rules: Rules) -> Rules {
        if self.forge.is_of_workflow() {
            rules.merge.on = MergeOn::Never;
        }
        rules
    }

    /// The asked-for model, else the repository's, else the operator's first.
    pub(super) fn model_of(&self, job: &Job) -> Option<&Arc<dyn Model>> {
        let configured = job.rules().and_then(|rules| rules.agent.model.as_ref());
        match job.order.model.as_ref().or(configured) {
            Some(name) => self.models.iter().find(|model| model.name() == name),
            None => self.models.first(),
        }
    }

    /// The model that the rules name for second opinions.
    fn judge_of(&self, job: &Job) -> Option<&Arc<dyn Model>> {
        let name = job.rules()?.judge.model.as_ref()?;
        self.models.iter().find(|model| model.name() == name)
    }

    /// Where trees of jobs are.
    pub(super) fn scratch(&self) -> Scratch {
        Scratch::below(&self.settings.data)
    }

    /// From here on the world sees it: only whoever still holds the task may go on.
    pub(super) async fn still_held(&self, claim: &Claim) -> Result<(), WorkError> {
        Ok(self.store.heartbeat(&claim.lease, self.clock.steady()).await?)
    }

    /// What the steps of one job work with.
    pub(super) async fn of_job(&self, job: &Job, base: &Base) -> Result<JobContext, WorkError> {
        let model = self.model_of(job).ok_or_else(|| WorkError::bug("the job's model is gone"))?;
        let all = self.of_base((&job.repo, &base.branch, &base.sha), job.id.as_str()).await?;
        Ok(JobContext {
            model: model.clone(),
            judge: self.judge_of(job).unwrap_or(model).clone(),
            former_records: job.follows.as_ref().map(|id| self.records(id.as_str())),
            ..all
        })
    }

    fn records(&self, id: &str) -> PathBuf {
        self.settings.data.join("jobs").join(id)
    }

    /// What checks of a commit work with. `id` names what they are for. No model is asked.
    pub(super) async fn of_base(
        &self,
        (repo, branch, base): (&RepoRef, &Branch, &Sha),
        id: &str,
    ) -> Result<JobContext, WorkError> {
        let nobody: Arc<dyn Model> = Arc::new(Scripted::from_turns(Vec::new()));
        Ok(JobContext {
            pictures: Arc::default(),
            store: self.store.clone(),
            sandbox: self.sandbox.clone(),
            packages: Environment::default(),
            model: Arc::clone(&nobody),
            judge: nobody,
            slot: self.slot.clone(),
            mirror: self.mirror_of(repo, base).await?,
            scratch: self.scratch(),
            records: self.records(id),
            former_records: None,
            clock: self.clock.clone(),
            base_checks: self.settings.data.join("base-checks").join(repo.repo_id.to_string()),
            builds: Builds::of(&self.settings.data, format!("{} {branch}", repo.repo_id)),
            model_pause: self.settings.model_pause,
            environments: Environments::new(
                &self.settings.data,
                self.registries.clone(),
                Arc::clone(&self.toolchains),
            ),
        })
    }

    /// The mirror with this commit in it. Costs nothing when it is there.
    pub(super) async fn mirror(&self, job: &Job, sha: &Sha) -> Result<Mirror, WorkError> {
        self.mirror_of(&job.repo, sha).await
    }

    /// The same for one task, whose tokens that write code are its own.
    pub(super) fn for_task(&self, urgent: bool, slot: HeldSlot) -> Self {
        Self { forge: self.forge.for_step(urgent), slot, ..self.clone() }
    }

    /// The repository as GitHub shows it now. Where it has another name by now, all that is known
    /// about it learns that, and the task is done again.
    pub(super) async fn repository(
        &self,
        repo: &RepoRef,
    ) -> Result<payload::Repository, WorkError> {
        let seen = self.forge.repository(repo).await?;
        if seen.full_name == repo.name {
            return Ok(seen);
        }
        let text = format!("{} is called {} now", repo.name, seen.full_name);
        self.store.relocate(&RepoRef { name: seen.full_name, ..repo.clone() }).await?;
        Err(WorkError { kind: ErrorKind::Retry { after_seconds: Some(0) }, text })
    }

    /// The mirror with these commits and all that leads to them.
    pub(super) async fn mirror_with_history(
        &self,
        job: &Job,
        commits: [&Sha; 2],
    ) -> Result<Mirror, WorkError> {
        let [first, second] = commits;
        self.fetched(&job.repo, first, History::Full).await?;
        self.fetched(&job.repo, second, History::Full).await
    }

    /// The mirror of a repository with this commit and all that leads to it.
    pub(super) async fn history_of(&self, repo: &RepoRef, sha: &Sha) -> Result<Mirror, WorkError> {
        self.fetched(repo, sha, History::Full).await
    }

    /// The mirror of a repository with this commit in it.
    pub(super) async fn mirror_of(&self, repo: &RepoRef, sha: &Sha) -> Result<Mirror, WorkError> {
        self.fetched(repo, sha, History::Tip).await
    }

    async fn fetched(
        &self,
        repo: &RepoRef,
        sha: &Sha,
        history: History,
    ) -> Result<Mirror, WorkError> {
        let cache = self.settings.data.join("mirrors");
        let mirror = Mirror::open(&cache, &repo.repo_id.to_string()).await?;
        if history == History::Tip && mirror.has(sha).await {
            return Ok(mirror);
        }
        let url = self.forge.clone_url(repo).map_err(|e| WorkError::permanent(&e))?;
        let addresses = self.forge.git_addresses(&url).await?;
        let token = self.forge.git_token(repo).await?;
        let source = Source::Url { url: &url, addresses: &addresses, token: Some(&token) };
        let fetched = mirror.fetch(source, Want::Commit(sha), history, FETCH_TIME).await;
        match fetched {
            Ok(_) => Ok(mirror),
            // The branch moved away and the commit is gone: what is there now is another base.
            Err(error @ MirrorError::NotThere(_)) => Err(WorkError::passing(&error)),
            Err(error) => {
                // git is not led on to another name.
                self.repository(repo).await?;
                Err(error.into())
            }
        }
    }
}
