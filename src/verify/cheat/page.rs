//! The page about the rules, with an example of what each finds and of what it does not.
//!
//! Invariants: the examples are those that the tests run.

use std::fmt::Write as _;

use super::{RULES, RuleExample, Severity};

const HEAD: &str = "\
# Rules that find cheats

<!-- Made by `gander rules --list`: change the rules, and not this page. -->

A change can make checks green without mending anything. These rules read the syntax of both sides
of each changed file (Rust, Python, JavaScript and TypeScript, Go, Java; of others only lines) and
name what looks like it, with the file and the line. They see what a change adds or takes away, and
never what was there before.

Whatever they find is shown in the pull request under *look closely*. What a rule finds that
**blocks** makes the change red, too: the model is told why and tries again, and where it is still
there after the last attempt, the change is refused. A maintainer with the role that approves lets
it through by `/gander override RULE` and a reason, which stands in the pull request; on a machine
of one's own it is `gander run --override RULE=REASON`. A test that is new takes nothing away, so
what would block in an old one is only shown there. So is what may have a reason that no rule sees:
what depends on the machine, a test that ends early under a condition, two equal calls.
`process-exit` holds a change where a runner takes the end of its process for success (nextest,
examples in Rust's documentation).

`gander rules COMMIT --repo DIR` runs the rules on any commit, on two as `FROM..TO`, or on a file
that `git diff` wrote. It exits with 3 if something blocks, and else with 5 if something is found.

";

/// How many cheats they find, and how many changes of people.
const FIGURES: &str = include_str!("figures.md");

/// So many characters of a line are shown.
const WIDEST: usize = 90;

/// The page, in Markdown.
pub fn rules_page() -> String {
    let mut page = HEAD.to_owned() + FIGURES;
    for rule in RULES {
        let what = if rule.severity == Severity::Block { "**Blocks.** " } else { "" };
        let _ = write!(page, "\n## `{}`\n\n{what}Finds {}.\n", rule.name, rule.finds);
        for (words, examples) in [("Found", rule.fires), ("Not found", rule.passes)] {
            if let Some(example) = examples.first() {
                let _ = write!(page, "\n{words}:\n\n```diff\n{}```\n", as_diff(example));
            }
        }
    }
    page
}

fn as_diff(example: &RuleExample) -> String {
    let mut text = String::new();
    for (path, before, after) in *example {
        let _ = writeln!(text, "# {path}");
        for change in similar::TextDiff::from_lines(*before, *after).iter_all_changes() {
            let sign = match change.tag() {
                similar::ChangeTag::Delete => '-',
                similar::ChangeTag::Insert => '+',
                similar::ChangeTag::Equal => ' ',
            };
            let line: String = change.value().trim_end().chars().take(WIDEST).collect();
            let _ = writeln!(text, "{}", format!("{sign}{line}").trim_end());
        }
    }
    text
}
