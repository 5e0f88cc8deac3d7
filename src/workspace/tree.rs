//! A job's own copy of one commit, exported from the mirror's object database.
//!
//! Invariants: every file is its blob, byte for byte; no filter, attribute, hook or checkout takes
//! part, and no git process ever runs in the copy. Symbolic links are made as links and never
//! followed. A patch is laid on it whole or not at all.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{AtFlags, Mode as Bits, Stat, Timespec, Timestamps};

use super::base::{BaseTree, RuleFiles, Stamp};
use super::confined::{self, ConfinedError, shown, split};
use super::mirror::{Blob, EntryMode, Mirror, MirrorError, TreeEntry};
use super::origins::Origins;
use super::room;
use crate::core::id::Sha;

/// Files in one commit.
const MOST_FILES: usize = 500_000;
/// Bytes in one commit.
const MOST_BYTES: u64 = 8 * 1024 * 1024 * 1024;
/// What a file takes beside its content.
const ENTRY: u64 = 4096;
/// Directories in directories.
pub(super) const DEEPEST: usize = 128;
/// When every file and directory was last changed, in seconds since 1970: one time for all, so that
/// what build tools make of a tree depends on its content only.
const CHANGED_AT: i64 = 1_600_000_000;
/// The longest symbolic link Linux takes, and the longest `.gitignore` that is read.
const LONGEST_LINK: u64 = 4095;
const LONGEST_RULES: u64 = 1024 * 1024;

/// One exported commit and what is needed to see what became of it.
pub struct Workspace {
    pub(super) root: File,
    pub(super) base: BaseTree,
    pub(super) origins: Arc<Origins>,
    path: PathBuf,
    commit: Sha,
}

