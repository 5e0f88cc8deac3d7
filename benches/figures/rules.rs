//! What the rules against cheats cost on a large change.

use std::path::Path;
use std::time::{Duration, Instant};

use gander::core::patch::{Change, FileMode, Patch};
use gander::verify::cheat::{ChangedSources, CheatRule, RULES, find_cheats};
use gander::workspace::diff::{BaseFile, BaseFiles};
use gander::workspace::mirror::EntryMode;

use super::sample::Sample;
use super::table::{Table, Wanted};

const FILES: usize = 50;
const FUNCTIONS: usize = 40;
const RUNS: usize = 15;

/// 50 files of 40 functions with their tests in five languages, each with a few lines changed.
pub(crate) fn measure(_home: &Path, table: &mut Table) {
    let (patch, base) = change();
    let sources = ChangedSources::of(&patch, &base);
    let each = |rule: &CheatRule| {
        let times = times(|| drop(std::hint::black_box(rule.find(&sources))));
        (Sample::of_times(times), rule.name)
    };
    let all = RULES.iter().map(each);
    let slowest = all.max_by(|one, other| one.0.median().total_cmp(&other.0.median()));
    if let Some((sample, name)) = slowest {
        let what = format!("rules: the slowest ({name}), {FILES} files");
        table.sample(&what, "ms", &sample, Wanted::AtMost(5.0));
    }
    let all = times(|| drop(std::hint::black_box(find_cheats(&patch, &base))));
    let all = Sample::of_times(all);
    table.sample(&format!("rules: all, {FILES} files"), "ms", &all, Wanted::AtMost(100.0));
}

fn times(work: impl Fn()) -> Vec<Duration> {
    let time = |_| {
        let begin = Instant::now();
        work();
        begin.elapsed()
    };
    (0..RUNS).map(time).collect()
}

fn change() -> (Patch, BaseFiles) {
    let (mut patch, mut base) = (Patch::default(), BaseFiles::new());
    let oid: gander::core::id::Sha = "a".repeat(40).parse().unwrap();
    for file in 0..FILES {
        let (name, text) = source(file);
        let path: gander::core::path::RepoPath = name.parse().unwrap();
        let content = text.replace("value + 3", "value + 4").replace("expected 7", "expected 8");
        let content = content.into_bytes();
        base.insert(path.clone(), BaseFile { mode: EntryMode::File, content: text.into_bytes() });
        let replaces = Some(oid.clone());
        patch.changes.insert(path, Change::Write { mode: FileMode::File, content, replaces });
    }
    (patch, base)
}

fn source(file: usize) -> (String, String) {
    let functions = 0..FUNCTIONS;
    match file % 5 {
        0 => (
            format!("src/part{file}.rs"),
            functions
                .map(|n| {
                    format!(
                        "pub fn f{n}(value: u32) -> u32 {{\n    if value > {n} {{\n        return value + {n};\n    }}\n    g(value)\n}}\n\n\
                         #[test]\nfn works_{n}() {{\n    // expected {n}\n    assert_eq!(f{n}({n}), {n});\n}}\n\n"
                    )
                })
                .collect(),
        ),
        1 => (
            format!("tests/test_part{file}.py"),
            functions
                .map(|n| {
                    format!(
                        "def f{n}(value):\n    try:\n        return value + {n}\n    except KeyError:\n        return None\n\n\n\
                         def test_{n}():\n    # expected {n}\n    assert f{n}({n}) == {n}\n\n\n"
                    )
                })
                .collect(),
        ),
        2 => (
            format!("src/part{file}.test.ts"),
            functions
                .map(|n| {
                    format!(
                        "function f{n}(value: number) {{\n  return value + {n};\n}}\n\n\
                         it('works {n}', () => {{\n  // expected {n}\n  expect(f{n}({n})).toBe({n});\n}});\n\n"
                    )
                })
                .collect(),
        ),
        3 => (
            format!("part{file}_test.go"),
            "package part\n\n".to_owned()
                + &functions
                    .map(|n| {
                        format!(
                            "func f{n}(value int) int {{\n\treturn value + {n}\n}}\n\n\
                             func TestF{n}(t *testing.T) {{\n\t// expected {n}\n\tif f{n}({n}) != {n} {{\n\t\tt.Errorf(\"no\")\n\t}}\n}}\n\n"
                        )
                    })
                    .collect::<String>(),
        ),
        _ => (
            format!("src/test/java/Part{file}Test.java"),
            format!("class Part{file}Test {{\n")
                + &functions
                    .map(|n| {
                        format!(
                            "  int f{n}(int value) {{\n    return value + {n};\n  }}\n\n\
                             @Test\n  void works{n}() {{\n    // expected {n}\n    assertEquals({n}, f{n}({n}));\n  }}\n\n"
                        )
                    })
                    .collect::<String>()
                + "}\n",
        ),
    }
}
