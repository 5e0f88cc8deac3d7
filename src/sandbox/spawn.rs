//! The only place of the sandbox where a process starts.
//!
//! Invariants: a child inherits no descriptor but the named ones and no environment but the given
//! one, is never root, lives in its own process group and session keyring, within its resource
//! limits, and is dead when [`Running::watch`] returns. If this process dies, the kernel kills the
//! child.

use std::ffi::{CStr, OsStr, OsString};
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use rustix::fs::{Mode, OFlags, RawDir};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, WaitId, WaitIdOptions, getrlimit,
    set_parent_process_death_signal, setrlimit,
};
use rustix::thread::UnshareFlags;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::unix::pipe;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::capture::{Captured, capture};
use super::guards::{Excess, Guards};
use super::{Exit, SandboxError, SandboxLimits};

/// The user that commands run as when Gander itself is root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The numeric user.
    pub uid: u32,
    /// The numeric group.
    pub gid: u32,
}

/// A process to start.
pub(super) struct Start {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    pub(super) environment: Vec<(String, String)>,
    pub(super) directory: PathBuf,
    pub(super) stdin: Stdio,
    pub(super) bounds: Vec<(Resource, u64)>,
    pub(super) identity: Option<Identity>,
    /// Descriptors that the child keeps, under the same numbers.
    pub(super) hand_down: Vec<OwnedFd>,
    /// The control group to join.
    pub(super) join: Option<File>,
}

/// A started process.
pub(super) struct Running {
    process: ProcessHandle,
    pub(super) stdout: pipe::Receiver,
    stderr: pipe::Receiver,
    ended: oneshot::Receiver<io::Result<ExitStatus>>,
    began: Instant,
}

/// A watched process, after its end.
pub(super) struct Watched {
    pub(super) ending: ProcessEnding,
    pub(super) stdout: Captured,
    pub(super) stderr: Captured,
    pub(super) wall: Duration,
}

/// Why a watched process ended.
pub(super) enum ProcessEnding {
    ByItself(ExitStatus),
    TimedOut,
    Stopped,
    Exceeded(Excess),
}

/// A hold on a process that cannot slip to another one; dropping it kills.
pub(super) struct ProcessHandle(AsyncFd<OwnedFd>);

/// How long a killed process may take to vanish.
const GRACE: Duration = Duration::from_secs(5);
/// "Mine of the session", instead of a number.
const SESSION: libc::c_long = -3;
/// How long a process that escaped may keep our pipes open.
const DRAIN: Duration = Duration::from_millis(500);

/// Bounds that a command is under from its first instruction.
pub(super) fn bounds(limits: &SandboxLimits) -> Vec<(Resource, u64)> {
    vec![
        (Resource::Core, 0),
        (Resource::Cpu, limits.cpu_seconds),
        (Resource::Fsize, limits.file_bytes),
        (Resource::Nofile, limits.open_files),
        (Resource::Data, limits.memory_bytes),
        (Resource::As, limits.memory_bytes.saturating_add(RESERVED_BYTES)),
    ]
}

/// Address space that runtimes reserve and never touch: Node takes 10 GiB for each WebAssembly
/// memory, and a bound of 32 GiB already broke a test suite with a few of them.
const RESERVED_BYTES: u64 = 128 << 30;

/// Starts a process.
pub(super) async fn start(start: Start) -> Result<Running, SandboxError> {
    let (started, starting) = oneshot::channel();
    let (end, ended) = oneshot::channel();
    let began = Instant::now();
    // The kernel ties a child's life to the thread that started it, not to the process, so that
    // thread stays until the child is gone. It keeps keyrings per thread, too.
    std::thread::Builder::new()
        .name("sandbox".into())
        .spawn(move || match join_new_session().and_then(|()| spawn(start)) {
            Err(error) => drop(started.send(Err(error))),
            Ok((mut child, pid, pidfd)) => {
                let pipes = (child.stdout.take(), child.stderr.take());
                if let Err(Ok((_, pidfd))) = started.send(Ok((pipes, pidfd))) {
                    // Nobody waits any more.
                    let _ = rustix::process::pidfd_send_signal(pidfd, Signal::KILL);
                }
                drop(end.send(reap(&mut child, pid)));
            }
        })
        .map_err(SandboxError::Start)?;
    let lost = || SandboxError::Start(io::Error::other("the starting thread is gone"));
    let (pipes, pidfd) = starting.await.map_err(|_| lost())??;
    let process = ProcessHandle::new(pidfd).map_err(SandboxError::Watch)?;
    let (Some(stdout), Some(stderr)) = pipes else { return Err(lost()) };
    let stdout = pipe::Receiver::from_owned_fd(stdout.into()).map_err(SandboxError::Watch)?;
    let stderr = pipe::Receiver::from_owned_fd(stderr.into()).map_err(SandboxError::Watch)?;
    Ok(Running { process, stderr, stdout, ended, began })
}

