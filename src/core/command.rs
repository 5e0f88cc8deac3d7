//! What a person asks for, read from the first line of a new comment.
//!
//! Invariants: Markdown is parsed, not searched, so text inside quotes, code, HTML comments or
//! headings is never a command. Each verb stands in one table, and the help text is made from it; a
//! verb without its row does not compile.

mod nearly;

use std::fmt;
use std::fmt::Write as _;

use pulldown_cmark::{Event as Markdown, Options as MarkdownOptions, Parser, Tag};
use serde::{Deserialize, Serialize};
use strum::EnumCount;

use super::budget::Money;
use super::github::Role;
use super::id::Branch;
use nearly::{is_key, nearly_a_key};

/// What to do, in the order the help shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, EnumCount)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // each is described in VERBS
pub enum Verb {
    Fix,
    Build,
    Revise,
    Note,
    Take,
    Approve,
    Go,
    Override,
    Release,
    Retry,
    Update,
    Revert,
    Cancel,
    Status,
    Explain,
    Help,
}

/// One row of the help table, and all the parser knows of a verb.
#[allow(missing_docs)]
pub struct VerbSpec {
    pub verb: Verb,
    /// As it is typed.
    pub name: &'static str,
    /// The word that must follow it, as shown in the help.
    pub object: Option<&'static str>,
    /// Keys it accepts, with their values as shown in the help.
    pub keys: &'static [(&'static str, &'static str)],
    /// Where it may stand.
    pub place: &'static str,
    /// Who may say it.
    pub who: Role,
    /// One line for people.
    pub summary: &'static str,
}

const JOB_KEYS: &[(&str, &str)] =
    &[("budget", "$N"), ("base", "BRANCH"), ("model", "NAME"), ("plan", "first")];

/// All verbs, in the order of [`Verb`].
pub static VERBS: [VerbSpec; Verb::COUNT] = [
    VerbSpec {
        verb: Verb::Fix,
        name: "fix",
        object: None,
        keys: JOB_KEYS,
        place: "issue, or a pull request of others",
        who: Role::Write,
        summary: "fix the bug this issue describes, and open a pull request",
    },
    VerbSpec {
        verb: Verb::Build,
        name: "build",
        object: None,
        keys: JOB_KEYS,
        place: "issue, or a pull request of others",
        who: Role::Write,
        summary: "build the feature this issue describes, and open a pull request",
    },
    VerbSpec {
        verb: Verb::Revise,
        name: "revise",
        object: None,
        keys: &[],
        place: "a pull request, or where a plan waits",
        who: Role::Write,
        summary: "one more round, or another plan, with these words",
    },
    VerbSpec {
        verb: Verb::Note,
        name: "note",
        object: None,
        keys: &[],
        place: "where a job is at work",
        who: Role::Write,
        summary: "tell the agent this before its next turn",
    },
    VerbSpec {
        verb: Verb::Take,
        name: "take",
        object: Some("@LOGIN"),
        keys: &[],
        place: "Gander's pull request",
        who: Role::Write,
        summary: "treat that person's waiting review as if a maintainer had written it",
    },
    VerbSpec {
        verb: Verb::Approve,
        name: "approve",
        object: Some("SHA [flagged]"),
        keys: &[],
        place: "Gander's pull request",
        who: Role::Write,
        summary: "approve exactly this commit, by 12 digits or more; `flagged` covers the paths that a release names",
    },
    VerbSpec {
        verb: Verb::Go,
        name: "go",
        object: None,
        keys: &[],
        place: "where Gander waits for it",
        who: Role::Write,
        summary: "yes to what Gander asked there: work by the plan that is shown, push the change that is shown, or work though others are at it",
    },
    VerbSpec {
        verb: Verb::Override,
        name: "override",
        object: Some("RULE"),
        keys: &[],
        place: "issue or Gander's pull request",
        who: Role::Write,
        summary: "let through what this rule found, for the reason that follows; it takes the role that approves",
    },
    VerbSpec {
        verb: Verb::Release,
        name: "release",
        object: Some("[WORD]"),
        keys: &[("package", "NAME")],
        place: "anywhere",
        who: Role::Write,
        summary: "open or update the release pull request: major, minor, patch or a version; status shows the last ones, retry takes up a failed one, yank VERSION says how one is withdrawn",
    },
    VerbSpec {
        verb: Verb::Retry,
        name: "retry",
        object: None,
        keys: &[],
        place: "issue or pull request",
        who: Role::Write,
        summary: "try again from the last good point",
    },
    VerbSpec {
        verb: Verb::Update,
        name: "update",
        object: None,
        keys: &[],
        place: "issue or Gander's pull request",
        who: Role::Write,
        summary: "merge the base branch into the pull request, and check it again",
    },
    VerbSpec {
        verb: Verb::Revert,
        name: "revert",
        object: None,
        keys: &[("base", "BRANCH")],
        place: "a merged pull request",
        who: Role::Write,
        summary: "take back what it brought, by another pull request",
    },
    VerbSpec {
        verb: Verb::Cancel,
        name: "cancel",
        object: None,
        keys: &[],
        place: "issue or pull request",
        who: Role::Write,
        summary: "stop, and say what was undone",
    },
    VerbSpec {
        verb: Verb::Status,
        name: "status",
        object: Some("[checks]"),
        keys: &[],
        place: "anywhere",
        who: Role::Read,
        summary: "show what Gander is doing here; `checks` shows which checks were red lately, and which are flaky",
    },
    VerbSpec {
        verb: Verb::Explain,
        name: "explain",
        object: None,
        keys: &[],
        place: "issue or Gander's pull request",
        who: Role::Read,
        summary: "show the rules and facts behind the last decision",
    },
    VerbSpec {
        verb: Verb::Help,
        name: "help",
        object: None,
        keys: &[],
        place: "anywhere",
        who: Role::Read,
        summary: "show this table",
    },
];

