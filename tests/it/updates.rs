//! `/gander update`: the base is merged into the pull request, and checked again.

use gander::model::ScriptedTurn;
use insta::assert_snapshot;

use crate::world::{REPO, World, edit, finish, good_fix, off_by_one, verify};

/// Rules under which Gander merges the base in by itself.
const ON_CONFLICT: &str = "[verify]\ncommands = [\"sh check.sh\"]\n[update]\non = \"conflict\"\n";

/// The base brings a file that the pull request does not touch.
fn base_moves(w: &World) {
    let files = [("notes.txt", Some("Count from one.\n"))];
    w.maintainer().pushes(REPO, "main", "Write a note", &files).unwrap();
}

/// The base changes the line that the fix changes, and brings another.
fn base_conflicts(w: &World) {
    let text =
        "#!/bin/sh\n# Read me.\n# Prints how many widgets there are.\necho $(( $1 + 0 - 1 ))\n";
    w.maintainer().pushes(REPO, "main", "Add nothing", &[("count.sh", Some(text))]).unwrap();
}

fn file(w: &World, path: &str) -> String {
    String::from_utf8(w.emulator.file(REPO, &w.only_pull().head_sha, path).unwrap()).unwrap()
}

fn main_of(w: &World) -> String {
    w.emulator.branches(REPO)["main"].clone()
}

fn creates(path: &str, text: &str) -> ScriptedTurn {
    let new = serde_json::json!({"path": path, "action": "create", "new": text});
    ScriptedTurn::call("edit", new)
}

/// Writes the file whole, as a model resolves a conflict.
fn resolves(text: &str) -> Vec<ScriptedTurn> {
    let command = format!("cat > count.sh <<'END'\n{text}END\n");
    let run = ScriptedTurn::call("run", serde_json::json!({ "command": command }));
    vec![run, verify(), finish("Both sides are kept.")]
}

const RESOLVED: &str =
    "#!/bin/sh\n# Read me.\n# Prints how many widgets there are.\necho $(( $1 + 0 ))\n";

