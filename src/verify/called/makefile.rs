//! A Makefile as far as one can tell which recipe lines a goal runs.
//!
//! Invariants: variables are filled in once, and what a program would work out stays as it is;
//! files that it includes are not read.

use std::collections::{BTreeMap, BTreeSet};

/// Rules and variables.
#[derive(Debug, Default)]
pub(super) struct Makefile {
    rules: BTreeMap<String, Rule>,
    /// The first target, which `make` alone makes.
    first: Option<String>,
    variables: BTreeMap<String, String>,
}

#[derive(Debug, Default)]
struct Rule {
    needs: Vec<String>,
    recipe: Vec<String>,
}

impl Makefile {
    pub(super) fn of(text: &str) -> Self {
        let mut it = Self::default();
        let mut targets: Vec<String> = Vec::new();
        let joined = text.replace("\\\r\n", " ").replace("\\\n", " ");
        for line in joined.lines() {
            if let Some(recipe) = line.strip_prefix('\t') {
                it.recipe(&targets, recipe);
                continue;
            }
            let line = line.split('#').next().unwrap_or_default().trim();
            if let Some((name, value)) = assignment(line) {
                it.variables.insert(name.to_owned(), value.to_owned());
            } else if let Some((left, right)) = line.split_once(':') {
                let right = right.trim_start_matches(':');
                let (needs, inline) = right.split_once(';').unwrap_or((right, ""));
                let words = |text: &str| -> Vec<String> {
                    text.split_whitespace().map(str::to_owned).collect()
                };
                targets = words(left);
                for target in &targets {
                    if it.first.is_none() && !target.starts_with('.') {
                        it.first = Some(target.clone());
                    }
                    it.rules.entry(target.clone()).or_default().needs.extend(words(needs));
                }
                it.recipe(&targets, inline);
            }
        }
        it
    }

    fn recipe(&mut self, targets: &[String], line: &str) {
        for target in targets.iter().filter(|_| !line.trim().is_empty()) {
            self.rules.entry(target.clone()).or_default().recipe.push(line.to_owned());
        }
    }

    /// The recipe lines that these goals run, with those of what they need; without a goal, those
    /// of the first target.
    pub(super) fn recipes(&self, goals: &[&str]) -> Vec<String> {
        let goals = goals.iter().map(|goal| (*goal).to_owned());
        let first = self.first.iter().filter(|_| goals.len() == 0).cloned();
        let mut waiting: Vec<String> = first.chain(goals.clone()).collect();
        let (mut known, mut lines) = (BTreeSet::new(), Vec::new());
        while let Some(target) = waiting.pop() {
            let Some(rule) = self.rules.get(&target).filter(|_| known.insert(target.clone()))
            else {
                continue;
            };
            waiting.extend(rule.needs.iter().cloned());
            for line in &rule.recipe {
                let line = self.filled(line);
                if let Some((_, further)) = line.split_once("$(MAKE)") {
                    waiting.extend(further.split_whitespace().map(str::to_owned));
                }
                lines.push(line);
            }
        }
        lines
    }

    fn filled(&self, line: &str) -> String {
        let mut text = line.trim_start_matches(['@', '-', '+']).to_owned();
        for (name, value) in &self.variables {
            text = text.replace(&format!("$({name})"), value);
            text = text.replace(&format!("${{{name}}}"), value);
        }
        text
    }
}

/// `NAME = value`, in each of its forms.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let (left, value) = line.split_once('=')?;
    let name = left.trim_end_matches([':', '?', '+', '!']).trim();
    let name = name.strip_prefix("export ").unwrap_or(name).trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    (!name.is_empty() && name.chars().all(plain)).then_some((name, value.trim()))
}
