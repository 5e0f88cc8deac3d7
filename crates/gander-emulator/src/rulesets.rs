//! Rulesets of a repository: what is asked of which refs.
//!
//! Invariants: only an active one stops anybody; here nobody may bypass it.

use super::state::{Repository, Ruleset};
use super::{Emulator, Trouble};

/// A ruleset, as people make one.
#[derive(Debug, Clone, Copy)]
pub struct RulesetSpec<'a> {
    /// Its name.
    pub name: &'a str,
    /// `branch` or `tag`.
    pub target: &'a str,
    /// `active`, `evaluate` or `disabled`.
    pub enforcement: &'a str,
    /// `~ALL`, `~DEFAULT_BRANCH`, or whole names such as `refs/tags/v1`, where `*` stands for all
    /// but a slash.
    pub include: &'a [&'a str],
    /// The same, of what it is not about.
    pub exclude: &'a [&'a str],
    /// Kinds of rules without parameters: `creation`, `update`, `deletion`, `non_fast_forward`.
    pub rules: &'a [&'a str],
}

impl Emulator {
    /// Adds a ruleset to a repository.
    ///
    /// # Errors
    /// When there is no such repository.
    pub fn add_ruleset(&self, repository: &str, spec: RulesetSpec<'_>) -> Result<u64, Trouble> {
        let mut state = self.lock();
        let repository = state.repository_id(repository)?;
        let (id, made_at) = (state.ids.ruleset(), state.now());
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        state.repository_mut(repository)?.rulesets.push(Ruleset {
            id,
            name: spec.name.to_owned(),
            target: spec.target.to_owned(),
            enforcement: spec.enforcement.to_owned(),
            include: owned(spec.include),
            exclude: owned(spec.exclude),
            rules: owned(spec.rules),
            made_at,
        });
        Ok(id)
    }
}

impl Ruleset {
    /// Whether it holds for a ref, as `refs/heads/main`.
    pub(crate) fn holds_for(&self, known: &Repository, name: &str) -> bool {
        let of_target = match self.target.as_str() {
            "branch" => name.starts_with("refs/heads/"),
            "tag" => name.starts_with("refs/tags/"),
            _ => false,
        };
        let default = format!("refs/heads/{}", known.default_branch);
        let fits = |pattern: &String| match pattern.as_str() {
            "~ALL" => true,
            "~DEFAULT_BRANCH" => name == default,
            pattern => matches(pattern, name),
        };
        self.enforcement == "active"
            && of_target
            && self.include.iter().any(fits)
            && !self.exclude.iter().any(fits)
    }
}

/// Which rule keeps a ref from being made, moved or deleted (`creation`, `update`, `deletion`), in
/// GitHub's words.
pub(crate) fn why_not(known: &Repository, name: &str, act: &str) -> Option<String> {
    let asks = |one: &&Ruleset| one.rules.iter().any(|rule| rule == act);
    let ruleset = known.rulesets.iter().filter(asks).find(|one| one.holds_for(known, name))?;
    let words = match ruleset.rules.iter().find(|rule| *rule == act)?.as_str() {
        "creation" => "Cannot create ref due to creations being restricted.",
        "deletion" => "Cannot delete this protected ref.",
        _ => "Cannot update this protected ref.",
    };
    Some(format!("Repository rule violations found\n\n{words}\n\n"))
}

/// Whether `*` and what stands around it make up a name.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => name.strip_prefix(before).is_some_and(|rest| {
            let mut ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
            ends.any(|at| !rest[..at].contains('/') && matches(after, &rest[at..]))
        }),
    }
}
