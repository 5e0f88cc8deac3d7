//! Mirrors that nobody needs for now.
//!
//! Invariants: a mirror that is needed again is fetched again; nothing else is lost with it.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::mirror::{Mirror, MirrorError};
use super::room;
use crate::core::id::Timestamp;

/// Which mirrors may go.
#[derive(Debug, Clone, Copy)]
pub struct OldMirrors<'a> {
    /// Nothing was fetched into them since then.
    pub before: Timestamp,
    /// Those of these names stay.
    pub used: &'a BTreeSet<String>,
    /// Only until there is room on the disk again.
    pub for_room: bool,
}

impl OldMirrors<'_> {
    /// Removes them, the oldest first.
    ///
    /// # Errors
    /// The first that could not be removed.
    pub async fn remove(self, cache: &Path) -> Result<(), MirrorError> {
        let entries = std::fs::read_dir(cache).into_iter().flatten().flatten();
        let mut old: Vec<(i64, String)> = entries
            .filter_map(|entry| {
                let key = entry.file_name().into_string().ok()?.strip_suffix(".git")?.to_owned();
                let fetched = entry.path().join("objects/pack").metadata().ok()?.mtime();
                let is_old = fetched < self.before.0 / 1000 && !self.used.contains(&key);
                is_old.then_some((fetched, key))
            })
            .collect();
        old.sort();
        for (_, key) in old {
            if self.for_room && room::left(cache, room::SPARE) != Some(0) {
                break;
            }
            Mirror::open(cache, &key).await?.remove().await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[tokio::test]
    async fn a_mirror_that_nothing_was_fetched_into_for_long_goes_and_one_in_use_stays() {
        let cache = tempfile::tempdir().unwrap();
        let days = |days: u64| UNIX_EPOCH + Duration::from_secs(days * 24 * 60 * 60);
        for (key, fetched) in [("1", 10), ("2", 10), ("3", 30)] {
            Mirror::open(cache.path(), key).await.unwrap();
            let packs = cache.path().join(format!("{key}.git/objects/pack"));
            std::fs::File::open(packs).unwrap().set_modified(days(fetched)).unwrap();
        }
        let used = BTreeSet::from(["2".to_owned()]);
        let before = Timestamp(20 * 24 * 60 * 60 * 1000);
        let there = |key: &str| cache.path().join(format!("{key}.git")).exists();
        let for_room = OldMirrors { before, used: &used, for_room: true };
        for_room.remove(cache.path()).await.unwrap();
        assert!(there("1"), "there is room");
        OldMirrors { for_room: false, ..for_room }.remove(cache.path()).await.unwrap();
        assert!(!there("1") && there("2") && there("3"));
    }
}
