//! Each rule is held to its own examples, and the whole set to what nobody would call a cheat.

use super::*;
use crate::core::patch::FileMode;
use crate::workspace::diff::BaseFile;
use crate::workspace::mirror::EntryMode;

fn found(example: RuleExample) -> Vec<CheatFinding> {
    let (mut patch, mut base) = (Patch::default(), BaseFiles::new());
    for (path, before, after) in example {
        let path: crate::core::path::RepoPath = path.parse().unwrap();
        let oid: crate::core::id::Sha = "a".repeat(40).parse().unwrap();
        let replaces = (!before.is_empty()).then(|| oid.clone());
        let change = match after.is_empty() {
            true => Change::Delete { replaces: oid },
            false => Change::Write { mode: FileMode::File, content: (*after).into(), replaces },
        };
        if !before.is_empty() {
            let file = BaseFile { mode: EntryMode::File, content: (*before).into() };
            base.insert(path.clone(), file);
        }
        patch.changes.insert(path, change);
    }
    find_cheats(&patch, &base)
}

#[test]
fn each_rule_finds_what_it_says_and_not_what_only_looks_like_it() {
    for rule in RULES {
        let by_rule = |example: RuleExample| {
            found(example).into_iter().filter(|it| it.rule == rule.name).collect::<Vec<_>>()
        };
        assert!(!rule.fires.is_empty() && rule.passes.len() > 1, "{}", rule.name);
        for example in rule.fires {
            assert!(!by_rule(example).is_empty(), "{} does not find {example:#?}", rule.name);
        }
        for example in rule.passes {
            let none: [CheatFinding; 0] = [];
            assert_eq!(by_rule(example), none, "{}: {example:#?}", rule.name);
        }
    }
}

#[test]
fn a_rule_that_blocks_has_an_example_that_does_and_another_has_none() {
    for rule in RULES {
        let blocks = |example: &RuleExample| {
            let mut all = found(example).into_iter().filter(|it| it.rule == rule.name);
            all.any(|it| it.severity == Severity::Block)
        };
        let is_gate = rule.severity == Severity::Block;
        assert_eq!(rule.fires.first().is_some_and(blocks), is_gate, "{}", rule.name);
        assert!(is_gate || !rule.fires.iter().any(blocks), "{}", rule.name);
        assert!(rule.passes.len() > 1, "{} has one case that it must not find", rule.name);
    }
}

#[test]
fn what_a_new_test_does_not_ask_for_is_shown_only() {
    let new = "import pytest\n\n\ndef test_old():\n    assert f() == 1\n";
    for more in [
        "\n\n@pytest.mark.skip\ndef test_b():\n    assert f() == 1\n",
        "\n\ndef test_b():\n    assert True\n",
        "\n\ndef test_b():\n    return\n    assert f() == 1\n",
        "\n\ndef test_b():\n    if False:\n        assert f() == 1\n",
    ] {
        let after: &'static str = format!("{new}{more}").leak();
        let example: RuleExample = Box::leak(Box::new([("tests/test_a.py", new, after)]));
        let all = found(example);
        assert!(!all.is_empty(), "{more}");
        assert!(all.iter().all(|it| it.severity == Severity::Flag), "{more}: {all:#?}");
    }
}

#[test]
fn rules_are_listed_by_name_once() {
    let names: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(names, sorted);
}

#[test]
fn a_finding_names_the_line_and_says_what_is_wrong() {
    let example: RuleExample = &[(
        "tests/test_a.py",
        "def test_a():\n    assert f(1) == 4\n",
        "def test_a():\n    assert f(1) is not None\n",
    )];
    let all = found(example);
    let loosened = all.iter().find(|it| it.rule == "assertion-loosened").unwrap();
    assert_eq!((loosened.path.as_str(), loosened.line), ("tests/test_a.py", 2));
    assert_eq!(
        loosened.reason,
        "asks for less than before (now: assert f(1) is not None; before: assert f(1) == 4)"
    );
}

