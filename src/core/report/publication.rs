//! What the Action says: why something is not published, and what was.
//!
//! Invariants: each refusal says what is wrong, why it stops, and the next step; others' words are
//! inert in it.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "`refusal` lists every reason, and hands each function only those it words"
)]

use std::fmt::Write as _;

use super::flagged::{approve_flagged, flag_names};
use super::waiting::why_two;
use super::{boxed, inline};
use crate::core::approval::NotApproved;
use crate::core::checks::CheckState;
use crate::core::id::Sha;
use crate::core::manifest::{Artifact, BuildManifest};
use crate::core::policy::RULES_PATH;
use crate::core::release_gate::{Refused, ReleasePlan, ReleaseRequest, Terms};
use crate::core::text::listed;

/// One refusal in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// What is wrong, as one sentence.
    pub what: String,
    /// What to do.
    pub next: String,
}

fn words(what: impl Into<String>, next: impl Into<String>) -> Words {
    Words { what: what.into(), next: next.into() }
}

/// Why nothing is published. `prefix` is how people address Gander.
pub fn refusal(refused: &Refused, asked: &ReleaseRequest, terms: &Terms, prefix: &str) -> Words {
    let (pull, commit) = (asked.pull, asked.commit.short());
    let release = format!("order it anew with `{prefix} release`");
    match refused {
        Refused::NotApproved { why, head } => not_approved(why, head, asked, terms, prefix),
        Refused::Expired { logins, hours } => words(
            format!(
                "The approval by {} of #{pull} is older than {hours} hours, so it starts no new \
                 publication.",
                listed(logins)
            ),
            format!(
                "Approve #{pull} again, by a review or by commenting `{prefix} approve SHA` there; \
                 then run this workflow again. The limit is `approval-hours` in the workflow file, or \
                 `[release] approval_hours` in `{RULES_PATH}` if that is sooner."
            ),
        ),
        Refused::CheckMissing { .. } | Refused::CheckNotGreen { .. } => check(refused, asked),
        Refused::NoSuchPull
        | Refused::NotMerged
        | Refused::MergedAs { .. }
        | Refused::NotOnDefaultBranch { .. }
        | Refused::OtherBase { .. }
        | Refused::NoReleaseBranch { .. }
        | Refused::FromAFork
        | Refused::NotOrdered
        | Refused::TouchesWorkflows { .. } => wrong_pull(refused, asked, prefix),
        Refused::TreesDiffer { head } => words(
            format!(
                "`{commit}` holds other files than `{}`, the head of #{pull} that was approved: \
                 the base moved in between.",
                head.short()
            ),
            format!(
                "Nobody approved what would be released. Bring #{pull} up to date before it is merged: {release}."
            ),
        ),
        Refused::BadRules { problem } => words(
            format!(
                "`.github/gander.toml` at `{commit}` cannot be used: {}.",
                inline(problem, 200)
            ),
            format!("Mend it on the default branch, then {release}."),
        ),
        Refused::NotOnePackage { changelogs } => {
            let what = match changelogs.as_slice() {
                [] => "no package".to_owned(),
                several => {
                    format!("several packages ({})", listed(several.iter().map(|it| code(it))))
                }
            };
            words(
                format!("#{pull} changes the changelog of {what}, and a release is of one."),
                format!("Propose each by itself: `{prefix} release package=NAME`."),
            )
        }
        Refused::NoVersion => words(
            format!("The changelog at `{commit}` has no section with a version."),
            format!(
                "Its newest section, as `## 1.2.0`, names the release. Add it, then {release}."
            ),
        ),
        Refused::OtherManifest
        | Refused::OtherBuild { .. }
        | Refused::OtherAttempt { .. }
        | Refused::FileTwice { .. }
        | Refused::FileMissing { .. }
        | Refused::FileChanged { .. }
        | Refused::FileUnknown { .. } => other_build(refused),
        Refused::TagElsewhere { .. }
        | Refused::ReleaseTaken { .. }
        | Refused::OtherCommit { .. }
        | Refused::AssetDiffers { .. }
        | Refused::AssetUnknown { .. } => taken(refused, prefix),
    }
}

