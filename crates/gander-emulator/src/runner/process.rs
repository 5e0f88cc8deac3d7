//! The only place of the runner where a process starts.
//!
//! Invariants: a process sees the environment it was given and nothing else; when it ends, is too
//! slow, or nobody waits for it any more, its whole group is killed; what it wrote comes in the
//! order in which it was written.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::process::Command;
use tokio::time::{Instant, timeout, timeout_at};

/// A command to run.
pub(crate) struct Order<'a> {
    pub(crate) program: &'a str,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) directory: &'a Path,
    pub(crate) environment: &'a BTreeMap<String, OsString>,
    pub(crate) deadline: Instant,
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Exited(i32),
    Killed,
    TooSlow,
}

/// What is kept of one process's output, in bytes.
const MOST: usize = 16 * 1024 * 1024;
/// How long what escaped from the group may keep the pipe open.
const DRAIN: Duration = Duration::from_millis(500);

/// Runs a command to its end, handing on every line of its output.
pub(crate) async fn run(
    order: Order<'_>,
    hear: &mut (dyn FnMut(&str) + Send),
) -> io::Result<Ending> {
    let (reader, writer) = io::pipe()?;
    let mut output = pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?;
    #[expect(clippy::disallowed_methods, reason = "the runner's processes start here")]
    let mut command = Command::new(order.program);
    command
        .args(&order.arguments)
        .current_dir(order.directory)
        .env_clear()
        .envs(order.environment)
        .stdin(Stdio::null())
        .stdout(Stdio::from(writer.try_clone()?))
        .stderr(Stdio::from(writer))
        .process_group(0)
        .kill_on_drop(true);
    let mut child = command.spawn()?;
    // It holds the writing end of the pipe, which must close with the child.
    drop(command);
    let group = Group(child.id().and_then(|id| Pid::from_raw(id.cast_signed())));
    let mut lines = Lines { hear, begun: Vec::new(), taken: 0 };
    let work = async {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            tokio::select! {
                biased;
                read = output.read(&mut buffer) => match read? {
                    // It closed its output, and may still work.
                    0 => return child.wait().await,
                    count => lines.take(&buffer[..count]),
                },
                status = child.wait() => return status,
            }
        }
    };
    let ended = timeout_at(order.deadline, work).await;
    drop(group);
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(Ok(count @ 1..)) = timeout(DRAIN, output.read(&mut buffer)).await {
        lines.take(&buffer[..count]);
    }
    lines.end();
    match ended {
        Err(_) => Ok(Ending::TooSlow),
        Ok(status) => Ok(status?.code().map_or(Ending::Killed, Ending::Exited)),
    }
}

/// Kills a group of processes when dropped.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // A group that is gone already is what we want.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

struct Lines<'a> {
    hear: &'a mut (dyn FnMut(&str) + Send),
    begun: Vec<u8>,
    taken: usize,
}

impl Lines<'_> {
    fn take(&mut self, bytes: &[u8]) {
        let before = self.taken;
        self.taken += bytes.len();
        if before >= MOST {
            return;
        }
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.tell();
            }
        }
        if self.taken >= MOST {
            self.end();
            (self.hear)("… the rest of the output is not kept");
        }
    }

    fn end(&mut self) {
        if !self.begun.is_empty() {
            self.tell();
        }
    }

    fn tell(&mut self) {
        let line = String::from_utf8_lossy(&self.begun);
        (self.hear)(line.trim_end_matches(['\n', '\r']));
        self.begun.clear();
    }
}
