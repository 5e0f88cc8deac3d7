//! From a verified change to a merged one: holding back, checking a person's commit, merging, and
//! saying why not.
//!
//! What holds: whether to merge is decided on a look made now, not on the one that suggested it.

use std::collections::BTreeSet;

use tokio_util::sync::CancellationToken;

use super::fix;
use super::perform::{about, rules_and_base};
use super::{Fault, Worker};
use crate::core::evidence::Verdict;
use crate::core::id::Sha;
use crate::core::job::{Base, Fact, Job};
use crate::core::policy::{Ack, PublishMode, Rules};
use crate::core::report;
use crate::core::text::inline;
use crate::forge::BranchHead;
use crate::publish::{self, Merging, talk::say_once};
use crate::workspace::diff;
use crate::workspace::mirror::{EntryMode, Mirror, MirrorError, TreeEntry};
use crate::workspace::patch::Patch;

/// A workflow larger than this is not read, and so counts as risky.
const LARGEST_WORKFLOW: u64 = 256 * 1024;

impl Worker {
    /// Whether pushing has to wait for a person's word, and why.
    pub(super) async fn held_back(
        &self,
        job: &Job,
        rules: &Rules,
        base: &Base,
        patch: &Patch,
    ) -> Result<Option<Fact>, Fault> {
        let let_out = match rules.publish.ack {
            Ack::Each => job.review.go.as_ref() == Some(&patch.digest()),
            Ack::Once => job.review.go.is_some(),
        };
        if let_out || rules.publish.mode == Some(PublishMode::Branch) {
            return Ok(None);
        }
        let risks = match rules.publish.mode {
            Some(_) => Vec::new(),
            None => {
                let risks = self.workflow_risks(job, base).await?;
                if risks.is_empty() {
                    return Ok(None);
                }
                risks
            }
        };
        let mirror = self.mirror(job, &base.sha).await?;
        let entries = mirror.list(&base.sha).await?;
        let patch_shown = patch.clone();
        let (files, diff) = fix::blocking(move || held(&mirror, &entries, &patch_shown)).await??;
        Ok(Some(Fact::Held { patch: patch.digest(), risks, files, diff }))
    }

    /// What workflows would do with a push of ours: those on our branch, and those on the base and the
    /// default branch as they stand now, from where GitHub takes some.
    async fn workflow_risks(&self, job: &Job, base: &Base) -> Result<Vec<String>, Fault> {
        let (forge, place) = (&self.parts.forge, &job.place);
        let default = forge.repository(place).await?.default_branch;
        let default = default.parse().map_err(|bad| Fault::permanent(&bad))?;
        let mut commits = vec![base.sha.clone()];
        for branch in BTreeSet::from([&base.branch, &default]) {
            if let BranchHead::At(tip) = forge.branch_head(place, branch).await?
                && !commits.contains(&tip)
            {
                commits.push(tip);
            }
        }
        let mut risks = BTreeSet::new();
        for commit in &commits {
            risks.extend(self.workflow_risks_at(commit, job, base).await?);
        }
        Ok(risks.into_iter().collect())
    }

    async fn workflow_risks_at(
        &self,
        commit: &Sha,
        job: &Job,
        base: &Base,
    ) -> Result<Vec<String>, Fault> {
        let mirror = self.mirror(job, commit).await?;
        let (mut workflows, mut unread) = (Vec::new(), Vec::new());
        for entry in mirror.list(commit).await? {
            let path = String::from_utf8_lossy(&entry.path).into_owned();
            let is_file = matches!(entry.mode, EntryMode::File | EntryMode::Executable);
            let is_yaml = path.ends_with(".yml") || path.ends_with(".yaml");
            if !(is_file && is_yaml && path.starts_with(publish::scan::WORKFLOWS)) {
                continue;
            }
            let Ok(name) = path.parse() else {
                unread.push(format!("{}: its name cannot be read", inline(&path, 100)));
                continue;
            };
            match mirror.read_file(commit, &name, LARGEST_WORKFLOW) {
                Ok(bytes) => workflows.push((path, bytes.unwrap_or_default())),
                Err(MirrorError::TooLarge { .. }) => {
                    unread.push(format!("{path}: too large to be read"));
                }
                Err(error) => return Err(error.into()),
            }
        }
        let workflows: Vec<(&str, &[u8])> =
            workflows.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect();
        let found = publish::scan::risks(&workflows, &job.branch(), &base.branch);
        Ok(found.iter().map(ToString::to_string).chain(unread).collect())
    }

