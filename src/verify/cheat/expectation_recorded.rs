//! Expectations that are written by what they are held against.

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

/// What a line of settings is about: the part before its value.
fn key(line: &str) -> &str {
    line.trim().split([':', '=']).next().unwrap_or_default()
}
