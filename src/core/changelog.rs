//! `CHANGELOG.md`: the newest section, which names the version that is released and its notes.
//!
//! Invariants: what is released is read from the commit that people approved, never from a title or
//! an event. A heading that is not a version is skipped, and a section ends at the next heading of
//! its level, or at one with a version in whatever style.

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
    let mut lines = text.lines();
    let version = lines.find_map(version_of)?;
    let lines: Vec<&str> = lines.collect();
    let begins_another = |at: usize| {
        let underlined = lines.get(at + 1).is_some_and(|next| is_underline(next));
        is_heading(lines[at]) || version_in(lines[at], underlined).is_some()
    };
    let end = (0..lines.len()).find(|at| begins_another(*at)).unwrap_or(lines.len());
    let notes = &lines[..end];
    Some(Section { version, notes: notes.join("\n").trim().to_owned() })
}

/// Whether there is a section of that version, in whatever style.
pub fn has(text: &str, version: &str) -> bool {
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let underlined = lines.peek().is_some_and(|next| is_underline(next));
        if version_in(line, underlined).is_some_and(|found| found == version) {
            return true;
        }
    }
    false
}

/// Where the sections begin: the byte at which the first heading with a version stands, in whatever
/// style (`## 1.2.0`, `# [1.2.0]`, `1.2.0 / 2026-01-31` with a line drawn under it).
pub fn first_section(text: &str) -> Option<usize> {
    let mut at = 0;
    let mut lines = text.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        let underlined = lines.peek().is_some_and(|next| is_underline(next));
        if version_in(line, underlined).is_some() {
            return Some(at);
        }
        at += line.len();
    }
    None
}

/// Headings that stand in code are none, but a changelog has no reason to show one.
fn is_heading(line: &str) -> bool {
    line.starts_with("## ") || line.starts_with("# ")
}

fn is_underline(line: &str) -> bool {
    let line = line.trim_end();
    line.len() >= 3 && (line.bytes().all(|b| b == b'=') || line.bytes().all(|b| b == b'-'))
}

/// The version in a heading of any style.
fn version_in(line: &str, underlined: bool) -> Option<String> {
    let words = line.trim_start_matches('#');
    let level = line.len() - words.len();
    let is_heading = underlined && level == 0 || (1..=3).contains(&level) && words.starts_with(' ');
    if is_heading { leading_version(words) } else { None }
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
        assert_eq!(first_section("# Log\n\n## Unreleased\n\nVersion 1.2.0 is near.\n"), None);
    }

    #[test]
    fn what_is_no_version_never_becomes_a_tag() {
        for bad in ["1.2", "1.2.3.4", "1.2.x", "1.2.3-..", "1.2.3 -f", "-1.2.3", "1.2.3;rm", ""] {
            assert!(!is_version(bad), "{bad}");
        }
        assert_eq!(latest("# Changelog\n\nnothing yet\n"), None);
    }
}
