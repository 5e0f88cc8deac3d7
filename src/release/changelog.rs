//! The changelog's new section, and where it goes.
//!
//! Invariants: what stood in the file stays byte for byte, and the new section is the newest for
//! the one reader (`core/changelog.rs`); words of commits are one harmless line each; nobody is
//! mentioned so that it would notify them; what a model wrote is marked.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::ReleasedCommit;
use super::conventional::{ChangeKind, Said, said};
use crate::core::changelog::{first_section, heading, latest};
use crate::core::text::{inline, without_numbers};

const TITLE: &str = "# Changelog\n";
/// So much of a commit's first line is shown.
const LINE: usize = 160;
/// So many lines are shown in a group.
const MOST_LINES: usize = 200;

/// The groups, in the order they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Breaking,
    Added,
    Fixed,
    Changed,
    /// What users do not notice: counted, not listed.
    Inside,
}

const SHOWN: &[(Group, &str)] = &[
    (Group::Breaking, "Breaking"),
    (Group::Added, "Added"),
    (Group::Fixed, "Fixed"),
    (Group::Changed, "Changed"),
];

/// The section's text without its heading, oldest change first within each group.
pub fn notes(changes: &[ReleasedCommit]) -> String {
    let told: Vec<(Group, String)> =
        changes.iter().filter(|change| !change.is_merge()).flat_map(lines).collect();
    let mut parts = Vec::new();
    for (group, name) in SHOWN {
        let mut seen = BTreeSet::new();
        let lines = told.iter().filter(|(of, line)| of == group && seen.insert(line.clone()));
        let mut lines: Vec<String> = lines.map(|(_, line)| line.clone()).collect();
        if lines.is_empty() {
            continue;
        }
        if lines.len() > MOST_LINES {
            let more = lines.len() - MOST_LINES;
            lines.truncate(MOST_LINES);
            lines.push(format!("- … and {more} more"));
        }
        parts.push(format!("### {name}\n\n{}", lines.join("\n")));
    }
    let inside = told.iter().filter(|(group, _)| *group == Group::Inside).count();
    match inside {
        0 => {}
        1 => parts.push("One change that users do not notice.".to_owned()),
        many => parts.push(format!("{many} changes that users do not notice.")),
    }
    parts.join("\n\n")
}

/// The file with a new section at its top. Line ends are those of the file.
pub fn with_section(existing: Option<&str>, version: &str, date: &str, notes: &str) -> String {
    let section = format!("{}\n\n{}\n", heading(version, date), notes.trim());
    let Some(text) = existing.filter(|text| !text.trim().is_empty()) else {
        return format!("{TITLE}\n{section}");
    };
    let windows = text.contains("\r\n");
    let ended = |text: String| if windows { text.replace('\n', "\r\n") } else { text };
    match first_section(text) {
        Some(at) => {
            let (above, below) = text.split_at(at);
            let whole = format!("{above}{}{below}", ended(format!("{section}\n")));
            match latest(text) {
                Some(before) => with_links(&whole, &before.version, version),
                None => whole,
            }
        }
        None => {
            let gap = if text.ends_with("\n\n") || text.ends_with("\n\r\n") {
                ""
            } else if text.ends_with('\n') {
                "\n"
            } else {
                "\n\n"
            };
            format!("{text}{}", ended(format!("{gap}{section}")))
        }
    }
}

/// The links below a changelog brought up to date: `[Unreleased]` compares with the new version,
/// which gets a link of its own.
fn with_links(text: &str, old: &str, new: &str) -> String {
    let mut linked = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let Some((before, compared)) = unreleased_link(line, old) else {
            linked.push_str(line);
            continue;
        };
        let end = &line[line.trim_end_matches(['\r', '\n']).len()..];
        let end = if end.is_empty() { "\n" } else { end };
        let tag = compared.replace(old, new);
        linked.push_str(&line.replacen(&format!("/{compared}.."), &format!("/{tag}.."), 1));
        if !line.ends_with('\n') {
            linked.push_str(end);
        }
        let _ = write!(linked, "[{new}]: {before}{compared}...{tag}{end}");
    }
    linked
}

/// `https://…/compare/` and `v1.1.0` of `[Unreleased]: https://…/compare/v1.1.0...HEAD`.
fn unreleased_link<'a>(line: &'a str, old: &str) -> Option<(&'a str, &'a str)> {
    let rest = line.get(..13).filter(|start| start.eq_ignore_ascii_case("[unreleased]:"));
    let address = line[rest?.len()..].trim_start();
    let at = address.find("/compare/")? + "/compare/".len();
    let (before, compared) = address.split_at(at);
    let (compared, _) = compared.split_once("..")?;
    compared.contains(old).then_some((before, compared))
}

