//! A release is ordered, proposed, kept up to date, edited by people, approved and merged.

use gander_emulator::{CheckOutcome, Demand, Fault, MergeMethod, PullView, Requirement, Verdict};

use crate::world::{REPO, World};

const MANIFEST: &str =
    "[package]\nname = \"widgets\" # ours\nversion = \"1.1.0\"\nedition = \"2024\"\n";

/// What these stories tell of comes after the project's own checks.
pub const QUICK: &str = "[verify]\ncommands = [\"test -e Cargo.toml\"]\n";

fn project() -> Vec<(&'static str, &'static str)> {
    vec![
        ("README.md", "# Widgets\n"),
        ("Cargo.toml", MANIFEST),
        ("src/lib.rs", ""),
        (".github/gander.toml", QUICK),
    ]
}

impl World {
    pub async fn owner_says(&self, number: u64, words: &str) {
        self.owner().comments(REPO, number, words).unwrap();
        self.settle().await;
    }

    pub async fn pushed(
        &self,
        branch: &str,
        message: &str,
        files: &[(&str, Option<&str>)],
    ) -> String {
        let sha = self.maintainer().pushes(REPO, branch, message, files).unwrap();
        self.settle().await;
        sha
    }

    fn text(&self, rev: &str, path: &str) -> String {
        let bytes = self.emulator.file(REPO, rev, path);
        String::from_utf8(bytes.unwrap_or_else(|| panic!("no {path} at {rev}"))).unwrap()
    }
}

pub async fn proposed() -> (World, u64, PullView) {
    let w = World::with_project(project()).await;
    let issue = w.maintainer().opens_issue(REPO, "Next version", "", &[]).unwrap();
    w.pushed("main", "feat: paging", &[("src/lib.rs", Some("// paging\n"))]).await;
    w.owner_says(issue, "/gander release 1.2.0").await;
    let pull = w.only_pull();
    (w, issue, pull)
}

#[tokio::test]
async fn an_order_opens_a_pull_request_whose_diff_is_the_plan() {
    let (w, issue, pull) = proposed().await;
    assert_eq!(pull.title, "chore(release): v1.2.0");
    let first = pull.body.lines().next().unwrap();
    let head = &pull.head_sha;
    assert_eq!(
        first,
        format!("Approving `{}` merges it into `main` **and releases v1.2.0**.", &head[..12])
    );
    assert_eq!(w.text(head, "Cargo.toml"), MANIFEST.replace("1.1.0", "1.2.0"));
    let log = w.text(head, "CHANGELOG.md");
    assert!(
        log.starts_with("# Changelog\n\n## 1.2.0 (2026-01-05)\n\n### Added\n\n- paging"),
        "{log}"
    );
    assert_eq!(w.text(head, "src/lib.rs"), "// paging\n");
    let said = w.comments(issue);
    assert!(said[0].contains(&format!("**Ready for approval**: v1.2.0 in #{}", pull.number)));
    assert!(said.iter().any(|text| text.starts_with("@acme ")), "{said:?}");
    w.owner().closes(REPO, pull.number).unwrap();
    w.settle().await;
    assert!(w.comments(issue)[0].contains("v1.2.0 is not released"), "{:?}", w.comments(issue));
    w.ends().await;
}

#[tokio::test]
async fn a_workspace_is_released_as_a_tree_that_builds_and_what_stays_behind_is_named() {
    let member = "[package]\nname = \"widgets-core\"\nversion = \"1.1.0\"\n";
    let root = "[workspace]\nmembers = [\"core\", \"cli\"]\n[workspace.dependencies]\nwidgets-core = { path = \"core\", version = \"1\" }\n";
    let cli = "[package]\nname = \"widgets-cli\"\nversion = \"1.1.0\"\n[dependencies]\nwidgets-core.workspace = true\n";
    let lock = "version = 4\n\n[[package]]\nname = \"widgets-cli\"\nversion = \"1.1.0\"\ndependencies = [\n \"widgets-core\",\n]\n\n[[package]]\nname = \"widgets-core\"\nversion = \"1.1.0\"\n";
    let files = vec![
        ("README.md", "# Widgets\n\nThe present version is 1.1.0.\n"),
        ("Cargo.toml", root),
        ("Cargo.lock", lock),
        ("core/Cargo.toml", member),
        ("core/src/lib.rs", ""),
        ("cli/Cargo.toml", cli),
        ("cli/src/main.rs", "fn main() {}\n"),
    ];
    let w = World::with_project(files).await;
    let issue = w.maintainer().opens_issue(REPO, "Next version", "", &[]).unwrap();
    w.owner_says(issue, "/gander release 2.0.0").await;
    let pull = w.only_pull();
    let left = "> - `README.md` says 1.1.0 too, in line 3\n";
    assert!(pull.body.contains(left), "{}", pull.body);
    let head = &pull.head_sha;
    assert_eq!(w.text(head, "Cargo.toml"), root.replace("\"1\"", "\"2\""));
    assert_eq!(w.text(head, "cli/Cargo.toml"), cli.replace("1.1.0", "2.0.0"));
    assert_eq!(w.text(head, "Cargo.lock"), lock.replace("1.1.0", "2.0.0"));
    w.owner().closes(REPO, pull.number).unwrap();
    w.settle().await;
    w.ends().await;
}

