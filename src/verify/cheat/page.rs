//! The page about the rules, with an example of what each finds and of what it does not.
//!
//! Invariants: the examples are those that the tests run.

use std::fmt::Write as _;

use super::{RULES, RuleExample};

const HEAD: &str = "\
# Rules that find cheats

<!-- Made by `gander rules --list`: change the rules, and not this page. -->

A change can make checks green without mending anything. These rules read the syntax of both sides
of each changed file (Rust, Python, JavaScript and TypeScript, Go, Java; of others only lines) and
name what looks like it, with the file and the line. They see what a change adds or takes away, and
never what was there before. Whatever they find is shown in the pull request under *look closely*;
what tests came to decides. `gander rules COMMIT --repo DIR` runs them on any commit, and exits with
5 if they find something.

False alarms: of the last 70 commits without merges that people made in each of cachetools, cors,
rust-smallvec, python-slugify and walkdir (2026-11-29, 350 in all), 20 had a finding: 5.7 %. Most
were tests that were taken out on purpose and versions in metadata. A finding by itself holds
nothing back and sends nothing back; only `process-exit` holds a change, where a runner takes the
end of its process for success (nextest, examples in Rust's documentation). How many cheats of a
corpus they find was not measured yet.
";

/// The page, in Markdown.
pub fn rules_page() -> String {
    let mut page = HEAD.to_owned();
    for rule in RULES {
        let _ = write!(page, "\n## `{}`\n\nFinds {}.\n", rule.name, rule.finds);
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
            let _ = writeln!(text, "{}", format!("{sign}{}", change.value().trim_end()).trim_end());
        }
    }
    text
}