/// An export that did not come about.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ExportError {
    /// The mirror could not deliver.
    #[error("the commit could not be read from the mirror")]
    Mirror(#[from] MirrorError),
    /// More than we take.
    #[error("the repository is too large to work on: {0}")]
    TooLarge(&'static str),
    /// The commit contains a path that no honest git makes.
    #[error("the commit contains {path:?}, {why}; it cannot be worked on")]
    Hostile {
        /// As far as it can be shown.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The disk said no.
    #[error("could not write {path}")]
    Write {
        /// As far as it can be shown.
        path: String,
        #[source]
        source: std::io::Error,
    },
    /// Whoever asked went away.
    #[error("the export was stopped")]
    Stopped,
}

impl Workspace {
    /// Writes all files of `commit` below `destination`, which must not exist or be empty. Dropping
    /// the future stops the work.
    ///
    /// # Errors
    /// What was written so far stays; remove the directory.
    pub async fn export(
        mirror: &Mirror,
        commit: &Sha,
        destination: &Path,
    ) -> Result<Self, ExportError> {
        let entries = mirror.list(commit).await?;
        let bytes: u64 = entries.iter().map(|entry| entry.size.saturating_add(ENTRY)).sum();
        let above = destination.parent().unwrap_or(destination);
        if bytes <= MOST_BYTES && room::left(above, mirror.spare).is_some_and(|room| room < bytes) {
            return Err(ExportError::Mirror(MirrorError::NoRoom(above.to_owned())));
        }
        let stop = StopOnDrop(Arc::new(AtomicBool::new(false)));
        let stopped = Arc::clone(&stop.0);
        let (mirror, commit, path) = (mirror.clone(), commit.clone(), destination.to_owned());
        let work = tokio::task::spawn_blocking(move || {
            let root = prepare(&path)?;
            let base = write_all(&mirror, entries, &root, &stopped)?;
            Ok(Self { root, base, origins: Arc::default(), path, commit })
        });
        work.await.unwrap_or(Err(ExportError::Stopped))
    }

    /// Where the files are.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The commit they came from.
    pub fn commit(&self) -> &Sha {
        &self.commit
    }

    /// The directory itself, for confined file access.
    pub fn root(&self) -> &File {
        &self.root
    }

    /// Every entry of the commit, in git's order, and what is known about them.
    pub fn entries(&self) -> &BaseTree {
        &self.base
    }

    /// Who made which file; whoever edits the tree tells it.
    pub fn origins(&self) -> &Arc<Origins> {
        &self.origins
    }
}

struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn prepare(path: &Path) -> Result<File, ExportError> {
    let failed = |source| ExportError::Write { path: path.display().to_string(), source };
    std::fs::create_dir_all(path).map_err(failed)?;
    if std::fs::read_dir(path).map_err(failed)?.next().is_some() {
        return Err(failed(std::io::ErrorKind::DirectoryNotEmpty.into()));
    }
    File::open(path).map_err(failed)
}

fn write_all(
    mirror: &Mirror,
    entries: Vec<TreeEntry>,
    root: &File,
    stopped: &AtomicBool,
) -> Result<BaseTree, ExportError> {
    check_entries(&entries)?;
    let mut writer = TreeWriter {
        open: vec![(
            Vec::new(),
            root.as_fd()
                .try_clone_to_owned()
                .map_err(|source| ExportError::Write { path: ".".to_owned(), source })?,
        )],
    };
    let has_content = |entry: &&TreeEntry| entry.mode != EntryMode::Submodule;
    let names: Vec<Sha> = entries.iter().filter(has_content).map(|e| e.oid.clone()).collect();
    let mut blobs = mirror.blobs(names.into_iter())?;
    let mut rules = RuleFiles::default();
    let mut stamps = Vec::with_capacity(entries.len());
    for entry in &entries {
        if stopped.load(Ordering::Relaxed) {
            return Err(ExportError::Stopped);
        }
        let (_, name) = split(&entry.path);
        let stat = if entry.mode == EntryMode::Submodule {
            writer.submodule(&entry.path)?
        } else {
            let blob = blobs.next_blob()?.ok_or_else(|| {
                mirror.distrust();
                MirrorError::Damaged("a file's content is missing")
            })?;
            if entry.mode == EntryMode::Symlink {
                writer.link(&entry.path, blob)?
            } else if RuleFiles::has_a_place_for(name) && blob.size <= LONGEST_RULES {
                let content = blob.into_bytes()?;
                let stat = writer.file(entry, &mut content.as_slice(), content.len() as u64)?;
                rules.take(&entry.path, content).map_err(ExportError::TooLarge)?;
                stat
            } else {
                let size = blob.size;
                writer.file(entry, &mut { blob }, size)?
            }
        };
        stamps.push(Stamp::of(&stat));
    }
    let base = BaseTree::new(mirror.clone(), entries, stamps, rules);
    // Last: what is put into a directory changes its time.
    for directory in &base.directories {
        rustix::fs::utimensat(root, &**directory, &times(), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| failed(directory, errno.into()))?;
    }
    Ok(base)
}

fn times() -> Timestamps {
    let time = Timespec { tv_sec: CHANGED_AT, tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}

fn check_entries(entries: &[TreeEntry]) -> Result<(), ExportError> {
    if entries.len() > MOST_FILES {
        return Err(ExportError::TooLarge("it has more than 500,000 files"));
    }
    if entries.iter().map(|entry| entry.size).sum::<u64>() > MOST_BYTES {
        return Err(ExportError::TooLarge("its files have more than 8 GiB"));
    }
    for entry in entries {
        let hostile = |why| ExportError::Hostile { path: shown(&entry.path), why };
        let mut depth = 0;
        for part in entry.path.split(|byte| *byte == b'/') {
            depth += 1;
            if matches!(part, b"" | b"." | b"..") {
                return Err(hostile("which leads out of its directory"));
            }
            if part.eq_ignore_ascii_case(b".git") {
                return Err(hostile("which git takes for its own directory"));
            }
        }
        if depth > DEEPEST {
            return Err(ExportError::TooLarge("its directories are more than 128 deep"));
        }
        if entry.mode == EntryMode::Symlink && entry.size > LONGEST_LINK {
            return Err(hostile("a symbolic link too long for any system"));
        }
    }
    Ok(())
}

/// Writes entries in git's order, keeping the directories on the way to the current one open.
struct TreeWriter {
    open: Vec<(Vec<u8>, OwnedFd)>,
}

impl TreeWriter {
    fn file(
        &mut self,
        entry: &TreeEntry,
        content: &mut impl Read,
        size: u64,
    ) -> Result<Stat, ExportError> {
        let bits = if entry.mode == EntryMode::Executable { 0o755 } else { 0o644 };
        let (directory, name) = self.place(&entry.path)?;
        let written = (|| {
            let mut file = confined::create_file(directory, name, Bits::from_raw_mode(bits))?;
            if std::io::copy(content, &mut file)? != size {
                return Err(ConfinedError::Io(std::io::ErrorKind::UnexpectedEof.into()));
            }
            rustix::fs::futimens(&file, &times())?;
            Ok(rustix::fs::fstat(&file)?)
        })();
        written.map_err(|problem| failed(&entry.path, problem))
    }

    fn link(&mut self, path: &[u8], target: Blob<'_>) -> Result<Stat, ExportError> {
        let target = target.into_bytes()?;
        let (directory, name) = self.place(path)?;
        rustix::fs::symlinkat(target.as_slice(), directory, name)
            .and_then(|()| {
                rustix::fs::utimensat(directory, name, &times(), AtFlags::SYMLINK_NOFOLLOW)
            })
            .and_then(|()| rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW))
            .map_err(|errno| failed(path, errno.into()))
    }

    fn submodule(&mut self, path: &[u8]) -> Result<Stat, ExportError> {
        let (directory, name) = self.place(path)?;
        rustix::fs::mkdirat(directory, name, Bits::from_raw_mode(0o755))
            .and_then(|()| rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW))
            .map_err(|errno| failed(path, errno.into()))
    }

    /// The open directory of `path`, made if need be, and the name in it.
    fn place<'a>(&mut self, path: &'a [u8]) -> Result<(&OwnedFd, &'a [u8]), ExportError> {
        let (wanted, name) = split(path);
        let leads_to = |open: &[u8]| {
            open.is_empty()
                || wanted.strip_prefix(open).is_some_and(|r| r.is_empty() || r[0] == b'/')
        };
        while self.open.len() > 1 && self.open.last().is_some_and(|(open, _)| !leads_to(open)) {
            self.open.pop();
        }
        loop {
            let Some((open, directory)) = self.open.last() else {
                return Err(failed(path, ConfinedError::Special("without a directory")));
            };
            if open.len() == wanted.len() {
                break;
            }
            let start = if open.is_empty() { 0 } else { open.len() + 1 };
            let end =
                wanted[start..].iter().position(|b| *b == b'/').map_or(wanted.len(), |n| start + n);
            let part = &wanted[start..end];
            let next = match rustix::fs::mkdirat(directory, part, Bits::from_raw_mode(0o755)) {
                Ok(()) | Err(rustix::io::Errno::EXIST) => confined::open_directory(directory, part),
                Err(errno) => Err(errno.into()),
            };
            let next = next.map_err(|problem| failed(path, problem))?;
            self.open.push((wanted[..end].to_vec(), next));
        }
        match self.open.last() {
            Some((_, directory)) => Ok((directory, name)),
            None => Err(failed(path, ConfinedError::Special("without a directory"))),
        }
    }
}

fn failed(path: &[u8], problem: ConfinedError) -> ExportError {
    match problem {
        ConfinedError::Io(source) => ExportError::Write { path: shown(path), source },
        ConfinedError::Special(_) | ConfinedError::TooLarge { .. } => {
            ExportError::Hostile { path: shown(path), why: "which is two things at once" }
        }
    }
}
