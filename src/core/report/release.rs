//! The words about a release: its pull request, its status, its refusals, its end.
//!
//! Invariants: all of it is a function of the release alone; the first line of the pull request
//! says what approving it does; notes made of commits stand as they will be published, and names in
//! them notify nobody; each refusal says what, why, and the next step.

use std::fmt::Write as _;

use super::flagged::{approve_flagged, flag_lines, flag_names};
use super::review::consent_trailers;
use super::waiting::{missing, obstacle_words, why_two};
use super::{LONGEST_TITLE, ReportContext, marker, signed};
use crate::core::approval::{Approval, NotApproved};
use crate::core::id::{Number, RunId, Sha};
use crate::core::policy::RULES_PATH;
use crate::core::release::{Blocked, Release, ReleaseEnding, ReleaseStage, VersionPlan};
use crate::core::text::{boxed, first_of, inline, within};

mod answer;
mod checked;
mod consequence;
mod refusals;
mod withdrawal;

pub use answer::{ReleaseReply, answer};
use checked::checked_row;
use consequence::{consequence, places};
pub use refusals::refusal;
use refusals::release_command;
pub use withdrawal::{Withdrawn, how_to_withdraw};

/// The label of a release pull request.
pub const RELEASE_LABEL: &str = "gander:release";

/// Files that are named one by one.
const MOST_FILES: usize = 20;
/// Characters of why a release stopped, in a list of several.
const LONGEST_WHY: usize = 400;
/// So many characters of what is in a release stand in its pull request.
const NOTES_CAP: usize = 40_000;

/// Title of the pull request and first line of the commit.
pub fn title(plan: &VersionPlan) -> String {
    format!("chore(release): {}", plan.tag).chars().take(LONGEST_TITLE).collect()
}

/// The whole commit message. Its last line says that the commit is ours as it stands: it names the
/// tree, so that an amended one is known for a person's.
pub fn commit_message(
    release: &Release,
    plan: &VersionPlan,
    tree: &Sha,
    setting: &ReportContext,
) -> String {
    format!(
        "{}\n\nRequested-by: {login} <{id}+{login}@users.noreply.github.com>\n\
         Assisted-by: Gander {}\n{}\n",
        title(plan),
        setting.version,
        trailer(release, tree),
        login = release.order.login,
        id = release.order.by_id,
    )
}

/// The line by which a commit of this release with this tree is known again.
pub fn trailer(release: &Release, tree: &Sha) -> String {
    format!("Gander-Release: {} {tree}", release.id)
}

/// The message of the merge.
pub fn merge_message(
    release: &Release,
    plan: &VersionPlan,
    approval: &Approval,
) -> (String, String) {
    let number = release.pull.as_ref().map_or(Number(0), |pull| pull.number);
    let consent = consent_trailers(&approval.logins(), approval.pushed_by());
    let message = format!("{consent}Gander-Release: {}\n", release.id);
    (format!("{} (#{number})", title(plan)), message)
}

