//! Packages of one repository with versions of their own: each is released by itself.

use gander_emulator::PullView;

use crate::release_published::Shop;
use crate::world::{REPO, World, edit, finish, verify};

const RULES: &str = "[verify]\ncommands = [\"test -e build.sh\"]\n[release]\nbuild = [\"true\"]\nartifacts = []\n\
    [[release.packages]]\nname = \"core\"\npath = \"core\"\n\
    [[release.packages]]\nname = \"cli\"\npath = \"cli\"\ntag = \"cli/v{version}\"\n";

const WORKSPACE: &str = "[workspace]\nmembers = [\"core\", \"cli\"]\n";
const CORE: &str = "[package]\nname = \"core\"\nversion = \"1.1.0\"\n";
const CLI: &str = "[package]\nname = \"cli\"\nversion = \"0.3.0\"\n[dependencies]\ncore = { path = \"../core\", version = \"1.1\" }\n";

/// `core` is at 1.1.0 and `cli` at 0.3.0; both are tagged.
async fn monorepo() -> (World, u64) {
    monorepo_with(RULES).await
}

async fn monorepo_with(rules: &str) -> (World, u64) {
    let files = vec![
        (".github/gander.toml", rules),
        ("build.sh", "exit 0\n"),
        ("Cargo.toml", WORKSPACE),
        ("core/Cargo.toml", CORE),
        ("core/src/lib.rs", ""),
        ("cli/Cargo.toml", CLI),
        ("cli/src/main.rs", "fn main() {}\n"),
    ];
    let w = World::with_project(files).await;
    let base = w.emulator.branches(REPO)["main"].clone();
    w.maintainer().tags(REPO, "core-v1.1.0", &base).unwrap();
    w.maintainer().tags(REPO, "cli/v0.3.0", &base).unwrap();
    let issue = w.maintainer().opens_issue(REPO, "Next versions", "", &[]).unwrap();
    w.pushed("main", "feat: paging", &[("core/src/lib.rs", Some("// paging\n"))]).await;
    w.pushed("main", "fix: colours", &[("cli/src/main.rs", Some("fn main() {} // red\n"))]).await;
    (w, issue)
}

fn of<'a>(pulls: &'a [PullView], title: &str) -> &'a PullView {
    let found = pulls.iter().find(|pull| pull.title == title);
    found.unwrap_or_else(|| panic!("{:?}", pulls.iter().map(|it| &it.title).collect::<Vec<_>>()))
}

#[tokio::test]
async fn each_package_is_released_with_its_own_changes_and_both_stand_side_by_side() {
    let (w, issue) = monorepo().await;
    w.owner_says(issue, "/gander release").await;
    insta::assert_snapshot!(w.last_words(issue), @"The packages of this repository have versions of their own. Say which, of `core` and `cli`: `/gander release package=core`.");
    w.owner_says(issue, "/gander release package=web").await;
    assert!(w.last_words(issue).starts_with("There is no package web here. Say which"));
    w.nothing_was_published();

    w.owner_says(issue, "/gander release package=core").await;
    w.owner_says(issue, "/gander release package=cli").await;
    let pulls = w.emulator.pulls(REPO);
    let (core, cli) =
        (of(&pulls, "chore(release): core-v1.2.0"), of(&pulls, "chore(release): cli/v0.3.1"));
    let text = |pull: &PullView, path: &str| {
        String::from_utf8(w.emulator.file(REPO, &pull.head_sha, path).unwrap_or_default()).unwrap()
    };
    let log = text(core, "core/CHANGELOG.md");
    assert!(
        log.contains("## 1.2.0") && log.contains("- paging") && !log.contains("colours"),
        "{log}"
    );
    assert_eq!(text(core, "CHANGELOG.md"), "");
    assert_eq!(text(core, "core/Cargo.toml"), CORE.replace("1.1.0", "1.2.0"));
    // What it asks of the other is met.
    assert_eq!(text(core, "cli/Cargo.toml"), CLI);
    let log = text(cli, "cli/CHANGELOG.md");
    assert!(
        log.contains("## 0.3.1") && log.contains("- colours") && !log.contains("paging"),
        "{log}"
    );
    assert_eq!(text(cli, "cli/Cargo.toml"), CLI.replace("0.3.0", "0.3.1"));
    assert!(cli.body.contains("`/gander release 1.2.3 package=cli`"), "{}", cli.body);
    // Another word is about the one that is named.
    w.owner_says(issue, "/gander release major package=core").await;
    let pulls = w.emulator.pulls(REPO);
    let core = of(&pulls, "chore(release): core-v2.0.0");
    assert_eq!(pulls.len(), 2);
    assert_eq!(text(core, "cli/Cargo.toml"), CLI.replace("\"1.1\"", "\"2.0\""));
    w.ends().await;
}

#[tokio::test]
async fn where_merges_order_releases_one_that_changes_two_packages_orders_one_of_each() {
    let rules = RULES.replace("[release]\n", "[release]\non = \"merge\"\n");
    let (w, issue) = monorepo_with(&rules).await;
    w.model.will(vec![
        edit("core/src/lib.rs", "paging", "pages"),
        edit("cli/src/main.rs", "red", "blue"),
        verify(),
        finish("Both say pages in blue."),
    ]);
    w.says(issue, "/gander fix").await;
    let fix = w.approved().await;
    assert!(fix > 0);
    let mut titles: Vec<String> = w.emulator.pulls(REPO).into_iter().map(|it| it.title).collect();
    titles.sort();
    titles.retain(|title| title.starts_with("chore(release)"));
    assert_eq!(titles, ["chore(release): cli/v0.3.1", "chore(release): core-v1.2.0"]);
    w.ends().await;
}

