//! The story of the demo, as people act in it: reported, fixed, reviewed, approved, released.

use super::project::DemoProject;
use super::shown::{changed_lines, proof};
use super::stage::DemoStage;
use super::{AnyError, CHECK, REPO};
use gander_emulator::{Emulator, PullView, Verdict};

/// Where the story led.
pub(super) struct Told {
    pub(super) issue: u64,
    /// The pull request with the fix.
    pub(super) fix: u64,
    /// The release pull request.
    pub(super) release: u64,
}

/// Plays it to its end.
///
/// # Errors
/// When it does not go on.
pub(super) async fn play(stage: &DemoStage<'_>, project: &DemoProject) -> Result<Told, AnyError> {
    let github = stage.emulator;
    let (owner, maintainer, contributor) =
        (github.person("acme"), github.person("mona"), github.person("hubert"));

    stage.act("An issue, and a maintainer who wants it fixed");
    let issue = contributor.opens_issue(REPO, project.issue_title, project.issue_body, &[])?;
    let (title, body) = (project.issue_title, lines(project.issue_body));
    stage.scene(&format!("hubert opens issue #{issue}: {title}"), &body);
    maintainer.comments(REPO, issue, "/gander fix")?;
    stage.scene("mona comments: /gander fix", &[]);
    stage.until("there was a pull request", |it| told(it, issue, "@mona ")).await?;
    let fix = newest(github)?.number;
    let opened = newest(github)?;
    let change = changed_lines(github, &opened, "main");
    stage.scene("Gander has a model write the fix in a sandbox, and proves it", &change);
    stage.scene(&format!("It opens pull request #{fix}: {}", opened.title), &proof(&opened));
    stage.until("its checks were green", |it| is_green(it, fix)).await?;

    stage.act("A contributor without write access reviews; a maintainer lets the review count");
    let first = newest(github)?.head_sha;
    contributor.reviews_lines(REPO, fix, Verdict::RequestsChanges, "", &[project.note])?;
    stage.until("the review was acknowledged", |it| told(it, fix, "Thank you")).await?;
    stage.scene("hubert, who may not write here, requests changes", &lines(project.note.body));
    maintainer.comments(REPO, fix, "/gander take @hubert")?;
    stage.scene("mona lets the review count: /gander take @hubert", &[]);
    stage
        .until("the review was answered", |it| {
            it.pull(REPO, fix).is_some_and(|pull| {
                pull.head_sha != first && pull.requested_reviewers.iter().any(|who| who == "hubert")
            })
        })
        .await?;
    let answered = newest(github)?;
    let change = changed_lines(github, &answered, &first);
    stage.scene("Gander answers in the thread, and pushes a second commit", &change);
    stage.until("its checks were green", |it| is_green(it, fix)).await?;

    stage.act("The owner approves exactly that commit");
    owner.reviews(REPO, fix, Verdict::Approves, "")?;
    let head = short(&answered.head_sha);
    stage.scene(&format!("acme approves {head}; Gander merges exactly that commit"), &[]);
    stage
        .until("it was merged", |it| {
            let closed = it.issue(REPO, issue).is_some_and(|issue| issue.state == "closed");
            let gone = it.branches(REPO).into_keys().all(|name| !name.starts_with("gander/"));
            closed && gone && it.pull(REPO, fix).is_some_and(|pull| pull.merged)
        })
        .await?;

    stage.act("The owner orders a release: its diff is the plan");
    owner.comments(REPO, fix, "/gander release 0.2.0")?;
    stage.scene("acme comments: /gander release 0.2.0", &[]);
    stage.until("there was a release pull request", |it| told(it, fix, "@acme ")).await?;
    let release = newest(github)?.number;
    stage.until("its checks were green", |it| is_green(it, release)).await?;
    let plan = newest(github)?;
    stage.scene(&format!("Gander opens pull request #{release}: {}", plan.title), &[]);

    stage.act("A maintainer approves that; the Action tests, builds and publishes");
    maintainer.reviews(REPO, release, Verdict::Approves, "")?;
    stage.scene("mona approves that; the Action tests, builds and publishes it", &[]);
    stage.until("the issue was told", |it| told(it, issue, "Shipped in ")).await?;
    let out = github.releases(REPO).pop().ok_or("there is no release")?;
    let files: Vec<&str> = out.assets.iter().map(|(name, _)| &**name).collect();
    let shipped = format!("issue #{issue} is told that it shipped");
    stage.scene(&format!("{} is out", out.tag), &[files.join(", "), shipped]);
    Ok(Told { issue, fix, release })
}

fn lines(text: &str) -> Vec<String> {
    text.trim().lines().map(str::to_owned).collect()
}

fn short(sha: &str) -> &str {
    sha.get(..12).unwrap_or(sha)
}

/// Whether Gander said something that begins like this.
fn told(emulator: &Emulator, number: u64, words: &str) -> bool {
    emulator.issue(REPO, number).is_some_and(|issue| {
        let ours = |author: &str| author == "gander[bot]";
        issue.comments.iter().any(|it| ours(&it.author) && it.body.starts_with(words))
    })
}

fn newest(emulator: &Emulator) -> Result<PullView, AnyError> {
    emulator.pulls(REPO).pop().ok_or_else(|| "there is no pull request".into())
}

/// Whether the required check is green on the head of a pull request.
fn is_green(emulator: &Emulator, number: u64) -> bool {
    let Some(pull) = emulator.pull(REPO, number) else { return false };
    let checks = emulator.check_runs(REPO, &pull.head_sha);
    checks.iter().any(|check| check.name == CHECK && check.conclusion.as_deref() == Some("success"))
}