/// The pull request's text, for this head.
pub fn pull_body(
    release: &Release,
    plan: &VersionPlan,
    head: &Sha,
    setting: &ReportContext,
) -> String {
    let mut text = format!("{}\n\n", consequence(release, plan, head, &setting.prefix));
    let changelog = plan.scope.changelog();
    if let Some(blocked) = &release.blocked {
        let _ = write!(text, "> [!WARNING]\n> {}\n\n", blocked_words(blocked, release, setting));
    }
    if !plan.flagged.is_empty() {
        let _ = writeln!(
            text,
            "> [!IMPORTANT]\n> **Please look closely at what changed since the last release.** One \
             approval is enough if it says so: {}.\n{}",
            approve_flagged(head.short(), &setting.prefix),
            flag_lines("> - ", &plan.flagged)
        );
    }
    let before = match &plan.last {
        Some(last) => code(last),
        None if plan.last_unknown => "not known".to_owned(),
        None => "none, this is the first".to_owned(),
    };
    let files: Vec<String> = plan.files.iter().map(|path| code(path)).collect();
    let files = first_of(&files, MOST_FILES).join(", ");
    let _ = write!(
        text,
        "| | |\n|---|---|\n| version | **{}** |\n| why | {} |\n| last release | {before} |\n\
         | made on | `{}` at `{}` |\n| changes | {files} |\n{}\n",
        plan.version,
        plan.why,
        release.base,
        plan.base.short(),
        plan.checks.as_ref().map_or_else(String::new, |checks| checked_row(checks, plan)),
    );
    if release.edited {
        let _ = write!(
            text,
            "People have committed to this branch. Their edits stay; the version is the one that \
             `{changelog}` names there.\n\n"
        );
    }
    if !plan.left.is_empty() {
        text.push_str("> [!IMPORTANT]\n> **Left as it is, please look:**\n");
        for left in first_of(&plan.left, MOST_FILES) {
            let _ = writeln!(text, "> - {left}");
        }
        text.push('\n');
    }
    let notes = within(&plan.notes, NOTES_CAP);
    let _ = write!(text, "## What is in it\n\n{notes}\n\n");
    let _ = write!(
        text,
        "---\n<sub>Want another version? `{prefix} release 1.2.3{package}` (or `major`, `minor`, `patch`). \
         Other words? Edit `{changelog}` on this branch: no edit is overwritten, and the \
         approval is for what stands there then. Close this to release nothing. {}</sub>\n",
        made_by(release, setting),
        prefix = setting.prefix,
        package =
            plan.scope.package.as_ref().map(|it| format!(" package={it}")).unwrap_or_default(),
    );
    signed(&text, &marker(release.id.as_str(), "release"))
}

/// The one status comment, where the release was asked for.
pub fn status_comment(release: &Release, setting: &ReportContext) -> String {
    let mut text = format!("{}\n\n{}", headline(release), checklist(release));
    if let Some(blocked) = &release.blocked {
        let _ = write!(text, "\n{}\n", blocked_words(blocked, release, setting));
    }
    if let ReleaseStage::Done(ending) = &release.stage {
        let _ = write!(text, "\n{}\n", why_it_ended(ending, release, setting));
    }
    let _ = write!(text, "\n<sub>{} · {}</sub>\n", made_by(release, setting), setting.now);
    signed(&text, &marker(release.id.as_str(), "status"))
}

/// The one comment that notifies whoever asked, and its marker. `None`: nothing to do or know.
pub fn announcement(release: &Release, setting: &ReportContext) -> Option<(String, String)> {
    let (words, part) = match &release.stage {
        ReleaseStage::Done(ReleaseEnding::Closed { .. }) => return None,
        ReleaseStage::Done(ending) => {
            // What was given up may be out after all: that is told too.
            let what =
                if matches!(ending, ReleaseEnding::Published { .. }) { "out" } else { "end" };
            (
                format!(
                    "{}\n\n{}",
                    plain(&headline(release)),
                    why_it_ended(ending, release, setting)
                ),
                format!("announce-{what}-{}-{}", release.orders, release.tries),
            )
        }
        ReleaseStage::Queued
        | ReleaseStage::Planning
        | ReleaseStage::Checking { .. }
        | ReleaseStage::Proposing
        | ReleaseStage::Refreshing { .. }
        | ReleaseStage::Proposed
        | ReleaseStage::Merging { .. }
        | ReleaseStage::Dispatching
        | ReleaseStage::Publishing => {
            let (pull, plan) = (release.pull.as_ref()?, release.plan.as_ref()?);
            let words =
                format!("#{} would release {}. Its diff is the plan.", pull.number, plan.tag);
            (words, "announce-proposed".to_owned())
        }
    };
    let marker = marker(release.id.as_str(), &part);
    Some((signed(&format!("@{} {words}", release.order.login), &marker), marker))
}

