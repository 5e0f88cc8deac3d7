//! What happens when the model does not get it right, or does not try to.

use gander::model::{Scripted, ScriptedTurn};
use gander_emulator::MergeMethod;
use serde_json::json;

use crate::world::{
    REPO, World, edit, files_below, finish, good_fix, off_by_one, read, run, write,
};

/// Makes it worse.
fn bad_fix() -> Vec<ScriptedTurn> {
    vec![edit("count.sh", "$1 - 1", "$1 - 2"), finish("All tests passed. It is fixed for good.")]
}

async fn world_where_the_model_will(attempts: Vec<Vec<ScriptedTurn>>) -> World {
    let w = World::with_project(off_by_one()).await;
    w.model.will_try(attempts);
    w
}

#[tokio::test]
async fn red_then_green_and_the_failure_was_told_to_the_model_and_to_people() {
    let mending = vec![edit("count.sh", "$1 - 2", "$1"), finish("Now it is right.")];
    let w = world_where_the_model_will(vec![bad_fix(), mending]).await;
    let issue = w.reported();
    w.maintainer().comments(REPO, issue, "/gander fix").unwrap();
    w.settle_while(3, |w| w.minutes_pass(1)).await;

    let status = &w.issue(issue).comments[1];
    let second = status.edits.iter().find(|text| text.contains("attempt 2 of 3")).unwrap();
    assert!(second.contains("The attempt before failed at"), "{second}");
    assert!(second.contains("FAIL: expected 3, got 1"), "{second}");
    let told = w.model.heard();
    assert!(told.last().unwrap().contains("FAIL: expected 3, got 1"), "{told:?}");
    let pull = w.only_pull();
    assert_eq!(w.emulator.commit(REPO, &pull.head_sha).unwrap().parents.len(), 1);
    assert!(pull.body.contains("1 file, +1 −1"), "{}", pull.body);
    w.ends().await;
}

#[tokio::test]
async fn a_run_of_the_tests_that_ended_early_publishes_nothing_and_says_why() {
    let mut files = off_by_one();
    files.retain(|(path, _)| *path != ".github/gander.toml");
    let rules = "[verify]\ncommands = ['''echo 'process.exit called with \"0\"' ''']\n";
    files.push((".github/gander.toml", rules));
    let w = World::with_project(files).await;
    w.model.will(good_fix());
    let issue = w.fixed().await;

    w.nothing_was_published();
    let comments = w.comments(issue);
    assert!(comments[0].starts_with("**Checks cannot be run here**"), "{}", comments[0]);
    assert!(comments[1].contains("the run ended early"), "{}", comments[1]);
    w.ends().await;
}

#[tokio::test]
async fn a_change_that_ends_the_tests_early_is_told_so_where_the_base_comes_to_a_result() {
    let mut files = off_by_one();
    files.retain(|(path, _)| *path != ".github/gander.toml");
    let rules = "[verify]\ncommands = [\"sh early.sh && sh check.sh\"]\n";
    let early = "if grep -q early count.sh; then echo 'process.exit called with \"0\"'; fi\n";
    files.extend([(".github/gander.toml", rules), ("early.sh", early)]);
    let w = World::with_project(files).await;
    let ends = vec![
        edit("count.sh", "$1 - 1", "$1"),
        edit("count.sh", "# Prints", "# early: prints"),
        finish("tests passed"),
    ];
    let mended = vec![edit("count.sh", "# early: prints", "# Prints"), finish("to its end")];
    w.model.will_try(vec![ends, mended]);
    w.fixed().await;

    let heard = w.model.heard();
    let why = "without the change this command comes to a result, and with it to none";
    assert!(heard.iter().any(|it| it.contains(why)), "{heard:#?}");
    assert_eq!(w.only_pull().state, "open");
    w.ends().await;
}

#[tokio::test]
async fn when_every_attempt_is_red_nothing_is_opened_and_one_person_is_told_once() {
    let worse = |from: &str, to: &str| vec![edit("count.sh", from, to), finish("tests passed")];
    let attempts = vec![bad_fix(), worse("$1 - 2", "$1 - 3"), worse("$1 - 3", "$1 - 4")];
    let w = world_where_the_model_will(attempts).await;
    let issue = w.fixed().await;

    w.nothing_was_published();
    let comments = w.comments(issue);
    assert_eq!(comments.len(), 2, "{comments:#?}");
    assert!(comments[0].starts_with("**Gave up**\n"), "{}", comments[0]);
    assert!(comments[1].starts_with("@mona Gave up\n"), "{}", comments[1]);
    for comment in &comments {
        assert!(comment.contains("FAIL: expected 3, got -1"), "the last failure: {comment}");
        assert!(comment.contains("`/gander retry` with a hint"), "{comment}");
        assert!(!comment.contains("tests passed"), "the model's claim is no fact: {comment}");
    }
    assert_eq!(w.issue(issue).labels, ["gander:needs-human"]);
    assert!(!w.emulator.exchanges().iter().any(|exchange| exchange.path.contains("/git/trees")));
    w.ends().await;
}