/// The user to run as.
///
/// # Errors
/// This process is root and has no other user to run commands as.
pub(super) fn identity(wanted: Option<Identity>) -> Result<Option<Identity>, SandboxError> {
    match wanted {
        _ if !rustix::process::geteuid().is_root() => Ok(None),
        Some(identity) if identity.uid != 0 && identity.gid != 0 => Ok(wanted),
        _ => Err(SandboxError::Root),
    }
}

/// What a trusted program says to `--version`.
pub(super) async fn version(
    program: &Path,
    wanted: Option<Identity>,
) -> Result<String, SandboxError> {
    let limits = of_our_own();
    let running = start(Start {
        program: program.into(),
        arguments: vec!["--version".into()],
        environment: Vec::new(),
        directory: "/".into(),
        stdin: Stdio::null(),
        bounds: bounds(&limits),
        identity: identity(wanted)?,
        hand_down: Vec::new(),
        join: None,
    })
    .await?;
    let guards = Guards::of(Path::new("/"), &limits);
    let watched = running.watch(None, guards, &limits, &CancellationToken::new()).await?;
    Ok(watched.stdout.text.trim().to_owned())
}

/// The limits of a program of ours that only says something.
fn of_our_own() -> SandboxLimits {
    SandboxLimits { wall: GRACE, spare_bytes: 0, spare_files: 0, ..SandboxLimits::default() }
}

impl ProcessEnding {
    /// What this says of a command that nobody else tells of.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::TimedOut => Exit::TimedOut,
            Self::Stopped => Exit::Stopped,
            Self::Exceeded(Excess::Disk) => Exit::DiskFull,
            Self::Exceeded(Excess::Memory) => Exit::OutOfMemory,
            Self::ByItself(status) => Exit::from_status(*status),
        }
    }
}

impl Running {
    /// Follows a process to its end, which comes at the latest when its time is up or it is
    /// stopped. `inner` is a second process that must not outlive it.
    pub(super) async fn watch(
        self,
        inner: Option<ProcessHandle>,
        guards: Guards,
        limits: &SandboxLimits,
        stop: &CancellationToken,
    ) -> Result<Watched, SandboxError> {
        let Self { process, stderr, stdout, ended, began } = self;
        let ending = pin!(async {
            let time_left = limits.wall.saturating_sub(began.elapsed());
            let ending = tokio::select! {
                biased;
                status = ended => ProcessEnding::ByItself(reaped(status)?),
                () = stop.cancelled() => ProcessEnding::Stopped,
                () = tokio::time::sleep(time_left) => ProcessEnding::TimedOut,
                excess = guards.passed() => ProcessEnding::Exceeded(excess),
            };
            let wall = began.elapsed();
            process.end().await?;
            if let Some(inner) = &inner {
                inner.end().await?;
            }
            Ok((ending, wall))
        });
        let give_up = CancellationToken::new();
        let reading = pin!(async {
            tokio::join!(
                capture(stdout, limits.output_bytes, &give_up),
                capture(stderr, limits.output_bytes, &give_up),
            )
        });
        let (ending, (stdout, stderr)) = match select(ending, reading).await {
            Either::Right((streams, ending)) => (ending.await, streams),
            Either::Left((ending, mut reading)) => {
                let drained = tokio::time::timeout(DRAIN, &mut reading).await;
                let streams = match drained {
                    Ok(streams) => streams,
                    Err(_) => {
                        give_up.cancel();
                        reading.await
                    }
                };
                (ending, streams)
            }
        };
        let (ending, wall) = ending?;
        let stdout = stdout.map_err(SandboxError::Watch)?;
        let stderr = stderr.map_err(SandboxError::Watch)?;
        Ok(Watched { ending, stdout, stderr, wall })
    }

    /// Kills a process that is not to be followed.
    pub(super) async fn end(self) -> Result<(), SandboxError> {
        self.process.end().await
    }

