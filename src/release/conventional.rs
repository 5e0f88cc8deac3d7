//! What a commit says by Conventional Commits.
//!
//! Invariants: a first line that follows the convention speaks for the whole commit. Where it does
//! not, as with a squash under a free title, the points and paragraphs of the body speak, each for
//! itself. Notes on what breaks end with their paragraph.

use git_conventional::{Commit, Type};
use semver::Version;

/// What kind of change a commit says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChangeKind {
    Feature,
    Fix,
    /// Something else that users notice.
    Other,
    /// What they do not.
    Inside,
}

/// One thing that a commit says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) kind: ChangeKind,
    pub(super) scope: Option<String>,
    pub(super) description: String,
    /// Whether it breaks something.
    pub(super) breaking: bool,
    /// What it breaks, where that is told apart.
    pub(super) breaks: Option<String>,
}

/// All that a message says; empty where none of it follows the convention.
pub(super) fn said(message: &str) -> Vec<Said> {
    // It reads a message as a whole.
    let message = message.trim();
    if let Ok(commit) = Commit::parse(message) {
        return vec![Said::of(&commit)];
    }
    let (_, body) = message.split_once('\n').unwrap_or_default();
    let mut said = Vec::new();
    let mut begins = true;
    for line in body.lines().map(str::trim) {
        let point = line.strip_prefix("* ").or_else(|| line.strip_prefix("- "));
        let part = point.or((begins && !line.is_empty()).then_some(line));
        begins = line.is_empty();
        let known = part.and_then(|part| Commit::parse(part.trim()).ok());
        // A trailer looks like a commit of a type of its own.
        said.extend(known.filter(|commit| is_usual(commit.type_())).map(|it| Said::of(&it)));
    }
    said
}

fn is_usual(kind: Type<'_>) -> bool {
    const OTHERS: [&str; 2] = ["ci", "build"];
    let named = [
        Type::FEAT,
        Type::FIX,
        Type::PERF,
        Type::REVERT,
        Type::DOCS,
        Type::STYLE,
        Type::REFACTOR,
        Type::TEST,
        Type::CHORE,
    ];
    named.contains(&kind) || OTHERS.iter().any(|other| kind.as_str().eq_ignore_ascii_case(other))
}

/// The version that a message asks for, as `Release-As: 1.2.0` on a line of its own.
pub(super) fn release_as(message: &str) -> Option<Version> {
    let asked = message.lines().skip(1).filter_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.trim().eq_ignore_ascii_case("release-as").then(|| value.trim())
    });
    let version = asked.last()?;
    Version::parse(version.strip_prefix('v').unwrap_or(version)).ok()
}

impl Said {
    fn of(commit: &Commit<'_>) -> Self {
        let kinds = [
            (Type::FEAT, ChangeKind::Feature),
            (Type::FIX, ChangeKind::Fix),
            (Type::PERF, ChangeKind::Other),
            (Type::REVERT, ChangeKind::Other),
        ];
        let known = kinds.iter().find(|(kind, _)| *kind == commit.type_());
        Self {
            kind: known.map_or(ChangeKind::Inside, |(_, kind)| *kind),
            scope: commit.scope().map(|scope| scope.to_string()),
            description: commit.description().to_owned(),
            breaking: commit.breaking(),
            breaks: commit.breaking_description().map(paragraph),
        }
    }
}

/// The first paragraph of a note, without the trailers that may follow it at once.
fn paragraph(note: &str) -> String {
    let lines = note.lines().map(str::trim).take_while(|line| !line.is_empty());
    let lines: Vec<&str> = lines
        .enumerate()
        .take_while(|(at, line)| *at == 0 || !is_trailer(line))
        .map(|(_, line)| line)
        .collect();
    lines.join(" ")
}

/// `Co-authored-by: …`, `Fixes #5`.
fn is_trailer(line: &str) -> bool {
    let key = line.split([':', '#']).next().unwrap_or_default().trim_end();
    let of_key = |c: char| c.is_ascii_alphanumeric() || c == '-';
    key.len() < line.len()
        && key.starts_with(|c: char| c.is_ascii_uppercase())
        && key.chars().all(of_key)
        && (key.contains('-') || line[key.len()..].trim_start().starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(message: &str) -> Vec<ChangeKind> {
        said(message).iter().map(|it| it.kind).collect()
    }

    #[test]
    fn a_first_line_that_follows_the_convention_speaks_for_all() {
        assert_eq!(kinds("chore: many (#12)\n\n* feat!: c\n* fix: d"), [ChangeKind::Inside]);
        assert_eq!(kinds("FEAT(api): x"), [ChangeKind::Feature]);
    }

    #[test]
    fn under_a_free_title_the_points_and_paragraphs_speak() {
        use ChangeKind::{Feature, Fix, Inside};
        for (message, expected) in [
            (
                "Many things (#12)\n\n* feat: a\n\n* fix: b\n\nCo-authored-by: x <x@y.z>",
                vec![Feature, Fix],
            ),
            ("Many things (#12)\n\n- fix(api): a\n- docs: b", vec![Fix, Inside]),
            ("Many things\n\nfeat: a\n\nfix: b\nwith words", vec![Feature, Fix]),
            ("Many things\n\nIt mends this\nfix: no paragraph of its own", vec![]),
            ("Many things\n\nNote: a word", vec![]),
            ("Mend the roof", vec![]),
        ] {
            assert_eq!(kinds(message), expected, "{message}");
        }
        let breaking = said("Many things\n\n* feat!: a");
        assert!(breaking[0].breaking);
    }

    #[test]
    fn a_note_on_what_breaks_ends_with_its_paragraph() {
        for note in [
            "the old one is\ngone\n\nMore words on how.\n\nReviewed-by: x",
            "the old one is gone\nCo-authored-by: x <x@y.z>",
            "the old one is gone\nFixes #5",
        ] {
            let said = said(&format!("feat: new door\n\nBREAKING CHANGE: {note}"));
            assert_eq!(said[0].breaks.as_deref(), Some("the old one is gone"), "{note}");
        }
    }

    #[test]
    fn a_version_may_be_asked_for() {
        let asked = |message: &str| release_as(message).map(|version| version.to_string());
        assert_eq!(asked("chore: next\n\nRelease-As: 2.0.0").as_deref(), Some("2.0.0"));
        assert_eq!(asked("chore: next\n\nrelease-as: v2.0.0-rc.1").as_deref(), Some("2.0.0-rc.1"));
        assert_eq!(asked("Release-As: 2.0.0"), None);
        assert_eq!(asked("chore: next\n\nRelease-As: soon"), None);
    }
}
