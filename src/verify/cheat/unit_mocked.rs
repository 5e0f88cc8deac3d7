//! Tests that replace what they test.

use std::collections::BTreeSet;

use super::layout::is_import;
use super::{ChangedSource, ChangedSources, CheatFinding, CheatRule, Severity, short};

pub(super) const RULE: CheatRule = CheatRule {
    name: "unit-mocked",
    severity: Severity::Flag,
    finds: "a test that replaces the very code whose result it asserts",
    check,
    fires: &[
        &[(
            "tests/test_calc.py",
            "def test_mean():\n    assert calc.mean(1) == 2\n",
            "def test_mean(monkeypatch):\n    monkeypatch.setattr(calc, 'mean', lambda n: 2)\n    assert calc.mean(1) == 2\n",
        )],
        &[(
            "sum.test.js",
            "",
            "jest.mock('./sum');\nit('adds', () => { sum.mockReturnValue(3); expect(sum(1, 2)).toBe(3); });\n",
        )],
        &[(
            "src/test/java/SumTest.java",
            "",
            "class SumTest { @Test void a() { Sum sum = mock(Sum.class); when(sum.of(1)).thenReturn(1); assertEquals(1, sum.of(1)); } }\n",
        )],
        &[(
            "a_test.go",
            "package a\n\nfunc TestA(t *testing.T) {\n\tc := serve(t, 502)\n\tcheck(t, c)\n}\n",
            "package a\n\nfunc TestA(t *testing.T) {\n\tc := fakeSource{err: errGone}\n\tcheck(t, c)\n}\n",
        )],
        &[(
            "cron.test.ts",
            "import { next } from './cron';\nit('a', () => { expect(next('x')).toBe(1); });\n",
            "import { next } from './cron';\njest.mock('./cron', () => {\n  return { ...actual, next: jest.fn() };\n});\nit('a', () => { expect(next('x')).toBe(1); });\n",
        )],
    ],
    passes: &[
        &[(
            "tests/test_calc.py",
            "",
            "def test_f(monkeypatch):\n    monkeypatch.setattr(calc, 'fetch', lambda: 2)\n    assert calc.f(1) == 2\n",
        )],
        &[(
            "sum.test.js",
            "",
            "jest.mock('./http');\nit('adds', () => { expect(sum(1, 2)).toBe(3); });\n",
        )],
    ],
};

/// Ends of names of calls that replace something.
const REPLACE: &[&str] = &[
    "setattr",
    "patch",
    "patch.object",
    "jest.mock",
    "vi.mock",
    "jest.spyOn",
    "vi.spyOn",
    "sinon.stub",
    "stub",
    "mock.method",
    "mock",
    "Mockito.mock",
    "spy",
    "Mockito.spy",
    "mockStatic",
    "Mockito.mockStatic",
    "when",
    "Mockito.when",
    "doReturn",
    "td.replace",
];

