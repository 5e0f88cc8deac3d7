//! Where something failed, read from output of known shape, and said to GitHub.
//!
//! Invariants: an annotation is written by us, escaped, about a file of the checkout; nothing in
//! the output becomes a workflow command. It never decides anything: the exit status does.

use std::path::Path;

/// GitHub shows ten errors of a step.
const MOST: usize = 10;
const LONGEST: usize = 1_500;

/// One failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Point {
    /// The file in the checkout and the line, where they are known.
    pub(super) at: Option<(String, u32)>,
    /// A few words.
    pub(super) title: String,
    /// What went wrong.
    pub(super) message: String,
}

impl Point {
    /// The workflow command.
    pub(super) fn command(&self) -> String {
        let at = self.at.as_ref().map(|(file, line)| (file.as_str(), *line));
        annotation("error", at, &self.title, &self.message)
    }

    /// For a list.
    pub(super) fn in_a_line(&self) -> String {
        let first = self.message.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        match &self.at {
            Some((file, line)) => format!("{file}:{line} {}: {}", self.title, first.trim()),
            None => format!("{}: {}", self.title, first.trim()),
        }
    }
}

/// The workflow command for `error`, `warning` or `notice` about a line of a file.
pub fn annotation(level: &str, at: Option<(&str, u32)>, title: &str, message: &str) -> String {
    let (title, message) = (property(&cut(title, 120)), data(&cut(message, LONGEST)));
    match at {
        Some((file, line)) => {
            format!("::{level} file={},line={line},title={title}::{message}", property(file))
        }
        None => format!("::{level} title={title}::{message}"),
    }
}

/// Text after the second `::` of a workflow command.
pub fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A value before the second `::`.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most).chain(['…']).collect()
}

/// The failures in a text without escapes.
pub(super) fn points(output: &str, tree: &Path) -> Vec<Point> {
    let lines: Vec<&str> = output.lines().collect();
    let mut found: Vec<Point> = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let rest = lines.get(number + 1..).unwrap_or_default();
        let point = rustc(line, rest)
            .or_else(|| panicked(line, rest))
            .or_else(|| pytest(line, rest))
            .or_else(|| tap(line, rest))
            .or_else(|| node(line, rest));
        let Some(mut point) = point else { continue };
        point.at = point.at.and_then(|(file, line)| Some((inside(&file, tree)?, line)));
        if found.len() < MOST && !found.contains(&point) {
            found.push(point);
        }
    }
    found
}

/// The path of a file of the checkout, as GitHub names it.
fn inside(file: &str, tree: &Path) -> Option<String> {
    let file = file.strip_prefix("file://").unwrap_or(file);
    let whole = tree.canonicalize().unwrap_or_else(|_| tree.to_owned());
    let path = Path::new(file);
    let path = path.strip_prefix(&whole).or_else(|_| path.strip_prefix("/work")).unwrap_or(path);
    let path = path.strip_prefix(".").unwrap_or(path);
    let plain = path.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    let known = plain && tree.join(path).symlink_metadata().is_ok_and(|it| it.is_file());
    known.then(|| path.to_string_lossy().into_owned())
}

/// `a/b.rs:7:5` or `a/b.rs:7`.
fn repo(text: &str) -> Option<(String, u32)> {
    let text = text.trim().trim_end_matches(':');
    let mut parts = text.rsplitn(3, ':');
    let (last, middle) = (parts.next()?, parts.next()?);
    let number = |text: &str| text.parse::<u32>().ok();
    match (number(middle), number(last)) {
        (Some(line), Some(_)) => Some((parts.next()?.to_owned(), line)),
        (None, Some(line)) => {
            let file = text.strip_suffix(last)?.strip_suffix(':')?;
            Some((file.to_owned(), line))
        }
        _ => None,
    }
}

/// `error[E0308]: mismatched types`, then `  --> src/lib.rs:5:9`.
fn rustc(line: &str, rest: &[&str]) -> Option<Point> {
    let after = line.strip_prefix("error")?;
    let (code, message) = match after.strip_prefix('[') {
        Some(after) => after.split_once("]: ")?,
        None => ("", after.strip_prefix(": ")?),
    };
    let at = rest.iter().take(4).find_map(|line| line.trim_start().strip_prefix("--> "))?;
    let title = if code.is_empty() { "error".to_owned() } else { format!("error {code}") };
    Some(Point { at: repo(at), title, message: message.to_owned() })
}

