//! What single values of the rules may be.
//!
//! Invariants: a value is judged while it is read, so that a mistake is reported where it stands:
//! of a list, at the entry. Each function belongs to one key and names it in its message. The rows
//! of running jobs hold their rules and are read by the same functions, so a value that is allowed
//! now stays readable: what becomes stricter here needs a migration of those rows.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};

use super::super::budget::Money;
use super::super::target::ReleaseTarget;
use super::{runs_nothing, tag_of};

pub(super) fn budget_run<'de, D: Deserializer<'de>>(from: D) -> Result<Money, D::Error> {
    above_zero("[budget] run", from)
}

pub(super) fn budget_repository_day<'de, D: Deserializer<'de>>(from: D) -> Result<Money, D::Error> {
    above_zero("[budget] repository_day", from)
}

pub(super) fn budget_person_day<'de, D: Deserializer<'de>>(from: D) -> Result<Money, D::Error> {
    above_zero("[budget] person_day", from)
}

pub(super) fn agent_model<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    model_name("[agent] model", from)
}

pub(super) fn commit_title<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let Some(title) = Option::<String>::deserialize(from)? else { return Ok(None) };
    let rest = ["{title}", "{number}", "{type}"]
        .iter()
        .fold(title.clone(), |rest, it| rest.replace(it, ""));
    let wanted = "write a line with `{title}`, and `{number}` and `{type}` where you want them";
    match title {
        _ if !title.contains("{title}") => {
            refused("[commit] title", &format!("it holds no `{{title}}`: {wanted}"))
        }
        _ if rest.contains(['{', '}', '\n']) || title.chars().count() > 100 => {
            refused("[commit] title", &format!("it cannot be used: {wanted}"))
        }
        title => Ok(Some(title)),
    }
}

pub(super) fn judge_model<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    model_name("[judge] model", from)
}

fn model_name<'de, D: Deserializer<'de>>(key: &str, from: D) -> Result<Option<String>, D::Error> {
    let name = Option::<String>::deserialize(from)?;
    if name.as_ref().is_some_and(|name| name.trim().is_empty()) {
        return refused(key, "it is empty: write a model's name, or take it out");
    }
    Ok(name)
}

pub(super) fn agent_attempts<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    within("[agent] attempts", 1, 10, from)
}

pub(super) fn agent_turns<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    within("[agent] turns", 1, 200, from)
}

pub(super) fn agent_minutes<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    within("[agent] minutes", 1, 240, from)
}

pub(super) fn verify_commands<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    entries("[verify] commands", EntryKind::Command, from)
}

pub(super) fn verify_minutes<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    within("[verify] minutes", 1, 240, from)
}

pub(super) fn paths_protected<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    entries("[paths] protected", EntryKind::Glob, from)
}

pub(super) fn paths_flagged<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    entries("[paths] flagged", EntryKind::Glob, from)
}

pub(super) fn limits_files<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    within("[limits] files", 1, 1000, from)
}

pub(super) fn limits_patch_kib<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    within("[limits] patch_kib", 1, 10_240, from)
}

pub(super) fn limits_open_pulls<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    within("[limits] open_pulls", 1, 100, from)
}

pub(super) fn limits_open_per_reviewer<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<u32, D::Error> {
    within("[limits] open_per_reviewer", 1, 100, from)
}

pub(super) fn limits_source_lines<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    within("[limits] source_lines", 1, 100_000, from)
}

pub(super) fn limits_test_lines<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    within("[limits] test_lines", 1, 100_000, from)
}

pub(super) fn limits_rounds<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    within("[limits] rounds", 1, 100, from)
}

pub(super) fn limits_ci_repairs<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    within("[limits] ci_repairs", 0, 10, from)
}

pub(super) fn checks_required<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    entries("[checks] required", EntryKind::CheckName, from)
}

pub(super) fn release_tag<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let pattern = String::deserialize(from)?;
    if pattern.matches("{version}").count() != 1 || tag_of(&pattern, "1.0.0").is_none() {
        return refused("[release] tag", "must be a tag's name with {version} in it");
    }
    Ok(pattern)
}

