//! What single tests came to.
//!
//! Invariants: an id means the same test in two trees of one project, whatever lines moved; of two
//! results with one id the worst counts; names and messages come from the repository's own code, so
//! they are cut to a bound here and shown to people as foreign text.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Tests by their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestResults {
    tests: BTreeMap<String, TestResult>,
    /// Those that were run again until they passed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    retried: BTreeSet<String>,
    /// How many failures keep their messages.
    #[serde(skip)]
    messages: usize,
}

/// What one test came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestResult {
    /// Its final state.
    pub state: TestState,
    /// Why it failed; nothing of one that did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<TestFailure>,
}

/// A test's final state, the better ones first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestState {
    /// It ran and held.
    Passed,
    /// It was expected to fail, and failed.
    ExpectedFailure,
    /// It did not run, and that is no fault.
    Skipped,
    /// It ran and did not hold, or what it needs could not be made.
    Failed,
}

/// Why a test failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestFailure {
    /// Of what kind.
    pub cause: FailureCause,
    /// The first lines of what the runner says of it.
    pub message: String,
}

/// What kind of failure it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureCause {
    /// An assertion of the test.
    Assertion,
    /// The code under test ended with this exception: `IndexError`, `panic`.
    Exception(String),
    /// A name, a module or an argument is not there: most often what the change is to add.
    Missing(String),
    /// It could not be compiled, imported or collected.
    NotLoaded,
    /// The machine or time: a file, a connection, a deadline.
    Surroundings(String),
}

impl FailureCause {
    /// Whether it is a test's reason to fail: it ran the code, and that did the wrong thing. What
    /// is missing says so only where the issue speaks of that very exception.
    pub fn is_of_the_test(&self, issue: &str) -> bool {
        match self {
            Self::Assertion | Self::Exception(_) => true,
            Self::Missing(name) | Self::Surroundings(name) => {
                !name.is_empty() && issue.contains(&**name)
            }
            Self::NotLoaded => false,
        }
    }
}

/// So many tests of one run are kept.
const MOST_TESTS: usize = 50_000;
/// Bytes of an id; of a longer one the beginning is kept, and a digest of all of it.
const LONGEST_ID: usize = 1_000;
/// Characters of a message.
const LONGEST_MESSAGE: usize = 400;
/// So many failures keep theirs.
const MOST_MESSAGES: usize = 1_000;

impl TestResults {
    /// Adds one. `None`: there are too many, or this is none.
    pub fn add(&mut self, id: String, result: TestResult) -> Option<()> {
        if self.tests.len() >= MOST_TESTS || id.is_empty() {
            return None;
        }
        let id = if id.len() > LONGEST_ID { shortened(&id) } else { id };
        let mut result = result;
        if let Some(failure) = &mut result.failure {
            let all = failure.message.trim();
            failure.message = match self.messages < MOST_MESSAGES {
                true => all.chars().take(LONGEST_MESSAGE).collect(),
                false => String::new(),
            };
            self.messages += 1;
        }
        match self.tests.entry(id) {
            Entry::Vacant(free) => drop(free.insert(result)),
            Entry::Occupied(mut there) => {
                let (old, new) = (there.get(), &result);
                let tells_more = old.state == new.state && old.failure.is_none();
                if old.state < new.state || tells_more && new.failure.is_some() {
                    drop(there.insert(result));
                }
            }
        }
        Some(())
    }

    /// Remembers that a test passed only when it was run again.
    pub fn was_retried(&mut self, id: &str) {
        if self.retried.len() < MOST_TESTS && self.tests.contains_key(id) {
            self.retried.insert(id.to_owned());
        }
    }

    /// Whether it did.
    pub fn is_retried(&self, id: &str) -> bool {
        self.retried.contains(id)
    }

    /// Takes in those of another runner of the same command. `None`: they are too many.
    pub fn extend(&mut self, other: Self) -> Option<()> {
        for (id, result) in other.tests {
            self.add(id, result)?;
        }
        self.retried.extend(other.retried);
        Some(())
    }

    /// What a test came to.
    pub fn get(&self, id: &str) -> Option<&TestResult> {
        self.tests.get(id)
    }