/// What a fixed issue is told, and the marker. `None`: it is not out.
pub fn shipped(release: &Release) -> Option<(String, String)> {
    let ReleaseStage::Done(ReleaseEnding::Published { url }) = &release.stage else { return None };
    let plan = release.plan.as_ref()?;
    let (tag, places) = (&plan.tag, places(plan));
    let marker = marker(release.id.as_str(), "shipped");
    Some((signed(&format!("Shipped in [{tag}]({url}){places}."), &marker), marker))
}

/// What a cancelled release's pull request is told, and the marker. `None`: it was not cancelled.
pub fn cancelled(release: &Release, branch: Branch) -> Option<(String, String)> {
    let ReleaseStage::Done(ReleaseEnding::Cancelled { by }) = &release.stage else { return None };
    let branch = match branch {
        Branch::Goes => "The branch is removed.",
        Branch::Stays => "The branch stays, since people have committed to it.",
    };
    let marker = marker(release.id.as_str(), "cancelled");
    Some((signed(&format!("Cancelled by {by}: nothing is released. {branch}"), &marker), marker))
}

/// What becomes of the branch of a cancelled release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Branch {
    /// It holds only what Gander made.
    Goes,
    /// It holds what people made.
    Stays,
}

/// The answer to `release status`.
pub fn status_reply(releases: &[Release], setting: &ReportContext) -> String {
    if releases.is_empty() {
        return format!("Nothing was released from here yet. `{} release` begins.", setting.prefix);
    }
    let mut text = String::new();
    for release in releases {
        let _ = write!(text, "- {}", plain(&headline(release)));
        match (&release.stage, &release.blocked) {
            (ReleaseStage::Done(ReleaseEnding::Published { url }), _) => {
                let places = release.plan.as_ref().map(places).unwrap_or_default();
                let _ = write!(text, "{places}: {url}");
            }
            (ReleaseStage::Done(ReleaseEnding::Failed { why }), _) => {
                let _ = write!(text, ": {}", inline(&why.replace("\n\n", " · "), LONGEST_WHY));
            }
            (_, Some(blocked)) => {
                let _ = write!(text, " · {}", blocked_words(blocked, release, setting));
            }
            _ => {}
        }
        text.push('\n');
    }
    text
}

/// One line: where it stands.
pub fn headline(release: &Release) -> String {
    let tag = release.plan.as_ref().map_or("a release", |plan| plan.tag.as_str());
    match &release.stage {
        ReleaseStage::Queued => match &release.order.package {
            Some(package) => format!("**Waiting** for its turn: {}", code(package)),
            None => "**Waiting** for its turn".to_owned(),
        },
        ReleaseStage::Planning => "**Working out** version and changelog".to_owned(),
        ReleaseStage::Checking { plan } => {
            format!("**Checking** the files of {} with the project's own checks", plan.tag)
        }
        ReleaseStage::Proposing => format!("**Opening** the pull request for {tag}"),
        ReleaseStage::Refreshing { .. } => {
            format!("**Bringing** {tag} up to date with `{}`", release.base)
        }
        ReleaseStage::Proposed => match &release.pull {
            Some(pull) if release.blocked.is_some() => {
                format!("**Not yet**: {tag} in #{}", pull.number)
            }
            Some(pull) => format!("**Ready for approval**: {tag} in #{}", pull.number),
            None => format!("**Ready for approval**: {tag}"),
        },
        ReleaseStage::Merging { head } => format!("**Merging** `{}` for {tag}", head.short()),
        ReleaseStage::Dispatching => format!("**Starting** the run that publishes {tag}"),
        ReleaseStage::Publishing => format!("**Publishing** {tag}{}", run(release.run_id)),
        ReleaseStage::Done(ending) => match ending {
            ReleaseEnding::Published { .. } => format!("**Released** {tag}"),
            ReleaseEnding::Failed { .. } => format!("**Stopped by a failure**: {tag}"),
            ReleaseEnding::Refused(_) => "**Not released**".to_owned(),
            ReleaseEnding::Closed { by: Some(by) } => {
                format!("**Closed** by {by}: {tag} is not released")
            }
            ReleaseEnding::Closed { by: None } => format!("**Closed**: {tag} is not released"),
            ReleaseEnding::Cancelled { by } => {
                format!("**Cancelled** by {by}: {tag} is not released")
            }
            ReleaseEnding::NothingToRelease { .. } => "**Nothing to release**".to_owned(),
        },
    }
}