#[tokio::test]
async fn a_release_that_people_let_change_anothers_changelog_is_not_merged() {
    let (w, issue) = monorepo().await;
    w.owner_says(issue, "/gander release package=cli").await;
    let pull = w.only_pull();
    let branch = w.our_branches().into_iter().next().unwrap();
    let files = [("core/CHANGELOG.md", Some("## 9.9.9\n"))];
    w.pushed(&branch, "docs: more", &files).await;
    let head = w.only_pull().head_sha;
    w.owner().reviews(REPO, pull.number, gander_emulator::Verdict::Approves, "").unwrap();
    w.settle().await;
    let pull = w.only_pull();
    assert!(!pull.merged, "{}", w.timeline());
    assert!(pull.body.contains("its own package and of no other"), "{}", pull.body);
    assert_eq!(pull.head_sha, head);
    w.ends().await;
}

#[tokio::test]
async fn the_action_publishes_the_package_whose_changelog_was_approved() {
    let rules = format!("{RULES}latest = true\n");
    let shop = Shop::with(&rules, |_| "true\n".to_owned()).await;
    let w = &shop.w;
    let files = [("core/VERSION", Some("1.1.0\n")), ("cli/VERSION", Some("0.3.0\n"))];
    w.maintainer().pushes(REPO, "main", "feat: two packages", &files).unwrap();
    shop.settle().await;
    let issue = w.maintainer().opens_issue(REPO, "Next version", "", &[]).unwrap();
    shop.says(issue, "/gander release 1.2.0 package=core").await;
    shop.approves().await;
    let out = w.emulator.releases(REPO);
    let tags: Vec<&str> = out.iter().map(|release| release.tag.as_str()).collect();
    assert_eq!(tags, ["core-v1.2.0"], "{}", w.timeline());
    assert!(out[0].body.contains("two packages"), "{}", out[0].body);
    // Another package's are the latest of the repository.
    assert_eq!(out[0].make_latest, "false");
    shop.says(issue, "/gander release yank 1.2.0 package=core").await;
    assert!(w.last_words(issue).contains("core-v1.2.0"), "{}", w.last_words(issue));
}

#[tokio::test]
async fn packages_that_are_ordered_at_once_do_not_wait_for_each_other_and_one_is_cancelled_by_name()
{
    let (w, issue) = monorepo().await;
    w.owner().comments(REPO, issue, "/gander release package=core").unwrap();
    w.owner().comments(REPO, issue, "/gander release package=cli").unwrap();
    w.settle().await;
    let pulls = w.emulator.pulls(REPO);
    let cli = of(&pulls, "chore(release): cli/v0.3.1");
    of(&pulls, "chore(release): core-v1.2.0");
    w.owner_says(issue, "/gander cancel").await;
    let said = w.last_words(issue);
    assert!(said.contains("on the pull request of the one that is meant: #2 and #3"), "{said}");
    assert!(w.emulator.pulls(REPO).iter().all(|pull| pull.state == "open"));
    w.owner_says(cli.number, "/gander cancel").await;
    let open = w.emulator.pulls(REPO).into_iter().filter(|pull| pull.state == "open");
    let open: Vec<String> = open.map(|pull| pull.title).collect();
    assert_eq!(open, ["chore(release): core-v1.2.0"]);
    w.ends().await;
}

#[tokio::test]
async fn the_first_release_of_a_package_that_has_rested_for_long_holds_all_its_changes() {
    let rules = RULES.replace("name = \"core\"", "name = \"base\"");
    let files = vec![
        (".github/gander.toml", &*rules),
        ("build.sh", "exit 0\n"),
        ("core/VERSION", "0.9.0\n"),
        ("cli/VERSION", "0.3.0\n"),
    ];
    let w = World::with_project(files).await;
    let first = w.emulator.branches(REPO)["main"].clone();
    // The tags of others, of whatever pattern, say nothing of it.
    w.maintainer().tags(REPO, "v7.0.0", &first).unwrap();
    w.pushed("main", "feat: paging", &[("core/a", Some("a\n"))]).await;
    for n in 0..110 {
        let text = format!("{n}\n");
        let files = [("cli/n", Some(text.as_str()))];
        w.maintainer().pushes(REPO, "main", "fix: cli", &files).unwrap();
    }
    w.settle().await;
    let issue = w.maintainer().opens_issue(REPO, "Next version", "", &[]).unwrap();
    w.owner_says(issue, "/gander release 1.0.0 package=base").await;
    let pull = w.only_pull();
    assert_eq!(pull.title, "chore(release): base-v1.0.0", "{}", w.timeline());
    assert!(pull.body.contains("- paging") && !pull.body.contains("cli"), "{}", pull.body);
    w.ends().await;
}

#[tokio::test]
async fn a_package_that_moved_and_one_that_is_not_there_are_told_of() {
    let (w, issue) = monorepo().await;
    let moved = RULES.replace("path = \"core\"", "path = \"libs/core\"");
    let moved = moved.replace("path = \"cli\"", "path = \"gone\"");
    let files = [
        (".github/gander.toml", Some(&*moved)),
        ("libs/core/VERSION", Some("1.1.0\n")),
        ("core/Cargo.toml", None),
    ];
    w.pushed("main", "refactor: move core", &files).await;
    w.owner_says(issue, "/gander release package=cli").await;
    let said = w.last_words(issue);
    assert!(said.contains("There is no directory `gone` on this branch"), "{said}");
    w.owner_says(issue, "/gander release package=core").await;
    let body = w.only_pull().body;
    assert!(body.contains("`libs/core` was not there at core-v1.1.0"), "{body}");
    w.ends().await;
}