#[tokio::test]
async fn where_another_tool_makes_releases_it_is_named_and_left_to_it() {
    let with = |rules: &'static str| {
        let config = (".changeset/config.json", "{}\n");
        let files = [project(), vec![config, (".github/gander.toml", rules)]].concat();
        World::with_project(files)
    };
    let asked = async |w: &World| {
        let issue = w.maintainer().opens_issue(REPO, "Next version", "", &[]).unwrap();
        w.owner_says(issue, "/gander release 1.2.0").await;
        w.last_words(issue)
    };
    // Nobody said which: two would get into each other's way.
    let w = with("").await;
    insta::assert_snapshot!(asked(&w).await, @r#"
    @acme Not released

    This repository has changesets set up (`.changeset/config.json`), which keeps a release pull request open and releases when that is merged. Two that make releases would get into each other's way, so nothing was changed. Say which in `.github/gander.toml`: `[release] with = "existing"` leaves releases to it, and `with = "own"` has Gander make them. Then comment `/gander release` again.
    "#);
    w.nothing_was_published();
    w.ends().await;

    let w = with("[release]\nwith = \"existing\"\n").await;
    assert!(asked(&w).await.contains("None of its pull requests is open"));
    let files = [("CHANGELOG.md", Some("## 1.2.0\n"))];
    w.pushed("changeset-release/main", "Version packages", &files).await;
    let (title, from) = ("Version packages", "changeset-release/main");
    let pull = w.maintainer().opens_pull(REPO, title, "", from, "main").unwrap();
    let said = asked(&w).await;
    assert!(said.contains(&format!("Its release pull request is #{pull}: review")), "{said}");
    assert_eq!(w.emulator.pulls(REPO).len(), 1);
    w.ends().await;

    let w = with("[release]\nwith = \"own\"\n").await;
    asked(&w).await;
    assert_eq!(w.only_pull().title, "chore(release): v1.2.0");
    w.ends().await;
}

#[tokio::test]
async fn who_may_not_approve_orders_no_release_and_a_bad_word_changes_nothing() {
    let w = World::with_project(project()).await;
    let issue = w.maintainer().opens_issue(REPO, "Next version", "", &[]).unwrap();
    w.says(issue, "/gander release").await;
    assert!(
        w.last_words(issue).contains("`release` needs maintain access"),
        "{}",
        w.last_words(issue)
    );
    w.owner_says(issue, "/gander release now").await;
    assert!(w.last_words(issue).contains("major, minor, patch"), "{}", w.last_words(issue));
    w.owner_says(issue, "/gander release retry").await;
    assert!(w.last_words(issue).contains("nothing to retry"), "{}", w.last_words(issue));
    w.nothing_was_published();
    w.ends().await;
}

#[tokio::test]
async fn a_second_order_and_a_moved_base_update_the_one_pull_request() {
    let (w, issue, first) = proposed().await;
    w.owner_says(issue, "/gander release 2.0.0").await;
    let second = w.only_pull();
    assert_eq!((second.number, second.title.as_str()), (first.number, "chore(release): v2.0.0"));
    assert_eq!(w.emulator.commit(REPO, &second.head_sha).unwrap().parents, [first.head_sha]);
    let base = w.pushed("main", "fix: the crash", &[("src/lib.rs", Some("// mended\n"))]).await;
    let third = w.only_pull();
    let parents = w.emulator.commit(REPO, &third.head_sha).unwrap().parents;
    assert_eq!(parents, [second.head_sha, base]);
    let log = w.text(&third.head_sha, "CHANGELOG.md");
    assert!(log.contains("### Fixed\n\n- the crash"), "{log}");
    assert_eq!(w.text(&third.head_sha, "src/lib.rs"), "// mended\n");
    w.owner().closes(REPO, third.number).unwrap();
    w.settle().await;
    w.ends().await;
}

