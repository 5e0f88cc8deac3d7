//! From a comment to a pull request without a server: the workflow that we ship, run as it is
//! written, by real processes.

#![allow(clippy::disallowed_methods)] // its runner is handed the PATH

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gander::core::examples::{ACTION_MISSING, DIGEST_MISSING, Example};
use gander_emulator::{
    Actor, Emulator, Foreign, Options, PullView, RepositorySpec, RunReport, Runner, Setup, Verdict,
};
use insta::assert_snapshot;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::packed::{Packed, packed};
use crate::world::off_by_one;

const REPO: &str = "acme/widgets";
/// The commit of the Action that the workflow names.
const ACTION: &str = "6666666666666666666666666666666666666666";
const KEY: &str = "sk-a-key-that-nobody-may-see";

/// A repository with our workflow in it, and nothing else of ours.
struct Yard {
    emulator: Emulator,
    runner: Runner,
    folder: TempDir,
    _pack: Arc<Packed>,
}

fn call(tool: &str, arguments: Value) -> Value {
    let mut call = arguments;
    call["tool"] = json!(tool);
    json!({ "calls": [call] })
}

fn edit(path: &str, old: &str, new: &str) -> Value {
    call("edit", json!({ "path": path, "old": old, "new": new }))
}

fn finish(summary: &str) -> Value {
    call("finish", json!({ "summary": summary }))
}

fn good_fix() -> Vec<Value> {
    vec![
        edit("count.sh", "$1 - 1", "$1"),
        call("verify", json!({})),
        finish("A leftover `- 1` is gone."),
    ]
}

impl Yard {
    async fn opened() -> Self {
        Self::with(off_by_one(), |text| text, &[]).await
    }