    /// Runs the project's checks on a commit that a person made.
    pub(super) async fn check_head(
        &self,
        job: &Job,
        head: &Sha,
        stop: &CancellationToken,
    ) -> Result<Fact, Fault> {
        let (rules, base) = rules_and_base(job)?;
        let at = Base { branch: base.branch.clone(), sha: head.clone() };
        let rooms = self.rooms(job, &at).await?;
        let logs = rooms.records.join(format!("head-{}", head.short()));
        let nothing = Patch::default();
        let evidence = fix::check(&about(job, rules, &at), &rooms, &nothing, &logs, stop).await?;
        let failed = match evidence.verdict() {
            Verdict::Green(_) => None,
            Verdict::Red | Verdict::Unknown => {
                let why = evidence.failures().next();
                Some(why.map_or_else(String::new, |(name, why)| format!("{name}: {why}")))
            }
        };
        Ok(Fact::HeadChecked { head: head.clone(), failed })
    }

    /// Merges, if what is seen now still allows it; else what is seen decides.
    pub(super) async fn merge(&self, job: &Job) -> Result<Fact, Fault> {
        let Some(sight) = Box::pin(self.look(job)).await? else {
            return Ok(Fact::NotMerged { why: "there is no pull request".to_owned() });
        };
        let Some(approval) = job.merges(&sight) else { return Ok(Fact::Seen(Box::new(sight))) };
        let method = sight.rules.as_ref().map(|rules| rules.merge.method).unwrap_or_default();
        let words = report::merge_message(job, &self.setting(job));
        let words = (words.0.as_str(), words.1.as_str());
        Ok(match publish::merge(&self.parts.forge, &job.place, approval, method, words).await? {
            Merging::Done { by, .. } => Fact::Merged { by },
            // GitHub's words are only shown. Somebody may have pushed meanwhile.
            Merging::Refused { why } => match Box::pin(self.look(job)).await? {
                Some(again) if job.merges(&again).is_none() => Fact::Seen(Box::new(again)),
                _ => Fact::NotMerged { why },
            },
        })
    }

    /// Says on the pull request why it does not go on.
    pub(super) async fn explain(&self, job: &Job) -> Result<(), Fault> {
        match report::explanation(job, &self.setting(job)) {
            Some(text) => self.say_once(job, &text).await,
            None => Ok(()),
        }
    }

    /// Says on the pull request that no round is left.
    pub(super) async fn refuse_round(&self, job: &Job, limit: u32) -> Result<(), Fault> {
        self.say_once(job, &report::no_round_left(job, limit, &self.setting(job))).await
    }

    /// One text for each situation, once.
    async fn say_once(&self, job: &Job, text: &str) -> Result<(), Fault> {
        let Some(pull) = &job.pull else { return Ok(()) };
        let marker = report::marker(job.id.as_str(), &report::situation(job, text));
        let signed = report::signed(text, &marker);
        Ok(say_once(&self.parts.forge, &job.place, pull.number, (&signed, &marker)).await?)
    }
}

/// What people are shown of a change that is held back: its files, and its beginning.
fn held(
    mirror: &Mirror,
    entries: &[TreeEntry],
    patch: &Patch,
) -> Result<(Vec<String>, String), MirrorError> {
    let base = diff::base_files(mirror, entries, patch)?;
    let text = String::from_utf8_lossy(&diff::unified(patch, &base)).into_owned();
    // One more than is shown, so that the box says where it was cut.
    let diff = text.chars().take(report::HELD_CAP + 1).collect();
    let files = patch.changes.iter().map(|(path, change)| {
        let changes = [(path.clone(), change.clone())].into();
        let (added, removed) = diff::lines(&Patch { changes }, &base);
        format!("+{added} -{removed} {path}")
    });
    Ok((files.collect(), diff))
}
