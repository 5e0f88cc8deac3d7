//! The same command for some of its tests: without those that decide nothing, or for one alone.
//!
//! Invariants: a name comes from the output of code that nobody vouches for, so only plain names
//! get into a command, and quoted; what such a run came to is told by its exit status.

use std::collections::BTreeSet;

use super::cargo::starts_nextest;
use super::commands::{CommandList, starts};
use super::python::{starts_pytest, starts_unittest};
use crate::core::test_results::stem;

/// So many tests are left out of one run.
const MOST_LEFT_OUT: usize = 50;

/// The command, told to go on after a failure: what it does not run cannot be held against what a
/// change comes to.
pub fn whole(line: &str) -> String {
    match Selecting::of_any(line) {
        Some(Selecting::Cargo) if !line.contains("--no-fail-fast") => {
            line.replacen("test", "test --no-fail-fast", 1)
        }
        Some(Selecting::Nextest) if !line.contains("fail-fast") => format!("{line} --no-fail-fast"),
        Some(Selecting::Unittest) if !line.contains(" -v") => format!("{line} -v"),
        // The last word on it counts, also after the project's own settings.
        Some(Selecting::Pytest { .. }) if !line.contains(" -- ") => {
            format!("{line} --maxfail=0 --continue-on-collection-errors")
        }
        _ => line.to_owned(),
    }
}

/// The command without these tests. `None`: it is not known how to say that.
pub fn without(line: &str, names: &[String]) -> Option<String> {
    if names.is_empty() || names.len() > MOST_LEFT_OUT || !names.iter().all(|it| is_plain(it)) {
        return None;
    }
    let listed = |option: &str| -> String {
        names.iter().map(|name| format!(" {option} '{name}'")).collect()
    };
    match Selecting::of(line)? {
        Selecting::Cargo => Some(format!("{line} -- --exact{}", listed("--skip"))),
        // A file that cannot be loaded is left out as one.
        Selecting::Pytest { .. } => {
            let of = |name: &String| if name.contains("::") { "--deselect" } else { "--ignore" };
            let listed = names.iter().map(|name| format!(" {} '{name}'", of(name)));
            Some(format!("{line}{}", listed.collect::<String>()))
        }
        Selecting::Unittest | Selecting::Nextest => None,
        Selecting::Go(rest) => {
            let all = names.iter().all(|name| is_identifier(name));
            all.then(|| format!("go test -skip '^({})$'{rest}", names.join("|")))
        }
    }
}

/// The command for one test alone. `None`: it is not known how to say that.
pub fn alone(line: &str, name: &str) -> Option<String> {
    if !is_plain(name) {
        return None;
    }
    match Selecting::of(line)? {
        Selecting::Cargo => Some(format!("{line} -- --exact '{name}'")),
        Selecting::Pytest { names_files: false } => Some(format!("{line} '{name}'")),
        Selecting::Pytest { names_files: true } | Selecting::Unittest | Selecting::Nextest => None,
        // Go remembers a green result.
        Selecting::Go(rest) => {
            is_identifier(name).then(|| format!("go test -count=1 -run '^{name}$'{rest}"))
        }
    }
}

/// The command with these options at its end. `None`: it is more than one command, or hands its
/// arguments on in a way that is not known.
pub fn with_options(line: &str, options: &str) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let plain = !line.contains(['\n', ';', '&', '#', '|', '<', '>', '`', '$', '(']);
    let member = words.iter().any(|it| it.starts_with("--workspace") || *it == "--if-present");
    let program = words.iter().find(|word| !word.contains('='))?;
    if !plain || member {
        return None;
    }
    Some(match *program {
        "npm" if !words.contains(&"--") => format!("{line} -- {options}"),
        // They hand on what they do not know, and `--` as well.
        "yarn" | "pnpm" if words.contains(&"--") => return None,
        _ => format!("{line} {options}"),
    })
}

/// `go test` told to print events and to remember no result.
pub fn with_go_events(line: &str) -> Option<String> {
    let rest = line.strip_prefix("go test")?;
    let plain = !rest.contains(['\n', ';', '&', '<', '>', '`']) && !rest.contains(" -args");
    let begins = rest.is_empty() || rest.starts_with(' ');
    (plain && begins).then(|| format!("go test -json -count=1{rest}"))
}

