//! What a Gander that was killed left behind: a bubblewrap that waits for it for ever.
//!
//! Bubblewrap ends with its parent, but for the moment before it has asked the kernel for that.
//! Then its child waits for word that never comes; it has begun nothing.
//!
//! Invariants: only a bubblewrap of the same user that was to start our own first program counts,
//! and only where it has lost its parent.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::{Pid, PidfdFlags, Signal, geteuid};

use super::{Bubblewrap, init};

/// Who inherits processes that have lost their parent, where nobody else asked to.
pub const HEIR: u32 = 1;

/// Ends all of them that this process inherited; how many there were. To be called before the first
/// run.
pub fn end_orphans(heir: u32) -> usize {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let numbers = names.filter_map(|name| name.parse().ok().and_then(Pid::from_raw));
    numbers.filter(|number| end_if_orphan(*number, heir).is_some()).count()
}

fn end_if_orphan(number: Pid, heir: u32) -> Option<()> {
    // Held before it is looked at: its number cannot pass to another meanwhile.
    let process = rustix::process::pidfd_open(number, PidfdFlags::empty()).ok()?;
    let place = Path::new("/proc").join(number.as_raw_nonzero().to_string());
    let words = std::fs::read(place.join("cmdline")).ok()?;
    let mut words = words.split(|byte| *byte == 0);
    let is_ours = words.next()? == Bubblewrap::PROGRAM.as_bytes()
        && words.any(|word| word == init::SUBCOMMAND.as_bytes())
        && std::fs::metadata(&place).ok()?.uid() == geteuid().as_raw();
    let status = std::fs::read_to_string(place.join("status")).ok()?;
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    if !is_ours || parent.trim().parse() != Ok(heir) {
        return None;
    }
    rustix::process::pidfd_send_signal(&process, Signal::KILL).ok()
}
