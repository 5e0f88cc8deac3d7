//! A Makefile as far as one can tell which recipe lines a goal runs.
//!
//! Invariants: variables are filled in as deep as [`DEEPEST`], and what a program would work out
//! stays as it is; files that it includes are not read. The time and the memory are proportional to
//! the text, whatever it says: where a line would be longer than is filled in here, whatever stands
//! in any variable counts as a line of the recipe, so that more is called and never less.

use std::collections::{BTreeMap, BTreeSet};

/// How deep variables stand in each other.
const DEEPEST: usize = 16;
/// The longest that a line gets, in bytes, and all of them together.
const LONGEST_LINE: usize = 64 * 1024;
const MOST_FILLED: usize = 4 << 20;

/// Rules and variables.
#[derive(Debug, Default)]
pub(super) struct Makefile {
    rules: Vec<Rule>,
    /// Which rules a target has.
    by_target: BTreeMap<String, Vec<usize>>,
    /// The first target, which `make` alone makes.
    first: Option<String>,
    variables: BTreeMap<String, String>,
}

/// What stands under one line of targets, however many those are.
#[derive(Debug, Default)]
struct Rule {
    needs: Vec<String>,
    recipe: Vec<String>,
}

/// What is more than is filled in.
struct TooLong;

impl Makefile {
    pub(super) fn of(text: &str) -> Self {
        let mut it = Self::default();
        let joined = text.replace("\\\r\n", " ").replace("\\\n", " ");
        for line in joined.lines() {
            if let Some(recipe) = line.strip_prefix('\t') {
                it.recipe(recipe);
                continue;
            }
            let line = line.split('#').next().unwrap_or_default().trim();
            if let Some((name, value)) = assignment(line) {
                it.variables.insert(name.to_owned(), value.to_owned());
            } else if let Some((left, right)) = line.split_once(':') {
                let right = right.trim_start_matches(':');
                let (needs, inline) = right.split_once(';').unwrap_or((right, ""));
                for target in left.split_whitespace() {
                    if it.first.is_none() && !target.starts_with('.') {
                        it.first = Some(target.to_owned());
                    }
                    it.by_target.entry(target.to_owned()).or_default().push(it.rules.len());
                }
                let needs = needs.split_whitespace().map(str::to_owned).collect();
                it.rules.push(Rule { needs, recipe: Vec::new() });
                it.recipe(inline);
            }
        }
        it
    }

    /// One more line under the last targets.
    fn recipe(&mut self, line: &str) {
        if let Some(rule) = self.rules.last_mut().filter(|_| !line.trim().is_empty()) {
            rule.recipe.push(line.to_owned());
        }
    }

    /// The recipe lines that these goals run, with those of what they need; without a goal, those
    /// of the first target.
    pub(super) fn recipes(&self, goals: &[&str]) -> Vec<String> {
        let mut waiting: Vec<String> = match goals {
            [] => self.first.iter().cloned().collect(),
            goals => goals.iter().map(|goal| (*goal).to_owned()).collect(),
        };
        let (mut known, mut followed) = (BTreeSet::new(), BTreeSet::new());
        let (mut lines, mut room, mut all_filled) = (Vec::new(), MOST_FILLED, true);
        while let Some(target) = waiting.pop() {
            let Some(rules) = self.by_target.get(&target) else { continue };
            if !known.insert(target) {
                continue;
            }
            for at in rules.iter().filter(|at| followed.insert(**at)) {
                let rule = &self.rules[*at];
                waiting.extend(rule.needs.iter().cloned());
                for line in &rule.recipe {
                    let line = line.trim_start_matches(['@', '-', '+']);
                    let filled = self.filled(line, &mut room);
                    all_filled &= filled.is_ok();
                    let line = filled.unwrap_or_else(|TooLong| line.to_owned());
                    if let Some((_, further)) = line.split_once("$(MAKE)") {
                        waiting.extend(further.split_whitespace().map(str::to_owned));
                    }
                    lines.push(line);
                }
            }
        }
        if !all_filled {
            lines.extend(self.variables.values().cloned());
        }
        lines
    }

    /// A line with its variables filled in, out of this room.
    fn filled(&self, line: &str, room: &mut usize) -> Result<String, TooLong> {
        let mut own = LONGEST_LINE.max(line.len()).min(*room);
        let before = own;
        let mut text = String::new();
        let filled = self.fill(line, &mut Vec::new(), &mut own, &mut text);
        *room -= before - own;
        filled.map(|()| text)
    }

    /// `inside`: the variables that this text is the value of.
    fn fill<'a>(
        &'a self,
        text: &'a str,
        inside: &mut Vec<&'a str>,
        room: &mut usize,
        filled: &mut String,
    ) -> Result<(), TooLong> {
        // One that is empty takes room, too, or many of them would take no end of time.
        *room = room.checked_sub(text.len() + 1).ok_or(TooLong)?;
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            filled.push_str(&rest[..at]);
            rest = &rest[at..];
            let (name, behind) = reference(rest).unwrap_or(("", &rest[1..]));
            match self.variables.get(name) {
                // `FLAGS := $(FLAGS) -g`
                Some(value) if !inside.contains(&name) => {
                    if inside.len() == DEEPEST {
                        return Err(TooLong);
                    }
                    inside.push(name);
                    self.fill(value, inside, room, filled)?;
                    inside.pop();
                }
                _ => filled.push_str(&rest[..rest.len() - behind.len()]),
            }
            rest = behind;
        }
        filled.push_str(rest);
        Ok(())
    }
}

/// The name in `$(NAME)` or `${NAME}` at the start of a text, and what follows.
fn reference(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix("$(").or_else(|| text.strip_prefix("${"))?;
    let end = inside.find(|c| !of_name(c))?;
    let closes = if text.starts_with("$(") { ')' } else { '}' };
    let behind = inside[end..].strip_prefix(closes)?;
    Some((&inside[..end], behind))
}

fn of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-.".contains(c)
}

/// `NAME = value`, in each of its forms.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let (left, value) = line.split_once('=')?;
    let name = left.trim_end_matches([':', '?', '+', '!']).trim();
    let name = name.strip_prefix("export ").unwrap_or(name).trim();
    (!name.is_empty() && name.chars().all(of_name)).then_some((name, value.trim()))
}
