//! What people get wrong, may not do, or have in their repositories.

use futures_util::future::{join, join_all};
use gander::model::ScriptedTurn;
use gander_emulator::MergeMethod;
use serde_json::json;

use crate::alone::told_alone;
use crate::world::{REPO, World, edit, finish, good_fix, off_by_one, owned, run};

async fn world() -> World {
    let w = World::with_project(off_by_one()).await;
    w.model.will(good_fix());
    w
}

async fn world_with_rules(rules: &'static str) -> World {
    let mut files = off_by_one();
    files[3].1 = rules;
    let w = World::with_project(files).await;
    w.model.will(good_fix());
    w
}

/// The job ended before the model was asked, in these words, said once and once only.
fn declined(w: &World, issue: u64, words: &str) {
    w.nothing_was_published();
    assert_eq!(w.model.heard().len(), 0);
    let comments = w.comments(issue);
    assert_eq!(comments.len(), 2, "{comments:#?}");
    assert!(comments[0].starts_with("**Not started**"), "{}", comments[0]);
    assert!(comments[1].starts_with("@mona Not started"), "{}", comments[1]);
    assert!(comments[1].contains(words), "{words:?} is not in {}", comments[1]);
    assert_eq!(w.issue(issue).labels.iter().filter(|l| l.contains("working")).count(), 0);
}

/// Nothing at all came of it.
fn unheard(w: &World, issue: u64) {
    w.nothing_was_published();
    assert_eq!(w.model.heard().len(), 0);
    assert_eq!(w.comments(issue), [] as [&str; 0]);
    let reactions = w.issue(issue).comments.iter().map(|c| c.reactions.len()).sum::<usize>();
    assert_eq!(reactions, 0);
}

#[tokio::test]
async fn rules_with_a_mistake_are_named_with_line_and_column() {
    for (rules, place) in [
        ("[verify]\ncommands = [\"sh check.sh\"]\n\n[agent]\n  attempt = 3\n", "line 5, column 3"),
        ("[agent]\nattempts = 0\n", "line 2, column 12"),
        ("[agent\n", "line 1, column 7"),
        ("[trigger]\nrole = \"read\"\n", "line 2, column 8"),
    ] {
        let w = world_with_rules(rules).await;
        let issue = w.fixed().await;
        declined(&w, issue, &format!(".github/gander.toml, {place}: "));
        assert!(w.comments(issue)[1].contains("`/gander retry`"));
        w.ends().await;
    }
}

#[tokio::test]
async fn mended_rules_and_retry_go_on() {
    let w = world_with_rules("[verfy]\n").await;
    let issue = w.fixed().await;
    declined(&w, issue, "verfy");
    let mended = [(".github/gander.toml", Some("[verify]\ncommands = [\"sh check.sh\"]\n"))];
    w.maintainer().pushes(REPO, "main", "mend", &mended).unwrap();
    w.says(issue, "/gander retry").await;
    assert_eq!(w.only_pull().state, "open");
    w.ends().await;
}

#[tokio::test]
async fn a_slip_gets_one_short_answer_and_changes_nothing() {
    for (said, answer) in [
        ("/gander", "That names no command."),
        ("/gander fxi it", "There is no command `fxi`. Did you mean `fix`?"),
        ("/gander fix bugdet=$1 now", "`fix` has no key `bugdet`. Did you mean `budget`?"),
        ("/gander fix budget=lots", "`budget=lots` cannot be used: it takes"),
        ("/gander fix base=..", "`base=..` cannot be used: it takes"),
        ("/gander fix --budget 2", "Did you mean `/gander fix budget=2`? A key and its value"),
        ("/gander fix budget: $2 now", "Did you mean `/gander fix budget=$2`?"),
        ("/gander cancel", "There is nothing to cancel"),
    ] {
        let w = world().await;
        let issue = w.reported();
        w.says(issue, said).await;
        let [reply] = w.comments(issue).try_into().unwrap();
        assert!(reply.starts_with(answer), "{said}: {reply}");
        w.nothing_was_published();
        assert_eq!(w.model.heard().len(), 0);
        w.ends().await;
    }
}

