//! What the checks of a commit built, kept for the checks of changes on it.
//!
//! Build tools decide by the times of files what to build again. So the files of every tree carry
//! one fixed time, older than any build; whatever differs from the tree that a build was made from
//! is made newer than all of that build.
//!
//! Invariants: only what was built from a branch's own commits is kept, never from a change; no
//! tree shares anything with what is kept or with another tree; a build from which others were made
//! is forgotten after some, and then one is made from nothing; whatever goes wrong with a kept
//! build, the next check builds from nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, Timespec, Timestamps, utimensat};
use serde::{Deserialize, Serialize};

use super::confined::split;
use super::copy::copy;
use super::kept::{KeepError, KeptBounds, KeptStore};
use super::mirror::TreeEntry;
use super::scratch::Scratch;
use super::tree::Workspace;
use super::{rebuilt, room};
use crate::core::id::{Sha, Timestamp};
use crate::core::patch::Patch;

const BOUNDS: KeptBounds = KeptBounds { many: 50, bytes: 24 << 30, largest: 4 << 30 };
/// So many builds may be made one from the other: each leaves something that nobody needs any more.
const MOST_GENERATIONS: u32 = 10;
/// What is kept of a build directory: what cargo made, which compares what it made it from.
const OUTPUT: &str = "cargo";
/// The list of the files from which it was made.
const FILES: &str = "files.json";

/// The kept builds of one branch.
#[derive(Clone)]
pub struct Builds {
    store: KeptStore,
    scratch: Scratch,
    /// Repository and branch.
    line: String,
}

/// A build directory, and how many builds lie between what it began with and one from nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildDirectory {
    /// Where it is.
    pub path: PathBuf,
    generation: u32,
}

/// What is known of a kept build.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct BuildRecord {
    line: String,
    /// What made it: each command has its own, lest one decides what another comes to.
    command: String,
    commit: Sha,
    at: Timestamp,
    generation: u32,
}

impl Builds {
    /// Kept below this directory of ours. `line` is the same for commits that follow one another,
    /// such as a repository and a branch: nothing of another is used.
    pub fn of(data: &Path, line: String) -> Self {
        let store = KeptStore::new(data.join("builds"), BOUNDS);
        Self { store, scratch: Scratch::below(data), line }
    }

    /// Makes a build directory for a command in a tree that holds its commit and this patch. Where
    /// a build is kept, it begins with that, and what it was not made from becomes newer.
    ///
    /// # Errors
    /// When the directory cannot be made, or the tree is no longer fit for use.
    pub async fn lay(
        &self,
        workspace: &Arc<Workspace>,
        patch: &Patch,
        command: &str,
        directory: PathBuf,
    ) -> io::Result<BuildDirectory> {
        let (builds, workspace, patch) = (self.clone(), Arc::clone(workspace), patch.clone());
        let command = command.to_owned();
        let laying = move || {
            std::fs::create_dir(&directory)?;
            let laid = builds.lay_now(&workspace, &patch, &command, &directory)?;
            Ok(BuildDirectory { path: directory, generation: laid.map_or(0, |laid| laid + 1) })
        };
        tokio::task::spawn_blocking(laying).await.map_err(io::Error::other)?
    }

    fn lay_now(
        &self,
        workspace: &Workspace,
        patch: &Patch,
        command: &str,
        directory: &Path,
    ) -> io::Result<Option<u32>> {
        let order = |it: &BuildRecord| {
            let is_same = it.commit == *workspace.commit();
            let is_ours = it.line == self.line && it.command == command;
            let fits = is_ours && (is_same || it.generation < MOST_GENERATIONS);
            fits.then_some((is_same, it.at))
        };
        let kept = self.store.best(order).and_then(|place| place.read::<BuildRecord>());
        let Some(kept) = kept else { return Ok(None) };
        let Some(files) = files_of(&kept.path) else { return Ok(None) };
        if room::left(directory, room::SPARE).is_some_and(|room| room < kept.bytes) {
            return Ok(None);
        }
        let output = directory.join(OUTPUT);
        match copy(&kept.path.join(OUTPUT), &output) {
            Ok(newest) => make_newer(workspace, patch, &files, newest)?,
            Err(error) => {
                let path = kept.path.display();
                tracing::warn!(%path, %error, "a kept build could not be used");
                if output.symlink_metadata().is_ok() {
                    std::fs::remove_dir_all(&output)?;
                }
                return Ok(None);
            }
        }
        Ok(Some(kept.what.generation))
    }

