//! The release pull request as it is now: looked at, brought up to date, merged.
//!
//! What holds: whether to merge is judged again in the step that merges; GitHub is told which commit;
//! the base must be the one the head was made on, so that what is merged is what was approved.

use super::{Fault, Worker, planned};
use crate::core::approval::{Approval, NotApproved, Question, Tried};
use crate::core::event::SKIP_LABEL;
use crate::core::id::{Number, Sha, Timestamp};
use crate::core::policy::{MergeOn, Rules};
use crate::core::release::{Blocked, Fact, Merged, Release, Step};
use crate::core::report::release as words;
use crate::core::task::Task;
use crate::core::witness::is_the_runs_own;
use crate::forge::BranchHead;
use crate::forge::payload::PullDetail;
use crate::publish::release::{Refreshed, refresh};
use crate::publish::{self, Merging};
use crate::worker::ci::{Checks, Head};
use crate::worker::look::{is_clean, is_skipped};

/// What a look shows.
enum Sight {
    /// Something else than what the release believes.
    Other(Fact),
    /// What it believes, whether there is consent, and whether GitHub says that nothing is in the way.
    Same { rules: Box<Rules>, consent: Result<Approval, NotApproved>, clean: bool },
}

impl Worker {
    /// `None`: nothing that the release does not know.
    pub(super) async fn look_at_release(&self, release: &Release) -> Result<Option<Fact>, Fault> {
        Ok(match self.sight_of(release).await? {
            Sight::Other(fact) => Some(fact),
            Sight::Same { rules, consent: Ok(approval), clean } => {
                let by_command = approval.by_command();
                let not_by_us = match rules.merge.on {
                    MergeOn::Never => Some(Blocked::Button),
                    MergeOn::Command if !by_command => Some(Blocked::Command),
                    MergeOn::Command | MergeOn::Review => None,
                };
                let why = match not_by_us {
                    Some(why) => Some(why),
                    None => self.in_the_way(release, &rules, &approval).await?,
                };
                let head = approval.head().clone();
                let rules = rules.binding();
                let on = Tried { word: approval.word(), rules, clean };
                Some(match why {
                    None => Fact::Approved(approval, on),
                    Some(why) => Fact::NotMerged { head, why },
                })
            }
            Sight::Same { consent: Err(why), .. } => {
                let head = head_of(release)?.clone();
                Some(if why == NotApproved::Nobody {
                    Fact::Free { head }
                } else {
                    Fact::NotMerged { head, why: Blocked::NotApproved(why) }
                })
            }
        })
    }

    pub(super) async fn merge_release(&self, release: &Release, head: &Sha) -> Result<Fact, Fault> {
        let (rules, approval) = match self.sight_of(release).await? {
            Sight::Other(fact) => return Ok(fact),
            Sight::Same { rules, consent: Ok(approval), .. } => (rules, approval),
            Sight::Same { consent: Err(why), .. } => {
                let why = Blocked::NotApproved(why);
                return Ok(Fact::NotMerged { head: head.clone(), why });
            }
        };
        if let Some(why) = self.in_the_way(release, &rules, &approval).await? {
            return Ok(Fact::NotMerged { head: head.clone(), why });
        }
        let forge = &self.parts.forge;
        let (title, message) = words::merge_message(release, planned(release)?, &approval);
        let (method, message) = (rules.merge.method, (title.as_str(), message.as_str()));
        match publish::merge(forge, &release.place, &approval, method, message).await? {
            Merging::Done { commit, by } => Ok(Fact::Merged(Merged { commit, by })),
            // Whatever stands in the way may be something that the release can go on from.
            Merging::Refused { why } => Ok(match self.sight_of(release).await? {
                Sight::Other(fact) => fact,
                Sight::Same { .. } => {
                    Fact::NotMerged { head: head.clone(), why: Blocked::Refused { why } }
                }
            }),
        }
    }

    /// Merges the moved base into a branch that holds people's commits.
    pub(super) async fn refresh_release(
        &self,
        release: &Release,
        base: &Sha,
    ) -> Result<Fact, Fault> {
        Ok(match refresh(&self.parts.forge, release, base).await? {
            Refreshed::At(head) => {
                let version = self.version_at(release, &head).await?;
                Fact::Refreshed { base: base.clone(), head, version }
            }
            Refreshed::Conflict => Fact::Stuck { base: base.clone() },
            Refreshed::Gone => Fact::Closed { by: None },
        })
    }

    /// What became of a pull request that is not open any more.
    pub(super) async fn ended_release(
        &self,
        release: &Release,
        number: Number,
    ) -> Result<Fact, Fault> {
        if release.pull.as_ref().is_some_and(|pull| pull.number == number)
            && let Sight::Other(fact) = self.sight_of(release).await?
        {
            return Ok(fact);
        }
        let closed = Fact::Closed { by: None };
        let Some(detail) = self.parts.forge.pull(&release.place, number).await? else {
            return Ok(closed);
        };
        // Merged before we knew of it: what it is comes first, the merge with the next look.
        if release.pull.is_none() && detail.merged {
            let head = detail.head.sha;
            let version = self.version_at(release, &head).await?;
            return Ok(Fact::HeadMoved { pull: number, head, version });
        }
        Ok(ended(detail).unwrap_or(closed))
    }

