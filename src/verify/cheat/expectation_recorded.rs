//! Expectations that are written by what they are held against.

use std::collections::BTreeSet;

use super::facts::{RowText, TestFacts};
use super::literals::{Masked, masked};
use super::{ChangedSources, CheatFinding, CheatRule, Severity, short};

pub(super) const RULE: CheatRule = CheatRule {
    name: "expectation-recorded",
    severity: Severity::Block,
    finds: "a test, or a command that runs tests, which records anew what the tests expect",
    check,
    fires: &[
        &[(
            "tests/test_page.py",
            "def test_page():\n    assert page() == GOLDEN.read_text()\n",
            "def test_page():\n    GOLDEN.write_text(page())\n    assert page() == GOLDEN.read_text()\n",
        )],
        &[(
            "package.json",
            "{\"scripts\": {\"test\": \"jest\"}}\n",
            "{\"scripts\": {\"test\": \"jest --updateSnapshot\"}}\n",
        )],
        &[(
            "tests/test_a.py",
            "class A(TestCase):\n    def test_a(self):\n        self.assertEqual(f(1), 343.556)\n",
            "class A(TestCase):\n    def test_a(self):\n        self.assertEqual(f(1), g(1))\n",
        )],
        &[(
            "tests/test_a.py",
            "def test_a():\n    path = 'a.golden'\n    assert f() == read(path)\n",
            "def test_a():\n    path = 'a.golden'\n    Path(path).write_text(f())\n    assert f() == read(path)\n",
        )],
    ],
    passes: &[
        &[(
            "tests/test_page.py",
            "",
            "def test_page(tmp_path):\n    out = tmp_path / 'page'\n    out.write_text(page())\n    assert page() == GOLDEN.read_text()\n",
        )],
        &[(
            "src/record.rs",
            "",
            "pub fn record(golden: &Path) {\n    fs::write(golden, b\"\");\n}\n",
        )],
        &[(
            "tests/test_a.py",
            "class A(TestCase):\n    def test_a(self):\n        self.assertEqual(f(1), 343.556)\n",
            "class A(TestCase):\n    def test_a(self):\n        want = 343.556\n        self.assertEqual(f(1), want)\n",
        )],
    ],
};

const WRITES: &[&str] = &[
    "write_text(",
    "write_bytes(",
    "fs::write(",
    "writeFile(",
    "writeFileSync(",
    "os.WriteFile(",
    "ioutil.WriteFile(",
    "Files.write(",
    "Files.writeString(",
    "shutil.copy(",
    "copyFileSync(",
    "fs::copy(",
    "Files.copy(",
    "json.dump(",
];
const EXPECTED: &[&str] = &["golden", "snapshot", "baseline", "approved"];
/// What commands say to record.
const RECORDS: &[&str] = &[
    "--updateSnapshot",
    "--update-snapshots",
    "--snapshot-update",
    "--update-golden",
    "UPDATE_GOLDEN",
    "UPDATE_SNAPSHOTS=1",
    "INSTA_UPDATE=always",
    "INSTA_FORCE_PASS",
    "cargo insta accept",
    "jest -u",
    "vitest -u",
    "--force-regen",
];

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in &sources.files {
        for (was, is) in file.replaced.iter().filter(|it| file.is_in_kept(it.1.row)) {
            if becomes_computed(&was.text, &is.text) {
                let reason =
                    format!("expects what is computed, and was a value: {}", short(is.text.trim()));
                found.push(file.finding(&RULE, is.row, reason).told_only());
            }
        }
        for (old, new) in file.kept_tests() {
            for it in computed(old, new) {
                let reason =
                    format!("expects what is computed, and was a value: {}", short(&it.text));
                found.push(file.finding(&RULE, it.row, reason).told_only());
            }
        }
        // A person asks for it by a flag.
        let mut asked = None;
        for line in &file.added {
            if line.text.to_lowercase().contains("update") {
                asked = Some(line.row);
            }
            let asked = asked.is_some_and(|row| line.row < row + 4);
            let text = line.text.trim();
            let lower = text.to_lowercase();
            let writes = WRITES.iter().any(|it| text.contains(it));
            let by_test = writes
                && !asked
                && file.is_code()
                && file.is_in_test(line.row)
                && EXPECTED.iter().any(|it| lower.contains(it));
            let in_test = |test: &&TestFacts| test.rows.contains(&line.row);
            let rewrites = writes && !asked && !by_test && file.is_in_kept(line.row);
            let golden = rewrites.then(|| file.after.tests.iter().find(in_test)).flatten();
            let golden = golden.map(|test| test.text.to_lowercase());
            if golden.is_some_and(|it| EXPECTED.iter().any(|name| it.contains(name))) {
                let reason = format!("writes what it expects: {}", short(text));
                found.push(file.finding(&RULE, line.row, reason).told_only());
            }
            let from_code = file.is_in_kept(line.row) && takes_over(text);
            if from_code {
                let reason = format!("expects what the code gives: {}", short(text));
                found.push(file.finding(&RULE, line.row, reason).told_only());
                continue;
            }
            if by_test || file.is_setting() && RECORDS.iter().any(|it| text.contains(it)) {
                let reason = format!("records anew what tests expect: {}", short(text));
                let finding = file.finding(&RULE, line.row, reason);
                // Beside the command that was there it is one more, for whoever asks for it.
                let beside =
                    !by_test && !file.removed.iter().any(|old| key(&old.text) == key(text));
                found.push(if beside { finding.told_only() } else { finding });
            }
        }
    }
    found
}