#[tokio::test]
async fn a_slip_cannot_be_used_to_make_gander_say_things() {
    let w = world().await;
    let issue = w.reported();
    w.says(issue, "/gander `@acme/everyone`<img/src=//evil.example>![x](//evil.example/y)").await;
    w.says(issue, "/gander fix x`@acme/everyone`=1").await;
    for reply in w.issue(issue).comments.iter().filter(|comment| comment.author != "mona") {
        assert!(!reply.body.contains("@acme") && !reply.body.contains("<img"), "{}", reply.body);
        assert!(!reply.body.contains("![x]"), "{}", reply.body);
    }
    w.ends().await;
}

#[tokio::test]
async fn a_stranger_is_told_once_a_day_and_the_model_never() {
    // Everybody may read what is public.
    for (role, has) in [("none", "read"), ("read", "read"), ("triage", "triage")] {
        let w = world().await;
        w.emulator.set_permission(REPO, "hubot-fan", role).unwrap();
        let issue = w.reported();
        for _ in 0..5 {
            w.stranger().comments(REPO, issue, "/gander fix").unwrap();
            w.settle().await;
        }
        let [reply] = w.comments(issue).try_into().unwrap();
        let words = format!("`fix` needs write access to this repository, and you have {has}");
        assert!(reply.starts_with(&words), "{reply}");
        assert!(reply.contains("`[trigger]`"), "it names the rule: {reply}");
        w.minutes_pass(24 * 60);
        w.stranger().comments(REPO, issue, "/gander fix").unwrap();
        w.settle().await;
        assert_eq!(w.comments(issue).len(), 2);
        w.nothing_was_published();
        assert_eq!(w.model.heard().len(), 0);
        w.ends().await;
    }
}

#[tokio::test]
async fn a_strangers_slip_and_a_strangers_label_get_no_answer() {
    let w = world().await;
    let issue = w.reported();
    w.stranger().comments(REPO, issue, "/gander fxi").unwrap();
    w.settle().await;
    unheard(&w, issue);
    // GitHub lets nobody without triage label; if it happens anyway, the actor counts.
    w.stranger().labels(REPO, issue, "gander:fix").unwrap();
    w.settle().await;
    w.nothing_was_published();
    assert_eq!(w.model.heard().len(), 0);
    assert_eq!(w.comments(issue).len(), 1, "one polite reply");
    w.ends().await;
}

#[tokio::test]
async fn a_program_is_not_answered_whatever_its_name_and_rights() {
    let w = world().await;
    let spec = gander_emulator::AppSpec { slug: "mona".to_owned(), ..Default::default() };
    w.emulator.create_app(spec).unwrap();
    w.emulator.set_permission(REPO, "mona[bot]", "admin").unwrap();
    let issue = w.reported();
    for words in ["/gander fix", "/gander fxi", "/gander help", "/gander status"] {
        w.emulator.person("mona[bot]").comments(REPO, issue, words).unwrap();
        w.settle().await;
    }
    w.emulator.person("mona[bot]").labels(REPO, issue, "gander:fix").unwrap();
    w.settle().await;
    unheard(&w, issue);
    w.ends().await;
}

#[tokio::test]
async fn our_own_words_command_nothing() {
    let w = world().await;
    let issue = w.reported();
    w.emulator.person("gander[bot]").comments(REPO, issue, "/gander fix").unwrap();
    w.settle().await;
    w.nothing_was_published();
    assert_eq!(w.model.heard().len(), 0);
    w.ends().await;
}

#[tokio::test]
async fn a_permission_lost_on_the_way_stops_the_publishing() {
    let w = world().await;
    let issue = w.reported();
    w.maintainer().comments(REPO, issue, "/gander fix").unwrap();
    w.until("the agent works", |w| !w.model.heard().is_empty()).await;
    w.emulator.set_permission(REPO, "mona", "read").unwrap();
    w.settle().await;

    w.nothing_was_published();
    let comments = w.comments(issue);
    assert!(comments[0].starts_with("**Not started**"), "{}", comments[0]);
    assert!(comments[1].contains("write access is needed"), "{}", comments[1]);
    assert!(comments[1].contains("it is read now"), "{}", comments[1]);
    w.ends().await;
}