    /// With other files, another workflow, or with runs that give way before these jobs.
    async fn with(
        files: Vec<(&str, &str)>,
        change: impl Fn(String) -> String,
        gives_way: &[&str],
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["github", "jobs"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let root = folder.path().join("github");
        let now = || chrono::Utc::now().timestamp_millis();
        let emulator = Emulator::start(Options { root, clock: Arc::new(now) }).await.unwrap();
        emulator.create_organization("acme");
        for login in ["mona", "hubot", "stranger"] {
            emulator.create_user(login);
        }
        let pack = packed();
        let sum = format!("{}\n          url: {}", pack.sha256, pack.url);
        let script = format!("scripted:{}", folder.path().join("script.json").display());
        let text = Example::Fix.text().replace(ACTION_MISSING, ACTION);
        let text = text.replace(DIGEST_MISSING, &sum).replace("claude-sonnet-4-5", &script);
        let text = change(text);
        let mut files = files;
        files.push((Example::Fix.path(), &text));
        emulator.create_repository(RepositorySpec::new("acme", "widgets", &files)).unwrap();
        emulator.set_permission(REPO, "mona", "maintain").unwrap();
        emulator.set_permission(REPO, "hubot", "write").unwrap();
        let pinned = |foreign: Foreign| {
            let shipped = Example::Fix.text();
            let (_, rest) = shipped.split_once(&format!("{}@", foreign.name())).unwrap();
            (foreign, rest[..40].to_owned())
        };
        let all = [Foreign::UploadArtifact, Foreign::DownloadArtifact];
        let action = include_str!("../../action/action.yml");
        let (_, rest) = action.split_once("actions/attest@").unwrap();
        let signs = (Foreign::Attest, rest[..40].to_owned());
        let root_of_ours = Path::new(env!("CARGO_MANIFEST_DIR"));
        let uses = format!("gander-app/gander/action@{ACTION}");
        let setup = Setup {
            actions: BTreeMap::from([(uses, root_of_ours.join("action"))]),
            foreign: all.map(pinned).into_iter().chain([signs]).collect(),
            work: folder.path().join("jobs"),
            path: std::env::var_os("PATH").unwrap(),
            secrets: BTreeMap::from([("GANDER_MODEL_KEY".to_owned(), KEY.to_owned())]),
            gives_way_before: gives_way.iter().map(|job| (*job).to_owned()).collect(),
            ..Setup::default()
        };
        let runner = Runner::new(&emulator, setup);
        runner.hears_pushes();
        let yard = Self { emulator, runner, folder, _pack: pack };
        yard.model_will(&good_fix());
        yard
    }

    fn model_will(&self, turns: &[Value]) {
        let script = json!({ "attempts": [turns], "rounds": [[turns], [turns]] });
        std::fs::write(self.folder.path().join("script.json"), script.to_string()).unwrap();
    }

    fn person(&self, login: &str) -> Actor {
        self.emulator.person(login)
    }

    fn reported(&self) -> u64 {
        let mona = self.person("mona");
        mona.opens_issue(REPO, "Count is one too low", "`sh count.sh 3` prints 2.", &[]).unwrap()
    }

    /// Somebody comments, and all that follows is done.
    async fn says(&self, login: &str, number: u64, words: &str) -> Vec<RunReport> {
        self.person(login).comments(REPO, number, words).unwrap();
        self.settle().await
    }

    async fn settle(&self) -> Vec<RunReport> {
        let reports = self.runner.run_queued().await.unwrap();
        for report in &reports {
            assert_eq!(report.fault, None);
        }
        reports
    }

    /// The issue, fixed and waiting for a review.
    async fn fixed(&self) -> (u64, PullView) {
        let issue = self.reported();
        let reports = self.says("mona", issue, "/gander fix").await;
        let pull = self.emulator.pulls(REPO).pop();
        let pull = pull.ok_or_else(|| all_logs(&reports)).unwrap();
        (issue, pull)
    }

    fn pull(&self, number: u64) -> PullView {
        self.emulator.pull(REPO, number).unwrap()
    }

    fn comments(&self, number: u64) -> Vec<String> {
        let comments = self.emulator.issue(REPO, number).unwrap().comments;
        comments.into_iter().map(|comment| visible(&comment.body)).collect()
    }

    fn our_branches(&self) -> Vec<String> {
        let all = self.emulator.branches(REPO).into_keys();
        all.filter(|name| name.starts_with("gander/")).collect()
    }

    fn timeline(&self) -> String {
        let entries = self.emulator.timeline(REPO);
        let passing = ["check ", "workflow ", " edited a comment "];
        let said = |text: &str| !passing.iter().any(|words| text.contains(words));
        let lines = entries.into_iter().filter(|entry| said(&entry.to_string()));
        lines.map(|entry| format!("{entry}\n")).collect()
    }
}

impl Drop for Yard {
    /// What was sent is kept, to be held against GitHub's description.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        assert!(self.emulator.unknown_routes().is_empty(), "{:?}", self.emulator.unknown_routes());
        let Some(folder) = std::env::var_os("GANDER_EXCHANGES") else { return };
        let name = self.folder.path().file_name().unwrap().to_string_lossy().into_owned();
        let record = serde_json::to_vec(&self.emulator.record()).unwrap();
        let file = format!("no-server-{}.json", name.trim_start_matches('.'));
        std::fs::write(PathBuf::from(folder).join(file), record).unwrap();
    }
}

/// What people see: no hidden line.
fn visible(body: &str) -> String {
    let shown = body.lines().filter(|line| !line.starts_with("<!-- "));
    shown.collect::<Vec<_>>().join("\n").trim().to_owned()
}

fn all_logs(reports: &[RunReport]) -> String {
    let jobs = reports.iter().flat_map(|report| &report.jobs);
    jobs.map(|job| format!("== {} {}\n{}\n", job.id, job.conclusion, job.log)).collect()
}

fn conclusions(report: &RunReport) -> Vec<(&str, &str)> {
    report.jobs.iter().map(|job| (&*job.id, &*job.conclusion)).collect()
}

