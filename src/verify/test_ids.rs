//! Which test an id means, and where that stands.
//!
//! Invariants: an id is as its runner's reader makes it; of one that does not say its file only
//! what the file declares counts.

use super::test_files::is_code;
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
        is_in_file(id, path) || path.ends_with("_test.go") && declares_go_test(change, id)
    })
}

/// Whether an id begins with this file, or with its module as unittest names it.
pub(super) fn is_in_file(id: &str, path: &str) -> bool {
    let rest = id.strip_prefix(path);
    if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::") || rest.starts_with(" > "))
    {
        return true;
    }
    let module = path.strip_suffix(".py").map(|module| module.replace('/', "."));
    module.is_some_and(|module| {
        let rest = id.strip_prefix(&*module);
        rest.is_some_and(|rest| rest.starts_with('.') && !rest.contains(['/', ':']))
    })
}

/// Whether an id begins with a file of code.
pub(super) fn names_its_file(id: &str) -> bool {
    is_code(id.split("::").next().and_then(|first| first.split(" > ").next()).unwrap_or(id))
}

/// Whether a file says of itself that it holds tests, where ids do not name files.
pub(super) fn declares_tests(path: &str, change: &Change) -> bool {
    let Change::Write { content, .. } = change else { return false };
    let text = String::from_utf8_lossy(content);
    let begins: &[&str] = match path.rsplit_once('.').map_or("", |(_, language)| language) {
        "py" => &["def test", "async def test"],
        "go" => &["func Test", "func Fuzz", "func Example"],
        "rs" => &["#[test]"],
        _ => &["it(", "test(", "it.", "test."],
    };
    text.lines().any(|line| begins.iter().any(|it| line.trim_start().starts_with(it)))
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
        assert!(names_its_file("tests/it.rs::two") && names_its_file("a.test.js > of 1.5"));
        assert!(!names_its_file("widget::tests::two") && !names_its_file("sizes > of nothing"));
        assert_eq!(own_name("a.test.js > sizes > of nothing"), "of nothing");
        assert_eq!(own_name("t.py::TestX::test_p[1]"), "test_p");
    }
}
