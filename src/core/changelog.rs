//! `CHANGELOG.md`: the newest section, which names the version that is released and its notes.
//!
//! Invariants: what is released is read from the commit that people approved, never from a title or
//! an event. A heading that is not a version is skipped, as is what stands in code, and a section
//! ends at the next heading of its level, or at one with a version in whatever style.

/// Where it stands in a repository.
pub const CHANGELOG_PATH: &str = "CHANGELOG.md";

/// One version's part of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// `1.2.0`, as in the heading, without a `v`.
    pub version: String,
    /// What stands under the heading.
    pub notes: String,
}

/// The heading of a new section: `## 1.2.0 (2026-01-31)`.
pub fn heading(version: &str, date: &str) -> String {
    format!("## {version} ({date})")
}

/// The newest section, which is the first with a version.
pub fn latest(text: &str) -> Option<Section> {
    let lines: Vec<&str> = text.lines().collect();
    let outside = outside_code(&lines);
    let found = (0..lines.len()).filter(|at| outside[*at]);
    let (at, version) =
        found.into_iter().find_map(|at| version_of(lines[at]).map(|version| (at, version)))?;
    let begins_another =
        |at: &usize| outside[*at] && (is_heading(lines[*at]) || version_in(&lines, *at).is_some());
    let end = (at + 1..lines.len()).find(begins_another).unwrap_or(lines.len());
    Some(Section { version, notes: lines[at + 1..end].join("\n").trim().to_owned() })
}

/// Whether there is a section of that version, in whatever style.
pub fn has(text: &str, version: &str) -> bool {
    let lines: Vec<&str> = text.lines().collect();
    let outside = outside_code(&lines);
    (0..lines.len())
        .filter(|at| outside[*at])
        .any(|at| version_in(&lines, at).is_some_and(|found| found == version))
}

/// Where the sections begin: the byte at which the first heading with a version stands, in whatever
/// style (`## 1.2.0`, `# [1.2.0]`, `## widgets 1.2.0`, `**1.2.0**`, `1.2.0 / 2026-01-31` with a
/// line drawn under it). What stands in code is none.
pub fn first_section(text: &str) -> Option<usize> {
    let whole: Vec<&str> = text.split_inclusive('\n').collect();
    let lines: Vec<&str> = whole.iter().map(|line| line.trim_end_matches(['\r', '\n'])).collect();
    let outside = outside_code(&lines);
    let first = (0..lines.len()).find(|at| outside[*at] && version_in(&lines, *at).is_some())?;
    Some(whole[..first].iter().map(|line| line.len()).sum())
}

/// Which lines do not stand between fences.
fn outside_code(lines: &[&str]) -> Vec<bool> {
    let mut fence = None;
    let outside = lines.iter().map(|line| {
        let line = line.trim_start();
        let mark = if line.starts_with('~') { '~' } else { '`' };
        let marks = &line[..line.len() - line.trim_start_matches(mark).len()];
        match fence {
            None if marks.len() < 3 => return true,
            None => fence = Some(marks),
            // One that is as long as the first ends it.
            Some(first) if line.starts_with(first) => fence = None,
            Some(_) => {}
        }
        false
    });
    outside.collect()
}

fn is_heading(line: &str) -> bool {
    line.starts_with("## ") || line.starts_with("# ")
}

fn is_underline(line: &str) -> bool {
    let line = line.trim_end();
    line.len() >= 3 && (line.bytes().all(|b| b == b'=') || line.bytes().all(|b| b == b'-'))
}

/// The version in a heading of any style. Headings of the third level divide a section more often
/// than they begin one, so there it has to come first.
fn version_in(lines: &[&str], at: usize) -> Option<String> {
    let line = lines[at].trim_end();
    let words = line.trim_start_matches('#');
    let level = line.len() - words.len();
    let underlined = lines.get(at + 1).is_some_and(|next| is_underline(next));
    let bold = line.strip_prefix("**").and_then(|it| it.strip_suffix("**"));
    match level {
        0 if underlined => any_version(line),
        // People set other things in bold as well: nothing but the version, or a date behind it.
        0 => bold.filter(|words| words.split_whitespace().count() <= 2).and_then(any_leading),
        1 | 2 if words.starts_with(' ') => any_version(words),
        3 if words.starts_with(' ') => leading_version(words),
        _ => None,
    }
}

/// The first version in some words; one of two numbers only in front of all others.
fn any_version(words: &str) -> Option<String> {
    let short = words.split_whitespace().next().map(bare).filter(|word| is_short(word));
    let found = words.split_whitespace().map(bare).find(|word| is_version(word));
    found.or(short).map(str::to_owned)
}

/// The version that some words begin with, be it as short as `1.1`.
fn any_leading(words: &str) -> Option<String> {
    let first = bare(words.split_whitespace().next()?);
    (is_version(first) || is_short(first)).then(|| first.to_owned())
}

