//! The simple commands that the lines of a check are made of, as far as that shows without a shell.
//!
//! Invariants: what might not be run, or whose output might go elsewhere, is not listed. So more
//! may run than is listed, and never less.

use serde_json::Value;

/// How deep scripts of `package.json` that call each other are followed.
const DEEPEST: usize = 4;
/// So many bytes of lines and scripts are read: one that calls another many times, which calls a
/// third many times, would else never be at its end.
const MOST_READ: usize = 256 * 1024;
/// What makes a line more than a list of commands that all run and print here.
const NOT_PLAIN: &[char] = &['|', '<', '>', '(', ')', '`', '{', '}'];
/// The same, as a first word.
const NOT_PLAIN_WORDS: &[&str] = &[
    "if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac", "!",
    "[[", "exit", "exec", "eval", "function", "trap",
];
/// Programs that start the one named after them.
const LAUNCHERS: &[&str] = &[
    "env",
    "time",
    "nice",
    "timeout",
    "xvfb-run",
    "npx",
    "pnpx",
    "bunx",
    "yarn",
    "pnpm",
    "uv",
    "uvx",
    "poetry",
    "pdm",
    "pipenv",
    "hatch",
    "rye",
    "coverage",
    "c8",
    "nyc",
    "cross-env",
    "php",
    "bundle",
];
/// What may stand between a launcher and the program.
const BETWEEN: &[&str] = &["run", "exec", "dlx"];

/// A check's simple commands; none where its lines are more than a list of those.
pub(super) struct CommandList {
    commands: Vec<Vec<String>>,
}

impl CommandList {
    /// Of these lines. `npm test` and its like are replaced by what `package.json` says they run.
    pub(super) fn of(lines: &str, package_json: Option<&str>) -> Self {
        let package = package_json.and_then(|text| serde_json::from_str(text).ok());
        let mut room = MOST_READ;
        let commands = expanded(lines, package.as_ref(), DEEPEST, &mut room).unwrap_or_default();
        Self { commands }
    }

    /// How many of them start something.
    pub(super) fn count(&self, starts: fn(&[String]) -> bool) -> usize {
        self.commands.iter().filter(|words| starts(words)).count()
    }

    /// Whether there are some, and each of them is such a one.
    pub(super) fn are_all(&self, such: impl Fn(&[String]) -> bool) -> bool {
        !self.commands.is_empty() && self.commands.iter().all(|words| such(words))
    }

    /// The last one.
    pub(super) fn last(&self) -> Option<&[String]> {
        self.commands.last().map(Vec::as_slice)
    }

    pub(super) fn is_one_command(&self) -> bool {
        self.commands.len() == 1
    }
}

/// Whether a command starts one of these programs: by itself, through a launcher, or as a module
/// of Python's.
pub(super) fn starts(words: &[String], names: &[&str]) -> bool {
    let mut through = false;
    for word in words {
        let name = word.rsplit('/').next().unwrap_or(word);
        let number = name.starts_with(|first: char| first.is_ascii_digit());
        if names.contains(&name) {
            return true;
        }
        let launcher = LAUNCHERS.contains(&name) || name.starts_with("python");
        let option = word.starts_with('-') || number || BETWEEN.contains(&name);
        let before_it = launcher || is_assignment(word) || through && option;
        if !before_it {
            return false;
        }
        through |= launcher;
    }
    false
}

fn is_assignment(word: &str) -> bool {
    let name = word.split_once('=').map_or("", |(name, _)| name);
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && name.chars().all(letters)
}

/// `room`: how much may still be read. `None`: it is more than a list, or more than that.
fn expanded(
    lines: &str,
    package: Option<&Value>,
    deep: usize,
    room: &mut usize,
) -> Option<Vec<Vec<String>>> {
    *room = room.checked_sub(lines.len())?;
    let mut all = Vec::new();
    let mut at_top = true;
    for words in simple_commands(lines)? {
        // After it, `npm test` is another package's.
        at_top &= !words.first().is_some_and(|first| first == "cd" || first == "pushd");
        let script =
            package.filter(|_| at_top && deep > 0).and_then(|it| package_script(&words, it));
        match script.and_then(|script| expanded(&script, package, deep - 1, room)) {
            Some(commands) => all.extend(commands),
            None => all.push(words),
        }
    }
    Some(all)
}

