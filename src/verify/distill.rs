//! The few lines of a long log that say what failed.
//!
//! Never decides anything: only what a model or a person gets to read is chosen here.

/// Lines kept around one that looks like a failure. Those of passing tests do not count.
const BEFORE: usize = 2;
const AFTER: usize = 10;
/// Last lines kept in any case: runners put their summary there.
const TAIL: usize = 15;

const SIGNS: &[&str] = &[
    "error",
    "fail",
    "panicked",
    "assert",
    "exception",
    "traceback",
    "expected",
    "not ok",
    "undefined",
    "cannot find",
    "left:",
    "right:",
    "✖",
    "✗",
];
/// What says that nothing failed, unless a digit stands before it: "10 failed" is another matter.
const NOISE: &[&str] = &["0 failed", "0 errors", "0 failures", "fail 0", "test result: ok"];
/// How runners begin the line of a test that passed or was left out: TAP and node, mocha and
/// vitest, jest, Go.
const PASSING_STARTS: &[&str] =
    &["ok ", "✔", "✓", "√", "PASS ", "--- PASS", "--- SKIP", "=== RUN", "=== PAUSE", "=== CONT"];
/// And how they end it: cargo, pytest and unittest.
const PASSING_ENDS: &[&str] = &[" ... ok", " ... ignored", " PASSED", " SKIPPED", " XFAIL"];

/// At most about `cap` characters of `log`: what looks like failures, with its surroundings, and
/// the end. Where that is too much, the first failures and the end.
pub fn distill(log: &str, cap: usize) -> String {
    let plain = without_escapes(log);
    let lines = without_passing(&plain);
    let mut keep = vec![false; lines.len()];
    let mut target = None;
    for (i, line) in lines.iter().enumerate() {
        if names_a_target(line) {
            target = Some(i);
        }
        if looks_like_failure(line) {
            target.into_iter().for_each(|named| keep[named] = true);
            let end = (i + AFTER + 1).min(lines.len());
            keep[i.saturating_sub(BEFORE)..end].fill(true);
        }
    }
    let tail = lines.len().saturating_sub(TAIL);
    let end = joined(&lines[tail..], &vec![true; lines.len() - tail]);
    let failures = joined(&lines[..tail], &keep[..tail]);
    let end = cut_middle(end.trim_end(), cap);
    let room = cap.saturating_sub(end.chars().count());
    let failures = cut_end(failures.trim_end(), room);
    let gap = if keep[..tail].last() == Some(&false) { "\n[…]\n" } else { "\n" };
    if failures.is_empty() { end } else { format!("{failures}{gap}{end}") }
}

/// The lines, without those that say of a test that it passed, and what is told of such a test.
fn without_passing(log: &str) -> Vec<&str> {
    let mut kept: Vec<&str> = Vec::new();
    let mut lines = log.lines().map(str::trim_end).peekable();
    while let Some(line) = lines.next() {
        // Of many empty lines one is shown.
        if line.is_empty() && kept.last().is_some_and(|before| before.is_empty()) {
            continue;
        }
        if !is_passing(line) {
            // Of a target in which all passed, nothing is left to say.
            if names_a_target(line) && kept.last().is_some_and(|before| names_a_target(before)) {
                kept.pop();
            }
            kept.push(line);
            continue;
        }
        // `# Subtest: name` stands before its result, and a block between `---` and `...` after it.
        if kept.last().is_some_and(|before| before.trim_start().starts_with("# Subtest: ")) {
            kept.pop();
        }
        if lines.next_if(|next| next.trim() == "---").is_some() {
            lines.by_ref().find(|next| next.trim() == "...");
        }
    }
    kept
}

fn is_passing(line: &str) -> bool {
    let line = line.trim();
    let only = |start: &&str| line.starts_with(start);
    PASSING_STARTS.iter().any(only) || PASSING_ENDS.iter().any(|end| line.ends_with(end))
}

