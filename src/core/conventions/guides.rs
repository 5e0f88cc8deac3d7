//! What a repository tells those who work on it: `AGENTS.md`, `CLAUDE.md`, `CONTRIBUTING.md`.
//!
//! Invariants: it is text for the agent and configures nothing; no link in it is followed; how much
//! of it is read is bounded, and what was cut is said.

use serde::{Deserialize, Serialize};

/// So many characters of all guides together are handed on.
const MOST_CHARACTERS: usize = 6_000;
/// So many of one that is not the last.
const MOST_OF_ONE: usize = 4_000;
/// So many nested ones are named.
const MOST_NESTED: usize = 20;

/// A guide, as far as it is handed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guide {
    /// Where it stands.
    pub path: String,
    /// What it says, or the parts of it that are about work on the code.
    pub text: String,
    /// Whether some of it was left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_cut: bool,
}

/// The guides of a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guides {
    /// Those for all of it, in the order in which they count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub whole: Vec<Guide>,
    /// Where those for single directories stand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nested: Vec<String>,
}

/// Those for the whole repository, the weightiest first.
const PLACES: &[&[&str]] = &[
    &["agents.md", ".github/agents.md"],
    &["claude.md", ".claude/claude.md"],
    &[
        "contributing.md",
        ".github/contributing.md",
        "docs/contributing.md",
        "contributing.rst",
        "contributing",
        "contributing.txt",
        "contributing.adoc",
    ],
];

/// The guides for the whole repository among these files, each of its kind once.
pub fn guide_paths<'a>(paths: &[&'a str]) -> Vec<&'a str> {
    let found = |places: &&[&str]| {
        places
            .iter()
            .find_map(|place| paths.iter().copied().find(|path| path.eq_ignore_ascii_case(place)))
    };
    PLACES.iter().filter_map(found).collect()
}

/// The guides for single directories.
pub fn nested_paths<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<String> {
    let nested = paths.filter(|path| {
        let Some((directory, name)) = path.rsplit_once('/') else { return false };
        let hidden = directory.split('/').any(|part| part.starts_with('.') || is_of_others(part));
        ["AGENTS.md", "CLAUDE.md"].contains(&name) && !hidden
    });
    nested.take(MOST_NESTED).map(str::to_owned).collect()
}

/// Whether a directory holds the code of others.
fn is_of_others(name: &str) -> bool {
    ["node_modules", "vendor", "third_party", "testdata", "fixtures"].contains(&name)
}

impl Guides {
    /// Takes up those texts, in the order of [`guide_paths`], as far as there is room.
    pub fn of(texts: Vec<(String, String)>, nested: Vec<String>) -> Self {
        let mut room = MOST_CHARACTERS;
        let mut whole: Vec<Guide> = Vec::new();
        for (path, text) in texts {
            let text = text.trim();
            if text.is_empty() || points_elsewhere(text) || whole.iter().any(|it| it.text == text) {
                continue;
            }
            let most = room.min(MOST_OF_ONE);
            let is_guide = path.to_lowercase().contains("contributing");
            let (text, is_cut) = if is_guide { about_code(text, most) } else { cut(text, most) };
            if text.is_empty() {
                continue;
            }
            room -= text.chars().count().min(room);
            whole.push(Guide { path, text, is_cut });
        }
        Self { whole, nested }
    }
}

/// Whether a file says no more than where another is: `@AGENTS.md`, `See AGENTS.md`.
fn points_elsewhere(text: &str) -> bool {
    text.lines().filter(|line| !line.trim().is_empty()).count() < 3
        && text.len() < 200
        && text.to_lowercase().contains(".md")
}

