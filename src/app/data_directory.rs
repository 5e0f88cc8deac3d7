//! The data directory: closed to others, and one process's alone.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::StartError;
use crate::workspace::scratch::Scratch;

/// Makes the data directory, takes it for this process alone, and throws away what a former run
/// left half-done.
pub(super) fn prepare_data(data: &Path) -> Result<(PathBuf, File), StartError> {
    let failed = |source| StartError::Data(data.to_owned(), source);
    // Transcripts and logs are nobody else's business.
    DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(failed)?;
    let data = data.canonicalize().map_err(failed)?;
    if data.metadata().map_err(failed)?.permissions().mode() & 0o077 != 0 {
        tracing::warn!(data = %data.display(), "the data directory was open to others: closing it");
        let closed = std::fs::set_permissions(&data, Permissions::from_mode(0o700));
        closed.map_err(|_| StartError::OpenData(data.clone()))?;
    }
    let lock = lock(&data)?;
    Scratch::below(&data).start_over();
    Ok((data, lock))
}

/// Takes a data directory for this process alone, for as long as the result is held.
///
/// # Errors
/// `DataInUse` when another process has it.
pub fn lock(data: &Path) -> Result<File, StartError> {
    let failed = |source| StartError::Data(data.to_owned(), source);
    let lock = OpenOptions::new().append(true).create(true).mode(0o600).open(data.join("lock"));
    let lock = lock.map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StartError::DataInUse(data.to_owned())),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{create_dir_all, set_permissions};

    #[test]
    fn the_data_directory_is_closed_to_others_also_where_somebody_made_it() {
        let around = tempfile::tempdir().unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        let (new, _lock) = prepare_data(&around.path().join("new/data")).unwrap();
        assert_eq!(mode(&new), 0o700);
        let made = around.path().join("made");
        create_dir_all(&made).unwrap();
        set_permissions(&made, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(mode(&prepare_data(&made).unwrap().0), 0o700);
    }

    #[test]
    fn whatever_a_check_left_gander_starts_again() {
        let around = tempfile::tempdir().unwrap();
        let data = around.path().join("data");
        for closed in ["scratch/verify-1/tree", "scratch/agent-2"] {
            let closed = data.join(closed);
            create_dir_all(closed.join("inside")).unwrap();
            set_permissions(closed, std::fs::Permissions::from_mode(0o000)).unwrap();
        }
        for _ in 0..2 {
            let (data, lock) = prepare_data(&data).unwrap();
            let second = prepare_data(&data).unwrap_err();
            assert!(matches!(second, StartError::DataInUse(_)), "{second}");
            drop(lock);
            assert!(!data.join("scratch").exists(), "nothing of a former run is in the way");
        }
    }
}
