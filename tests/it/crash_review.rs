//! Gander dies, or an answer is lost, at every effect of a round, of a merge and of a release.
//!
//! Each story goes on from a copy of a world in which what came before stands. What GitHub shows at
//! the end is held against the same story undisturbed: one commit, one answer in each thread, each
//! settled thread resolved once, one request to look again; one merge; one release pull request,
//! one run that is asked for; nothing twice, nothing missing.

use gander::core::examples::Example;
use gander::model::ScriptedTurn;
use gander_emulator::{Emulator, Fault, FaultOn, LineNote, Verdict};

use crate::crash::Scene;
use crate::world::{REPO, World, edit, finish_with, good_fix, off_by_one, verify, visible};

const NOTE: LineNote<'_> =
    LineNote { path: "count.sh", line: 3, start_line: None, body: "Please quote the argument." };

/// The round: the first of two points is settled, the second is not.
pub fn two_points() -> Vec<ScriptedTurn> {
    vec![
        edit("count.sh", "echo $(( $1 ))", "echo \"$(( $1 ))\""),
        verify(),
        finish_with("Quoted.", &[(1, true, "It is quoted now."), (2, false, "I left the name.")]),
    ]
}

/// What people do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Story {
    /// They ask for changes of Gander's pull request.
    Reviewed,
    /// They approve it.
    Approved,
    /// They order a release.
    Ordered,
    /// They approve its pull request.
    Released,
}

impl Story {
    /// The world in which it begins.
    async fn world(self) -> World {
        let mut files = off_by_one();
        if matches!(self, Self::Reviewed | Self::Approved) {
            let w = World::with_project(files).await;
            w.model.will(good_fix());
            w.fixed().await;
            return w;
        }
        files.push(("VERSION", "1.1.0\n"));
        files.push((Example::Release.path(), Example::Release.text()));
        let w = World::with_project(files).await;
        w.reported();
        let mended = [("count.sh", Some("#!/bin/sh\necho $1\n"))];
        w.owner().pushes(REPO, "main", "fix: the count", &mended).unwrap();
        w.settle().await;
        if self == Self::Released {
            Self::Ordered.begins(&w.emulator);
            w.settle().await;
        }
        w
    }

    fn begins(self, emulator: &Emulator) {
        let owner = emulator.person("acme");
        match self {
            Self::Reviewed => {
                let notes = [NOTE, LineNote { body: "And rename it.", ..NOTE }];
                owner.reviews_lines(REPO, 2, Verdict::RequestsChanges, "Nearly.", &notes).unwrap()
            }
            Self::Approved | Self::Released => {
                owner.reviews(REPO, 2, Verdict::Approves, "").unwrap()
            }
            Self::Ordered => owner.comments(REPO, 1, "/gander release 1.2.0").unwrap(),
        };
    }

    /// Told by the undisturbed story, so that the comparison compares something.
    fn happened(self, picture: &str) {
        let once = |line: &str| assert_eq!(picture.matches(line).count(), 1, "{line}\n{picture}");
        match self {
            Self::Reviewed => {
                once("gander[bot] pushed 1 commit to gander/");
                once("gander[bot] replied in a thread on #2: Done in `SHA`");
                once("gander[bot] replied in a thread on #2: Not settled by `SHA`");
                once("gander[bot] resolved a thread on #2");
                once("gander[bot] asked acme to review #2");
            }
            Self::Approved => {
                once("gander[bot] merged #2 into main");
                once("gander[bot] deleted branch gander/");
                once("gander[bot] closed #1");
            }
            Self::Ordered => {
                once("gander[bot] created branch gander/release-main");
                once("gander[bot] opened pull request #2: chore(release): v1.2.0");
            }
            Self::Released => {
                once("gander[bot] merged #2 into main");
                once("gander[bot] deleted branch gander/release-main");
                once("gander[bot] dispatched gander-release");
            }
        }
    }
}

/// Everything that stands on GitHub, and everything that happened but for what only shows a stage,
/// in no order and without the names of commits.
fn picture(emulator: &Emulator) -> String {
    let mut lines: Vec<String> = emulator.timeline(REPO).iter().map(ToString::to_string).collect();
    let shows = |line: &str| {
        line.starts_with("gander[bot] ")
            && [" edited ", " labeled ", " unlabeled "].iter().any(|word| line.contains(word))
    };
    lines.retain(|line| !shows(line));
    // What a comment first said depends on the moment; what it says in the end stands below.
    for line in lines.iter_mut().filter(|line| line.starts_with("gander[bot] commented")) {
        line.truncate(line.find(':').unwrap());
    }
    for number in [1, 2, 3] {
        let Some(issue) = emulator.issue(REPO, number) else { continue };
        lines.push(format!("#{number} {} {:?}", issue.state, issue.labels));
        for comment in issue.comments {
            let text = visible(&comment.body);
            let text = text.split("<sub>").next().unwrap_or_default().replace('\n', " ");
            lines.push(format!("#{number} {}: {text} {:?}", comment.author, comment.reactions));
        }
    }
    let pull = emulator.pulls(REPO).remove(0);
    let body = pull.body.contains(&pull.head_sha[..12]);
    lines.push(format!(
        "merged {} names the head {body} {:?}",
        pull.merged, pull.requested_reviewers
    ));
    for check in emulator.check_runs(REPO, &pull.head_sha) {
        lines.push(format!("check {} {:?}", check.name, check.conclusion));
    }
    let mut commit = emulator.commit(REPO, &pull.head_sha);
    while let Some(known) = commit {
        lines.push(format!("commit {}", known.message.lines().next().unwrap_or_default()));
        commit = known.parents.first().and_then(|parent| emulator.commit(REPO, parent));
    }
    lines.extend(emulator.branches(REPO).into_keys().map(|name| format!("branch {name}")));
    assert_eq!(emulator.unknown_routes(), [] as [&str; 0]);
    lines.sort();
    let web = emulator.web_url();
    without_commits(&lines.join("\n").replace(web.as_str(), "WEB/"))
}