#[tokio::test]
async fn a_permission_lost_before_the_start_stops_it() {
    let w = world().await;
    let issue = w.reported();
    w.maintainer().comments(REPO, issue, "/gander fix").unwrap();
    w.until("the job is there", |w| !w.comments(issue).is_empty()).await;
    w.emulator.set_permission(REPO, "mona", "none").unwrap();
    w.settle().await;
    declined(&w, issue, "mona asked for this, and may no longer");
    w.ends().await;
}

#[tokio::test]
async fn the_repository_may_ask_for_more_than_write() {
    let w = world_with_rules("[trigger]\nrole = \"maintain\"\n").await;
    let issue = w.fixed().await;
    declined(&w, issue, "maintain access is needed");
    w.ends().await;
}

#[tokio::test]
async fn where_fix_cannot_work_it_says_where_it_can() {
    let w = world().await;
    let issue = w.reported();
    w.maintainer().closes(REPO, issue).unwrap();
    w.says(issue, "/gander fix").await;
    let closed = w.comments(issue).remove(0);
    assert!(closed.starts_with("This issue is closed. Reopen it"), "{closed}");

    let files = [("new.txt", Some("x\n"))];
    w.maintainer().pushes(REPO, "topic", "topic", &files).unwrap();
    let pull = w.maintainer().opens_pull(REPO, "a pull", "", "topic", "main").unwrap();
    w.maintainer().closes(REPO, pull).unwrap();
    w.says(pull, "/gander fix").await;
    let closed = w.comments(pull).remove(0);
    assert!(closed.starts_with("This pull request is closed. Reopen it"), "{closed}");
    assert_eq!(w.model.heard().len(), 0);
    w.ends().await;
}

#[tokio::test]
async fn an_issue_closed_while_gander_works_is_left_alone() {
    let w = world().await;
    let issue = w.reported();
    w.maintainer().comments(REPO, issue, "/gander fix").unwrap();
    w.until("the agent works", |w| !w.model.heard().is_empty()).await;
    w.maintainer().closes(REPO, issue).unwrap();
    w.settle().await;
    w.nothing_was_published();
    let comments = w.comments(issue);
    assert!(comments[0].starts_with("**Closed** by mona"), "{comments:#?}");
    assert_eq!(comments.len(), 1, "whoever closed it knows");
    w.ends().await;
}

#[tokio::test]
async fn an_empty_repository_is_declined_with_the_next_step() {
    let w = World::with_files(vec![]).await;
    w.model.will(good_fix());
    let issue = w.fixed().await;
    declined(&w, issue, "no commit yet");
    w.ends().await;
}

#[tokio::test]
async fn a_missing_base_an_unknown_model_and_the_skip_label_are_declined() {
    for (said, words) in [
        ("/gander fix base=stable", "There is no branch `stable` here."),
        ("/gander fix model=gpt-9", "The model `gpt-9` is not on this server's list (`scripted`)."),
    ] {
        let w = world().await;
        let issue = w.reported();
        w.says(issue, said).await;
        declined(&w, issue, words);
        w.ends().await;
    }
    let w = world().await;
    let issue = w.reported();
    w.maintainer().labels(REPO, issue, "Gander:Skip").unwrap();
    w.says(issue, "/gander fix").await;
    declined(&w, issue, "The label `gander:skip` is set here.");
    w.ends().await;
}

#[tokio::test]
async fn too_many_open_pull_requests_are_declined() {
    let w = world_with_rules("[verify]\ncommands = [\"sh check.sh\"]\n[limits]\nopen_pulls = 1\n")
        .await;
    w.fixed().await;
    let first = w.only_pull().number;
    let second = w.reported();
    w.says(second, "/gander fix").await;
    let comments = w.comments(second);
    assert!(comments[1].contains("1 pull request of Gander are open here"), "{comments:#?}");
    w.maintainer().merges(REPO, first, MergeMethod::Merge).unwrap();
    w.settle().await;
    let words = vec![run("echo more >> README.md"), finish("more")];
    w.model.will(words);
    w.says(second, "/gander retry").await;
    assert_eq!(w.emulator.pulls(REPO).len(), 2);
    w.ends().await;
}

