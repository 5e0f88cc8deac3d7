//! Twenty of the 720 orders in which six things can happen to an open pull request, through the
//! whole product: each ends in a legal state that is explained.
//!
//! All of them go through core in `src/core/job/review_orders.rs`; these show that the product does
//! what core decides. The choice is the same each time.

use gander::core::job::{Job, JobEnding, JobStage, WaitingFor};
use gander_emulator::{CheckRunView, Requirement, Verdict};

use crate::world::{REPO, World, edit, finish, good_fix, off_by_one, write};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Comment,
    Review,
    Push,
    Red,
    Green,
    Approve,
}

/// Numbers that look like chance, the same on every machine.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        let Self(state) = self;
        *state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 33) % limit
    }

    fn order(&mut self) -> Vec<Act> {
        let mut acts =
            vec![Act::Comment, Act::Review, Act::Push, Act::Red, Act::Green, Act::Approve];
        let mut order = Vec::new();
        while !acts.is_empty() {
            order.push(acts.remove(usize::try_from(self.below(acts.len() as u64)).unwrap()));
        }
        order
    }
}

/// An open pull request that `ci` has to pass. The stranger has become a colleague.
async fn in_review() -> World {
    let w = World::with_project(off_by_one()).await;
    w.emulator.require_checks(REPO, "main", &["ci"], Requirement::Ruleset).unwrap();
    w.emulator.set_permission(REPO, "hubot-fan", "write").unwrap();
    let main = w.emulator.branches(REPO)["main"].clone();
    w.ci_says(&main, "ci", "success");
    w.model.will(good_fix());
    w.fixed().await;
    w
}

fn happens(w: &World, act: Act) {
    let pull = w.only_pull();
    let number = pull.number;
    match act {
        Act::Comment => drop(w.maintainer().comments(REPO, number, "/gander revise Say more.")),
        Act::Review => {
            drop(w.stranger().reviews(REPO, number, Verdict::RequestsChanges, "Not yet."));
        }
        Act::Push => {
            let files = [("BY-HAND.md", Some("by hand\n"))];
            w.maintainer().pushes(REPO, &pull.head_branch, "Add notes", &files).unwrap();
        }
        Act::Red => w.ci_says(&pull.head_sha, "ci", "failure"),
        Act::Green => w.ci_says(&pull.head_sha, "ci", "success"),
        Act::Approve => drop(w.owner().reviews(REPO, number, Verdict::Approves, "")),
    }
}

async fn job(w: &World) -> Job {
    let id = of_branch(&w.only_pull().head_branch);
    w.store.job(&id).await.unwrap().unwrap().machine
}

fn of_branch(branch: &str) -> gander::core::id::JobId {
    branch.rsplit_once('-').unwrap().1.parse().unwrap()
}

async fn ended_well(w: &World, story: &str, approved: &str) {
    let pull = w.only_pull();
    let said = [w.comments(1), w.comments(pull.number)].concat().join("\n=====\n");
    let told = format!("{story}\n{}\n{said}", w.timeline());
    let job = job(w).await;
    match &job.stage {
        JobStage::InReview { .. } => {
            assert!(!pull.merged, "{told}");
            let waiting = job.review.waiting.as_ref().expect("it waits for nothing");
            assert!(said.contains("**Ready for review**: #2"), "{told}");
            if *waiting != WaitingFor::Review {
                let line = gander::core::report::waits_for(&job, "/gander").expect("no words");
                assert!(w.comments(1)[0].contains(&line), "{told}\n{line}");
            }
            if waiting.needs_words() {
                assert!(w.comments(pull.number).len() > 1, "{told}");
                assert_eq!(w.issue(1).labels, ["gander:needs-human"], "{told}");
            }
            assert_eq!(job.pull.as_ref().unwrap().head.as_str(), pull.head_sha, "{told}");
            assert!(job.review.asks.is_empty(), "{told}");
        }
        JobStage::Done(JobEnding::Merged { .. }) => {
            assert!(pull.merged, "{told}");
            assert_eq!(pull.head_sha, approved, "another commit was approved\n{told}");
            let checks = w.emulator.check_runs(REPO, approved);
            let green = |run: &CheckRunView| run.conclusion.as_deref() == Some("success");
            assert!(checks.iter().any(|run| run.name == "ci" && green(run)), "{told}");
            // Afterwards it may turn red.
            let timeline = w.timeline();
            let (before, _) = timeline.split_once("merged #2 into main").unwrap();
            let (_, last) = before.rsplit_once("finished check ci: ").unwrap();
            assert!(last.starts_with("success"), "{told}");
            assert!(said.contains("**Merged**, approved by acme"), "{told}");
            assert_eq!(w.issue(1).state, "closed", "{told}");
        }
        other => panic!("{told}\nended in {other:?}"),
    }
    // The comment: taken up, or too late; the review: taken up, or after the merge.
    let too_late = said.contains("before what you asked for was taken up")
        || said.contains("works on an open pull request of Gander's, and this is none");
    assert!(said.contains("the request by mona") || too_late, "{told}");
    let timeline = w.timeline();
    let merged_at = timeline.find("merged #2 into main").unwrap_or(usize::MAX);
    let reviewed_at = timeline.find("hubot-fan reviewed #2").unwrap_or(usize::MAX);
    assert!(said.contains("the review by hubot-fan") || reviewed_at > merged_at, "{told}");
    // The person's commit is where it belongs.
    let branch = w.emulator.branches(REPO).remove(&pull.head_branch);
    let kept = [Some(pull.head_sha), branch].into_iter().flatten();
    let has = |sha: String| w.emulator.file(REPO, &sha, "BY-HAND.md").is_some();
    assert!(kept.into_iter().any(has), "{told}");
}

#[tokio::test]
async fn twenty_orders_end_legally_and_explained() {
    let from = in_review().await;
    let mut merged = 0;
    for seed in 1..=20 {
        let mut chance = Chance(seed);
        chance.below(2);
        let (order, at_once) = (chance.order(), seed % 3 == 0);
        let story = format!("order {seed}: {order:?}, at once: {at_once}");
        let w = from.copied().await;
        // Each round changes something that no other does.
        let rounds = (2..9).map(|round| {
            let path = format!("ROUND-{round}.md");
            vec![write(&path, "More.\n"), finish("Said more.")]
        });
        let mut all = vec![vec![edit("count.sh", "$1 - 1", "$1"), finish("Mended.")]];
        all.extend(rounds);
        w.model.will_in_rounds(all);
        let mut approved = String::new();
        for act in order {
            w.minutes_pass(1);
            if act == Act::Approve {
                approved = w.only_pull().head_sha;
            }
            happens(&w, act);
            if at_once {
                w.settle().await;
                continue;
            }
            for _ in 0..chance.below(12) {
                if chance.below(3) == 0 {
                    w.emulator.deliver_all().await;
                }
                w.step().await;
            }
        }
        w.settle().await;
        ended_well(&w, &story, &approved).await;
        merged += usize::from(w.only_pull().merged);
        w.ends().await;
    }
    assert!(merged > 0 && merged < 20, "{merged} were merged");
}