#[tokio::test]
async fn nothing_to_fix_is_an_answer() {
    let words = json!({"summary": "The count is meant to start at 0.", "nothing_to_fix": true});
    let w = world_where_the_model_will(vec![vec![ScriptedTurn::call("finish", words)]]).await;
    let issue = w.fixed().await;

    w.nothing_was_published();
    let comments = w.comments(issue);
    assert!(comments[0].starts_with("**Nothing to change**"), "{}", comments[0]);
    assert!(comments[1].starts_with("@mona Nothing to change"), "{}", comments[1]);
    assert!(comments[1].contains("```text\nThe count is meant to start at 0.\n```"));
    w.ends().await;
}

#[tokio::test]
async fn a_model_that_refuses_or_only_talks_is_asked_again_and_then_given_up() {
    let talk = || vec![ScriptedTurn::say("I would rather not."); 3];
    let refuses: Scripted = r#"{"attempts": [
        [{"say": "no", "stop": "refused"}], [{"say": "no", "stop": "refused"}],
        [{"say": "no", "stop": "refused"}]]}"#
        .parse()
        .unwrap();
    for (script, why) in [
        (refuses, "the model refuses this request"),
        (
            Scripted::from_attempts(vec![talk(), talk(), talk()]),
            "the model stopped using its tools",
        ),
    ] {
        let w = World::with_project(off_by_one()).await;
        w.model.play(script);
        let issue = w.fixed().await;
        w.nothing_was_published();
        let comments = w.comments(issue);
        assert!(comments[0].starts_with("**Gave up**"), "{}", comments[0]);
        assert!(comments[1].contains(why), "{}", comments[1]);
        w.ends().await;
    }
}

#[tokio::test]
async fn an_overloaded_provider_is_asked_again() {
    let w = World::with_project(off_by_one()).await;
    w.model.play(
        r#"{"attempts": [[
            {"calls": [{"tool": "edit", "path": "count.sh", "old": "$1 - 1", "new": "$1"}],
             "fail": {"status": 529, "times": 3}},
            {"calls": [{"tool": "finish", "summary": "done"}],
             "fail": {"stream": "cut", "times": 1}}]]}"#
            .parse()
            .unwrap(),
    );
    w.fixed().await;
    assert_eq!(w.only_pull().state, "open");
    w.ends().await;
}

#[tokio::test]
async fn a_provider_that_is_down_for_minutes_costs_time_and_nothing_else() {
    let w = World::with_project(off_by_one()).await;
    w.model.play(
        r#"{"attempts": [[
            {"calls": [{"tool": "edit", "path": "count.sh", "old": "$1 - 1", "new": "$1"}],
             "fail": {"status": 503, "times": 12}},
            {"calls": [{"tool": "finish", "summary": "done"}]}]]}"#
            .parse()
            .unwrap(),
    );
    let issue = w.fixed().await;
    assert_eq!(w.only_pull().state, "open");
    assert_eq!(w.comments(issue).len(), 2);
    w.ends().await;
}

#[tokio::test]
async fn a_wrong_key_ends_the_job_with_words_for_a_person() {
    let w = world_where_the_model_will(vec![vec![ScriptedTurn::fail(401)]]).await;
    let issue = w.fixed().await;
    w.nothing_was_published();
    let comments = w.comments(issue);
    assert!(comments[0].starts_with("**Stopped by a failure**"), "{}", comments[0]);
    assert!(comments[1].contains("401"), "{}", comments[1]);
    assert_eq!(w.issue(issue).labels, ["gander:needs-human"]);
    w.ends().await;
}

#[tokio::test]
async fn a_job_never_costs_more_than_it_may() {
    let w = World::with_project(off_by_one()).await;
    w.model.play(
        r#"{"price": {"input": "3", "output": "15", "cache_read": "0.3", "cache_write": "3.75"},
            "attempts": [[
            {"calls": [{"tool": "read", "path": "count.sh"}],
             "usage": {"input_tokens": 10000, "output_tokens": 15000}},
            {"calls": [{"tool": "read", "path": "count.sh"}]}]]}"#
            .parse()
            .unwrap(),
    );
    let issue = w.reported();
    w.says(issue, "/gander fix budget=$0.40").await;

    w.nothing_was_published();
    let comments = w.comments(issue);
    assert!(comments[0].starts_with("**Out of budget**"), "{}", comments[0]);
    assert!(comments[1].contains("`/gander fix budget=$N`"), "{}", comments[1]);
    // 10,000 tokens at $3 and 15,000 at $15 for a million.
    assert!(comments[0].contains("$0.26 of $0.40"), "{}", comments[0]);
    assert_eq!(w.model.heard().len(), 1, "the second reply might have cost too much");
    w.ends().await;
}