#[tokio::test]
async fn a_comment_becomes_a_pull_request_in_one_run_of_the_workflow() {
    let yard = Yard::opened().await;
    let issue = yard.reported();
    let reports = yard.says("mona", issue, "/gander fix").await;
    let [report] = &*reports else { panic!("{}", all_logs(&reports)) };
    let wanted =
        [("decide", "success"), ("stop", "skipped"), ("work", "success"), ("push", "success")];
    assert_eq!(conclusions(report), wanted, "{}", all_logs(&reports));
    let [pull] = &*yard.emulator.pulls(REPO) else { panic!("{}", all_logs(&reports)) };
    assert_eq!(pull.author, "github-actions[bot]");
    assert!(pull.body.contains(&format!("Fixes #{issue}")), "{}", pull.body);
    assert!(!pull.body.contains("merges it"), "{}", pull.body);
    let fixed = yard.emulator.file(REPO, &pull.head_sha, "count.sh").unwrap();
    assert!(String::from_utf8_lossy(&fixed).contains("echo $(( $1 ))"));
    let comments = yard.comments(issue);
    assert!(comments[1].starts_with(&format!("**Ready for review**: #{}", pull.number)));
    assert_snapshot!(yard.timeline(), @r"
    mona opened issue #1: Count is one too low
    mona commented on #1: /gander fix
    github-actions[bot] reacted with eyes to a comment on #1
    github-actions[bot] commented on #1: **Reading** the rules and the code
    github-actions[bot] labeled #1 gander:working
    github-actions[bot] created branch gander/1-vfuxini2iztf with 1 commit
    github-actions[bot] opened pull request #2: fix: Count is one too low (#1) (gander/1-vfuxini2iztf into main)
    github-actions[bot] labeled #2 gander:ai-generated
    github-actions[bot] labeled #2 gander:unproven
    github-actions[bot] unlabeled #1 gander:working
    github-actions[bot] commented on #1: @mona #2 is ready for your review.
    ");
}

#[tokio::test]
async fn rounds_are_runs_of_their_own_by_a_command_or_a_review() {
    let yard = Yard::opened().await;
    let (issue, pull) = yard.fixed().await;
    yard.model_will(&[
        edit("count.sh", "# Prints", "# Says"),
        call("verify", json!({})),
        finish("It says."),
    ]);
    let reports = yard.says("hubot", pull.number, "/gander revise write \"Says\"").await;
    let second = yard.pull(pull.number);
    let text =
        |sha: &str| String::from_utf8(yard.emulator.file(REPO, sha, "count.sh").unwrap()).unwrap();
    assert!(text(&second.head_sha).contains("# Says"), "{}", all_logs(&reports));
    let commit = yard.emulator.commit(REPO, &second.head_sha).unwrap();
    assert_eq!(commit.parents, [pull.head_sha]);

    yard.model_will(&[
        edit("count.sh", "# Says how", "# Tells how"),
        call("verify", json!({})),
        finish("It tells."),
    ]);
    let hubot = yard.person("hubot");
    hubot.reviews(REPO, pull.number, Verdict::RequestsChanges, "Write \"Tells\".").unwrap();
    let reports = yard.settle().await;
    let third = yard.pull(pull.number);
    assert!(text(&third.head_sha).contains("# Tells"), "{}", all_logs(&reports));

    // Merging is people's own affair, also where they approve.
    yard.person("mona").reviews(REPO, pull.number, Verdict::Approves, "").unwrap();
    yard.settle().await;
    assert!(!yard.pull(pull.number).merged);
    yard.person("mona").merges(REPO, pull.number, gander_emulator::MergeMethod::Squash).unwrap();
    let before = yard.emulator.issue(REPO, issue).unwrap().comments.len();
    yard.says("mona", issue, "/gander status").await;
    let comments = yard.comments(issue);
    assert!(comments.len() > before + 1, "{comments:?}");
    assert!(comments[1].contains("Merged"), "{}", comments[1]);
}

#[tokio::test]
async fn a_stranger_starts_nothing_and_is_told_so() {
    let yard = Yard::opened().await;
    let issue = yard.reported();
    let reports = yard.says("stranger", issue, "/gander fix").await;
    let wanted =
        [("decide", "success"), ("stop", "skipped"), ("work", "skipped"), ("push", "skipped")];
    assert_eq!(conclusions(&reports[0]), wanted);
    assert_snapshot!(yard.comments(issue)[1], @"`fix` needs write access to this repository, and you have no access. The rule stands in `.github/gander.toml` under `[trigger]` (default: write). Someone with write access can give the command.");
    // Nor does what is no command, or was said by a program.
    let reports = yard.says("mona", issue, "I like `/gander fix`").await;
    assert_eq!(conclusions(&reports[0])[0], ("decide", "skipped"));
    assert_eq!((yard.emulator.pulls(REPO).len(), yard.our_branches().len()), (0, 0));
}

#[tokio::test]
async fn what_is_cancelled_while_it_is_made_is_not_pushed() {
    let yard = Yard::with(off_by_one(), |text| text, &["push"]).await;
    let issue = yard.reported();
    yard.person("mona").comments(REPO, issue, "/gander fix").unwrap();
    yard.person("hubot").comments(REPO, issue, "/gander cancel").unwrap();
    let reports = yard.settle().await;
    // The cancelling run gave way to nobody, and ended first.
    let wanted =
        [("decide", "success"), ("stop", "success"), ("work", "skipped"), ("push", "success")];
    assert_eq!(conclusions(&reports[0]), wanted, "{}", all_logs(&reports));
    let made = reports[1].job("push").unwrap();
    assert!(made.log.contains("it was stopped meanwhile"), "{}", made.log);
    assert_eq!((yard.emulator.pulls(REPO).len(), yard.our_branches().len()), (0, 0));
    assert_snapshot!(yard.comments(issue)[2].lines().next().unwrap(), @"**Cancelled** by hubot");
    // And the next command begins anew.
    yard.says("mona", issue, "/gander fix").await;
    assert_eq!(yard.emulator.pulls(REPO).len(), 1);
}

#[tokio::test]
async fn an_open_pull_request_is_cancelled_with_its_branch_and_a_second_job_is_refused() {
    let yard = Yard::opened().await;
    let (issue, pull) = yard.fixed().await;
    yard.says("mona", issue, "/gander fix").await;
    assert_snapshot!(yard.comments(issue).pop().unwrap(), @"#2 is open for this issue. Merge or close it first, or say there what is to be different: `/gander revise`. Nothing was changed.");
    yard.says("mona", issue, "/gander release").await;
    assert_snapshot!(yard.comments(issue).pop().unwrap(), @"`/gander release` does not exist here: Gander works without a server in this repository, and people merge and release. Nothing was changed. `docs/no-server.md` of Gander lists what there is.");
    yard.says("mona", pull.number, "/gander cancel").await;
    assert_eq!(yard.pull(pull.number).state, "closed");
    assert!(yard.our_branches().is_empty());
}

#[tokio::test]
async fn what_would_run_with_secrets_waits_for_a_word_and_is_kept_until_then() {
    let mut files = off_by_one();
    let deploys = "on: push\njobs:\n  deploy:\n    runs-on: ubuntu-24.04\n    steps:\n      \
                   - run: ./deploy\n        env:\n          KEY: ${{ secrets.DEPLOY }}\n";
    files.push((".github/workflows/deploy.yml", deploys));
    let yard = Yard::with(files, |text| text, &[]).await;
    let issue = yard.reported();
    yard.says("mona", issue, "/gander fix").await;
    assert_eq!((yard.emulator.pulls(REPO).len(), yard.our_branches().len()), (0, 0));
    let held = yard.comments(issue).pop().unwrap();
    assert!(held.contains("deploy.yml") && held.contains("/gander go"), "{held}");
    let reports = yard.says("hubot", issue, "/gander go").await;
    let ran = reports.iter().find(|it| it.title.starts_with("gander on")).unwrap();
    let wanted =
        [("decide", "success"), ("stop", "skipped"), ("work", "skipped"), ("push", "success")];
    assert_eq!(conclusions(ran), wanted, "{}", all_logs(&reports));
    let [pull] = &*yard.emulator.pulls(REPO) else { panic!("{}", all_logs(&reports)) };
    let fixed = yard.emulator.file(REPO, &pull.head_sha, "count.sh").unwrap();
    assert!(String::from_utf8_lossy(&fixed).contains("echo $(( $1 ))"));
}

#[tokio::test]
async fn state_that_others_wrote_is_none() {
    let yard = Yard::opened().await;
    let (issue, pull) = yard.fixed().await;
    let status = yard.emulator.issue(REPO, issue).unwrap().comments.swap_remove(1);
    assert_eq!(status.author, "github-actions[bot]");
    // Somebody who may write edits it: only a space, and it is not ours any more.
    let edited = status.body.replacen('\n', " \n", 1);
    yard.person("hubot").edits_comment(REPO, status.id, &edited).unwrap();
    // And somebody who may not says the same.
    yard.person("stranger").comments(REPO, issue, &status.body).unwrap();
    yard.settle().await;
    yard.says("mona", pull.number, "/gander revise say it better").await;
    assert_snapshot!(yard.comments(pull.number).pop().unwrap(), @"Gander does not know this pull request any more: its status comment on #1 was deleted, or edited by somebody else, and then it does not count. Go on by hand, or close this and comment `/gander fix` on #1. Nothing was changed.");
    assert_eq!(yard.pull(pull.number).head_sha, pull.head_sha);
}

#[tokio::test]
async fn what_was_changed_between_two_jobs_is_not_pushed() {
    let tampered =
        "      - name: Tamper\n        run: echo ' ' >> \"$RUNNER_TEMP/gander/handover.json\"\n";
    let yard = Yard::with(
        off_by_one(),
        |text| {
            let (before, after) = text.rsplit_once("      - name: Hand over\n").unwrap();
            format!("{before}{tampered}      - name: Hand over\n{after}")
        },
        &[],
    )
    .await;
    let issue = yard.reported();
    let reports = yard.says("mona", issue, "/gander fix").await;
    let push = reports[0].job("push").unwrap();
    assert_eq!(push.conclusion, "failure");
    assert!(push.log.contains("somebody changed it in between"), "{}", push.log);
    assert_eq!((yard.emulator.pulls(REPO).len(), yard.our_branches().len()), (0, 0));
}

#[tokio::test]
async fn work_that_ends_early_is_told_and_can_be_begun_again() {
    let yard = Yard::with(
        off_by_one(),
        |text| {
            let broken = "      - name: Break\n        run: exit 1\n";
            let mark = "      # Set up here the toolchains that your checks need.\n";
            text.replace(mark, &format!("{mark}{broken}"))
        },
        &[],
    )
    .await;
    let issue = yard.reported();
    let reports = yard.says("mona", issue, "/gander fix").await;
    let wanted =
        [("decide", "success"), ("stop", "skipped"), ("work", "failure"), ("push", "success")];
    assert_eq!(conclusions(&reports[0]), wanted, "{}", all_logs(&reports));
    let status = &yard.comments(issue)[1];
    assert!(status.contains("ended before its work was done"), "{status}");
    yard.says("mona", issue, "/gander status").await;
    assert_snapshot!(yard.comments(issue).pop().unwrap(), @"- Stopped by a failure · $0.00 of $3.00");
}

#[tokio::test]
async fn commands_see_neither_key_nor_token_and_only_one_step_has_the_key() {
    // Looks where a secret could be found, and fails when it finds one.
    let check = "#!/bin/sh\nfind_it() { env; cat /proc/*/environ /proc/*/cmdline 2>/dev/null; }\n\
                 if find_it | grep -aq -e '[G]ANDER_INPUT' -e '[s]k-a-key' -e '[g]hs_'; then echo SEEN; exit 1; fi\n\
                 got=$(sh count.sh 3)\n[ \"$got\" = 3 ] || { echo \"FAIL: $got\"; exit 1; }\necho ok\n";
    let mut files = off_by_one();
    files.retain(|(path, _)| *path != "check.sh");
    files.push(("check.sh", check));
    let yard = Yard::with(files, |text| text, &[]).await;
    let (_, pull) = yard.fixed().await;
    assert!(pull.body.contains("sh check.sh"), "{}", pull.body);
    let text = Example::Fix.text();
    let (before, _) = text.split_once("secrets.").unwrap();
    assert_eq!(text.matches("secrets.").count(), 1);
    assert_eq!(before.rsplit("mode: ").next().unwrap().lines().next(), Some("work"));
    // Nor does what one job leaves for the next hold it.
    for path in crate::world::files_below(yard.folder.path()) {
        let content = std::fs::read(&path).unwrap_or_default();
        let seen = content.windows(KEY.len()).any(|bytes| bytes == KEY.as_bytes());
        assert!(!seen, "{}", path.display());
    }
    let rights = |job: &str| -> BTreeSet<&str> {
        let (_, job) = text.split_once(&format!("\n  {job}:\n")).unwrap();
        let (_, rights) = job.split_once("    permissions:\n").unwrap();
        let lines = rights.lines().take_while(|line| line.starts_with("      "));
        lines.map(|line| line.split('#').next().unwrap().trim()).collect()
    };
    assert_eq!(rights("work"), BTreeSet::from(["contents: read"]));
    assert!(!rights("decide").contains("contents: write"));
    assert!(rights("push").contains("contents: write"));
}

#[tokio::test]
async fn the_rules_of_a_fork_do_not_count() {
    let yard = Yard::opened().await;
    yard.emulator.fork(REPO, "stranger").unwrap();
    let stranger = yard.person("stranger");
    // Rules that would let anything through.
    let rules = "[verify]\ncommands = [\"true\"]\n\n[trigger]\nrole = \"read\"\n";
    let files = [(".github/gander.toml", Some(rules)), ("NOTES.md", Some("none\n"))];
    stranger.pushes("stranger/widgets", "theirs", "Loosen", &files).unwrap();
    let pull = stranger.opens_pull(REPO, "Loosen", "Mine.", "stranger:theirs", "main").unwrap();
    let reports = yard.says("stranger", pull, "/gander fix").await;
    assert_eq!(conclusions(&reports[0])[2], ("work", "skipped"), "{}", all_logs(&reports));
    let before = yard.emulator.branches("stranger/widgets");
    let reports = yard.says("mona", pull, "/gander fix count right").await;
    assert_eq!(yard.emulator.branches("stranger/widgets"), before);
    let shown = yard.comments(pull).join("\n\n");
    assert!(shown.contains("comes from stranger/widgets, where Gander may not write"), "{shown}");
    // The check of the default branch ran, not `true`.
    let work = reports[0].job("work").unwrap();
    assert!(work.summary.contains("sh check.sh"), "{}\n{}", work.summary, work.log);
    assert!(!work.summary.contains("true"), "{}", work.summary);
}

#[test]
fn ganders_own_workflow_is_the_example_with_what_its_checks_need() {
    let own = include_str!("../../.github/workflows/gander-fix.yml");
    let jobs = |text: &str| text.split_once("\nname: Gander fix\n").unwrap().1.to_owned();
    let (before, set_up) = own.split_once("      - name: Set up\n").unwrap();
    let (_, after) = set_up.split_once("      - name: Work\n").unwrap();
    let mark = "      # Set up here the toolchains that your checks need.\n";
    let own = format!("{before}{mark}      - name: Work\n{after}");
    assert_eq!(jobs(&own), jobs(Example::Fix.text()));
}
