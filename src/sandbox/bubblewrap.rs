//! Bubblewrap: a private set of every namespace, and only what a command needs inside.
//!
//! Invariants: what a command sees is decided in `policy.rs`. The arguments travel in an anonymous
//! file, because the sandbox can read the command line of its first process, which is bubblewrap
//! itself.

use std::ffi::OsString;
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gander_sandbox_init::gate::Ready;
use rustix::fs::{Mode, OFlags};
use rustix::process::Pid;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::pipe;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::control_group::{ControlGroups, RunGroup};
use super::gate::SandboxGate;
use super::guards::Guards;
use super::memory::RunMemory;
use super::policy::{Descriptors, HOME, SandboxPolicy, TREE, etc_files, in_memory};
use super::spawn::{self, Identity, ProcessEnding, ProcessHandle, Running, Start};
use super::{
    CommandOutput, Exit, MemoryLimit, Probe, ProcessLimit, Sandbox, SandboxCommand, SandboxError,
    SandboxLimits, ShownDirectory, Toolchain, init, mount_points, overlay, refusal, seccomp,
};

/// Commands run by bubblewrap.
#[derive(Debug, Clone)]
pub struct Bubblewrap {
    program: PathBuf,
    gander: PathBuf,
    toolchains: Vec<Toolchain>,
    identity: Option<Identity>,
    /// Or why there are none.
    groups: Result<ControlGroups, String>,
    /// What is denied to every run, ready to be handed down; or why it cannot be.
    filter: Arc<Result<Vec<u8>, String>>,
    /// Whether it works here, once that was tried.
    overlays: Arc<Mutex<Option<bool>>>,
}

/// A sandbox whose command waits at the gate.
///
/// Bubblewrap's promise to die with its parent only holds once its inner process has asked the
/// kernel for it; a parent that dies before that leaves an orphan. So our own first program inside
/// reports that all is up, and goes on only when a living parent tells it to. What is left of the
/// race is a bubblewrap that waits for its dead parent and never runs anything.
struct WaitingChild {
    running: Running,
    gate: SandboxGate,
    status: BufReader<pipe::Receiver>,
    group: Option<RunGroup>,
}

/// Lists of keys by name, as far as the kernel has them. A process namespace does not cut them.
const KEY_LISTS: &[&str] = &["/proc/keys", "/proc/key-users"];

impl Bubblewrap {
    /// Where bubblewrap must be: some systems allow namespaces to this path only, and no other
    /// path is asked for, lest a repository bring its own.
    pub const PROGRAM: &str = "/usr/bin/bwrap";

    /// A sandbox that shows these toolchains besides the system's own.
    pub fn new(toolchains: Vec<Toolchain>) -> Self {
        // Without a path of our own nothing will run, and bubblewrap says what is missing.
        let gander = std::env::current_exe().unwrap_or_default();
        let groups = Err("none was asked for".to_owned());
        let program = Self::PROGRAM.into();
        let filter = Arc::new(seccomp::filter().map_err(|error| error.to_string()));
        let overlays = Arc::default();
        Self { program, gander, toolchains, identity: None, groups, filter, overlays }
    }

    /// The same sandbox, with bubblewrap elsewhere.
    #[must_use]
    pub fn at(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = program.into();
        self
    }

    /// The same sandbox, for a program that is not Gander itself: where Gander is.
    #[must_use]
    pub fn with_gander_at(mut self, program: impl Into<PathBuf>) -> Self {
        self.gander = program.into();
        self
    }

    /// The same sandbox, with each run in a control group; or why there are none.
    #[must_use]
    pub fn within(mut self, groups: Result<ControlGroups, String>) -> Self {
        self.groups = groups;
        self
    }

