//! Reading back what became of an exported tree, as data.
//!
//! Invariants: the walk never follows a link, never runs anything and is bounded in entries, depth
//! and bytes. What is not an ordinary file is refused by name, not skipped. A file is taken for
//! unchanged only when its content is the blob's, or when the system vouches that nobody wrote to
//! it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::fs::{AtFlags, FileType, Stat};

use super::base::Stamp;
use super::blob_hash::BlobHash;
use super::confined::{self, ConfinedError, shown};
use super::mirror::{EntryMode, TreeEntry};
use super::patch::{PatchError, refused};
use super::patience::Patience;
use super::tree::{DEEPEST, Workspace};
use crate::core::patch::{Change, FileMode, Patch};
use crate::core::path::RepoPath;
use crate::core::path_rules::{commands_leave_directory, commands_leave_file};

/// Entries looked at; ignored directories count as one.
const MOST_ENTRIES: usize = 1_000_000;
/// Bytes of all changed files together that are held in memory.
const MOST_BYTES: u64 = 16 * 1024 * 1024;
/// How long reading back may take.
pub const READING: Duration = Duration::from_secs(10 * 60);
/// How many left-out names are told; then it is said how many more there are.
const MOST_LEFT_OUT: usize = 50;
/// Coarse clocks stamp files written this close together alike, in nanoseconds.
const CLOCK_STEP: i64 = 50_000_000;

/// The change, and what was left out of it.
#[derive(Debug, Default)]
pub struct Changes {
    /// What becomes of the commit's files.
    pub patch: Patch,
    /// New files and directories that the repository ignores, or that commands are known to leave
    /// behind; at most fifty are named, and then how many more there are.
    pub left_out: Vec<String>,
    /// New files of the patch that no edit wrote.
    pub by_commands: Vec<RepoPath>,
    /// New files of the patch that the repository ignores: somebody wrote them on purpose.
    pub ignored: Vec<RepoPath>,
}

impl Changes {
    /// What of the tree is no part of the change, for whoever expects it there; or nothing.
    pub fn left_out_words(&self) -> String {
        if self.left_out.is_empty() {
            return String::new();
        }
        let names = self.left_out.join(", ");
        format!(
            "Not part of the change, because it is ignored, or commands leave such files behind: \
             {names}. What belongs to the change is written with `edit`.\n"
        )
    }
}

impl Workspace {
    /// Reads back, as data, what became of the files. Blocks while it walks.
    ///
    /// # Errors
    /// When something is there that no patch can hold; names it.
    pub fn changes(&self) -> Result<Changes, PatchError> {
        self.changes_within(&Patience::of(READING))
    }

    /// The same, as long as somebody wants it.
    ///
    /// # Errors
    /// Also when patience is over.
    pub fn changes_within(&self, patience: &Patience) -> Result<Changes, PatchError> {
        self.walked(patience, false)
    }

    /// The same without what no patch can hold: so that one such thing does not cost all the rest.
    ///
    /// # Errors
    /// When the tree as a whole cannot be read back.
    pub fn usable_changes(&self, patience: &Patience) -> Result<Changes, PatchError> {
        self.walked(patience, true)
    }

    fn walked(&self, patience: &Patience, passes_over: bool) -> Result<Changes, PatchError> {
        let mut walk = Walk {
            workspace: self,
            patience,
            passes_over,
            seen: vec![false; self.base.entries.len()],
            entries: 0,
            bytes: MOST_BYTES,
            patch: BTreeMap::new(),
            left_out: Vec::new(),
            more_left_out: 0,
            by_commands: Vec::new(),
            ignored: Vec::new(),
        };
        let root = confined::open_directory(&self.root, b"")
            .map_err(|problem| refused("read", b".", problem))?;
        walk.directory(&root, &mut Vec::new(), WalkPosition::default())?;
        walk.deletions()?;
        let Walk { mut left_out, more_left_out, patch, by_commands, ignored, .. } = walk;
        if more_left_out > 0 {
            left_out.push(format!("and {more_left_out} more"));
        }
        Ok(Changes { patch: Patch { changes: patch }, left_out, by_commands, ignored })
    }

    /// The stamp is the exported one, and old enough that a later write would have changed it.
    fn is_untouched(&self, at: usize, stat: &Stat) -> bool {
        let now = Stamp::of(stat);
        let nanoseconds = |(s, ns): (i64, i64)| s.saturating_mul(1_000_000_000).saturating_add(ns);
        let age = nanoseconds(self.base.finished).saturating_sub(nanoseconds(now.changed));
        now == self.base.stamps[at] && age > CLOCK_STEP
    }
}

