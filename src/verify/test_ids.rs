//! Which test an id means, and where that stands.
//!
//! Invariants: an id is as its runner's reader makes it; of one that does not say its file only
//! what the file declares counts.

use crate::core::patch::{Change, Patch};
use crate::core::test_results::stem;

/// The last part of an id, as an issue would name it.
pub(super) fn own_name(id: &str) -> &str {
    let name = id.rsplit("::").next().unwrap_or(id);
    stem(name.rsplit(" > ").next().unwrap_or(name))
}

/// Whether a test stands in a file that a change writes.
pub(super) fn stands_in(id: &str, patch: &Patch) -> bool {
    patch.changes.iter().any(|(path, change)| {
        let path = path.as_str();
        id.starts_with(path) || path.ends_with("_test.go") && declares_go_test(change, id)
    })
}

/// Go's ids name a package: `example.com/widget::TestMean/of_nothing`.
fn declares_go_test(change: &Change, id: &str) -> bool {
    let Change::Write { content, .. } = change else { return false };
    let Some((_, test)) = id.split_once("::") else { return false };
    let begins = format!("func {}(", test.split('/').next().unwrap_or(test));
    String::from_utf8_lossy(content).lines().any(|line| line.starts_with(&begins))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::patch::FileMode;

    #[test]
    fn a_test_is_found_by_its_file_and_in_go_by_what_the_file_declares() {
        let write = |path: &str, text: &str| {
            let content = text.as_bytes().to_vec();
            let change = Change::Write { mode: FileMode::File, content, replaces: None };
            Patch { changes: [(path.parse().unwrap(), change)].into() }
        };
        let go = write("sub/a_test.go", "package sub\n\nfunc TestA(t *testing.T) {\n}\n");
        assert!(stands_in("example.com/w/sub::TestA/of nothing", &go));
        assert!(!stands_in("example.com/w/sub::TestAll", &go));
        assert!(stands_in("tests/test_a.py::test_x", &write("tests/test_a.py", "")));
        assert!(!stands_in("example.com/w::TestA", &write("a.go", "func TestA(")));
        assert_eq!(own_name("a.test.js > sizes > of nothing"), "of nothing");
        assert_eq!(own_name("t.py::TestX::test_p[1]"), "test_p");
    }
}