    /// The user to run as when Gander is root; trees must be writable for it.
    #[must_use]
    pub fn run_as(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    async fn start(
        &self,
        command: &SandboxCommand,
        limits: &SandboxLimits,
    ) -> Result<WaitingChild, SandboxError> {
        let io = SandboxError::Start;
        let identity = spawn::identity(self.identity)?;
        let (status, status_writer): (PipeReader, PipeWriter) = io::pipe().map_err(io)?;
        let (gate, waiting) = UnixStream::pair().map_err(io)?;
        let filter = self
            .filter
            .as_ref()
            .as_ref()
            .map_err(|why| SandboxError::Filter(io::Error::other(why.clone())))?;
        let filter = in_memory(c"filter", filter).map_err(io)?;
        let files = etc_files().map_err(io)?;
        let etc: Vec<(RawFd, &str)> =
            files.iter().map(|(path, file)| (file.as_raw_fd(), *path)).collect();
        let command = &with_mount_points(command)?;
        let covered: Vec<&str> =
            KEY_LISTS.iter().copied().filter(|path| Path::new(path).exists()).collect();
        let policy = SandboxPolicy {
            command,
            limits,
            first_program: &init::program(&self.gander),
            toolchains: &self.toolchains,
            covered: &covered,
            descriptors: Descriptors {
                status: status_writer.as_raw_fd(),
                filter: filter.as_raw_fd(),
                etc: &etc,
            },
        };
        let listed = in_memory(c"arguments", &nul_separated(&policy.arguments())).map_err(io)?;
        let mut arguments: Vec<OsString> =
            ["--args", &listed.as_raw_fd().to_string(), "--"].map(OsString::from).into();
        let inner = init::command_line(limits.processes, command.words());
        arguments.extend(inner.into_iter().map(OsString::from));
        let group = self.groups.as_ref().ok().map(|groups| groups.make(limits)).transpose();
        let (group, join) = group.map_err(SandboxError::Group)?.unzip();
        let mut hand_down: Vec<OwnedFd> = vec![status_writer.into(), listed, filter];
        hand_down.extend(files.into_iter().map(|(_, file)| file));
        let program = match overlay::command_line(&command.shown, &self.program) {
            Some(words) => {
                arguments.splice(0..0, words);
                self.gander.clone()
            }
            None => self.program.clone(),
        };
        let running = spawn::start(Start {
            program,
            arguments,
            environment: Vec::new(),
            directory: "/".into(),
            stdin: OwnedFd::from(waiting).into(),
            bounds: spawn::bounds(limits),
            identity,
            hand_down,
            join,
        })
        .await
        .map_err(|error| self.explain(error))?;
        let status = pipe::Receiver::from_owned_fd(status.into()).map_err(SandboxError::Watch)?;
        let gate = SandboxGate::new(gate).map_err(SandboxError::Watch)?;
        Ok(WaitingChild { running, gate, status: BufReader::new(status), group })
    }

    /// Runs a command; also what was prepared for it.
    async fn run_prepared(
        &self,
        command: &SandboxCommand,
        limits: &SandboxLimits,
        stop: &CancellationToken,
    ) -> Result<(CommandOutput, Ready), SandboxError> {
        command.check()?;
        let WaitingChild { running, gate, mut status, group } = self.start(command, limits).await?;
        let ready = tokio::time::timeout(SETUP, gate.ready()).await;
        let (Ok(Some((ready, tables))), Some(first)) =
            (ready, next_status(&mut status).await.and_then(|said| said.child_pid))
        else {
            return Err(not_set_up(&running.last_words().await?));
        };
        if ready.version != init::VERSION {
            // It may not know the gate, which stays closed until it is gone.
            running.end().await?;
            drop(gate);
            return Err(SandboxError::Replaced(init::program(&self.gander)));
        }
        // The command still waits at the gate, so this number cannot have passed to another
        // process.
        let pid = Pid::from_raw(first).ok_or(io::ErrorKind::InvalidData.into());
        let inner = pid.and_then(ProcessHandle::on).map_err(SandboxError::Watch)?;
        let mut guards = Guards::of(&command.tree, limits);
        guards.temporary =
            TEMPORARY.iter().map(|path| inside(first, path)).collect::<Result<_, _>>()?;
        if group.is_none() {
            let memory = RunMemory::new(inside(first, "/proc")?, tables, limits.memory_bytes);
            guards.memory = Some(memory.map_err(SandboxError::Watch)?);
        }
        gate.open().map_err(SandboxError::Watch)?;
        let watched = running.watch(Some(inner), guards, limits, stop).await?;
        let exit = match (&watched.ending, &group) {
            (ProcessEnding::ByItself(_), Some(group)) if group.ran_out_of_memory() => {
                Exit::OutOfMemory
            }
            (ProcessEnding::ByItself(_), _) => {
                let reported = next_status(&mut status).await.and_then(|said| said.exit_code);
                match (reported, watched.ending.exit()) {
                    (Some(code), _) => Exit::from_code(code),
                    (None, killed @ Exit::Signal(_)) => killed,
                    // Without a report, bubblewrap's own exit code says nothing about the command.
                    (None, _) => {
                        return Err(not_set_up(&watched.stderr.text));
                    }
                }
            }
            (other, _) => other.exit(),
        };
        let (stdout, stderr, wall) = (watched.stdout, watched.stderr, watched.wall);
        Ok((CommandOutput { exit, stdout, stderr, wall }, ready))
    }

    /// Whether a run can write above a directory that stays as it is.
    async fn try_overlay(&self) -> Result<bool, SandboxError> {
        // Directories of ours are not that user's.
        if self.identity.is_some() {
            return Ok(false);
        }
        let place = tempfile::tempdir().map_err(SandboxError::Start)?;
        let (tree, lower) = (place.path().join("tree"), place.path().join("lower"));
        let above = place.path().join("own");
        for directory in [&tree, &lower] {
            std::fs::create_dir(directory).map_err(SandboxError::Start)?;
        }
        std::fs::write(lower.join("a"), "a").map_err(SandboxError::Start)?;
        overlay::prepare(&above).map_err(SandboxError::Start)?;
        let mut command = SandboxCommand::shell("cd x && cat a && echo b > a", &tree);
        command.shown.push(ShownDirectory {
            host_dir: lower.clone(),
            mount_at: format!("{TREE}/x"),
            writable: true,
            programs: None,
            temporary: Vec::new(),
            above: Some(above),
        });
        let (limits, never) = (SandboxLimits::default(), CancellationToken::new());
        let output = self.run_prepared(&command, &limits, &never).await?.0;
        let stays = std::fs::read_to_string(lower.join("a")).is_ok_and(|text| text == "a");
        Ok(output.exit == Exit::Code(0) && stays)
    }

    fn explain(&self, error: SandboxError) -> SandboxError {
        match error {
            SandboxError::Start(cause) if cause.kind() == io::ErrorKind::NotFound => {
                SandboxError::Missing(self.program.clone())
            }
            other => other,
        }
    }
}

#[async_trait]
impl Sandbox for Bubblewrap {
    fn name(&self) -> &'static str {
        "bubblewrap"
    }

