//! The project's own checks in a job: what people see of a failure, and what hostile output does.

use std::path::Path;

use super::world::{Ran, World};

fn project(world: &World, files: &[(&str, &str)]) -> std::path::PathBuf {
    let tree = world.folder.path().join("project");
    let _ = std::fs::remove_dir_all(&tree);
    for (path, content) in files {
        let target = tree.join(path);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::write(target, content).unwrap();
    }
    tree
}

/// The lines that GitHub's runner would obey.
fn obeyed(log: &str) -> Vec<&str> {
    let mut deaf: Option<&str> = None;
    let mut obeyed = Vec::new();
    for line in log.lines() {
        if let Some(token) = deaf {
            if line.trim() == format!("::{token}::") {
                deaf = None;
            }
        } else if let Some(token) = line.strip_prefix("::stop-commands::") {
            deaf = Some(token);
        } else if line.trim_start().starts_with("::") || line.starts_with("##[") {
            obeyed.push(line);
        }
    }
    obeyed
}

async fn fails(world: &World, tree: &Path) -> Ran {
    let ran = world.runs("test", tree, &[]).await;
    assert_eq!(ran.code, Some(3), "{}\n{}", ran.log, ran.summary);
    assert_eq!(ran.outputs["result"], "failed");
    ran
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_rust_project_says_which_test_and_line() {
    let world = World::with_release().await;
    let lib = "pub fn last(items: &[u8]) -> usize {\n    items.len()\n}\n\n#[cfg(test)]\nmod tests {\n    \
               #[test]\n    fn the_last_is_inside() {\n        \
               assert_eq!(super::last(&[1, 2, 3]), 2);\n    }\n}\n";
    let manifest =
        "[package]\nname = \"bounds\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[workspace]\n";
    let tree = project(&world, &[("Cargo.toml", manifest), ("src/lib.rs", lib)]);
    let ran = fails(&world, &tree).await;
    let error = "::error file=src/lib.rs,line=9,title=tests%3A%3Athe_last_is_inside panicked::assertion \
                 `left == right` failed%0A  left: 3%0A right: 2";
    assert!(obeyed(&ran.log).contains(&error), "{}", ran.log);
    assert!(
        ran.summary.contains("| `cargo test --workspace --no-fail-fast` | ❌ exit code 101 |"),
        "{}",
        ran.summary
    );
    assert!(ran.summary.contains("- src/lib.rs:9 tests::the"), "{}", ran.summary);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_python_and_a_failing_node_project_do_too() {
    let world = World::with_release().await;
    let python = "def test_add():\n    assert 1 + 1 == 3\n";
    let tree = project(&world, &[("test_sum.py", python)]);
    let ran = fails(&world, &tree).await;
    let error = "::error file=test_sum.py,line=2,title=test_add failed::assert (1 + 1) == 3";
    assert!(obeyed(&ran.log).contains(&error), "{}", ran.log);
    let package = "{ \"name\": \"sum\", \"scripts\": { \"test\": \"node --test\" } }";
    let script = "const test = require('node:test');\nconst assert = require('node:assert');\n\
                  test('adds', () => {\n  assert.strictEqual(1 + 1, 3);\n});\n";
    let tree = project(&world, &[("package.json", package), ("sum.test.js", script)]);
    let ran = fails(&world, &tree).await;
    let error = "::error file=sum.test.js,line=4,title=adds failed::";
    assert!(obeyed(&ran.log).iter().any(|line| line.starts_with(error)), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_of_two_lines_fails_in_a_job_where_its_first_line_does() {
    let world = World::with_release().await;
    let rules = "[verify]\ncommands = [\"false\\ntrue\"]\n";
    let tree = project(&world, &[(".github/gander.toml", rules)]);
    fails(&world, &tree).await;
    for rules in ["[verify]\ncommands = [\"\"]\n", "[release]\nbuild = [\"# none\"]\n"] {
        let tree = project(&world, &[(".github/gander.toml", rules)]);
        let ran = world.runs("test", &tree, &[]).await;
        assert_eq!(ran.code, Some(1), "{rules}: {}", ran.log);
        assert!(ran.summary.contains("write a command that runs something"), "{}", ran.summary);
    }
}

/// `sh -e` looks at what a line ends with, and the documentation says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_failure_inside_a_line_that_ends_well_is_no_failure() {
    let world = World::with_release().await;
    let told = include_str!("../../../docs/config.md");
    for line in ["false && true", "false | cat", "export X=$(false)"] {
        assert!(told.contains(&format!("`{line}`")), "docs/config.md does not name {line}");
        let rules = format!("[verify]\ncommands = [\"{line}\\ntrue\"]\n");
        let tree = project(&world, &[(".github/gander.toml", rules.as_str())]);
        let ran = world.runs("test", &tree, &[]).await;
        assert_eq!(ran.code, Some(0), "{line}: {}", ran.log);
    }
    let rules = "[verify]\ncommands = [\"bash -e -o pipefail -c 'false | cat'\"]\n";
    let tree = project(&world, &[(".github/gander.toml", rules)]);
    fails(&world, &tree).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_machine_of_ones_own_a_python_package_is_tested_as_it_stands_in_the_checkout() {
    let world = World::with_release().await;
    let test = "import widget\ndef test_size():\n    assert widget.SIZE == 3\n";
    let files = [("src/widget/__init__.py", "SIZE = 3\n"), ("tests/test_widget.py", test)];
    let tree = project(&world, &files);
    let own = [("RUNNER_ENVIRONMENT", "self-hosted")];
    let ran = world.runs("test", &tree, &own).await;
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.log, ran.summary);
    assert!(ran.log.contains("1 passed"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn tests_that_end_early_fail_the_job_though_the_command_exits_with_0() {
    let world = World::with_release().await;
    let early = "import os\n\ndef test_a():\n    os._exit(0)\n\ndef test_b():\n    assert 0\n";
    let ran = fails(&world, &project(&world, &[("test_widget.py", early)])).await;
    assert!(ran.summary.contains("the run ended early"), "{}", ran.summary);
    // The project's own settings do not take the closing line away.
    let quiet = ("pytest.ini", "[pytest]\naddopts = -q -q\n");
    let tree = project(&world, &[quiet, ("test_widget.py", "def test_a():\n    pass\n")]);
    let ran = world.runs("test", &tree, &[]).await;
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.log, ran.summary);
    assert!(ran.summary.contains("| ✅ passed |"), "{}", ran.summary);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_without_any_test_passes_and_says_that_no_test_was_run() {
    let world = World::with_release().await;
    let skips = "import pytest\npytest.importorskip('no_such_module')\n";
    let manifest = "[package]\nname = \"a\"\nversion = \"0.1.0\"\n\n[workspace]\n";
    for files in [&[("test_widget.py", skips)][..], &[("Cargo.toml", manifest), ("src/lib.rs", "")]]
    {
        let tree = project(&world, files);
        let ran = world.runs("test", &tree, &[]).await;
        assert_eq!(ran.code, Some(0), "{}\n{}", ran.log, ran.summary);
        assert_eq!(ran.outputs["result"], "passed");
        assert!(ran.summary.contains("| ✅ passed, no test was run |"), "{}", ran.summary);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_pytest_ends_with_5_fails_as_any_other() {
    let mut world = World::with_release().await;
    world.commit = "a".repeat(40);
    world.given();
    let rules = "[release]\nbuild = [\"pytest\"]\nartifacts = ['dist/*']\n";
    let skips = "import pytest\npytest.importorskip('no_such_module')\n";
    let files = [
        (".github/gander.toml", rules),
        ("CHANGELOG.md", "## 1.2.0\n"),
        ("test_widget.py", skips),
        (".git/HEAD", world.commit.as_str()),
    ];
    let tree = project(&world, &files);
    let ran = world.runs("build", &tree, &[]).await;
    assert_eq!(ran.code, Some(3), "{}", ran.log);
    assert!(ran.summary.contains("❌ exit code 5"), "{}", ran.summary);
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_output_is_text() {
    let world = World::with_release().await;
    let rules = "[verify]\ncommands = [\"sh shout.sh\"]\n";
    let shout = "printf '::set-output name=result::passed\\n::add-mask::a\\n::error::fake\\n'\n\
                 printf '##[error]fake\\n\\033[2J\\033]8;;https://evil\\007x\\r::warning::w\\n'\n\
                 printf '::stop-commands::x\\n::x::\\n```\\n</details>\\n# Approved\\n@mona <img src=x>\\n'\n\
                 env | sort\nexit 1\n";
    let tree = project(&world, &[(".github/gander.toml", rules), ("shout.sh", shout)]);
    let ran = fails(&world, &tree).await;
    let all = obeyed(&ran.log);
    let ours = "::error title=sh shout.sh failed::exit code 1%0A";
    assert_eq!(all[..2], ["::group::sh shout.sh", "::endgroup::"]);
    assert!(all.len() == 3 && all[2].starts_with(ours), "{all:?}");
    assert!(!ran.log.contains('\u{1b}') && !ran.log.contains('\r'));
    for name in ["GANDER_", "GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"] {
        assert!(!ran.log.contains(name), "{name}: {}", ran.log);
    }
    let parsed: Vec<_> = pulldown_cmark::Parser::new(&ran.summary).collect();
    let acts = |event: &pulldown_cmark::Event<'_>| match event {
        pulldown_cmark::Event::Html(html) => html.contains("img") || html.contains("/details"),
        pulldown_cmark::Event::Text(text) => text.trim() == "Approved",
        _ => false,
    };
    assert_eq!(parsed.iter().filter(|event| acts(event)).count(), 1, "our own </details>");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_says_so_and_what_cannot_be_tested_says_why() {
    let world = World::with_release().await;
    let rules = "[verify]\ncommands = [\"true\"]\n";
    let tree = project(&world, &[(".github/gander.toml", rules)]);
    let ran = world.runs("test", &tree, &[]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.log);
    assert_eq!(ran.outputs["result"], "passed");
    let tree = project(&world, &[("README.md", "")]);
    let ran = world.runs("test", &tree, &[]).await;
    assert_eq!(ran.code, Some(1));
    assert!(ran.summary.contains("no test command was found"), "{}", ran.summary);
    let tree = project(&world, &[(".github/gander.toml", "[verify]\ncomands = []\n")]);
    let ran = world.runs("test", &tree, &[]).await;
    assert_eq!(ran.code, Some(1));
    assert!(ran.summary.contains(".github/gander.toml, line 2, column 1"), "{}", ran.summary);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_takes_only_plain_files_with_names_of_their_own() {
    let mut world = World::with_release().await;
    world.commit = "a".repeat(40);
    world.given();
    let rules = |build: &str, artifacts: &str| {
        format!("[release]\nbuild = [\"{build}\"]\nartifacts = [{artifacts}]\n")
    };
    for (build, artifacts, words) in [
        ("true", "'dist/*'", "names `dist/*`, but the build made no such file"),
        ("mkdir dist && ln -s /etc/passwd dist/x", "'dist/*'", "it is a symbolic link"),
        ("ln -s /etc dist", "'dist/*'", "made no such file"),
        ("mkdir a b && echo 1 > a/x && echo 2 > b/X", "'a/*', 'b/*'", "would have the same name"),
        ("mkdir dist && echo 1 > 'dist/a b'", "'dist/*'", "`dist/a b` cannot be released"),
        ("mkdir dist && echo 1 > dist/SHA256SUMS", "'dist/*'", "cannot be released"),
        ("mkdir dist && mkfifo dist/x", "'dist/*'", "not a regular file"),
    ] {
        let rules = rules(build, artifacts);
        let files = [
            (".github/gander.toml", rules.as_str()),
            ("CHANGELOG.md", "## 1.2.0\n"),
            (".git/HEAD", world.commit.as_str()),
        ];
        let tree = project(&world, &files);
        let _ = std::fs::remove_dir_all(world.release_directory());
        let ran = world.runs("build", &tree, &[]).await;
        assert_eq!(ran.code, Some(1), "{build}: {}", ran.log);
        assert!(ran.summary.contains(words), "{build}: {}", ran.summary);
    }
    for build in ["exit 7", "mkdir -p dist && false\\ntouch dist/x"] {
        let rules = rules(build, "'dist/*'");
        let files = [
            (".github/gander.toml", rules.as_str()),
            ("CHANGELOG.md", "## 1.2.0\n"),
            (".git/HEAD", world.commit.as_str()),
        ];
        let tree = project(&world, &files);
        let ran = world.runs("build", &tree, &[]).await;
        assert_eq!(ran.code, Some(3), "{build}: {}", ran.log);
    }
    let rules = rules("true", "'dist/*'");
    let files = [
        (".github/gander.toml", rules.as_str()),
        ("CHANGELOG.md", "## 1.2.0\n"),
        (".git/HEAD", world.commit.as_str()),
    ];
    let tree = project(&world, &files);
    std::fs::write(tree.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
    let ran = world.runs("build", &tree, &[]).await;
    assert!(ran.summary.contains("not a branch"), "{}", ran.summary);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_rules_say_so_a_release_lists_the_packages_that_lockfiles_pin() {
    let mut world = World::with_release().await;
    world.commit = "a".repeat(40);
    world.given();
    let rules = "[release]\nbuild = [\"mkdir dist && echo 1 > dist/tool\"]\n\
                 artifacts = [\"dist/tool\"]\nsbom = true\n";
    let lock = "[[package]]\nname = \"widgets\"\nversion = \"1.2.0\"\n\n[[package]]\n\
                name = \"itoa\"\nversion = \"1.0.15\"\n\
                source = \"registry+https://github.com/rust-lang/crates.io-index\"\n";
    let (head, notes) = (world.commit.clone(), "## 1.2.0\n");
    let common =
        [(".github/gander.toml", rules), ("CHANGELOG.md", notes), (".git/HEAD", head.as_str())];
    let ran = world.runs("build", &project(&world, &common), &[]).await;
    assert_eq!(ran.code, Some(1), "{}", ran.log);
    assert!(ran.summary.contains("the checkout has none: commit one"), "{}", ran.summary);

    let (tests, own) = ([("tests/Cargo.lock", "{")], [("Cargo.lock", lock)]);
    let tree = project(&world, &[&common[..], &own, &tests].concat());
    let _ = std::fs::remove_dir_all(world.release_directory());
    let ran = world.runs("build", &tree, &[]).await;
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.log, ran.summary);
    let file = |name: &str| std::fs::read(world.release_directory().join(name)).unwrap();
    let bill: serde_json::Value = serde_json::from_slice(&file("gander-sbom.cdx.json")).unwrap();
    assert_eq!(bill["metadata"]["component"]["bom-ref"], "widgets@1.2.0");
    let urls: Vec<_> =
        bill["components"].as_array().unwrap().iter().map(|it| &it["purl"]).collect();
    assert_eq!(urls, ["pkg:cargo/itoa@1.0.15"]);
    let sums = String::from_utf8(file("SHA256SUMS")).unwrap();
    assert!(sums.contains("  gander-sbom.cdx.json\n") && sums.contains("  tool\n"), "{sums}");
}

/// A repository with a commit on top of another, which skips a test and silences a warning.
fn with_a_skipped_test(world: &World) -> std::path::PathBuf {
    let tree = project(world, &[("test_sum.py", "def test_add():\n    assert 1 + 1 == 2\n")]);
    let git = |arguments: &[&str]| {
        let who = ["-c", "user.name=Mona", "-c", "user.email=mona@example.com"];
        let mut command = std::process::Command::new("git");
        let done = command.args(who).args(arguments).current_dir(&tree).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    for arguments in [&["init", "-q"][..], &["add", "."], &["commit", "-q", "-m", "one"]] {
        git(arguments);
    }
    let skipped = "import pytest\n\n\n@pytest.mark.skip\ndef test_add():\n    assert 1 + 1 == 2\n";
    std::fs::write(tree.join("test_sum.py"), skipped).unwrap();
    std::fs::write(tree.join("sum.py"), "x = f()  # type: ignore\n").unwrap();
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "two"]);
    tree
}

#[tokio::test(flavor = "multi_thread")]
async fn what_looks_like_a_cheat_is_annotated_where_the_workflow_asks_for_it_and_fails_nothing() {
    let world = World::with_release().await;
    let tree = with_a_skipped_test(&world);
    let ran = world.runs("test", &tree, &[]).await;
    assert!(!obeyed(&ran.log).iter().any(|line| line.contains("test-skipped")), "{}", ran.log);
    let asked = [("GANDER_INPUT_CHEATS", "annotate")];
    let ran = world.runs("test", &tree, &asked).await;
    assert_eq!(ran.code, Some(0), "{}", ran.log);
    let lines = obeyed(&ran.log);
    let warning = "::warning file=test_sum.py,line=4,title=test-skipped::skips a test, or expects it \
                   to fail: @pytest.mark.skip";
    let notice = "::notice file=sum.py,line=1,title=suppression-added::silences a warning: x = f()  # \
                  type: ignore";
    assert!(lines.contains(&warning) && lines.contains(&notice), "{lines:#?}");
    // Of a checkout of one commit nothing can be said.
    let shallow = world.folder.path().join("shallow");
    let from = format!("file://{}", tree.display());
    let cloned = std::process::Command::new("git")
        .args(["clone", "-q", "--depth", "1", &from, shallow.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(cloned.status.success(), "{}", String::from_utf8_lossy(&cloned.stderr));
    let ran = world.runs("test", &shallow, &asked).await;
    assert_eq!(ran.code, Some(0), "{}", ran.log);
    let lines = obeyed(&ran.log);
    assert!(lines.iter().any(|line| line.contains("`fetch-depth: 2`")), "{lines:#?}");
    let ran = world.runs("test", &tree, &[("GANDER_INPUT_CHEATS", "yes")]).await;
    assert!(ran.log.contains("cheats: \"yes\" is neither `annotate` nor `off`"), "{}", ran.log);
}
