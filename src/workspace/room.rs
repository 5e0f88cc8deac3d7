//! Room on the disk, for those of Gander's own works that could fill it.
//!
//! Invariants: what is left to others is left to them: whoever writes much asks first, or is
//! stopped in time.

use std::path::Path;
use std::time::Duration;

/// So many bytes Gander leaves free.
pub(super) const SPARE: u64 = 1 << 30;
/// How often the disk is looked at.
const PAUSE: Duration = Duration::from_millis(100);

/// The bytes that may be written where this directory is, so that these are left to others. `None`:
/// that cannot be told.
pub(super) fn left(directory: &Path, spare: u64) -> Option<u64> {
    let disk = rustix::fs::statvfs(directory).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize).saturating_sub(spare))
}

/// Waits until there is none.
pub(super) async fn runs_out(directory: &Path, spare: u64) {
    while left(directory, spare) != Some(0) {
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gibibyte_of_the_disk_is_left_to_others() {
        let here = tempfile::tempdir().unwrap();
        let disk = rustix::fs::statvfs(here.path()).unwrap();
        let free = disk.f_bavail * disk.f_frsize;
        let left = left(here.path(), SPARE).unwrap();
        // Others write and remove meanwhile.
        let taken = free.saturating_sub(left).min(free);
        assert!(taken.abs_diff((1 << 30).min(free)) < 256 << 20, "{taken} of {free} are left free");
    }
}
