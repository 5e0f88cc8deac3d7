//! A patch as the text that people read and `git apply` takes.
//!
//! Invariants: the text is made from the patch and the base content alone; applied to the base it
//! gives the patch's result. In the text for people binary files are named and left out. It is the
//! shortest such text, unless finding that took too long.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use similar::{Algorithm, DiffOp, DiffTag, capture_diff_slices_deadline, group_diff_ops};

use super::binary;
use super::blob_hash::BlobHash;
use super::mirror::{EntryMode, Mirror, MirrorError, TreeEntry};
use crate::core::id::Sha;
use crate::core::patch::{Change, FileMode, Patch, is_binary};
use crate::core::path::RepoPath;

/// How long the shortest difference of a file is looked for; after that, a longer one will do.
pub(super) const SEARCHING: Duration = Duration::from_secs(2);
/// Unchanged lines around a change.
const CONTEXT: usize = 3;

/// The base content of the files a patch changes.
pub type BaseFiles = BTreeMap<RepoPath, BaseFile>;

/// One file of the base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseFile {
    /// What it was.
    pub mode: EntryMode,
    /// Byte for byte.
    pub content: Vec<u8>,
}

/// Reads from the mirror what a patch replaces of these entries. Blocks the thread shortly.
///
/// # Errors
/// When the mirror is damaged.
pub fn base_files(
    mirror: &Mirror,
    entries: &[TreeEntry],
    patch: &Patch,
) -> Result<BaseFiles, MirrorError> {
    let changed: Vec<_> = entries
        .iter()
        .filter_map(|entry| Some((RepoPath::from_bytes(&entry.path).ok()?, entry)))
        .filter(|(path, _)| patch.changes.contains_key(path))
        .collect();
    let mut blobs = mirror.blobs(changed.iter().map(|(_, entry)| entry.oid.clone()))?;
    let mut files = BaseFiles::new();
    for (path, entry) in changed {
        let blob = blobs.next_blob()?.ok_or(MirrorError::Damaged("a file's content is missing"))?;
        files.insert(path, BaseFile { mode: entry.mode, content: blob.into_bytes()? });
    }
    Ok(files)
}

/// Lines added and removed, as the unified format counts them.
pub fn lines(patch: &Patch, base: &BaseFiles) -> (u32, u32) {
    let each = lines_by_file(patch, base);
    each.iter().fold((0, 0), |(added, removed), it| (added + it.1, removed + it.2))
}

/// The same of each file.
pub fn lines_by_file<'p>(patch: &'p Patch, base: &'p BaseFiles) -> Vec<(&'p RepoPath, u32, u32)> {
    let mut counted = Vec::new();
    for (path, before, after) in files(patch, base) {
        let mut text = Vec::new();
        let written = one_file(&mut text, path, before, after);
        let text = match written {
            Written::Text => &text[..],
            Written::Binary { .. } => &[],
        };
        let lines = text.split(|byte| *byte == b'\n').skip_while(|line| !line.starts_with(b"@@ "));
        let (mut added, mut removed) = (0, 0);
        for line in lines {
            added += u32::from(line.starts_with(b"+"));
            removed += u32::from(line.starts_with(b"-"));
        }
        counted.push((path, added, removed));
    }
    counted
}

/// Bytes that each file adds to a change: those of the lines that go and come, or of the new
/// content where that is less, as with a file that is new, rewritten or binary. What is only
/// deleted is 0.
pub fn sizes<'p>(patch: &'p Patch, base: &BaseFiles) -> BTreeMap<&'p RepoPath, u64> {
    // One time for all of them: a change is checked while others wait.
    let until = Instant::now() + SEARCHING;
    let size = |(path, change): (&'p RepoPath, &Change)| {
        let Change::Write { content, .. } = change else { return (path, 0) };
        let old = base.get(path).map_or(&[][..], |file| &file.content);
        let whole = content.len() as u64;
        let size = match is_binary(old) || is_binary(content) {
            true if old == content => 0,
            true => whole,
            false => whole.min(lines_between(old, content, until)),
        };
        (path, size)
    };
    patch.changes.iter().map(size).collect()
}

/// The lines of a text, each with its end.
pub fn lines_of(text: &[u8]) -> Vec<&[u8]> {
    text.split_inclusive(|byte| *byte == b'\n').collect()
}

fn lines_between(old: &[u8], new: &[u8], until: Instant) -> u64 {
    let (old, new) = (lines_of(old), lines_of(new));
    let bytes = |lines: &[&[u8]]| lines.iter().map(|line| line.len() as u64).sum::<u64>();
    let operations = capture_diff_slices_deadline(Algorithm::Myers, &old, &new, Some(until));
    let changed = operations.iter().filter(|operation| operation.tag() != DiffTag::Equal);
    changed.map(|it| bytes(&old[it.old_range()]) + bytes(&new[it.new_range()])).sum()
}

/// The patch for people, in git's unified format. Bytes, since files need not be UTF-8.
pub fn unified(patch: &Patch, base: &BaseFiles) -> Vec<u8> {
    let mut out = Vec::new();
    for (path, before, after) in files(patch, base) {
        match one_file(&mut out, path, before, after) {
            Written::Text => {}
            Written::Binary { start } => {
                out.truncate(start);
                let left_out = format!("# left out, as it is not text: {path}\n");
                out.extend_from_slice(left_out.as_bytes());
            }
        }
    }
    out
}