    fn is_closed(&self) -> bool {
        true
    }

    fn shows(&self, _tree: &Path) -> PathBuf {
        TREE.into()
    }

    async fn has_overlays(&self) -> bool {
        let mut known = self.overlays.lock().await;
        match *known {
            Some(known) => known,
            None => *known.insert(self.try_overlay().await.unwrap_or(false)),
        }
    }

    async fn probe(&self) -> Result<Probe, SandboxError> {
        let version = spawn::version(&self.program, self.identity)
            .await
            .map_err(|error| self.explain(error))?;
        let tree = tempfile::tempdir().map_err(SandboxError::Start)?;
        let command = SandboxCommand::argv(["/bin/cat", seccomp::STATUS], tree.path());
        let (limits, never) = (SandboxLimits::default(), CancellationToken::new());
        let (output, ready) = self.run_prepared(&command, &limits, &never).await?;
        if output.exit == Exit::DiskFull {
            return Err(SandboxError::NoRoom(tree.path().to_owned()));
        }
        if output.exit != Exit::Code(0) {
            return Err(not_set_up(&output.stderr.text));
        }
        let ours = tokio::fs::read_to_string(seccomp::STATUS).await.map_err(SandboxError::Start)?;
        if !seccomp::is_added(&output.stdout.text, &ours) {
            let error = io::Error::other("bubblewrap did not take it");
            return Err(SandboxError::Filter(error));
        }
        let denied = seccomp::denied().collect();
        let memory_limit = match &self.groups {
            Ok(_) => MemoryLimit::ControlGroup,
            Err(why) => MemoryLimit::Watched(why.clone()),
        };
        let (process_limit, landlock) = (ProcessLimit::PerRun, ready.landlock);
        Ok(Probe { version, process_limit, memory_limit, denied, landlock })
    }

    async fn run(
        &self,
        command: &SandboxCommand,
        limits: &SandboxLimits,
        stop: &CancellationToken,
    ) -> Result<CommandOutput, SandboxError> {
        self.run_prepared(command, limits, stop).await.map(|(output, _)| output)
    }
}

fn not_set_up(said: &str) -> SandboxError {
    let said = said.trim().trim_end_matches('.').to_owned();
    SandboxError::Setup { said, next: refusal::next_step() }
}

/// The command, without the directories that cannot be shown where they belong in its tree.
fn with_mount_points(command: &SandboxCommand) -> Result<SandboxCommand, SandboxError> {
    let mut command = command.clone();
    let mut shown = Vec::new();
    for directory in std::mem::take(&mut command.shown) {
        let inside = Path::new(&directory.mount_at).strip_prefix(TREE).ok();
        let is_there = inside.map(|inside| mount_points::make(&command.tree, inside)).transpose();
        if is_there.map_err(SandboxError::Start)?.unwrap_or(true) {
            shown.push(directory);
        }
    }
    command.shown = shown;
    Ok(command)
}

/// One line of bubblewrap's `--json-status-fd`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct BwrapStatus {
    child_pid: Option<i32>,
    exit_code: Option<i32>,
}

/// The next thing bubblewrap reports, unless it is gone.
async fn next_status(status: &mut BufReader<pipe::Receiver>) -> Option<BwrapStatus> {
    let mut line = String::new();
    status.read_line(&mut line).await.ok()?;
    serde_json::from_str(&line).ok()
}

/// How long setting up the sandbox may take.
const SETUP: Duration = Duration::from_secs(10);
/// The temporary file systems.
const TEMPORARY: [&str; 3] = ["/tmp", HOME, "/dev/shm"];

/// A directory as a run sees it.
fn inside(first: i32, path: &str) -> Result<OwnedFd, SandboxError> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(format!("/proc/{first}/root{path}"), flags, Mode::empty())
        .map_err(|errno| SandboxError::Watch(errno.into()))
}

fn nul_separated(words: &[OsString]) -> Vec<u8> {
    words.iter().flat_map(|word| [word.as_bytes(), b"\0"].concat()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bubblewraps_reports_are_understood_whatever_else_they_hold() {
        let started: BwrapStatus = serde_json::from_str(r#"{ "child-pid": 7, "x": [] }"#).unwrap();
        assert_eq!((started.child_pid, started.exit_code), (Some(7), None));
        let ended: BwrapStatus = serde_json::from_str(r#"{ "exit-code": 3 }"#).unwrap();
        assert_eq!((ended.child_pid, ended.exit_code), (None, Some(3)));
    }
}