fn wrong_pull(refused: &Refused, asked: &ReleaseRequest, prefix: &str) -> Words {
    let (pull, commit) = (asked.pull, asked.commit.short());
    let hint = format!(
        "Start this workflow with the release pull request and the commit it was merged as, or \
         let `{prefix} release` do it."
    );
    match refused {
        Refused::NotMerged => words(
            format!("#{pull} is not merged."),
            format!("Approve and merge it first; `{prefix} release status` shows where it stands."),
        ),
        Refused::MergedAs { commit: merged } => {
            words(format!("#{pull} was merged as `{}`, not as `{commit}`.", merged.short()), hint)
        }
        Refused::NotOnDefaultBranch { branch } => words(
            format!("`{commit}` is not on `{branch}`, the default branch."),
            "Find out who moved the branch before anything is released.",
        ),
        Refused::OtherBase { base, default } => words(
            format!("#{pull} was merged into `{base}`; releases are made from `{default}`."),
            hint,
        ),
        Refused::NoReleaseBranch { branch } => words(
            format!(
                "#{pull} comes from {}; a release pull request comes from `gander/release…`.",
                inline(branch, 80)
            ),
            hint,
        ),
        Refused::FromAFork => words(
            format!("#{pull} comes from another repository; a release pull request does not."),
            hint,
        ),
        Refused::NotOrdered => words(
            format!("Nobody can tell who ordered #{pull}: its first commit does not say."),
            format!(
                "Let `{prefix} release` make the pull request, or say `requester: allowed` in the \
                 workflow file."
            ),
        ),
        Refused::TouchesWorkflows { path } => words(
            format!(
                "#{pull} changes {}, and a release leaves everything in `.github` alone.",
                inline(path, 200)
            ),
            "Bring that in by a pull request of its own, and release again.",
        ),
        _ => words(format!("There is no pull request #{pull}."), hint),
    }
}

fn not_approved(
    why: &NotApproved,
    head: &Sha,
    asked: &ReleaseRequest,
    terms: &Terms,
    prefix: &str,
) -> Words {
    let (pull, head, role) = (asked.pull, head.short(), terms.role);
    let approve = format!(
        "Somebody with the {role} role approves #{pull} in a review, or comments \
         `{prefix} approve {head}` there; then run this workflow again."
    );
    match why {
        NotApproved::Nobody => words(
            format!("Nobody with the {role} role has approved `{head}`, the head of #{pull}."),
            approve,
        ),
        NotApproved::OtherCommit { login, approved } => words(
            format!(
                "{login} approved `{}`, but #{pull} was merged with the head `{head}`.",
                approved.short()
            ),
            format!("What was pushed in between has no approval. {approve}"),
        ),
        NotApproved::NotAPerson { login } => {
            words(format!("{login} is a program; programs approve nothing."), approve)
        }
        NotApproved::NeedsRole { login, has, needed } => words(
            format!("{login} approved #{pull}, but has {has} permission now and needs {needed}."),
            format!("{approve} The role is `approver-role` in the workflow file."),
        ),
        NotApproved::Requester { login } | NotApproved::Pusher { login } => words(
            format!(
                "{login} ordered this release or wrote some of it, and cannot approve it alone."
            ),
            format!("{approve} The rule is `requester` in the workflow file."),
        ),
        NotApproved::SecondNeeded { login, because } => words(
            format!("{login} approved #{pull}, and a second person has to. {}.", why_two(*because)),
            format!("{approve} The rule is `requester` in the workflow file."),
        ),
        NotApproved::Flagged { login, paths } => words(
            format!(
                "{login} approved #{pull}, and since the last release these changed, which people \
                 should look at: {}.",
                flag_names(paths)
            ),
            format!(
                "Look at them. Then {login} comments {} on #{pull}, or a second person with the \
                 {role} role approves it; then run this workflow again.",
                approve_flagged(head, prefix)
            ),
        ),
        NotApproved::NobodyLeft { login, role } => words(
            format!(
                "{login} approved #{pull}, and nobody is left whose approval would count: who has \
                 the {role} role ordered it, pushed some of it or may have."
            ),
            format!(
                "Give somebody else the {role} role, who then approves; or change `requester` in \
                 the workflow file."
            ),
        ),
        NotApproved::Before { login } => {
            words(format!("{login} approved #{pull} before its base changed."), approve)
        }
        NotApproved::Edited { login } => words(
            format!(
                "{login}'s approving comment was edited after it was written, so it does not count."
            ),
            approve,
        ),
        NotApproved::Objection { login } => words(
            format!("{login} requested changes on #{pull}, and that review still stands."),
            format!("{login} approves or dismisses it; then run this workflow again."),
        ),
    }
}

