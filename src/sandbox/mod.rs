//! The sandbox: whatever a repository or a model wants to run, runs in here.
//!
//! Invariants: a command sees its own tree at `/work`, a throw-away home and `/tmp`, the system's
//! programs read-only, and nothing else: no network, no secret, no other job. It ends within its
//! limits, and when [`Sandbox::run`] returns, no process of it is left.

pub mod bubblewrap;
mod capture;
mod control_group;
mod gate;
mod guards;
pub mod init;
pub mod installed;
pub mod leftovers;
mod memory;
mod mount_points;
pub mod overlay;
mod policy;
pub mod refusal;
mod seccomp;
mod spawn;
pub mod toolchain;
pub mod unconfined;

use std::os::unix::process::ExitStatusExt;
use std::path::{Component, Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

pub use bubblewrap::Bubblewrap;
pub use capture::Captured;
pub use control_group::ControlGroups;
pub use gander_sandbox_init::{Landlock, way_out};
pub use installed::InstalledToolchain;
pub use spawn::Identity;
pub use toolchain::Toolchain;
pub use unconfined::Unconfined;

/// A place where untrusted commands run.
#[async_trait]
pub trait Sandbox: Send + Sync {
    /// `"bubblewrap"` or `"none"`.
    fn name(&self) -> &'static str;

    /// One real run, made at start, so that a missing protection is found before the first job.
    ///
    /// # Errors
    /// What is missing and what to do about it. No sandbox, no run.
    async fn probe(&self) -> Result<Probe, SandboxError>;

    /// Whether commands see only what they are shown, so that packages can be shown to them.
    fn is_closed(&self) -> bool;

    /// Whether a run can have a copy of its own of a directory that it is shown.
    async fn has_overlays(&self) -> bool {
        false
    }

    /// Where commands see their tree.
    fn shows(&self, tree: &Path) -> PathBuf;

    /// Runs a command until it ends, overruns its limits or is stopped.
    ///
    /// # Errors
    /// Only when the command could not be run or watched; a failing command is an [`Output`].
    async fn run(
        &self,
        command: &SandboxCommand,
        limits: &SandboxLimits,
        stop: &CancellationToken,
    ) -> Result<CommandOutput, SandboxError>;
}

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The sandbox program's version, such as `bubblewrap 0.8.0`.
    pub version: String,
    /// What bounds the number of processes.
    pub process_limit: ProcessLimit,
    /// What bounds the memory of a run.
    pub memory_limit: MemoryLimit,
    /// System calls that a filter keeps from every run.
    pub denied: Vec<&'static str>,
    /// The second layer around files.
    pub landlock: Landlock,
}

/// What bounds the memory of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemoryLimit {
    /// The kernel, for all that counts as memory.
    ControlGroup,
    /// A look at all its processes twice a second, because there is no control group: why.
    Watched(String),
    /// `RLIMIT_DATA`, for each process alone.
    PerProcess,
}

impl Probe {
    /// Which protections this machine does not give, and what to do about it; for people.
    pub fn missing(&self) -> Vec<String> {
        let landlock = match self.landlock {
            Landlock::Whole => None,
            Landlock::Part => Some("an old version of Landlock; Linux 6.12 has all that is used"),
            Landlock::None => Some("no Landlock (boot with `lsm=landlock,...`)"),
        };
        let memory = match &self.memory_limit {
            MemoryLimit::ControlGroup => None,
            MemoryLimit::Watched(why) => Some(format!(
                "no control groups, so memory is watched and not bounded by the kernel: {why} \
                 (in a systemd unit: `Delegate=cpu memory pids`)"
            )),
            MemoryLimit::PerProcess => Some("no bound on the memory of a whole run".to_owned()),
        };
        landlock.map(str::to_owned).into_iter().chain(memory).collect()
    }
}

/// What bounds the number of processes of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessLimit {
    /// `RLIMIT_NPROC`, counted in the run's own user namespace: runs do not starve each other.
    PerRun,
    /// `RLIMIT_NPROC`, counted over every process of the user.
    PerUser,
}

/// What to run, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct SandboxCommand {
    pub program: Program,
    /// The host directory that the command sees as `/work`, with write access.
    pub tree: PathBuf,
    /// Where in the tree it starts; empty for the root of the tree.
    pub workdir: String,
    /// More environment variables. Never a secret.
    pub env: Vec<(String, String)>,
    pub streams: Streams,
    /// More directories of the host that it sees.
    pub shown: Vec<ShownDirectory>,
    /// A proxy's socket on the host, for a step that fetches packages: its only way out. The
    /// command finds it at [`way_out::ADDRESS`].
    pub way_out: Option<PathBuf>,
}

/// Where a command finds [`ShownDirectory::of_reports`].
pub const REPORTS: &str = "/tmp/reports";