#[tokio::test]
async fn what_people_edit_stays_and_names_the_version() {
    let (w, issue, pull) = proposed().await;
    let log = w.text(&pull.head_sha, "CHANGELOG.md").replace("1.2.0", "1.3.0");
    let edit = [("CHANGELOG.md", Some(log.as_str()))];
    let edited = w.pushed(&pull.head_branch, "Rather 1.3.0", &edit).await;
    assert_eq!(w.only_pull().title, "chore(release): v1.3.0");
    let base = w.pushed("main", "fix: the crash", &[("src/lib.rs", Some("// mended\n"))]).await;
    let head = w.only_pull().head_sha;
    assert_eq!(w.emulator.commit(REPO, &head).unwrap().parents, [edited, base]);
    assert_eq!(w.text(&head, "CHANGELOG.md"), log, "the edit stays");
    w.owner_says(issue, "/gander release 4.0.0").await;
    assert!(w.last_words(issue).contains("edits of people"), "{}", w.last_words(issue));
    assert_eq!(w.only_pull().head_sha, head);
    w.owner().closes(REPO, pull.number).unwrap();
    w.settle().await;
    w.ends().await;
}

#[tokio::test]
async fn approving_the_head_merges_exactly_its_tree() {
    let (w, issue, pull) = proposed().await;
    w.maintainer().reviews(REPO, pull.number, Verdict::Approves, "").unwrap();
    w.settle().await;
    assert!(!w.only_pull().merged, "write access is not enough");
    assert!(w.comments(issue)[0].contains("maintain access is needed"), "{:?}", w.comments(issue));
    w.owner().reviews(REPO, pull.number, Verdict::Approves, "").unwrap();
    w.until("it is merged", |w| w.only_pull().merged).await;
    let files = w.emulator.files(REPO, "main");
    assert_eq!(files, w.emulator.files(REPO, &pull.head_sha));
    for file in files {
        assert_eq!(w.text("main", &file), w.text(&pull.head_sha, &file));
    }
}

#[tokio::test]
async fn a_release_waits_until_its_checks_have_ended_and_stops_at_a_red_one() {
    let (w, issue, pull) = proposed().await;
    w.app_says("ci", &pull.head_sha, "unit", CheckOutcome::InProgress);
    w.owner().reviews(REPO, pull.number, Verdict::Approves, "").unwrap();
    w.settle().await;
    assert!(!w.only_pull().merged, "unit has not ended");
    assert!(w.comments(issue)[0].contains("it waits for unit"), "{:?}", w.comments(issue));
    w.ci_says(&pull.head_sha, "unit", "failure");
    w.settle().await;
    assert!(!w.only_pull().merged, "unit is red");
    assert!(w.comments(issue)[0].contains("the check unit is red"), "{:?}", w.comments(issue));
    w.ci_says(&pull.head_sha, "unit", "success");
    w.until("it is merged", |w| w.only_pull().merged).await;
}

/// A required name may be anybody's: then nobody's run of it may be red.
#[tokio::test]
async fn a_release_stops_at_a_required_name_that_is_green_and_red() {
    let mut files = project();
    files.push((".github/gander.toml", "[checks]\nrequired = [\"unit\"]\n"));
    let w = World::with_project(files).await;
    let issue = w.maintainer().opens_issue(REPO, "Next version", "", &[]).unwrap();
    w.owner_says(issue, "/gander release 1.2.0").await;
    let pull = w.only_pull();
    w.ci_says(&pull.head_sha, "unit", "success");
    w.app_says("lint", &pull.head_sha, "unit", CheckOutcome::Completed("failure"));
    w.owner().reviews(REPO, pull.number, Verdict::Approves, "").unwrap();
    w.settle().await;
    assert!(!w.only_pull().merged);
    assert!(w.comments(issue)[0].contains("the check unit is red"), "{:?}", w.comments(issue));
    w.app_says("lint", &pull.head_sha, "unit", CheckOutcome::Completed("skipped"));
    w.settle().await;
    w.until("it is merged", |w| w.only_pull().merged).await;
}