    /// Waits for the end of a process that failed before it could be watched; what it said.
    pub(super) async fn last_words(self) -> Result<String, SandboxError> {
        let (limits, never) = (of_our_own(), CancellationToken::new());
        let watched =
            self.watch(None, Guards::of(Path::new("/"), &limits), &limits, &never).await?;
        Ok(watched.stderr.text.trim().to_owned())
    }
}

impl ProcessHandle {
    /// Takes hold of a process that is known to be alive and ours.
    pub(super) fn on(pid: Pid) -> io::Result<Self> {
        Self::new(rustix::process::pidfd_open(pid, PidfdFlags::empty())?)
    }

    fn new(pidfd: OwnedFd) -> io::Result<Self> {
        #[expect(deprecated, reason = "it warns of early closing; an `OwnedFd` cannot close early")]
        AsyncFd::with_interest(pidfd, Interest::READABLE).map(Self)
    }

    fn kill(&self) {
        // The only failure is a process that is already gone.
        let _ = rustix::process::pidfd_send_signal(self.0.get_ref(), Signal::KILL);
    }

    /// Kills, and waits until the process is gone; for the first process of a process namespace,
    /// until everything in the namespace is gone.
    async fn end(&self) -> Result<(), SandboxError> {
        self.kill();
        match tokio::time::timeout(GRACE, self.0.readable()).await {
            Ok(gone) => gone.map(drop).map_err(SandboxError::Watch),
            Err(_) => Err(SandboxError::Survivor(GRACE)),
        }
    }
}