/// A word without what stands around a version.
fn bare(word: &str) -> &str {
    let word = word.trim_start_matches(['[', '(', '*', '`']).trim_start_matches('v');
    let word = word.split([']', ')']).next().unwrap_or_default();
    word.trim_end_matches([':', ',', '*', '`'])
}

/// `1.1`
fn is_short(text: &str) -> bool {
    is_version(&format!("{text}.0"))
}

/// The version in a heading: `## 1.2.0`, `## [1.2.0] - 2026-01-31`, `## v1.2.0 (…)`.
fn version_of(line: &str) -> Option<String> {
    leading_version(line.strip_prefix("## ")?)
}

fn leading_version(words: &str) -> Option<String> {
    let word = words.split_whitespace().next()?;
    let word = word.trim_start_matches('[').trim_start_matches('v');
    let word = word.split(']').next()?;
    is_version(word).then(|| word.to_owned())
}

/// Three numbers, and what Semantic Versioning allows after them.
pub fn is_version(text: &str) -> bool {
    let (core, rest) = match text.find(['-', '+']) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let number = |part: &str| {
        !part.is_empty() && part.len() <= 9 && part.bytes().all(|b| b.is_ascii_digit())
    };
    let parts: Vec<&str> = core.split('.').collect();
    parts.len() == 3
        && parts.iter().all(|part| number(part))
        && rest.len() <= 60
        && rest != "-"
        && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"-+.".contains(&b))
        && !rest.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_version_is_the_newest() {
        let text = "# Changelog\n\n## Unreleased\n\n- soon\n\n## 1.2.0 (2026-01-31)\n\n### Fixed\n\n- a\n\n## 1.1.0\n\n- b\n";
        let section = latest(text).unwrap();
        assert_eq!(section.version, "1.2.0");
        assert_eq!(section.notes, "### Fixed\n\n- a");
    }

    #[test]
    fn headings_of_other_tools_are_read_too() {
        for line in ["## [1.2.0] - 2026-01-31", "## v1.2.0", "## [1.2.0](https://x)", "## 1.2.0"] {
            assert_eq!(latest(line).unwrap().version, "1.2.0", "{line}");
        }
        assert_eq!(latest(&heading("2.0.0-rc.1", "2026-01-31")).unwrap().version, "2.0.0-rc.1");
    }

    #[test]
    fn a_section_ends_where_an_older_one_of_another_style_begins() {
        for older in ["1.1.0 / 2025-01-01\n==================\n", "### [1.1.0]\n", "# 1.1.0\n"] {
            let text =
                format!("# Log\n\n## 1.2.0 (2026-01-31)\n\n### Fixed\n\n- a\n\n{older}\n- b\n");
            assert_eq!(latest(&text).unwrap().notes, "### Fixed\n\n- a", "{older}");
            assert!(has(&text, "1.1.0") && has(&text, "1.2.0") && !has(&text, "1.0.0"));
            let rest = &text[first_section(&text).unwrap()..];
            assert!(rest.starts_with("## 1.2.0"));
            assert_eq!(first_section(older), Some(0), "{older}");
        }
        for none in [
            "# Log\n\n## Unreleased\n\nVersion 1.2.0 is near.\n",
            "# Log\n\n```md\n## 1.1.0\n```\n",
            "# Log\n\n````md\n```\n## 1.1.0\n```\n````\n",
            "# Log\n\n**Needs Rust 1.80.0**\n\n**1.80.0 is the oldest Rust**\n",
            "# Log for Python 3.11\n\n## 2025-01-01\n\n### Upgrading from 1.1.0\n",
        ] {
            assert_eq!(first_section(none), None, "{none}");
        }
    }

    #[test]
    fn a_section_begins_where_a_heading_holds_a_version_anywhere() {
        for heading in [
            "## Version 1.1.0",
            "## widgets 1.1.0",
            "## 1.1",
            "**1.1.0**",
            "## 2025-01-01 1.1.0",
            "## Release `v1.1.0`:",
            "# widgets (1.1.0)",
            "### v1.1.0",
            "Version 1.1.0\n-------------",
        ] {
            let text = format!("# Log\n\nWords.\n\n{heading}\n\n- a\n");
            assert_eq!(first_section(&text), text.find(heading), "{heading}");
        }
        assert!(has("# Log\n\n## widgets 1.1.0\n", "1.1.0"));
        let fenced = "```md\n## 9.9.9\n```\n\n## 1.2.0\n\n~~~\n## 1.1.0\n~~~\n\n- a\n\n## 1.0.0\n";
        let section = latest(fenced).unwrap();
        assert_eq!(
            (section.version.as_str(), section.notes.as_str()),
            ("1.2.0", "~~~\n## 1.1.0\n~~~\n\n- a")
        );
    }

    #[test]
    fn what_is_no_version_never_becomes_a_tag() {
        for bad in ["1.2", "1.2.3.4", "1.2.x", "1.2.3-..", "1.2.3 -f", "-1.2.3", "1.2.3;rm", ""] {
            assert!(!is_version(bad), "{bad}");
        }
        assert_eq!(latest("# Changelog\n\nnothing yet\n"), None);
    }
}