#[tokio::test]
async fn a_change_under_dot_github_is_refused_and_never_leaves() {
    for path in [".github/workflows/x.yml", ".GitHub/workflows/x.yml", ".github/gander.toml"] {
        let attempt = || {
            let write = if path == ".github/gander.toml" {
                edit(path, "sh check.sh", "true")
            } else {
                write(path, "on: push\n")
            };
            vec![write, edit("count.sh", "$1 - 1", "$1"), finish("done")]
        };
        let again = vec![finish("done")];
        let w = world_where_the_model_will(vec![attempt(), again.clone(), again]).await;
        let issue = w.fixed().await;

        w.nothing_was_published();
        let comments = w.comments(issue);
        assert!(comments[0].starts_with("**Gave up**"), "{path}: {}", comments[0]);
        assert!(comments[0].to_lowercase().contains(".github"), "{path}: {}", comments[0]);
        let blobs = |path: &str| path.contains("/git/trees") || path.contains("/git/blobs");
        assert!(!w.emulator.exchanges().iter().any(|exchange| blobs(&exchange.path)), "{path}");
        w.ends().await;
    }
}

#[tokio::test]
async fn a_weakened_test_is_shown_at_the_top_of_the_pull_request() {
    let mut files = off_by_one();
    files.push(("tests/count_test.sh", "[ \"$(sh count.sh 3)\" = 3 ] || exit 1\n[ 1 = 1 ]\n"));
    let w = World::with_project(files).await;
    w.model.will(vec![
        edit("count.sh", "$1 - 1", "$1"),
        ScriptedTurn::call("edit", json!({"path": "tests/count_test.sh", "action": "delete"})),
        finish("done"),
    ]);
    w.fixed().await;

    let body = w.only_pull().body;
    let flag = body.find("count\\_test.sh: deletes a test").unwrap_or_else(|| panic!("{body}"));
    assert!(body.contains("> [!IMPORTANT]\n> **Please look closely at:**"), "{body}");
    assert!(flag < body.find("### What changed").unwrap(), "{body}");
    w.ends().await;
}

/// The usual project, where a change to what decides the verdict is shown and does not wait.
fn flagging() -> Vec<(&'static str, &'static str)> {
    let mut files = off_by_one();
    files.retain(|(path, _)| *path != ".github/gander.toml");
    let rules = "[verify]\ncommands = [\"sh check.sh\"]\n[proof]\nhooks = \"flag\"\n";
    files.push((".github/gander.toml", rules));
    files
}

#[tokio::test]
async fn an_edited_check_script_decides_nothing_by_itself_and_is_shown() {
    let w = World::with_project(flagging()).await;
    w.model.will(vec![
        ScriptedTurn::call("edit", json!({"path": "check.sh", "action": "delete"})),
        write("check.sh", "exit 0\n"),
        finish("tests passed"),
    ]);
    w.fixed().await;
    // The rules name the command, the repository holds the script: people have to see this.
    let body = w.only_pull().body;
    let flag = body
        .find("> - check.sh: changes what the test command does")
        .unwrap_or_else(|| panic!("{body}"));
    assert!(flag < body.find("### What changed").unwrap(), "{body}");
    w.ends().await;
}

/// Models write the paths that they have seen in the output of commands.
#[tokio::test]
async fn an_absolute_path_below_the_tree_is_understood_by_every_tool() {
    let w = world_where_the_model_will(vec![vec![
        read("/work"),
        read("/work/count.sh"),
        ScriptedTurn::call("search", json!({"pattern": "widgets", "path": "/work/count.sh"})),
        ScriptedTurn::call("run", json!({"command": "pwd", "directory": "/work"})),
        write("/work/docs/a.md", "a\n"),
        ScriptedTurn::call(
            "edit",
            json!({"path": "/work/docs/a.md", "action": "rename", "to": "/work/docs/b.md"}),
        ),
        read("/etc/passwd"),
        edit("/work/count.sh", "$1 - 1", "$1"),
        finish("done"),
    ]])
    .await;
    w.fixed().await;
    let head = w.only_pull().head_sha;
    assert!(w.emulator.files(REPO, &head).contains(&"docs/b.md".to_owned()));
    let told = w.model.heard().pop().unwrap();
    assert!(!told.contains("root:x:0"), "{told}");
    assert_eq!(told.matches("is_error: true").count(), 1, "{told}");
    assert!(told.contains("not below /work, the top of the tree"), "{told}");
    w.ends().await;
}

