//! What the demo shows when it is over.

use std::time::Duration;

use serde_json::{Value, json};

use super::stage::DemoStage;
use super::story::Told;
use super::workflows::Workflows;
use super::{AnyError, PEOPLE, REPO, say};
use crate::core::report::publication::size;
use gander_emulator::{Emulator, PullView, ReleaseView, TimelineEntry};

const RULE: &str = "────────────────────────────────────────────────────────────────────────";

/// The pull request, the release, and what it took.
pub(super) fn show(
    stage: &DemoStage<'_>,
    told: &Told,
    workflows: &Workflows,
) -> Result<(), AnyError> {
    let (emulator, took) = (stage.emulator, stage.started.elapsed());
    let (fix, plan) = (pull(emulator, told.fix)?, pull(emulator, told.release)?);
    let release = release(emulator)?;
    title(&format!("Pull request #{}: {}", fix.number, fix.title));
    say(visible(&fix.body));
    title(&format!("Release pull request #{}: {}", plan.number, plan.title));
    say(visible(&plan.body));
    title(&format!("Release {}", release.tag));
    say(visible(&release.body));
    title(&format!("{} is out, {:.1} s after it all began.", release.tag, took.as_secs_f32()));
    for (what, how) in summary(stage, told, &release, workflows) {
        say(format!("{what:<12} {how}"));
    }
    Ok(())
}

/// The same for machines.
pub(super) fn as_json(
    emulator: &Emulator,
    seen: &[(Duration, TimelineEntry)],
    told: &Told,
) -> Result<String, AnyError> {
    let timeline: Vec<Value> = seen
        .iter()
        .map(|(at, entry)| {
            json!({ "seconds": at.as_secs_f64(), "actor": entry.actor, "text": entry.text })
        })
        .collect();
    let shown = |pull: PullView| {
        json!({
            "number": pull.number,
            "title": pull.title,
            "state": pull.state,
            "merged": pull.merged,
            "head": pull.head_sha,
            "labels": pull.labels,
            "body": pull.body,
        })
    };
    let release = release(emulator)?;
    let assets: Vec<&str> = release.assets.iter().map(|(name, _)| &**name).collect();
    let all = json!({
        "timeline": timeline,
        "pull_request": shown(pull(emulator, told.fix)?),
        "release_pull_request": shown(pull(emulator, told.release)?),
        "release": { "tag": release.tag, "assets": assets, "notes": release.body },
    });
    Ok(serde_json::to_string_pretty(&all)?)
}

/// Where to look while it stays up.
pub(super) fn invite(emulator: &Emulator, issue: u64) {
    let (web, api) = (emulator.web_url(), emulator.api_url());
    say(format!(
        "\nIt stays up until Ctrl-C; then everything is gone. In a browser:\n\n  \
         {web}{REPO}\n  \
         {web}{REPO}/issues/{issue}\n\n\
         The second is another bug. You are mona: comment `/gander fix`. Whoever asks does not approve,\n\
         so approve the pull request as acme.\n\n  \
         git clone {web}{REPO}\n  \
         curl {api}/repos/{REPO}/releases\n  \
         curl '{api}/repos/{REPO}/pulls?state=all'"
    ));
}

fn summary(
    stage: &DemoStage<'_>,
    told: &Told,
    release: &ReleaseView,
    workflows: &Workflows,
) -> Vec<(String, String)> {
    let emulator = stage.emulator;
    let state = emulator.issue(REPO, told.issue).map(|issue| issue.state).unwrap_or_default();
    let files: Vec<String> = release
        .assets
        .iter()
        .map(|(name, bytes)| format!("{name} ({})", size(bytes.len() as u64)))
        .collect();
    let seen = stage.seen();
    let acts = seen.iter().filter(|(_, entry)| PEOPLE.contains(&&*entry.actor)).count();
    let reports = workflows.reports();
    let jobs: usize = reports.iter().map(|report| report.jobs.len()).sum();
    let webhooks = emulator.deliveries().len();
    let approved = |number| {
        let pull = emulator.pull(REPO, number);
        pull.map(|pull| pull.head_sha.chars().take(12).collect::<String>()).unwrap_or_default()
    };
    vec![
        (format!("issue #{}", told.issue), format!("{state}, and told that it shipped")),
        (
            format!("pull #{}", told.fix),
            format!("fixed, reviewed, answered; acme approved {}", approved(told.fix)),
        ),
        (
            format!("pull #{}", told.release),
            format!("version and changelog; mona approved {}", approved(told.release)),
        ),
        ("release".to_owned(), files.join(", ")),
        (
            "behind it".to_owned(),
            format!("{} workflow runs with {jobs} jobs, {webhooks} webhooks", reports.len()),
        ),
        ("people".to_owned(), format!("{acts} acts; all else went by itself")),
    ]
}

fn title(text: &str) {
    say(format!("\n{RULE}\n{text}\n{RULE}"));
}

fn pull(emulator: &Emulator, number: u64) -> Result<PullView, AnyError> {
    emulator.pull(REPO, number).ok_or_else(|| format!("there is no pull request {number}").into())
}

fn release(emulator: &Emulator) -> Result<ReleaseView, AnyError> {
    emulator.releases(REPO).pop().ok_or_else(|| "there is no release".into())
}

/// A text without the mark that only programs read.
fn visible(body: &str) -> &str {
    body.rsplit_once("\n\n<!-- gander ").map_or(body, |(text, _)| text).trim_end()
}
