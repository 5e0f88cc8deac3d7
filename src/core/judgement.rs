//! What a second model thinks of a green change, and how often such warnings came true.
//!
//! Invariants: nothing follows from a judgement but words. It makes no change red, holds none and
//! approves none; what an author says of its own change is no part of what it is made from.

use serde::{Deserialize, Serialize};

/// What became of asking for a second opinion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondOpinion {
    /// The model answered.
    Given(Judgement),
    /// It gave no usable answer: why.
    Missing(String),
}

/// A model's opinion of one change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// The model's name.
    pub model: String,
    /// Whether the change does what was asked for.
    pub opinion: Opinion,
    /// What the change does, in its words.
    pub summary: String,
    /// What people should look at, in its words.
    pub concerns: Vec<Concern>,
    /// Concerns that are not shown: too many, or about no file of the change.
    #[serde(default)]
    pub concerns_left: usize,
    /// Files of the change that it was not shown, or only in part, as the change is too long.
    #[serde(default)]
    pub unseen: Vec<String>,
    /// Which flags of the change people should look at first: places in their list, from 0.
    pub look_first: Vec<usize>,
    /// What became of earlier pull requests that were judged.
    pub record: JudgeRecord,
}

/// Whether a change does what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Opinion {
    /// It does.
    Yes,
    /// It does not, or not all of it.
    No,
    /// That does not follow from what was shown.
    Unclear,
}

/// One thing to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concern {
    /// A file of the change.
    pub path: String,
    /// From 1; 0: none in particular.
    pub line: u32,
    /// What is odd there.
    pub what: String,
}

impl Judgement {
    /// Whether it warns people.
    pub fn warns(&self) -> bool {
        self.opinion == Opinion::No || !self.concerns.is_empty()
    }

    /// The flags of the change, those first that it would look at first.
    pub fn sorted<T: Clone>(&self, flags: &[T]) -> Vec<T> {
        let first = self.look_first.iter().filter_map(|at| flags.get(*at));
        let rest = flags.iter().enumerate().filter(|(at, _)| !self.look_first.contains(at));
        first.chain(rest.map(|(_, flag)| flag)).cloned().collect()
    }
}

impl SecondOpinion {
    /// The judgement, if there is one.
    pub fn given(&self) -> Option<&Judgement> {
        match self {
            Self::Given(judgement) => Some(judgement),
            Self::Missing(_) => None,
        }
    }
}

/// A pull request that was judged, and what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JudgedPull {
    /// Whether the model warned of it.
    pub warned: bool,
    /// How it ended. `None`: it is still open.
    pub fate: Option<PullFate>,
}

/// What became of a pull request after it was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullFate {
    /// Merged as it was then.
    AsItWas,
    /// Changed before it was merged, or not merged.
    Otherwise,
}

/// What became of the judged pull requests of a repository that are over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgeRecord {
    /// Those that the model warned of.
    pub warned: PastPulls,
    /// The others.
    pub not_warned: PastPulls,
}

/// So many pull requests that are over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastPulls {
    /// All of them.
    pub over: u32,
    /// Those that were changed before they were merged, or not merged.
    pub otherwise: u32,
}

impl JudgeRecord {
    /// Counts pull requests. Those that are open are left out.
    pub fn add(&mut self, pull: JudgedPull, count: u32) {
        let Some(fate) = pull.fate else { return };
        let past = if pull.warned { &mut self.warned } else { &mut self.not_warned };
        past.over += count;
        past.otherwise += if fate == PullFate::Otherwise { count } else { 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judgement() -> Judgement {
        Judgement {
            model: "m".into(),
            opinion: Opinion::Yes,
            summary: String::new(),
            concerns: Vec::new(),
            concerns_left: 0,
            unseen: Vec::new(),
            look_first: vec![2, 0, 7],
            record: JudgeRecord::default(),
        }
    }

    #[test]
    fn flags_are_sorted_and_none_is_lost_or_made_up() {
        assert_eq!(judgement().sorted(&["a", "b", "c"]), ["c", "a", "b"]);
        assert_eq!(judgement().sorted(&["a"]), ["a"]);
    }

    #[test]
    fn what_is_open_says_nothing_of_a_warning() {
        let mut record = JudgeRecord::default();
        for (warned, fate, count) in [
            (true, None, 5),
            (true, Some(PullFate::Otherwise), 2),
            (true, Some(PullFate::AsItWas), 1),
            (false, Some(PullFate::AsItWas), 4),
        ] {
            record.add(JudgedPull { warned, fate }, count);
        }
        assert_eq!(record.warned, PastPulls { over: 3, otherwise: 2 });
        assert_eq!(record.not_warned, PastPulls { over: 4, otherwise: 0 });
    }
}