fn checklist(release: &Release) -> String {
    let reached = match &release.stage {
        ReleaseStage::Queued | ReleaseStage::Planning => 0,
        ReleaseStage::Checking { .. } => 1,
        ReleaseStage::Proposing => 2,
        ReleaseStage::Proposed | ReleaseStage::Refreshing { .. } => 3,
        ReleaseStage::Merging { .. } => 4,
        ReleaseStage::Dispatching | ReleaseStage::Publishing => 5,
        ReleaseStage::Done(ReleaseEnding::Published { .. }) => 6,
        ReleaseStage::Done(_) if release.merged.is_some() => 5,
        ReleaseStage::Done(_) if release.pull.is_some() => 3,
        ReleaseStage::Done(_) => 0,
    };
    let steps = [
        "work out version and changelog",
        "run the project's checks on its files",
        "open the pull request",
        "get the approval of its head",
        "merge it",
        "test, build and publish",
    ];
    let mut text = String::new();
    for (i, step) in steps.iter().enumerate() {
        let mark = if i < reached { 'x' } else { ' ' };
        let _ = writeln!(text, "- [{mark}] {step}");
    }
    text
}

fn run(run: Option<RunId>) -> String {
    run.map_or_else(String::new, |run| format!(" (run {run})"))
}

/// Why it does not go on though it stands, and what to do.
pub fn blocked_words(blocked: &Blocked, release: &Release, setting: &ReportContext) -> String {
    let base = &release.base;
    match blocked {
        Blocked::Conflict => format!(
            "`{base}` moved and does not go together with the edits on this branch. Merge `{base}` \
             into it by hand and mend the conflict."
        ),
        Blocked::NoVersion => {
            "The newest section of the changelog on this branch names no version \
                               that could be released. Write its heading as \
                               `## 1.2.0 (2026-01-31)`."
                .to_owned()
        }
        Blocked::NothingLeft => format!(
            "`{base}` moved to where nothing is left that was not released. Close this pull request."
        ),
        Blocked::NotApproved(why) => not_approved(why, release, &setting.prefix),
        Blocked::Refused { why } => format!(
            "It is approved, and GitHub does not merge it: {}. It is tried again when GitHub says that \
             nothing is in the way, or with a new approval.",
            inline(why, 600)
        ),
        Blocked::Setting(obstacle) => {
            format!("It is not merged as it stands: {}", obstacle_words(obstacle, base.as_str()))
        }
        Blocked::MissingChecks(checks) => {
            missing(checks, release.pull.as_ref().map_or("its head", |pull| pull.head.short()))
        }
        Blocked::InTheWay { why } => {
            format!(
                "It is not merged as it stands: {}. It goes on when that changes.",
                inline(why, 300)
            )
        }
        Blocked::Command => format!(
            "It is approved, and this repository merges on a command: `{} approve {}`.",
            setting.prefix,
            release.pull.as_ref().map_or("HEAD", |pull| pull.head.short())
        ),
        Blocked::Button => {
            "It is approved. This repository leaves the merge button to people.".to_owned()
        }
        Blocked::Order(why) => format!(
            "The last order was not followed, and the plan before it still stands. {}",
            refusal(why, &setting.prefix, release.order.package.as_deref())
        ),
    }
}