/// Whether this entry of the base is in the tree exactly as it was exported.
pub(super) fn is_as_exported(workspace: &Workspace, at: usize) -> Result<bool, PatchError> {
    let entry = &workspace.base.entries[at];
    let (directory, name) = confined::split(&entry.path);
    let failed = |problem| refused("read", &entry.path, problem);
    let directory = match confined::open_directory(&workspace.root, directory) {
        Ok(directory) => directory,
        Err(ConfinedError::Io(e)) if confined::is_absence(&e) => return Ok(false),
        Err(other) => return Err(failed(other)),
    };
    match rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(rustix::io::Errno::NOENT) => Ok(false),
        Err(errno) => Err(failed(errno.into())),
        Ok(stat) if workspace.is_untouched(at, &stat) => Ok(true),
        Ok(stat) => match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile if entry.mode != EntryMode::Symlink => {
                let (mut file, stat) = confined::open_file(&directory, name).map_err(failed)?;
                let same = hash_of(&mut file, &stat, entry).map_err(failed)?;
                Ok(same && mode_of(&stat) == mode_of_entry(entry))
            }
            FileType::Symlink if entry.mode == EntryMode::Symlink => {
                is_same_link(&directory, name, entry).map_err(failed)
            }
            _ => Ok(false),
        },
    }
}

struct Walk<'a> {
    workspace: &'a Workspace,
    patience: &'a Patience,
    /// Whether what no patch can hold is passed over.
    passes_over: bool,
    seen: Vec<bool>,
    entries: usize,
    bytes: u64,
    patch: BTreeMap<RepoPath, Change>,
    left_out: Vec<String>,
    more_left_out: usize,
    by_commands: Vec<RepoPath>,
    ignored: Vec<RepoPath>,
}

#[derive(Clone, Copy, Default)]
struct WalkPosition {
    depth: usize,
    /// Below an ignored directory that has tracked files, or in which somebody wants a file.
    ignored: bool,
    /// Below a directory that commands leave behind, in which somebody wants a file.
    left_behind: bool,
}