/// The command for these tests only, and for what stands in their files where a runner takes no
/// more than those. `None`: it is not known how to say that. `alternate`: in another order, or one
/// after the other, where the runner can.
pub fn only(line: &str, ids: &[String], alternate: bool) -> Option<String> {
    if ids.is_empty() || ids.len() > MOST_LEFT_OUT {
        return None;
    }
    match Selecting::of(line) {
        Some(Selecting::Cargo) => {
            let names: Option<Vec<&str>> = ids.iter().map(|id| cargo_name(id)).collect();
            let names = names?.into_iter().map(|name| format!(" '{name}'")).collect::<String>();
            let one = if alternate { " --test-threads=1" } else { "" };
            Some(format!("{line} -- --exact{one}{names}"))
        }
        Some(Selecting::Pytest { names_files: false }) => {
            // Parameters may hold anything: then it is the test with all of them.
            let plain = |id: &'_ String| match is_plain(id) {
                true => Some(id.clone()),
                false => Some(stem(id).to_owned()).filter(|it| is_plain(it)),
            };
            let named: Option<BTreeSet<String>> = ids.iter().map(plain).collect();
            let named = named?.into_iter().map(|id| format!(" '{id}'"));
            let mut named: Vec<String> = named.collect();
            if alternate {
                named.reverse();
            }
            Some(format!("{line}{}", named.concat()))
        }
        Some(Selecting::Nextest) => {
            // `widget::it::red`: what stands before the last part may be its target or a module.
            let name = |id: &String| {
                id.rsplit("::")
                    .next()
                    .filter(|it| is_identifier(it))
                    .map(|name| format!("test(/(^|::){name}$/)"))
            };
            let names: Option<BTreeSet<String>> = ids.iter().map(name).collect();
            let names = names?.into_iter().collect::<Vec<_>>().join(" | ");
            let one = if alternate { " --test-threads=1" } else { "" };
            Some(format!("{line}{one} -E '{names}'"))
        }
        Some(Selecting::Go(rest)) => {
            // `example.com/widget::TestMean/of_nothing`
            let name = |id: &String| -> Option<String> {
                let (_, test) = id.split_once("::")?;
                let name = test.split('/').next().unwrap_or(test);
                is_identifier(name).then(|| name.to_owned())
            };
            let names: Option<BTreeSet<String>> = ids.iter().map(name).collect();
            let names = names?.into_iter().collect::<Vec<_>>().join("|");
            let shuffle = if alternate { " -shuffle=1" } else { "" };
            Some(format!("go test{shuffle} -run '^({names})$'{rest}"))
        }
        _ => None,
    }
}

/// The name that libtest knows of an id: without the target before it. None of a doc test's, whose
/// name holds a line.
fn cargo_name(id: &str) -> Option<&str> {
    let after_file = id.split_once(".rs::").map(|(_, name)| name);
    let name = after_file.or_else(|| id.split_once("::").map(|(_, name)| name))?;
    is_plain(name).then_some(name)
}

/// Commands that can be told which tests to run.
enum Selecting<'a> {
    Cargo,
    /// Perhaps with a word that names what to run.
    Pytest {
        names_files: bool,
    },
    Unittest,
    Nextest,
    /// With what follows `go test`.
    Go(&'a str),
}

impl<'a> Selecting<'a> {
    /// One that has not said which tests it runs.
    fn of(line: &'a str) -> Option<Self> {
        let arguments = line.split_whitespace().any(|word| word == "--");
        Self::of_any(line).filter(|it| !(matches!(it, Self::Cargo) && arguments))
    }

    fn of_any(line: &'a str) -> Option<Self> {
        let list = CommandList::of(line, None);
        let words = list.last()?;
        if !list.is_one_command() || line.contains(['\n', ';', '&', '#']) {
            return None;
        }
        let has = |option: &str| words.iter().any(|word| word.starts_with(option));
        if words.first()? == "cargo" && words.get(1)? == "test" {
            return Some(Self::Cargo);
        }
        if starts_nextest(words) && words.get(2)? == "run" && !has("-E") && !has("--filter") {
            return Some(Self::Nextest);
        }
        if starts_pytest(words) {
            let program = words.iter().position(|word| word.ends_with("pytest"))?;
            let names_files = words.iter().skip(program + 1).any(|word| !word.starts_with('-'));
            return Some(Self::Pytest { names_files });
        }
        if starts_unittest(words) {
            return Some(Self::Unittest);
        }
        let go = starts(words, &["go"]) && !has("-run") && !has("-skip") && !has("-args");
        line.strip_prefix("go test").filter(|_| go).map(Self::Go)
    }
}

/// Letters, digits and what test names are put together with; nothing that a shell or a pattern
/// reads otherwise. A doc test's name has a space, and the number of its line, which another may
/// have with the change.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || "_:./[]-".contains(c);
    !name.starts_with('-') && !name.is_empty() && name.len() <= 500 && name.chars().all(plain)
}