/// Each verb has its own row, at its own place: else this does not compile.
const _: () = {
    let mut at = 0;
    while at < VERBS.len() {
        assert!(VERBS[at].verb as usize == at, "VERBS is not in the order of Verb");
        at += 1;
    }
};

impl Verb {
    /// Its row in the table.
    pub fn spec(self) -> &'static VerbSpec {
        &VERBS[self as usize]
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.spec().name)
    }
}

/// A well-formed command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// What to do.
    pub verb: Verb,
    /// Upper limit of this job's cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Money>,
    /// The branch to work from and to merge into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Branch>,
    /// A model from the operator's list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Whether a plan is made first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub plan_first: bool,
    /// The package that is to be released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// The words after the keys, and the rest of the comment.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub request: String,
}

impl Command {
    /// The bare verb.
    pub fn new(verb: Verb) -> Self {
        Self {
            verb,
            budget: None,
            base: None,
            model: None,
            plan_first: false,
            package: None,
            request: String::new(),
        }
    }
}

/// How people address Gander.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The slash command, `/gander` unless configured.
    pub prefix: String,
    /// The App's mention, such as `@gander-app`.
    pub mention: Option<String>,
}

impl Address {
    /// The prefix alone. A release is approved by it, since the Action knows no App's name.
    pub fn without_mention(&self) -> Self {
        Self { mention: None, ..self.clone() }
    }
}

impl Default for Address {
    fn default() -> Self {
        Self { prefix: "/gander".to_owned(), mention: None }
    }
}

/// A command that cannot be carried out as written. Changes nothing; gets one short reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum BadCommand {
    NoVerb,
    UnknownVerb { said: String, did_you_mean: Option<String> },
    UnknownKey { verb: Verb, said: String, did_you_mean: Option<String> },
    BadValue { key: String, said: String, wanted: String },
    NearlyKey { verb: Verb, meant: String },
}

/// Reads a comment. `None`: it is not addressed to Gander at all.
pub fn parse(comment: &str, address: &Address) -> Option<Result<Command, BadCommand>> {
    let (line, rest) = first_line_of_prose(comment)?;
    let words = addressed_words(line, address)?;
    Some(parse_words(words, rest))
}

/// The line of a comment that is addressed to Gander.
pub fn line<'a>(comment: &'a str, address: &Address) -> Option<&'a str> {
    addressed_words(first_line_of_prose(comment)?.0, address)
}

