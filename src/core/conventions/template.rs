//! A repository's pull request template, filled in.
//!
//! Invariants: its headings and its order stay; a box is ticked only for what Gander knows to be
//! true, and how many are left is said; what stands in it mentions nobody, closes no issue and is
//! no command of another bot.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::core::kind::Kind;
use crate::core::text::visible;

/// A template longer than this, in characters, is not filled in.
const LONGEST: usize = 12_000;

/// A template, as it stands on the default branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullTemplate {
    /// Where it is.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// What is known of a change when its pull request is written.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct KnownOfChange<'a> {
    pub kind: Kind,
    /// The issue's number.
    pub issue: u64,
    /// The issue's title, harmless.
    pub title: &'a str,
    /// Tests ran with the change, and are green.
    pub tests_pass: bool,
    /// A test of the change fails without it.
    pub has_test: bool,
    /// The commands that were run, as they are written.
    pub commands: &'a [&'a str],
    /// Its commits are signed off.
    pub signed_off: bool,
    /// It brings an entry of the changelog.
    pub has_changelog: bool,
}

/// A template that was filled in.
#[derive(Debug, PartialEq, Eq)]
pub struct FilledTemplate {
    /// Markdown.
    pub text: String,
    /// Boxes that are left to people.
    pub left: usize,
}

/// The places where GitHub looks for a template, in its order. The end of the name may be another.
const PLACES: &[&str] = &[".github/", "", "docs/"];
const NAME: &str = "pull_request_template";

/// Which of these files GitHub would take for a change of this kind: the one that has a place of
/// its own, else the only one in a directory of several, or the one whose name says the kind.
pub fn template_path<'a>(paths: impl Iterator<Item = &'a str>, kind: Kind) -> Option<&'a str> {
    let (mut own, mut several) = (Vec::new(), Vec::new());
    for path in paths {
        let small = path.to_lowercase();
        for (rank, place) in PLACES.iter().enumerate() {
            let Some(rest) = small.strip_prefix(place).and_then(|it| it.strip_prefix(NAME)) else {
                continue;
            };
            match rest.strip_prefix('/') {
                Some(name) if !name.contains('/') => several.push((rank, path)),
                None if matches!(rest, "" | ".md" | ".markdown" | ".txt") => own.push((rank, path)),
                Some(_) | None => {}
            }
        }
    }
    let first = |all: &[(usize, &'a str)]| all.iter().min().map(|(_, path)| *path);
    let words: &[&str] = match kind {
        Kind::Fix => &["bug", "fix"],
        Kind::Build => &["feat", "enhancement"],
        Kind::Revert => &["revert"],
    };
    let says = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
        words.iter().any(|word| name.contains(word))
    };
    let named: Vec<(usize, &str)> = several.iter().filter(|it| says(it.1)).copied().collect();
    first(&own).or_else(|| first(&named)).or_else(|| match several[..] {
        [(_, only)] => Some(only),
        _ => None,
    })
}

/// What a part of a template is for, by its heading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TemplatePart {
    /// What the change is and why.
    Summary,
    /// The issue it is about.
    Issue,
    /// How it was tested.
    Tests,
    Other,
}

/// Fills a template in. `None`: there is nothing in it to fill in, or it is too long.
pub fn fill(template: &str, known: &KnownOfChange<'_>) -> Option<FilledTemplate> {
    let text = without_comments(&visible(template));
    if text.trim().is_empty() || text.chars().count() > LONGEST {
        return None;
    }
    let (mut out, mut left) = (String::new(), 0);
    let mut told = SaidSoFar::default();
    let mut part = TemplatePart::Other;
    let (mut fence, mut replaced) = (false, false);
    let mut section = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fence = !fence;
        }
        if !fence && let Some(heading) = heading(line) {
            close(&mut out, &mut section, part, &mut told, known);
            part = part_of(heading);
            let _ = writeln!(out, "{}", inert(line));
            continue;
        }
        // What is to be replaced ends with its paragraph.
        replaced = replaced && !line.trim().is_empty();
        if replaced {
            continue;
        }
        match checkbox(line).filter(|_| !fence) {
            Some((before, words)) => {
                let ticked = is_true(words, known);
                left += usize::from(!ticked);
                let mark = if ticked { 'x' } else { ' ' };
                let _ = writeln!(section, "{before}[{mark}] {}", inert(words));
            }
            None if fence => {
                let _ = writeln!(section, "{line}");
            }
            None => {
                let before = told.summary;
                let _ = writeln!(section, "{}", with_issue(line, known, &mut told));
                replaced = told.summary && !before;
            }
        }
    }
    if fence {
        section.push_str("```\n");
    }
    close(&mut out, &mut section, part, &mut told, known);
    if !told.summary {
        out.insert_str(0, &format!("{}\n\n", summary(known)));
    }
    Some(FilledTemplate { text: shortened(&out), left })
}