#[tokio::test]
async fn the_content_of_a_file_that_git_filters_never_takes_the_place_of_its_pointer() {
    let pointer = "version https://git-lfs.github.com/spec/v1\n\
                   oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n\
                   size 12345\n";
    let mut files = off_by_one();
    files.push((".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n"));
    files.push(("model.bin", pointer));
    let w = World::with_project(files).await;
    let by_command = "printf content > model.bin";
    w.model.will_try(vec![
        vec![
            read("model.bin"),
            edit("model.bin", "size 12345", "size 1"),
            write("other.bin", "content"),
            edit("count.sh", "$1 - 1", "$1"),
            run(by_command),
            finish("done"),
        ],
        vec![run("rm model.bin"), finish("gone")],
    ]);
    w.fixed().await;

    let told = w.model.heard();
    let first = told.iter().find(|talk| talk.contains(by_command)).unwrap();
    assert!(first.contains("pointer of Git LFS"), "{first}");
    assert_eq!(first.matches("filter=lfs").count(), 2, "both edits are refused: {first}");
    let second = told.last().unwrap();
    assert!(second.contains("model.bin must not be written here"), "{second}");
    // A file that git filters may go.
    let head = w.only_pull().head_sha;
    assert!(!w.emulator.files(REPO, &head).contains(&"model.bin".to_owned()));
    w.ends().await;
}

#[tokio::test]
async fn what_commands_leave_behind_stays_behind_or_is_shown_to_people() {
    let leaves = "touch .coverage core.77; mkdir -p dist htmlcov; echo x > dist/a.whl; \
                  echo x > htmlcov/i.html; echo x > count.sh.orig; echo out > out.json";
    let w = world_where_the_model_will(vec![
        vec![write("dist/wanted.txt", "by an edit\n"), run(leaves), finish("not yet right")],
        vec![
            write("build/also-wanted.txt", "by an edit\n"),
            edit("count.sh", "$1 - 1", "$1"),
            run(leaves),
            finish("done"),
        ],
    ])
    .await;
    w.fixed().await;
    let pull = w.only_pull();
    let mut files = w.emulator.files(REPO, &pull.head_sha);
    files.sort_unstable();
    let mut expected: Vec<&str> = off_by_one().iter().map(|(path, _)| *path).collect();
    expected.extend(["dist/wanted.txt", "build/also-wanted.txt", "out.json"]);
    expected.sort_unstable();
    assert_eq!(files, expected);
    let body = &pull.body;
    assert!(body.contains("> - out.json: is new, and not from an edit"), "{body}");
    assert_eq!(body.matches("not from an edit").count(), 1, "{body}");
    w.ends().await;
}

#[tokio::test]
async fn a_hundred_flags_do_not_fill_the_pull_request() {
    let makes = "for n in $(seq 97); do mkdir p$n; echo x > p$n/Makefile; done";
    let w = World::with_project(flagging()).await;
    w.model.will(vec![
        edit("count.sh", "$1 - 1", "$1"),
        edit("check.sh", "echo ok", "echo fine"),
        run(makes),
        finish("done"),
    ]);
    w.fixed().await;
    let body = w.only_pull().body;
    assert!(
        body.contains("> - check.sh: changes what the test command does"),
        "the worst comes first: {body}"
    );
    assert_eq!(body.lines().filter(|line| line.starts_with("> - ")).count(), 21, "{body}");
    assert!(body.contains("> - and 175 more\n"), "{body}");
    w.ends().await;
}

#[tokio::test]
async fn malformed_tool_calls_are_answered_and_do_no_harm() {
    let mut deep = json!("x");
    for _ in 0..100 {
        deep = json!([deep]);
    }
    let mut words: Vec<ScriptedTurn> = vec![
        ScriptedTurn::call("no_such_tool", json!({})),
        ScriptedTurn::call("read", json!({})),
        ScriptedTurn::call("read", json!({"path": 7})),
        ScriptedTurn::call("read", json!({"path": "count.sh", "__proto__": {}})),
        ScriptedTurn::call("read", json!({"path": "\u{0}"})),
        ScriptedTurn::call("read", json!({"path": "../../../etc/passwd"})),
        ScriptedTurn::call("read", json!({"path": "/etc/passwd"})),
        ScriptedTurn::call("edit", json!({"path": "count.sh", "old": "not there", "new": "x"})),
        ScriptedTurn::call("edit", json!({"path": "count.sh", "action": "explode"})),
        ScriptedTurn::call("run", json!({"command": ""})),
        ScriptedTurn::call("run", json!({"command": deep})),
        ScriptedTurn::call("search", json!({"pattern": "("})),
        ScriptedTurn::call("finish", json!({"summary": ""})),
        ScriptedTurn::call("finish", json!({"summery": "x"})),
        ScriptedTurn::call("", json!({})),
    ];
    words.extend(good_fix());
    let w = world_where_the_model_will(vec![words]).await;
    w.fixed().await;
    assert_eq!(w.only_pull().state, "open");
    assert!(!format!("{:?}", w.model.heard()).contains("root:x:0"));
    w.ends().await;
}

