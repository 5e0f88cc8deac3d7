//! How a repository titles its pull requests, found from those that were merged, and a title made
//! that way.
//!
//! Invariants: a form is taken over only where at least half of the titles have it; without any
//! history the form is that of Conventional Commits, which release tools read; no word of the model
//! is in a title.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::core::kind::Kind;

/// The types that count as those of Conventional Commits: those of its specification and of
/// commitlint's usual settings, and spellings of them that are common.
const TYPES: &[&str] = &[
    "feat", "fix", "docs", "doc", "style", "refactor", "perf", "test", "tests", "build", "ci",
    "chore", "revert", "deps", "feature", "bugfix", "types", "release", "security",
];

/// Those of them that may as well name a part of the repository.
const PARTS: &[&str] =
    &["docs", "doc", "style", "test", "tests", "build", "ci", "deps", "types", "release"];

/// Habits change: so many of the newest titles say what is usual now.
const NEWEST: usize = 25;

/// So many areas are remembered.
const MOST_AREAS: usize = 40;

/// How titles are written here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TitleStyle {
    /// What they begin with.
    pub form: TitleForm,
    /// Whether the words after that begin with a capital. `None`: nothing is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capital: Option<bool>,
    /// Whether they end in a number such as `(#12)`.
    pub numbered: bool,
    /// The scopes or areas in use, most used first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub areas: Vec<String>,
    /// Of so many titles.
    #[serde(default)]
    pub of: usize,
}

/// What titles begin with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TitleForm {
    /// `fix: …`, and `fix(scope): …` where most of them have a scope.
    Conventional {
        /// Whether most have one.
        scoped: bool,
    },
    /// `net/http: …`: what it is about.
    Area,
    /// The name of a ticket, written around `{}`: `[{}] `, `gh-{}: `.
    Ticket(String),
    /// A picture: `🐛 …`, or its name: `:bug: …`.
    Emoji {
        /// Whether it is written as its name.
        named: bool,
    },
    /// `[Fix] …`.
    Tag,
    /// Words alone.
    Plain,
    /// As the repository's rules say, with `{title}`, `{number}` and `{type}`.
    Said(String),
}

impl Default for TitleStyle {
    fn default() -> Self {
        Self::USUAL
    }
}

/// One title, taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Parts<'a> {
    form: TitleForm,
    area: Option<&'a str>,
    words: &'a str,
    numbered: bool,
    /// Whether what looks like a type may be a part of the repository.
    may_be_part: bool,
}

impl TitleStyle {
    /// Where nothing is known of a repository.
    pub const USUAL: Self = Self {
        form: TitleForm::Conventional { scoped: false },
        capital: None,
        numbered: true,
        areas: Vec::new(),
        of: 0,
    };