#[tokio::test]
async fn a_release_that_touches_github_or_carries_the_skip_label_is_not_merged() {
    let (w, issue, pull) = proposed().await;
    let workflow = [(".github/workflows/release.yml", Some("on: push\njobs: {}\n"))];
    w.pushed(&pull.head_branch, "Rather so", &workflow).await;
    let before = w.owner().reviews(REPO, pull.number, Verdict::Approves, "").unwrap();
    w.settle().await;
    assert!(!w.only_pull().merged);
    let said = w.comments(issue)[0].clone();
    assert!(said.contains("leaves everything in .github alone"), "{said}");
    w.pushed(&pull.head_branch, "Or not", &[(".github/workflows/release.yml", None)]).await;
    w.maintainer().labels(REPO, pull.number, "gander:skip").unwrap();
    let then = w.owner().reviews(REPO, pull.number, Verdict::Approves, "").unwrap();
    w.settle().await;
    assert!(!w.only_pull().merged);
    let said = w.comments(issue)[0].clone();
    assert!(said.contains("the label gander:skip"), "{said}");
    assert!(!said.contains("GitHub does not merge"), "{said}");
    for review in [before, then] {
        w.owner().dismisses_review(REPO, review).unwrap();
    }
    w.maintainer().unlabels(REPO, pull.number, "gander:skip").unwrap();
    w.settle().await;
    let said = w.comments(issue)[0].clone();
    assert!(said.starts_with("**Ready for approval**") && !said.contains("gander:skip"), "{said}");
    w.owner().closes(REPO, pull.number).unwrap();
    w.settle().await;
    w.ends().await;
}

/// Whoever wrote some of it is not the other pair of eyes; the Action would say so after the merge.
#[tokio::test]
async fn whoever_edited_a_release_does_not_approve_it_alone() {
    let mut files = project();
    files.push((".github/gander.toml", "[approval]\nrequester = \"never\"\n"));
    let w = World::with_project(files).await;
    let issue = w.maintainer().opens_issue(REPO, "Next version", "", &[]).unwrap();
    w.owner_says(issue, "/gander release 1.2.0").await;
    let pull = w.only_pull();
    w.emulator.set_permission(REPO, "mona", "maintain").unwrap();
    let log = w.text(&pull.head_sha, "CHANGELOG.md").replace("1.2.0", "1.3.0");
    w.pushed(&pull.head_branch, "Rather 1.3.0", &[("CHANGELOG.md", Some(&log))]).await;
    w.maintainer().reviews(REPO, pull.number, Verdict::Approves, "").unwrap();
    w.settle().await;
    assert!(!w.only_pull().merged, "{:?}", w.comments(issue));
    assert!(w.comments(issue)[0].contains("mona"), "{:?}", w.comments(issue));
    w.owner().closes(REPO, pull.number).unwrap();
    w.settle().await;
    w.ends().await;
}

/// The version people gave it is the one that is out in the end, whatever we had planned.
#[tokio::test]
async fn a_release_edited_and_merged_before_we_looked_has_the_version_of_the_edit() {
    let (w, issue, pull) = proposed().await;
    let log = w.text(&pull.head_sha, "CHANGELOG.md").replace("1.2.0", "1.3.0");
    let edit = [("CHANGELOG.md", Some(log.as_str()))];
    w.maintainer().pushes(REPO, &pull.head_branch, "Rather 1.3.0", &edit).unwrap();
    w.owner().merges(REPO, pull.number, MergeMethod::Squash).unwrap();
    w.settle().await;
    let said = w.comments(issue)[0].clone();
    assert!(said.contains("v1.3.0") && !said.contains("v1.2.0"), "{said}");
}

/// Where GitHub failed us for too long, a person's merge takes the release up again.
#[tokio::test]
async fn a_failed_release_that_people_merge_goes_on() {
    let (w, issue, pull) = proposed().await;
    let fault = Fault::on("PUT", "/repos/*/*/pulls/*/merge").answers(500);
    let fault = w.emulator.plan(fault);
    w.owner().reviews(REPO, pull.number, Verdict::Approves, "").unwrap();
    for _ in 0..8 {
        w.settle().await;
        w.minutes_pass(10);
    }
    assert!(w.comments(issue)[0].contains("Stopped by a failure"), "{:?}", w.comments(issue));
    w.emulator.cancel(fault);
    w.owner().merges(REPO, pull.number, MergeMethod::Squash).unwrap();
    w.settle().await;
    let dispatches = w.timeline().matches("dispatched gander-release").count();
    assert_eq!(dispatches, 1, "{}", w.timeline());
}

fn merges_asked(w: &World) -> usize {
    let puts = w.emulator.exchanges().into_iter().filter(|it| it.method == "PUT");
    puts.filter(|it| it.path.ends_with("/merge")).count()
}

