use std::path::PathBuf;

use super::*;

/// A checkout with these files.
fn checkout(files: &[&str]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().canonicalize().unwrap();
    for file in files {
        let path = tree.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }
    (folder, tree)
}

fn commands(output: &str, files: &[&str]) -> Vec<String> {
    let (_folder, tree) = checkout(files);
    let output = output.replace("TREE", tree.to_str().unwrap());
    points(&output, &tree).iter().map(Point::command).collect()
}

#[test]
fn a_compiler_error_points_at_its_line() {
    let output = "error[E0308]: mismatched types\n --> src/lib.rs:5:9\n  |\n5 | x\n\n\
                  error: could not compile `a` (lib) due to 1 previous error\n";
    assert_eq!(
        commands(output, &["src/lib.rs"]),
        ["::error file=src/lib.rs,line=5,title=error E0308::mismatched types"]
    );
}

#[test]
fn a_panicking_test_points_at_its_line() {
    let output = "thread 'sum::adds' (77) panicked at src/lib.rs:7:5:\n\
                  assertion `left == right` failed: 100%, really\n  left: 1\n right: 2\n\
                  note: run with `RUST_BACKTRACE=1`\n";
    let expected = "::error file=src/lib.rs,line=7,title=sum%3A%3Aadds panicked::assertion `left == \
                    right` failed: 100%25, really%0A  left: 1%0A right: 2";
    assert_eq!(commands(output, &["src/lib.rs"]), [expected]);
}

#[test]
fn pytest_points_at_where_it_went_wrong() {
    let output = "____________ test_add ____________\n\n    def test_add():\n>       assert 2 == 3\n\
                  E       assert 2 == 3\n\ntest_sum.py:3: AssertionError\n\
                  ____________ test_zero ___________\n\n>       add(1, None)\n\ntest_sum.py:5: \n_ _ _ _\n\
                  E       TypeError: no\n\nlib.py:2: TypeError\n===== short test summary info =====\n";
    assert_eq!(
        commands(output, &["test_sum.py", "lib.py"]),
        [
            "::error file=test_sum.py,line=3,title=test_add failed::assert 2 == 3",
            "::error file=lib.py,line=2,title=test_zero failed::TypeError: no",
        ]
    );
}

#[test]
fn node_points_at_the_assertion_in_both_its_forms() {
    let tap = "not ok 1 - adds\n  ---\n  location: 'TREE/sum.test.js:2:1'\n  error: |-\n    2 !== 3\n    \n  \
               code: 'ERR_ASSERTION'\n  stack: |-\n    TestContext.<anonymous> (TREE/sum.test.js:4:29)\n    \
               node:internal/x:1:1\n  ...\nnot ok 2 - group\n  ---\n  failureType: 'subtestsFailed'\n  ...\n";
    let expected = ["::error file=sum.test.js,line=4,title=adds failed::2 !== 3"];
    assert_eq!(commands(tap, &["sum.test.js"]), expected);
    let spec = "✖ failing tests:\n\ntest at sum.test.js:2:1\n✖ adds (1.2ms)\n  2 !== 3\n      at \
                TestContext.<anonymous> (TREE/sum.test.js:4:29) {\n";
    assert_eq!(commands(spec, &["sum.test.js"]), expected);
}

#[test]
fn what_is_no_file_of_the_checkout_is_not_named() {
    for file in ["/etc/passwd", "../x.rs", "missing.rs", "src/../../x.rs", "a\tb.rs"] {
        let output = format!("error: bad\n --> {file}:5:9\n");
        assert_eq!(commands(&output, &["src/lib.rs"]), ["::error title=error::bad"], "{file}");
    }
}

#[test]
fn nothing_in_a_message_ends_its_command() {
    let output =
        "thread 'a::b,line=1' panicked at x.rs:1:1:\n::set-output name=x::y\r\n%0A::error::z\n";
    let all = commands(output, &["x.rs"]);
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].lines().count(), 1);
    assert!(all[0].starts_with("::error file=x.rs,line=1,title=a%3A%3Ab%2Cline=1 panicked::"));
    assert!(all[0].ends_with("%250A::error::z"), "{}", all[0]);
}