/// A directory of the host that a command sees.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[allow(missing_docs)]
pub struct ShownDirectory {
    pub host_dir: PathBuf,
    /// Where the command sees it.
    pub mount_at: String,
    /// Whether the command may change it.
    pub writable: bool,
    /// Where programs in it are, for the command's `PATH`.
    pub programs: Option<String>,
    /// Directories in it that are empty at first, and the command's own while it runs.
    #[serde(default)]
    pub temporary: Vec<String>,
    /// Where what the command writes to it lies, in a directory of that run. `None`: nothing is
    /// written.
    #[serde(skip)]
    pub above: Option<PathBuf>,
}

impl ShownDirectory {
    /// A directory for what commands build, which they find where build tools are told to put it.
    pub fn of_builds(host_dir: PathBuf) -> Self {
        Self::at(policy::BUILDS, host_dir)
    }

    /// A directory into which test runners write their reports, at [`REPORTS`].
    pub fn of_reports(host_dir: PathBuf) -> Self {
        Self::at(REPORTS, host_dir)
    }

    fn at(mount_at: &str, host_dir: PathBuf) -> Self {
        Self {
            host_dir,
            mount_at: mount_at.to_owned(),
            writable: true,
            programs: None,
            temporary: Vec::new(),
            above: None,
        }
    }
}

/// How a command's standard output and standard error are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Streams {
    /// Each by itself. Which line of one came before which of the other is lost.
    Apart,
    /// Both as standard output, in the order in which they were written: they are one pipe from
    /// the command's first instruction on.
    Together,
}

/// The program of a [`Command`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// A line for `/bin/sh -c` (not a login shell).
    Shell(String),
    /// Lines for `/bin/sh -e -c`: the first that fails ends them, as in a workflow.
    Script(String),
    /// A program and its arguments, with no shell in between.
    Argv(Vec<String>),
}

/// The bounds of one run. Those in bytes, processes and seconds of CPU hold for each process,
/// unless they say otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxLimits {
    /// Time on the clock until everything is killed.
    pub wall: Duration,
    /// Output kept of each stream: its head and its tail. The rest is read and dropped.
    pub output_bytes: usize,
    /// Processes and threads of the whole run.
    pub processes: u64,
    /// The largest file that can be written.
    pub file_bytes: u64,
    /// Private and shared memory of the whole run, and private writable memory of each process
    /// (`RLIMIT_DATA`). Address space is bounded far above it, because Node reserves tens of
    /// gigabytes that it never touches.
    pub memory_bytes: u64,
    /// Seconds of CPU time.
    pub cpu_seconds: u64,
    /// Open files.
    pub open_files: u64,
    /// Size of `/tmp` for the whole run; the home gets a quarter of it.
    pub tmp_bytes: u64,
    /// Files in `/tmp`, in the home and in `/dev/shm`, each. They take the kernel's memory.
    pub temporary_files: u64,
    /// What the whole run must leave free on the tree's file system: the queue lives there too.
    pub spare_bytes: u64,
    /// The same in files that can still be made, where a file system has only so many.
    pub spare_files: u64,
}

impl SandboxLimits {
    /// All that a control group counts as memory: temporary file systems as well.
    fn all_memory(&self) -> u64 {
        let temporary = self.tmp_bytes.saturating_add(self.home_bytes());
        self.memory_bytes.saturating_add(temporary).saturating_add(SHARED_MEMORY_BYTES)
    }

    fn home_bytes(&self) -> u64 {
        self.tmp_bytes / 4
    }
}

/// The size of `/dev/shm`.
const SHARED_MEMORY_BYTES: u64 = 64 << 20;

impl Default for SandboxLimits {
    fn default() -> Self {
        Self {
            wall: Duration::from_secs(600),
            output_bytes: MIB,
            processes: 512,
            file_bytes: 2 * GIB,
            memory_bytes: 8 * GIB,
            cpu_seconds: 1800,
            open_files: 4096,
            tmp_bytes: 4 * GIB,
            temporary_files: 500_000,
            spare_bytes: GIB / 4,
            spare_files: 10_000,
        }
    }
}

/// What a finished run left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandOutput {
    /// How it ended.
    pub exit: Exit,
    /// What it wrote to its standard output; to its standard error too, if both are together.
    pub stdout: Captured,
    /// What it wrote to its standard error.
    pub stderr: Captured,
    /// How long it took.
    pub wall: Duration,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It ended by itself with this code.
    Code(i32),
    /// A signal ended it. By the shell's custom, a code of 128 + n counts as signal n.
    Signal(i32),
    /// It was killed at the end of [`Limits::wall`].
    TimedOut,
    /// It was killed because the caller asked for it.
    Stopped,
    /// It was killed because less than [`SandboxLimits::spare_bytes`] was left on the disk, or
    /// because of too many files.
    DiskFull,
    /// It was killed because its processes together had more than
    /// [`SandboxLimits::memory_bytes`].
    OutOfMemory,
}

