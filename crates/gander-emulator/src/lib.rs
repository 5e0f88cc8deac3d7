//! A GitHub emulator, and a small Slack beside it.
//!
//! It speaks GitHub's REST API, webhooks and git smart HTTP on loopback, with real bare
//! repositories on disk, for the demo, for tests and for the runner's self-test.
//!
//! Invariants: it imports nothing of ours, so it cannot share our misreadings; what GitHub would
//! refuse (a wrong token, a stale ref, a second pull request, too many requests) it refuses; a
//! route it does not know is a loud 501, never a guess; time comes from the clock it was given.

mod activity;
mod acts;
mod answer;
mod api;
mod auth;
mod copy;
mod deliveries;
mod downloads;
mod exchange;
mod faults;
mod git;
mod hooks;
mod jobs;
mod level;
mod limits;
mod profile;
mod protect;
mod registry;
mod releases;
mod rules;
mod rulesets;
mod runner;
mod server;
mod setup;
mod shapes;
mod sign_ins;
mod signing;
mod slack;
mod state;
mod story;
mod view;
mod web;
mod workflow;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

pub use self::deliveries::{DeliveryFault, DeliveryView};
pub use self::exchange::{Exchange, Record};
pub use self::faults::{Fault, FaultId, FaultOn, Mutation};
pub use self::limits::LimitPlan;
pub use self::profile::ServerKind;
pub use self::protect::{Demand, RequiredCheck, Requirement};
pub use self::registry::{AppCredentials, AppSpec};
pub use self::releases::ReleaseView;
pub use self::rulesets::RulesetSpec;
pub use self::runner::{Foreign, JobAnnotation, JobReport, RunReport, Runner, Setup, StepReport};
pub use self::setup::RepositorySpec;
pub use self::signing::{SigningError, SigningService, Workload};
pub use self::slack::{SlackMessage, SlackSpec, SlackWorkspace};
use self::state::State;
pub use self::story::{
    Actor, Annotation, CheckOutcome, CheckReport, JobEnd, LineNote, MergeMethod, Verdict,
    WorkflowSpec,
};
pub use self::view::{
    CheckRunView, CommentView, CommitView, IssueView, LineCommentView, PullView, ReactionView,
    TimelineEntry,
};

/// Tells the time: milliseconds since 1970 UTC.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// What an emulator needs to start.
pub struct Options {
    /// Where the bare repositories go. Must exist.
    pub root: PathBuf,
    /// The only source of time.
    pub clock: Clock,
}

/// Why something did not happen in the emulator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum Trouble {
    /// Somebody named a thing that is not there.
    #[error("the emulator has no {what} {name}")]
    Unknown {
        /// The kind of thing.
        what: &'static str,
        /// How it was named.
        name: String,
    },
    /// GitHub would not let this happen.
    #[error("GitHub would refuse: {0}")]
    Refused(String),
    /// Git did not do as it was told.
    #[error("git {command} failed: {says}")]
    Git {
        /// The arguments.
        command: String,
        /// What it wrote to standard error.
        says: String,
    },
    /// The disk, a process or the network of this machine failed.
    #[error("could not {doing}")]
    Disk {
        /// What the emulator was about to do.
        doing: &'static str,
        source: std::io::Error,
    },
    /// Work was stopped half-way.
    #[error("work in the emulator was interrupted")]
    Interrupted(#[source] tokio::task::JoinError),
    /// The key of an App could not be made or used.
    #[error("the key of an App could not be made")]
    Key,
    /// What jobs sign with could not be made or used.
    #[error("what jobs sign with could not be used")]
    Signing(#[from] SigningError),
    /// The client that sends webhooks could not be made.
    #[error("the webhook client could not be made")]
    WebhookClient(#[source] reqwest::Error),
}

impl Trouble {
    fn unknown(what: &'static str, name: impl std::fmt::Display) -> Self {
        Self::Unknown { what, name: name.to_string() }
    }
}

/// A running GitHub. Clones share it; it stops when the last one is dropped.
#[derive(Clone)]
pub struct Emulator {
    shared: Arc<Shared>,
    _stop: Arc<DropGuard>,
}

/// What the server's tasks and the handles have in common.
struct Shared {
    state: Mutex<State>,
    /// Rings when a webhook was queued.
    queued: Notify,
    /// One push at a time is announced.
    pushing: tokio::sync::Mutex<()>,
    webhooks: reqwest::Client,
    signing: SigningService,
    stop: CancellationToken,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Emulator {
    /// Starts a GitHub without any account on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When no port or no client for webhooks can be had.
    pub async fn start(options: Options) -> Result<Self, Trouble> {
        let Options { root, clock } = options;
        let network = |source| Trouble::Disk { doing: "listen on loopback", source };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.map_err(network)?;
        let port = listener.local_addr().map_err(network)?.port();
        let web = Url::parse(&format!("http://127.0.0.1:{port}"))
            .map_err(|error| network(std::io::Error::other(error)))?;
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new(clock, root, web)),
            queued: Notify::new(),
            pushing: tokio::sync::Mutex::new(()),
            webhooks: hooks::client()?,
            signing: SigningService::new()?,
            stop: stop.clone(),
        });
        server::spawn(listener, Arc::clone(&shared));
        Ok(Self { shared, _stop: Arc::new(stop.drop_guard()) })
    }

    /// Where the REST API lives, as `http://127.0.0.1:PORT/api/v3`.
    pub fn api_url(&self) -> Url {
        let mut url = self.web_url();
        url.set_path("/api/v3");
        url
    }

    /// What signs for jobs.
    pub fn signing(&self) -> &SigningService {
        &self.shared.signing
    }

    /// Where people and git go, as `http://127.0.0.1:PORT`.
    pub fn web_url(&self) -> Url {
        self.lock().web.clone()
    }

    /// Every request to the API so far, with its answer.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.lock().exchanges.clone()
    }

    /// Everything so far that GitHub's description can be held against.
    pub fn record(&self) -> Record {
        let mut deliveries = self.deliveries();
        deliveries.retain(|delivery| delivery.status.is_some());
        Record { server: self.server(), exchanges: self.exchanges(), deliveries }
    }

    /// `METHOD /path` of every request the emulator had no route for.
    pub fn unknown_routes(&self) -> Vec<String> {
        self.lock().unknown_routes.clone()
    }

    /// Every route of the API, as `METHOD /pattern`.
    pub fn routes() -> Vec<String> {
        api::routes().iter().map(|route| format!("{} {}", route.method, route.pattern)).collect()
    }

    /// Every token given out so far, of installations and of people: what must not turn up anywhere else.
    pub fn issued_tokens(&self) -> Vec<String> {
        let state = self.lock();
        let of_people = state.sign_ins.tokens();
        state.tokens.iter().map(|token| token.text.clone()).chain(of_people).collect()
    }

    /// Replaces GitHub's rate limits.
    pub fn set_limits(&self, plan: LimitPlan) {
        self.lock().limits.set(plan);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.lock()
    }
}