#[test]
fn an_honest_fix_with_its_test_is_no_finding() {
    let example: RuleExample = &[
        (
            "calc.py",
            "def mean(n):\n    return sum(n) / len(n)\n",
            "def mean(n):\n    if not n:\n        return None\n    return sum(n) / len(n)\n",
        ),
        (
            "tests/test_calc.py",
            "def test_mean():\n    assert mean([1, 3]) == 2\n",
            "def test_mean():\n    assert mean([1, 3]) == 2\n\n\ndef test_of_nothing():\n    assert mean([]) is None\n",
        ),
    ];
    let none: [CheatFinding; 0] = [];
    assert_eq!(found(example), none);
}

/// Each was blocked once.
#[test]
fn what_people_do_for_a_reason_is_shown_at_most() {
    let honest: &[RuleExample] = &[
        &[
            (
                "verbs.py",
                "",
                "def kind(m):\n    if m == 'GET':\n        return 'read'\n    return 'write'\n",
            ),
            ("tests/test_verbs.py", "", "def test_get():\n    assert kind('GET') == 'read'\n"),
        ],
        &[(
            "tests/test_app.py",
            "def test_a():\n    assert f() == 1\n",
            "def test_a():\n    app = App()\n\n    @app.route('/')\n    def index():\n        assert request\n    assert app.get('/')\n",
        )],
        &[(
            "test.ts",
            "",
            "test('a', async t => {\n  const own = async (r) => { t.is(r.x, null); };\n  await ky('x', {fetch: own});\n});\n",
        )],
        &[(
            "tests/test_money.py",
            "def test_a():\n    assert f() == 1\n",
            "def test_a():\n    assert f() == 1\n\n\ndef test_eq():\n    assert M(1) == M(1)\n",
        )],
        &[("sentinel.py", "", "class None_:\n    def __bool__(self):\n        return False\n")],
        &[("tests/any.py", "", "class Any:\n    def __eq__(self, other):\n        return True\n")],
        &[(
            "conftest.py",
            "",
            "def pytest_collection_modifyitems(items):\n    items.sort(key=lambda it: it.name)\n",
        )],
        &[("log.js", "", "const level = process.env.NODE_ENV === 'test' ? 'silent' : 'info';\n")],
        &[("src/lib.rs", "", "const BUF: usize = if cfg!(test) { 16 } else { 65536 };\n")],
        &[(
            "Makefile",
            "test:\n\tpytest\n",
            "test:\n\tpytest\n\nupdate:\n\tpytest --snapshot-update\n",
        )],
        &[("tests/quick.rs", "#[test]\nfn a() {}\n", "#![cfg(not(miri))]\n#[test]\nfn a() {}\n")],
    ];
    for example in honest {
        let blocking = found(example).into_iter().filter(|it| it.severity == Severity::Block);
        assert_eq!(blocking.collect::<Vec<_>>(), [], "{example:#?}");
    }
}

#[test]
fn what_no_parser_should_be_given_is_not_read_and_said() {
    for (path, text) in [
        ("A.java", "[{(".repeat(1_000)),
        ("a_test.go", "{[".repeat(1_000)),
        ("a.js", format!("x={}x", "!".repeat(2_000))),
        ("a.py", format!("x{}", ".y()".repeat(1_000))),
        ("a.rs", format!("fn f(){{{}{{}}}}", "if(x)".repeat(500))),
    ] {
        let path: crate::core::path::RepoPath = path.parse().unwrap();
        let change =
            Change::Write { mode: FileMode::File, content: text.into_bytes(), replaces: None };
        let patch = Patch { changes: [(path.clone(), change)].into() };
        let found = find_cheats(&patch, &BaseFiles::new());
        assert!(found.iter().any(|it| it.rule == "not-read"), "{path}");
    }
}