/// Why a command could not be run.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// What is to run first inside is not of this Gander.
    #[error(
        "{0} is of another version than this Gander: it was replaced while Gander ran, or only one \
         of the two was installed. Install both, and start Gander again"
    )]
    Replaced(PathBuf),
    /// There is no sandbox program.
    #[error(
        "there is no sandbox: {0} is missing. Install the package `bubblewrap` and start again"
    )]
    Missing(PathBuf),
    /// The sandbox could not be set up.
    #[error("the sandbox could not be set up: {said}. {next}")]
    Setup {
        /// The sandbox program's own words.
        said: String,
        /// What to do about it.
        next: &'static str,
    },
    /// Whatever was run would be killed at once.
    #[error("the disk is nearly full, so no command can run: make room where {} is", .0.display())]
    NoRoom(PathBuf),
    /// Commands would run as root.
    #[error(
        "commands never run as root: start Gander as an ordinary user; `gander serve --user NAME` becomes one by itself"
    )]
    Root,
    /// The place to start in is no plain path inside the tree.
    #[error("the work directory {0:?} is no plain relative path inside the tree")]
    WorkDirectory(String),
    /// A command without a program, or with a NUL byte in it.
    #[error("the command is empty or holds a NUL byte")]
    Malformed,
    /// It would share what the kernel keeps for our session.
    #[error(
        "the kernel gives the command no keyring of its own, so it would read ours. \
         /proc/key-users shows whether a quota is used up"
    )]
    Keyring(#[source] std::io::Error),
    /// No control group could be made, though we may.
    #[error("could not make a control group for the command")]
    Group(#[source] std::io::Error),
    /// It would have the kernel's whole system call table.
    #[error("there is no filter of system calls for the command")]
    Filter(#[source] std::io::Error),
    /// A process could not be started.
    #[error("could not start the command")]
    Start(#[source] std::io::Error),
    /// A started process could not be followed to its end.
    #[error("lost sight of the command while it ran")]
    Watch(#[source] std::io::Error),
    /// The command was killed but did not go away.
    #[error("a killed command is still there after {0:?}: the host needs a look")]
    Survivor(Duration),
}

/// Becomes the command, with one pipe for both of its streams.
const TOGETHER: &str = "exec \"$@\" 2>&1";
const MIB: usize = 1 << 20;
const GIB: u64 = 1 << 30;

impl SandboxCommand {
    /// A shell line at the root of a tree.
    pub fn shell(line: impl Into<String>, tree: impl Into<PathBuf>) -> Self {
        Self::new(Program::Shell(line.into()), tree.into())
    }

    /// Lines that must all succeed, at the root of a tree.
    pub fn script(lines: impl Into<String>, tree: impl Into<PathBuf>) -> Self {
        Self::new(Program::Script(lines.into()), tree.into())
    }

    /// A program with arguments at the root of a tree.
    pub fn argv<S: Into<String>>(
        argv: impl IntoIterator<Item = S>,
        tree: impl Into<PathBuf>,
    ) -> Self {
        Self::new(Program::Argv(argv.into_iter().map(Into::into).collect()), tree.into())
    }

    /// The same command, started in a directory of the tree.
    #[must_use]
    pub fn in_directory(mut self, workdir: impl Into<String>) -> Self {
        self.workdir = workdir.into();
        self
    }

    /// The same command, with both streams in one, in the order in which they come.
    #[must_use]
    pub fn with_streams_together(mut self) -> Self {
        self.streams = Streams::Together;
        self
    }

    /// What is started inside.
    fn words(&self) -> Vec<String> {
        let words = self.program.argv();
        match self.streams {
            Streams::Apart => words,
            Streams::Together => ["/bin/sh", "-c", TOGETHER, "sh"]
                .map(String::from)
                .into_iter()
                .chain(words)
                .collect(),
        }
    }

    /// Refuses what could mean something else to the layers below.
    fn check(&self) -> Result<(), SandboxError> {
        let plain =
            Path::new(&self.workdir).components().all(|part| matches!(part, Component::Normal(_)));
        if !plain || self.workdir.contains('\0') {
            return Err(SandboxError::WorkDirectory(self.workdir.clone()));
        }
        let argv = self.program.argv();
        let named = argv.first().is_some_and(|program| !program.is_empty());
        let names = self.env.iter().all(|(name, _)| !name.is_empty() && !name.contains('='));
        let texts = argv.iter().chain(self.env.iter().flat_map(|(name, value)| [name, value]));
        if !named || !names || texts.into_iter().any(|text| text.contains('\0')) {
            return Err(SandboxError::Malformed);
        }
        Ok(())
    }

    fn new(program: Program, tree: PathBuf) -> Self {
        let (workdir, env) = (String::new(), Vec::new());
        let (shown, way_out) = (Vec::new(), None);
        Self { program, tree, workdir, env, streams: Streams::Apart, shown, way_out }
    }
}

impl Program {
    fn argv(&self) -> Vec<String> {
        match self {
            Self::Shell(line) => vec!["/bin/sh".into(), "-c".into(), line.clone()],
            Self::Script(lines) => ["/bin/sh", "-e", "-c", lines].map(String::from).into(),
            Self::Argv(argv) => argv.clone(),
        }
    }
}

impl Exit {
    fn from_code(code: i32) -> Self {
        match code {
            129..=192 => Self::Signal(code - 128),
            _ => Self::Code(code),
        }
    }

    fn from_status(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::from_code(code),
            (None, signal) => Self::Signal(signal.unwrap_or_default()),
        }
    }
}