#[tokio::test]
async fn a_script_of_many_turns_ends_at_the_limit() {
    let mut files = off_by_one();
    files[3].1 = "[verify]\ncommands = [\"sh check.sh\"]\n[agent]\nturns = 5\nattempts = 1\n";
    let w = World::with_project(files).await;
    w.model.will(vec![read("count.sh"); 50]);
    let issue = w.fixed().await;
    assert_eq!(w.model.heard().len(), 5);
    assert!(w.comments(issue)[0].starts_with("**Gave up**"), "{}", w.comments(issue)[0]);
    w.ends().await;
}

#[tokio::test]
async fn cancel_while_waiting_stops_only_what_waits() {
    let w = world_where_the_model_will(vec![good_fix()]).await;
    let issue = w.fixed().await;
    w.says(issue, "/gander fix also for gadgets").await;
    assert!(w.comments(issue)[2].starts_with("**Waiting**"), "{:#?}", w.comments(issue));
    // The first job is in review, so it is the one that `cancel` means; the next then begins.
    w.says(issue, "/gander cancel").await;

    let comments = w.comments(issue);
    assert!(comments[0].starts_with("**Cancelled** by mona"), "{comments:#?}");
    assert!(comments[2].starts_with("**Ready for review**"), "{comments:#?}");
    let pulls = w.emulator.pulls(REPO);
    assert_eq!(
        pulls.iter().map(|pull| pull.state.as_str()).collect::<Vec<_>>(),
        ["closed", "open"]
    );
    assert_eq!(w.our_branches(), [pulls[1].head_branch.clone()]);
    w.ends().await;
}

#[tokio::test]
async fn cancel_before_the_first_step_leaves_no_trace_but_words() {
    let w = world_where_the_model_will(vec![good_fix()]).await;
    let issue = w.reported();
    w.maintainer().comments(REPO, issue, "/gander fix").unwrap();
    w.maintainer().comments(REPO, issue, "/gander cancel").unwrap();
    w.settle().await;

    w.nothing_was_published();
    assert_eq!(w.model.heard().len(), 0);
    assert!(w.comments(issue)[0].starts_with("**Cancelled** by mona"));
    assert_eq!(w.issue(issue).labels, [] as [&str; 0]);
    w.ends().await;
}

#[tokio::test]
async fn cancel_in_review_takes_the_pull_request_and_the_branch_back() {
    let w = world_where_the_model_will(vec![good_fix()]).await;
    let issue = w.fixed().await;
    let pull = w.only_pull().number;
    w.says(pull, "/gander cancel").await;

    assert_eq!(w.only_pull().state, "closed");
    assert_eq!(w.our_branches(), [] as [&str; 0]);
    let comments = w.comments(issue);
    assert!(comments[0].starts_with("**Cancelled** by mona"), "{}", comments[0]);
    assert!(comments[0].contains("Nothing of it is left in the repository."), "{}", comments[0]);
    w.says(pull, "/gander cancel").await;
    assert!(w.comments(pull)[0].contains("nothing to cancel"), "{:?}", w.comments(pull));
    w.ends().await;
}

#[tokio::test]
async fn a_persons_commit_on_our_branch_is_never_thrown_away() {
    let w = world_where_the_model_will(vec![good_fix()]).await;
    let issue = w.fixed().await;
    let pull = w.only_pull();
    let files = [("NOTES.md", Some("by hand\n"))];
    let theirs = w.maintainer().pushes(REPO, &pull.head_branch, "notes", &files).unwrap();
    w.says(issue, "/gander cancel").await;

    assert_eq!(w.only_pull().state, "closed");
    assert_eq!(w.emulator.branches(REPO)[&pull.head_branch], theirs);
    w.ends().await;
}

