//! Room on the disk, for those of Gander's own works that could fill it.
//!
//! Invariants: what is left to others is left to them: whoever writes much asks first, or is
//! stopped in time.

use std::path::Path;
use std::time::Duration;

/// So many bytes Gander leaves free.
const SPARE: u64 = 1 << 30;
/// How often the disk is looked at.
const PAUSE: Duration = Duration::from_millis(100);

/// The bytes that may be written where this directory is. `None`: that cannot be told.
pub(super) fn left(directory: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(directory).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize).saturating_sub(SPARE))
}

/// Waits until there is none.
pub(super) async fn runs_out(directory: &Path) {
    while left(directory) != Some(0) {
        tokio::time::sleep(PAUSE).await;
    }
}
