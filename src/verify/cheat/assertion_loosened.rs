//! Assertions that ask for less: truth in the place of equality.

use super::facts::RowText;
use super::{ChangedSources, CheatFinding, CheatRule, short, texts};

pub(super) const RULE: CheatRule = CheatRule {
    name: "assertion-loosened",
    finds: "an assertion of equality that only asks for truth, existence or a type now",
    check,
    fires: &[
        &[(
            "tests/test_a.py",
            "def test_a():\n    assert f(1) == 4\n",
            "def test_a():\n    assert f(1) is not None\n",
        )],
        &[(
            "a.test.js",
            "it('adds', () => { expect(f()).toBe(1); });\n",
            "it('adds', () => { expect(f()).toBeDefined(); });\n",
        )],
        &[(
            "src/lib.rs",
            "#[test]\nfn a() {\n    assert_eq!(f(), Some(1));\n}\n",
            "#[test]\nfn a() {\n    assert!(f().is_some());\n}\n",
        )],
    ],
    passes: &[
        &[(
            "tests/test_a.py",
            "def test_a():\n    assert f(1) == 4\n",
            "def test_a():\n    assert f(1) == 5\n",
        )],
        &[(
            "tests/test_a.py",
            "def test_a():\n    assert f(1) == 4\n",
            "def test_a():\n    assert f(1) == 4\n    assert f(2) is not None\n",
        )],
    ],
};

/// Signs of an assertion that compares.
const STRICT: &[&str] = &[
    "assert_eq!",
    "assert_ne!",
    "==",
    "assertEqual",
    "assertEquals",
    "assertCountEqual",
    "assertListEqual",
    "assertDictEqual",
    "toBe(",
    "toEqual(",
    "toStrictEqual(",
    "strictEqual(",
    "deepEqual(",
    ".equal(",
    ".Equal(",
    "isEqualTo(",
    "matches!",
    "toMatchSnapshot",
    "toThrow(",
];
/// Signs of one that does not.
const LOOSE: &[&str] = &[
    "is not None",
    "toBeTruthy",
    "toBeDefined",
    "toBeFalsy",
    "not.toBeNull",
    "not.toBeUndefined",
    "toBeInstanceOf",
    "not.toThrow",
    "assertTrue(",
    "assertIsNotNone(",
    "assertNotNull(",
    "isinstance(",
    ".is_some()",
    ".is_ok()",
    ".is_err()",
    ".is_none()",
    "NotNil(",
    "NoError(",
    "isNotNull(",
    ".ok(",
    "expect.anything",
];

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in &sources.files {
        for (old, new) in file.kept_tests() {
            let (was, is) = (texts(&old.assertions), texts(&new.assertions));
            let stays = |it: &RowText| is.contains(&*it.text);
            let stood = |it: &RowText| was.contains(&*it.text);
            let gone = old.assertions.iter().filter(|it| is_strict(&it.text) && !stays(it));
            let loose = new.assertions.iter().filter(|it| is_loose(&it.text) && !stood(it));
            for (old, new) in gone.zip(loose) {
                let reason = format!(
                    "asks for less than before (now: {}; before: {})",
                    short(&new.text),
                    short(&old.text)
                );
                found.push(file.finding(RULE.name, new.row, reason));
            }
        }
    }
    found
}

fn is_strict(text: &str) -> bool {
    STRICT.iter().any(|sign| text.contains(sign))
}

fn is_loose(text: &str) -> bool {
    let plain = LOOSE.iter().any(|sign| text.contains(sign));
    // `assert f(1)`, without any comparison.
    let bare = text.starts_with("assert ")
        && !text.contains(['=', '<', '>', ','])
        && !text.contains(" in ");
    !is_strict(text) && (plain || bare)
}