fn check(refused: &Refused, asked: &ReleaseRequest) -> Words {
    let pull = asked.pull;
    let (check, how, next) = match refused {
        Refused::CheckNotGreen { check, maybe_run_again: true, state: CheckState::Red } => (
            check,
            "is red",
            "A later run of that name is there, and GitHub does not tell this job's token whether it \
             is the same one run again: give this job `actions: read`, then run this workflow again. \
             If it is not, mend what the red one shows.",
        ),
        Refused::CheckNotGreen { check, state, .. } => match state {
            CheckState::Pending => {
                (check, "has not finished", "Run this workflow again when it has.")
            }
            CheckState::Skipped => {
                (check, "was skipped", "Let it run there, then run this workflow again.")
            }
            CheckState::CutOff => {
                (check, "was cut off before it had a result", "Re-run it, then this workflow.")
            }
            CheckState::Red | CheckState::Green => (
                check,
                "is red",
                "Mend what it shows. If it was a hiccup, re-run it, then this workflow.",
            ),
        },
        Refused::CheckMissing { check } => (
            check,
            "was never reported",
            "Is it spelt as on the pull request's page, and is the App's number right? The list is \
             `required-checks` in the workflow file.",
        ),
        _ => return words("", ""),
    };
    let name = inline(&check.name, 80);
    let so = match refused {
        Refused::CheckNotGreen { state: CheckState::Skipped, .. } => ", which is no evidence",
        _ => "",
    };
    words(
        format!("The required check {name} (App {}) {how} on the head of #{pull}{so}.", check.app),
        next,
    )
}

fn other_build(refused: &Refused) -> Words {
    let anew = "Choose *Re-run all jobs*, so that the files are built and checked in one go.";
    let swapped = "Find out what put it there. Then choose *Re-run all jobs*.";
    match refused {
        Refused::OtherManifest => words(
            "The files are not what *build* handed over: their manifest has another SHA-256.",
            "Find out what replaced the artifact. Then choose *Re-run all jobs*.",
        ),
        Refused::OtherBuild { what, says, expected } => words(
            format!(
                "The files were built for another {what}: {} instead of {}.",
                inline(says, 80),
                inline(expected, 80)
            ),
            anew,
        ),
        Refused::OtherAttempt { says, now } => words(
            format!("The files were built by attempt {says} of this run; this is attempt {now}."),
            anew,
        ),
        Refused::FileTwice { name } => words(
            format!("Two files of the build share the name `{name}`."),
            "Give them different names in `[release] artifacts`.",
        ),
        Refused::FileMissing { name } => {
            words(format!("`{name}` is in the manifest, but not among the files."), anew)
        }
        Refused::FileChanged { name } => words(
            format!("`{name}` is not the file that was built: size or SHA-256 differ."),
            swapped,
        ),
        Refused::FileUnknown { name } => {
            words(format!("`{name}` lies among the files, but the build did not make it."), swapped)
        }
        _ => words("", ""),
    }
}

fn taken(refused: &Refused, prefix: &str) -> Words {
    let never = "Gander never moves a tag and never replaces a file.";
    match refused {
        Refused::TagElsewhere { tag, at } => {
            let at = at.as_ref().map_or_else(
                || "as an annotated tag".to_owned(),
                |at| format!("at `{}`", at.short()),
            );
            words(
                format!("The tag `{tag}` exists already, {at}. {never}"),
                format!(
                    "If it is wrong, remove it by hand; else `{prefix} release` the next version."
                ),
            )
        }
        Refused::ReleaseTaken { tag, author } => words(
            format!(
                "There is a release or draft `{tag}` already, by {}, which this workflow did not \
                 make. {never}",
                inline(author, 80)
            ),
            "If it is not wanted, delete it by hand; then run this workflow again.",
        ),
        Refused::OtherCommit { tag, commit } => words(
            format!("There is a release or draft `{tag}` of another commit, `{}`.", commit.short()),
            "If it is not wanted, delete it by hand; then run this workflow again.",
        ),
        Refused::AssetDiffers { tag, name } => words(
            format!(
                "The release `{tag}` has a file {} with other content. {never}",
                inline(name, 120)
            ),
            "If an earlier try of this build left it, delete that draft by hand and run this \
             workflow again. If not, find out who put it there.",
        ),
        Refused::AssetUnknown { tag, name } => words(
            format!(
                "The release `{tag}` has a file {} that was not built here.",
                inline(name, 120)
            ),
            "Find out who put it there; delete the draft by hand and run this workflow again.",
        ),
        _ => words("", ""),
    }
}

