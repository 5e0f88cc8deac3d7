//! From an approved release pull request to a published release, with the workflows that we ship
//! run as real processes.

#![allow(clippy::disallowed_methods)] // its runner is handed the PATH

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use gander::attestation::AttestationBundle;
use gander::core::examples::{ACTION_MISSING, DIGEST_MISSING, Example};
use gander_emulator::{
    Emulator, Foreign, ReleaseView, Requirement, RunReport, Runner, Setup, Verdict,
};

use insta::assert_snapshot;
use tempfile::TempDir;

use crate::packed::{Packed, packed};
use crate::world::{self, REPO, World, good_fix, visible};

/// The commit of the Action that the workflows name.
const ACTION: &str = "6666666666666666666666666666666666666666";
const RULES: &str = "[verify]\ncommands = [\"sh check.sh\"]\n\n[release]\n\
                     build = [\"sh build.sh\"]\nartifacts = [\"dist/*\"]\n";

/// A repository with our workflows, whose runs are real.
pub struct Shop {
    pub w: World,
    runner: Runner,
    folder: TempDir,
    _pack: Arc<Packed>,
}

/// A workflow of ours, its hashes filled in, the download taken from this disk.
fn filled(example: Example, pack: &Packed) -> String {
    let sum = format!("{}\n          url: {}", pack.sha256, pack.url);
    example.text().replace(ACTION_MISSING, ACTION).replace(DIGEST_MISSING, &sum)
}

fn runner(emulator: &Emulator, folder: &Path) -> Runner {
    let text = Example::Release.text();
    let pinned = |foreign: Foreign| {
        let (_, rest) = text.split_once(&format!("{}@", foreign.name())).unwrap();
        (foreign, rest[..40].to_owned())
    };
    let all = [Foreign::Checkout, Foreign::UploadArtifact, Foreign::DownloadArtifact];
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR"));
    let action = include_str!("../../action/action.yml");
    let (_, rest) = action.split_once("actions/attest@").unwrap();
    let signs = (Foreign::Attest, rest[..40].to_owned());
    let uses = format!("gander-app/gander/action@{ACTION}");
    std::fs::create_dir(folder.join("jobs")).unwrap();
    let setup = Setup {
        actions: BTreeMap::from([(uses, checkout.join("action"))]),
        foreign: all.map(pinned).into_iter().chain([signs]).collect(),
        work: folder.join("jobs"),
        path: std::env::var_os("PATH").unwrap(),
        signs_behind: std::time::Duration::from_secs(3600),
        ..Setup::default()
    };
    Runner::new(emulator, setup)
}

impl Shop {
    pub async fn opened() -> Self {
        Self::with(RULES, |_| "sh check.sh\nmkdir dist && cp count.sh dist/\n".to_owned()).await
    }

    /// With these rules, and a build script that may look at a folder of this story.
    pub async fn with(rules: &str, build: impl Fn(&Path) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (pack, build) = (packed(), build(folder.path()));
        let mut files = world::off_by_one();
        files.retain(|(path, _)| *path != ".github/gander.toml");
        let (test, release) = (filled(Example::Test, &pack), filled(Example::Release, &pack));
        files.extend([
            (".github/gander.toml", rules),
            (Example::Test.path(), &test),
            (Example::Release.path(), &release),
            ("build.sh", &build),
            ("VERSION", "1.1.0\n"),
        ]);
        let w = World::beginning_today(world::owned(files)).await;
        let runner = runner(&w.emulator, w.folder());
        runner.hears_pushes();
        w.emulator.require_checks(REPO, "main", &["Test"], Requirement::Protection).unwrap();
        Self { w, runner, folder, _pack: pack }
    }

    /// The world and its workflows come to rest.
    pub async fn settle(&self) -> Vec<RunReport> {
        let mut reports = Vec::new();
        loop {
            self.w.settle().await;
            let ran = self.runner.run_queued().await.unwrap();
            if ran.is_empty() {
                return reports;
            }
            ran.iter().for_each(|report| assert_eq!(report.fault, None));
            reports.extend(ran);
        }
    }

    pub async fn says(&self, number: u64, words: &str) {
        self.w.owner().comments(REPO, number, words).unwrap();
        self.settle().await;
    }

