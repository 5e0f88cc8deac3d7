//! Whoever pushed onto Gander's branch cannot approve it alone.
//!
//! In each story mona orders the change. She, acme (the owner) and hubot may have the role.

use gander_emulator::{AppSpec, Fault, Verdict};
use insta::assert_snapshot;

use crate::approval::with_rules;
use crate::release_proposed::proposed;
use crate::world::{REPO, World, edit, finish, good_fix, off_by_one, read};

const NOTES: [(&str, Option<&str>); 1] = [("NOTES.md", Some("more\n"))];

/// A pull request of Gander's in a repository where these people maintain beside the owner.
async fn in_review(maintainers: &[&str], rules: &str) -> (World, u64) {
    let (w, _, pull) = with_rules(rules).await;
    for login in maintainers {
        w.emulator.create_user(login);
        w.emulator.set_permission(REPO, login, "maintain").unwrap();
    }
    (w, pull)
}

async fn pushes(w: &World, login: &str) -> String {
    let branch = w.only_pull().head_branch;
    let head = w.emulator.person(login).pushes(REPO, &branch, "Add notes", &NOTES).unwrap();
    w.settle().await;
    head
}

async fn approves(w: &World, login: &str) {
    let pull = w.only_pull().number;
    w.emulator.person(login).reviews(REPO, pull, Verdict::Approves, "").unwrap();
    w.settle().await;
}

/// The message of the commit that main stands at.
fn merge_message(w: &World) -> String {
    let head = w.emulator.branches(REPO)["main"].clone();
    w.emulator.commit(REPO, &head).unwrap().message
}