/// The page of a run that published nothing.
pub fn refused_summary(words: &Words) -> String {
    format!("## Not released\n\n**{}**\n\n{}\n\nNothing was published.\n", words.what, words.next)
}

/// The page of a run that only looked.
pub fn may_be_released(plan: &ReleasePlan, asked: &ReleaseRequest) -> String {
    format!(
        "## {} may be released\n\n`{}` is the merge of #{}, approved by {}.\n",
        plan.tag(),
        plan.mark().commit.short(),
        asked.pull,
        listed(plan.approval().logins()),
    )
}

/// The page of a run that published.
pub fn released_summary(
    plan: &ReleasePlan,
    asked: &ReleaseRequest,
    url: &str,
    again: bool,
) -> String {
    let what = if again { "is published already" } else { "is published" };
    let approval = plan.approval();
    let mut text = format!(
        "## [{}]({url}) {what}\n\nFrom `{}`, the merge of #{}, approved by {}.\n\n",
        plan.tag(),
        plan.mark().commit.short(),
        asked.pull,
        listed(approval.logins()),
    );
    if plan.files().is_empty() {
        text.push_str("It has no files.\n");
        return text;
    }
    text.push_str(&file_table(plan.files()));
    text
}

/// The page of a run that built.
pub fn built_summary(manifest: &BuildManifest) -> String {
    let commit = manifest.commit.short();
    let mut text = format!("## Built {} from `{commit}`\n\n", manifest.tag);
    if manifest.files.is_empty() {
        text.push_str("`[release] artifacts` names no files, so the release will have none.\n");
        return text;
    }
    text.push_str(&file_table(&manifest.files));
    text
}

fn file_table(files: &[Artifact]) -> String {
    let mut text = "| file | size | SHA-256 |\n|---|---:|---|\n".to_owned();
    for file in files {
        let _ = writeln!(text, "| `{}` | {} | `{}` |", file.name, size(file.size), file.sha256);
    }
    text
}

/// A size for people.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{}.{} KiB", bytes / 1024, bytes % 1024 * 10 / 1024),
        _ => format!("{}.{} MiB", bytes / 1_048_576, bytes % 1_048_576 * 10 / 1_048_576),
    }
}

/// One command and how it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// As it stands in the rules or was found out.
    pub line: String,
    /// What it came to.
    pub result: RanResult,
    /// How it ended: `exit code 101`.
    pub ended: String,
    /// In seconds.
    pub seconds: u64,
    /// What of its output matters.
    pub output: String,
    /// What failed, as `src/lib.rs:7 text`.
    pub points: Vec<String>,
}

/// What a command came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RanResult {
    /// It succeeded.
    Passed,
    /// It succeeded, and by its own account ran no test.
    NoTestRun,
    /// It did not succeed.
    Failed,
}

/// The page of a run of commands. `what` is `Tests` or `Build`.
pub fn ran_summary(what: &str, ran: &[Ran]) -> String {
    let failed = |one: &&Ran| one.result == RanResult::Failed;
    let word = if ran.iter().any(|one| failed(&one)) { "failed" } else { "passed" };
    let mut text = format!("## {what} {word}\n\n| command | result | time |\n|---|---|---:|\n");
    for one in ran {
        let result = match one.result {
            RanResult::Passed => "✅ passed".to_owned(),
            RanResult::NoTestRun => "✅ passed, no test was run".to_owned(),
            RanResult::Failed => format!("❌ {}", one.ended),
        };
        let line = one.line.replace('|', "\\|");
        let _ = writeln!(text, "| {} | {result} | {} s |", code(&line), one.seconds);
    }
    for one in ran.iter().filter(failed) {
        let _ = write!(text, "\n### {}\n\n", code(&one.line));
        for point in &one.points {
            let _ = writeln!(text, "- {}", inline(point, 300));
        }
        if !one.points.is_empty() {
            text.push('\n');
        }
        let _ = writeln!(
            text,
            "<details{}><summary>Output, shortened</summary>\n\n{}\n\n</details>",
            if one.points.is_empty() { " open" } else { "" },
            boxed(&one.output, 6000)
        );
    }
    text
}

fn code(text: &str) -> String {
    format!("`{}`", text.replace('`', "'").replace('\n', " "))
}