fn without_commits(text: &str) -> String {
    let is_name = |word: &str| {
        (word.len() == 12 || word.len() == 40) && word.bytes().all(|b| b.is_ascii_hexdigit())
    };
    let mut out = String::new();
    for part in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let word = part.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        match is_name(word) {
            true => out.extend(["SHA", &part[word.len()..]]),
            false => out.push_str(part),
        }
    }
    out
}

/// The story in a copy of the world, with something going wrong.
async fn told(from: &World, story: Story, fault: Option<Fault>) -> World {
    let w = from.copied().await;
    w.model.will_in_rounds(vec![good_fix(), two_points()]);
    let planned = fault.map(|fault| w.emulator.plan(fault));
    story.begins(&w.emulator);
    w.settle().await;
    if let Some(planned) = planned {
        assert_eq!(w.emulator.fault_hits(planned), 1, "nothing went wrong, so nothing was shown");
    }
    w
}

async fn an_answer_is_lost_at_each_effect(story: Story, wrong: &[fn(FaultOn) -> Fault]) {
    let w = story.world().await;
    let undisturbed = told(&w, story, None).await;
    let wanted = picture(&undisturbed.emulator);
    story.happened(&wanted);
    for mutation in undisturbed.emulator.mutations() {
        for wrong in wrong {
            let fault = wrong(Fault::on_mutation(mutation.number));
            let said = format!("{fault:?}: {} {}", mutation.method, mutation.path);
            let disturbed = told(&w, story, Some(fault)).await;
            let got = picture(&disturbed.emulator);
            assert_eq!(wanted, got, "{said}\n{}", disturbed.timeline());
            // The run that publishes is waited for; nobody runs it here.
            if story != Story::Released {
                disturbed.ends().await;
            }
        }
    }
}

/// Kills on each effect: GitHub did as asked, and nobody heard. Then, if wanted, on each write.
async fn killed_at_each_effect(story: Story, writes_too: bool) {
    let w = story.world().await;
    let undisturbed = Scene::of(&w, |_, _| ()).await;
    story.begins(&undisturbed.emulator);
    let writes = undisturbed.play("undisturbed", &["never"]).await;
    let wanted = picture(&undisturbed.emulator);
    story.happened(&wanted);
    let effects = undisturbed.emulator.mutations();
    assert!(effects.len() > 5 && writes > 5, "{writes} writes, {effects:?}");
    let mut plans: Vec<String> = (1..=effects.len()).map(|it| format!("effect:{it}")).collect();
    if writes_too {
        plans = ["before", "after"]
            .iter()
            .flat_map(|side| (1..=writes).map(move |write| format!("{side}:{write}")))
            .collect();
    }
    for plan in plans {
        let wanted = wanted.clone();
        let same = move |emulator: &Emulator, told: &str| {
            let timeline: Vec<_> =
                emulator.timeline(REPO).iter().map(ToString::to_string).collect();
            assert_eq!(wanted, picture(emulator), "{told}\n{}", timeline.join("\n"));
        };
        let scene = Scene::of(&w, same).await;
        story.begins(&scene.emulator);
        scene.play(&plan, &[&plan, "never"]).await;
    }
}

#[tokio::test]
async fn an_answer_lost_at_any_effect_of_a_round_makes_nothing_twice() {
    an_answer_is_lost_at_each_effect(Story::Reviewed, &[FaultOn::cut_after]).await;
}

#[tokio::test]
async fn an_answer_lost_at_any_effect_of_a_merge_makes_nothing_twice() {
    an_answer_is_lost_at_each_effect(Story::Approved, &[FaultOn::cut_after]).await;
}

#[tokio::test]
async fn an_answer_lost_at_any_effect_of_a_release_makes_nothing_twice() {
    an_answer_is_lost_at_each_effect(Story::Ordered, &[FaultOn::cut_after]).await;
    an_answer_is_lost_at_each_effect(Story::Released, &[FaultOn::cut_after]).await;
}

#[tokio::test]
#[ignore = "a minute: `make crash` runs it"]
async fn a_request_lost_or_refused_at_any_effect_leaves_nothing_out() {
    let wrong: [fn(FaultOn) -> Fault; 2] = [FaultOn::cut_before, |on| on.answers(502)];
    for story in [Story::Reviewed, Story::Approved, Story::Ordered, Story::Released] {
        an_answer_is_lost_at_each_effect(story, &wrong).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_on_any_effect_of_a_round_the_story_ends_the_same() {
    killed_at_each_effect(Story::Reviewed, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_on_any_effect_of_a_merge_the_story_ends_the_same() {
    killed_at_each_effect(Story::Approved, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_on_any_effect_of_a_release_the_story_ends_the_same() {
    killed_at_each_effect(Story::Ordered, false).await;
    killed_at_each_effect(Story::Released, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: `make crash` runs it"]
async fn killed_before_or_after_any_later_write_the_story_ends_the_same() {
    for story in [Story::Reviewed, Story::Approved, Story::Ordered, Story::Released] {
        killed_at_each_effect(story, true).await;
    }
}
