//! Whether there is consent to a head: who had a hand in it and who else could approve it is only
//! found out when it matters.

use crate::core::approval::{Approval, ApprovalCriteria, NotApproved, Stance, Vote, judge};
use crate::core::github::RepoRef;
use crate::core::policy::Requester;
use crate::forge::payload::PullDetail;
use crate::forge::{Contributors, PullBranch};
use crate::worker::{Context, WorkError};

/// Who had a hand in a pull request, which nobody needs to know while nobody approves it.
pub(in crate::worker) async fn contributors(
    ctx: &Context,
    repo: &RepoRef,
    detail: &PullDetail,
    votes: &[Vote],
) -> Result<Contributors, WorkError> {
    if votes.iter().all(|vote| vote.stance != Stance::Approves) {
        return Ok(Contributors::default());
    }
    let (branch, head) = (&*detail.head.branch, &detail.head.sha);
    let (opened_by, opened_at) = (detail.user.as_ref(), detail.created_at.as_deref());
    let pull = PullBranch { number: detail.number, branch, head, opened_by, opened_at };
    Ok(ctx.forge.contributors(repo, pull).await?)
}

/// Judges; who else has the role is only found out when it matters.
pub(in crate::worker) async fn consent(
    ctx: &Context,
    repo: &RepoRef,
    criteria: ApprovalCriteria<'_>,
    votes: &[Vote],
) -> Result<Result<Approval, NotApproved>, WorkError> {
    let judged = judge(&criteria, votes);
    let depends = criteria.requester != Requester::Allowed
        && match &judged {
            Err(
                NotApproved::SecondNeeded { .. }
                | NotApproved::Requester { .. }
                | NotApproved::Pusher { .. },
            ) => true,
            Ok(_)
            | Err(
                NotApproved::Nobody
                | NotApproved::OtherCommit { .. }
                | NotApproved::NotAPerson { .. }
                | NotApproved::NeedsRole { .. }
                | NotApproved::NobodyLeft { .. }
                | NotApproved::Before { .. }
                | NotApproved::Edited { .. }
                | NotApproved::Flagged { .. }
                | NotApproved::Objection { .. },
            ) => false,
        };
    if !depends {
        return Ok(judged);
    }
    let holders = ctx.forge.people_with(repo, criteria.role).await?;
    Ok(judge(&ApprovalCriteria { holders: Some(&holders), ..criteria }, votes))
}