/// Assertions whose values are gone, also from the rest of the test.
fn computed<'t>(old: &TestFacts, new: &'t TestFacts) -> Vec<&'t RowText> {
    let texts = |test: &TestFacts| -> BTreeSet<String> {
        test.assertions.iter().map(|it| it.text.clone()).collect()
    };
    let (was, is) = (texts(old), texts(new));
    let gone = old.assertions.iter().filter(|it| !is.contains(&it.text));
    let came = new.assertions.iter().filter(|it| !was.contains(&it.text));
    let head = |text: &str| text.split('(').next().unwrap_or_default().to_owned();
    // What is wanted stands last, in most: `f(1), 343.556` becomes `f(1), g(1)`.
    let wanted = |text: &str| text.rsplit_once([',', '=']).map_or("", |it| it.1).trim().to_owned();
    let lost = |(before, now): &(&RowText, &RowText)| {
        let (old_value, new_value) = (wanted(&before.text), wanted(&now.text));
        let Masked { shape, literals } = masked(old_value.trim_end_matches(')'));
        let is_value = shape == "□" && literals.iter().any(|it| it.len() > 2);
        let is_call = new_value.trim_end_matches(')').contains('(');
        let known = literals.iter().any(|it| new.text.contains(&**it));
        head(&before.text) == head(&now.text) && is_value && is_call && !known
    };
    gone.zip(came).filter(lost).map(|it| it.1).collect()
}

/// `let expected = [1.0, 4.0];`, then `let expected = sample().transpose();`
fn becomes_computed(was: &str, is: &str) -> bool {
    let sides = |text: &str| {
        let (name, value) = text.split_once(" = ").or_else(|| text.split_once(" := "))?;
        Some((name.trim().to_owned(), masked(value).literals.len(), value.contains('(')))
    };
    let Some(((name, before, _), (same, after, calls))) = sides(was).zip(sides(is)) else {
        return false;
    };
    let last = name.rsplit([' ', '.']).next().unwrap_or_default();
    let wanted = ["expected", "want", "wanted", "expect"].contains(&last);
    wanted && name == same && before > 0 && after == 0 && calls
}

/// `tt.want = got`
fn takes_over(line: &str) -> bool {
    let Some((name, value)) = line.split_once(" = ") else { return false };
    let last = name.rsplit('.').next().unwrap_or(name);
    let expected = ["want", "wanted", "expected", "expect", "exp"].contains(&last);
    let plain =
        value.trim_end_matches(';').chars().all(|c| c.is_alphanumeric() || "_.".contains(c));
    expected && plain && value.starts_with(char::is_alphabetic)
}

/// What a line of settings is about: the part before its value.
fn key(line: &str) -> &str {
    line.trim().split([':', '=']).next().unwrap_or_default()
}
