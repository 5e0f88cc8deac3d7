//! What a branch asks of a commit before it takes it in, and what a pull request still lacks.
//!
//! Invariants: the same rules judge a person's button, the API's merge and a pushed ref; a check
//! asked of one App is not met by another's of the same name, nor one workflow's by another's. A
//! required check that was skipped or is neutral counts as passed (GitHub's documentation, "About
//! protected branches").
//!
//! The words are those that the API has answered to others: for a merge queue in
//! `pascalgn/automerge-action#235`, for merge commits in `chdsbd/kodiak#295`, for ways to merge
//! that a ruleset leaves out in `apstndb/spanner-mycli#307`, for a ruleset's form in
//! `microsoft/winget-pkgs#379724`, for signatures in `vercel/sandbox#169`.

use super::state::{Issue, Protection, Pull, Repository, RequiredCheck, Review, State};

/// How a required check stands on a commit, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Passed,
    Running,
    Failed,
    Absent,
}

fn standing(known: &Repository, check: &RequiredCheck, sha: &str) -> Standing {
    let latest = known.latest_on(sha).into_iter();
    let runs = latest
        .filter(|run| run.name == check.name && check.app.is_none_or(|app| app == run.app))
        .map(|run| match run.conclusion.as_deref() {
            Some("success" | "neutral" | "skipped") => Standing::Passed,
            Some(_) => Standing::Failed,
            None => Standing::Running,
        });
    let mut statuses = known.statuses.iter().rev();
    let status = statuses.find(|status| {
        status.sha == sha
            && status.context == check.name
            && check.app.is_none_or(|app| status.app == Some(app))
    });
    let of_status = status.map(|status| match status.state.as_str() {
        "success" => Standing::Passed,
        "pending" => Standing::Running,
        _ => Standing::Failed,
    });
    // All of one name must be green: those of every workflow, and the status.
    runs.chain(of_status).max().unwrap_or(Standing::Absent)
}

/// Which check a branch asks for that a commit has not passed, in GitHub's words.
pub(crate) fn unmet_check(known: &Repository, branch: &str, sha: &str) -> Option<String> {
    let protection = known.protections.get(branch)?;
    let mut unmet = protection.required_checks.iter().filter_map(|check| {
        let word = match standing(known, check, sha) {
            Standing::Passed => return None,
            Standing::Running => "in progress",
            Standing::Failed => "failing",
            Standing::Absent => "expected",
        };
        Some(format!("Required status check \"{}\" is {word}.", check.name))
    });
    unmet.next()
}

/// What a branch asks for that a commit, put there without a pull request, lacks.
pub(crate) fn why_no_push(known: &Repository, branch: &str, sha: &str) -> Option<String> {
    let protection = known.protections.get(branch)?;
    if protection.approvals > 0 {
        return Some("Changes must be made through a pull request.".to_owned());
    }
    unmet_check(known, branch, sha)
}

/// What GitHub says where a commit has no signature that it knows.
pub(crate) const UNSIGNED: &str = "Commits must have verified signatures.";

/// What a pull request lacks of what its base asks for, in GitHub's words.
pub(crate) fn why_no_merge(
    state: &State,
    known: &Repository,
    issue: &Issue,
    pull: &Pull,
) -> Option<String> {
    let protection = known.protections.get(&pull.base_branch)?;
    let lacks = lacking(state, known, issue, (pull, protection))?;
    if protection.by_ruleset {
        return Some(format!("Repository rule violations found\n\n{lacks}\n\n"));
    }
    Some(lacks)
}

