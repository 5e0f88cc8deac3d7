//! New tests that do not need the rest of their change.
//!
//! Invariants: only tests count that were not there before, and that passed in a run of Gander's
//! without the rest of the change, while others failed.

use super::subject::{MOST_TESTS, Subject};
use super::test_ids::own_name;
use crate::core::patch::{Change, Patch};
use crate::core::proof::WeakTest;
use crate::core::test_results::{TestResults, TestState};
use crate::core::text::words_at;

/// Those of a change, of which some files hold tests. `without`: what came out without the rest.
pub(super) fn weak_tests(
    subject: &Subject<'_>,
    without: Option<&TestResults>,
    (patch, tests): (&Patch, &Patch),
) -> Vec<WeakTest> {
    let (Some(before), Some(without)) = (&subject.before, without) else { return Vec::new() };
    let passes = |id: &&str| without.get(id).is_some_and(|it| it.state == TestState::Passed);
    let new = subject.with.in_state(TestState::Passed).filter(|id| before.get(id).is_none());
    let placed = |id: &str| {
        let (path, line) = place(own_name(id), patch, tests).unwrap_or_default();
        WeakTest { id: id.to_owned(), path, line }
    };
    new.filter(passes).take(MOST_TESTS).map(placed).collect()
}

/// The first line of the files with tests that names one, and its file.
fn place(name: &str, patch: &Patch, tests: &Patch) -> Option<(String, u32)> {
    let mut files = patch.changes.iter().filter(|it| tests.changes.contains_key(it.0));
    files.find_map(|(path, change)| {
        let Change::Write { content, .. } = change else { return None };
        let text = String::from_utf8_lossy(content);
        let row = text.lines().position(|line| words_at(line, name).next().is_some())?;
        Some((path.as_str().to_owned(), u32::try_from(row + 1).ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::patch::FileMode;

    #[test]
    fn a_test_is_placed_where_its_name_stands_as_a_word() {
        let text = "def test_all():\n    pass\n\n\ndef test_a():\n    pass\n";
        let content = text.as_bytes().to_vec();
        let change = Change::Write { mode: FileMode::File, content, replaces: None };
        let tests = Patch { changes: [("tests/test_x.py".parse().unwrap(), change)].into() };
        assert_eq!(place("test_a", &tests, &tests), Some(("tests/test_x.py".to_owned(), 5)));
        assert_eq!(place("test_b", &tests, &tests), None);
    }
}
