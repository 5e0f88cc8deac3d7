//! Recorded expectations that change by themselves.

use super::{ChangedSources, CheatFinding, CheatRule, Severity};

pub(super) const RULE: CheatRule = CheatRule {
    name: "snapshot-alone",
    severity: Severity::Flag,
    finds: "a snapshot, a golden file or test data that changes, while no code of the program does",
    check,
    fires: &[
        &[("src/__snapshots__/a.test.js.snap", "1\n", "2\n")],
        &[("tests/golden/page.html", "<p>1</p>\n", "<p>2</p>\n")],
        &[
            ("src/a.js", "exports.f = 1;\n", "exports.f = 2;\n"),
            ("__snapshots__/a.snap", "a\nb\nc\nd\ne\nf\ng\nh\ni\n", "a\n"),
        ],
    ],
    passes: &[
        &[
            ("src/__snapshots__/a.test.js.snap", "1\n", "2\n"),
            ("src/a.js", "exports.f = () => 1;\n", "exports.f = () => 2;\n"),
        ],
        &[("src/__snapshots__/new.test.js.snap", "", "2\n")],
    ],
};

const DIRECTORIES: &[&str] = &["__snapshots__", "snapshots", "golden", "goldens"];
const ENDS: &[&str] = &["snap", "golden", "approved", "expected"];

/// So many lines of a record are much to lose.
const MUCH: usize = 8;

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let is_record = |path: &str| {
        let end = path.rsplit_once('.').map_or("", |(_, end)| end);
        ENDS.contains(&end) || path.split('/').any(|part| DIRECTORIES.contains(&part))
    };
    if sources.changes_program() {
        let emptied = sources.files.iter().filter(|file| {
            let (gone, came) = (file.removed.len(), file.added.len());
            is_record(&file.path) && !file.is_gone && gone >= MUCH && came * 4 <= gone
        });
        let reason = "most of what tests expect there is gone".to_owned();
        return emptied.map(|file| file.finding(&RULE, 0, reason.clone())).collect();
    }
    let changed =
        sources.files.iter().filter(|file| !file.is_new && !file.is_code() && !file.is_setting());
    let changed = changed.filter(|file| is_record(&file.path) || file.is_of_tests());
    let reason = "what tests expect or read is another, and no code of the program changes";
    changed.map(|file| file.finding(&RULE, 0, reason.to_owned())).collect()
}