/// What was said already.
#[derive(Default)]
struct SaidSoFar {
    summary: bool,
    issue: bool,
}

/// Ends a part: where it holds no word of its own, it is filled in.
fn close(
    out: &mut String,
    section: &mut String,
    part: TemplatePart,
    told: &mut SaidSoFar,
    known: &KnownOfChange<'_>,
) {
    let empty = section.trim().trim_matches(['-', '*', '_', ' ']).is_empty();
    let ours = match part {
        TemplatePart::Summary if !told.summary => {
            told.summary = true;
            Some(summary(known))
        }
        TemplatePart::Issue if !told.issue => {
            told.issue = true;
            Some(format!("#{}", known.issue))
        }
        TemplatePart::Tests if empty => Some(tests(known)),
        TemplatePart::Summary | TemplatePart::Issue if empty => Some("See above.".to_owned()),
        TemplatePart::Other if empty && !out.trim().is_empty() => {
            Some("*Not filled in: Gander knows nothing of this.*".to_owned())
        }
        TemplatePart::Summary | TemplatePart::Issue | TemplatePart::Tests | TemplatePart::Other => {
            None
        }
    };
    if let Some(ours) = ours {
        let _ = writeln!(out, "\n{ours}");
    }
    let kept = section.trim_end();
    if !kept.trim().is_empty() {
        out.push_str(kept);
        out.push('\n');
    }
    out.push('\n');
    section.clear();
}

fn summary(known: &KnownOfChange<'_>) -> String {
    let what = match known.kind {
        Kind::Fix => "Fixes",
        Kind::Build => "Builds",
        Kind::Revert => "Takes back",
    };
    format!("{what} “{}” (#{}). What changed, and what was run: below.", known.title, known.issue)
}

fn tests(known: &KnownOfChange<'_>) -> String {
    match (known.has_test, known.tests_pass) {
        (true, _) => "By a test that fails without this change; see below what was run.",
        (false, true) => "By the tests of the project; see below what was run.",
        (false, false) => "See below what was run.",
    }
    .to_owned()
}

/// The words of a heading: `## Words`, or a line of nothing but bold ones.
fn heading(line: &str) -> Option<&str> {
    let line = line.trim();
    let marks = line.len() - line.trim_start_matches('#').len();
    if (1..=6).contains(&marks) && line[marks..].starts_with(' ') {
        return Some(line[marks..].trim());
    }
    let bold = line.strip_prefix("**")?;
    let (words, rest) = bold.split_once("**")?;
    let rest = rest.trim_start_matches([':', ' ']);
    (rest.is_empty() || rest.starts_with(['*', '(', '_'])).then_some(words)
}

fn part_of(heading: &str) -> TemplatePart {
    const ISSUE: &[&str] = &["issue", "ticket", "bug report", "closes", "fixes", "linked", "jira"];
    const TESTS: &[&str] = &["test", "verif", "how has this been"];
    const SUMMARY: &[&str] = &[
        "summary",
        "description",
        "what",
        "changes",
        "purpose",
        "motivation",
        "why",
        "overview",
        "proposed",
        "solution",
        "problem",
        "context",
        "about",
    ];
    let small = heading.to_lowercase();
    let names = |words: &[&str]| words.iter().any(|word| small.contains(word));
    let list = small.contains("check") || small.contains("type of");
    if list {
        TemplatePart::Other
    } else if names(ISSUE) {
        TemplatePart::Issue
    } else if names(TESTS) {
        TemplatePart::Tests
    } else if names(SUMMARY) {
        TemplatePart::Summary
    } else {
        TemplatePart::Other
    }
}

/// What stands before a box, and its words.
fn checkbox(line: &str) -> Option<(&str, &str)> {
    let bare = line.trim_start();
    let bullet = bare.strip_prefix(['-', '*', '+'])?.trim_start();
    let words = ["[ ]", "[]", "[x]", "[X]"].iter().find_map(|it| bullet.strip_prefix(it))?;
    if words.starts_with('(') {
        return None;
    }
    Some((&line[..line.len() - bullet.len()], words.trim()))
}