impl Drop for ProcessHandle {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits for a child's end and kills what it left in its group. The child is reaped after that, so
/// that the group's number cannot have passed to somebody else.
fn reap(child: &mut Child, pid: Pid) -> io::Result<ExitStatus> {
    let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while let Err(error) = rustix::process::waitid(WaitId::Pid(pid), ended) {
        if error != Errno::INTR {
            return Err(error.into());
        }
    }
    // The only failure is an empty group.
    let _ = rustix::process::kill_process_group(pid, Signal::KILL);
    child.wait()
}

fn reaped(
    status: Result<io::Result<ExitStatus>, oneshot::error::RecvError>,
) -> Result<ExitStatus, SandboxError> {
    status
        .map_err(|_| io::Error::other("the waiting thread is gone"))
        .flatten()
        .map_err(SandboxError::Watch)
}

/// A command with nothing but its name.
pub(super) fn plain_command(program: impl AsRef<OsStr>) -> std::process::Command {
    #[expect(clippy::disallowed_methods, reason = "the sandbox's commands start here")]
    std::process::Command::new(program)
}

/// Has the kernel run this process and its children when others have had their turn.
fn yield_to_others() -> io::Result<()> {
    // The kernel's structure is this one number. musl's function of this name only fails.
    let priority: libc::c_int = 0;
    // SAFETY: the kernel reads one number, which lives as long as the call.
    #[expect(unsafe_code, reason = "neither std nor rustix offers this system call")]
    let answer = unsafe {
        libc::syscall(libc::SYS_sched_setscheduler, 0, libc::SCHED_BATCH, &raw const priority)
    };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Gives this process a user namespace and a mount namespace of its own, with all rights in them
/// and none outside. For a process that has one thread.
///
/// # Errors
/// When the system allows none.
pub(super) fn enter_own_namespaces() -> io::Result<()> {
    let both = UnshareFlags::NEWUSER | UnshareFlags::NEWNS;
    // SAFETY: it is unsafe where threads share files or memory that are no longer shared after it;
    // these two are not such, and there is one thread.
    #[expect(unsafe_code, reason = "rustix has no safe form for all that can be unshared")]
    unsafe {
        rustix::thread::unshare_unsafe(both)?;
    }
    Ok(())
}

fn spawn(start: Start) -> Result<(Child, Pid, OwnedFd), SandboxError> {
    let mut command = plain_command(&start.program);
    command
        .args(&start.arguments)
        .env_clear()
        .envs(start.environment)
        .current_dir(start.directory)
        .process_group(0)
        .stdin(start.stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(Identity { uid, gid }) = start.identity {
        // With a user given, std also drops the supplementary groups.
        command.uid(uid).gid(gid);
    }
    confine(&mut command, start.bounds, start.hand_down, start.join);
    let child = command.spawn().map_err(SandboxError::Start)?;
    let pid = Pid::from_child(&child);
    let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty())
        .map_err(|errno| SandboxError::Start(errno.into()))?;
    Ok((child, pid, pidfd))
}

/// What the child does to itself between fork and exec.
fn confine(
    command: &mut std::process::Command,
    bounds: Vec<(Resource, u64)>,
    hand_down: Vec<OwnedFd>,
    join: Option<File>,
) {
    let in_child = move || -> io::Result<()> {
        rustix::process::umask(Mode::from_raw_mode(0o022));
        if let Some(group) = &join {
            // Whoever writes this stands for itself.
            rustix::io::write(group, b"0")?;
        }
        set_parent_process_death_signal(Some(Signal::KILL))?;
        let _ = prefer_as_victim();
        yield_to_others()?;
        close_on_exec_from_three()?;
        for descriptor in &hand_down {
            fcntl_setfd(descriptor, FdFlags::empty())?;
        }
        // Last: until exec this process still holds all of Gander's descriptors, which may be more
        // than the command may have, and the listing above takes one.
        for (resource, bound) in &bounds {
            // A bound may only be lowered by someone who is not root.
            let bound = getrlimit(*resource).maximum.map_or(*bound, |max| max.min(*bound));
            setrlimit(*resource, Rlimit { current: Some(bound), maximum: Some(bound) })?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec only async-signal-safe work is allowed. The closure makes
    // plain system calls on data made before the fork; it neither allocates, locks nor panics.
    #[expect(unsafe_code, reason = "std offers no other way to run before exec")]
    unsafe {
        command.pre_exec(in_child);
    }
}

/// Gives the calling thread, and what it starts from now on, a new session keyring.
///
/// The kernel keeps this per thread: call it on one that starts a single run and nothing else.
///
/// # Errors
/// When there is none to be had; nothing may be started then.
fn join_new_session() -> Result<(), SandboxError> {
    let Err(error) = keyctl(libc::KEYCTL_JOIN_SESSION_KEYRING, 0) else { return Ok(()) };
    match Errno::from_io_error(&error) {
        // A kernel without keyrings, or a filter that says so: a run inherits either.
        Some(Errno::NOSYS) => Ok(()),
        // The kernel itself never answers this. A filter (that of Docker, say) closes keyrings to
        // us and to what we start, which shows in a question that is always allowed.
        Some(Errno::PERM) if is_closed() => Ok(()),
        _ => Err(SandboxError::Keyring(error)),
    }
}

fn is_closed() -> bool {
    let asked = keyctl(libc::KEYCTL_GET_KEYRING_ID, SESSION);
    asked.is_err_and(|error| Errno::from_io_error(&error) == Some(Errno::PERM))
}

/// One of the kernel's operations on keyrings that take nothing but a number.
fn keyctl(operation: u32, argument: libc::c_long) -> io::Result<()> {
    // SAFETY: the kernel reads no memory of ours: where it expects a name, 0 stands for none.
    #[expect(unsafe_code, reason = "neither std nor rustix offers this system call")]
    let answer =
        unsafe { libc::syscall(libc::SYS_keyctl, libc::c_long::from(operation), argument, 0) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// When memory runs out, the kernel takes the command and not Gander.
fn prefer_as_victim() -> rustix::io::Result<()> {
    let score = rustix::fs::open(c"/proc/self/oom_score_adj", OFlags::WRONLY, Mode::empty())?;
    rustix::io::write(score, b"1000")?;
    Ok(())
}

/// Runs between fork and exec, where this process has one thread and descriptors hold still.
fn close_on_exec_from_three() -> rustix::io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let listing = rustix::fs::open(c"/proc/self/fd", flags, Mode::empty())?;
    let mut buffer = [MaybeUninit::<u8>::uninit(); 2048];
    let mut entries = RawDir::new(&listing, &mut buffer);
    while let Some(entry) = entries.next() {
        if let Some(number) = descriptor_number(entry?.file_name())
            && number > 2
        {
            // SAFETY: the kernel lists this descriptor as open, and nothing can close it meanwhile.
            #[expect(unsafe_code, reason = "a number from a listing has no owner to borrow from")]
            let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
            fcntl_setfd(descriptor, FdFlags::CLOEXEC)?;
        }
    }
    Ok(())
}

fn descriptor_number(name: &CStr) -> Option<RawFd> {
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| RawFd::from(byte - b'0'));
    name.to_bytes()
        .iter()
        .try_fold(0, |number: RawFd, byte| number.checked_mul(10)?.checked_add(digit(byte)?))
}