/// What `npm test`, `npm run NAME`, `yarn NAME` and `pnpm NAME` run.
fn package_script(words: &[String], package: &Value) -> Option<String> {
    let mut words = words.iter().map(String::as_str).skip_while(|word| is_assignment(word));
    let manager = words.next().filter(|it| ["npm", "pnpm", "yarn"].contains(it))?;
    let rest: Vec<&str> = words.collect();
    let passed_on = rest.iter().position(|word| *word == "--");
    let (own, passed_on) = match passed_on {
        Some(at) => (rest.get(..at)?, rest.get(at + 1..)?),
        None => (&rest[..], &[][..]),
    };
    // Anything but these two may name another package.
    let mut own = own.iter().filter(|word| !["--silent", "-s"].contains(word));
    let name = match own.next()? {
        &"run" | &"run-script" => *own.next()?,
        &"t" | &"tst" if manager == "npm" => "test",
        &"test" => "test",
        name if manager == "yarn" => *name,
        _ => return None,
    };
    let script = package.get("scripts")?.get(name)?.as_str()?;
    own.next().is_none().then(|| [&[script], passed_on].concat().join(" "))
}

/// The words of each command in a list of them. `None`: it is more than a list.
fn simple_commands(lines: &str) -> Option<Vec<Vec<String>>> {
    let mut reading = Reading::default();
    let mut characters = lines.chars().peekable();
    while let Some(c) = characters.next() {
        match (reading.quote, c) {
            (Some(quote), _) if c == quote => reading.quote = None,
            (Some('"'), '`') => return None,
            (Some('\''), _) => reading.push(c),
            (_, '$') if characters.peek() == Some(&'(') => return None,
            (_, '\\') => match characters.next()? {
                '\n' => reading.end_word(),
                escaped => reading.push(escaped),
            },
            (Some(_), _) => reading.push(c),
            (None, '\'' | '"') => (reading.quote, reading.open) = (Some(c), true),
            (None, '#') if !reading.open => while characters.next_if(|c| *c != '\n').is_some() {},
            (None, '&') => {
                characters.next_if_eq(&'&')?;
                reading.end_command()?;
                reading.goes_on = true;
            }
            (None, '\n' | ';') => {
                reading.end_command()?;
                reading.end_list();
            }
            (None, _) if NOT_PLAIN.contains(&c) => return None,
            (None, _) if c.is_whitespace() => reading.end_word(),
            (None, _) => reading.push(c),
        }
    }
    reading.end_command()?;
    reading.quote.is_none().then(|| reading.all_that_run())
}

#[derive(Default)]
struct Reading {
    /// Lists that are over; `a && b` is one.
    lists: Vec<Vec<Vec<String>>>,
    list: Vec<Vec<String>>,
    words: Vec<String>,
    word: String,
    /// Whether a word has begun.
    open: bool,
    quote: Option<char>,
    /// Whether `&&` was the last thing read.
    goes_on: bool,
}

impl Reading {
    fn push(&mut self, c: char) {
        self.word.push(c);
        self.open = true;
    }

    fn end_word(&mut self) {
        if std::mem::take(&mut self.open) {
            self.words.push(std::mem::take(&mut self.word));
        }
    }

    /// `None`: the command decides whether others run.
    fn end_command(&mut self) -> Option<()> {
        self.end_word();
        let words = std::mem::take(&mut self.words);
        if words.first().is_some_and(|first| NOT_PLAIN_WORDS.contains(&&**first)) {
            return None;
        }
        if !words.is_empty() {
            self.list.push(words);
            self.goes_on = false;
        }
        Some(())
    }

    fn end_list(&mut self) {
        if !self.goes_on && !self.list.is_empty() {
            self.lists.push(std::mem::take(&mut self.list));
        }
    }

    /// `sh -e` goes on after `false && a`, so of such a list only the first command is sure to run.
    /// Of the last list all are, as it ends the run with its own exit code.
    fn all_that_run(mut self) -> Vec<Vec<String>> {
        self.goes_on = false;
        self.end_list();
        let last = self.lists.pop().unwrap_or_default();
        self.lists.into_iter().filter_map(|list| list.into_iter().next()).chain(last).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_that_call_each_other_without_end_are_not_listed() {
        let many = |name: &str| vec![format!("npm run {name}"); 4_000].join("\n");
        let package = serde_json::json!({"scripts": {
            "test": many("a"), "a": many("b"), "b": many("c"), "c": "jest",
        }});
        let list = CommandList::of("npm test", Some(&package.to_string()));
        assert!(list.commands.len() < MOST_READ, "{}", list.commands.len());
        let once = serde_json::json!({"scripts": {"test": "npm run a", "a": "jest"}});
        let list = CommandList::of("npm test", Some(&once.to_string()));
        assert_eq!(list.commands, [["jest"]]);
    }
}