#[tokio::test]
async fn a05_whoever_pushed_onto_the_branch_needs_somebody_else() {
    let (w, pull) = in_review(&["mona", "hubot"], "").await;
    pushes(&w, "acme").await;
    approves(&w, "acme").await;
    assert!(!w.only_pull().merged, "acme pushed it");
    assert_snapshot!(w.last_words(pull), @"**Not merged**: acme pushed to this branch or wrote some of it, and somebody else has to approve it (`[approval] requester` in `.github/gander.toml`).");
    approves(&w, "mona").await;
    assert!(!w.only_pull().merged, "mona ordered it");
    approves(&w, "hubot").await;
    assert!(w.only_pull().merged);
    assert_snapshot!(merge_message(&w), @"
    fix: Count is one too low (#1) (#2)

    Fixes #1

    Requested-by: mona <1004+mona@users.noreply.github.com>
    Assisted-by: Gander 0.1.0 (scripted)
    Approved-by: hubot
    Pushed-by: acme
    ");
    w.ends().await;
}

#[tokio::test]
async fn a05_where_everybody_with_the_role_had_a_hand_in_it_two_approve() {
    let (w, pull) = in_review(&["mona"], "").await;
    pushes(&w, "acme").await;
    approves(&w, "acme").await;
    assert!(!w.only_pull().merged);
    assert_snapshot!(w.last_words(pull), @"**Not merged**: acme approved `862040a85701`, and a second person has to. Everybody whose approval counts asked for it or pushed some of it (`[approval] requester` in `.github/gander.toml`).");
    approves(&w, "mona").await;
    assert!(w.only_pull().merged);
    assert_snapshot!(merge_message(&w), @"
    fix: Count is one too low (#1) (#2)

    Fixes #1

    Requested-by: mona <1004+mona@users.noreply.github.com>
    Assisted-by: Gander 0.1.0 (scripted)
    Approved-by: mona
    Approved-by: acme
    Pushed-by: acme
    ");
    assert!(w.comments(1)[0].starts_with("**Merged**, approved by mona and acme"));
    w.ends().await;
}

#[tokio::test]
async fn a05_a_commit_that_names_gander_as_its_author_is_its_pushers_all_the_same() {
    for author in ["gander[bot]", "hubot-fan"] {
        let (w, _) = in_review(&["mona", "hubot"], "").await;
        let branch = w.only_pull().head_branch;
        w.owner().pushes_as(author, REPO, &branch, &NOTES).unwrap();
        w.settle().await;
        approves(&w, "acme").await;
        assert!(!w.only_pull().merged, "acme pushed it, whatever it says of {author}");
        approves(&w, "hubot").await;
        assert!(w.only_pull().merged);
        w.ends().await;
    }
}

#[tokio::test]
async fn whoever_wrote_what_somebody_else_pushed_had_a_hand_in_it_too() {
    let (w, _) = in_review(&["mona", "hubot"], "").await;
    let branch = w.only_pull().head_branch;
    w.owner().pushes_as("hubot", REPO, &branch, &NOTES).unwrap();
    w.settle().await;
    approves(&w, "hubot").await;
    assert!(!w.only_pull().merged);
    approves(&w, "acme").await;
    assert!(w.only_pull().merged, "all three had a hand in it, and two of them approved");
    w.ends().await;
}

#[tokio::test]
async fn a05_where_github_does_not_say_who_pushed_two_approve() {
    let (w, pull) = in_review(&["hubot"], "").await;
    let silence = Fault::on("GET", "/repos/*/*/activity");
    let silent = w.emulator.plan(silence.times(usize::MAX).answers(404));
    pushes(&w, "hubot").await;
    approves(&w, "acme").await;
    assert!(!w.only_pull().merged, "acme may have pushed it");
    assert_snapshot!(w.last_words(pull), @"**Not merged**: acme approved `9b7f0ac8a5fc`, and a second person has to. GitHub does not say of every commit who pushed it, so one approval may be the pusher's (`[approval] requester` in `.github/gander.toml`).");
    approves(&w, "hubot").await;
    assert!(w.only_pull().merged);
    w.emulator.cancel(silent);
    w.ends().await;
}

#[tokio::test]
async fn a_push_by_another_program_is_nobodys_known() {
    let (w, _) = in_review(&["mona", "hubot"], "").await;
    let rights = [("contents".to_owned(), "write".to_owned())].into();
    let spec = AppSpec { slug: "formatter".to_owned(), permissions: rights, ..AppSpec::default() };
    let other = w.emulator.create_app(spec).unwrap();
    w.emulator.install(other.app_id, &[REPO]).unwrap();
    pushes(&w, "formatter[bot]").await;
    approves(&w, "acme").await;
    assert!(!w.only_pull().merged, "acme's workflow may have pushed it");
    approves(&w, "hubot").await;
    assert!(w.only_pull().merged);
    w.ends().await;
}

#[tokio::test]
async fn a_single_person_with_the_role_is_alone_and_counts() {
    let (w, _) = in_review(&[], "").await;
    pushes(&w, "acme").await;
    approves(&w, "acme").await;
    assert!(w.only_pull().merged);
    w.ends().await;
}

#[tokio::test]
async fn the_rules_speak_of_whoever_pushed_as_of_whoever_ordered() {
    let (w, _) = in_review(&["mona"], "[approval]\nrequester = \"allowed\"\n").await;
    pushes(&w, "acme").await;
    approves(&w, "acme").await;
    assert!(w.only_pull().merged);
    w.ends().await;

    let (w, _) = in_review(&["mona"], "[approval]\nrequester = \"never\"\n").await;
    pushes(&w, "acme").await;
    approves(&w, "acme").await;
    approves(&w, "mona").await;
    assert!(!w.only_pull().merged, "never: not even two of them");
    w.emulator.create_user("hubot");
    w.emulator.set_permission(REPO, "hubot", "maintain").unwrap();
    approves(&w, "hubot").await;
    assert!(w.only_pull().merged);
    w.ends().await;
}

#[tokio::test]
async fn a_review_that_gander_answered_makes_nobody_a_requester() {
    let (w, pull) = in_review(&["mona"], "").await;
    let before = w.only_pull().head_sha;
    let said = vec![read("count.sh"), edit("count.sh", "echo", "echo -n"), finish("Said.")];
    w.model.will_in_rounds(vec![good_fix(), said]);
    w.owner().reviews(REPO, pull, Verdict::RequestsChanges, "No newline.").unwrap();
    w.settle().await;
    assert_ne!(w.only_pull().head_sha, before, "{}", w.timeline());
    approves(&w, "acme").await;
    assert!(w.only_pull().merged, "{}", w.last_words(pull));
    w.ends().await;
}

#[tokio::test]
async fn a05_what_somebody_pushed_to_the_first_base_is_not_ganders_on_another() {
    let mut files = off_by_one();
    files.retain(|(path, _)| *path != ".github/gander.toml");
    files.push((".github/gander.toml", "base = \"dev\"\n[verify]\ncommands = [\"sh check.sh\"]\n"));
    let w = World::with_project(files).await;
    for login in ["mona", "hubot"] {
        w.emulator.create_user(login);
        w.emulator.set_permission(REPO, login, "maintain").unwrap();
    }
    w.owner().pushes_as("gander[bot]", REPO, "dev", &NOTES).unwrap();
    w.model.will(good_fix());
    w.fixed().await;
    let pull = w.only_pull().number;
    w.owner().retargets(REPO, pull, "main").unwrap();
    w.settle().await;
    w.minutes_pass(2);
    approves(&w, "acme").await;
    assert!(!w.only_pull().merged, "acme's notes would come along");
    assert!(w.last_words(pull).contains("a second person has to"), "{}", w.last_words(pull));
    approves(&w, "hubot").await;
    assert!(w.only_pull().merged);
    w.ends().await;
}

#[tokio::test]
async fn a05_whoever_pushed_what_somebody_else_cut_off_had_a_hand_in_the_rest() {
    let (w, _) = in_review(&["mona", "hubot"], "").await;
    let branch = w.only_pull().head_branch;
    // Two commits in one push, under Gander's name.
    let one = w.owner().pushes_as("gander[bot]", REPO, "elsewhere", &NOTES).unwrap();
    w.emulator.person("acme").force_pushes(REPO, &branch, &one).unwrap();
    let more = [("MORE.md", Some("1\n"))];
    let both = w.owner().pushes_as("gander[bot]", REPO, "elsewhere", &more).unwrap();
    w.owner().force_pushes(REPO, &branch, &both).unwrap();
    w.emulator.person("hubot").force_pushes(REPO, &branch, &one).unwrap();
    w.settle().await;
    approves(&w, "acme").await;
    assert!(!w.only_pull().merged);
}

#[tokio::test]
async fn words_that_count_for_nothing_hide_no_approval_that_does() {
    let (w, _) = in_review(&[], "").await;
    pushes(&w, "acme").await;
    let pull = w.only_pull().number;
    w.owner().reviews(REPO, pull, Verdict::Approves, "").unwrap();
    w.stranger().reviews(REPO, pull, Verdict::Approves, "").unwrap();
    w.settle().await;
    assert!(w.only_pull().merged, "acme is the only one with the role");
    w.ends().await;
}

#[tokio::test]
async fn where_nobody_is_left_who_could_approve_people_are_told_what_to_change() {
    let (w, pull) = in_review(&[], "[approval]\nrequester = \"never\"\n").await;
    pushes(&w, "acme").await;
    approves(&w, "acme").await;
    assert!(!w.only_pull().merged);
    assert!(w.last_words(pull).contains("nobody is left"), "{}", w.last_words(pull));
    w.emulator.create_user("hubot");
    w.emulator.set_permission(REPO, "hubot", "maintain").unwrap();
    approves(&w, "hubot").await;
    assert!(w.only_pull().merged);
    w.ends().await;
}

#[tokio::test]
async fn what_was_pushed_and_taken_back_still_counts_while_it_is_in_the_branch() {
    let (w, _) = in_review(&["mona", "hubot"], "").await;
    let branch = w.only_pull().head_branch;
    let pushed = pushes(&w, "acme").await;
    let others = w.emulator.person("hubot");
    let more = others.pushes(REPO, &branch, "More", &[("MORE.md", Some("1\n"))]).unwrap();
    w.settle().await;
    // Somebody else takes the branch back to what acme pushed: it is acme's still.
    w.maintainer().force_pushes(REPO, &branch, &pushed).unwrap();
    w.settle().await;
    assert_ne!(w.only_pull().head_sha, more);
    approves(&w, "acme").await;
    assert!(!w.only_pull().merged);
    approves(&w, "hubot").await;
    assert!(w.only_pull().merged, "hubot's commit is gone");
    w.ends().await;
}

#[tokio::test]
async fn a_release_pushed_under_ganders_name_needs_somebody_else_too() {
    let (w, _, pull) = proposed().await;
    w.emulator.set_permission(REPO, "mona", "maintain").unwrap();
    let log = String::from_utf8(w.emulator.file(REPO, &pull.head_sha, "CHANGELOG.md").unwrap());
    let log = log.unwrap().replace("paging", "paging, and more");
    let files = [("CHANGELOG.md", Some(log.as_str()))];
    w.maintainer().pushes_as("gander[bot]", REPO, &pull.head_branch, &files).unwrap();
    w.settle().await;
    approves(&w, "mona").await;
    assert!(!w.only_pull().merged, "mona pushed it");
    approves(&w, "acme").await;
    assert!(w.only_pull().merged, "all had a hand in it, and two approved");
    let message = merge_message(&w);
    for line in ["Approved-by: acme\n", "Approved-by: mona\n", "Pushed-by: mona\n"] {
        assert!(message.contains(line), "{message}");
    }
}

/// Each refusal would notify everybody, and anyone can give the reason for one.
#[tokio::test]
async fn a_crowd_whose_approval_does_not_count_is_not_answered_for_ever() {
    let (w, pull) = in_review(&[], "").await;
    for number in 0..20 {
        let login = format!("person-{number}");
        w.emulator.create_user(&login);
        approves(&w, &login).await;
        w.minutes_pass(6);
    }
    let said = w.comments(pull);
    assert!((5..=11).contains(&said.len()), "{}: {said:?}", said.len());
    approves(&w, "acme").await;
    assert!(w.only_pull().merged, "{}", w.timeline());
}
