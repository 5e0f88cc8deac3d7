//! How many of the cheats of a corpus the rules find, and how many changes of people.
//!
//! The corpus is made outside of the project and named by `CHEAT_CORPUS_DIR`; without it this is
//! skipped, loudly. It holds `cheats/`, `people/` and `honest/`, and in each a directory for each
//! change: `before/` and `after/` with the files that it touches, and `case.json`, which names the
//! `kind` of a cheat and the `language`. With `CHEAT_CORPUS_WRITE=1` the table goes into
//! `src/verify/cheat/figures.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use gander::config::variable;
use gander::core::patch::{Change, FileMode, Patch};
use gander::core::path::RepoPath;
use gander::verify::cheat::{CheatFinding, RULES, Severity, find_cheats};
use gander::workspace::diff::{BaseFile, BaseFiles};
use gander::workspace::mirror::EntryMode;

/// One change of the corpus, and what the rules say of it.
struct Case {
    name: String,
    kind: String,
    found: Vec<CheatFinding>,
}

impl Case {
    fn blocks(&self) -> bool {
        self.found.iter().any(|it| it.severity == Severity::Block)
    }

    fn rules(&self) -> BTreeSet<&'static str> {
        self.found.iter().map(|it| it.rule).collect()
    }
}

#[test]
fn the_rules_find_nine_of_ten_cheats_and_refuse_one_in_a_hundred_changes_of_people() {
    let Some(corpus) = variable("CHEAT_CORPUS_DIR").map(PathBuf::from) else {
        eprintln!("\nSKIPPED: set CHEAT_CORPUS_DIR to measure the rules against cheats\n");
        return;
    };
    let [cheats, people, honest] = ["cheats", "people", "honest"].map(|part| {
        let mut cases: Vec<Case> =
            directories(&corpus.join(part)).iter().map(|it| case(it)).collect();
        cases.sort_by(|one, other| one.name.cmp(&other.name));
        cases
    });
    assert!(cheats.len() >= 200 && people.len() >= 300, "{} {}", cheats.len(), people.len());
    let table = table(&cheats, &people, &honest);
    println!("{table}");
    for (what, cases, wanted) in
        [("missed", &cheats, false), ("people", &people, true), ("honest", &honest, true)]
    {
        for case in cases.iter().filter(|case| case.found.is_empty() != wanted) {
            let rules: Vec<String> = case
                .found
                .iter()
                .map(|it| {
                    format!(
                        "{}{} {}:{}",
                        it.rule,
                        if it.severity == Severity::Block { "!" } else { "" },
                        it.path,
                        it.line
                    )
                })
                .collect();
            println!("{what}: {} ({}) {}", case.name, case.kind, rules.join(", "));
        }
    }
    if variable("CHEAT_CORPUS_WRITE").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/verify/cheat/figures.md");
        std::fs::write(path, &table).unwrap();
    }
    let found = cheats.iter().filter(|case| !case.found.is_empty()).count();
    assert!(found * 10 >= cheats.len() * 9, "{found} of {} cheats are found", cheats.len());
    let blocked = people.iter().filter(|case| case.blocks()).count();
    assert!(blocked * 100 <= people.len(), "{blocked} of {} changes are refused", people.len());
}

/// The kinds of cheats that a rule is there for. Most are found by others as well.
const MEANT_FOR: &[(&str, &[&str])] = &[
    ("answer-special-cased", &["special-cased-input"]),
    ("assertion-loosened", &["assertion-loosened"]),
    ("assertion-not-run", &["assertion-never-runs", "assertion-swallowed"]),
    ("assertion-removed", &["assertion-removed"]),
    ("cases-removed", &["parametrize-reduced"]),
    ("check-removed", &["validation-disabled"]),
    ("checks-the-runner", &["runner-detected"]),
    ("clock-tampered", &["time-tampered"]),
    ("equality-overloaded", &["equality-overloaded"]),
    ("expectation-bent", &["expectation-bent", "fixture-changed"]),
    ("expectation-recorded", &["expectation-from-product"]),
    ("failure-swallowed", &["failure-swallowed", "exit-code-forced"]),
    ("function-stubbed", &["stub-implementation", "hard-coded-return"]),
    ("generated-edited", &["generated-edited"]),
    ("no-assertion", &["test-without-assertion"]),
    ("output-silenced", &["error-hidden"]),
    ("process-exit", &["early-exit"]),
    ("retries-enabled", &["retries-enabled"]),
    ("runner-tampered", &["runner-hook-tampered"]),
    ("snapshot-alone", &["snapshot-regenerated"]),
    ("suppression-added", &["suppression-added", "type-check-dropped"]),
    ("tautology", &["assertion-tautology"]),
    ("test-cut-short", &["test-early-return"]),
    ("test-filtered", &["test-filter-added"]),
    ("test-focused", &["test-focused"]),
    (
        "test-removed",
        &[
            "test-commented-out",
            "test-deleted",
            "test-emptied",
            "test-file-deleted",
            "test-moved-uncollected",
            "test-renamed-uncollected",
        ],
    ),
    ("test-skipped", &["test-skipped", "test-skipped-conditionally"]),
    ("threshold-relaxed", &["coverage-relaxed", "load-shrunk", "property-iterations-lowered"]),
    ("tolerance-widened", &["tolerance-widened", "timeout-raised"]),
    ("unit-mocked", &["unit-under-test-mocked"]),
    ("version-lowered", &["dependency-lowered"]),
];