    /// All of them, by id.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &TestResult)> {
        self.tests.iter().map(|(id, result)| (&**id, result))
    }

    /// The ids of those in this state.
    pub fn in_state(&self, state: TestState) -> impl Iterator<Item = &str> {
        self.iter().filter(move |(_, result)| result.state == state).map(|(id, _)| id)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.tests.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.tests.is_empty()
    }

    /// Tests that ran here and, in `now`, are gone or do not run. A test with parameters is
    /// taken for all of them: which have which number moves with a change.
    pub fn lost_in<'a>(&'a self, now: &Self) -> Vec<&'a str> {
        let there = now.ran_by_stem();
        let lost = |stem: &&str, before: usize| there.get(stem).is_none_or(|ran| *ran < before);
        self.ran_by_stem().into_iter().filter(|(stem, n)| lost(stem, *n)).map(|it| it.0).collect()
    }

    fn ran_by_stem(&self) -> BTreeMap<&str, usize> {
        let mut stems = BTreeMap::new();
        for (id, result) in self.iter() {
            let loaded =
                result.failure.as_ref().is_none_or(|it| it.cause != FailureCause::NotLoaded);
            if result.state != TestState::Skipped && loaded {
                *stems.entry(stem(id)).or_default() += 1;
            }
        }
        stems
    }
}

fn shortened(id: &str) -> String {
    let digest = hex::encode(&Sha256::digest(id.as_bytes())[..8]);
    let start = &id[..id.floor_char_boundary(LONGEST_ID - 20)];
    format!("{start}… {digest}")
}

/// An id without its parameters.
pub fn stem(id: &str) -> &str {
    match id.split_once('[') {
        Some((stem, _)) if id.ends_with(']') && !stem.is_empty() => stem,
        _ => id,
    }
}

impl TestResult {
    /// One that holds.
    pub fn in_state(state: TestState) -> Self {
        Self { state, failure: None }
    }

    /// One that does not.
    pub fn failed(cause: FailureCause, message: &str) -> Self {
        let failure = TestFailure { cause, message: message.to_owned() };
        Self { state: TestState::Failed, failure: Some(failure) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(tests: &[(&str, TestState)]) -> TestResults {
        let mut all = TestResults::default();
        for (id, state) in tests {
            all.add((*id).to_owned(), TestResult::in_state(*state)).unwrap();
        }
        all
    }

    #[test]
    fn of_two_results_with_one_id_the_worst_counts() {
        use TestState::{Failed, Passed, Skipped};
        let twice = results(&[("a", Passed), ("a", Failed), ("a", Passed), ("b", Skipped)]);
        assert_eq!(twice.get("a").unwrap().state, Failed);
        assert_eq!(twice.in_state(Failed).collect::<Vec<_>>(), ["a"]);
        assert_eq!(twice.len(), 2);
    }

    #[test]
    fn long_ids_are_cut_and_stay_apart() {
        let (one, other) = ("é".repeat(2_000) + "1", "é".repeat(2_000) + "2");
        let both = results(&[(&one, TestState::Passed), (&other, TestState::Failed)]);
        assert_eq!(both.len(), 2);
        assert!(both.iter().all(|(id, _)| id.len() <= LONGEST_ID));
    }

    #[test]
    fn a_test_is_lost_that_is_gone_or_skipped_and_not_one_whose_parameters_moved() {
        use TestState::{Failed, Passed, Skipped};
        let before = results(&[
            ("t.py::p[1]", Passed),
            ("t.py::p[2]", Passed),
            ("t.py::gone", Passed),
            ("t.py::skipped", Passed),
            ("t.py::red", Passed),
            ("t.py::never", Skipped),
        ]);
        let now = results(&[
            ("t.py::p[1_0]", Passed),
            ("t.py::p[2]", Passed),
            ("t.py::p[1_1]", Passed),
            ("t.py::skipped", Skipped),
            ("t.py::red", Failed),
        ]);
        assert_eq!(before.lost_in(&now), ["t.py::gone", "t.py::skipped"]);
        assert_eq!(stem("[odd]"), "[odd]");
    }

    #[test]
    fn what_the_issue_names_is_a_reason_and_what_could_not_be_loaded_never_is() {
        let missing = FailureCause::Missing("AttributeError".to_owned());
        assert!(!missing.is_of_the_test("it crashes"));
        assert!(missing.is_of_the_test("it ends with an AttributeError"));
        assert!(!FailureCause::NotLoaded.is_of_the_test("SyntaxError"));
        assert!(FailureCause::Assertion.is_of_the_test(""));
    }
}