    /// What most of these titles have in common. `conventional`: a tool of the repository reads
    /// nothing but Conventional Commits.
    pub fn of<'a>(titles: impl IntoIterator<Item = &'a str>, conventional: bool) -> Self {
        let all: Vec<&str> = titles.into_iter().collect();
        if all.is_empty() {
            return Self::default();
        }
        let older = all.get(NEWEST..).unwrap_or_default().iter().copied().map(taken_apart);
        let older_areas: Vec<&str> = older.filter_map(|parts| parts.area).collect();
        let all = all.iter().take(NEWEST).copied().map(taken_apart);
        let mut all: Vec<Parts<'_>> = all.collect();
        let usual = TitleForm::Conventional { scoped: false };
        let strict = all.iter().filter(|it| it.form == usual && !it.may_be_part).count();
        let in_areas = all.iter().filter(|it| it.form == TitleForm::Area).count();
        if in_areas > strict {
            for parts in all.iter_mut().filter(|it| it.may_be_part) {
                parts.form = TitleForm::Area;
            }
        }
        let mut counts: Vec<(&TitleForm, usize)> = Vec::new();
        for parts in &all {
            match counts.iter_mut().find(|(form, _)| *form == &parts.form) {
                Some((_, count)) => *count += 1,
                None => counts.push((&parts.form, 1)),
            }
        }
        let half = |count: usize| count * 2 >= all.len();
        let most = counts.iter().max_by_key(|(_, count)| *count);
        let form = most.filter(|(_, count)| half(*count)).map(|(form, _)| (*form).clone());
        // Where most begin with a word and a colon, one of the two ways to do so is meant.
        let prefixed = half(strict + in_areas + all.iter().filter(|it| it.may_be_part).count());
        let of_prefixes = match in_areas > strict {
            true => TitleForm::Area,
            false => usual,
        };
        let other = if prefixed { of_prefixes } else { TitleForm::Plain };
        let mut form = form.unwrap_or(other);
        if conventional {
            form = TitleForm::Conventional { scoped: false };
        }
        let alike: Vec<&Parts<'_>> = all.iter().filter(|parts| parts.form == form).collect();
        let mut areas: BTreeMap<&str, usize> = BTreeMap::new();
        let named = alike.iter().filter_map(|parts| parts.area).chain(older_areas);
        for area in named {
            *areas.entry(area).or_default() += 1;
        }
        if let TitleForm::Conventional { scoped } = &mut form {
            let with = alike.iter().filter(|parts| parts.area.is_some()).count();
            *scoped = !alike.is_empty() && with * 2 >= alike.len();
        }
        let mut areas: Vec<(&str, usize)> = areas.into_iter().collect();
        areas.sort_by_key(|(area, count)| (std::cmp::Reverse(*count), *area));
        let cased = alike.iter().filter_map(|parts| begins_with_capital(parts.words));
        let cased: Vec<bool> = cased.collect();
        let capitals = cased.iter().filter(|capital| **capital).count();
        Self {
            form,
            capital: (!cased.is_empty()).then_some(capitals * 2 >= cased.len()),
            numbered: half(all.iter().filter(|parts| parts.numbered).count()),
            areas: areas.into_iter().take(MOST_AREAS).map(|(area, _)| area.to_owned()).collect(),
            of: all.len(),
        }
    }

    /// The scope or area of a change to these files: one that the repository uses, and that names
    /// the directory or file that all of them but the tests are in.
    pub fn area<'a>(&self, paths: impl Iterator<Item = &'a str>) -> Option<String> {
        let uses_areas =
            matches!(self.form, TitleForm::Area | TitleForm::Conventional { scoped: true });
        let paths: Vec<Vec<&str>> = paths.map(|path| path.split('/').collect()).collect();
        if !uses_areas || paths.is_empty() {
            return None;
        }
        let stem = |name: &'_ str| name.split('.').next().unwrap_or_default().to_lowercase();
        let within = |area: &str, path: &[&str]| {
            let area: Vec<String> = area.split('/').map(str::to_lowercase).collect();
            let names: Vec<String> = path.iter().map(|name| stem(name)).collect();
            let last = path.last().is_some_and(|name| name.to_lowercase() == area.join("/"));
            last || names.windows(area.len()).any(|names| names == area)
        };
        let fits = |area: &&String| paths.iter().all(|path| within(area, path));
        self.areas.iter().find(fits).cloned()
    }

    /// A title for a change that meets issue `number`, of its harmless title `words`. `area` is
    /// what [`TitleStyle::area`] found.
    pub fn write(&self, kind: Kind, words: &str, number: u64, area: Option<&str>) -> String {
        let words = words.trim();
        let numbered = |text: String| match self.numbered {
            true => format!("{text} (#{number})"),
            false => text,
        };
        let type_ = type_of(kind);
        match &self.form {
            TitleForm::Conventional { .. } => {
                let scope = area.map(|area| format!("({area})")).unwrap_or_default();
                numbered(format!("{type_}{scope}: {}", self.cased(words)))
            }
            TitleForm::Area => {
                let does = self.cased(&imperative(kind, words));
                numbered(match area {
                    Some(area) => format!("{area}: {does}"),
                    None => does,
                })
            }
            TitleForm::Ticket(around) => match ticket(around, words, number) {
                Some((ticket, rest)) => {
                    let rest = self.cased(&imperative(kind, rest));
                    numbered(format!("{}{rest}", around.replace("{}", &ticket)))
                }
                None => numbered(self.cased(&imperative(kind, words))),
            },
            TitleForm::Emoji { named } => {
                let emoji = match (kind, named) {
                    (Kind::Fix, true) => ":bug:",
                    (Kind::Fix, false) => "🐛",
                    (Kind::Build, true) => ":sparkles:",
                    (Kind::Build, false) => "✨",
                    (Kind::Revert, true) => ":rewind:",
                    (Kind::Revert, false) => "⏪",
                };
                numbered(format!("{emoji} {}", self.cased(&imperative(kind, words))))
            }
            TitleForm::Tag => {
                let usual = match kind {
                    Kind::Fix => "Fix",
                    Kind::Build => "New",
                    Kind::Revert => "Revert",
                };
                let own = self.areas.iter().find(|it| it.eq_ignore_ascii_case(usual));
                let tag = own.map_or(usual, String::as_str);
                numbered(format!("[{tag}] {}", self.cased(words)))
            }
            TitleForm::Plain => numbered(self.cased(&imperative(kind, words))),
            TitleForm::Said(said) => said
                .replace("{type}", type_)
                .replace("{number}", &number.to_string())
                .replace("{title}", words),
        }
    }

    /// Whether it is that of Conventional Commits.
    pub fn is_conventional(&self) -> bool {
        matches!(self.form, TitleForm::Conventional { .. })
    }

    /// The form in words, for people.
    pub fn describe(&self) -> String {
        let form = match &self.form {
            TitleForm::Conventional { scoped: false } => "Conventional Commits (`fix: …`)",
            TitleForm::Conventional { scoped: true } => "Conventional Commits (`fix(scope): …`)",
            TitleForm::Area => "what it is about first (`area: …`)",
            TitleForm::Ticket(around) => return format!("`{}…`", around.replace("{}", "TICKET")),
            TitleForm::Emoji { .. } => "an emoji first",
            TitleForm::Tag => "a tag first (`[Fix] …`)",
            TitleForm::Plain => "words alone",
            TitleForm::Said(said) => return format!("`{said}`, as the rules say"),
        };
        form.to_owned()
    }

    /// The first word as the others write it, if it is an ordinary one.
    fn cased(&self, words: &str) -> String {
        match self.capital {
            Some(true) => with_capital(words),
            Some(false) => without_capital(words),
            None => words.to_owned(),
        }
    }
}

