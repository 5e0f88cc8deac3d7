//! What a commit needs to be run: the packages that its manifests and lockfiles name.
//!
//! They are fetched in a sandbox of their own, which holds those files and nothing else of the
//! repository, and whose only way out is a proxy to the registries that the operator named. Runs
//! see them read-only, and have no network.
//!
//! Invariants: nothing of the repository decides which host is spoken to; no code of the repository
//! or of a package runs while there is a way out; what is kept is whole, or not there.

mod cargo;
mod go;
mod node;
mod own_writes;
mod planned;
pub mod proxy;
mod python;
mod store;
mod toolchains;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize, Serializer};
use tokio_util::sync::CancellationToken;

use crate::core::manifest::Digest;
use crate::core::text::first_of;
use crate::egress::Egress;
use crate::sandbox::{
    CommandOutput, Exit, InstalledToolchain, Probe, Program, Sandbox, SandboxCommand, SandboxError,
    SandboxLimits, ShownDirectory, way_out,
};
use crate::workspace::confined::{self, ConfinedError};
use crate::workspace::kept::HeldRecord;
use crate::workspace::scratch::{Scratch, ScratchError};
use own_writes::OwnWrites;
use proxy::RegistryProxy;
use toolchains::ChosenToolchains;

/// Where commands see packages.
const PACKAGES: &str = "/packages";
/// The longest a package manager may take.
const TIME: Duration = Duration::from_secs(15 * 60);
/// So many of the files that name packages are told.
const MOST_NAMED: usize = 5;
/// So many of those that cannot be had.
const MOST_LEFT_OUT: usize = 10;
/// Bytes in the list of them.
const LONGEST_LIST: u64 = 64 << 10;
/// Of its output so much is told.
const TOLD: usize = 1_000;

/// The registries that are spoken to, where the operator names none.
///
/// Go's mirror sends whoever asks for larger archives on to where it keeps them, which is the last
/// (golang/go#52908).
pub const REGISTRIES: [&str; 9] = [
    "index.crates.io",
    "static.crates.io",
    "github.com",
    "registry.npmjs.org",
    "pypi.org",
    "files.pythonhosted.org",
    "proxy.golang.org",
    "sum.golang.org",
    "storage.googleapis.com",
];

/// Gives the content of one file of a commit, if it is text of a sensible size. It may block.
pub type ReadFile = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The files of a commit.
pub struct CommitFiles<'a> {
    /// The commit's own name, which no other has.
    pub name: &'a str,
    /// The paths of all of them.
    pub paths: Arc<[String]>,
    /// The content of one.
    pub read: ReadFile,
    /// Lays all of them in a new directory.
    pub export: &'a (dyn Fn(PathBuf) -> BoxFuture<'static, std::io::Result<()>> + Sync),
}

/// What one package manager needs, and does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct FetchPlan {
    /// As people know it.
    manager: &'static str,
    /// The files that say which packages: for people.
    from: Vec<String>,
    /// All that the package manager finds in its tree.
    #[serde(serialize_with = "as_digests")]
    files: BTreeMap<String, Vec<u8>>,
    /// What it does with a way out.
    fetch: Vec<PlannedCommand>,
    /// What is done after it, without one.
    build: Vec<PlannedCommand>,
    /// What runs are told.
    env: Vec<(String, String)>,
    /// Whether programs come with the packages, and where.
    programs: Option<String>,
}

/// Contents by what they are known by: written out, they would take many times their size.
fn as_digests<S: Serializer>(
    files: &BTreeMap<String, Vec<u8>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(files.iter().map(|(path, content)| (path, Digest::of(content))))
}

/// A program with its arguments, and what it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct PlannedCommand {
    words: Vec<String>,
    env: Vec<(String, String)>,
    /// It works on all files of the commit, and not only on those of the package manager.
    on_sources: bool,
    /// Whatever comes of it, the rest goes on.
    optional: bool,
    /// The words of a second try.
    second_try: Option<Vec<String>>,
}