/// The table of commands as Markdown, made from what the parser knows.
pub fn help_table(prefix: &str) -> String {
    let mut table = String::from("| command | where | who | what |\n|---|---|---|---|\n");
    for spec in &VERBS {
        let mut usage = format!("{prefix} {}", spec.name);
        if let Some(object) = spec.object {
            let _ = write!(usage, " {object}");
        }
        for (key, value) in spec.keys {
            let _ = write!(usage, " [{key}={value}]");
        }
        if !spec.keys.is_empty() && spec.object.is_none()
            || matches!(spec.verb, Verb::Go | Verb::Revise | Verb::Note | Verb::Override)
        {
            usage.push_str(" words");
        }
        let _ = writeln!(
            table,
            "| `{usage}` | {} | {} access | {} |",
            spec.place, spec.who, spec.summary
        );
    }
    table
}

/// The first line, if Markdown says that it begins an ordinary paragraph.
fn first_line_of_prose(comment: &str) -> Option<(&str, &str)> {
    let options = MarkdownOptions::ENABLE_TABLES | MarkdownOptions::ENABLE_FOOTNOTES;
    let mut events = Parser::new_ext(comment, options).into_offset_iter();
    let (Markdown::Start(Tag::Paragraph), paragraph) = events.next()? else { return None };
    let (Markdown::Text(_), text) = events.next()? else { return None };
    if !comment[..text.start].trim().is_empty() || comment[..text.start].contains(['\n', '\r']) {
        return None;
    }
    debug_assert!(paragraph.start <= text.start);
    let from_first = &comment[text.start..];
    Some(match from_first.find('\n') {
        Some(end) => (from_first[..end].trim_end_matches('\r'), &from_first[end + 1..]),
        None => (from_first, ""),
    })
}

/// What people write behind a name or a verb when they speak to somebody.
const PUNCTUATION: &[char] = &[',', ':', ';', '!', '.'];

/// What follows the prefix or mention, if the line is addressed to us.
fn addressed_words<'a>(line: &'a str, address: &Address) -> Option<&'a str> {
    let starts = |name: &str| {
        let head = line.get(..name.len())?;
        let tail = &line[name.len()..];
        let ends_there = |c: char| c.is_whitespace() || PUNCTUATION.contains(&c);
        (head.eq_ignore_ascii_case(name) && tail.chars().next().is_none_or(ends_there))
            .then(|| tail.trim_start_matches(PUNCTUATION).trim())
    };
    starts(&address.prefix).or_else(|| address.mention.as_deref().and_then(starts))
}

fn parse_words(words: &str, rest_of_comment: &str) -> Result<Command, BadCommand> {
    let (verb, mut words) = take_word(words).ok_or(BadCommand::NoVerb)?;
    let verb = verb.trim_end_matches(PUNCTUATION);
    let spec = VERBS.iter().find(|spec| spec.name.eq_ignore_ascii_case(verb)).ok_or_else(|| {
        BadCommand::UnknownVerb {
            said: shown(verb),
            did_you_mean: nearest(verb, VERBS.iter().map(|spec| spec.name)),
        }
    })?;
    if let Some(bad) = nearly_a_key(words, spec) {
        return Err(bad);
    }
    let mut command = Command::new(spec.verb);
    // One that takes a word takes its keys on both sides of it.
    let mut said = String::new();
    while let Some((word, after)) = take_word(words) {
        if word == "--" {
            words = after;
            break;
        }
        match word.split_once('=').filter(|_| is_key(word)) {
            Some((key, value)) => set_key(&mut command, spec, key, value)?,
            None if spec.object.is_some() && !spec.keys.is_empty() => {
                said.push_str(word);
                said.push(' ');
            }
            None => break,
        }
        words = after;
    }
    said.push_str(words.trim());
    command.request = [said.trim(), rest_of_comment.trim()].join("\n").trim().to_owned();
    Ok(command)
}