pub(super) fn release_build<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    entries("[release] build", EntryKind::Command, from)
}

pub(super) fn release_artifacts<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Vec<String>, D::Error> {
    entries("[release] artifacts", EntryKind::Glob, from)
}

pub(super) fn release_targets<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Vec<ReleaseTarget>, D::Error> {
    let mut targets: Vec<ReleaseTarget> = Vec::new();
    for word in Vec::<String>::deserialize(from)? {
        let target = match word.parse::<ReleaseTarget>() {
            Ok(target) => target,
            Err(why) => return refused("[release] targets", why.as_str()),
        };
        if targets.contains(&target) {
            return refused("[release] targets", &format!("names `{word}` twice"));
        }
        targets.push(target);
    }
    Ok(targets)
}

pub(super) fn release_approval_hours<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<u32>, D::Error> {
    let hours = Option::<u32>::deserialize(from)?;
    hours.map(|hours| in_range("[release] approval_hours", 1, 720, hours)).transpose()
}

fn above_zero<'de, D: Deserializer<'de>>(key: &str, from: D) -> Result<Money, D::Error> {
    let amount = Money::deserialize(from)?;
    if amount <= Money::ZERO { refused(key, "must be above zero") } else { Ok(amount) }
}

fn within<'de, D: Deserializer<'de>>(
    key: &str,
    least: u32,
    most: u32,
    from: D,
) -> Result<u32, D::Error> {
    in_range(key, least, most, u32::deserialize(from)?)
}

fn in_range<E: Error>(key: &str, least: u32, most: u32, value: u32) -> Result<u32, E> {
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        refused(key, &format!("must be {least} to {most}"))
    }
}

fn entries<'de, D: Deserializer<'de>>(
    key: &'static str,
    kind: EntryKind,
    from: D,
) -> Result<Vec<String>, D::Error> {
    from.deserialize_seq(List { key, kind })
}

fn refused<T, E: Error>(key: &str, problem: &str) -> Result<T, E> {
    Err(E::custom(format_args!("`{key}`: {problem}")))
}

/// What a list holds.
#[derive(Clone, Copy)]
enum EntryKind {
    Command,
    Glob,
    CheckName,
}

impl EntryKind {
    /// What is wrong with the entry of this number. One that says nothing would be a check that
    /// passes, or a path that nothing matches.
    fn problem(self, number: usize, entry: &str) -> Option<String> {
        let wanted = match self {
            Self::Command => "a command that runs something",
            Self::Glob => "a pattern of paths",
            Self::CheckName => "a check's name",
        };
        let nothing =
            entry.trim().is_empty() || matches!(self, Self::Command) && runs_nothing(entry);
        if nothing {
            let what = if entry.contains('#') { "is only a comment" } else { "is empty" };
            return Some(format!("number {number} {what}: write {wanted}, or take it out"));
        }
        let bad_glob = matches!(self, Self::Glob) && globset::Glob::new(entry).is_err();
        bad_glob.then(|| "holds something that is not a glob pattern".to_owned())
    }
}

/// Reads a list.
struct List {
    key: &'static str,
    kind: EntryKind,
}

impl<'de> Visitor<'de> for List {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Vec<String>, A::Error> {
        let mut all = Vec::new();
        let Self { key, kind } = self;
        while let Some(entry) =
            from.next_element_seed(Entry { key, kind, number: all.len() + 1 })?
        {
            all.push(entry);
        }
        Ok(all)
    }
}

/// Reads one entry of a list. It is judged in the visitor, since the parser adds the place of a
/// string only to what the visitor of that string refuses.
struct Entry {
    key: &'static str,
    kind: EntryKind,
    number: usize,
}

impl<'de> DeserializeSeed<'de> for Entry {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<String, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for Entry {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, entry: &str) -> Result<String, E> {
        match self.kind.problem(self.number, entry) {
            Some(problem) => refused(self.key, &problem),
            None => Ok(entry.to_owned()),
        }
    }
}
