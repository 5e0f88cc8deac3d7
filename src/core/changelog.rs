//! `CHANGELOG.md`: the newest section, which names the version that is released and its notes.
//!
//! What holds: what is released is read from the commit that people approved, never from a title or
//! an event. A heading that is not a version is skipped, and a section ends at the next heading of
//! its level.

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
    let notes: Vec<&str> = lines.take_while(|line| !is_heading(line)).collect();
    Some(Section { version, notes: notes.join("\n").trim().to_owned() })
}

/// Headings that stand in code are none, but a changelog has no reason to show one.
fn is_heading(line: &str) -> bool {
    line.starts_with("## ") || line.starts_with("# ")
}

/// The version in a heading: `## 1.2.0`, `## [1.2.0] - 2026-01-31`, `## v1.2.0 (…)`.
fn version_of(line: &str) -> Option<String> {
    let word = line.strip_prefix("## ")?.split_whitespace().next()?;
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
    fn what_is_no_version_never_becomes_a_tag() {
        for bad in ["1.2", "1.2.3.4", "1.2.x", "1.2.3-..", "1.2.3 -f", "-1.2.3", "1.2.3;rm", ""] {
            assert!(!is_version(bad), "{bad}");
        }
        assert_eq!(latest("# Changelog\n\nnothing yet\n"), None);
    }
}
