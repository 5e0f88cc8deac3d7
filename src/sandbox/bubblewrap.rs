//! Bubblewrap: a private set of every namespace, and only what a command needs inside.
//!
//! Invariants: the policy is a pure function from what is wanted to bubblewrap's arguments. The
//! arguments travel in an anonymous file, because the sandbox can read the command line of its
//! first process, which is bubblewrap itself.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rustix::fs::{MemfdFlags, Mode, OFlags};
use rustix::process::Pid;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::pipe;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::control_group::{ControlGroups, RunGroup};
use super::gate::{Ready, SandboxGate};
use super::guards::Guards;
use super::memory::RunMemory;
use super::spawn::{self, Identity, ProcessEnding, ProcessHandle, Running, Start};
use super::{
    CommandOutput, Exit, MemoryLimit, Probe, ProcessLimit, SHARED_MEMORY_BYTES, Sandbox,
    SandboxCommand, SandboxError, SandboxLimits, ShownDirectory, Toolchain, init, mount_points,
    overlay, seccomp, way_out,
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

/// All that decides what a command sees.
#[derive(Debug)]
struct SandboxPolicy<'a> {
    command: &'a SandboxCommand,
    limits: &'a SandboxLimits,
    gander: &'a Path,
    toolchains: &'a [Toolchain],
    covered: &'a [&'a str],
    descriptors: Descriptors<'a>,
}

/// Numbers of the descriptors that bubblewrap reads from and writes to.
#[derive(Debug, Clone, Copy)]
struct Descriptors<'a> {
    status: RawFd,
    filter: RawFd,
    /// Files of `/etc`, each with its path.
    etc: &'a [(RawFd, &'static str)],
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

const HOME: &str = "/home/gander";
const TREE: &str = "/work";
/// Inside, everybody is this ordinary user, whoever runs Gander outside.
const USER: &str = "1000";

const PASSWD: &str = "root:x:0:0:root:/root:/bin/false\n\
    gander:x:1000:1000:gander:/home/gander:/bin/sh\n\
    nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n";
const GROUP: &str = "root:x:0:\ngander:x:1000:\nnogroup:x:65534:\n";
const HOSTS: &str = "127.0.0.1 localhost sandbox\n::1 localhost sandbox\n";
const NSSWITCH: &str = "passwd: files\ngroup: files\nshadow: files\nhosts: files\n\
    networks: files\nprotocols: files\nservices: files\n";

/// Lists of keys by name, as far as the kernel has them. A process namespace does not cut them.
const KEY_LISTS: &[&str] = &["/proc/keys", "/proc/key-users"];

/// The environment of every command. Builds go to `/tmp`, so that they leave no trace in the tree;
/// package managers are told that there is no network, so that they fail at once.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("HOME", HOME),
    ("USER", "gander"),
    ("LOGNAME", "gander"),
    ("SHELL", "/bin/sh"),
    ("TMPDIR", "/tmp"),
    ("LANG", "C.UTF-8"),
    ("TZ", "UTC"),
    ("TERM", "dumb"),
    ("CI", "true"),
    ("CARGO_HOME", "/home/gander/.cargo"),
    ("CARGO_TARGET_DIR", "/tmp/target"),
    ("CARGO_INCREMENTAL", "0"),
    ("CARGO_NET_OFFLINE", "true"),
    ("CARGO_TERM_COLOR", "never"),
    ("GOPROXY", "off"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
    ("PIP_NO_INDEX", "1"),
    ("PYTEST_ADDOPTS", "-p no:cacheprovider"),
    ("PYTHONDONTWRITEBYTECODE", "1"),
    ("npm_config_audit", "false"),
    ("npm_config_fund", "false"),
    ("npm_config_offline", "true"),
    ("npm_config_update_notifier", "false"),
];