impl PlannedCommand {
    fn new(words: &[&str], env: &[(&str, &str)]) -> Self {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        Self { words, env: env.collect(), on_sources: false, optional: false, second_try: None }
    }

    /// A second try with one word more.
    fn or_with(self, word: &str) -> Self {
        let words = self.words.iter().cloned().chain([word.to_owned()]).collect();
        Self { second_try: Some(words), ..self }
    }

    /// A second try that is another command.
    fn or_else(self, other: Self) -> Self {
        Self { second_try: Some(other.words), ..self }
    }

    fn on_sources(self) -> Self {
        Self { on_sources: true, ..self }
    }

    fn optional(self) -> Self {
        Self { optional: true, ..self }
    }
}

impl FetchPlan {
    /// Lays the files that it needs in an otherwise empty tree.
    fn lay(&self, tree: &Path) -> std::io::Result<()> {
        std::fs::create_dir_all(tree)?;
        for (path, content) in &self.files {
            let path = tree.join(path);
            if let Some(directory) = path.parent() {
                std::fs::create_dir_all(directory)?;
            }
            std::fs::write(path, content)?;
        }
        Ok(())
    }
}

/// Work that blocks or computes, on a thread that may.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other)
}

/// What was fetched for a commit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// What runs see.
    shown: Vec<ShownDirectory>,
    /// What runs are told.
    env: Vec<(String, String)>,
    /// What was found, for people: `cargo, from Cargo.lock`.
    pub found: Vec<String>,
    /// Which compilers and interpreters commands find, where the commit asks for some; for people.
    #[serde(skip)]
    pub tools: Vec<String>,
    /// Keeps it from being removed.
    #[serde(skip)]
    held: Vec<HeldRecord>,
}

/// Where packages come from, and where they are kept.
#[derive(Clone)]
pub struct Environments {
    directory: PathBuf,
    /// On the same disk.
    scratch: Scratch,
    /// `None`: nothing is fetched.
    egress: Option<Egress>,
    installed: Arc<[InstalledToolchain]>,
}