/// What a job under way holds of the day's money it may give back.
#[tokio::test]
async fn a_job_waits_for_money_that_another_only_holds() {
    let rules =
        "[verify]\ncommands = [\"sh check.sh\"]\n[budget]\nrun = \"$3\"\nrepository_day = \"$5\"\n";
    let w = world_with_rules(rules).await;
    w.model.will(good_fix());
    let issues = [w.reported(), w.reported()];
    w.maintainer().comments(REPO, issues[0], "/gander fix").unwrap();
    w.emulator.deliver_all().await;
    let (asked, reply) = w.model.waits_at(1);
    let waits = async { while w.step().await {} };
    let meanwhile = async {
        asked.await.unwrap();
        w.maintainer().comments(REPO, issues[1], "/gander fix").unwrap();
        w.emulator.deliver_all().await;
        while w.step().await {}
        assert_eq!(w.model.heard().len(), 1, "{:#?}", w.comments(issues[1]));
        reply.send(()).unwrap();
    };
    join(waits, meanwhile).await;
    w.minutes_pass(2);
    w.settle().await;
    assert_eq!(w.emulator.pulls(REPO).len(), 2, "{}", w.timeline());
    w.ends().await;
}

/// While a job waits for its model, another must not take what may be opened.
#[tokio::test]
async fn jobs_that_are_asked_for_at_once_open_no_more_pull_requests_than_there_may_be() {
    let rules = "[verify]\ncommands = [\"sh check.sh\"]\n[limits]\nopen_pulls = 1\n";
    let w = world_with_rules(rules).await;
    w.model.will(good_fix());
    let issues = [w.reported(), w.reported(), w.reported()];
    for issue in issues {
        w.maintainer().comments(REPO, issue, "/gander fix").unwrap();
    }
    w.emulator.deliver_all().await;
    let worker = || async { while w.step().await {} };
    join_all([worker(), worker(), worker()]).await;
    assert_eq!(w.emulator.pulls(REPO).len(), 1, "{}", w.timeline());
    w.minutes_pass(1);
    w.settle().await;
    assert_eq!(w.emulator.pulls(REPO).len(), 1, "{}", w.timeline());
    let declined = |issue: &&u64| w.comments(**issue)[1].contains("1 pull request of Gander");
    assert_eq!(issues.iter().filter(declined).count(), 2);
    w.ends().await;
}

#[tokio::test]
async fn a_spent_day_is_declined_and_the_next_day_is_new() {
    let w = world_with_rules(
        "[verify]\ncommands = [\"sh check.sh\"]\n[budget]\nrun = \"$3\"\nrepository_day = \"$5\"\n",
    )
    .await;
    // A job under way holds its whole budget.
    w.model.play(
        r#"{"price": {"input": "3", "output": "15", "cache_read": "0.3", "cache_write": "3.75"},
            "attempts": [[{"calls": [{"tool": "finish", "summary": "x", "nothing_to_fix": true}],
            "usage": {"input_tokens": 100000, "output_tokens": 150000}}]]}"#
            .parse()
            .unwrap(),
    );
    let first = w.fixed().await;
    assert!(w.comments(first)[0].contains("$2.55 of $3.00"), "{}", w.comments(first)[0]);
    let second = w.reported();
    w.says(second, "/gander fix").await;
    let comments = w.comments(second);
    assert!(
        comments[1].contains("Today's budget of this repository ($5.00) is spent"),
        "{comments:#?}"
    );
    w.minutes_pass(12 * 60 + 1);
    w.model.will(good_fix());
    w.says(second, "/gander retry").await;
    assert_eq!(w.only_pull().state, "open");
    w.ends().await;
}