/// Asking again and again would use up our writes, and nobody would hear of anything new.
#[tokio::test]
async fn what_github_refuses_of_a_release_is_asked_again_only_when_something_is_new() {
    let (w, issue, pull) = proposed().await;
    let deployed = Demand::Deployments(&["staging"]);
    w.emulator.demand(REPO, "main", deployed, Requirement::Protection).unwrap();
    w.owner().reviews(REPO, pull.number, Verdict::Approves, "").unwrap();
    w.settle().await;
    let said = w.comments(issue)[0].clone();
    assert!(said.contains("Missing successful active staging deployment"), "{said}");
    let writes = w.emulator.mutations().len();
    for _ in 0..5 {
        w.minutes_pass(6);
        w.settle().await;
    }
    assert_eq!((merges_asked(&w), w.emulator.mutations().len()), (1, writes), "{}", w.timeline());
    w.emulator.demand_nothing(REPO, "main").unwrap();
    w.owner().reviews(REPO, pull.number, Verdict::Approves, "").unwrap();
    w.until("it is merged", |w| w.only_pull().merged).await;
}

/// The Action that publishes knows no App by name: what it would not count does not merge either.
#[tokio::test]
async fn a_release_is_approved_by_the_prefix_and_not_by_the_apps_name() {
    let (w, _, pull) = proposed().await;
    let head = &pull.head_sha[..12];
    w.owner_says(pull.number, &format!("@gander approve {head}")).await;
    assert!(!w.only_pull().merged);
    let said = w.last_words(pull.number);
    assert!(said.contains(&format!("/gander approve {head}")), "{said}");
    w.owner().comments(REPO, pull.number, &format!("/gander approve {head}")).unwrap();
    w.until("it is merged", |w| w.only_pull().merged).await;
}

/// GitHub refuses to make a branch that another try of ours has made, and is tried again: whoever
/// reads the end of it reads what GitHub said.
#[tokio::test]
async fn a_release_whose_branch_github_refuses_is_tried_again_and_ends_with_githubs_own_words() {
    let w = World::with_project(project()).await;
    let issue = w.maintainer().opens_issue(REPO, "Next version", "", &[]).unwrap();
    let refused = Fault::on("POST", "/repos/*/*/git/refs").answers(422);
    let words = serde_json::json!({ "message": "Reference already exists" });
    let fault = w.emulator.plan(refused.with_body(words));
    w.owner_says(issue, "/gander release 1.2.0").await;
    assert!(w.emulator.fault_hits(fault) > 1, "it is tried again");
    let said = w.comments(issue)[0].clone();
    assert!(said.contains("the branch may have changed meanwhile"), "{said}");
    assert!(said.contains("making the branch: Reference already exists"), "{said}");
}

/// Between branch and pull request there is a moment in which people can push.
#[tokio::test]
async fn a_push_before_the_release_pull_request_is_open_is_an_edit_of_it() {
    let w = World::with_project(project()).await;
    let issue = w.maintainer().opens_issue(REPO, "Next version", "", &[]).unwrap();
    let fault = w.emulator.plan(Fault::on("POST", "/repos/*/*/pulls").answers(502));
    w.owner().comments(REPO, issue, "/gander release 1.2.0").unwrap();
    w.until("the branch stands", |w| w.emulator.fault_hits(fault) > 0).await;
    w.emulator.cancel(fault);
    let branch = w.our_branches().remove(0);
    let log = w.text(&branch, "CHANGELOG.md").replace("1.2.0", "1.3.0");
    let edited =
        w.maintainer().pushes(REPO, &branch, "Rather 1.3.0", &[("CHANGELOG.md", Some(&log))]);
    w.minutes_pass(1);
    w.settle().await;
    let pull = w.only_pull();
    assert_eq!((pull.title.as_str(), &pull.head_sha), ("chore(release): v1.3.0", &edited.unwrap()));
    assert!(pull.body.contains("People have committed to this branch"), "{}", pull.body);
    w.owner().closes(REPO, pull.number).unwrap();
    w.settle().await;
    w.ends().await;
}

#[tokio::test]
async fn where_merging_takes_a_command_or_is_left_to_people_a_review_is_told_so() {
    for (on, first, told) in [
        ("command", "Commenting `/gander approve ", "merges on a command: `/gander approve "),
        ("never", "Merging `", "leaves the merge button to people"),
    ] {
        let mut files = project();
        let rules = format!("[merge]\non = \"{on}\"\n");
        files.push((".github/gander.toml", &rules));
        let w = World::with_project(files).await;
        let issue = w.maintainer().opens_issue(REPO, "Next version", "", &[]).unwrap();
        w.owner_says(issue, "/gander release 1.2.0").await;
        let pull = w.only_pull();
        assert!(pull.body.starts_with(first), "{}", pull.body);
        w.owner().reviews(REPO, pull.number, Verdict::Approves, "").unwrap();
        w.settle().await;
        assert!(!w.only_pull().merged);
        assert!(w.comments(issue)[0].contains(told), "{}", w.comments(issue)[0]);
        w.owner().closes(REPO, pull.number).unwrap();
        w.settle().await;
        w.ends().await;
    }
}