/// Whether people keep notes on what is not released yet, which this does not move.
pub fn has_unreleased_notes(text: &str) -> bool {
    let mut lines = text.lines().skip_while(|line| {
        let words = line.trim_start_matches('#');
        let heading = words.len() < line.len();
        !(heading && words.to_ascii_lowercase().contains("unreleased"))
    });
    lines.next();
    let mut notes = lines.take_while(|line| !line.starts_with("## ") && !line.starts_with("# "));
    notes.any(|line| !line.trim().is_empty() && !line.starts_with('#'))
}

/// What one commit adds: a line for each thing that it says, and one more for what it breaks.
fn lines(change: &ReleasedCommit) -> Vec<(Group, String)> {
    let (_, numbers) = without_numbers(change.title());
    let credit = credit(change, numbers);
    let back = if change.is_revert() { "Reverted: " } else { "" };
    let line = |words: &str| format!("- {back}{}{credit}", inline(words, LINE));
    let said = said(&change.message);
    if said.is_empty() {
        let (title, _) = without_numbers(change.title());
        return vec![(Group::Changed, line(title))];
    }
    said.iter().flat_map(|said| lines_of(said, &line)).collect()
}

fn lines_of(said: &Said, line: &impl Fn(&str) -> String) -> Vec<(Group, String)> {
    let mut words = without_numbers(&said.description).0.to_owned();
    if let Some(scope) = &said.scope {
        words = format!("{scope}: {words}");
    }
    let group = match said.kind {
        ChangeKind::Feature => Group::Added,
        ChangeKind::Fix => Group::Fixed,
        ChangeKind::Other => Group::Changed,
        ChangeKind::Inside => Group::Inside,
    };
    if !said.breaking {
        return vec![(group, line(&words))];
    }
    let told = said.breaks.as_deref().filter(|told| !told.contains(&said.description));
    let mut lines = vec![(Group::Breaking, line(told.unwrap_or(&words)))];
    if told.is_some() && group != Group::Inside {
        lines.push((group, line(&words)));
    }
    lines
}