    /// The owner approves the pull request that stands open.
    pub async fn approves(&self) -> Vec<RunReport> {
        let open = self.w.emulator.pulls(REPO).into_iter().find(|pull| pull.state == "open");
        let number = open.unwrap().number;
        self.w.owner().reviews(REPO, number, Verdict::Approves, "").unwrap();
        self.settle().await
    }

    /// An issue, fixed and merged.
    async fn fixed(&self) -> u64 {
        self.w.model.will(good_fix());
        let issue = self.w.reported();
        self.w.maintainer().comments(REPO, issue, "/gander fix").unwrap();
        self.settle().await;
        self.approves().await;
        assert!(self.w.only_pull().merged, "{}", self.w.timeline());
        issue
    }

    /// What somebody sees who downloads a file of a release with what is signed about it, and who
    /// then asks GitHub, too.
    async fn verifies(&self, out: &ReleaseView) -> String {
        let (code, seen) = self.looks_at(out, &["./count.sh", &out.tag]).await;
        assert_eq!(code, 0, "{seen}");
        seen
    }

    async fn looks_at(&self, out: &ReleaseView, what: &[&str]) -> (i32, String) {
        let folder = self.folder.path().join("downloads");
        std::fs::create_dir_all(&folder).unwrap();
        for (name, content) in &out.assets {
            std::fs::write(folder.join(name), content).unwrap();
        }
        let root = folder.join("root.json");
        std::fs::write(&root, self.w.emulator.signing().trusted_root()).unwrap();
        let (web, api) = (self.w.emulator.web_url(), self.w.emulator.api_url());
        let ran = tokio::process::Command::new(env!("CARGO_BIN_EXE_gander"))
            .arg("verify")
            .args(what)
            .args(["--repo", REPO, "--trusted-root", root.to_str().unwrap()])
            .args(["--server", web.as_str(), "--api", api.as_str()])
            .current_dir(&folder)
            .output()
            .await
            .unwrap();
        let seen = String::from_utf8([ran.stdout, ran.stderr].concat()).unwrap();
        let seen = seen.replace(web.as_str().trim_end_matches('/'), "https://github.test");
        (ran.status.code().unwrap(), seen)
    }

    /// What people saw happen since, without the passing states of the status comment, of which
    /// some are skipped where the pace of writing asks for it.
    fn since(&self, before: &str) -> String {
        let timeline = self.w.timeline();
        let web = self.w.emulator.web_url();
        let since = timeline.strip_prefix(before).unwrap();
        let since = since.replace(web.as_str().trim_end_matches('/'), "https://github.test");
        let lasting =
            since.lines().filter(|line| !line.contains(": **") && !line.contains("edited #"));
        unnamed(&lasting.map(|line| format!("{line}\n")).collect::<String>())
    }
}

/// A text without what is another each time: commits, and the time of day.
fn unnamed(text: &str) -> String {
    let is_commit = |word: &str| {
        matches!(word.len(), 12 | 40)
            && word.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let mut words: Vec<String> = Vec::new();
    for word in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let bare = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let name = if is_commit(bare) { "COMMIT" } else { bare };
        words.push(format!("{name}{}", &word[bare.len()..]));
    }
    let text = words.concat();
    match text.rsplit_once(" UTC") {
        Some((before, after)) => format!("{}TIME{after}", &before[..before.len() - "12:00".len()]),
        None => text,
    }
}

