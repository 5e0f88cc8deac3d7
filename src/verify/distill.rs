//! The few lines of a long log that say what failed.
//!
//! Never decides anything: only what a model or a person gets to read is chosen here.

/// Lines kept around one that looks like a failure.
const BEFORE: usize = 2;
const AFTER: usize = 8;
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
const NOISE: &[&str] = &["0 failed", "0 errors", "fail 0", "# fail 0", "... ok", "test result: ok"];

/// At most `cap` characters of `log`: what looks like failures, with its surroundings, and the end.
pub fn distill(log: &str, cap: usize) -> String {
    let plain = without_escapes(log);
    let lines: Vec<&str> = plain.lines().map(str::trim_end).collect();
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
    keep[tail..].fill(true);
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
    cut_middle(text.trim_end(), cap)
}

/// Whether cargo says here whose lines the next ones are: two targets may have tests of one name.
fn names_a_target(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("Running ") && line.contains("/deps/") || line.starts_with("Doc-tests ")
}

fn looks_like_failure(line: &str) -> bool {
    let line = line.to_lowercase();
    SIGNS.iter().any(|sign| line.contains(sign)) && !NOISE.iter().any(|noise| line.contains(noise))
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
    fn the_target_of_a_failing_test_is_kept_with_it() {
        let more: String = (0..50).map(|i| format!("test t{i} ... ok\n")).collect();
        let log = format!(
            "     Running tests/a.rs (/tmp/deps/a-1)\n{more}\
             \x20    Running tests/b.rs (/tmp/deps/b-1)\n{more}test same ... FAILED\n{more}"
        );
        let short = distill(&log, 3000);
        assert!(short.starts_with("     Running tests/b.rs (/tmp/deps/b-1)\n[…]\n"), "{short}");
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