    /// A failed one whose pull request people merged all the same.
    pub(super) async fn merged_by_hand(&self, release: &Release) -> Result<Option<Fact>, Fault> {
        let Some(pull) = release.pull.as_ref().filter(|_| release.merged.is_none()) else {
            return Ok(None);
        };
        Ok(self.parts.forge.pull(&release.place, pull.number).await?.and_then(ended))
    }

    async fn sight_of(&self, release: &Release) -> Result<Sight, Fault> {
        let (forge, place) = (&self.parts.forge, &release.place);
        let pull = release.pull.as_ref().ok_or_else(|| Fault::bug("there is no pull request"))?;
        let Some(detail) = forge.pull(place, pull.number).await? else {
            return Ok(Sight::Other(Fact::Closed { by: None }));
        };
        let head = detail.head.sha.clone();
        let moved = |head, version| Fact::HeadMoved { pull: pull.number, head, version };
        let version = match head == pull.head {
            true => None,
            false => self.version_at(release, &head).await?,
        };
        if detail.state != "open" {
            // Edited and merged before we looked: what it is comes first, the merge with the next look.
            if detail.merged && version.is_some() {
                return Ok(Sight::Other(moved(head, version)));
            }
            let fact = ended(detail).unwrap_or(Fact::Closed { by: None });
            return Ok(Sight::Other(fact));
        }
        if head != pull.head {
            return Ok(Sight::Other(moved(head, version)));
        }
        let blocked = |why: String| {
            let why = Blocked::InTheWay { why };
            Ok(Sight::Other(Fact::NotMerged { head: head.clone(), why }))
        };
        if is_skipped(&detail) {
            return blocked(format!("the label {SKIP_LABEL} stands on it"));
        }
        if detail.base.branch != release.base.as_str() {
            return blocked(format!(
                "the pull request goes into another branch by now, and releases are made from {}",
                release.base
            ));
        }
        match forge.branch_head(place, &release.base).await? {
            BranchHead::At(base) if base == planned(release)?.base => {}
            BranchHead::At(base) => return Ok(Sight::Other(Fact::BaseMoved { base })),
            BranchHead::Missing | BranchHead::EmptyRepository => {
                return blocked(format!("the branch {} is gone", release.base));
            }
        }
        let (_, rules) = self.release_rules(place).await?;
        let Ok(rules) = rules else {
            return blocked("the rules of this repository cannot be read".to_owned());
        };
        let consent = self.release_consent(release, &rules, &detail).await?;
        Ok(Sight::Same { rules: Box::new(rules), consent, clean: is_clean(&detail) })
    }

    async fn release_consent(
        &self,
        release: &Release,
        rules: &Rules,
        detail: &PullDetail,
    ) -> Result<Result<Approval, NotApproved>, Fault> {
        let (forge, place) = (&self.parts.forge, &release.place);
        let (number, head) = (detail.number, &detail.head.sha);
        let (reviews, comments) =
            tokio::try_join!(forge.reviews(place, number), forge.comments(place, number))?;
        let mut roles = std::collections::BTreeMap::new();
        let least = rules.approval.role.into();
        // As the Action hears it, so that what merges is also what releases.
        let address = self.parts.settings.address.without_mention();
        let said = (&*reviews, &*comments);
        let voices = self.voices(place, (head, &address), said, (least, &mut roles)).await?;
        let digest = rules.binding();
        // By the same question as the Action's.
        let contributors = self.contributors(place, detail, &voices).await?;
        let question = Question {
            repo: place.repo,
            pull: number,
            head,
            base: &release.base,
            rules: &digest,
            role: least,
            requester: rules.approval.requester,
            asked_by: &[release.order.by],
            pushed_by: &contributors.people,
            pushers_known: contributors.all_known,
            holders: None,
            since: Timestamp(0),
        };
        self.consent(place, question, &voices).await
    }

    /// What keeps the approved head from being merged: what it touches, or its checks.
    async fn in_the_way(
        &self,
        release: &Release,
        rules: &Rules,
        approval: &Approval,
    ) -> Result<Option<Blocked>, Fault> {
        let head = Head { place: &release.place, sha: approval.head(), base: &release.base, rules };
        let files = self.parts.forge.files_of(&release.place, approval.pull()).await?;
        if let Some(path) = files.iter().find(|path| is_the_runs_own(path)) {
            let why = format!(
                "it changes {path}, and a release leaves everything in .github alone: take that \
                 out of the branch"
            );
            return Ok(Some(Blocked::InTheWay { why }));
        }
        let wake = Task::Release { release: release.id.clone(), step: Step::Look };
        let why = match self.checks(&head, approval.at(), &wake).await? {
            Checks::Green => return Ok(None),
            Checks::Red(red) => format!("the check {} is red on it", red.name),
            Checks::Pending { names } => format!("it waits for {}", names.join(", ")),
        };
        Ok(Some(Blocked::InTheWay { why }))
    }
}

fn head_of(release: &Release) -> Result<&Sha, Fault> {
    let pull = release.pull.as_ref().ok_or_else(|| Fault::bug("there is no pull request"))?;
    Ok(&pull.head)
}

fn ended(detail: PullDetail) -> Option<Fact> {
    let by = detail.merged_by.as_ref().and_then(|user| user.login.parse().ok());
    let commit = detail.merge_commit_sha.filter(|_| detail.merged)?;
    Some(Fact::Merged(Merged { commit, by }))
}
