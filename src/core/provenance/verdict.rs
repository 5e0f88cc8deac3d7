//! What of a statement about a release holds, in words.
//!
//! Invariants: nothing here is believed because the statement says it: who signed it comes from the
//! certificate, what is expected from whoever asks; what fails is said with what was expected.

use std::collections::BTreeSet;

use super::{ReleaseStatement, StatedApproval, StatedState};
use crate::core::approval::VoteSource;
use crate::core::id::Sha;
use crate::core::policy::Requester;
use crate::core::text::listed;

/// Who signed, as the certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Signer {
    /// Who vouches for the rest.
    pub issuer: String,
    /// The workflow file, with the branch that it is of.
    pub workflow: String,
    /// The address of the repository.
    pub repository: String,
    /// Its number.
    pub repository_id: String,
    /// The commit that the workflow file is of.
    pub commit: String,
    pub trigger: String,
    /// `github-hosted`, or another.
    pub runner: String,
    /// The page of the run.
    pub run: String,
}

/// What whoever asks expects.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Expected {
    pub issuer: String,
    /// The address of the repository.
    pub repository: String,
    /// The path of the workflow file.
    pub workflow: String,
    /// The branch whose workflow file counts.
    pub branch: String,
    /// The tag as it stands, where that is known.
    pub tag: Option<ReleaseTag>,
}

/// A tag and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ReleaseTag {
    pub name: String,
    pub commit: Sha,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Observation {
    pub holds: bool,
    pub words: String,
}

/// Runs of a release workflow are started so: by Gander or by a person.
const TRIGGERS: [&str; 2] = ["repository_dispatch", "workflow_dispatch"];

impl Observation {
    /// Of something that holds.
    pub fn holds(words: impl Into<String>) -> Self {
        Self { holds: true, words: words.into() }
    }

    /// Of something that does not.
    pub fn fails(words: impl Into<String>) -> Self {
        Self { holds: false, words: words.into() }
    }
}

/// What of a statement holds. `signer` is `None` where nobody signed it.
pub fn look(
    statement: &ReleaseStatement,
    signer: Option<&Signer>,
    expected: &Expected,
) -> Vec<Observation> {
    let mut found = match signer {
        Some(signer) => signed(statement, signer, expected),
        None => vec![Observation::fails(
            "nobody signed it: whoever may write to the release page could have written it",
        )],
    };
    found.extend(expected.tag.as_ref().map(|tag| is_tag(statement, tag)));
    found.push(approved(statement));
    found.push(checked(statement));
    found
}

fn signed(statement: &ReleaseStatement, signer: &Signer, expected: &Expected) -> Vec<Observation> {
    let mut found = Vec::new();
    if signer.issuer != expected.issuer {
        found.push(Observation::fails(format!(
            "{} vouches for whoever signed it, not {}",
            cut(&signer.issuer, 80),
            cut(&expected.issuer, 80)
        )));
    }
    found.push(of_repository(statement, signer, expected));
    found.push(by_workflow(statement, signer, expected));
    let run = statement.predicate.run.id;
    if !signer.run.contains(&format!("/runs/{run}/")) {
        found.push(Observation::fails(format!(
            "it speaks of run {run}, and was signed in {}",
            cut(&signer.run, 200)
        )));
    }
    if !TRIGGERS.contains(&signer.trigger.as_str()) {
        found.push(Observation::fails(format!(
            "the run that signed it was started by `{}`; a release is started by {}",
            cut(&signer.trigger, 40),
            TRIGGERS.map(|it| format!("`{it}`")).join(" or ")
        )));
    }
    found
}

fn of_repository(
    statement: &ReleaseStatement,
    signer: &Signer,
    expected: &Expected,
) -> Observation {
    let stated = &statement.predicate.repository;
    if !signer.repository.eq_ignore_ascii_case(&expected.repository) {
        return Observation::fails(format!(
            "it was signed in {}, not in {}",
            cut(&signer.repository, 120),
            cut(&expected.repository, 120)
        ));
    }
    let named = expected.repository.to_ascii_lowercase();
    let stands = named.ends_with(&format!("/{}", stated.name).to_ascii_lowercase());
    if !stands || signer.repository_id != stated.id.to_string() {
        return Observation::fails(format!(
            "it speaks of the repository {} ({}), and was signed in number {}",
            stated.name,
            stated.id,
            cut(&signer.repository_id, 20)
        ));
    }
    let runner = match signer.runner.as_str() {
        "github-hosted" => "on a machine of GitHub's",
        _ => "on a machine of its owner's",
    };
    Observation::holds(format!("signed in {}, {runner}: {}", stated.name, cut(&signer.run, 200)))
}

