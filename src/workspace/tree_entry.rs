//! One file of a commit, as git lists it.
//!
//! Invariants: a line that cannot be read is none; nothing of it is guessed.

use crate::core::id::Sha;

/// One file of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeEntry {
    /// As git has it; any bytes but NUL.
    pub path: Vec<u8>,
    /// What it is.
    pub mode: EntryMode,
    /// The content's name.
    pub oid: Sha,
    /// In bytes; zero for a submodule.
    pub size: u64,
}

/// What a tree entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntryMode {
    /// A regular file.
    File,
    /// A regular file that can be run.
    Executable,
    /// A symbolic link; its content is the target.
    Symlink,
    /// Another repository's commit.
    Submodule,
}

/// `MODE TYPE OID SIZE<TAB>PATH`
pub(super) fn parse_entry(line: &[u8]) -> Option<TreeEntry> {
    let tab = line.iter().position(|byte| *byte == b'\t')?;
    let mut words = std::str::from_utf8(&line[..tab]).ok()?.split_ascii_whitespace();
    let mode = match words.next()? {
        "100755" => EntryMode::Executable,
        "120000" => EntryMode::Symlink,
        "160000" => EntryMode::Submodule,
        // Old repositories have 100664 and the like; git reads them as plain files too.
        mode if mode.starts_with("100") => EntryMode::File,
        _ => return None,
    };
    let oid = words.nth(1)?.parse().ok()?;
    let size = words.next()?;
    let size = if size == "-" { 0 } else { size.parse().ok()? };
    Some(TreeEntry { path: line[tab + 1..].to_vec(), mode, oid, size })
}