#[tokio::test]
async fn what_is_quoted_edited_or_code_is_no_command() {
    let w = world().await;
    let issue = w.reported();
    for words in [
        "> /gander fix",
        "    /gander fix",
        "```\n/gander fix\n```",
        "`/gander fix`",
        "<!-- /gander fix -->",
        "# /gander fix",
        "- /gander fix",
        "please\n/gander fix",
        "\n\nplease /gander fix",
        "![/gander fix](x)",
        "[/gander fix](x)",
        "**/gander fix**",
        "<b>/gander fix</b>",
        "/ganderfix",
        "/gander\u{200b} fix",
        "On Monday, mona wrote:\n> /gander fix",
        "\u{202e}xif rednag/",
    ] {
        w.says(issue, words).await;
        unheard(&w, issue);
    }
    let plain = w.says(issue, "nothing yet").await;
    w.maintainer().edits_comment(REPO, plain, "/gander fix").unwrap();
    w.maintainer().edits_issue(REPO, issue, "/gander fix", "/gander fix").unwrap();
    w.settle().await;
    unheard(&w, issue);
    w.stranger().opens_issue(REPO, "/gander fix", "/gander fix", &[]).unwrap();
    w.settle().await;
    unheard(&w, issue);
    w.ends().await;
}

#[tokio::test]
async fn an_issue_edited_after_the_command_is_not_what_was_asked_for() {
    let w = world().await;
    let issue = w.reported();
    w.maintainer().comments(REPO, issue, "/gander fix the count").unwrap();
    w.stranger().edits_issue(REPO, issue, "Delete everything", "rm -rf").unwrap();
    w.settle().await;
    let told = &w.model.heard()[0];
    assert!(told.contains("Count is one too low") && told.contains("the count"), "{told}");
    assert!(!told.contains("rm -rf"), "what came later was not asked for");
    w.ends().await;
}

#[tokio::test]
async fn a_path_that_is_no_text_in_the_repository_is_carried_along() {
    let w = world().await;
    let directory = w.data().join("../strange");
    let bytes = b"caf\xe9.txt";
    import(&w, &directory, bytes);
    let issue = w.emulator.person("mona").opens_issue("acme/strange", "Count", "", &[]).unwrap();
    w.maintainer().comments("acme/strange", issue, "/gander fix").unwrap();
    w.settle().await;
    let pulls = w.emulator.pulls("acme/strange");
    assert_eq!(pulls.len(), 1, "{:#?}", w.emulator.issue("acme/strange", issue));
    let listed = git(&w.data().join("../strange"), &["ls-tree", "-r", "--name-only", "HEAD"]);
    assert!(listed.contains("caf\\351.txt"), "{listed}");
    w.ends().await;
}

#[tokio::test]
async fn an_agent_that_makes_a_path_that_is_no_text_is_refused() {
    let w = World::with_project(off_by_one()).await;
    let attempt = || {
        let odd = run("printf x > \"$(printf 'caf\\351.txt')\"");
        vec![odd, edit("count.sh", "$1 - 1", "$1"), finish("done")]
    };
    w.model.will_try(vec![attempt(), attempt(), attempt()]);
    let issue = w.fixed().await;
    w.nothing_was_published();
    let comments = w.comments(issue);
    assert!(comments[0].starts_with("**Gave up**"), "{}", comments[0]);
    assert!(comments[1].contains("caf"), "{}", comments[1]);
    w.ends().await;
}

#[tokio::test]
async fn a_file_of_200_megabytes_is_carried_or_declined_but_never_swallowed_whole() {
    let story =
        "bad_input::a_file_of_200_megabytes_is_carried_or_declined_but_never_swallowed_whole";
    if told_alone(story) {
        return;
    }
    let mut files = owned(off_by_one());
    files.push(("video.bin".to_owned(), vec![b'v'; 200 * 1024 * 1024]));
    let w = World::with_files(files).await;
    w.model.will(good_fix());
    // What it took to make this world does not count.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = peak_memory_mib();
    let issue = w.fixed().await;
    let grown = peak_memory_mib() - before;
    assert!(grown < 150, "the peak grew by {grown} MiB");
    let pull = w.emulator.pulls(REPO);
    let said = w.comments(issue).join("\n");
    assert!(pull.len() == 1 || said.contains("cannot be worked on"), "{said}");
    w.ends().await;
}