/// Why a commit's packages are not there.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// The package manager could not get them. In words for people.
    #[error("{0}")]
    Failed(String),
    /// Stopped from outside.
    #[error("fetching packages was stopped")]
    Stopped,
    /// The sandbox broke.
    #[error("packages could not be fetched in the sandbox")]
    Sandbox(#[from] SandboxError),
    /// No place for it.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// What is kept cannot be written down.
    #[error("the record of fetched packages cannot be written")]
    Record(#[from] serde_json::Error),
    /// The disk.
    #[error("the directory of fetched packages cannot be used")]
    Disk(#[from] std::io::Error),
}

/// Whether a package manager asks for the content of such a file.
pub fn is_manifest(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    cargo::MANIFESTS.contains(&name)
        || go::MANIFESTS.contains(&name)
        || node::is_manifest(name)
        || python::is_manifest(path)
        || toolchains::FILES.contains(&path)
}

impl Environments {
    /// Whether anything is fetched.
    pub fn fetch(&self) -> bool {
        self.egress.is_some()
    }

    /// Packages are kept below this directory of ours. Without a gate nothing is fetched.
    /// `installed`: what commits can ask for.
    pub fn new(data: &Path, egress: Option<Egress>, installed: Arc<[InstalledToolchain]>) -> Self {
        let (directory, scratch) = (data.join("environments"), Scratch::below(data));
        Self { directory, scratch, egress, installed }
    }

    /// Gives up kept packages where the disk is short of room.
    pub async fn make_room(&self) {
        store::all(&self.directory).forget_old().await;
    }

    /// The packages of a commit: as they are kept, or fetched.
    ///
    /// # Errors
    /// When they cannot be had, or not be kept.
    pub async fn of_commit(
        &self,
        commit: &CommitFiles<'_>,
        sandbox: &dyn Sandbox,
        stop: &CancellationToken,
    ) -> Result<Environment, EnvironmentError> {
        let mut all = Environment::default();
        let planned = planned::of(self, commit, sandbox.name()).await?;
        let toolchains = &planned.toolchains;
        for planned in planned.fetched {
            let one = match (planned.there, &self.egress) {
                (Some(one), _) => one,
                (None, None) => continue,
                (None, Some(egress)) => {
                    let (plan, scratch) = (&planned.plan, &self.scratch);
                    let fetching =
                        Fetching { plan, toolchains, commit, scratch, egress, sandbox, stop };
                    fetching.fetch_to(&planned.kept).await?
                }
            };
            all.shown.extend(one.shown);
            all.env.extend(one.env);
            all.found.extend(one.found);
            all.held.extend(one.held);
        }
        // What comes with the packages is found first.
        all.shown.extend(toolchains.shown.clone());
        all.env.extend(toolchains.env.clone());
        all.tools.clone_from(&toolchains.told);
        Ok(all)
    }
}

/// One package manager at work.
struct Fetching<'a> {
    plan: &'a Arc<FetchPlan>,
    toolchains: &'a ChosenToolchains,
    commit: &'a CommitFiles<'a>,
    scratch: &'a Scratch,
    egress: &'a Egress,
    sandbox: &'a dyn Sandbox,
    stop: &'a CancellationToken,
}

impl Fetching<'_> {
    async fn fetch_to(
        &self,
        kept: &store::KeptEnvironment,
    ) -> Result<Environment, EnvironmentError> {
        let making = kept.begin(self.scratch).await?;
        let (plan, tree) = (Arc::clone(self.plan), making.tree());
        blocking(move || plan.lay(&tree)).await??;
        let proxy = RegistryProxy::start(self.egress.clone(), making.path())?;
        let shown = ShownDirectory {
            host_dir: making.packages(),
            mount_at: format!("{PACKAGES}/{}", self.plan.manager),
            writable: true,
            programs: self.plan.programs.clone(),
            temporary: Vec::new(),
            above: None,
        };
        let tree = making.tree();
        for (planned, socket) in (self.plan.fetch.iter().map(|it| (it, Some(proxy.socket()))))
            .chain(self.plan.build.iter().map(|it| (it, None)))
        {
            let mut command =
                SandboxCommand::argv(planned.words.clone(), &tree).with_streams_together();
            command.shown = [std::slice::from_ref(&shown), &*self.toolchains.shown].concat();
            command.env = [&*self.plan.env, &self.toolchains.env].concat();
            if let Some(socket) = socket {
                command.way_out = Some(socket.to_owned());
                command.env.extend(through_proxy());
            }
            command.env.extend(planned.env.clone());
            let limits = SandboxLimits { wall: TIME, ..SandboxLimits::default() };
            if planned.on_sources {
                command.tree = making.sources();
                (self.commit.export)(making.sources()).await?;
            }
            let mut output = self.sandbox.run(&command, &limits, self.stop).await?;
            if let (true, Some(words)) = (output.exit != Exit::Code(0), &planned.second_try) {
                command.program = Program::Argv(words.clone());
                output = self.sandbox.run(&command, &limits, self.stop).await?;
            }
            if output.exit == Exit::Stopped {
                return Err(EnvironmentError::Stopped);
            }
            if output.exit != Exit::Code(0) && !planned.optional {
                return Err(self.failed(planned, &output, &proxy.refusals()));
            }
        }
        for refused in proxy.refusals() {
            tracing::warn!(manager = self.plan.manager, refused, "the proxy refused something");
        }
        drop(proxy);
        let more = making.adopt_node_modules()?;
        let mut found = format!(
            "{}, from {}",
            self.plan.manager,
            first_of(&self.plan.from, MOST_NAMED).join(", ")
        );
        let left_out = left_out(&making.packages());
        if !left_out.is_empty() {
            let names = first_of(&left_out, MOST_LEFT_OUT).join(", ");
            found.push_str(&format!("; without {names}, which cannot be had for this Python"));
        }
        let (env, found) = (self.plan.env.clone(), vec![found]);
        let shown = ShownDirectory { writable: false, ..shown };
        let shown = [vec![shown], more].concat();
        making.finish(Environment { shown, env, found, ..Environment::default() }).await
    }

    fn failed(
        &self,
        planned: &PlannedCommand,
        output: &CommandOutput,
        refused: &[String],
    ) -> EnvironmentError {
        let said = beginning_and_end(output.stdout.text.trim());
        let refused = match refused.is_empty() {
            true => String::new(),
            false => format!("\nThe proxy refused: {}.", refused.join("; ")),
        };
        EnvironmentError::Failed(format!(
            "the packages that {} names could not be fetched (`{}`): install them on Gander's \
             machine, or see what is wrong with it:\n{said}{refused}",
            self.plan.from.join(", "),
            planned.words.join(" "),
        ))
    }
}