fn set_key(
    command: &mut Command,
    spec: &VerbSpec,
    key: &str,
    value: &str,
) -> Result<(), BadCommand> {
    let known = spec.keys.iter().map(|(name, _)| *name);
    let unknown = || BadCommand::UnknownKey {
        verb: spec.verb,
        said: shown(key),
        did_you_mean: nearest(key, known.clone()),
    };
    let name = known.clone().find(|name| name.eq_ignore_ascii_case(key)).ok_or_else(unknown)?;
    let bad = |wanted: &str| BadCommand::BadValue {
        key: name.to_owned(),
        said: shown(value),
        wanted: wanted.to_owned(),
    };
    match name {
        "budget" => {
            let money: Money = value.parse().map_err(|_| bad("an amount such as $2 or 0.50"))?;
            if money <= Money::ZERO {
                return Err(bad("an amount above zero"));
            }
            command.budget = Some(money);
        }
        "base" => command.base = Some(value.parse().map_err(|_| bad("a branch name"))?),
        "model" => {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/@".contains(c);
            if value.is_empty() || value.len() > 100 || !value.chars().all(plain) {
                return Err(bad("a model's name"));
            }
            command.model = Some(value.to_owned());
        }
        "package" => {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_./@".contains(c);
            if value.is_empty() || value.len() > 100 || !value.chars().all(plain) {
                return Err(bad("a package's name"));
            }
            command.package = Some(value.to_owned());
        }
        "plan" if value.eq_ignore_ascii_case("first") => command.plan_first = true,
        "plan" => return Err(bad("`first`")),
        // A key that a verb lists and nobody reads.
        _ => return Err(unknown()),
    }
    Ok(())
}

fn take_word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    if text.is_empty() {
        return None;
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    Some((&text[..end], &text[end..]))
}

fn nearest<'a>(said: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let said = said.to_lowercase();
    known
        .map(|name| (strsim::damerau_levenshtein(&said, name), name))
        .filter(|(distance, name)| *distance <= 2 && *distance < name.len())
        .min()
        .map(|(_, name)| name.to_owned())
}