fn not_approved(why: &NotApproved, release: &Release, prefix: &str) -> String {
    let head = release.pull.as_ref().map_or("its head", |pull| pull.head.short());
    let rule = format!("`[approval]` in `{RULES_PATH}`");
    match why {
        NotApproved::Nobody => format!("Nobody has approved `{head}` yet."),
        NotApproved::OtherCommit { login, approved } => format!(
            "{login} approved `{}`, and the head is `{head}` by now. Approve that one: \
             `{prefix} approve {head}`.",
            approved.short()
        ),
        NotApproved::NotAPerson { login } => {
            format!("{login} is a program, and programs approve nothing.")
        }
        NotApproved::NeedsRole { login, has, needed } => format!(
            "{login} has {has} access, and {needed} access is needed to approve (see {rule})."
        ),
        NotApproved::Requester { login } | NotApproved::Pusher { login } => format!(
            "{login} ordered this release or wrote some of it, so another person has to approve it \
             (see {rule})."
        ),
        NotApproved::SecondNeeded { login, because } => format!(
            "{login} approved `{head}`, and a second person has to. {} (see {rule}).",
            why_two(*because)
        ),
        NotApproved::Flagged { login, paths } => format!(
            "{login} approved `{head}`, and since the last release these changed, which people \
             should look at: {}. If they are as they should be: {}. Or a second person approves.",
            flag_names(paths),
            approve_flagged(head, prefix)
        ),
        NotApproved::NobodyLeft { login, role } => format!(
            "{login} approved `{head}`, and nobody is left whose approval would count: who has \
             {role} access ordered it, pushed some of it or may have. Give somebody else {role} \
             access, or change the rule (see {rule})."
        ),
        NotApproved::Edited { login } => format!(
            "The comment of {login} was edited after it was written, so it approves nothing. A new \
             one does: `{prefix} approve {head}`."
        ),
        NotApproved::Before { login } => format!(
            "{login} approved before the base branch or the rules changed. Approve again: \
             `{prefix} approve {head}`."
        ),
        NotApproved::Objection { login } => format!(
            "{login} wants changes. Once they approve, or the review is dismissed, it goes on."
        ),
    }
}

fn why_it_ended(ending: &ReleaseEnding, release: &Release, setting: &ReportContext) -> String {
    let (prefix, package) = (&setting.prefix, release.order.package.as_deref());
    let again = release_command(prefix, package);
    match ending {
        ReleaseEnding::Published { url } => url.clone(),
        ReleaseEnding::Closed { .. } | ReleaseEnding::Cancelled { .. } => {
            format!("`{again}` proposes it anew.")
        }
        ReleaseEnding::Refused(why) => refusal(why, prefix, package),
        ReleaseEnding::NothingToRelease { last: Some(last) } => {
            format!("Nothing changed on `{}` since {}.", release.base, code(last))
        }
        ReleaseEnding::NothingToRelease { last: None } => {
            format!("There is no commit on `{}` that could be released.", release.base)
        }
        ReleaseEnding::Failed { why } => {
            let merged = release.merged.as_ref();
            let merged =
                merged.map_or(String::new(), |it| format!("`{}` is merged. ", it.commit.short()));
            let run = release.run_id.map_or(String::new(), |run| {
                let page = format!("{}/{}/actions/runs/{run}", setting.web, release.repo.name);
                format!("[The run]({page}) says what stopped it. ")
            });
            format!(
                "{}\n\n{run}{merged}When it is mended, `{again} retry` goes on from there: \
                 what is published already is not published twice.",
                boxed(why, 2000)
            )
        }
    }
}

fn made_by(release: &Release, setting: &ReportContext) -> String {
    let (login, version, id) = (&release.order.login, &setting.version, &release.id);
    format!("Asked for by {login} · Gander {version} · release {id}")
}

fn code(text: &str) -> String {
    format!("`{}`", text.replace('`', "'"))
}

fn plain(text: &str) -> String {
    text.replace("**", "")
}

#[cfg(test)]
#[path = "release_tests.rs"]
mod tests;
