//! What people are shown of a change in the demo: its changed lines, and its proof.

use similar::{ChangeTag, TextDiff};

use super::REPO;
use gander_emulator::{Emulator, PullView};

/// Changed lines that are shown.
const MOST_LINES: usize = 9;

/// The changed lines of a pull request, or of its newest commit after `from`.
pub(super) fn changed_lines(emulator: &Emulator, pull: &PullView, from: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for path in emulator.files(REPO, &pull.head_sha) {
        let text = |rev: &str| {
            let bytes = emulator.file(REPO, rev, &path).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let (before, after) = (text(from), text(&pull.head_sha));
        for change in TextDiff::from_lines(&before, &after).iter_all_changes() {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => continue,
            };
            if !change.value().trim().is_empty() {
                lines.push(format!("{sign} {}", change.value().trim_end()));
            }
        }
    }
    if lines.len() > MOST_LINES {
        let more = lines.len() - MOST_LINES;
        lines.truncate(MOST_LINES);
        lines.push(format!("… and {more} more lines"));
    }
    lines
}

/// The table of the proof in a pull request's text, in lines of words.
pub(super) fn proof(pull: &PullView) -> Vec<String> {
    let section = pull.body.split_once("### Proof\n").map_or("", |(_, rest)| rest);
    let section = section.split("\n### ").next().unwrap_or_default();
    let mut rows = section.lines().filter(|line| line.starts_with('|'));
    let heads = rows.next().map(cells).unwrap_or_default();
    let mut lines = Vec::new();
    for row in rows.skip(1).map(cells) {
        for (head, cell) in heads.iter().zip(&row) {
            match head.as_str() {
                "test" => lines.push(format!("{head} {cell}")),
                _ => lines.push(format!("  {head}: {cell}")),
            }
        }
    }
    lines
}

fn cells(row: &str) -> Vec<String> {
    let plain = row.replace(['`', '\\'], "");
    plain.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
}