    /// Keeps what a command built of a commit without any change, unless that is kept already. It
    /// is taken out of its directory.
    pub async fn keep(
        &self,
        workspace: &Workspace,
        command: &str,
        built: &BuildDirectory,
        at: Timestamp,
    ) {
        if let Err(error) = self.try_to_keep(workspace, command, built, at).await {
            let commit = workspace.commit().short();
            tracing::warn!(%commit, %error, "what was built is not kept");
        }
    }

    async fn try_to_keep(
        &self,
        workspace: &Workspace,
        command: &str,
        built: &BuildDirectory,
        at: Timestamp,
    ) -> Result<(), KeepError> {
        let output = built.path.join(OUTPUT);
        let is_there = output.symlink_metadata().is_ok_and(|found| found.is_dir());
        let place = self.store.place(&serde_json::json!({
            "gander": env!("CARGO_PKG_VERSION"),
            "line": self.line,
            "command": command,
            "commit": workspace.commit(),
        }));
        if !is_there || place.is_taken() {
            return Ok(());
        }
        let making = place.begin(&self.scratch).await?;
        let made = making.made();
        let files = serde_json::to_vec(&listed(workspace.entries()))?;
        let moving = move || {
            std::fs::write(made.join(FILES), files)?;
            match std::fs::rename(&output, made.join(OUTPUT)) {
                Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                    copy(&output, &made.join(OUTPUT)).map(drop)
                }
                moved => moved,
            }
        };
        tokio::task::spawn_blocking(moving).await.map_err(io::Error::other)??;
        let record = BuildRecord {
            line: self.line.clone(),
            command: command.to_owned(),
            commit: workspace.commit().clone(),
            at,
            generation: built.generation,
        };
        making.finish(record).await?;
        Ok(())
    }
}

/// All files of a commit, each by what it is. A path that is no text cannot be compared, and counts
/// as another each time.
type Files = BTreeMap<String, String>;

fn listed(entries: &[TreeEntry]) -> Files {
    let of = |entry: &TreeEntry| {
        let path = String::from_utf8(entry.path.clone()).ok()?;
        Some((path, format!("{:?} {}", entry.mode, entry.oid)))
    };
    entries.iter().filter_map(of).collect()
}

fn files_of(kept: &Path) -> Option<Files> {
    serde_json::from_slice(&std::fs::read(kept.join(FILES)).ok()?).ok()
}

/// Makes all that a build was not made from newer than its newest file.
fn make_newer(
    workspace: &Workspace,
    patch: &Patch,
    built: &Files,
    newest: (i64, i64),
) -> io::Result<()> {
    let now = listed(workspace.entries());
    let changed = |(path, what): (&String, &String)| now.get(path) != Some(what);
    let from_build = built.iter().filter(|it| changed(*it)).map(|(path, _)| path.as_bytes());
    let from_tree = now.iter().filter(|(path, what)| built.get(*path) != Some(what));
    let patched = patch.changes.keys().map(|path| path.as_str().as_bytes());
    let unreadable = workspace.entries().iter().map(|entry| &*entry.path);
    let unreadable = unreadable.filter(|path| std::str::from_utf8(path).is_err());
    let differing: BTreeSet<Vec<u8>> = from_build
        .chain(from_tree.map(|(path, _)| path.as_bytes()))
        .chain(patched.clone())
        .chain(unreadable)
        .map(<[u8]>::to_vec)
        .collect();
    let all: BTreeSet<&[u8]> =
        workspace.entries().iter().map(|entry| &*entry.path).chain(patched).collect();
    let all: Vec<&[u8]> = all.into_iter().collect();
    let mut newer: BTreeSet<&[u8]> = rebuilt::files(&all, &differing).into_iter().collect();
    // What lists a directory sees there that a file is gone.
    for path in &differing {
        let mut directory = split(path).0;
        while !directory.is_empty() {
            newer.insert(directory);
            directory = split(directory).0;
        }
    }
    let time = Timespec { tv_sec: newest.0 + 1, tv_nsec: newest.1 };
    let times = Timestamps { last_access: time, last_modification: time };
    for path in newer {
        match utimensat(&workspace.root, path, &times, AtFlags::SYMLINK_NOFOLLOW) {
            // The patch takes it away.
            Ok(()) | Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}