/// Gander has seen the commit and goes on from it: it is still a person's.
#[tokio::test]
async fn a_persons_commit_that_was_taken_up_is_never_thrown_away_either() {
    for by_command in [true, false] {
        let w = world_where_the_model_will(vec![good_fix()]).await;
        let issue = w.fixed().await;
        let pull = w.only_pull();
        let files = [("NOTES.md", Some("by hand\n"))];
        let theirs = w.maintainer().pushes(REPO, &pull.head_branch, "notes", &files).unwrap();
        w.settle().await;
        if by_command {
            w.says(issue, "/gander cancel").await;
            let said = w.comments(issue)[0].clone();
            assert!(said.contains("Its branch stays"), "{said}");
            assert!(!said.contains("Nothing of it is left"), "{said}");
        } else {
            w.maintainer().closes(REPO, pull.number).unwrap();
            w.settle().await;
        }
        assert_eq!(w.only_pull().state, "closed");
        assert_eq!(w.emulator.branches(REPO).get(&pull.head_branch), Some(&theirs));
        w.ends().await;
    }
}

#[tokio::test]
async fn retry_with_a_hint_takes_up_the_former_change() {
    let again = vec![finish("tests passed")];
    let w = world_where_the_model_will(vec![bad_fix(), again.clone(), again]).await;
    let issue = w.fixed().await;
    w.nothing_was_published();

    // The tree holds the former change: `- 2`, not `- 1`.
    w.model.will(vec![edit("count.sh", "$1 - 2", "$1"), finish("as hinted")]);
    w.says(issue, "/gander retry do not subtract at all").await;
    let told = w.model.heard().pop().unwrap();
    assert!(told.contains("do not subtract at all"), "{told}");
    assert!(told.contains("FAIL: expected 3, got 1"), "{told}");
    assert_eq!(w.only_pull().state, "open");
    let statuses = w.comments(issue);
    assert!(statuses[2].starts_with("**Ready for review**"), "{statuses:#?}");
    w.ends().await;
}

/// The record of what edits wrote goes with the work, however often that is taken up.
#[tokio::test]
async fn files_that_edits_made_are_not_said_to_be_a_commands_after_retries() {
    let with_files = || {
        let mut turns = vec![write("lib.sh", "one() { echo 1; }\n"), run("echo x > made.txt")];
        turns.extend(bad_fix());
        turns
    };
    let again = || vec![finish("tests passed")];
    let w = world_where_the_model_will(vec![with_files(), again(), again()]).await;
    let issue = w.fixed().await;
    w.model.will_try(vec![again(), again(), again()]);
    w.says(issue, "/gander retry").await;
    w.nothing_was_published();
    w.model.will(vec![edit("count.sh", "$1 - 2", "$1"), finish("as hinted")]);
    w.says(issue, "/gander retry do not subtract at all").await;
    let body = w.only_pull().body;
    assert!(body.contains("made.txt: is new, and not from an edit"), "{body}");
    assert!(!body.contains("lib.sh: is new"), "{body}");
    w.ends().await;
}

/// What an edit writes is part of the change, and a person is told to look; what a command leaves
/// there is not.
#[tokio::test]
async fn an_edit_of_a_file_that_gitignore_leaves_out_is_in_the_change_and_flagged() {
    let mut files = off_by_one();
    files.push((".gitignore", "*.local\ngenerated/\n"));
    let w = World::with_project(files).await;
    let mut turns = vec![
        write("settings.local", "widgets = 3\n"),
        write("generated/deep/table.sh", "one=1\n"),
        run("echo x > left.local; echo x > generated/left.sh"),
    ];
    turns.extend(good_fix());
    w.model.will(turns);
    w.fixed().await;
    let pull = w.only_pull();
    for path in ["settings.local", "generated/deep/table.sh"] {
        assert!(w.emulator.file(REPO, &pull.head_sha, path).is_some(), "{path} is not there");
        let flag = format!("{path}: is new, and .gitignore leaves it out");
        assert!(pull.body.contains(&flag), "{}", pull.body);
    }
    for path in ["left.local", "generated/left.sh"] {
        assert_eq!(w.emulator.file(REPO, &pull.head_sha, path), None);
        assert!(!pull.body.contains(path), "{}", pull.body);
    }
    w.ends().await;
}

#[tokio::test]
async fn retry_has_nothing_to_do_where_nothing_ended() {
    let w = world_where_the_model_will(vec![good_fix()]).await;
    let issue = w.reported();
    w.says(issue, "/gander retry").await;
    assert!(w.comments(issue)[0].contains("nothing to retry"), "{:?}", w.comments(issue));
    w.says(issue, "/gander fix").await;
    w.says(issue, "/gander retry").await;
    assert!(w.comments(issue)[3].contains("still under way"), "{:#?}", w.comments(issue));
    w.ends().await;
}