/// Files of `/etc` that say who is who inside.
const OUR_FILES: &[(&str, &str)] = &[
    ("/etc/passwd", PASSWD),
    ("/etc/group", GROUP),
    ("/etc/hosts", HOSTS),
    ("/etc/nsswitch.conf", NSSWITCH),
];
/// Files of the system's settings that runtimes read; nothing of them is secret. They are copied,
/// for every mount takes time at every start.
const COPIED_FILES: &[&str] = &[
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/protocols",
    "/etc/services",
    "/etc/ssl/openssl.cnf",
];
/// Directories of such settings.
const SHOWN_DIRECTORIES: &[&str] = &[
    "/etc/alternatives",
    "/etc/java-11-openjdk",
    "/etc/java-17-openjdk",
    "/etc/java-21-openjdk",
    "/etc/java-25-openjdk",
    "/etc/maven",
    "/etc/php",
    "/etc/ssl/certs",
];

const SYSTEM_PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";

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
            gander: &self.gander,
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
            return Err(SandboxError::Setup { said: running.last_words().await? });
        };
        if ready.version != init::VERSION {
            // It may not know the gate, which stays closed until it is gone.
            running.end().await?;
            drop(gate);
            return Err(SandboxError::Replaced(self.gander.clone()));
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
                        let said = watched.stderr.text.trim().to_owned();
                        return Err(SandboxError::Setup { said });
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
        if output.exit != Exit::Code(0) {
            return Err(SandboxError::Setup { said: output.stderr.text.trim().to_owned() });
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

impl SandboxPolicy<'_> {
    /// What is inside, as bubblewrap's options. Order matters: later mounts cover earlier ones.
    fn arguments(&self) -> Vec<OsString> {
        let mut arguments = BwrapArguments(Vec::new());
        arguments.namespaces();
        arguments.system(self.descriptors);
        arguments.mount("--ro-bind", self.gander, init::PROGRAM);
        for path in self.covered {
            // What is bound here opens no device, so that reading it is refused.
            arguments.option(&["--ro-bind", "/dev/null", path]);
        }
        for toolchain in self.toolchains {
            arguments.mount("--ro-bind", &toolchain.host_dir, &toolchain.mount_at);
        }
        arguments.private("/tmp", self.limits.tmp_bytes, "1777");
        arguments.private(HOME, self.limits.home_bytes(), "0700");
        arguments.mount("--bind", &self.command.tree, TREE);
        for shown in &self.command.shown {
            if let Some(above) = &shown.above {
                arguments.mount("--bind", &overlay::seen(above), &shown.mount_at);
                continue;
            }
            let how = if shown.writable { "--bind" } else { "--ro-bind" };
            arguments.mount(how, &shown.host_dir, &shown.mount_at);
            for name in &shown.temporary {
                let inside = format!("{}/{name}", shown.mount_at);
                arguments.private(&inside, self.limits.home_bytes(), "0700");
            }
        }
        if let Some(socket) = &self.command.way_out {
            arguments.mount("--ro-bind", socket, way_out::SOCKET);
        }
        let workdir = match &*self.command.workdir {
            "" => TREE.to_owned(),
            inside => format!("{TREE}/{inside}"),
        };
        arguments.option(&["--chdir", &workdir]);
        arguments.environment(self.toolchains, self.command);
        arguments.option(&["--seccomp", &self.descriptors.filter.to_string()]);
        arguments.option(&["--json-status-fd", &self.descriptors.status.to_string()]);
        // Last, when every mount point exists: the root itself holds nothing to write to.
        arguments.option(&["--remount-ro", "/"]);
        arguments.0
    }
}

/// Bubblewrap's options, as they are written down.
struct BwrapArguments(Vec<OsString>);

impl BwrapArguments {
    fn namespaces(&mut self) {
        self.option(&["--unshare-all", "--unshare-user", "--disable-userns", "--as-pid-1"]);
        self.option(&["--die-with-parent", "--new-session", "--clearenv"]);
        self.option(&["--uid", USER, "--gid", USER, "--hostname", "sandbox"]);
    }

    fn system(&mut self, descriptors: Descriptors<'_>) {
        self.option(&["--ro-bind", "/usr", "/usr"]);
        for name in ["bin", "sbin", "lib", "lib64"] {
            self.option(&["--symlink", &format!("usr/{name}"), &format!("/{name}")]);
        }
        self.option(&["--perms", "0755", "--dir", "/etc"]);
        for path in SHOWN_DIRECTORIES.iter().filter(|path| Path::new(path).is_dir()) {
            self.option(&["--ro-bind", path, path]);
        }
        for (descriptor, path) in descriptors.etc {
            // Nobody writes to it: the root is read-only in the end.
            self.option(&["--perms", "0444", "--file", &descriptor.to_string(), path]);
        }
        self.option(&["--proc", "/proc", "--dev", "/dev"]);
        self.private("/dev/shm", SHARED_MEMORY_BYTES, "1777");
        self.option(&["--remount-ro", "/dev"]);
    }

    fn environment(&mut self, toolchains: &[Toolchain], command: &SandboxCommand) {
        let libraries: Vec<String> = toolchains.iter().filter_map(Toolchain::libraries).collect();
        let shown = command.shown.iter().filter_map(|shown| shown.programs.as_deref());
        let toolchains = toolchains.iter().map(|toolchain| &*toolchain.bin);
        let path: Vec<&str> = shown.chain(toolchains).chain([SYSTEM_PATH]).collect();
        self.option(&["--setenv", "PATH", &path.join(":")]);
        if !libraries.is_empty() {
            self.option(&["--setenv", "LD_LIBRARY_PATH", &libraries.join(":")]);
        }
        for (name, value) in ENVIRONMENT {
            self.option(&["--setenv", name, value]);
        }
        for (name, value) in &command.env {
            self.option(&["--setenv", name, value]);
        }
    }

    fn private(&mut self, path: &str, bytes: u64, mode: &str) {
        let bytes = bytes.to_string();
        self.option(&["--perms", mode, "--size", &bytes, "--tmpfs", path]);
    }

    fn mount(&mut self, how: &str, host: &Path, inside: &str) {
        self.0.extend([how.into(), host.into(), inside.into()]);
    }

    fn option(&mut self, words: &[&str]) {
        self.0.extend(words.iter().map(OsString::from));
    }
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

/// What stands in `/etc`, each file with its path and open at its start.
fn etc_files() -> io::Result<Vec<(&'static str, OwnedFd)>> {
    let mut files = Vec::new();
    for (path, text) in OUR_FILES {
        files.push((*path, in_memory(c"etc", text.as_bytes())?));
    }
    // What this machine does not have, nobody misses.
    let copied =
        COPIED_FILES.iter().filter_map(|path| Some((*path, File::open(path).ok()?.into())));
    files.extend(copied);
    Ok(files)
}

/// An anonymous file, read from its start.
fn in_memory(name: &std::ffi::CStr, bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DESCRIPTORS: Descriptors<'static> =
        Descriptors { status: 11, filter: 17, etc: &[(13, "/etc/passwd"), (14, "/etc/hosts")] };

    fn arguments(command: &SandboxCommand, toolchains: &[Toolchain]) -> Vec<String> {
        let limits = SandboxLimits { tmp_bytes: 400, ..SandboxLimits::default() };
        let covered = &["/proc/keys"][..];
        let descriptors = DESCRIPTORS;
        let gander = Path::new("/bin/gander");
        let policy =
            SandboxPolicy { command, limits: &limits, gander, toolchains, covered, descriptors };
        policy.arguments().into_iter().map(|word| word.into_string().unwrap()).collect()
    }

    fn position(arguments: &[String], words: &[&str]) -> Option<usize> {
        arguments.windows(words.len()).position(|window| window == words)
    }

    #[test]
    fn every_wall_is_up() {
        let arguments = arguments(&SandboxCommand::shell("true", "/jobs/7/tree"), &[]);
        for words in [
            &["--unshare-all"][..],
            &["--unshare-user"],
            &["--disable-userns"],
            &["--as-pid-1"],
            &["--die-with-parent"],
            &["--new-session"],
            &["--clearenv"],
            &["--uid", "1000"],
            &["--gid", "1000"],
            &["--hostname", "sandbox"],
            &["--proc", "/proc"],
            &["--dev", "/dev"],
            &["--size", "67108864", "--tmpfs", "/dev/shm"],
            &["--size", "400", "--tmpfs", "/tmp"],
            &["--size", "100", "--tmpfs", "/home/gander"],
            &["--perms", "0444", "--file", "13", "/etc/passwd"],
            &["--perms", "0444", "--file", "14", "/etc/hosts"],
            &["--seccomp", "17"],
            &["--json-status-fd", "11"],
            &["--chdir", "/work"],
        ] {
            assert!(position(&arguments, words).is_some(), "{words:?} in {arguments:?}");
        }
    }

    #[test]
    fn the_host_shows_its_programs_the_tree_the_toolchains_and_nothing_else() {
        let rust = Toolchain::new("rust", "/usr/lib/rust-1.95");
        let arguments = arguments(&SandboxCommand::shell("true", "/jobs/7/tree"), &[rust]);
        let mounts: Vec<_> = arguments
            .windows(3)
            .filter(|words| words[0].contains("bind"))
            .filter(|words| !SHOWN_DIRECTORIES.contains(&&*words[1]))
            .map(|words| words.join(" "))
            .collect();
        assert_eq!(
            mounts,
            [
                "--ro-bind /usr /usr",
                "--ro-bind /bin/gander /gander",
                "--ro-bind /dev/null /proc/keys",
                "--ro-bind /usr/lib/rust-1.95 /opt/toolchains/rust",
                "--bind /jobs/7/tree /work",
            ]
        );
    }

    #[test]
    fn the_root_and_the_devices_are_closed_after_their_mounts() {
        let arguments = arguments(&SandboxCommand::shell("true", "/jobs/7/tree"), &[]);
        assert_eq!(arguments[arguments.len() - 2..], ["--remount-ro", "/"]);
        let shared_memory = position(&arguments, &["--tmpfs", "/dev/shm"]);
        let devices = position(&arguments, &["--remount-ro", "/dev"]);
        assert!(shared_memory.is_some() && shared_memory < devices);
    }

    #[test]
    fn toolchains_come_first_in_the_path_and_asked_for_variables_last() {
        let toolchains = [Toolchain::new("rust", "/a"), Toolchain::new("node", "/b")];
        let mut command = SandboxCommand::shell("true", "/jobs/7/tree").in_directory("crates/one");
        command.env.push(("CI".into(), "no".into()));
        let arguments = arguments(&command, &toolchains);
        let path = format!("/opt/toolchains/rust/bin:/opt/toolchains/node/bin:{SYSTEM_PATH}");
        assert!(position(&arguments, &["--setenv", "PATH", &path]).is_some(), "{arguments:?}");
        let ours = position(&arguments, &["--setenv", "CI", "true"]);
        assert!(ours.is_some() && ours < position(&arguments, &["--setenv", "CI", "no"]));
        assert!(position(&arguments, &["--chdir", "/work/crates/one"]).is_some(), "{arguments:?}");
    }

    #[test]
    fn bubblewraps_reports_are_understood_whatever_else_they_hold() {
        let started: BwrapStatus = serde_json::from_str(r#"{ "child-pid": 7, "x": [] }"#).unwrap();
        assert_eq!((started.child_pid, started.exit_code), (Some(7), None));
        let ended: BwrapStatus = serde_json::from_str(r#"{ "exit-code": 3 }"#).unwrap();
        assert_eq!((ended.child_pid, ended.exit_code), (None, Some(3)));
    }
}
