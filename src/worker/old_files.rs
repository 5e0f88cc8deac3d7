//! Files of Gander's own that nobody needs any more: records of ended jobs, and mirrors.
//!
//! Invariants: nothing of a job that goes on is removed, and no mirror of its repository; a mirror
//! that is needed again is fetched again.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Context, WorkError};
use crate::core::id::Timestamp;
use crate::workspace::old_mirrors::OldMirrors;
use crate::workspace::remove::remove_aside;

/// How long transcripts and logs are kept after the last of them was written.
const KEPT: i64 = 30 * DAY;
/// So many bytes of them are kept, the newest; younger ones than this stay in any case.
const MOST_BYTES: u64 = 8 << 30;
const YOUNG: i64 = DAY;
/// In seconds.
const DAY: i64 = 24 * 60 * 60;
/// How often files are looked after.
const LOOKED_AFTER_EVERY: Duration = Duration::from_secs(6 * 60 * 60);
/// How long the removal of one job's may take.
const REMOVAL: Duration = Duration::from_secs(60);

/// Looks after the files of this machine, each machine after its own, until `shutdown`.
pub(super) async fn look_after(ctx: &Context, shutdown: &CancellationToken) {
    while !shutdown.is_cancelled() {
        ctx.scratch().empty_trash(shutdown).await;
        tokio::select! {
            looked = remove_old(ctx) => if let Err(fault) = looked {
                tracing::warn!(fault = %fault.text, "old files were not looked at");
            },
            () = shutdown.cancelled() => {}
        }
        tokio::select! {
            () = tokio::time::sleep(LOOKED_AFTER_EVERY) => {}
            () = shutdown.cancelled() => {}
        }
    }
}

/// Removes what is old.
async fn remove_old(ctx: &Context) -> Result<(), WorkError> {
    let open = ctx.store.open_jobs(None).await?;
    let jobs = open.iter().map(|stored| stored.machine.id.to_string()).collect();
    let records = ctx.settings.data.join("jobs");
    let now = ctx.clock.now();
    let looked = tokio::task::spawn_blocking(move || old_records(&records, &jobs, now)).await;
    for path in looked.unwrap_or_default() {
        if let Err(error) = remove_aside(&path, REMOVAL).await {
            tracing::warn!(path = %path.display(), %error, "old records could not be removed");
        }
    }
    let mirrors = ctx.settings.data.join("mirrors");
    let used = open.iter().map(|stored| stored.machine.repo.repo_id.to_string()).collect();
    for (age, for_room) in [(KEPT, false), (YOUNG, true)] {
        let old = OldMirrors { before: now.plus_seconds(-age), used: &used, for_room };
        old.remove(&mirrors).await?;
    }
    Ok(())
}

/// The directories of ended jobs that are too old, or too much.
fn old_records(records: &Path, open: &BTreeSet<String>, now: Timestamp) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(records).into_iter().flatten().flatten();
    let ended =
        entries.filter(|entry| entry.file_name().to_str().is_some_and(|name| !open.contains(name)));
    let mut all: Vec<(i64, u64, PathBuf)> = ended
        .filter_map(|entry| {
            let (written, bytes) = of_tree(&entry.path())?;
            Some((written, bytes, entry.path()))
        })
        .collect();
    // The newest first.
    all.sort_by(|one, other| other.cmp(one));
    let mut sum: u64 = 0;
    let mut old = Vec::new();
    for (written, bytes, path) in all {
        sum = sum.saturating_add(bytes);
        let age = now.0 / 1000 - written;
        if age > KEPT || age > YOUNG && sum > MOST_BYTES {
            old.push(path);
        }
    }
    old
}

/// When the last file below was written, in seconds, and what all of them take. They are ours:
/// nobody else writes there.
fn of_tree(top: &Path) -> Option<(i64, u64)> {
    let (mut written, mut bytes) = (std::fs::symlink_metadata(top).ok()?.mtime(), 0);
    let mut open = vec![top.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).ok()?.flatten() {
            let metadata = entry.metadata().ok()?;
            written = written.max(metadata.mtime());
            bytes += metadata.len();
            if metadata.is_dir() {
                open.push(entry.path());
            }
        }
    }
    Some((written, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_jobs_that_ended_long_ago_go_and_those_of_open_ones_stay() {
        let place = tempfile::tempdir().unwrap();
        let now = Timestamp(100 * DAY * 1000);
        for (name, days) in [("old", 31), ("open", 31), ("new", 29)] {
            let directory = place.path().join(name).join("r1-a1");
            std::fs::create_dir_all(&directory).unwrap();
            let file = directory.join("transcript.jsonl");
            std::fs::write(&file, "x").unwrap();
            let days = u64::try_from((100 - days) * DAY).unwrap();
            let written = std::time::UNIX_EPOCH + Duration::from_secs(days);
            for path in [&file, &directory, &place.path().join(name)] {
                std::fs::File::open(path).unwrap().set_modified(written).unwrap();
            }
        }
        let open = BTreeSet::from(["open".to_owned()]);
        assert_eq!(old_records(place.path(), &open, now), [place.path().join("old")]);
    }
}