/// The kept lines, with a mark where others were left out.
fn joined(lines: &[&str], keep: &[bool]) -> String {
    let mut text = String::new();
    let mut skipped = false;
    for (line, keep) in lines.iter().zip(keep) {
        if !keep {
            skipped = true;
            continue;
        }
        if std::mem::take(&mut skipped) && !text.is_empty() {
            text.push_str("[…]\n");
        }
        if !(line.is_empty() && (text.is_empty() || text.ends_with("\n\n"))) {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// Whether cargo says here whose lines the next ones are: two targets may have tests of one name.
fn names_a_target(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("Running ") && line.contains("/deps/") || line.starts_with("Doc-tests ")
}

fn looks_like_failure(line: &str) -> bool {
    let line = line.to_lowercase();
    let is_noise = |noise: &&str| {
        line.match_indices(noise).any(|(at, _)| !line[..at].ends_with(|c: char| c.is_ascii_digit()))
    };
    SIGNS.iter().any(|sign| line.contains(sign)) && !NOISE.iter().any(is_noise)
}

/// The beginning, in at most so many characters.
fn cut_end(text: &str, cap: usize) -> String {
    let length = text.chars().count();
    if length <= cap {
        return text.to_owned();
    }
    let head: String = text.chars().take(cap).collect();
    // In whole lines.
    let head = head.rsplit_once('\n').map_or(&*head, |(whole, _)| whole);
    format!("{head}\n[… {} characters cut …]", length - head.chars().count())
}

fn cut_middle(text: &str, cap: usize) -> String {
    let length = text.chars().count();
    if length <= cap {
        return text.to_owned();
    }
    let head: String = text.chars().take(cap / 2).collect();
    let tail: String = text.chars().skip(length - cap / 2).collect();
    format!("{head}\n[… {} characters cut …]\n{tail}", length - cap / 2 * 2)
}

/// Without terminal colours and other escape sequences.
pub fn without_escapes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\u{1b}' => skip_escape(&mut characters),
            '\r' => {}
            c if c.is_control() && c != '\n' && c != '\t' => {}
            c => plain.push(c),
        }
    }
    plain
}

fn skip_escape(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match characters.next() {
        // CSI: up to a letter. OSC: up to BEL or the string terminator.
        Some('[') => while characters.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
        Some(']') => {
            while let Some(c) = characters.next() {
                if c == '\u{7}' || c == '\u{1b}' && characters.next_if_eq(&'\\').is_some() {
                    break;
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_failing_test_is_found_in_a_long_log() {
        let mut log: String = (0..2000).map(|i| format!("test t{i} ... ok\n")).collect();
        log.insert_str(
            9000,
            "\u{1b}[31mthread 'sum' panicked at src/lib.rs:7\u{1b}[0m\n  left: 1\n",
        );
        log.push_str("test result: FAILED. 1 failed\n");
        let short = distill(&log, 3000);
        assert!(short.contains("thread 'sum' panicked at src/lib.rs:7\n"), "{short}");
        assert!(short.contains("FAILED. 1 failed"));
        assert!(short.chars().count() <= 3000);
    }

    #[test]
    fn tests_that_passed_are_noise_and_what_failed_comes_first() {
        let mocha: String = (0..400).map(|i| format!("    ✔ throws error {i}\n")).collect();
        let tap: String = (0..400)
            .map(|i| {
                format!("# Subtest: error {i}\nok {i} - error {i}\n  ---\n  type: 'error'\n  ...\n")
            })
            .collect();
        let jest: String = (0..400).map(|i| format!("PASS test/error{i}.js\n")).collect();
        let pytest: String =
            (0..400).map(|i| format!("tests/test_error.py::test_{i} PASSED\n")).collect();
        for noise in [mocha, tap, jest, pytest] {
            let log = format!("{noise}not ok 7 - adds\n  expected 2\n{noise}10 failed\n");
            assert_eq!(distill(&log, 3000), "not ok 7 - adds\n  expected 2\n10 failed");
        }
    }

    #[test]
    fn ten_failures_are_not_none() {
        assert!(looks_like_failure("10 failed, 3 passed"));
        assert!(looks_like_failure("ℹ fail 12"));
        for none in ["0 failed", "3 passed, 0 failed", "ℹ fail 0", "0 errors"] {
            assert!(!looks_like_failure(none), "{none}");
        }
    }

    #[test]
    fn the_target_of_a_failing_test_is_kept_with_it() {
        let more: String = (0..50).map(|i| format!("test t{i} ... ok\n")).collect();
        let log = format!(
            "     Running tests/a.rs (/tmp/deps/a-1)\n{more}\
             \x20    Running tests/b.rs (/tmp/deps/b-1)\n{more}test same ... FAILED\n{more}"
        );
        let short = distill(&log, 3000);
        assert_eq!(short, "     Running tests/b.rs (/tmp/deps/b-1)\ntest same ... FAILED");
    }

    #[test]
    fn a_flood_is_cut_in_the_middle_and_says_so() {
        let flood = "error: x\n".repeat(100_000);
        let short = distill(&flood, 1000);
        assert!(short.contains("characters cut"));
        assert!(short.chars().count() < 1100);
    }

    #[test]
    fn escape_sequences_do_not_survive() {
        let hostile = "a\u{1b}]8;;https://evil\u{7}b\u{1b}]0;t\u{1b}\\c\u{1b}[2Jd\u{8}";
        assert_eq!(without_escapes(hostile), "abcd");
    }
}
