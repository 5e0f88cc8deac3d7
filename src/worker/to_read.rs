//! What of a change a reviewer has to read, and in which order.

use crate::core::job::FileToRead;
use crate::core::locked::changed_packages;
use crate::core::patch::{Change, Patch};
use crate::verify::cheat::{CheatFinding, find_cheats};
use crate::verify::{is_code, is_of_tests};
use crate::workspace::diff;

/// Its files in the order in which a reviewer has to read them: code of the program, then settings
/// and whatever else there is, then tests, then texts; in each the most changed first.
pub(super) fn reading(patch: &Patch, base: &diff::BaseFiles) -> Vec<FileToRead> {
    let mut files: Vec<FileToRead> = diff::lines_by_file(patch, base)
        .into_iter()
        .map(|(path, added, removed)| FileToRead { path: path.to_string(), added, removed })
        .collect();
    let is_text = |path: &str| path.ends_with(".md") || path.ends_with(".rst");
    let rank = |path: &str| match (is_of_tests(path), is_code(path)) {
        (false, true) => 0,
        (true, _) => 2,
        (false, false) if is_text(path) => 3,
        (false, false) => 1,
    };
    files.sort_by_key(|it| (rank(&it.path), std::cmp::Reverse(it.added + it.removed)));
    files.truncate(MOST_TO_READ);
    files
}

/// So many files are listed.
const MOST_TO_READ: usize = 30;

/// The packages that its lockfiles add and replace.
pub(super) fn packages_changed(patch: &Patch, base: &diff::BaseFiles) -> Vec<String> {
    let mut told = Vec::new();
    for (path, change) in &patch.changes {
        let Change::Write { content, .. } = change else { continue };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let before = base.get(path).map(|before| text(&before.content));
        let lines = changed_packages(path.as_str(), before.as_deref(), &text(content));
        told.extend(lines.unwrap_or_default().iter().map(|line| format!("{path}: {line}")));
    }
    told
}

/// What the rules find in a change, in words for people.
pub(super) fn cheats_in(patch: &Patch, base: &diff::BaseFiles) -> Vec<String> {
    let words = |CheatFinding { rule, path, line, reason, .. }: CheatFinding| {
        format!("{path}: {reason} (line {line}, rule {rule})")
    };
    find_cheats(patch, base).into_iter().map(words).collect()
}