/// `(#7, #12, `@mona`, written by AI)`. Names in code, so that nobody is notified.
fn credit(change: &ReleasedCommit, numbers: Vec<u64>) -> String {
    let mut numbers: BTreeSet<u64> = numbers.into_iter().collect();
    numbers.extend(change.pull.map(|pull| pull.0));
    let numbers = numbers.into_iter().map(|number| format!("#{number}"));
    let author = change.author.as_ref().map(|author| format!("`@{author}`"));
    let model = change.by_model.then(|| "written by AI".to_owned());
    let parts: Vec<String> = numbers.chain(author).chain(model).collect();
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::super::tests::change;
    use super::*;
    use crate::core::changelog::latest;
    use proptest::prelude::*;

    #[test]
    fn changes_are_grouped_credited_and_what_a_model_wrote_is_marked() {
        let changes = [
            change("feat(api): paging (#7) (#11)", 11, "mona"),
            change(
                "fix: the crash @everyone (#12)\n\nAssisted-by: Gander 0.1.0 (x)",
                12,
                "gander[bot]",
            ),
            change(
                "fix: the crash @everyone (#12)\n\nAssisted-by: Gander 0.1.0 (x)",
                12,
                "gander[bot]",
            ),
            change("refactor!: drop Rust 1.80", 13, "hubot"),
            change("feat: new door\n\nBREAKING CHANGE: the old one is gone", 14, "hubot"),
            change("Mend the roof", 0, ""),
            change("chore: tidy", 0, "mona"),
            change("Merge pull request #11 from acme/x", 11, "mona"),
        ];
        assert_eq!(
            notes(&changes),
            "### Breaking\n\n- drop Rust 1.80 (#13, `@hubot`)\n- the old one is gone (#14, `@hubot`)\n\n\
             ### Added\n\n- api: paging (#7, #11, `@mona`)\n- new door (#14, `@hubot`)\n\n\
             ### Fixed\n\n- the crash `@everyone` (#12, `@gander[bot]`, written by AI)\n\n\
             ### Changed\n\n- Mend the roof\n\n\
             One change that users do not notice."
        );
    }

    #[test]
    fn a_new_section_stands_above_the_older_ones_whatever_their_style() {
        for (before, above) in [
            ("# Changelog\n\n## [1.1.0] - 2025-01-01\n\n- b\n", "# Changelog\n\n"),
            (
                "# Changelog\n\n## [Unreleased]\n\n- soon\n\n## 1.1.0\n",
                "# Changelog\n\n## [Unreleased]\n\n- soon\n\n",
            ),
            ("1.1.0 / 2025-01-01\n==================\n\n  * b\n", ""),
            ("# [1.1.0](https://x) (2025)\n", ""),
        ] {
            let after = with_section(Some(before), "1.2.0", "2026-01-31", "- a");
            let below = &before[above.len()..];
            assert_eq!(after, format!("{above}## 1.2.0 (2026-01-31)\n\n- a\n\n{below}"));
            assert_eq!(latest(&after).unwrap().version, "1.2.0");
            assert_eq!(latest(&after).unwrap().notes, "- a");
        }
        assert_eq!(
            with_section(None, "0.1.0", "2026-01-31", "- a"),
            "# Changelog\n\n## 0.1.0 (2026-01-31)\n\n- a\n"
        );
        assert_eq!(
            with_section(Some("# Log\r\n\r\nWords.\r\n"), "0.1.0", "2026-01-31", "- a"),
            "# Log\r\n\r\nWords.\r\n\r\n## 0.1.0 (2026-01-31)\r\n\r\n- a\r\n"
        );
    }

    #[test]
    fn links_that_compare_versions_go_along() {
        let links = "[unreleased]: https://h/w/compare/v1.1.0...HEAD\n\
                     [1.1.0]: https://h/w/compare/v1.0.0...v1.1.0\n";
        let text = format!("# Log\n\n## [Unreleased]\n\n## [1.1.0]\n\n- a\n\n{links}");
        let after = with_section(Some(&text), "1.2.0", "2026-01-31", "- b");
        let expected = "[unreleased]: https://h/w/compare/v1.2.0...HEAD\n\
                        [1.2.0]: https://h/w/compare/v1.1.0...v1.2.0\n\
                        [1.1.0]: https://h/w/compare/v1.0.0...v1.1.0\n";
        assert!(after.ends_with(expected), "{after}");
        // A link to something else stays.
        let other = text.replace("compare/v1.1.0...", "commits/main#...");
        assert!(with_section(Some(&other), "1.2.0", "2026-01-31", "- b").contains("commits/main"));
    }

    #[test]
    fn notes_that_people_keep_for_later_are_seen() {
        assert!(has_unreleased_notes(
            "# C\n\n## [Unreleased]\n\n### Added\n\n- soon\n\n## 1.0.0\n"
        ));
        assert!(!has_unreleased_notes("# C\n\n## Unreleased\n\n### Added\n\n## 1.0.0\n\n- a\n"));
        assert!(!has_unreleased_notes("# C\n\n## 1.0.0\n\n- a\n"));
    }

    proptest! {
        #[test]
        fn nothing_that_stood_there_changes(
            before in "(# Log\n)?(?s:[a-z#\\[\\]=\\-. 0-9\r\n]{0,80})(## 1\\.0\\.0\n)?(?s:[a-z#= \n]{0,40})",
            words in "[a-z#@`=\\- ]{1,30}",
        ) {
            let notes = notes(&[change(&format!("fix: x{words}"), 3, "mona")]);
            let after = with_section(Some(&before), "1.2.0", "2026-01-31", &notes);
            let section = "## 1.2.0 (2026-01-31)";
            let at = after.find(section).unwrap();
            prop_assert!(before.trim().is_empty() || before.starts_with(after[..at].trim_end()));
            let kept: usize = before.trim().len();
            prop_assert!(after.len() >= kept + section.len());
            // Without the section, what is left is what stood there.
            let end = at + section.len() + after[at + section.len()..].find(notes.lines().last().unwrap()).unwrap()
                + notes.lines().last().unwrap().len();
            let rest = format!("{}{}", &after[..at], &after[end..]);
            if !before.trim().is_empty() {
                let bare = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
                prop_assert_eq!(bare(&rest), bare(&before));
            }
        }

        #[test]
        fn whatever_a_commit_says_is_one_line_and_notifies_nobody(message in "(feat|fix)?!?:? ?(?s:[a-z#@`\n()\\[\\]<>-]{0,60})") {
            use pulldown_cmark::{Event, Parser};
            let notes = notes(&[change(&message, 3, "mona")]);
            for event in Parser::new(&notes) {
                if let Event::Text(text) = event {
                    prop_assert!(!text.contains('@'), "{}", notes);
                }
            }
            let lines = notes.lines().filter(|line| line.starts_with("- ")).count();
            prop_assert!(lines <= 2, "{}", notes);
        }
    }
}
