//! A shell's text as the programs it calls, as far as names go.
//!
//! Invariants: every word of the text that could be a program is taken for one; quotes are only
//! taken off, so that what stands in them is read like the rest. What stands in `$(…)` is asked for
//! its output, most often by a test that compares it, and counts as a value. The time is
//! proportional to the text.

use std::collections::HashMap;

/// One program with its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call<'a>(Vec<&'a str>);

/// Programs that run the words behind them.
const WRAPPERS: &[&str] = &[
    "env", "exec", "time", "nice", "nohup", "command", "sudo", "timeout", "xvfb-run", "npx", "uv",
    "poetry", "pipenv", "hatch", "pdm", "bundle", "run", "if", "then", "else", "do", "while",
    "until", "!", "{",
];
/// Programs that run the file they are given.
const INTERPRETERS: &[&str] = &[
    "sh", "bash", "dash", "zsh", "ksh", "source", ".", "python", "python3", "node", "ruby", "perl",
    "php", "deno", "bun", "tsx", "ts-node", "pwsh", "Rscript", "lua", "tclsh",
];
/// Options whose value is a file that decides what a program does.
const OPTIONS: &[&str] = &["-r", "-f", "-m", "--require", "--import", "--loader"];

/// The programs that a text calls, in the order of their words. Values are taken out of it first:
/// [`without_values`].
pub(super) fn calls(text: &str) -> Vec<Call<'_>> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let parts = lines.flat_map(|line| line.split([';', '&', '|', '(', ')']));
    let between = |c: char| c.is_whitespace() || "'\"<>".contains(c);
    let words = parts.map(|part| part.split(between).filter(|word| !word.is_empty()));
    words.filter_map(|words| Call::of(words.collect())).collect()
}

/// A text with `$_` for each `$(…)` and each pair of backticks.
pub(super) fn without_values(text: &str) -> String {
    let ends = ends_of_brackets(text);
    let (mut found, mut at) = (String::new(), 0);
    while let Some(next) = text[at..].find(['$', '`']) {
        let (start, value) = (at + next, &text[at + next..]);
        found.push_str(&text[at..start]);
        let end = match value.strip_prefix('`') {
            Some(inside) => inside.find('`').map(|end| start + end + 2),
            None if value.starts_with("$(") => ends.get(&(start + 1)).map(|end| end + 1),
            None => None,
        };
        match end {
            Some(end) => {
                found.push_str("$_");
                at = end;
            }
            // A variable, or what never ends.
            None => {
                found.push_str(&value[..1]);
                at = start + 1;
            }
        }
    }
    found.push_str(&text[at..]);
    found
}

/// Where each bracket is closed that is.
fn ends_of_brackets(text: &str) -> HashMap<usize, usize> {
    let (mut open, mut ends) = (Vec::new(), HashMap::new());
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => open.push(at),
            b')' => ends.extend(open.pop().map(|start| (start, at))),
            _ => {}
        }
    }
    ends
}

impl<'a> Call<'a> {
    /// Without what stands before the program: assignments, wrappers with their numbers, options.
    fn of(mut words: Vec<&'a str>) -> Option<Self> {
        let is_before = |word: &&str| {
            let name = word.trim_start_matches(['@', '-', '+']);
            WRAPPERS.contains(&name)
                || word.starts_with('-')
                || word.split_once('=').is_some_and(|(name, _)| !name.contains('/'))
                || word.trim_end_matches(['s', 'm']).bytes().all(|byte| byte.is_ascii_digit())
        };
        let mut start = 0;
        loop {
            start += words[start..].iter().take_while(|word| is_before(word)).count();
            // A recipe's own marks.
            let first = words.get_mut(start)?;
            *first = first.trim_start_matches(['@', '+']);
            let is_shell = INTERPRETERS.contains(first);
            let is_told = |word: &&str| matches!(*word, "-c" | "-ec");
            // `sh -c 'make test'` is `make test`.
            match words[start..].iter().position(is_told).filter(|_| is_shell) {
                Some(at) => start += at + 1,
                None => return Some(Self(words.split_off(start))),
            }
        }
    }

    /// Its name, without where it lies.
    pub(super) fn program(&self) -> &'a str {
        let program = self.0.first().copied().unwrap_or_default();
        program.rsplit_once('/').map_or(program, |(_, name)| name)
    }

    /// All words behind the program.
    pub(super) fn words(&self) -> impl Iterator<Item = &'a str> {
        self.0.iter().skip(1).copied()
    }

    /// What it runs, and what tells it what to do: a program of the tree, the file that an
    /// interpreter is given, and files that options name.
    pub(super) fn runs(&self) -> impl Iterator<Item = &'a str> {
        let program = self.0.first().copied().filter(|program| program.contains('/'));
        // A variable may well be one: `$PYTHON tools/all.py`.
        let program_word = self.program();
        let interprets = INTERPRETERS.contains(&program_word) || program_word.starts_with('$');
        let given = self.operands(&["-o", "-W", "-X"]).next().filter(|_| interprets);
        let options = self.0.windows(2).filter_map(|pair| {
            let takes = OPTIONS.contains(&pair[0]) || pair[0].starts_with("--");
            takes.then_some(pair[1]).filter(|word| !word.starts_with('-'))
        });
        let values = self.words().filter_map(|word| word.strip_prefix("--")?.split_once('='));
        let values = values.map(|(_, value)| value);
        let named: Vec<&str> =
            program.into_iter().chain(given).chain(options).chain(values).collect();
        named.into_iter()
    }

    /// The value of the first of these options that is there.
    pub(super) fn value_of(&self, options: &[&str]) -> Option<&'a str> {
        let behind = self.0.windows(2).find(|pair| options.contains(&pair[0]));
        let joined = || {
            let pairs = self.words().filter_map(|word| word.split_once('='));
            pairs.into_iter().find(|(name, _)| options.contains(name)).map(|(_, value)| value)
        };
        behind.map(|pair| pair[1]).or_else(joined)
    }

    /// Words that are no options, no assignments and no values of these options.
    pub(super) fn operands(&self, with_value: &[&str]) -> impl Iterator<Item = &'a str> {
        let mut found = Vec::new();
        let mut words = self.words();
        while let Some(word) = words.next() {
            if with_value.contains(&word) {
                words.next();
            } else if !word.starts_with('-') && !word.contains('=') {
                found.push(word);
            }
        }
        found.into_iter()
    }
}