/// `thread 'a::b' panicked at src/lib.rs:7:5:`, then the message.
fn panicked(line: &str, rest: &[&str]) -> Option<Point> {
    let after = line.trim_start().strip_prefix("thread '")?;
    let (name, after) = after.split_once('\'')?;
    let (_, at) = after.split_once("panicked at ")?;
    let message = rest
        .iter()
        .take_while(|line| !line.trim().is_empty() && !line.starts_with("note: "))
        .take_while(|line| !line.starts_with("stack backtrace"))
        .take(12);
    let message: Vec<&str> = message.copied().collect();
    Some(Point { at: repo(at), title: format!("{name} panicked"), message: message.join("\n") })
}

/// `____ test_a ____`, then lines with `E   ` and, last, `test_a.py:3: AssertionError`.
fn pytest(line: &str, rest: &[&str]) -> Option<Point> {
    let name = rule(line)?;
    let section = rest.iter().take_while(|line| rule(line).is_none() && !line.starts_with("==="));
    let section: Vec<&str> = section.copied().collect();
    let message: Vec<&str> =
        section.iter().filter_map(|line| line.strip_prefix("E  ")).map(str::trim).collect();
    let at = section.iter().rev().find_map(|line| {
        let (at, word) = line.split_once(": ")?;
        let error = word.starts_with(|c: char| c.is_ascii_alphabetic());
        repo(at).filter(|(file, _)| error && file.ends_with(".py"))
    });
    let title = match name.strip_prefix("ERROR ") {
        Some(what) => format!("error {what}"),
        None => format!("{name} failed"),
    };
    (!message.is_empty()).then(|| Point { at, title, message: message.join("\n") })
}

/// The name in pytest's `___ name ___`.
fn rule(line: &str) -> Option<&str> {
    let inside = line.strip_prefix("___")?.trim_start_matches('_');
    let inside = inside.strip_suffix("___")?.trim_end_matches('_').trim();
    (!inside.is_empty()).then_some(inside)
}

/// `not ok 1 - adds`, then YAML with `error:` and `stack:`.
fn tap(line: &str, rest: &[&str]) -> Option<Point> {
    let after = line.trim_start().strip_prefix("not ok ")?;
    let (_, name) = after.split_once(" - ")?;
    let block: Vec<&str> =
        rest.iter().map(|line| line.trim()).take_while(|line| *line != "...").take(60).collect();
    if block.first() != Some(&"---") || block.contains(&"failureType: 'subtestsFailed'") {
        return None;
    }
    let value = |key: &str| {
        let (at, first) = block
            .iter()
            .enumerate()
            .find_map(|(at, line)| Some((at, line.strip_prefix(key)?.trim())))?;
        if first != "|-" {
            return Some(first.trim_matches('\'').to_owned());
        }
        let more = block.get(at + 1..).unwrap_or_default().iter();
        let more: Vec<&str> = more.take_while(|line| !is_key(line)).copied().collect();
        Some(more.join("\n").trim().to_owned())
    };
    let stack = value("stack:").unwrap_or_default();
    let at = stack.lines().find_map(framed).or_else(|| repo(&value("location:")?));
    let message = value("error:").unwrap_or_else(|| "failed".to_owned());
    Some(Point { at, title: format!("{name} failed"), message })
}

/// `name: value` of node's report.
fn is_key(line: &str) -> bool {
    ["code:", "name:", "expected:", "actual:", "operator:", "stack:", "error:"]
        .iter()
        .any(|key| line.starts_with(key))
}

/// The place in `at f (/a/b.js:2:29)`, unless it is node's own.
fn framed(line: &str) -> Option<(String, u32)> {
    let line = line.trim_end_matches([' ', '{']);
    let inside = line.rsplit_once('(').map_or(line, |(_, inside)| inside).trim();
    let inside = inside.strip_prefix("at ").unwrap_or(inside).trim_end_matches(')');
    repo(inside).filter(|(file, _)| !file.starts_with("node:") && file.contains('.'))
}

/// `test at sum.test.js:2:1`, then `✖ adds (1.2ms)` and the error, as node prints for people.
fn node(line: &str, rest: &[&str]) -> Option<Point> {
    let at = repo(line.trim().strip_prefix("test at ")?)?;
    let name = rest.first()?.trim().strip_prefix('✖')?.trim();
    let name = name.rsplit_once(" (").map_or(name, |(name, _)| name);
    let body: Vec<&str> = rest
        .iter()
        .skip(1)
        .map(|line| line.trim())
        .take_while(|line| !line.starts_with("test at "))
        .take(40)
        .collect();
    let frame = body.iter().filter(|line| line.contains("at ")).find_map(|line| framed(line));
    let message: Vec<&str> = body
        .iter()
        .take_while(|line| !line.starts_with("at "))
        .filter(|line| !line.is_empty())
        .take(12)
        .copied()
        .collect();
    let message = message.join("\n");
    Some(Point { at: frame.or(Some(at)), title: format!("{name} failed"), message })
}

#[cfg(test)]
#[path = "annotate_tests.rs"]
mod tests;