/// The sections that are about how code, tests and commits are written here; the beginning, where
/// no heading says so.
fn about_code(text: &str, most: usize) -> (String, bool) {
    const ABOUT: &[&str] = &[
        "style",
        "convention",
        "test",
        "commit",
        "changelog",
        "news",
        "pull request",
        "format",
        "lint",
        "guideline",
        "coding",
        "code contribution",
        "patch",
        "sign",
        "structure",
    ];
    const NOT: &[&str] = &["conduct", "security", "financ", "sponsor", "report", "getting help"];
    let mut sections: Vec<(bool, String)> = vec![(false, String::new())];
    let mut previous = "";
    for line in text.lines() {
        let drawn = line.len() > 2
            && line.bytes().all(|b| b == line.as_bytes()[0])
            && ["=", "-", "~"].iter().any(|it| line.starts_with(it))
            && !previous.is_empty();
        let heading = if line.starts_with('#') {
            Some(line)
        } else if drawn {
            Some(previous)
        } else {
            None
        };
        if let Some(heading) = heading {
            let small = heading.to_lowercase();
            let is = |words: &[&str]| words.iter().any(|word| small.contains(word));
            let wanted = is(ABOUT) && !is(NOT);
            if drawn && let Some((_, before)) = sections.last_mut() {
                let kept = before.trim_end().len() - previous.len().min(before.trim_end().len());
                before.truncate(kept);
                sections.push((wanted, format!("{previous}\n")));
            } else {
                sections.push((wanted, String::new()));
            }
        }
        if let Some((_, section)) = sections.last_mut() {
            section.push_str(line);
            section.push('\n');
        }
        previous = line;
    }
    let wanted: String = sections.iter().filter(|it| it.0).map(|it| &*it.1).collect();
    if wanted.trim().is_empty() {
        return cut(text, most);
    }
    let (kept, is_cut) = cut(wanted.trim(), most);
    (kept, is_cut || wanted.len() < text.len())
}

/// Whole lines, as far as there is room.
fn cut(text: &str, most: usize) -> (String, bool) {
    if text.chars().count() <= most {
        return (text.to_owned(), false);
    }
    let mut room = most;
    let fits = |line: &&str| {
        let needed = line.chars().count() + 1;
        let fits = needed <= room;
        room -= needed.min(room);
        fits
    };
    let kept: Vec<&str> = text.lines().take_while(fits).collect();
    (kept.join("\n").trim_end().to_owned(), true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guides_are_found_where_people_put_them_each_kind_once() {
        let paths = ["CLAUDE.md", "docs/CONTRIBUTING.md", "AGENTS.md", ".github/CONTRIBUTING.md"];
        let found = guide_paths(&paths);
        assert_eq!(found, ["AGENTS.md", "CLAUDE.md", ".github/CONTRIBUTING.md"]);
        let nested = ["AGENTS.md", "web/AGENTS.md", "vendor/x/AGENTS.md", "api/CLAUDE.md"];
        assert_eq!(nested_paths(nested.iter().copied()), ["web/AGENTS.md", "api/CLAUDE.md"]);
    }

    #[test]
    fn what_only_points_to_another_or_says_the_same_is_left_out() {
        let of = |texts: &[(&str, &str)]| {
            let texts = texts.iter().map(|(path, text)| ((*path).into(), (*text).into()));
            Guides::of(texts.collect(), Vec::new()).whole
        };
        let said = of(&[("AGENTS.md", "Use tabs."), ("CLAUDE.md", "@AGENTS.md")]);
        assert_eq!(said.len(), 1);
        let said = of(&[("AGENTS.md", "Use tabs."), ("CLAUDE.md", "Use tabs.\n")]);
        assert_eq!(said.len(), 1);
    }

    #[test]
    fn of_a_long_guide_what_is_about_the_code_is_read_and_the_rest_said_to_be_left_out() {
        let guide = "# Contributing\n\nWelcome!\n\n## Code of conduct\n\nBe kind.\n\n\
            ## Tests\n\nRun `make`.\n\nCommit messages\n---------------\n\nShort.\n\n\
            Getting help\n------------\n\nAsk.\n";
        let texts = vec![("CONTRIBUTING.md".to_owned(), guide.to_owned())];
        let [guide] = Guides::of(texts, Vec::new()).whole.try_into().unwrap();
        assert!(guide.is_cut);
        assert_eq!(
            guide.text,
            "## Tests\n\nRun `make`.\n\nCommit messages\n---------------\n\nShort."
        );
    }

    #[test]
    fn all_of_them_together_stay_within_their_bound() {
        let long = |name: &str| (name.to_owned(), "line of a guide\n".repeat(1000));
        let guides = Guides::of(vec![long("AGENTS.md"), long("CONTRIBUTING.md")], Vec::new());
        let total: usize = guides.whole.iter().map(|it| it.text.chars().count()).sum();
        assert!(total <= MOST_CHARACTERS && total > MOST_OF_ONE, "{total}");
        assert!(guides.whole.iter().all(|it| it.is_cut));
    }
}
