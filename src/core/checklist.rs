//! Whether an installation is safe and ready: one item for each thing that has to be so.
//!
//! Invariants: an item that is not well says the next step; what could not be looked at is unknown
//! and never well; nothing here holds a secret.

use serde::Serialize;

pub mod github;
pub mod repository;

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ItemState {
    /// As it should be.
    Ok,
    /// It works, and a person should look at it.
    Warning,
    /// It could not be found out.
    Unknown,
    /// It does not work, or is not safe.
    Failed,
}

/// One line of the checklist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct ChecklistItem {
    pub name: &'static str,
    /// The repository, model or installation that it is about; `None`: all of Gander.
    pub about: Option<String>,
    pub state: ItemState,
    /// What was seen.
    pub seen: String,
    /// The next step. Only what is well has none.
    pub next: Option<String>,
}

impl ItemState {
    /// Its word, for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Unknown => "unknown",
            Self::Failed => "FAILED",
        }
    }
}

impl ChecklistItem {
    /// As it should be.
    pub fn ok(name: &'static str, seen: impl Into<String>) -> Self {
        Self { name, about: None, state: ItemState::Ok, seen: seen.into(), next: None }
    }

    /// It works, and a person should look at it.
    pub fn warning(name: &'static str, seen: impl Into<String>, next: impl Into<String>) -> Self {
        Self { state: ItemState::Warning, ..Self::failed(name, seen, next) }
    }

    /// It could not be found out.
    pub fn unknown(name: &'static str, seen: impl Into<String>, next: impl Into<String>) -> Self {
        Self { state: ItemState::Unknown, ..Self::failed(name, seen, next) }
    }

    /// It does not work, or is not safe.
    pub fn failed(name: &'static str, seen: impl Into<String>, next: impl Into<String>) -> Self {
        let (seen, next) = (seen.into(), Some(next.into()));
        Self { name, about: None, state: ItemState::Failed, seen, next }
    }

    /// The same, about one repository, model or installation.
    #[must_use]
    pub fn about(self, what: impl Into<String>) -> Self {
        Self { about: Some(what.into()), ..self }
    }

    /// `ok       clock  this machine and GitHub agree`, and the next step below it.
    pub fn line(&self) -> String {
        let Self { name, about, state, seen, next } = self;
        let about = about.as_ref().map_or(String::new(), |about| format!("{about}: "));
        let mut line = format!("{:<8} {name:<15} {about}{}", state.word(), indented(seen));
        if let Some(next) = next {
            line.push_str(&format!("\n{:24} → {}", "", indented(next)));
        }
        line
    }
}

/// Further lines below the first.
fn indented(text: &str) -> String {
    text.trim_end().replace('\n', &format!("\n{:27}", ""))
}

/// How many of each there are, for people.
pub fn summary(items: &[ChecklistItem]) -> String {
    let count = |state| items.iter().filter(|item| item.state == state).count();
    let counted = [
        (count(ItemState::Failed), "failed"),
        (count(ItemState::Warning), "to be looked at"),
        (count(ItemState::Unknown), "unknown"),
    ];
    let told: Vec<String> = counted
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, words)| format!("{count} {words}"))
        .collect();
    match told.is_empty() {
        true => format!("All {} are well.", items.len()),
        false => format!("Of {}: {}.", items.len(), told.join(", ")),
    }
}

/// Whether something is red.
pub fn has_failed(items: &[ChecklistItem]) -> bool {
    items.iter().any(|item| item.state == ItemState::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_it_is_and_the_next_step() {
        let well = ChecklistItem::ok("clock", "it agrees with GitHub's");
        assert_eq!(well.line(), "ok       clock           it agrees with GitHub's");
        let red = ChecklistItem::failed("tags", "anybody\nmoves them", "make a ruleset");
        let red = red.about("acme/stats");
        assert_eq!(
            red.line(),
            "FAILED   tags            acme/stats: anybody\n                           moves \
             them\n                         → make a ruleset"
        );
        let items = [well, red.clone(), ChecklistItem { state: ItemState::Unknown, ..red }];
        assert_eq!(summary(&items), "Of 3: 1 failed, 1 unknown.");
        assert!(has_failed(&items) && !has_failed(&items[..1]));
        assert_eq!(summary(&items[..1]), "All 1 are well.");
    }
}