impl Walk<'_> {
    fn directory(
        &mut self,
        directory: &OwnedFd,
        path: &mut Vec<u8>,
        position: WalkPosition,
    ) -> Result<(), PatchError> {
        if position.depth > DEEPEST {
            return Err(PatchError::TreeTooBig("directories are more than 128 deep"));
        }
        let unreadable =
            |path: &[u8], errno: rustix::io::Errno| refused("read", path, errno.into());
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(directory).map_err(|e| unreadable(path, e))? {
            let entry = entry.map_err(|e| unreadable(path, e))?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                self.entries += 1;
                if self.entries > MOST_ENTRIES {
                    return Err(PatchError::TreeTooBig("it has more than a million entries"));
                }
                names.push(name.to_vec());
            }
        }
        names.sort_unstable();
        let length = path.len();
        for name in names {
            if self.patience.is_over() {
                return Err(PatchError::TreeTooBig("reading it back took too long"));
            }
            if length > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(&name);
            match rustix::fs::statat(directory, name.as_slice(), AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => match self.entry(directory, &name, path, &stat, position) {
                    Err(refusal) if self.passes_over && refusal.is_of_one_entry() => {}
                    other => other?,
                },
                // Gone since it was listed.
                Err(rustix::io::Errno::NOENT) => {}
                Err(errno) => return Err(unreadable(path, errno)),
            }
            path.truncate(length);
        }
        Ok(())
    }

    fn entry(
        &mut self,
        directory: &OwnedFd,
        name: &[u8],
        path: &mut Vec<u8>,
        stat: &Stat,
        position: WalkPosition,
    ) -> Result<(), PatchError> {
        let base = &self.workspace.base;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if let Some(at) = base.by_path.get(path.as_slice()).copied() {
            self.seen[at] = true;
            return self.tracked(at, directory, name, path, stat, position);
        }
        if name == b".git" {
            self.leave_out(path, kind);
            return Ok(());
        }
        let ignored = position.ignored || base.ignored.covers(path, kind);
        if kind == FileType::Directory {
            return self.new_directory(directory, name, path, WalkPosition { ignored, ..position });
        }
        let is_kept =
            || RepoPath::from_bytes(path).is_ok_and(|path| self.workspace.origins.keeps(&path));
        let expected = !ignored && !position.left_behind && !commands_leave_file(&shown(name));
        if !expected && !is_kept() {
            self.leave_out(path, kind);
            return Ok(());
        }
        if kind != FileType::RegularFile {
            let what = described(kind, directory, name);
            return Err(PatchError::NotAFile { path: shown(path), what });
        }
        let usable = usable_path(path)?;
        let (mut file, stat) = open_regular(directory, name, path)?;
        let content = self.take(&mut file, path)?;
        if !self.workspace.origins.is_edited(&usable) {
            self.by_commands.push(usable.clone());
        }
        if ignored {
            self.ignored.push(usable.clone());
        }
        self.patch.insert(usable, Change::Write { mode: mode_of(&stat), content, replaces: None });
        Ok(())
    }

    /// A directory, perhaps without a tracked file.
    fn new_directory(
        &mut self,
        directory: &OwnedFd,
        name: &[u8],
        path: &mut Vec<u8>,
        mut position: WalkPosition,
    ) -> Result<(), PatchError> {
        if !self.workspace.base.directories.contains(path.as_slice()) {
            let parent = confined::split(confined::split(path).0).1;
            position.left_behind |= commands_leave_directory(&shown(name), &shown(parent));
            let is_kept = || self.workspace.origins.keeps_below(path);
            if (position.ignored || position.left_behind) && !is_kept() {
                self.leave_out(path, FileType::Directory);
                return Ok(());
            }
        }
        let below = open_beneath(directory, name, path)?;
        self.directory(&below, path, WalkPosition { depth: position.depth + 1, ..position })
    }

    /// Something is where the base has an entry.
    fn tracked(
        &mut self,
        at: usize,
        directory: &OwnedFd,
        name: &[u8],
        path: &mut Vec<u8>,
        stat: &Stat,
        position: WalkPosition,
    ) -> Result<(), PatchError> {
        let entry = &self.workspace.base.entries[at];
        let kind = FileType::from_raw_mode(stat.st_mode);
        match (entry.mode, kind) {
            (EntryMode::Submodule, FileType::Directory) => {
                let below = open_beneath(directory, name, path)?;
                is_empty(&below, path)
            }
            (EntryMode::Submodule, _) => Err(PatchError::InSubmodule { path: shown(path) }),
            (_, FileType::Directory) => {
                // The file is gone, and a directory has its name.
                self.seen[at] = false;
                let below = open_beneath(directory, name, path)?;
                self.directory(&below, path, WalkPosition { depth: position.depth + 1, ..position })
            }
            (_, FileType::RegularFile) => self.file(at, directory, name, path, stat),
            (EntryMode::Symlink, FileType::Symlink) => {
                let same = self.workspace.is_untouched(at, stat)
                    || is_same_link(directory, name, entry)
                        .map_err(|problem| refused("read", path, problem))?;
                let what = || format!("a changed symbolic link{}", target_of(directory, name));
                let refusal = || PatchError::NotAFile { path: shown(path), what: what() };
                if same { Ok(()) } else { Err(refusal()) }
            }
            (_, other) => {
                let what = described(other, directory, name);
                Err(PatchError::NotAFile { path: shown(path), what })
            }
        }
    }

    fn file(
        &mut self,
        at: usize,
        directory: &OwnedFd,
        name: &[u8],
        path: &[u8],
        stat: &Stat,
    ) -> Result<(), PatchError> {
        if self.workspace.is_untouched(at, stat) {
            return Ok(());
        }
        let entry = &self.workspace.base.entries[at];
        let (mut file, stat) = open_regular(directory, name, path)?;
        let mode = mode_of(&stat);
        let failed = |problem| refused("read", path, problem);
        if stat.st_size.cast_unsigned() == entry.size || entry.mode == EntryMode::Symlink {
            let same = hash_of(&mut file, &stat, entry).map_err(failed)?;
            if same && mode == mode_of_entry(entry) && entry.mode != EntryMode::Symlink {
                return Ok(());
            }
            rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(0))
                .map_err(|errno| failed(errno.into()))?;
        }
        let content = self.take(&mut file, path)?;
        let replaces = Some(entry.oid.clone());
        self.patch.insert(usable_path(path)?, Change::Write { mode, content, replaces });
        Ok(())
    }

    fn deletions(&mut self) -> Result<(), PatchError> {
        for (entry, seen) in self.workspace.base.entries.iter().zip(&self.seen) {
            // An empty directory stands for a submodule; without it nothing is lost.
            if !seen && entry.mode != EntryMode::Submodule {
                let replaces = entry.oid.clone();
                self.patch.insert(usable_path(&entry.path)?, Change::Delete { replaces });
            }
        }
        Ok(())
    }

    fn take(&mut self, file: &mut File, path: &[u8]) -> Result<Vec<u8>, PatchError> {
        let content = confined::read_all(file, self.bytes).map_err(|problem| match problem {
            ConfinedError::TooLarge { .. } => {
                PatchError::TooLargeToHold { path: shown(path), limit: MOST_BYTES }
            }
            other => refused("read", path, other),
        })?;
        self.bytes -= content.len() as u64;
        Ok(content)
    }

    fn leave_out(&mut self, path: &[u8], kind: FileType) {
        if self.left_out.len() < MOST_LEFT_OUT {
            let slash = if kind == FileType::Directory { "/" } else { "" };
            self.left_out.push(format!("{}{slash}", shown(path)));
        } else {
            self.more_left_out += 1;
        }
    }
}