/// The packages that were left out, by name. Code of packages may have written to the list.
fn left_out(packages: &Path) -> Vec<String> {
    let list = File::open(packages)
        .map_err(ConfinedError::from)
        .and_then(|packages| confined::open_file(packages, python::LEFT_OUT.as_bytes()))
        .and_then(|(mut list, _)| confined::read_all(&mut list, LONGEST_LIST));
    let text = String::from_utf8(list.unwrap_or_default()).unwrap_or_default();
    let of_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let is_name = |line: &&str| !line.is_empty() && line.len() < 100 && line.chars().all(of_name);
    text.lines().filter(is_name).map(str::to_owned).collect()
}

/// The reason stands at the beginning or at the end, and much help may stand between.
fn beginning_and_end(said: &str) -> String {
    if said.len() <= 2 * TOLD {
        return said.to_owned();
    }
    let (first, last) =
        (said.floor_char_boundary(TOLD), said.ceil_char_boundary(said.len() - TOLD));
    format!("{}\n[...]\n{}", &said[..first], &said[last..])
}

/// What package managers are told to find the way out.
fn through_proxy() -> Vec<(String, String)> {
    let certificates = "/etc/ssl/certs/ca-certificates.crt";
    [
        ("HTTPS_PROXY", way_out::ADDRESS),
        ("https_proxy", way_out::ADDRESS),
        ("YARN_HTTPS_PROXY", way_out::ADDRESS),
        ("npm_config_https_proxy", way_out::ADDRESS),
        ("CARGO_HTTP_PROXY", way_out::ADDRESS),
        ("SSL_CERT_FILE", certificates),
        ("NODE_EXTRA_CA_CERTS", certificates),
        ("PIP_CERT", certificates),
        ("CARGO_HTTP_CAINFO", certificates),
        ("CARGO_NET_OFFLINE", "false"),
        ("npm_config_offline", "false"),
        ("PIP_NO_INDEX", "0"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// A sandbox in which commands find a commit's packages.
pub struct WithEnvironment {
    inner: Arc<dyn Sandbox>,
    environment: Environment,
}

impl Environment {
    /// The sandbox in which commands find these packages.
    pub fn around(self, inner: Arc<dyn Sandbox>) -> Arc<dyn Sandbox> {
        match self.shown.is_empty() {
            true => inner,
            false => Arc::new(WithEnvironment { inner, environment: self }),
        }
    }
}

#[async_trait]
impl Sandbox for WithEnvironment {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    async fn probe(&self) -> Result<Probe, SandboxError> {
        self.inner.probe().await
    }

    fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    async fn has_overlays(&self) -> bool {
        self.inner.has_overlays().await
    }

    fn shows(&self, tree: &Path) -> PathBuf {
        self.inner.shows(tree)
    }

    async fn run(
        &self,
        command: &SandboxCommand,
        limits: &SandboxLimits,
        stop: &CancellationToken,
    ) -> Result<CommandOutput, SandboxError> {
        let mut command = command.clone();
        let mut shown = self.environment.shown.clone();
        let own = match self.inner.has_overlays().await {
            true => OwnWrites::of(&command.tree, &mut shown).map_err(SandboxError::Start)?,
            false => OwnWrites::default(),
        };
        command.shown.extend(shown);
        let more = std::mem::take(&mut command.env);
        command.env = [self.environment.env.clone(), more].concat();
        let output = self.inner.run(&command, limits, stop).await;
        own.remove().await;
        output
    }
}