#[tokio::test]
#[allow(clippy::too_many_lines)] // long are the texts, as people read them
async fn an_approved_release_is_tested_built_published_and_told() {
    let shop = Shop::opened().await;
    let issue = shop.fixed().await;
    let wish = shop.w.maintainer().opens_issue(REPO, "Next version", "", &[]).unwrap();
    let before = shop.w.timeline();
    shop.says(wish, "/gander release").await;
    let pull = shop.w.emulator.pulls(REPO).pop().unwrap();
    assert_snapshot!(unnamed(&visible(&pull.body)), @"
    Approving `COMMIT` merges it into `main` **and releases v1.1.0**.

    | | |
    |---|---|
    | version | **1.1.0** |
    | why | the first release; the version stands in `VERSION` |
    | last release | none, this is the first |
    | made on | `main` at `COMMIT` |
    | changes | `CHANGELOG.md` |
    | checked | `sh check.sh` passes |

    ## What is in it

    ### Fixed

    - Count is one too low (#1, #2, `@gander[bot]`, written by AI)

    ### Changed

    - Start widgets (`@acme`)

    ---
    <sub>Want another version? `/gander release 1.2.3` (or `major`, `minor`, `patch`). Other words? Edit `CHANGELOG.md` on this branch: no edit is overwritten, and the approval is for what stands there then. Close this to release nothing. Asked for by acme · Gander 0.1.0 · release 7akfi67z2agd</sub>
    ");
    let ran = shop.approves().await;
    assert_snapshot!(shop.since(&before), @"
    acme commented on #3: /gander release
    gander[bot] reacted with eyes to a comment on #3
    gander[bot] created branch gander/release-main-7akfi67z2agd with 1 commit
    gander[bot] opened pull request #4: chore(release): v1.1.0 (gander/release-main-7akfi67z2agd into main)
    gander[bot] labeled #4 gander:release
    gander[bot] commented on #3: @acme #4 would release v1.1.0. Its diff is the plan.
    gander[bot] started workflow Gander test
    github-actions[bot] started check Test
    github-actions[bot] finished check Test: success
    gander[bot] finished workflow Gander test: success
    acme reviewed #4: approved
    gander[bot] merged #4 into main
    gander[bot] pushed 1 commit to main
    gander[bot] dispatched gander-release
    gander[bot] deleted branch gander/release-main-7akfi67z2agd
    gander[bot] started workflow Gander test
    github-actions[bot] started check Test
    github-actions[bot] finished check Test: success
    gander[bot] finished workflow Gander test: success
    gander[bot] started workflow Gander release
    github-actions[bot] started check Test
    github-actions[bot] finished check Test: success
    github-actions[bot] started check Build
    github-actions[bot] finished check Build: success
    github-actions[bot] started check Publish
    github-actions[bot] drafted release v1.1.0
    github-actions[bot] uploaded count.sh to release v1.1.0
    github-actions[bot] uploaded SHA256SUMS to release v1.1.0
    github-actions[bot] uploaded gander-release.sigstore.json to release v1.1.0
    github-actions[bot] created tag v1.1.0
    github-actions[bot] published release v1.1.0
    github-actions[bot] finished check Publish: success
    gander[bot] finished workflow Gander release: success
    gander[bot] commented on #3: @acme Released v1.1.0
    gander[bot] commented on #1: Shipped in [v1.1.0](https://github.test/acme/widgets/releases/tag/v1.1.0).
    ");
    let release = ran.iter().find(|run| run.title == format!("gander release {}.1", pull.number));
    let jobs = release.unwrap().jobs.iter().map(|job| (&*job.id, &*job.conclusion));
    let wanted = ["test", "build", "publish"].map(|job| (job, "success"));
    assert_eq!(jobs.collect::<Vec<_>>(), wanted);

    let [out] = <[_; 1]>::try_from(shop.w.emulator.releases(REPO)).unwrap();
    let main = shop.w.emulator.branches(REPO)["main"].clone();
    assert_eq!(shop.w.emulator.tags(REPO), BTreeMap::from([("v1.1.0".to_owned(), main)]));
    assert!(!out.draft);
    let web = shop.w.emulator.web_url();
    let shown = visible(&out.body);
    assert_snapshot!(shown.replace(web.as_str().trim_end_matches('/'), "https://github.test"), @"
    ### Fixed

    - Count is one too low (#1, #2, `@gander[bot]`, written by AI)

    ### Changed

    - Start widgets (`@acme`)

    ---
    <sub>Check the files: `sha256sum -c SHA256SUMS`. Who approved them: `gander verify FILE --repo acme/widgets --server https://github.test` beside `gander-release.sigstore.json`.</sub>
    ");
    let count = shop.w.emulator.file(REPO, "main", "count.sh").unwrap();
    let asset = out.assets.iter().find(|(name, _)| name == "count.sh");
    assert_eq!(asset.unwrap().1, count, "what was built is what was merged");
    assert_snapshot!(unnamed(&shop.verifies(&out).await), @"
    ./count.sh
      ok    it is count.sh of v1.1.0, as it was built
      ok    signed in acme/widgets, on a machine of GitHub's: https://github.test/acme/widgets/actions/runs/20000000005/attempts/1
      ok    by `.github/workflows/gander-release.yml` as it stood on `main` at `COMMIT`: that file says who may approve
      ok    acme (admin) approved `COMMIT`, the head of #4, whose files were released
      ok    green on it: Test
    v1.1.0
      ok    signed in acme/widgets, on a machine of GitHub's: https://github.test/acme/widgets/actions/runs/20000000005/attempts/1
      ok    by `.github/workflows/gander-release.yml` as it stood on `main` at `COMMIT`: that file says who may approve
      ok    the tag `v1.1.0` stands at `COMMIT`, the merge of #4
      ok    acme (admin) approved `COMMIT`, the head of #4, whose files were released
      ok    green on it: Test
      ok    2 files are there as built
      ok    GitHub shows that approval of acme
    ");
    assert!(shop.w.last_words(issue).starts_with("Shipped in [v1.1.0]("));

    // What GitHub shows no more is no approval, and a file that was exchanged is none of ours.
    let bundle = out.assets.iter().find(|it| it.0 == "gander-release.sigstore.json").unwrap();
    let bundle = AttestationBundle::read(std::str::from_utf8(&bundle.1).unwrap()).unwrap();
    let statement: serde_json::Value = serde_json::from_slice(bundle.statement()).unwrap();
    let review = &statement["predicate"]["approvals"][0]["by"]["review"];
    shop.w.owner().dismisses_review(REPO, review.as_u64().unwrap()).unwrap();
    let (code, seen) = shop.looks_at(&out, &[&out.tag]).await;
    assert_eq!(code, 3);
    assert!(seen.contains("FAIL  GitHub does not show that approval of acme any more"), "{seen}");

    // What is out stays out: it is said how it is withdrawn.
    shop.says(pull.number, "/gander revert").await;
    assert!(shop.w.last_words(pull.number).contains("what is out stays out"));
    shop.says(pull.number, "/gander release yank 1.1.0").await;
    let told = shop.w.last_words(pull.number);
    assert!(told.starts_with("**How to withdraw v1.1.0.**"), "{told}");
    assert!(told.contains("/acme/widgets/releases/edit/v1.1.0"), "{told}");
    shop.w.ends().await;
}

#[tokio::test]
async fn a_failed_run_is_said_and_can_be_taken_up_where_it_stopped() {
    let build = |folder: &Path| {
        let flag = folder.join("the-disk-has-room");
        let flag = flag.display();
        format!(
            "test -e {flag} || {{ echo no room left; exit 7; }}\nmkdir dist && cp count.sh dist/\n"
        )
    };
    let shop = Shop::with(RULES, build).await;
    shop.fixed().await;
    let wish = shop.w.maintainer().opens_issue(REPO, "Next version", "", &[]).unwrap();
    shop.says(wish, "/gander release 2.0.0").await;
    shop.approves().await;
    assert_snapshot!(unnamed(&shop.w.last_words(wish)), @"
    @acme Stopped by a failure: v2.0.0

    ```text
    The release run ended with failure, and v2.0.0 is not out.

    Build failed
    sh build.sh failed: exit code 7
    no room left
    ```

    [The run](https://github.test/acme/widgets/actions/runs/20000000005) says what stopped it. `COMMIT` is merged. When it is mended, `/gander release retry` goes on from there: what is published already is not published twice.
    ");
    assert_eq!(shop.w.emulator.releases(REPO), []);
    assert!(shop.w.emulator.tags(REPO).is_empty());
    shop.says(wish, "/gander release status").await;
    assert_snapshot!(unnamed(&shop.w.last_words(wish)), @"- Stopped by a failure: v2.0.0: The release run ended with failure, and v2.0.0 is not out. · Build failed sh build.sh failed: exit code 7 no room left");

    std::fs::write(shop.folder.path().join("the-disk-has-room"), "").unwrap();
    let before = shop.w.timeline();
    shop.says(wish, "/gander release retry").await;
    assert_snapshot!(shop.since(&before), @"
    acme commented on #3: /gander release retry
    gander[bot] dispatched gander-release
    gander[bot] started workflow Gander release
    github-actions[bot] started check Test
    github-actions[bot] finished check Test: success
    github-actions[bot] started check Build
    github-actions[bot] finished check Build: success
    github-actions[bot] started check Publish
    github-actions[bot] drafted release v2.0.0
    github-actions[bot] uploaded count.sh to release v2.0.0
    github-actions[bot] uploaded SHA256SUMS to release v2.0.0
    github-actions[bot] uploaded gander-release.sigstore.json to release v2.0.0
    github-actions[bot] created tag v2.0.0
    github-actions[bot] published release v2.0.0
    github-actions[bot] finished check Publish: success
    gander[bot] finished workflow Gander release: success
    gander[bot] commented on #3: @acme Released v2.0.0
    gander[bot] commented on #1: Shipped in [v2.0.0](https://github.test/acme/widgets/releases/tag/v2.0.0).
    ");
    assert_eq!(shop.w.emulator.releases(REPO).len(), 1);
    shop.says(wish, "/gander release retry").await;
    assert_snapshot!(shop.w.last_words(wish), @"There is nothing to retry: the last release here did not fail. `/gander release` begins one.");
    shop.says(wish, "/gander release status").await;
    assert_snapshot!(unnamed(&shop.w.last_words(wish)), @"- Released v2.0.0: https://github.test/acme/widgets/releases/tag/v2.0.0");
    shop.w.ends().await;
}

#[tokio::test]
async fn where_the_rules_say_so_a_merge_orders_the_release() {
    let rules = format!("{RULES}on = \"merge\"\n");
    let shop = Shop::with(&rules, |_| "mkdir dist && cp count.sh dist/\n".to_owned()).await;
    shop.w.model.will(good_fix());
    let issue = shop.w.reported();
    shop.w.maintainer().comments(REPO, issue, "/gander fix").unwrap();
    shop.settle().await;
    let before = shop.w.timeline();
    shop.approves().await;
    assert_snapshot!(shop.since(&before), @"
    acme reviewed #2: approved
    gander[bot] merged #2 into main
    gander[bot] closed #1
    gander[bot] pushed 1 commit to main
    gander[bot] deleted branch gander/1-vfuxini2iztf
    gander[bot] created branch gander/release-main-etebsyuzdbwe with 1 commit
    gander[bot] opened pull request #3: chore(release): v1.1.0 (gander/release-main-etebsyuzdbwe into main)
    gander[bot] labeled #3 gander:release
    gander[bot] commented on #2: @mona #3 would release v1.1.0. Its diff is the plan.
    gander[bot] started workflow Gander test
    github-actions[bot] started check Test
    github-actions[bot] finished check Test: success
    gander[bot] finished workflow Gander test: success
    gander[bot] started workflow Gander test
    github-actions[bot] started check Test
    github-actions[bot] finished check Test: success
    gander[bot] finished workflow Gander test: success
    ");
    shop.approves().await;
    assert_eq!(shop.w.emulator.releases(REPO)[0].tag, "v1.1.0");
    assert!(shop.w.last_words(issue).starts_with("Shipped in [v1.1.0]("));
    shop.w.ends().await;
}

/// A long build is no fault; and whatever we thought of a run, what is out is out.
#[tokio::test]
async fn a_run_that_takes_hours_is_followed_and_one_that_ends_after_that_is_still_heard() {
    let shop = Shop::opened().await;
    let issue = shop.fixed().await;
    let wish = shop.w.maintainer().opens_issue(REPO, "Next version", "", &[]).unwrap();
    shop.says(wish, "/gander release").await;
    let pull = shop.w.emulator.pulls(REPO).pop().unwrap();
    shop.w.owner().reviews(REPO, pull.number, Verdict::Approves, "").unwrap();
    let asked = |shop: &Shop| shop.w.emulator.exchanges().len();
    let mut before = asked(&shop);
    for hour in 1..=11 {
        for _ in 0..6 {
            shop.w.settle().await;
            shop.w.minutes_pass(10);
        }
        let said = shop.w.comments(wish)[0].clone();
        assert!(said.starts_with("**Publishing** v1.1.0"), "hour {hour}: {said}");
        let looks = asked(&shop) - before;
        assert!(hour == 1 || looks < 20, "hour {hour}: {looks} requests");
        before = asked(&shop);
    }
    for _ in 0..18 {
        shop.w.settle().await;
        shop.w.minutes_pass(10);
    }
    let said = shop.w.last_words(wish);
    assert!(said.contains("for twelve hours. Gander looks no more, but still hears"), "{said}");
    assert_eq!(shop.w.emulator.releases(REPO), []);
    shop.settle().await;
    assert_eq!(shop.w.emulator.releases(REPO)[0].tag, "v1.1.0");
    assert!(shop.w.comments(wish)[0].starts_with("**Released** v1.1.0"));
    let told = shop.w.last_words(wish);
    assert!(told.starts_with("@acme Released v1.1.0"), "{told}");
    assert!(shop.w.last_words(issue).starts_with("Shipped in [v1.1.0]("));
}
