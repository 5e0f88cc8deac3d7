//! The files that a release is made from, as they are at its base.
//!
//! Invariants: how many are read, and how much of them, is bounded; what is left out is told of.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::core::github::RepoRef;
use crate::core::id::Sha;
use crate::core::policy::ReleaseScope;
use crate::core::release_tools::{FoundTool, find_tool};
use crate::release::manifests::{self, Edits, FileSet};
use crate::release::mentions;
use crate::worker::checks::blocking;
use crate::worker::{Context, WorkError};
use crate::workspace::mirror::{EntryMode, Mirror, MirrorError, TreeEntry};

/// A manifest larger than this is not read.
const LARGEST_FILE: u64 = 8 * 1024 * 1024;
/// So many manifests are read, and so many bytes of them: read as TOML they take many times that.
const MOST_FILES: usize = 300;
const MOST_BYTES: u64 = 12 * 1024 * 1024;
/// So many other files are looked through for the version, and so many bytes of them.
const MOST_SEARCHED: usize = 3_000;
const MOST_BYTES_SEARCHED: u64 = 24 * 1024 * 1024;
/// So many places are named.
const MOST_NAMED: usize = 8;

/// The files at the base, and which of them are executable.
pub(super) struct There {
    /// What is released of them.
    pub(super) scope: ReleaseScope,
    pub(super) files: FileSet,
    pub(super) executable: BTreeSet<String>,
    /// The manifests that were not read, as they are too large or too many.
    pub(super) left_out: LeftOut,
    /// The name of the base's tree.
    pub(super) tree: Sha,
    mirror: Mirror,
    /// All files of the base.
    entries: Vec<TreeEntry>,
}

/// Manifests that were not read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub(super) too_large: Vec<String>,
    pub(super) too_many: usize,
}

impl There {
    /// A tool of the repository's own that makes releases.
    pub(super) fn release_tool(&self) -> Option<FoundTool> {
        let paths = self.entries.iter().filter_map(|it| std::str::from_utf8(&it.path).ok());
        find_tool(paths)
    }

    /// Whether there is any file of what is released.
    pub(super) fn has_any(&self) -> bool {
        has_any(&self.scope, &self.entries)
    }

    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).and_then(|bytes| std::str::from_utf8(bytes).ok())
    }
}

pub(super) async fn files_at(
    ctx: &Context,
    repo: &RepoRef,
    base: &Sha,
    scope: ReleaseScope,
) -> Result<There, WorkError> {
    let mirror = ctx.mirror_of(repo, base).await?;
    let (entries, tree) = (mirror.list(base).await?, mirror.tree_of(base).await?);
    let reading = move || {
        let (chosen, left_out) = chosen(&entries, &scope);
        let mut files = FileSet::new();
        read(&mirror, &chosen, |path, bytes| {
            files.insert(path, bytes);
        })?;
        let executable = chosen.iter().filter(|it| matches!(it.mode, EntryMode::Executable));
        let executable = executable.map(|it| name_of(it)).collect();
        Ok::<_, MirrorError>(There { scope, files, executable, left_out, tree, mirror, entries })
    };
    Ok(blocking(reading).await??)
}

/// Other files that say the version that the release goes on from, in words for people.
pub(super) async fn also_said_in(
    there: &Arc<There>,
    repo: &RepoRef,
    edits: &Edits,
    version: &str,
) -> Result<Vec<String>, WorkError> {
    let (there, changed, version) = (Arc::clone(there), edits.changed.clone(), version.to_owned());
    let mut names = manifests::names(&there.files, &there.scope);
    names.insert(repo.name.name().to_lowercase());
    let searching = move || {
        let mut bytes = 0;
        let is_searched = |entry: &&TreeEntry| {
            let path = name_of(entry);
            is_file(entry)
                && there.scope.has(&path)
                && !changed.contains_key(&path)
                && mentions::is_read(&path, entry.size)
        };
        let mut searched: Vec<&TreeEntry> = there.entries.iter().filter(is_searched).collect();
        searched.sort_by_key(|entry| depth(entry));
        let all = searched.len();
        let fits = |entry: &&TreeEntry| {
            bytes += entry.size;
            bytes <= MOST_BYTES_SEARCHED
        };
        let searched: Vec<&TreeEntry> =
            searched.into_iter().take(MOST_SEARCHED).take_while(fits).collect();
        let mut said = Vec::new();
        read(&there.mirror, &searched, |path, text| {
            if let Some(line) = mentions::line_of(&path, &text, &version, &names) {
                said.push(format!("`{path}` says {version} too, in line {line}"));
            }
        })?;
        let more = said.len().saturating_sub(MOST_NAMED);
        said.truncate(MOST_NAMED);
        if more > 0 {
            said.push(format!("{more} more files say {version} too"));
        }
        if searched.len() < all {
            said.push(format!(
                "{} files were not looked through for {version}, as there are too many",
                all - searched.len()
            ));
        }
        Ok::<_, MirrorError>(said)
    };
    Ok(blocking(searching).await??)
}