/// Whether what a box says is known to be true of this change.
fn is_true(words: &str, known: &KnownOfChange<'_>) -> bool {
    let small = words.to_lowercase();
    let says = |all: &[&str]| all.iter().any(|word| small.contains(word));
    let begins = |all: &[&str]| {
        let plain = small.trim_start_matches(|c: char| !c.is_alphanumeric());
        all.iter().any(|word| plain.starts_with(word))
    };
    // What a person has to have read, to agree to or to do by hand is nobody else's to say.
    if says(&[
        "agree",
        "read ",
        "acknowledge",
        "policy",
        "guideline",
        "cla ",
        "not ",
        "n't",
        "manual",
    ]) {
        return false;
    }
    if let Some(command) = words.split('`').nth(1).filter(|it| it.contains(' ')) {
        return known.tests_pass && known.commands.contains(&command);
    }
    let of_machine = small.split(|c: char| !c.is_alphanumeric());
    let of_machine = of_machine.into_iter().any(|it| matches!(it, "ai" | "llm" | "llms"));
    if (of_machine || says(&["artificial intelligence"]))
        && says(&["used", "assist", "generated", "wrote", "written"])
    {
        return true;
    }
    if begins(&["bug fix", "bugfix", "bug-fix", "fix (", "fixes a bug", "bug (", "bug:", "🐛"]) {
        return known.kind == Kind::Fix;
    }
    if begins(&["new feature", "feature", "enhancement"]) {
        return known.kind == Kind::Build;
    }
    if says(&["signed-off", "signed off", "sign-off", "sign off", "dco"]) {
        return known.signed_off;
    }
    if says(&["changelog", "changeset", "news fragment", "newsfragment", "news entry"]) {
        return known.has_changelog;
    }
    let adds = says(&["added", "add ", "adds", "include", "new ", "write", "wrote", "cover"])
        || begins(&["there's", "tests for", "unit tests for"]);
    let documented =
        says(&["document", "docs", "readme", "benchmark", "manually", "api", "typing"]);
    if says(&["test"]) && adds && !documented {
        return known.has_test;
    }
    if says(&["test"]) && says(&["pass", "green", "succeed", "run "]) && !documented {
        return known.tests_pass;
    }
    false
}

/// A line with the issue in the place that is left for it.
fn with_issue(line: &str, known: &KnownOfChange<'_>, told: &mut SaidSoFar) -> String {
    let small = line.to_lowercase();
    if small.contains("replace this") || small.contains("insert a summary") {
        told.summary = true;
        return summary(known);
    }
    let words = ["closes", "fixes", "resolves", "fix", "close", "resolve"];
    let place = words.iter().find_map(|word| {
        let at = small.find(&format!("{word} #"))?;
        let rest = &small[at + word.len() + 2..];
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let rest = rest.trim_start_matches(|c: char| c.is_alphabetic() || "()[]<>-_ ".contains(c));
        rest.trim_matches(['.', ' ', '-']).is_empty().then_some(at)
    });
    match place.and_then(|at| line.get(..at)) {
        Some(before) if !told.issue => {
            told.issue = true;
            format!("{}#{}", inert(before), known.issue)
        }
        Some(before) => inert(before),
        None => inert(line),
    }
}

/// Text of the repository in which nothing acts: no mention, no reference, no picture, no command.
fn inert(line: &str) -> String {
    let begin = line.len() - line.trim_start().len();
    let (indent, rest) = line.split_at(begin);
    let acts = |word: &str| {
        let follows = |sign: char, next: fn(char) -> bool| {
            word.match_indices(sign).any(|(at, _)| word[at + 1..].starts_with(next))
        };
        !word.contains('`')
            && (follows('@', char::is_alphanumeric) || follows('#', |c| c.is_ascii_digit()))
            && !word.contains("](")
    };
    let words = rest.split(' ').map(|word| match acts(word) {
        true => format!("`{word}`"),
        false => word.replace("![", "\\!["),
    });
    let words = words.collect::<Vec<_>>().join(" ");
    let slash = if words.starts_with('/') { "\\" } else { "" };
    format!("{indent}{slash}{words}")
}

/// Without what Markdown hides. One that is not closed hides the rest.
fn without_comments(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, comment)) = rest.split_once("<!--") {
        out.push_str(before);
        rest = comment.split_once("-->").map_or("", |it| it.1);
    }
    out.push_str(rest);
    out
}

