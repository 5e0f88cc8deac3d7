//! What is watched of a run while it goes on: space, number of files, and memory.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

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

/// How often the disk is looked at, and after how many such looks the memory.
const PAUSE: Duration = Duration::from_millis(100);
const DISK_LOOKS: u32 = 5;

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
        let mut look = tokio::time::interval(PAUSE);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for looks in 1_u32.. {
            look.tick().await;
            if self.is_disk_full() {
                return Excess::Disk;
            }
            if looks % DISK_LOOKS == 0
                && let Some(mut memory) = self.memory.take()
            {
                let looked = tokio::task::spawn_blocking(move || (memory.look(), memory)).await;
                match looked {
                    Ok((Look::Within, memory)) => self.memory = Some(memory),
                    Ok((Look::Over, _)) | Err(_) => return Excess::Memory,
                }
            }
        }
        Excess::Memory
    }

    /// A file system that cannot be asked is not known to be full.
    fn is_disk_full(&self) -> bool {
        let is_short = |disk: StatVfs| {
            // Some file systems have no fixed number of files, and say that it is none.
            let few = disk.f_files > 0 && disk.f_favail < self.spare_files;
            disk.f_bavail * disk.f_frsize < self.spare_bytes || few
        };
        let is_crowded = |disk: StatVfs| disk.f_files - disk.f_ffree > self.temporary_files;
        rustix::fs::statvfs(&self.tree).is_ok_and(is_short)
            || self.temporary.iter().any(|place| rustix::fs::fstatvfs(place).is_ok_and(is_crowded))
    }
}
