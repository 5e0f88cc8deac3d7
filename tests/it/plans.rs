//! `plan=first`: people read what would be done before it is done.

use gander::model::{Scripted, ScriptedTurn};
use insta::assert_snapshot;
use serde_json::json;

use crate::world::{World, good_fix, off_by_one, read};

fn hands_in(what: &str, file: &str) -> Vec<ScriptedTurn> {
    let plan = json!({
        "what": what,
        "files": [{"path": file, "change": "the leftover `- 1` goes"}],
        "shown_by": "check.sh asks for three widgets and expects 3",
        "left_out": "the spelling of the messages",
    });
    vec![read("count.sh"), ScriptedTurn::call("plan", plan)]
}

fn plans(w: &World, plans: Vec<Vec<ScriptedTurn>>) {
    w.model.play(Scripted::from_turns(good_fix()).with_plans(plans));
}

#[tokio::test]
async fn a_plan_is_shown_and_nothing_is_written_before_a_person_says_go() {
    let w = World::with_project(off_by_one()).await;
    plans(&w, vec![hands_in("One is taken off twice.", "count.sh")]);
    let issue = w.reported();
    w.says(issue, "/gander fix plan=first").await;
    assert_eq!(w.model.heard().len(), 2);
    assert_eq!(w.our_branches(), [] as [String; 0]);
    let status = w.comments(issue)[0].clone();
    let plan = status.split_once("needs_human").map_or(&*status, |it| it.0);
    assert_snapshot!(plan.split_once("\n\n<sub>").unwrap().0, @"
    **Waiting for your word** on the plan

    - [x] read the rules and the code (`main` at `ae4e166cd1d0`)
    - [ ] write the change
    - [ ] check it in a fresh copy
    - [ ] open the pull request

    The plan, in the model's words:

    ```text
    One is taken off twice.

    - count.sh: the leftover `- 1` goes

    Shown by: check.sh asks for three widgets and expects 3

    Left out: the spelling of the messages
    ```

    Nothing is written yet. Comment `/gander go` to work by it (words behind that count, too), `/gander revise` and your words for another, or `/gander cancel`.
    ");
    assert_snapshot!(w.last_words(issue), @"@mona [The plan](https://github.test/acme/widgets/issues/1#issuecomment-3100000002) is ready. Nothing is written yet. Comment `/gander go` to work by it (words behind that count, too), `/gander revise` and your words for another, or `/gander cancel`.");
    let told = w.model.heard().remove(0);
    assert!(told.contains("Do not make the change yet"), "{told}");

    w.says(issue, "/gander go and keep it short").await;
    let pull = w.only_pull();
    let told = w.model.heard().remove(2);
    assert!(told.contains("A maintainer agreed to the plan below"), "{told}");
    assert!(told.contains("One is taken off twice.") && told.contains("keep it short"), "{told}");
    let section =
        pull.body.split_once("### The plan\n").unwrap().1.split_once("<details>").unwrap().0;
    assert_snapshot!(section.trim(), @"mona agreed to it before anything was written. The files that change are those that it names.");
    w.ends().await;
}

#[tokio::test]
async fn revise_makes_another_plan_and_the_pull_request_says_where_it_departs() {
    let w = World::with_project(off_by_one()).await;
    let second = hands_in("Count from one.", "src/count.rs");
    plans(&w, vec![hands_in("One is taken off twice.", "count.sh"), second]);
    let issue = w.reported();
    w.says(issue, "/gander build plan=first").await;
    w.says(issue, "/gander revise do it in Rust").await;
    let told = w.model.heard().remove(2);
    assert!(told.contains("maintainers want it otherwise"), "{told}");
    assert!(told.contains("One is taken off twice.") && told.contains("do it in Rust"), "{told}");
    let status = w.comments(issue)[0].clone();
    assert!(status.contains("Plan 2, in the model's words") && status.contains("Count from one."));
    w.says(issue, "/gander go").await;
    let body = w.only_pull().body;
    let section = body.split_once("### The plan\n").unwrap().1.split_once("<details>").unwrap().0;
    assert_snapshot!(section.trim(), @"
    mona agreed to it before anything was written. The change departs from it:
    - it also changes count.sh
    - it leaves as they are: src/count.rs
    ");
    w.ends().await;
}

#[tokio::test]
async fn who_only_plans_changes_nothing_and_cannot() {
    let w = World::with_project(off_by_one()).await;
    let run = ScriptedTurn::call("run", json!({"command": "echo x > count.sh && cat count.sh"}));
    let edit = crate::world::edit("count.sh", "- 1", "");
    let mut turns = vec![run, edit];
    turns.extend(hands_in("One is taken off twice.", "count.sh"));
    plans(&w, vec![turns]);
    let issue = w.reported();
    w.says(issue, "/gander fix plan=first").await;
    let heard = w.model.heard();
    assert!(heard[2].contains("There is no tool of that name. Use: read, search, run, plan."));
    w.says(issue, "/gander go").await;
    assert_eq!(w.only_pull().state, "open", "the tree that it writes in is another");
    w.ends().await;
}

#[tokio::test]
async fn a_plan_that_finds_nothing_to_fix_ends_with_that_word() {
    let w = World::with_project(off_by_one()).await;
    let says = json!({"what": "It counts right since the last commit.", "nothing_to_fix": true});
    plans(&w, vec![vec![ScriptedTurn::call("plan", says)]]);
    let issue = w.reported();
    w.says(issue, "/gander fix plan=first").await;
    assert!(w.last_words(issue).contains("It counts right since the last commit."));
    w.says(issue, "/gander go").await;
    assert!(w.last_words(issue).contains("Nothing here waits for"), "{}", w.last_words(issue));
    w.ends().await;
}

#[tokio::test]
async fn a_plan_can_be_cancelled_and_a_stranger_cannot_agree_to_it() {
    let w = World::with_project(off_by_one()).await;
    plans(&w, vec![hands_in("One is taken off twice.", "count.sh")]);
    let issue = w.reported();
    w.says(issue, "/gander fix plan=first").await;
    w.stranger().comments(crate::world::REPO, issue, "/gander go").unwrap();
    w.settle().await;
    assert_eq!(w.model.heard().len(), 2);
    w.says(issue, "/gander cancel").await;
    assert!(w.last_words(issue).contains("Cancelled by mona"), "{}", w.last_words(issue));
    w.says(issue, "/gander fix plan=last").await;
    assert_snapshot!(w.last_words(issue), @"`plan=last` cannot be used: it takes `first`. Nothing was changed. `/gander help` lists the commands.");
    w.ends().await;
}