#[tokio::test]
async fn status_and_help_answer_whoever_may_read() {
    let w = world_where_the_model_will(vec![good_fix()]).await;
    w.emulator.set_permission(REPO, "hubot-fan", "read").unwrap();
    let issue = w.reported();
    w.stranger().comments(REPO, issue, "/gander status").unwrap();
    w.settle().await;
    assert!(w.comments(issue)[0].contains("doing nothing here"), "{:?}", w.comments(issue));
    w.stranger().comments(REPO, issue, "/gander help").unwrap();
    w.settle().await;
    assert_eq!(w.comments(issue).len(), 1, "once an hour");
    w.says(issue, "/gander help").await;
    assert!(w.comments(issue)[1].contains("| `/gander fix [budget=$N]"), "{:?}", w.comments(issue));
    w.says(issue, "/gander fix").await;
    w.says(issue, "/gander status").await;
    let last = w.comments(issue).pop().unwrap();
    assert!(last.contains("- Ready for review: #2 · $0.00 of $3.00"), "{last}");
    w.ends().await;
}

#[tokio::test]
async fn a_second_command_waits_for_the_first_to_end() {
    let w = world_where_the_model_will(vec![good_fix()]).await;
    let issue = w.fixed().await;
    let first = w.only_pull().number;
    w.says(issue, "/gander fix and the next one").await;
    assert_eq!(w.emulator.pulls(REPO).len(), 1, "one at a time");

    w.model.will(vec![write("NEXT.md", "next\n"), finish("next")]);
    // Merging closes the issue, so what waited there does not begin; whoever asked is told.
    w.maintainer().merges(REPO, first, MergeMethod::Squash).unwrap();
    w.settle().await;
    let comments = w.comments(issue);
    assert!(comments[0].starts_with("**Merged** by mona"), "{comments:#?}");
    assert!(comments[2].starts_with("**Not started**"), "{comments:#?}");
    assert!(comments[3].starts_with("@mona Not started"), "{comments:#?}");

    w.maintainer().reopens(REPO, issue).unwrap();
    w.says(issue, "/gander retry").await;
    let pulls = w.emulator.pulls(REPO);
    assert_eq!((pulls.len(), pulls[1].state.as_str()), (2, "open"), "{}", w.timeline());
    assert!(w.emulator.files(REPO, &pulls[1].head_sha).contains(&"NEXT.md".to_owned()));
    w.ends().await;
}

#[tokio::test]
async fn closing_the_pull_request_ends_the_job_and_lets_the_next_begin() {
    let w = world_where_the_model_will(vec![good_fix()]).await;
    let issue = w.fixed().await;
    let first = w.only_pull();
    w.says(issue, "/gander fix differently").await;
    w.maintainer().closes(REPO, first.number).unwrap();
    w.settle().await;

    let comments = w.comments(issue);
    assert!(comments[0].starts_with("**Closed** by mona"), "{comments:#?}");
    assert!(comments[2].starts_with("**Ready for review**"), "{comments:#?}");
    assert_eq!(w.emulator.pulls(REPO).len(), 2);
    w.ends().await;
}

#[tokio::test]
async fn a_command_that_fills_the_disk_or_never_ends_is_not_the_end_of_gander() {
    let mut files = off_by_one();
    files[3].1 = "[verify]\ncommands = [\"sh check.sh\"]\n";
    let w = World::with_project(files).await;
    let mut words = vec![
        run("yes | head -c 3000000"),
        run("sh -c 'kill -9 $$'"),
        run("exit 77"),
        run("(sleep 1000 &) ; echo left behind"),
    ];
    words.extend(good_fix());
    w.model.will(words);
    w.fixed().await;
    assert_eq!(w.only_pull().state, "open");
    let told = w.model.heard().pop().unwrap();
    assert!(told.contains("[exit code 77]") && told.len() < 500_000, "{}", told.len());
    w.ends().await;
}

#[tokio::test]
async fn an_attempt_that_ends_without_a_change_tells_the_next_why_and_hands_its_work_on() {
    let rules = "[verify]\ncommands = [\"sh check.sh\"]\n[agent]\nattempts = 3\nturns = 2\n";
    let mut files = off_by_one();
    files.retain(|(path, _)| *path != ".github/gander.toml");
    files.push((".github/gander.toml", rules));
    let w = World::with_project(files).await;
    // Two turns, and no word at their end.
    let unfinished = vec![edit("count.sh", "$1 - 1", "$1 - 2"), read("count.sh"), read("count.sh")];
    let right = vec![edit("count.sh", "$1 - 2", "$1"), finish("as it was meant")];
    w.model.will_try(vec![unfinished, right]);
    w.fixed().await;

    let heard = w.model.heard();
    assert!(heard.iter().any(|it| it.contains("no result after 2 replies")), "{heard:#?}");
    assert_eq!(w.only_pull().state, "open", "what the first left was still there: {heard:#?}");
    w.ends().await;
}