/// The type of a Conventional Commit.
pub fn type_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Fix => "fix",
        Kind::Build => "feat",
        Kind::Revert => "revert",
    }
}

fn taken_apart(title: &str) -> Parts<'_> {
    let title = title.trim();
    let (title, numbered) = match title.rsplit_once(" (#") {
        Some((rest, end)) if end.strip_suffix(')').is_some_and(is_number) => (rest.trim(), true),
        _ => (title, false),
    };
    if let Some((form, words)) = emoji(title).or_else(|| ticketed(title)) {
        return Parts { form, area: None, words, numbered, may_be_part: false };
    }
    if let Some((tag, words)) = title.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let is_tag = !tag.is_empty() && tag.chars().all(|c| c.is_alphabetic());
        if is_tag && !words.trim().is_empty() {
            let (form, words) = (TitleForm::Tag, words.trim());
            return Parts { form, area: Some(tag), words, numbered, may_be_part: false };
        }
    }
    if let Some((prefix, words)) = title.split_once(": ") {
        let words = words.trim();
        let (type_, scope) = match prefix.trim_end_matches('!').split_once('(') {
            Some((type_, scope)) => (type_, scope.strip_suffix(')')),
            None => (prefix.trim_end_matches('!'), None),
        };
        if TYPES.contains(&type_.to_lowercase().as_str()) {
            let form = TitleForm::Conventional { scoped: false };
            let may_be_part = scope.is_none() && PARTS.contains(&type_);
            return Parts { form, area: scope, words, numbered, may_be_part };
        }
        let in_area =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_./*,{}- ".contains(c);
        let is_area = prefix.len() <= 40
            && prefix.chars().next().is_some_and(|c| c.is_ascii_lowercase() || c == '_')
            && prefix.chars().all(in_area)
            && prefix.split(' ').count() <= 2;
        if is_area || prefix == "README" {
            let (form, area) = (TitleForm::Area, Some(prefix));
            return Parts { form, area, words, numbered, may_be_part: false };
        }
    }
    let form = TitleForm::Plain;
    Parts { form, area: None, words: title, numbered, may_be_part: false }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// A picture in front, or its name between colons.
fn emoji(title: &str) -> Option<(TitleForm, &str)> {
    let (first, rest) = title.split_once(' ')?;
    let named = first.len() > 2
        && first.starts_with(':')
        && first.ends_with(':')
        && first[1..first.len() - 1]
            .chars()
            .all(|c| c.is_ascii_lowercase() || "_0123456789".contains(c));
    let drawn = first.chars().next().is_some_and(is_picture);
    (named || drawn).then(|| (TitleForm::Emoji { named }, rest.trim()))
}

/// Whether it is in one of the blocks of pictures.
fn is_picture(c: char) -> bool {
    matches!(u32::from(c), 0x2600..=0x27bf | 0x2b00..=0x2bff | 0x1f000..=0x1faff | 0x2300..=0x23ff)
}

/// The name of a ticket in front, in whatever brackets.
fn ticketed(title: &str) -> Option<(TitleForm, &str)> {
    let bracket = title.starts_with('[');
    let inner = title.strip_prefix('[').unwrap_or(title);
    let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && !"-_#".contains(c))?;
    let (name, rest) = inner.split_at(end);
    let around = |close: &str| {
        let number = name.rsplit(['-', '#']).next().unwrap_or_default();
        let before = &name[..name.len() - number.len()];
        let ticket = match before {
            "gh-" | "GH-" | "#" => format!("{before}{{}}"),
            _ => "{}".to_owned(),
        };
        let open = if bracket { "[" } else { "" };
        TitleForm::Ticket(format!("{open}{ticket}{close}"))
    };
    if !is_ticket(name) {
        return None;
    }
    let (close, words) = match (bracket, rest) {
        (true, rest) => ("] ", rest.strip_prefix(']')?.trim_start_matches(':')),
        (false, rest) if rest.starts_with(": ") => (": ", &rest[2..]),
        (false, rest) if rest.starts_with(" - ") => (" - ", &rest[3..]),
        (false, rest) if rest.starts_with(' ') => (" ", &rest[1..]),
        (false, _) => return None,
    };
    Some((around(close), words.trim()))
}

/// `ABC-12`, `gh-12`, `#12`.
fn is_ticket(name: &str) -> bool {
    if let Some(number) = name.strip_prefix('#') {
        return is_number(number);
    }
    name.rsplit_once('-').is_some_and(|(project, number)| {
        is_number(number)
            && (matches!(project, "gh" | "GH")
                || project.len() >= 2
                    && project.starts_with(|c: char| c.is_ascii_uppercase())
                    && project
                        .chars()
                        .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'))
    })
}

/// The name of the ticket, and the words without it.
fn ticket<'a>(around: &str, words: &'a str, number: u64) -> Option<(String, &'a str)> {
    if around.contains("gh-{}") || around.contains("GH-{}") || around.contains("#{}") {
        return Some((number.to_string(), words));
    }
    let found = words
        .split(|c: char| c.is_whitespace() || "[]():,".contains(c))
        .find(|it| is_ticket(it) && !it.starts_with('#'))?;
    let rest = words.strip_prefix('[').unwrap_or(words);
    let rest = rest.strip_prefix(found).map_or(words, |rest| {
        rest.trim_start_matches(|c: char| c.is_whitespace() || "]:-".contains(c))
    });
    Some((found.to_owned(), rest))
}

/// What a change does about what an issue says: `panic on an empty list` → `Fix panic on an empty
/// list`.
fn imperative(kind: Kind, words: &str) -> String {
    if kind == Kind::Revert {
        return format!("Revert \"{words}\"");
    }
    let words = words.trim_end_matches('.');
    let first = words.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    const VERBS: &[&str] = &[
        "add",
        "allow",
        "avoid",
        "change",
        "correct",
        "disable",
        "drop",
        "enable",
        "ensure",
        "expose",
        "fix",
        "handle",
        "ignore",
        "implement",
        "improve",
        "introduce",
        "keep",
        "make",
        "move",
        "prevent",
        "provide",
        "raise",
        "reduce",
        "reject",
        "remove",
        "rename",
        "replace",
        "respect",
        "restore",
        "return",
        "stop",
        "support",
        "update",
        "upgrade",
        "use",
        "validate",
    ];
    if VERBS.contains(&first.to_lowercase().as_str()) {
        return words.to_owned();
    }
    let verb = match kind {
        Kind::Fix => "Fix",
        Kind::Build => "Add",
        Kind::Revert => "Revert",
    };
    format!("{verb} {}", without_capital(words))
}

/// Whether it begins with a capital, if it begins with a word at all.
fn begins_with_capital(words: &str) -> Option<bool> {
    words.chars().next().filter(|c| c.is_alphabetic()).map(char::is_uppercase)
}

fn with_capital(words: &str) -> String {
    let mut chars = words.chars();
    match chars.next() {
        Some(first) if is_ordinary(words) => first.to_uppercase().chain(chars).collect(),
        _ => words.to_owned(),
    }
}

fn without_capital(words: &str) -> String {
    let mut chars = words.chars();
    match chars.next() {
        Some(first) if is_ordinary(words) => first.to_lowercase().chain(chars).collect(),
        _ => words.to_owned(),
    }
}

/// Whether the first word is one like any other: no name in capitals, no `camelCase`, no path.
fn is_ordinary(words: &str) -> bool {
    let first = words.split_whitespace().next().unwrap_or_default();
    let first = first.trim_end_matches([',', ':', ';']);
    let mut letters = first.chars();
    letters.next().is_some_and(char::is_alphabetic)
        && first.chars().count() > 1
        && letters.all(|c| c.is_lowercase() || c == '-' || c == '\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUE: &str = "Panic on an empty list";

    fn style(titles: &[&str]) -> TitleStyle {
        TitleStyle::of(titles.iter().copied(), false)
    }

    fn fix(titles: &[&str]) -> String {
        style(titles).write(Kind::Fix, ISSUE, 12, None)
    }

    #[test]
    fn a_title_is_like_those_that_were_merged() {
        for (titles, wanted) in [
            (&["fix: a crash", "feat(api): keys", "docs: tell"][..], "fix: panic on an empty list"),
            (&["fix: A crash (#1)", "feat: Keys (#2)"], "fix: Panic on an empty list (#12)"),
            (&["Fix a crash", "Add keys", "docs: tell"], "Fix panic on an empty list"),
            (&["fix a crash", "add keys"], "fix panic on an empty list"),
            (&["🐛 Fix a crash", "✨ Add keys"], "🐛 Fix panic on an empty list"),
            (&[":bug: fix it", ":memo: tell"], ":bug: Fix panic on an empty list"),
            (&["[Fix] `a`: b", "[New] keys"], "[Fix] panic on an empty list"),
            (&["gh-1: Fix a crash", "gh-22: Add keys"], "gh-12: Fix panic on an empty list"),
            (&["[LANG-1] Fix it", "[LANG-22] Add keys"], "Fix panic on an empty list"),
        ] {
            let written = fix(titles);
            assert_eq!(written.to_lowercase(), wanted.to_lowercase(), "{titles:?}");
            if !wanted.starts_with(':') {
                assert_eq!(written, wanted, "{titles:?}");
            }
        }
    }

    #[test]
    fn a_ticket_comes_from_the_issue() {
        let style = style(&["[LANG-1] Fix it", "[LANG-22] Add keys", "Tell more"]);
        let write = |issue| style.write(Kind::Fix, issue, 12, None);
        assert_eq!(write("LANG-7: Crash in f"), "[LANG-7] Fix crash in f");
        assert_eq!(write("Crash in f (LANG-7)"), "[LANG-7] Fix crash in f (LANG-7)");
    }

    #[test]
    fn the_area_is_one_in_use_that_all_files_are_in() {
        let style = style(&["axum: fix a", "axum-core: b", "axum: c", "examples: d"]);
        assert_eq!(style.form, TitleForm::Area);
        let area = |paths: &[&str]| style.area(paths.iter().copied());
        assert_eq!(area(&["axum-core/src/lib.rs"]).as_deref(), Some("axum-core"));
        assert_eq!(area(&["axum/src/a.rs", "axum/b.rs"]).as_deref(), Some("axum"));
        assert_eq!(area(&["axum/src/a.rs", "other/b.rs"]), None);
        let title = style.write(Kind::Fix, ISSUE, 12, Some("axum"));
        assert_eq!(title, "axum: fix panic on an empty list");
        let scoped = super::TitleStyle::of(["fix(http): a", "feat(cli): b", "chore: c"], false);
        assert_eq!(scoped.area(["src/http.rs"].into_iter()).as_deref(), Some("http"));
        let title = scoped.write(Kind::Build, "Dark mode", 3, Some("http"));
        assert_eq!(title, "feat(http): dark mode");
    }

    #[test]
    fn tools_that_read_conventional_commits_get_them_whatever_people_write() {
        let style = TitleStyle::of(["Fix a crash", "Add keys"], true);
        assert_eq!(style.write(Kind::Fix, ISSUE, 12, None), "fix: Panic on an empty list");
    }

    #[test]
    fn what_says_already_what_to_do_is_not_said_twice() {
        let style = style(&["Fix a crash", "Add keys"]);
        assert_eq!(style.write(Kind::Fix, "Fix crash.", 1, None), "Fix crash");
        assert_eq!(style.write(Kind::Build, "Support TOML", 1, None), "Support TOML");
        assert_eq!(style.write(Kind::Fix, "NULL is lost", 1, None), "Fix NULL is lost");
        assert_eq!(style.write(Kind::Fix, "`f` is lost", 1, None), "Fix `f` is lost");
    }

    #[test]
    fn without_history_it_is_a_conventional_commit_with_the_issues_number() {
        let usual = TitleStyle::default();
        assert_eq!(usual.write(Kind::Fix, ISSUE, 12, None), "fix: Panic on an empty list (#12)");
        assert_eq!(style(&[]), usual);
        let said =
            TitleStyle { form: TitleForm::Said("{type} {title} [{number}]".into()), ..usual };
        assert_eq!(said.write(Kind::Build, "X", 3, None), "feat X [3]");
    }
}