fn by_workflow(statement: &ReleaseStatement, signer: &Signer, expected: &Expected) -> Observation {
    let (workflow, reference) = signer.workflow.rsplit_once('@').unwrap_or((&signer.workflow, ""));
    let path = workflow.strip_prefix(&signer.repository).map(|path| path.trim_start_matches('/'));
    let branch = reference.strip_prefix("refs/heads/").unwrap_or(reference);
    if path != Some(expected.workflow.as_str()) {
        return Observation::fails(format!(
            "`{}` signed it, not `{}`",
            cut(path.unwrap_or(workflow), 160),
            cut(&expected.workflow, 160)
        ));
    }
    let default = statement.predicate.repository.default_branch.as_str();
    if branch != expected.branch || branch != default {
        let (branch, wanted) = (cut(branch, 80), cut(&expected.branch, 80));
        return Observation::fails(format!(
            "the workflow file of `{branch}` signed it, not that of `{wanted}`: where `{branch}` is \
             the default branch, say `--branch {branch}`"
        ));
    }
    let commit: String = signer.commit.chars().take(12).collect();
    Observation::holds(format!(
        "by `{}` as it stood on `{}` at `{}`: that file says who may approve",
        cut(&expected.workflow, 160),
        cut(branch, 80),
        cut(&commit, 12)
    ))
}

fn is_tag(statement: &ReleaseStatement, tag: &ReleaseTag) -> Observation {
    let stated = &statement.predicate.release;
    if stated.tag == tag.name && stated.commit == tag.commit {
        return Observation::holds(format!(
            "the tag `{}` stands at `{}`, the merge of #{}",
            tag.name,
            tag.commit.short(),
            stated.pull
        ));
    }
    Observation::fails(format!(
        "it is of {} at `{}`, and the tag `{}` stands at `{}`",
        cut(&stated.tag, 80),
        stated.commit.short(),
        cut(&tag.name, 80),
        tag.commit.short()
    ))
}

/// What of the release gate's questions can be asked again: of the very head, by the role, and by
/// two where flagged paths are released.
fn approved(statement: &ReleaseStatement) -> Observation {
    let (release, terms) = (&statement.predicate.release, &statement.predicate.terms);
    let approvals = &statement.predicate.approvals;
    if approvals.is_empty() {
        return Observation::fails("it names nobody who approved it");
    }
    if let Some(other) = approvals.iter().find(|it| it.commit != release.head) {
        return Observation::fails(format!(
            "{} approved `{}`, and `{}` was released",
            other.login,
            other.commit.short(),
            release.head.short()
        ));
    }
    if let Some(small) = approvals.iter().find(|it| it.role < terms.approver_role) {
        return Observation::fails(format!(
            "{} approved with the {} role, and {} is asked for",
            small.login, small.role, terms.approver_role
        ));
    }
    let ordered = |it: &&StatedApproval| release.requested_by.contains(&it.id);
    if terms.requester == Requester::Never
        && let Some(own) = approvals.iter().find(ordered)
    {
        return Observation::fails(format!(
            "{} ordered the release and approved it, which `requester: never` forbids",
            own.login
        ));
    }
    let edited = |it: &&StatedApproval| matches!(it.by, VoteSource::Comment { edited: true, .. });
    if let Some(edited) = approvals.iter().find(edited) {
        return Observation::fails(format!(
            "{} approved in a comment that was edited",
            edited.login
        ));
    }
    let people: BTreeSet<_> = approvals.iter().map(|it| it.id).collect();
    let meant = |it: &StatedApproval| matches!(it.by, VoteSource::Comment { flagged: true, .. });
    let flagged = &statement.predicate.changes.flagged;
    if !flagged.is_empty() && people.len() < 2 && !approvals.iter().any(meant) {
        return Observation::fails(format!(
            "{} flagged path{} changed, and one person approved without naming them",
            flagged.len(),
            if flagged.len() == 1 { "" } else { "s" }
        ));
    }
    let who = listed(approvals.iter().map(|it| format!("{} ({})", it.login, it.role)));
    Observation::holds(format!(
        "{who} approved `{}`, the head of #{}, whose files were released",
        release.head.short(),
        release.pull
    ))
}

fn checked(statement: &ReleaseStatement) -> Observation {
    let predicate = &statement.predicate;
    let required = &predicate.terms.required_checks;
    if required.is_empty() {
        return Observation::holds("no check was asked for".to_owned());
    }
    for check in required {
        let mut seen = predicate.checks.iter().filter(|it| it.check == *check).peekable();
        let name = cut(&check.name, 80);
        if seen.peek().is_none() {
            return Observation::fails(format!("the required check {name} was not seen"));
        }
        if seen.any(|it| it.state != StatedState::Green) {
            return Observation::fails(format!("the required check {name} was not green"));
        }
    }
    let names = listed(required.iter().map(|it| cut(&it.name, 80)));
    Observation::holds(format!("green on it: {names}"))
}

/// The beginning of what others wrote, in one line.
fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