#[tokio::test]
async fn links_and_other_strange_things_the_agent_leaves_are_refused() {
    for (command, word) in [
        ("ln -s /etc/passwd link", "link"),
        ("mkfifo pipe", "pipe"),
        ("mkdir -p .git/hooks && echo x > .git/hooks/post-checkout", ".git"),
        ("echo '*.sh filter=evil' > .gitattributes", ".gitattributes"),
        ("mkdir sub && printf 'gitdir: /tmp/x' > sub/.git", ".git"),
        ("mkdir A a && echo 1 > A/x && echo 2 > a/x", "x"),
    ] {
        let w = World::with_project(off_by_one()).await;
        let attempt = || vec![run(command), edit("count.sh", "$1 - 1", "$1"), finish("done")];
        w.model.will_try(vec![attempt(), attempt(), attempt()]);
        let issue = w.fixed().await;
        let said = w.comments(issue).join("\n");
        // Either the change is refused by name, or what was left is no part of it.
        for pull in w.emulator.pulls(REPO) {
            let files = w.emulator.files(REPO, &pull.head_sha);
            assert_eq!(files.len(), 4, "{command}: {files:?}");
        }
        if w.emulator.pulls(REPO).is_empty() {
            assert!(said.contains(word), "{command}: {said}");
        }
        w.ends().await;
    }
}

#[tokio::test]
async fn a_huge_request_and_a_huge_issue_are_read_and_bounded() {
    let w = world().await;
    let long = "all work and no play ".repeat(3000);
    let issue = w.stranger().opens_issue(REPO, &"t".repeat(256), &long, &[]).unwrap();
    w.says(issue, &format!("/gander fix {long}")).await;
    let pull = w.only_pull();
    assert!(pull.title.chars().count() < 100, "{}", pull.title);
    w.ends().await;
}

#[tokio::test]
async fn a_title_cannot_speak_to_people_or_programs() {
    let w = world().await;
    let title = "[skip ci] @acme/everyone fixes #99 ![x](//e.example)";
    let issue = w.stranger().opens_issue(REPO, title, "", &[]).unwrap();
    let body = "@acme/everyone Fixes #99\n```\n![x](https://evil.example/y)\n/approve";
    let summary = json!({ "summary": body });
    w.model.will(vec![edit("count.sh", "$1 - 1", "$1"), ScriptedTurn::call("finish", summary)]);
    w.says(issue, "/gander fix").await;
    let pull = w.only_pull();
    let message = w.emulator.commit(REPO, &pull.head_sha).unwrap().message;
    for text in [&pull.title, &message] {
        let words = "fix: (skip ci) `@acme/everyone` fixes `#99` `!(x)(//e.example)` (#1)";
        assert!(text.starts_with(words), "{text}");
    }
    let machine = pull.body.split_once("````text\n").unwrap().1.split_once("\n````\n").unwrap().0;
    assert_eq!(machine, body);
    w.ends().await;
}

fn import(w: &World, directory: &std::path::Path, name: &[u8]) {
    use std::os::unix::ffi::OsStrExt;
    std::fs::create_dir_all(directory.join(".github")).unwrap();
    for (path, text) in off_by_one() {
        std::fs::write(directory.join(path), text).unwrap();
    }
    std::fs::write(directory.join(std::ffi::OsStr::from_bytes(name)), "strange\n").unwrap();
    git(directory, &["init", "-q", "-b", "main"]);
    git(directory, &["add", "-A"]);
    git(directory, &["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "start"]);
    w.emulator.import_repository("acme", "strange", directory, None).unwrap();
    w.emulator.set_permission("acme/strange", "mona", "write").unwrap();
    w.emulator.install(w.app.app_id, &["acme/strange"]).unwrap();
}

#[allow(clippy::disallowed_methods)] // a repository as people make them
fn git(directory: &std::path::Path, arguments: &[&str]) -> String {
    let output = std::process::Command::new("git")
        .args(arguments)
        .current_dir(directory)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The most this process held since it was last asked to forget, in MiB.
fn peak_memory_mib() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<i64>().unwrap() / 1024
}