/// The rules name `make test`: what it runs stands one level behind.
#[tokio::test]
async fn what_the_test_command_runs_is_shown_when_it_is_changed() {
    let mut files = off_by_one();
    files.retain(|(path, _)| *path != ".github/gander.toml");
    files.push((
        ".github/gander.toml",
        "[verify]\ncommands = [\"sh ci/all.sh\"]\n[proof]\nhooks = \"flag\"\n",
    ));
    files.push(("ci/all.sh", "sh ./ci/part.sh\nsh check.sh\n"));
    files.push(("ci/part.sh", "true\n"));
    files.push(("ci/unused.sh", "true\n"));
    let w = World::with_project(files).await;
    w.model.will(vec![
        edit("count.sh", "$1 - 1", "$1"),
        edit("ci/part.sh", "true", "echo fine"),
        edit("ci/unused.sh", "true", "echo fine"),
        finish("done"),
    ]);
    w.fixed().await;
    let body = w.only_pull().body;
    assert!(body.contains("> - ci/part.sh: changes what the test command does"), "{body}");
    assert!(!body.contains("ci/unused.sh: changes"), "{body}");
    w.ends().await;
}

#[tokio::test]
async fn a_test_that_was_there_is_shown_when_it_is_changed_and_a_new_one_is_not() {
    let mut files = flagging();
    files.push(("tests/old_test.sh", "[ 1 = 1 ]\n"));
    files.push(("web/vitest.config.mts", "export default {}\n"));
    let w = World::with_project(files).await;
    w.model.will(vec![
        edit("count.sh", "$1 - 1", "$1"),
        edit("tests/old_test.sh", "1 = 1", "1 != 2"),
        edit("web/vitest.config.mts", "{}", "{ test: {} }"),
        write("tests/new_test.sh", "[ 2 = 2 ]\n"),
        finish("done"),
    ]);
    w.fixed().await;
    let body = w.only_pull().body;
    assert!(body.contains("old\\_test.sh: changes a test that was there"), "{body}");
    assert!(body.contains("vitest.config.mts: changes how tests are found or run"), "{body}");
    assert!(!body.contains("new\\_test.sh"), "{body}");
    w.ends().await;
}

/// Whoever runs git below it would obey its settings and hooks.
#[tokio::test]
async fn a_change_that_completes_a_bare_repository_never_becomes_a_pull_request() {
    let mut files = off_by_one();
    files.push(("data/HEAD", "ref: refs/heads/main\n"));
    files.push(("data/objects/keep", ""));
    let w = World::with_project(files).await;
    let turns =
        vec![edit("count.sh", "$1 - 1", "$1"), write("data/refs/keep", "x\n"), finish("done")];
    w.model.will_try(vec![turns.clone(), turns.clone(), turns]);
    let issue = w.fixed().await;
    w.nothing_was_published();
    let said = w.comments(issue)[0].clone();
    assert!(said.contains("data/refs/keep must not be changed"), "{said}");
    assert!(said.contains("takes its directory for a repository"), "{said}");
    w.ends().await;
}

/// It would be read and written with every step, and come to nothing.
#[tokio::test]
async fn a_change_over_its_limits_is_not_even_kept() {
    let mut files = off_by_one();
    files.retain(|(path, _)| *path != ".github/gander.toml");
    let rules =
        "[verify]\ncommands = [\"sh check.sh\"]\n[limits]\nfiles = 3\n[agent]\nattempts = 2\n";
    files.push((".github/gander.toml", rules));
    let w = World::with_project(files).await;
    let makes = "for n in 1 2 3 4; do echo x > made-by-hand-$n.txt; done";
    let whole = vec![edit("count.sh", "$1 - 1", "$1"), run(makes), finish("done")];
    // What cannot be handed in is left to the next attempt, if it is no larger than that.
    let cut = vec![run(&format!("{makes}; ln -s count.sh link")), finish("done")];
    w.model.will_try(vec![whole, cut]);
    let issue = w.fixed().await;
    w.nothing_was_published();
    let last = w.model.heard().pop().unwrap();
    assert!(last.contains("the change touches 5 files; at most 3 are taken"), "{last}");
    assert!(w.comments(issue)[0].starts_with("**Gave up**"), "{}", w.comments(issue)[0]);
    for file in files_below(&w.data()) {
        let is_store = file.file_name().unwrap().to_string_lossy().starts_with("gander.db");
        let bytes = std::fs::read(&file).unwrap();
        let kept = String::from_utf8_lossy(&bytes).contains("made-by-hand-4.txt");
        assert!(!(is_store && kept), "a change is kept in {}", file.display());
    }
    w.ends().await;
}
