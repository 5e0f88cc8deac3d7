//! What commands left running.
//!
//! Invariants: when [`end`] returns, nothing that a command of this process started is alive,
//! whatever group or session it went to: whose parent dies becomes our child. Out of reach is what
//! another service started, such as a container.

use std::io;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, waitpid};
use tokio::time::{Instant, sleep};

/// How long what goes on starting others may hold out.
const GRACE: Duration = Duration::from_secs(10);

/// From now on this process is the parent of what loses its own, and can so find it.
///
/// # Errors
/// When the kernel has no such thing.
pub fn adopt() -> io::Result<()> {
    Ok(rustix::process::set_child_subreaper(Some(getpid()))?)
}

/// Ends everything that commands left running. Only between commands.
///
/// # Errors
/// When it is not to be had.
pub async fn end() -> io::Result<()> {
    let began = Instant::now();
    loop {
        let children = children()?;
        if children.is_empty() {
            return Ok(());
        }
        if began.elapsed() > GRACE {
            return Err(io::Error::other("what a command left running cannot be ended"));
        }
        for child in children {
            // Either fails only where it is gone.
            let _ = kill_process(child, Signal::KILL);
            let _ = waitpid(Some(child), WaitOptions::NOHANG);
        }
        sleep(Duration::from_millis(5)).await;
    }
}

fn children() -> io::Result<Vec<Pid>> {
    let own = getpid().as_raw_nonzero().get();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(number) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        // One that is gone meanwhile has no file.
        let stat = std::fs::read(format!("/proc/{number}/stat")).unwrap_or_default();
        if parent(&String::from_utf8_lossy(&stat)) == Some(own) {
            found.extend(Pid::from_raw(number));
        }
    }
    Ok(found)
}

/// The second field after the name, which is in brackets and may hold anything.
fn parent(stat: &str) -> Option<i32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_says_who_its_parent_is_whatever_its_name() {
        assert_eq!(parent("7 (sh) S 5 7 7 0 -1"), Some(5));
        assert_eq!(parent("7 (a) S 1 (b) R 5 7 7 0 -1"), Some(5));
        assert_eq!(parent(""), None);
    }
}