/// How names begin of what is made up.
const FAKES: &[&str] = &["fake", "stub", "mock", "dummy"];

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in sources.of_tests() {
        let unit = unit_of(&file.path);
        let called = called_in(file);
        let is_called = |name: &str| name.len() > 1 && called.contains(name);
        for call in &file.after.calls {
            let last = call.name.rsplit('.').next().unwrap_or_default();
            let replaces = REPLACE.iter().any(|it| *it == call.name || *it == last)
                || call.name.ends_with(".patch.object");
            if replaces && file.is_added(call.row) && replaces_unit(&called, &call.text, &unit) {
                let reason = format!("replaces what it tests: {}", short(&call.text));
                found.push(file.finding(&RULE, call.row, reason));
            }
        }
        for (was, is) in file.replaced.iter().filter(|it| file.is_in_kept(it.1.row)) {
            let fake = |text: &str| {
                let words = text.split(|c| !of_name(c)).map(str::to_lowercase);
                words.filter(|it| FAKES.iter().any(|fake| it.starts_with(fake))).count()
            };
            if fake(&is.text) > 0 && fake(&was.text) == 0 && is.text.contains(['(', '{']) {
                let reason = format!("puts something made up there: {}", short(is.text.trim()));
                found.push(file.finding(&RULE, is.row, reason));
            }
        }
        let imports = file.removed.iter().filter(|line| is_import(&line.text));
        let imported: BTreeSet<&str> =
            imports.flat_map(|line| line.text.split(|c| !of_name(c))).collect();
        let known: BTreeSet<&str> = file.before.functions.iter().map(|it| &*it.name).collect();
        for own in file.after.functions.iter().filter(|it| imported.contains(&*it.name)) {
            if file.is_in_test(own.row) && !known.contains(&*own.name) {
                let reason = format!("tests a copy of its own: {}", short(&own.text));
                found.push(file.finding(&RULE, own.row, reason));
            }
        }
        // A name of the program that is given another function.
        for line in &file.added {
            if is_own_copy(line.text.trim(), &unit) {
                let reason = format!("tests a copy of its own: {}", short(line.text.trim()));
                found.push(file.finding(&RULE, line.row, reason));
            }
            let name = line.text.trim().split_once(" = ").map(|it| it.0);
            let is_function = ["lambda", "func(", "=> ", "function", "jest.fn", "vi.fn", "Mock("]
                .iter()
                .any(|it| line.text.contains(it));
            let spied = line.text.split_once("spy(new ").map(|it| it.1.to_lowercase());
            if spied.is_some_and(|it| !unit.is_empty() && it.starts_with(&*unit)) {
                let reason =
                    format!("replaces a part of what it tests: {}", short(line.text.trim()));
                found.push(file.finding(&RULE, line.row, reason));
            }
            // In a module that is replaced in part.
            let parts = [": jest.fn", ": vi.fn", ": mock.fn"];
            let mut named = parts.iter().flat_map(|sign| {
                let before = line.text.match_indices(sign).map(|it| &line.text[..it.0]);
                before.map(|it| it.rsplit(|c| !of_name(c)).next().unwrap_or_default())
            });
            if named.any(is_called) {
                let reason = format!("replaces what it tests: {}", short(line.text.trim()));
                found.push(file.finding(&RULE, line.row, reason));
            }
            let plain = |it: &str| it.chars().all(|c| c.is_alphanumeric() || "_.".contains(c));
            let called = name.filter(|_| is_function).is_some_and(|name| {
                plain(name) && is_called(name.rsplit('.').next().unwrap_or(name))
            });
            if called {
                let reason = format!("replaces what it tests: {}", short(line.text.trim()));
                found.push(file.finding(&RULE, line.row, reason));
            }
        }
    }
    found
}

/// The name of what a file of tests is about, by its own.
fn unit_of(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.split('.').next().unwrap_or(name);
    let stem = stem.trim_start_matches("test_").trim_end_matches("_test");
    stem.trim_end_matches("Tests").trim_end_matches("Test").to_lowercase()
}

/// Whether what a call names is what the tests of its file assert.
fn replaces_unit(called: &BTreeSet<&str>, call: &str, unit: &str) -> bool {
    let arguments = call.split_once('(').map_or("", |it| it.1);
    let first = arguments.split([',', ')']).next().unwrap_or_default().trim();
    let whole = first.trim_matches(['"', '\'', '`']).trim_end_matches(".class");
    let last = whole.rsplit(['/', '.']).next().unwrap_or(whole);
    let is_module = whole.contains('/') || whole.starts_with('.') || first.ends_with(".class");
    if is_module && !call.contains("requireActual") && !call.contains("importActual") {
        return last.to_lowercase() == unit && !unit.is_empty();
    }
    let second = arguments.split(',').nth(1).map(|it| it.trim().trim_end_matches(')'));
    let named = second.and_then(|it| it.strip_prefix(['"', '\'', '`']));
    let name = named.map(|it| it.trim_end_matches(['"', '\'', '`'])).unwrap_or(last);
    name.len() > 1 && called.contains(name)
}

fn of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The names of all that tests of a file call themselves.
fn called_in(file: &ChangedSource) -> BTreeSet<&str> {
    let tests = file.after.tests.iter();
    let calls = tests.flat_map(|test| test.text.match_indices('(').map(|(at, _)| &test.text[..at]));
    calls.map(|before| before.rsplit(|c| !of_name(c)).next().unwrap_or_default()).collect()
}

/// Whether a line begins a module with the name of what is tested.
fn is_own_copy(line: &str, unit: &str) -> bool {
    let name = line.strip_prefix("mod ").and_then(|it| it.strip_suffix(" {"));
    name.is_some_and(|name| name == unit)
}