/// Without more than one blank line in a row.
fn shortened(text: &str) -> String {
    let mut out = String::new();
    let mut blank = true;
    for line in text.lines() {
        let is_blank = line.trim().is_empty();
        if !(is_blank && blank) {
            out.push_str(line.trim_end());
            out.push('\n');
        }
        blank = is_blank;
    }
    out.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> KnownOfChange<'static> {
        KnownOfChange {
            kind: Kind::Fix,
            issue: 12,
            title: "panic on an empty list",
            tests_pass: true,
            has_test: true,
            commands: &["npm test"],
            signed_off: false,
            has_changelog: false,
        }
    }

    fn filled(template: &str) -> FilledTemplate {
        fill(template, &known()).unwrap()
    }

    #[test]
    fn the_template_is_filled_in_with_what_is_known_and_the_rest_is_left() {
        let template = "<!-- Thank you!\nPing @acme/all -->\n## Summary\n<!-- what? -->\n\n\
            ## Related issue\n\nFixes # (issue)\n\n## Type of change\n- [ ] Bug fix\n\
            - [ ] New feature\n\n## Screenshots\n\n## Checklist\n\
            - [ ] I have added tests that cover my changes\n- [ ] `npm test` passes\n\
            - [ ] `npm run lint` passes\n- [ ] I have read CONTRIBUTING\n\
            * [ ] Updated documentation\n- [ ] I used AI to create a part of this\n";
        let FilledTemplate { text, left } = filled(template);
        insta::assert_snapshot!(text);
        assert_eq!(left, 4);
    }

    #[test]
    fn nothing_in_it_acts() {
        let text =
            filled("## Notes\n/cc @acme/all\nAs #77 and fixes #78 say ![x](http://a/b)\n").text;
        assert!(text.contains("\\/cc `@acme/all`"), "{text}");
        assert!(text.contains("`#77`") && !text.contains(" #78"), "{text}");
        assert!(text.contains("\\![x]"), "{text}");
        assert_eq!(text.matches("#12").count(), 1, "the issue is named once: {text}");
    }

    #[test]
    fn a_box_is_ticked_for_nothing_but_what_is_known() {
        let says = |words: &str| is_true(words, &known());
        for words in [
            "Bug fix (non-breaking change which fixes an issue)",
            "Added tests.",
            "There's **tests** for all new and changed code.",
            "New and existing unit tests pass locally with my changes",
            "I used AI to create any part of, or all of, this pull request.",
            "Add new passing unit tests to cover the code introduced by your pr",
        ] {
            assert!(says(words), "{words}");
        }
        for words in [
            "New feature",
            "I acknowledge this project's **AI policy**.",
            "I have NOT used AI",
            "Tested manually",
            "Documentation was added for new tests",
            "Commits are signed off",
            "Added an entry to the changelog",
            "I agree to the CLA",
            "**New APIs** are added to our typing tests",
            "Run `npm run fix`",
            "This is not a breaking change",
        ] {
            assert!(!says(words), "{words}");
        }
        let signed = KnownOfChange { signed_off: true, has_changelog: true, ..known() };
        assert!(is_true("Commits are signed off (DCO)", &signed));
        assert!(is_true("Added an entry to the changelog", &signed));
    }

    #[test]
    fn what_asks_to_be_replaced_is() {
        let text =
            filled("**Replace this text with a summary.\nThe longer the better.**\n\n---\n").text;
        assert!(text.starts_with("Fixes “panic") && !text.contains("better"), "{text}");
    }

    #[test]
    fn a_template_of_nothing_but_comments_is_none() {
        assert_eq!(fill("<!-- a -->\n\n<!-- b", &known()), None);
        assert_eq!(fill(&"x\n".repeat(LONGEST), &known()), None);
    }

    #[test]
    fn templates_are_where_github_looks_for_them() {
        let found = |paths: &[&'static str]| template_path(paths.iter().copied(), Kind::Fix);
        for path in [
            ".github/PULL_REQUEST_TEMPLATE.md",
            "pull_request_template.md",
            "docs/Pull_Request_Template.md",
            ".github/pull_request_template",
            ".github/PULL_REQUEST_TEMPLATE/only.md",
        ] {
            assert_eq!(found(&["src/a.rs", path]), Some(path));
        }
        let several = ["PULL_REQUEST_TEMPLATE/bugfix.md", "PULL_REQUEST_TEMPLATE/feature.md"];
        assert_eq!(found(&several), Some(several[0]));
        assert_eq!(template_path(several.iter().copied(), Kind::Build), Some(several[1]));
        assert_eq!(found(&["PULL_REQUEST_TEMPLATE/a.md", "PULL_REQUEST_TEMPLATE/b.md"]), None);
        assert_eq!(found(&["src/pull_request_template.md", "pull_request_template.rs"]), None);
        let both = ["docs/pull_request_template.md", ".github/pull_request_template.md"];
        assert_eq!(found(&both), Some(both[1]));
    }
}
