//! What is watched of a run while it goes on: space, number of files, and memory.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::StatVfs;

use super::SandboxLimits;
use super::memory::{Look, RunMemory};

/// The bounds that are looked after from outside.
pub(super) struct Guards {
    /// A directory of the file system that the run may write to.
    pub(super) tree: PathBuf,
    pub(super) spare_bytes: u64,
    pub(super) spare_files: u64,
    /// Its temporary file systems, which are bounded in bytes by themselves.
    pub(super) temporary: Vec<OwnedFd>,
    pub(super) temporary_files: u64,
    /// Where no control group bounds it.
    pub(super) memory: Option<RunMemory>,
}

/// Which bound was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Excess {
    Disk,
    Memory,
}

/// How often the disk is looked at, and how often where little more than the spare room is left: a
/// run can write some hundred megabytes between two looks.
const PAUSE: Duration = Duration::from_millis(100);
const SHORT_PAUSE: Duration = Duration::from_millis(5);
const LITTLE: u64 = 4 << 30;
/// How often memory is looked at.
const MEMORY_PAUSE: Duration = Duration::from_millis(500);

impl Guards {
    /// Of the tree only.
    pub(super) fn of(tree: &Path, limits: &SandboxLimits) -> Self {
        Self {
            tree: tree.to_owned(),
            spare_bytes: limits.spare_bytes,
            spare_files: limits.spare_files,
            temporary: Vec::new(),
            temporary_files: limits.temporary_files,
            memory: None,
        }
    }

    /// Waits until a bound is passed, for as long as it takes.
    pub(super) async fn passed(mut self) -> Excess {
        let mut memory_at = Instant::now() + MEMORY_PAUSE;
        loop {
            let room = self.room_left();
            if room == Some(0) || self.is_crowded() {
                return Excess::Disk;
            }
            let is_little = room.is_some_and(|room| room < LITTLE);
            tokio::time::sleep(if is_little { SHORT_PAUSE } else { PAUSE }).await;
            if Instant::now() >= memory_at
                && let Some(mut memory) = self.memory.take()
            {
                let looked = tokio::task::spawn_blocking(move || (memory.look(), memory)).await;
                match looked {
                    Ok((Look::Within, memory)) => self.memory = Some(memory),
                    Ok((Look::Over, _)) | Err(_) => return Excess::Memory,
                }
                memory_at = Instant::now() + MEMORY_PAUSE;
            }
        }
    }

    /// The bytes that may still be written. A file system that cannot be asked is not known to be
    /// full.
    fn room_left(&self) -> Option<u64> {
        let disk = rustix::fs::statvfs(&self.tree).ok()?;
        // Some file systems have no fixed number of files, and say that it is none.
        let few = disk.f_files > 0 && disk.f_favail < self.spare_files;
        let room = disk.f_bavail.saturating_mul(disk.f_frsize).saturating_sub(self.spare_bytes);
        Some(if few { 0 } else { room })
    }

    /// Whether there are too many files in a temporary file system.
    fn is_crowded(&self) -> bool {
        let is_crowded = |disk: StatVfs| disk.f_files - disk.f_ffree > self.temporary_files;
        self.temporary.iter().any(|place| rustix::fs::fstatvfs(place).is_ok_and(is_crowded))
    }
}