#[tokio::test]
async fn a_base_that_moved_is_merged_in_and_proven_again_without_a_model() {
    let w = World::with_project(off_by_one()).await;
    w.model.will(good_fix());
    w.fixed().await;
    let before = w.only_pull();
    base_moves(&w);
    w.settle().await;
    let heard = w.model.heard().len();
    let timeline = w.timeline();
    w.says(before.number, "/gander update").await;
    let pull = w.only_pull();
    let commit = w.emulator.commit(REPO, &pull.head_sha).unwrap();
    assert_eq!(commit.parents, [before.head_sha.clone(), main_of(&w)]);
    assert!(commit.message.starts_with("Merge branch 'main' into gander/1-"), "{}", commit.message);
    assert_eq!(w.model.heard().len(), heard, "no model is asked");
    assert_eq!(file(&w, "notes.txt"), "Count from one.\n");
    assert!(file(&w, "count.sh").contains("echo $(( $1 ))"));
    let since = w.timeline().strip_prefix(&timeline).unwrap().to_owned();
    assert_snapshot!(since, @"
    mona commented on #2: /gander update
    gander[bot] reacted with eyes to a comment on #2
    gander[bot] edited a comment on #1: **Reading** what round 2 is about
    gander[bot] labeled #1 gander:working
    gander[bot] commented on #2: **On it**: bringing it up to date with its base, as mona asked.
    gander[bot] pushed 2 commits to gander/1-vfuxini2iztf
    gander[bot] edited #2
    gander[bot] edited a comment on #1: **Ready for review**: #2
    gander[bot] unlabeled #1 gander:working
    gander[bot] edited a comment on #2: **Round 2**: bringing it up to date with its base, as mona asked.
    gander[bot] finished check Gander: success
    gander[bot] commented on #2: @mona Done in `ef547d096be4`, and checked.
    ");
    assert_snapshot!(w.comments(pull.number).join("\n=====\n"), @"
    **Round 2**: bringing it up to date with its base, as mona asked.

    Done in `ef547d096be4`, and checked. [Changes since](https://github.test/acme/widgets/compare/79de9957d068...ef547d096be4)
    =====
    @mona Done in `ef547d096be4`, and checked.
    ");
    assert!(pull.body.contains(&pull.head_sha[..12]), "the text names the new head");

    w.approved().await;
    assert!(w.emulator.file(REPO, "main", "notes.txt").is_some());
    let merged = w.emulator.file(REPO, "main", "count.sh").unwrap();
    assert!(String::from_utf8(merged).unwrap().contains("echo $(( $1 ))"));
    w.ends().await;
}

#[tokio::test]
async fn a_conflict_is_given_to_the_agent_with_both_sides_and_their_commits() {
    let w = World::with_project(off_by_one()).await;
    w.model.will_in_rounds(vec![good_fix(), resolves(RESOLVED)]);
    w.fixed().await;
    let before = w.only_pull();
    base_conflicts(&w);
    w.settle().await;
    let words = w.last_words(before.number);
    assert!(words.contains("It conflicts with its base.** `/gander update` merges"), "{words}");
    w.says(before.number, "/gander update").await;
    let pull = w.only_pull();
    assert_eq!(
        w.emulator.commit(REPO, &pull.head_sha).unwrap().parents,
        [before.head_sha, main_of(&w)]
    );
    assert_eq!(file(&w, "count.sh"), RESOLVED);
    let told = w.model.heard()[4].clone();
    for part in [
        "CONFLICT (content): Merge conflict in count.sh",
        "main: ",
        "Add nothing",
        "the pull request: ",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let shown = w.model.heard()[5].clone();
    assert!(!shown.contains("<<<<<<<") || told.contains("<<<<<<<"), "{shown}");
    assert!(pull.body.contains("was in conflict, and the model resolved that"), "{}", pull.body);
    w.ends().await;
}

#[tokio::test]
async fn what_the_base_brought_is_not_lost_and_no_mark_is_left() {
    let w = World::with_project(off_by_one()).await;
    let loses = "#!/bin/sh\n# Prints how many widgets there are.\necho $(( $1 ))\n";
    let only_edits = vec![
        edit("count.sh", "# Prints how many widgets there are.", "# Prints how many there are."),
        finish("Done."),
    ];
    w.model.will_in_rounds(vec![]);
    let attempts = vec![only_edits, resolves(loses), resolves(RESOLVED)];
    w.model.play(gander::model::Scripted::from_rounds(vec![vec![good_fix()], attempts]));
    w.fixed().await;
    let before = w.only_pull();
    base_conflicts(&w);
    w.says(before.number, "/gander update").await;
    let heard = w.model.heard().join("\n");
    assert!(heard.contains("The marks of the conflict are still in count.sh"), "{heard}");
    assert!(heard.contains("nobody contested them, and your change loses them"), "{heard}");
    assert!(heard.contains("Bring them back:\\n# Read me."), "{heard}");
    assert_eq!(file(&w, "count.sh"), RESOLVED);
    w.ends().await;
}

#[tokio::test]
async fn an_update_that_nothing_is_there_for_says_so() {
    let w = World::with_project(off_by_one()).await;
    w.model.will(good_fix());
    let issue = w.fixed().await;
    let pull = w.only_pull();
    w.says(issue, "/gander update").await;
    assert_eq!(w.only_pull().head_sha, pull.head_sha);
    assert_snapshot!(w.last_words(pull.number), @"@mona The pull request holds everything that is on its base already.");
    let other = w.reported();
    w.says(other, "/gander update").await;
    assert_snapshot!(w.last_words(other), @"`update` works on an open pull request of Gander's, and this is none. `/gander status` shows what there is.");
    w.ends().await;
}

#[tokio::test]
async fn a_conflict_is_resolved_by_itself_where_the_rules_say_so_and_once_on_each_head() {
    let mut files = off_by_one();
    files.retain(|(path, _)| *path != ".github/gander.toml");
    files.push((".github/gander.toml", ON_CONFLICT));
    let w = World::with_project(files).await;
    let gives_up = vec![finish("I do not know.")];
    let attempts = vec![gives_up.clone(), gives_up.clone(), gives_up];
    w.model.play(gander::model::Scripted::from_rounds(vec![
        vec![good_fix()],
        attempts,
        vec![resolves(RESOLVED)],
    ]));
    w.fixed().await;
    let before = w.only_pull();
    base_conflicts(&w);
    w.settle().await;
    assert_eq!(w.only_pull().head_sha, before.head_sha);
    let heard = w.model.heard().len();
    assert_eq!(heard, 7, "it was tried, in three attempts");
    w.maintainer().pushes(REPO, "main", "More", &[("more.txt", Some("x\n"))]).unwrap();
    w.settle().await;
    assert_eq!(w.model.heard().len(), heard, "not again on this head");
    w.says(before.number, "/gander update").await;
    assert_eq!(file(&w, "count.sh"), RESOLVED, "{}", w.timeline());
    w.ends().await;
}

#[tokio::test]
async fn a_clean_merge_that_breaks_the_checks_is_the_agents_to_mend() {
    let w = World::with_project(off_by_one()).await;
    let mends = vec![creates("ready.txt", "yes\n"), verify(), finish("It is green again.")];
    let rounds = vec![vec![good_fix()], vec![vec![], mends]];
    w.model.play(gander::model::Scripted::from_rounds(rounds));
    w.fixed().await;
    let before = w.only_pull();
    let check = String::from_utf8(w.emulator.file(REPO, "main", "check.sh").unwrap()).unwrap();
    let check = format!("{check}\n[ \"$(sh count.sh 3)\" = 2 ] || sh extra.sh\n");
    let files = [("check.sh", Some(&*check)), ("extra.sh", Some("test -f ready.txt\n"))];
    w.maintainer().pushes(REPO, "main", "Ask for more", &files).unwrap();
    w.says(before.number, "/gander update").await;
    assert_eq!(file(&w, "ready.txt"), "yes\n", "{}", w.timeline());
    w.ends().await;
}

#[tokio::test]
async fn a_person_who_pushes_while_the_base_is_merged_in_is_merged_with_it() {
    let w = World::with_project(off_by_one()).await;
    w.model.will_in_rounds(vec![good_fix(), resolves(RESOLVED)]);
    w.fixed().await;
    let before = w.only_pull();
    base_conflicts(&w);
    w.maintainer().comments(REPO, before.number, "/gander update").unwrap();
    w.settle_while(7, |w| {
        let files = [("by-hand.txt", Some("x\n"))];
        w.maintainer().pushes(REPO, &before.head_branch, "By hand", &files).unwrap();
    })
    .await;
    let pull = w.only_pull();
    let parents = w.emulator.commit(REPO, &pull.head_sha).unwrap().parents;
    assert_ne!(parents[0], before.head_sha);
    assert_eq!(parents[1], main_of(&w));
    assert_eq!(file(&w, "by-hand.txt"), "x\n");
    assert_eq!(file(&w, "count.sh"), RESOLVED);
    w.ends().await;
}

#[tokio::test]
async fn what_people_may_push_and_gander_may_not_is_never_taken_back() {
    let w = World::with_project(off_by_one()).await;
    w.model.will(good_fix());
    w.fixed().await;
    let branch = w.only_pull().head_branch;
    let files = [(".github/workflows/more.yml", Some("on: push\njobs: {}\n"))];
    w.maintainer().pushes(REPO, &branch, "A workflow", &files).unwrap();
    base_moves(&w);
    w.settle().await;
    let (before, heard) = (w.only_pull(), w.model.heard().len());
    w.says(before.number, "/gander update").await;
    assert_eq!(w.only_pull().head_sha, before.head_sha);
    assert_eq!(w.model.heard().len(), heard);
    let words = w.last_words(before.number);
    assert!(words.contains("what people may change and Gander may not"), "{words}");
    assert!(words.contains(".github/workflows/more.yml"), "{words}");
    w.ends().await;
}

#[tokio::test]
async fn a_file_that_one_side_deletes_and_the_other_changes_is_the_agents_to_decide() {
    let w = World::with_project(off_by_one()).await;
    let deletes = vec![
        edit("count.sh", "$1 - 1", "$1"),
        ScriptedTurn::call("edit", serde_json::json!({"path": "README.md", "action": "delete"})),
        finish("And without the old words."),
    ];
    w.model
        .will_in_rounds(vec![deletes.clone(), vec![deletes[1].clone(), finish("It stays away.")]]);
    w.fixed().await;
    let files = [("README.md", Some("# Widgets\n\nNew words.\n"))];
    w.maintainer().pushes(REPO, "main", "More words", &files).unwrap();
    w.says(w.only_pull().number, "/gander update").await;
    let pull = w.only_pull();
    assert_eq!(
        w.emulator.commit(REPO, &pull.head_sha).unwrap().parents.len(),
        2,
        "{}",
        w.timeline()
    );
    assert!(w.emulator.file(REPO, &pull.head_sha, "README.md").is_none());
    assert!(pull.body.contains("of the base"), "{}", pull.body);
    w.ends().await;
}

#[tokio::test]
async fn a_note_during_an_update_that_asks_no_model_is_the_next_round() {
    let w = World::with_project(off_by_one()).await;
    let quoted =
        vec![edit("count.sh", "echo $(( $1 ))", "echo \"$(( $1 ))\""), verify(), finish("Quoted.")];
    w.model.play(gander::model::Scripted::from_rounds(vec![
        vec![good_fix()],
        vec![],
        vec![quoted],
    ]));
    w.fixed().await;
    let number = w.only_pull().number;
    base_moves(&w);
    w.settle().await;
    w.maintainer().comments(REPO, number, "/gander update").unwrap();
    w.until("the update begins", |w| w.timeline().contains("is about")).await;
    w.says(number, "/gander note quote the argument").await;
    assert!(file(&w, "count.sh").contains("echo \"$(( $1 ))\""), "{}", w.timeline());
    assert_eq!(file(&w, "notes.txt"), "Count from one.\n");
    w.ends().await;
}

#[tokio::test]
async fn a_pull_request_that_is_merged_before_its_update_begins_is_called_merged() {
    let w = World::with_project(off_by_one()).await;
    w.model.will(good_fix());
    let issue = w.fixed().await;
    let number = w.only_pull().number;
    base_moves(&w);
    w.settle().await;
    w.maintainer().comments(REPO, number, "/gander update").unwrap();
    w.until("the update begins", |w| w.timeline().contains("is about")).await;
    w.emulator.plan_delivery(gander_emulator::DeliveryFault::Lose);
    w.maintainer().merges(REPO, number, gander_emulator::MergeMethod::Merge).unwrap();
    w.settle().await;
    let status = w.comments(issue).remove(0);
    assert!(status.starts_with("**Merged**"), "{status}");
    w.ends().await;
}
