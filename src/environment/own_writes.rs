//! What one run writes to packages, such as the caches that tools keep beside them.
//!
//! Invariants: it lies beside the run's tree, on the same disk, so that whoever looks after that
//! disk sees it; it is gone after the run, or with the tree.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::sandbox::{ShownDirectory, overlay};
use crate::workspace::remove::remove_aside;

/// How long removing it may take.
const REMOVAL: Duration = Duration::from_secs(20);

/// The directory that holds it, if a run writes to any package.
#[derive(Default)]
pub(super) struct OwnWrites(Option<PathBuf>);

impl OwnWrites {
    /// Has a run write above those directories in which tools keep something.
    pub(super) fn of(tree: &Path, shown: &mut [ShownDirectory]) -> io::Result<Self> {
        let written: Vec<_> = shown.iter_mut().filter(|it| !it.temporary.is_empty()).collect();
        if written.is_empty() {
            return Ok(Self(None));
        }
        let beside = tree.parent().unwrap_or(tree);
        let directory = tempfile::Builder::new().prefix("writes-").tempdir_in(beside)?.keep();
        for (number, shown) in written.into_iter().enumerate() {
            let above = directory.join(number.to_string());
            overlay::prepare(&above)?;
            shown.above = Some(above);
        }
        Ok(Self(Some(directory)))
    }

    pub(super) async fn remove(self) {
        let Some(directory) = self.0 else { return };
        if let Err(error) = remove_aside(&directory, REMOVAL).await {
            tracing::warn!(path = %directory.display(), %error, "it goes with the tree");
        }
    }
}