fn described(kind: FileType, directory: &OwnedFd, name: &[u8]) -> String {
    let target = if kind == FileType::Symlink { target_of(directory, name) } else { String::new() };
    format!("{}{target}", confined::describe(kind))
}

/// Where a link leads, as words to append.
fn target_of(directory: &OwnedFd, name: &[u8]) -> String {
    let target = rustix::fs::readlinkat(directory, name, Vec::new());
    target.map_or(String::new(), |target| format!(" to {}", shown(target.as_bytes())))
}

fn open_beneath(directory: &OwnedFd, name: &[u8], path: &[u8]) -> Result<OwnedFd, PatchError> {
    confined::open_directory(directory, name).map_err(|problem| refused("read", path, problem))
}

fn open_regular(directory: &OwnedFd, name: &[u8], path: &[u8]) -> Result<(File, Stat), PatchError> {
    confined::open_file(directory, name).map_err(|problem| refused("read", path, problem))
}

fn usable_path(path: &[u8]) -> Result<RepoPath, PatchError> {
    RepoPath::from_bytes(path).map_err(|problem| PatchError::BadPath { path: shown(path), problem })
}

fn is_empty(directory: &OwnedFd, path: &[u8]) -> Result<(), PatchError> {
    let names = rustix::fs::Dir::read_from(directory)
        .map_err(|errno| refused("read", path, errno.into()))?;
    for name in names.flatten() {
        if !matches!(name.file_name().to_bytes(), b"." | b"..") {
            let inside = format!("{}/{}", shown(path), shown(name.file_name().to_bytes()));
            return Err(PatchError::InSubmodule { path: inside });
        }
    }
    Ok(())
}

fn is_same_link(
    directory: impl AsFd,
    name: &[u8],
    entry: &TreeEntry,
) -> Result<bool, ConfinedError> {
    let target = rustix::fs::readlinkat(directory, name, Vec::new())?;
    let target = target.as_bytes();
    let mut hash = BlobHash::new(&entry.oid, target.len() as u64);
    hash.update(target);
    Ok(hash.name() == entry.oid.as_str())
}

/// Whether the content is the entry's; reads the file once, in pieces.
fn hash_of(file: &mut File, stat: &Stat, entry: &TreeEntry) -> Result<bool, ConfinedError> {
    let size = stat.st_size.cast_unsigned();
    if size != entry.size {
        return Ok(false);
    }
    let mut hash = BlobHash::new(&entry.oid, size);
    let mut piece = vec![0; 64 * 1024];
    let mut left = size;
    loop {
        let count = file.read(&mut piece)?;
        if count == 0 || count as u64 > left {
            return Ok(count == 0 && left == 0 && hash.name() == entry.oid.as_str());
        }
        hash.update(&piece[..count]);
        left -= count as u64;
    }
}

fn mode_of(stat: &Stat) -> FileMode {
    if stat.st_mode & 0o100 == 0 { FileMode::File } else { FileMode::Executable }
}

fn mode_of_entry(entry: &TreeEntry) -> FileMode {
    if entry.mode == EntryMode::Executable { FileMode::Executable } else { FileMode::File }
}