/// A stranger's word, cut and stripped to what can stand in a reply.
fn shown(word: &str) -> String {
    word.chars().filter(|c| c.is_alphanumeric() || "-_.$".contains(*c)).take(30).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(comment: &str) -> Option<Result<Command, BadCommand>> {
        let address = Address { mention: Some("@gander-app".to_owned()), ..Address::default() };
        parse(comment, &address)
    }

    fn command(comment: &str) -> Command {
        read(comment).expect("not a command").expect("a bad command")
    }

    #[test]
    fn the_first_line_is_the_command_and_the_rest_is_the_request() {
        let c = command("/gander fix budget=$2.50 base=release/1.x the crash\n\n```\ntrace\n```\n");
        assert_eq!(c.verb, Verb::Fix);
        assert_eq!(c.budget, Some("2.50".parse().unwrap()));
        assert_eq!(c.base, Some("release/1.x".parse().unwrap()));
        assert_eq!(c.request, "the crash\n```\ntrace\n```");
    }

    #[test]
    fn keys_end_at_the_first_word_or_at_two_dashes() {
        assert_eq!(command("/gander fix make a=b work").request, "make a=b work");
        assert_eq!(command("/gander fix -- a=b is wrong").request, "a=b is wrong");
    }

    #[test]
    fn the_mention_works_like_the_prefix() {
        assert_eq!(command("@gander-app status").verb, Verb::Status);
        assert_eq!(command("/GANDER Fix").verb, Verb::Fix);
        assert!(read("@gander-apps status").is_none());
        assert!(read("/ganderfix").is_none());
    }

    #[test]
    fn quoted_hidden_or_later_text_is_never_a_command() {
        for comment in [
            "> /gander fix",
            "```\n/gander fix\n```",
            "    /gander fix",
            "`/gander fix`",
            "<!-- /gander fix -->",
            "<!--\n/gander fix\n-->",
            "# /gander fix",
            "/gander fix\n===",
            "- /gander fix",
            "1. /gander fix",
            "hello\n/gander fix",
            "\n/gander fix",
            "\n\n/gander fix",
            "please /gander fix",
            "\\/gander fix",
            "**/gander fix**",
            "[/gander fix](x)",
            "![/gander fix](x)",
            "| /gander fix |\n|---|\n",
            "<details>/gander fix</details>",
            "\u{202e}/gander fix",
            "",
        ] {
            assert_eq!(read(comment), None, "{comment:?}");
        }
    }

    #[test]
    fn a_slip_of_the_finger_is_met_with_a_suggestion() {
        assert_eq!(
            read("/gander fxi").unwrap().unwrap_err(),
            BadCommand::UnknownVerb { said: "fxi".into(), did_you_mean: Some("fix".into()) }
        );
        assert_eq!(
            read("/gander fix bugdet=3").unwrap().unwrap_err(),
            BadCommand::UnknownKey {
                verb: Verb::Fix,
                said: "bugdet".into(),
                did_you_mean: Some("budget".into())
            }
        );
        assert!(matches!(
            read("/gander fix budget=lots").unwrap().unwrap_err(),
            BadCommand::BadValue { .. }
        ));
        assert!(matches!(
            read("/gander fix base=--upload-pack=x").unwrap().unwrap_err(),
            BadCommand::BadValue { .. }
        ));
        assert_eq!(read("/gander").unwrap().unwrap_err(), BadCommand::NoVerb);
    }

    #[test]
    fn punctuation_as_people_write_it_is_understood() {
        for comment in [
            "/gander fix! this",
            "/gander fix, this",
            "/gander fix: this",
            "/gander: fix this",
            "/gander, fix this",
            "@gander-app, fix this",
            "@gander-app: fix. this",
        ] {
            assert_eq!(command(comment).request, "this", "{comment}");
        }
        assert!(read("/gander.toml is wrong").unwrap().is_err(), "answered, and nothing started");
        assert!(matches!(
            read("/gander fix?").unwrap().unwrap_err(),
            BadCommand::UnknownVerb { did_you_mean: Some(fix), .. } if fix == "fix"
        ));
    }

    #[test]
    fn a_limit_that_is_nearly_set_is_asked_about_before_money_is_spent() {
        for (comment, wanted) in [
            ("/gander fix --budget 2 the crash", "budget=2"),
            ("/gander fix --budget=2 the crash", "budget=2"),
            ("/gander fix -budget $2", "budget=$2"),
            ("/gander fix --bugdet 2", "budget=2"),
            ("/gander fix budget = $2", "budget=$2"),
            ("/gander fix budget =$2", "budget=$2"),
            ("/gander fix budget= $2", "budget=$2"),
            ("/gander fix budget: $2, please", "budget=$2"),
            ("/gander fix Budget:2", "budget=2"),
            ("/gander fix budget $2", "budget=$2"),
            ("/gander fix base=main budget : 2", "budget=2"),
            ("/gander fix the crash, budget=$2", "budget=$2"),
            ("/gander fix the crash --budget 2", "budget=2"),
            ("/gander fix --base main", "base=main"),
            ("/gander fix model: gpt-5", "model=gpt-5"),
        ] {
            assert_eq!(
                read(comment).unwrap().unwrap_err(),
                BadCommand::NearlyKey { verb: Verb::Fix, meant: wanted.to_owned() },
                "{comment}"
            );
        }
        for comment in
            ["/gander fix budget: 2€", "/gander fix budget=", "/gander fix --budget lots"]
        {
            let bad = read(comment).unwrap().unwrap_err();
            assert!(matches!(&bad, BadCommand::BadValue { key, .. } if key == "budget"), "{bad:?}");
        }
    }

    #[test]
    fn words_that_only_look_like_keys_are_words() {
        for request in [
            "https://x.org/?a=b shows it",
            "https://x.org/?budget=2",
            "the budget is wrong",
            "budget: the sum is wrong",
            "budget 2 is ignored",
            "budgets = 3 shows nothing",
            "--verbose prints nothing",
            "make budget of `x` work",
        ] {
            assert_eq!(command(&format!("/gander fix {request}")).request, request);
        }
        assert_eq!(command("/gander fix -- budget=$2 is lost").request, "budget=$2 is lost");
    }

    #[test]
    fn what_a_stranger_typed_is_harmless_when_shown_again() {
        let Err(BadCommand::UnknownVerb { said, .. }) = read("/gander @everyone<b>`x`").unwrap()
        else {
            panic!("parsed")
        };
        assert_eq!(said, "everyonebx");
    }

    #[test]
    fn every_verb_stands_in_the_table_once() {
        for spec in &VERBS {
            assert_eq!(spec.verb.spec().verb, spec.verb);
            assert_eq!(spec.verb.spec().name, spec.name);
            assert!(help_table("/gander").contains(&format!("`/gander {}", spec.name)));
        }
    }

    proptest! {
        #[test]
        fn no_comment_makes_the_parser_panic(comment in "\\PC*|(?s:.{0,200})|/gander .{0,60}") {
            let _ = read(&comment);
        }

        #[test]
        fn a_command_needs_the_prefix_at_the_very_start(comment in "[a-z>#`*~\\-\n][a-z>#`*~\\- \n]{0,19}/gander fix") {
            prop_assert_eq!(read(&comment), None);
        }
    }
}