fn lacking(
    state: &State,
    known: &Repository,
    issue: &Issue,
    (pull, protection): (&Pull, &Protection),
) -> Option<String> {
    let base = known.refs.get(&format!("refs/heads/{}", pull.base_branch));
    let contained = base.is_none_or(|base| known.git.is_ancestor(base, &pull.head_sha));
    if protection.up_to_date && !contained {
        return Some("Head branch is out of date. Update it and try the merge again.".to_owned());
    }
    if let Some(check) = unmet_check(known, &pull.base_branch, &pull.head_sha) {
        return Some(check);
    }
    let deployed = |to: &&String| known.deployed.contains(&(pull.head_sha.clone(), (*to).clone()));
    if let Some(to) = protection.environments.iter().find(|to| !deployed(to)) {
        return Some(format!("Missing successful active {to} deployment."));
    }
    let mut threads = known.review_comments.values();
    let open = threads.any(|one| {
        one.pull == issue.number
            && one.in_reply_to.is_none()
            && !known.resolved.contains_key(&one.id)
    });
    if protection.conversations && open {
        let words = "A conversation must be resolved before this pull request can be merged.";
        return Some(words.to_owned());
    }
    if protection.signatures && has_unsigned(known, pull) {
        return Some(UNSIGNED.to_owned());
    }
    if protection.approvals == 0 {
        return None;
    }
    let (approved, refused) = votes(state, known, issue.number);
    if refused > 0 {
        return Some("Changes requested by reviewers with write access.".to_owned());
    }
    if approved >= protection.approvals {
        return None;
    }
    let (count, plural) = (protection.approvals, if protection.approvals == 1 { "" } else { "s" });
    let is = if count == 1 { "is" } else { "are" };
    Some(format!(
        "At least {count} approving review{plural} {is} required by reviewers with write access."
    ))
}

/// Whether a commit of a pull request is not signed. Here only GitHub signs.
fn has_unsigned(known: &Repository, pull: &Pull) -> bool {
    let commits = known.git.commits_between(&pull.base_sha, &pull.head_sha).unwrap_or_default();
    let signed =
        |sha: &String| known.git.commit(sha).is_ok_and(|commit| commit.signature.is_some());
    !commits.iter().all(signed)
}

/// How many of those who may write approve of a pull request, and how many ask for changes: each by
/// their last word, which counts as none once it was dismissed.
fn votes(state: &State, known: &Repository, number: u64) -> (u64, u64) {
    let said = known.reviews.iter().filter(|one| one.pull == number && one.state != "COMMENTED");
    let mut last: Vec<&Review> = Vec::new();
    for review in said.filter(|review| state.may_write(known, review.author)) {
        last.retain(|other| other.author != review.author);
        last.push(review);
    }
    let count = |word: &str| last.iter().filter(|review| review.state == word).count() as u64;
    (count("APPROVED"), count("CHANGES_REQUESTED"))
}

/// What GraphQL calls `reviewDecision`.
pub(crate) fn review_decision(
    state: &State,
    known: &Repository,
    issue: &Issue,
) -> Option<&'static str> {
    let base = issue.pull.as_ref().map(|pull| pull.base_branch.as_str());
    let protection = base.and_then(|base| known.protections.get(base));
    let asked = protection.map_or(0, |protection| protection.approvals);
    let (approved, refused) = votes(state, known, issue.number);
    match (refused, approved) {
        (1.., _) => Some("CHANGES_REQUESTED"),
        (0, approved) if approved > 0 && approved >= asked => Some("APPROVED"),
        _ if asked > 0 => Some("REVIEW_REQUIRED"),
        _ => None,
    }
}

/// Whether a pull request can be merged, and the word for it: `mergeable` and `mergeable_state`.
pub(crate) fn mergeability(
    state: &State,
    known: &Repository,
    issue: &Issue,
    pull: &Pull,
) -> (Option<bool>, &'static str) {
    if !issue.open || !pull.mergeability_asked {
        return (None, "unknown");
    }
    let base = known.refs.get(&format!("refs/heads/{}", pull.base_branch));
    let base = base.unwrap_or(&pull.base_sha);
    if known.git.merged_tree(base, &pull.head_sha).is_none() {
        return (Some(false), "dirty");
    }
    let protection = known.protections.get(&pull.base_branch);
    let behind = protection.is_some_and(|protection| protection.up_to_date)
        && !known.git.is_ancestor(base, &pull.head_sha);
    let word = if pull.draft {
        "draft"
    } else if behind {
        "behind"
    } else if why_no_merge(state, known, issue, pull).is_some() {
        "blocked"
    } else if is_unstable(known, &pull.head_sha) {
        "unstable"
    } else {
        "clean"
    };
    (Some(true), word)
}

/// Whether something that nobody asked for is red, or not done yet.
fn is_unstable(known: &Repository, sha: &str) -> bool {
    let runs = known.check_runs.iter().filter(|run| run.head_sha == sha).map(|run| &run.name);
    let statuses = known.statuses.iter().filter(|one| one.sha == sha).map(|one| &one.context);
    runs.chain(statuses).any(|name| {
        let check = RequiredCheck { name: name.clone(), app: None };
        standing(known, &check, sha) != Standing::Passed
    })
}