/// Whether any of these is part of what is released.
pub(super) fn has_any(scope: &ReleaseScope, entries: &[TreeEntry]) -> bool {
    entries.iter().any(|entry| scope.has(&name_of(entry)))
}

/// Hands over the contents of these files.
fn read(
    mirror: &Mirror,
    entries: &[&TreeEntry],
    mut take: impl FnMut(String, Vec<u8>),
) -> Result<(), MirrorError> {
    let mut blobs = mirror.blobs(entries.iter().map(|entry| entry.oid.clone()))?;
    for entry in entries {
        if let Some(blob) = blobs.next_blob()? {
            take(name_of(entry), blob.into_bytes()?);
        }
    }
    Ok(())
}

/// The changelog, and as many manifests as are read, those nearest to the top first.
fn chosen<'a>(entries: &'a [TreeEntry], scope: &ReleaseScope) -> (Vec<&'a TreeEntry>, LeftOut) {
    let changelog = scope.changelog();
    let is_wanted = |entry: &&TreeEntry| {
        let path = name_of(entry);
        is_file(entry) && (path == changelog || manifests::is_wanted(&path, scope))
    };
    let wanted = entries.iter().filter(is_wanted);
    let (mut wanted, large): (Vec<&TreeEntry>, Vec<&TreeEntry>) =
        wanted.partition(|entry| entry.size <= LARGEST_FILE);
    wanted.sort_by_key(|entry| {
        let aside = manifests::is_aside(&name_of(entry));
        (entry.path != changelog.as_bytes(), aside, depth(entry))
    });
    let mut bytes = 0;
    let fits = |entry: &&&TreeEntry| {
        bytes += entry.size;
        bytes <= MOST_BYTES
    };
    let many = wanted.iter().take(MOST_FILES).take_while(fits).count().max(1);
    let too_many = wanted.len().saturating_sub(many);
    wanted.truncate(many);
    let too_large = large.into_iter().map(name_of).collect();
    (wanted, LeftOut { too_large, too_many })
}

fn is_file(entry: &TreeEntry) -> bool {
    // A path that is no text is no manifest either.
    matches!(entry.mode, EntryMode::File | EntryMode::Executable)
        && std::str::from_utf8(&entry.path).is_ok()
}

fn name_of(entry: &TreeEntry) -> String {
    String::from_utf8_lossy(&entry.path).into_owned()
}

fn depth(entry: &TreeEntry) -> usize {
    entry.path.iter().filter(|byte| **byte == b'/').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_manifests_without_end_those_near_the_top_are_read_and_the_changelog_always_is() {
        let entry = |path: String| TreeEntry {
            path: path.into_bytes(),
            mode: EntryMode::File,
            oid: "a".repeat(40).parse().unwrap(),
            size: 1 << 20,
        };
        let deep = (0..400).map(|i| format!("a/{i}/Cargo.toml"));
        let top = ["CHANGELOG.md", "Cargo.lock", "Cargo.toml", "src/lib.rs"].map(str::to_owned);
        let mut entries: Vec<TreeEntry> = deep.chain(top).map(entry).collect();
        let lock = TreeEntry { size: LARGEST_FILE + 1, ..entry("package-lock.json".to_owned()) };
        entries.push(lock);
        let (chosen, left_out) = chosen(&entries, &ReleaseScope::default());
        let paths: Vec<&[u8]> = chosen.iter().map(|entry| &*entry.path).collect();
        assert_eq!(paths[..3], [&b"CHANGELOG.md"[..], b"Cargo.lock", b"Cargo.toml"]);
        let too_large = vec!["package-lock.json".to_owned()];
        assert_eq!((paths.len(), left_out), (12, LeftOut { too_large, too_many: 391 }));
    }
}