/// All of the patch, as `git apply` takes it. `commit` is any of the same repository.
///
/// # Errors
/// Never, as far as is known: compressing in memory does not fail.
pub fn applicable(patch: &Patch, base: &BaseFiles, commit: &Sha) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    for (path, before, after) in files(patch, base) {
        if let Written::Binary { .. } = one_file(&mut out, path, before, after) {
            let old = before.map(|file| file.content.as_slice());
            let new = after.map(|(_, content)| content);
            // Git takes it only with both names in full.
            let absent = || "0".repeat(commit.as_str().len());
            let name = |content: Option<&[u8]>| {
                content.map_or_else(absent, |content| BlobHash::of(content, commit))
            };
            let names = format!("index {}..{}\nGIT binary patch\n", name(old), name(new));
            out.extend_from_slice(names.as_bytes());
            binary::literal(&mut out, new.unwrap_or_default())?;
            binary::literal(&mut out, old.unwrap_or_default())?;
        }
    }
    Ok(out)
}

/// What one file of the base becomes.
type OneFile<'a> = (&'a RepoPath, Option<&'a BaseFile>, Option<(FileMode, &'a [u8])>);

/// To git a link that becomes a file is one file less and one more.
fn files<'a>(patch: &'a Patch, base: &'a BaseFiles) -> Vec<OneFile<'a>> {
    let mut files = Vec::new();
    for (path, change) in &patch.changes {
        let before = base.get(path);
        let after = match change {
            Change::Write { mode, content, .. } => Some((*mode, content.as_slice())),
            Change::Delete { .. } => None,
        };
        if before.is_some_and(|file| file.mode == EntryMode::Symlink) && after.is_some() {
            files.push((path, before, None));
            files.push((path, None, after));
        } else {
            files.push((path, before, after));
        }
    }
    files
}

/// What was written of a file.
enum Written {
    /// All of it.
    Text,
    /// Its header, from here on.
    Binary { start: usize },
}

fn one_file(
    out: &mut Vec<u8>,
    path: &RepoPath,
    before: Option<&BaseFile>,
    after: Option<(FileMode, &[u8])>,
) -> Written {
    let start = out.len();
    let old = before.map_or(&[][..], |file| &file.content);
    let new = after.map_or(&[][..], |(_, content)| content);
    let (a, b) = (quoted("a", path), quoted("b", path));
    let mut header = format!("diff --git {a} {b}\n");
    match (before, after) {
        (Some(file), None) => {
            header.push_str(&format!("deleted file mode {}\n", mode_before(file)));
        }
        (None, Some((mode, _))) => header.push_str(&format!("new file mode {}\n", digits(mode))),
        (Some(file), Some((mode, _))) if mode_before(file) != digits(mode) => {
            header.push_str(&format!("old mode {}\n", mode_before(file)));
            header.push_str(&format!("new mode {}\n", digits(mode)));
        }
        _ => {}
    }
    out.extend_from_slice(header.as_bytes());
    if old == new {
        return Written::Text;
    }
    if is_binary(old) || is_binary(new) {
        return Written::Binary { start };
    }
    // Readers end a name with spaces at this tab.
    let end = if path.as_str().contains(' ') { "\t" } else { "" };
    let from = before.map_or("/dev/null".to_owned(), |_| format!("{a}{end}"));
    let to = after.map_or("/dev/null".to_owned(), |_| format!("{b}{end}"));
    out.extend_from_slice(format!("--- {from}\n+++ {to}\n").as_bytes());
    hunks(out, old, new);
    Written::Text
}

/// How lines become others: the shortest way, unless finding that took too long.
pub fn line_operations(old: &[&[u8]], new: &[&[u8]]) -> Vec<DiffOp> {
    // The shortest difference of two long texts that have little in common takes hours to find.
    let until = Some(Instant::now() + SEARCHING);
    capture_diff_slices_deadline(Algorithm::Myers, old, new, until)
}

fn hunks(out: &mut Vec<u8>, old: &[u8], new: &[u8]) {
    let (old, new) = (lines_of(old), lines_of(new));
    for group in group_diff_ops(line_operations(&old, &new), CONTEXT) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let before = range(first.old_range().start, last.old_range().end);
        let after = range(first.new_range().start, last.new_range().end);
        out.extend_from_slice(format!("@@ -{before} +{after} @@\n").as_bytes());
        for operation in &group {
            hunk_lines(out, operation, &old, &new);
        }
    }
}

fn hunk_lines(out: &mut Vec<u8>, operation: &DiffOp, old: &[&[u8]], new: &[&[u8]]) {
    let mut lines = |mark: u8, lines: &[&[u8]]| {
        for line in lines {
            out.push(mark);
            out.extend_from_slice(line);
            if !line.ends_with(b"\n") {
                out.extend_from_slice(b"\n\\ No newline at end of file\n");
            }
        }
    };
    if operation.tag() == DiffTag::Equal {
        lines(b' ', &old[operation.old_range()]);
    } else {
        lines(b'-', &old[operation.old_range()]);
        lines(b'+', &new[operation.new_range()]);
    }
}

/// `start,count` counted from one; an empty range names the line before it.
fn range(start: usize, end: usize) -> String {
    match end - start {
        0 => format!("{start},0"),
        1 => format!("{}", start + 1),
        count => format!("{},{count}", start + 1),
    }
}

/// A path has neither backslashes nor control characters, so quotes are all there is to escape.
fn quoted(side: &str, path: &RepoPath) -> String {
    let path = path.as_str();
    if path.contains('"') {
        format!("\"{side}/{}\"", path.replace('"', "\\\""))
    } else {
        format!("{side}/{path}")
    }
}

fn mode_before(file: &BaseFile) -> &'static str {
    match file.mode {
        EntryMode::Executable => digits(FileMode::Executable),
        EntryMode::File | EntryMode::Submodule => digits(FileMode::File),
        EntryMode::Symlink => "120000",
    }
}

fn digits(mode: FileMode) -> &'static str {
    match mode {
        FileMode::File => "100644",
        FileMode::Executable => "100755",
    }
}
