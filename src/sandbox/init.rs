//! The first program inside the sandbox: it makes what can only be made there, starts the command
//! and reaps.
//!
//! Invariants: it is the first process of the run's process namespace, so every orphan becomes its
//! child and is reaped, and when it ends the kernel kills whatever is left. The command begins
//! only when a living Gander says so. It can neither look into this process nor signal it, because
//! it is in a Landlock domain and this process is not. Nothing here reads what the command writes.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::sync::mpsc;

use rustix::process::{Pid, Resource, Rlimit, WaitOptions, WaitStatus};

use super::gate::{self, Ready};
use super::{ruleset, spawn};

/// The subcommand's name.
pub const SUBCOMMAND: &str = "sandbox-init";
/// What must be the same inside and outside.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Where Gander's own program is inside.
pub(super) const PROGRAM: &str = "/gander";

/// The kernel's tables of shared memory and message queues of the namespace that opens them.
const SYSTEM_V: [&str; 2] = ["/proc/sysvipc/shm", "/proc/sysvipc/msg"];
/// The niceness of commands: whoever answers webhooks comes first.
const NICENESS: i32 = 5;

/// The words to start it with.
pub(super) fn command_line(processes: u64, words: Vec<String>) -> Vec<String> {
    let mut line = vec![PROGRAM.to_owned(), SUBCOMMAND.to_owned(), processes.to_string()];
    line.extend(words);
    line
}

/// Whether this is how the program was started; then these are the words that follow.
pub fn is_wanted(arguments: impl IntoIterator<Item = OsString>) -> Option<Vec<OsString>> {
    let mut words = arguments.into_iter().skip(1);
    words.next().filter(|word| word == SUBCOMMAND)?;
    Some(words.collect())
}

/// Runs a command to its end, with a message and a word on standard input.
///
/// # Errors
/// When something could not be prepared; the command did not begin then.
pub fn run(words: &[OsString]) -> io::Result<ExitCode> {
    let [processes, program, arguments @ ..] = words else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let processes = processes.to_str().and_then(|number| number.parse::<u64>().ok());
    let processes = processes.ok_or(io::ErrorKind::InvalidInput)?;
    // A bound may only be lowered.
    let most = rustix::process::getrlimit(Resource::Nproc).maximum;
    let processes = Some(most.map_or(processes, |most| most.min(processes)));
    super::way_out::begin()?;
    // The kernel counts those of this run only, because it has a user namespace of its own.
    let bound = Rlimit { current: processes, maximum: processes };
    rustix::process::setrlimit(Resource::Nproc, bound)?;
    let mut command = spawn::plain_command(program);
    command.args(arguments).stdin(Stdio::null());
    let (prepared, preparing) = mpsc::channel();
    let (go, gate) = mpsc::channel();
    // Landlock and the scheduling class hold for a thread and what it starts. This one starts
    // nothing.
    let starter = std::thread::spawn(move || {
        let restricted = ruleset::restrict();
        let is_restricted = restricted.is_ok();
        let _ = prepared.send(restricted);
        (is_restricted && gate.recv().is_ok()).then(|| give_way().and_then(|()| command.spawn()))
    });
    let landlock = preparing.recv().map_err(io::Error::other)??;
    // Only this namespace can open them.
    let tables: Vec<File> = SYSTEM_V.iter().flat_map(File::open).collect();
    gate::wait_at(io::stdin().lock(), &Ready { version: VERSION.to_owned(), landlock }, &tables)?;
    drop(tables);
    let _ = go.send(());
    let started = starter.join().map_err(|_| io::Error::other("the starting thread broke"))?;
    let child = match started.ok_or(io::ErrorKind::BrokenPipe)? {
        Ok(child) => child,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{}: {error}", program.display());
            let missing = error.kind() == io::ErrorKind::NotFound;
            return Ok(ExitCode::from(if missing { 127 } else { 126 }));
        }
    };
    reap_until(Pid::from_child(&child))
}

/// Has the calling thread, and what it starts, run after Gander.
fn give_way() -> io::Result<()> {
    let niceness = rustix::process::getpriority_process(None)?.max(NICENESS);
    rustix::process::setpriority_process(None, niceness)?;
    spawn::yield_to_others()
}

/// Waits for every child, the adopted ones too, until this one ends; what a shell would say of it.
fn reap_until(child: Pid) -> io::Result<ExitCode> {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((ended, status))) if ended == child => return Ok(code_of(status)),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// What a shell would say of a process that ended so.
pub fn code_of(status: WaitStatus) -> ExitCode {
    let status = ExitStatus::from_raw(status.as_raw());
    let code = status.code().or(status.signal().map(|signal| 128 + signal));
    ExitCode::from(code.and_then(|code| code.try_into().ok()).unwrap_or(255))
}
