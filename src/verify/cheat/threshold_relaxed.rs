//! Bars that are lowered.

use super::literals::{Bent, bent, number as number_of};
use super::{ChangedSources, CheatFinding, CheatRule, Severity, short};

pub(super) const RULE: CheatRule = CheatRule {
    name: "threshold-relaxed",
    severity: Severity::Flag,
    finds: "a lower bar for coverage, more warnings that are allowed, or more time for a test",
    check,
    fires: &[
        &[(
            "setup.cfg",
            "[coverage:report]\nfail_under = 90\n",
            "[coverage:report]\nfail_under = 50\n",
        )],
        &[(
            "package.json",
            "{\"scripts\": {\"lint\": \"eslint --max-warnings 0 .\"}}\n",
            "{\"scripts\": {\"lint\": \"eslint --max-warnings 40 .\"}}\n",
        )],
        &[("a.test.js", "jest.setTimeout(1000);\n", "jest.setTimeout(90000);\n")],
    ],
    passes: &[
        &[(
            "setup.cfg",
            "[coverage:report]\nfail_under = 50\n",
            "[coverage:report]\nfail_under = 90\n",
        )],
        &[("src/lib.rs", "const LIMIT: u32 = 90;\n", "const LIMIT: u32 = 50;\n")],
    ],
};

/// What stands before a number, and whether more of it is laxer.
const BARS: &[(&str, bool)] = &[
    ("fail_under", false),
    ("fail-under", false),
    ("fail-under-lines", false),
    ("fail-under-functions", false),
    ("fail-under-regions", false),
    ("cov-fail-under", false),
    ("\"branches\":", false),
    ("\"lines\":", false),
    ("\"functions\":", false),
    ("\"statements\":", false),
    ("branches:", false),
    ("statements:", false),
    ("minimumCoverage", false),
    ("max-warnings", true),
    ("setTimeout(", true),
    ("testTimeout", true),
    ("this.timeout(", true),
    ("--timeout", true),
    ("period = \"", true),
    ("terminate-after", true),
    ("mark.timeout(", true),
    ("timeout=", true),
    ("timeout:", true),
    ("timeout =", true),
    ("Timeout(", true),
    ("-timeout ", true),
    ("-timeout=", true),
    ("Duration.ofSeconds(", true),
    ("Duration.ofMillis(", true),
    ("Duration::from_secs(", true),
    ("Duration::from_millis(", true),
    ("}, ", true),
    ("threshold:", false),
    ("threshold =", false),
    ("minimum>", false),
    ("max_examples", false),
    ("numRuns", false),
    ("with_cases(", false),
    ("cases:", false),
    ("MaxCount", false),
    ("tries =", false),
    ("max-line-length", true),
    ("max-complexity", true),
    ("MIN_", false),
    ("minRows", false),
    ("max_complexity", true),
];

/// Bars that are missed where they are taken out.
const GONE: &[&str] = &[
    "fail_under",
    "fail-under",
    "coverageThreshold",
    "--cov-fail",
    "max-warnings",
    "<minimum>",
    "-Werror",
    "--strict",
];
/// Numbers of runs, and how many are too few to find anything.
const RUNS: &[&str] = &["max_examples", "numRuns", "with_cases(", "MaxCount", "Config { cases:"];
const FEWEST: f64 = 5.0;

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in sources
        .files
        .iter()
        .filter(|file| file.is_of_tests() || file.is_setting() || !file.is_code())
    {
        for line in file.added.iter().filter(|_| file.is_of_tests()) {
            // Where there was none, so few runs are a bar that was lowered.
            let few = |name: &&str| number(&line.text, name).is_some_and(|it| it <= FEWEST);
            if line.text.contains("this.timeout(0)") || line.text.contains("setTimeout(0)") {
                found.push(file.finding(
                    &RULE,
                    line.row,
                    "no time is too long any more".to_owned(),
                ));
            }
            let name = RUNS.iter().find(|name| few(name));
            if let Some(name) =
                name.filter(|it| !file.removed.iter().any(|old| old.text.contains(**it)))
            {
                let name = short(name.trim_end_matches(['(', ':', '=', ' ']));
                found.push(file.finding(&RULE, line.row, format!("{name} is very low")));
            }
        }
        for Bent { is, was, literals } in bent(&file.replaced) {
            let lower = |(was, is): &(String, String)| {
                number_of(was).zip(number_of(is)).is_some_and(|(was, is)| is < was)
            };
            let measures = file.is_setting() && is.text.to_lowercase().contains("cover");
            if measures && literals.iter().any(lower) {
                let (now, before) = (short(is.text.trim()), short(was.text.trim()));
                let reason = format!("asks for less (now: {now}; before: {before})");
                found.push(file.finding(&RULE, is.row, reason));
            }
        }
        for bar in GONE {
            let holds = |line: &&super::RowText| line.text.contains(bar);
            let gone = file.removed.iter().find(holds);
            let comes = file.added.iter().any(|line| holds(&line));
            if let Some(line) = gone.filter(|_| file.is_setting() && !comes && !file.is_gone) {
                let row = file.row_near(line.row);
                found.push(file.finding(&RULE, row, format!("{bar} is gone")));
            }
        }
        for (name, more_is_laxer) in BARS {
            let of = |lines: &[super::RowText]| -> Vec<(usize, f64)> {
                lines
                    .iter()
                    .filter_map(|line| Some((line.row, number(&line.text, name)?)))
                    .collect()
            };
            let (old, new) = (of(&file.removed), of(&file.added));
            for ((_, was), (row, is)) in old.into_iter().zip(new) {
                if (is > was) == *more_is_laxer && is != was {
                    let name = short(name.trim_matches(['"', ':', '(']));
                    found.push(file.finding(&RULE, row, format!("{name} is {is}, and was {was}")));
                }
            }
        }
    }
    found
}

/// The number behind a name.
fn number(line: &str, name: &str) -> Option<f64> {
    let rest = line.split_once(name)?.1;
    let begin = rest.find(|c: char| c.is_ascii_digit())?;
    let between = rest.get(..begin)?;
    if between.len() > 6 || between.contains(char::is_alphabetic) {
        return None;
    }
    let rest = rest.get(begin..)?;
    let end =
        rest.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_').unwrap_or(rest.len());
    rest.get(..end)?.replace('_', "").trim_end_matches('.').parse().ok()
}
