//! The first program inside the sandbox: it makes what can only be made there, starts the command
//! and reaps. Gander itself can serve as it, too.
//!
//! Invariants: it is the first process of the run's process namespace, so every orphan becomes its
//! child and is reaped, and when it ends the kernel kills whatever is left. The command begins
//! only when a living Gander says so. It can neither look into this process nor signal it, because
//! it is in a Landlock domain and this process is not. Nothing here reads what the command writes.

pub mod gate;
mod ruleset;
pub mod way_out;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};

use rustix::process::{Pid, Resource, Rlimit, WaitOptions, WaitStatus};

use gate::Ready;
pub use ruleset::Landlock;

/// The subcommand's name.
pub const SUBCOMMAND: &str = "sandbox-init";
/// The file's name where it is a program of its own, beside Gander's.
pub const FILE_NAME: &str = "gander-sandbox-init";
/// Where it is inside.
pub const PROGRAM: &str = "/gander";

/// The kernel's tables of shared memory and message queues of the namespace that opens them.
const SYSTEM_V: [&str; 2] = ["/proc/sysvipc/shm", "/proc/sysvipc/msg"];
/// The niceness of commands: whoever answers webhooks comes first.
const NICENESS: i32 = 5;

/// The words to start it with: the most processes of the run, and the command.
pub fn command_line(processes: u64, words: Vec<String>) -> Vec<String> {
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

/// All that the small program does. `version` is the package's.
pub fn main(version: &str) -> ExitCode {
    let ended = match is_wanted(std::env::args_os()) {
        Some(words) => run(version, &words),
        None => Err(io::Error::other("Gander starts this program inside its sandbox")),
    };
    ended.unwrap_or_else(|error| {
        let _ = writeln!(io::stderr(), "gander: {error}");
        ExitCode::FAILURE
    })
}

/// Runs a command to its end, with a message and a word on standard input.
///
/// # Errors
/// When something could not be prepared; the command did not begin then.
pub fn run(version: &str, words: &[OsString]) -> io::Result<ExitCode> {
    let [processes, program, arguments @ ..] = words else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let processes = processes.to_str().and_then(|number| number.parse::<u64>().ok());
    let processes = processes.ok_or(io::ErrorKind::InvalidInput)?;
    // A bound may only be lowered.
    let most = rustix::process::getrlimit(Resource::Nproc).maximum;
    let processes = Some(most.map_or(processes, |most| most.min(processes)));
    way_out::begin()?;
    // The kernel counts those of this run only, because it has a user namespace of its own.
    let bound = Rlimit { current: processes, maximum: processes };
    rustix::process::setrlimit(Resource::Nproc, bound)?;
    #[expect(clippy::disallowed_methods, reason = "the sandbox's commands start here")]
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    // Landlock and niceness hold for a thread and what it starts. This one starts nothing.
    let starter = || prepare(version).map(|()| command.spawn());
    let started = std::thread::scope(|scope| scope.spawn(starter).join());
    match started.map_err(|_| io::Error::other("the starting thread broke"))?? {
        Ok(child) => reap_until(&child),
        Err(error) => {
            let _ = writeln!(io::stderr(), "{}: {error}", program.display());
            let missing = error.kind() == io::ErrorKind::NotFound;
            Ok(ExitCode::from(if missing { 127 } else { 126 }))
        }
    }
}

/// Puts the calling thread, and what it starts, behind the last walls, and waits for the word.
fn prepare(version: &str) -> io::Result<()> {
    let ready = Ready { version: version.to_owned(), landlock: ruleset::restrict()? };
    // Only this namespace can open them.
    let tables: Vec<File> = SYSTEM_V.iter().flat_map(File::open).collect();
    gate::wait_at(io::stdin().lock(), &ready, &tables)?;
    let niceness = rustix::process::getpriority_process(None)?.max(NICENESS);
    Ok(rustix::process::setpriority_process(None, niceness)?)
}

/// Waits for every child, the adopted ones too, until this one ends; what a shell would say of it.
fn reap_until(child: &Child) -> io::Result<ExitCode> {
    let child = Pid::from_child(child);
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
