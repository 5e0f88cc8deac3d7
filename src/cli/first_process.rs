//! Gander as the first process of a container.
//!
//! Invariants: whatever loses its parent in there becomes a child of the first process, which must
//! reap it, or it stays a zombie for ever. So the first process does that and hands on signals, and
//! the server is its child, which waits for its own children only.

use std::io;
use std::process::ExitCode;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, kill_process};
use tokio::signal::unix::{SignalKind, signal};

use super::unprivileged::command;
use crate::sandbox::init;

/// Whether this process is the first one.
pub(super) fn is_this() -> bool {
    rustix::process::getpid().is_init()
}

/// Runs this same program with the same words as a child, and reaps, until that child ends.
pub(super) fn stand_by() -> io::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // First, so that no end of a child is missed.
        let mut ended = signal(SignalKind::child())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut own = command(std::env::current_exe()?.as_os_str());
        let server = Pid::from_child(&own.args(std::env::args_os().skip(1)).spawn()?);
        loop {
            tokio::select! {
                _ = ended.recv() => if let Some(code) = reap(server)? { return Ok(code) },
                _ = terminate.recv() => kill_process(server, Signal::TERM)?,
                _ = interrupt.recv() => kill_process(server, Signal::INT)?,
            }
        }
    })
}

/// Reaps all that have ended; the exit code of the server, if it is among them.
fn reap(server: Pid) -> io::Result<Option<ExitCode>> {
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some((ended, status))) if ended == server => return Ok(Some(init::code_of(status))),
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) | Err(Errno::CHILD) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        }
    }
}