const ABOUT: &str = "\
## Figures

Six corpora were written without sight of the rules: cheats of the kinds below after a published
taxonomy (TRACE, arXiv 2601.20103) in six languages, about a third with honest edits beside them;
commits without merges that people made in 35 repositories; honest changes that look like cheats.
The rules were mended with all, so these figures flatter them. **Of cheats that nobody has seen
expect 70 to 90 % to be found**: before they had met them, the rules found 75.5 % of the first 347,
then, each time mended with those before, 77.8 % of 297, 85.8 % of 120, 81.7 % of 120 (and, in the
same state, 70.9 % of 110 that favour the harder kinds) and 90.0 % of the last 120. A
finding that does not block is shown and stops nothing. The commits of people are not labelled: some
do skip or loosen a test.

Run it again, with a corpus of your own in `cheats/`, `people/` and `honest/`, as
`tests/it/cheat_corpus.rs` describes it:

```sh
CHEAT_CORPUS_DIR=DIR cargo test --test it cheat_corpus -- --nocapture
```

";

/// What stands in the docs.
fn table(cheats: &[Case], people: &[Case], honest: &[Case]) -> String {
    let share = |part: usize, of: usize| format!("{:.1} %", 100.0 * part as f64 / of.max(1) as f64);
    let with = |cases: &[Case]| cases.iter().filter(|case| !case.found.is_empty()).count();
    let blocked = |cases: &[Case]| cases.iter().filter(|case| case.blocks()).count();
    let mut text = ABOUT.to_owned();
    text.push_str("| changes | how many | with a finding | that blocks |\n|---|---|---|---|\n");
    for (what, cases) in [
        ("cheats of a corpus", cheats),
        ("commits that people made", people),
        ("honest changes that look like cheats", honest),
    ] {
        let (n, f, b) = (cases.len(), with(cases), blocked(cases));
        let _ = writeln!(text, "| {what} | {n} | {f} ({}) | {b} ({}) |", share(f, n), share(b, n));
    }
    text.push_str(
        "\n*Recall*: of the cheats of the kinds that a rule is there for, those that it finds itself; \
         others\nfind more of them. *Precision*: of all its findings, those in cheats.\n\n\
         | rule | cheats with it | of people | honest | precision | recall |\n\
         |---|---|---|---|---|---|\n",
    );
    for rule in RULES {
        let fired =
            |cases: &[Case]| cases.iter().filter(|it| it.rules().contains(rule.name)).count();
        let (c, p, h) = (fired(cheats), fired(people), fired(honest));
        let kinds = MEANT_FOR.iter().find(|it| it.0 == rule.name).map_or(&[][..], |it| it.1);
        let of_kinds = cheats.iter().filter(|it| kinds.contains(&&*it.kind));
        let (all, by_it) = (of_kinds.clone().count(), of_kinds.clone());
        let by_it = by_it.filter(|it| it.rules().contains(rule.name)).count();
        let recall = if all == 0 { "–".to_owned() } else { format!("{by_it} of {all}") };
        let precision = share(c, c + p + h);
        let _ = writeln!(text, "| `{}` | {c} | {p} | {h} | {precision} | {recall} |", rule.name);
    }
    text.push_str("\n| kind of cheat | found |\n|---|---|\n");
    let mut kinds: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for case in cheats {
        let kind = kinds.entry(&case.kind).or_default();
        kind.1 += 1;
        kind.0 += usize::from(!case.found.is_empty());
    }
    for (kind, (found, all)) in kinds {
        let _ = writeln!(text, "| {kind} | {found} of {all} |");
    }
    text
}

fn case(directory: &Path) -> Case {
    let about = std::fs::read(directory.join("case.json")).unwrap();
    let about: serde_json::Value = serde_json::from_slice(&about).unwrap();
    let (before, after) = (files(&directory.join("before")), files(&directory.join("after")));
    let (mut patch, mut base) = (Patch::default(), BaseFiles::new());
    let oid: gander::core::id::Sha = "a".repeat(40).parse().unwrap();
    for (path, content) in &before {
        base.insert(path.clone(), BaseFile { mode: EntryMode::File, content: content.clone() });
        if !after.contains_key(path) {
            patch.changes.insert(path.clone(), Change::Delete { replaces: oid.clone() });
        }
    }
    for (path, content) in after {
        let replaces = before.contains_key(&path).then(|| oid.clone());
        if before.get(&path) != Some(&content) {
            patch.changes.insert(path, Change::Write { mode: FileMode::File, content, replaces });
        }
    }
    let word = |name: &str| about[name].as_str().unwrap_or_default().to_owned();
    Case {
        name: directory.file_name().unwrap().to_string_lossy().into_owned(),
        kind: word("kind"),
        found: find_cheats(&patch, &base),
    }
}

fn directories(of: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(of) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.join("case.json").is_file()).collect()
}

/// All files below a directory, by their paths in it.
fn files(root: &Path) -> BTreeMap<RepoPath, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(&directory).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if let Ok(name) = path.strip_prefix(root).unwrap().to_string_lossy().parse() {
                found.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    found
}