/// Nothing that a regular expression reads otherwise.
fn is_identifier(name: &str) -> bool {
    name.chars().all(|c| c.is_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_command_is_told_to_leave_tests_out_or_to_run_one() {
        let tests = names(&["tests::a", "tests::b"]);
        for (line, left_out, one) in [
            (
                "cargo test --workspace --offline",
                "cargo test --workspace --offline -- --exact --skip 'tests::a' --skip 'tests::b'",
                Some("cargo test --workspace --offline -- --exact 'tests::a'"),
            ),
            (
                "pytest -q",
                "pytest -q --deselect 'tests::a' --deselect 'tests::b'",
                Some("pytest -q 'tests::a'"),
            ),
            (
                "python -m pytest tests/unit",
                "python -m pytest tests/unit --deselect 'tests::a' --deselect 'tests::b'",
                None,
            ),
        ] {
            assert_eq!(without(line, &tests).as_deref(), Some(left_out), "{line}");
            assert_eq!(alone(line, "tests::a").as_deref(), one, "{line}");
        }
        let file = names(&["tests/test_a.py", "tests/test_b.py::test_x"]);
        assert_eq!(
            without("pytest -q", &file).as_deref(),
            Some("pytest -q --ignore 'tests/test_a.py' --deselect 'tests/test_b.py::test_x'")
        );
        let go = "go test ./...";
        let skips = "go test -skip '^(TestA|TestB)$' ./...";
        assert_eq!(without(go, &names(&["TestA", "TestB"])).as_deref(), Some(skips));
        let runs = "go test -count=1 -run '^TestA$' ./...";
        assert_eq!(alone(go, "TestA").as_deref(), Some(runs));
        assert_eq!(without(go, &names(&["Test."])), None, "a pattern");
    }

    #[test]
    fn a_command_is_told_to_go_on_after_a_failure() {
        for (line, on) in [
            ("cargo test --offline", "cargo test --no-fail-fast --offline"),
            ("cargo test -- --exact 'a'", "cargo test --no-fail-fast -- --exact 'a'"),
            ("cargo nextest run --offline", "cargo nextest run --offline --no-fail-fast"),
            ("python3 -m unittest", "python3 -m unittest -v"),
            ("pytest -x", "pytest -x --maxfail=0 --continue-on-collection-errors"),
            (
                "A=1 python -m pytest",
                "A=1 python -m pytest --maxfail=0 --continue-on-collection-errors",
            ),
        ] {
            assert_eq!(whole(line), on);
        }
        for line in [
            "cargo test --no-fail-fast",
            "pytest -x && true",
            "pytest -x;",
            "pytest -x # quick",
            "pytest -x | cat",
            "pytest -x -- a.py",
            "go test ./...",
            "make test",
            "pytest -x\npytest",
            "pytest --version",
            "python3 -m unittest -v",
        ] {
            assert_eq!(whole(line), line);
        }
    }

    #[test]
    fn a_command_is_told_to_run_some_tests_again() {
        let ids = names(&["example.com/w::TestA/of nothing", "example.com/w/sub::TestB"]);
        assert_eq!(
            only("go test ./...", &ids, true).as_deref(),
            Some("go test -shuffle=1 -run '^(TestA|TestB)$' ./...")
        );
        let events = "go test -json -count=1 -run '^(TestA|TestB)$' ./...";
        let run = only("go test ./...", &ids, false).unwrap();
        assert_eq!(with_go_events(&run).as_deref(), Some(events));
        assert_eq!(only("go test -run TestC ./...", &ids, false), None);
        for line in ["go test ./... && go vet", "go testing", "go vet ./...", "go test . > log"] {
            assert_eq!(with_go_events(line), None, "{line}");
        }
        let ids = names(&["widget::it::red", "widget::tests::index"]);
        assert_eq!(
            only("cargo nextest run", &ids, false).as_deref(),
            Some("cargo nextest run -E 'test(/(^|::)index$/) | test(/(^|::)red$/)'")
        );
        assert_eq!(only("cargo nextest run -E 'test(a)'", &ids, false), None);
    }

    #[test]
    fn nothing_is_said_where_it_might_mean_something_else() {
        for line in [
            "cargo test -- --test-threads=1",
            "cargo test && cargo clippy",
            "cargo nextest run",
            "npm test --silent",
            "go test -run TestA ./...",
            "make test",
            "pytest -q\npytest -q tests",
        ] {
            assert_eq!(without(line, &names(&["a"])), None, "{line}");
        }
        for name in ["a'; rm -rf /; '", "-h", "", "src/lib.rs - add (line 2)", "a$(b)", "a b"] {
            assert_eq!(without("pytest -q", &names(&[name])), None, "{name:?}");
            assert_eq!(alone("pytest -q", name), None, "{name:?}");
        }
        assert_eq!(without("pytest -q", &vec!["a".to_owned(); MOST_LEFT_OUT + 1]), None);
    }
}
