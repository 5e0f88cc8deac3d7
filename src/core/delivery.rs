//! What is kept of a webhook: the few fields that decisions need, parsed tolerantly.
//!
//! Invariants: every field GitHub may leave out or send as null is optional here, so a ghost
//! account, a new action or an unknown event is never an error. Rows stay small because the
//! rest of the body is not stored; a SHA-256 is, to recognise a replay.

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use super::id::{DeliveryId, HookId};
use super::slack::SlackAct;

/// One webhook POST, verified and ready to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// GitHub's GUID. Not signed, so it alone proves nothing.
    pub id: DeliveryId,
    /// The webhook that sent it.
    pub hook_id: HookId,
    /// The event header, checked against the body's shape.
    pub event: String,
    /// SHA-256 of the event header and the raw body. The header is not signed: a body replayed
    /// under another event must not keep the true delivery out.
    pub body_digest: [u8; 32],
    /// What was kept, or why the delivery stands in quarantine.
    pub content: Content,
}

/// A delivery's usable part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// The header and the body agree.
    Kept(Box<Payload>),
    /// Something that a person did on Slack.
    Slack(Box<SlackAct>),
    /// They do not; kept for a person to look at, never acted upon.
    Quarantined(String),
}

/// The fields of a webhook body that Gander reads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)] // named as GitHub names them
pub struct Payload {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<WebhookAccount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub installation: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<WebhookRepository>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issue: Option<WebhookIssue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<WebhookComment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<WebhookLabel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<PullRequest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review: Option<WebhookReview>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check_run: Option<WebhookCheckRun>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check_suite: Option<HeadSha>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_run: Option<HeadSha>,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub git_ref: Option<String>,
    /// The commit of a `status` event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha: Option<String>,
    /// The state of a `status` event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// What a `status` event is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// The branches that stand at the commit of a `status` event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branches: Option<Vec<WebhookBranchName>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct WebhookAccount {
    pub id: u64,
    pub login: String,
    #[serde(rename = "type", default)]
    pub kind: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Id {
    pub id: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct WebhookRepository {
    pub id: u64,
    pub full_name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct WebhookIssue {
    pub id: u64,
    pub number: u64,
    #[serde(default)]
    pub title: String,
    /// As it was at that moment: what is edited later is not what was asked for.
    #[serde(default)]
    pub body: Option<String>,
    #[serde(default)]
    pub state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<String>,
    /// Present when the issue is in truth a pull request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<Present>,
}

/// Some object whose content does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Present {}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct WebhookComment {
    pub id: u64,
    #[serde(default)]
    pub body: Option<String>,
    #[serde(default)]
    pub user: Option<WebhookAccount>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct WebhookLabel {
    pub name: String,
}

/// A branch by its name alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct WebhookBranchName {
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct PullRequest {
    pub number: u64,
    #[serde(default)]
    pub state: String,
    #[serde(default)]
    pub merged: Option<bool>,
    #[serde(default)]
    pub head: Option<WebhookBranch>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct WebhookBranch {
    #[serde(rename = "ref")]
    pub branch: String,
    pub sha: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct WebhookReview {
    pub id: u64,
    #[serde(default)]
    pub state: String,
    #[serde(default)]
    pub body: Option<String>,
    #[serde(default)]
    pub commit_id: Option<String>,
    #[serde(default)]
    pub user: Option<WebhookAccount>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct WebhookCheckRun {
    pub id: u64,
    #[serde(default)]
    pub head_sha: String,
    #[serde(default)]
    pub conclusion: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<Id>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_suite: Option<WebhookCheckSuite>,
    /// None where it comes from a fork.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_requests: Option<Vec<WebhookPullNumber>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct WebhookCheckSuite {
    pub id: u64,
    #[serde(default)]
    pub head_branch: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct WebhookPullNumber {
    pub number: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct HeadSha {
    #[serde(default)]
    pub head_sha: Option<String>,
}

impl Delivery {
    /// The installation it speaks of; 0 if it names none.
    pub fn installation(&self) -> u64 {
        match &self.content {
            Content::Kept(payload) => payload.installation.as_ref().map_or(0, |it| it.id),
            Content::Slack(_) | Content::Quarantined(_) => 0,
        }
    }

    /// Something done on Slack. It is known again by `id`, under which Slack repeats it, and by
    /// `signature`, which is good once.
    pub fn of_slack(id: &str, signature: &str, act: SlackAct) -> Option<Self> {
        let digits = hex::encode(digest("slack", id.as_bytes()));
        let groups = [0..8, 8..12, 12..16, 16..20, 20..32];
        let groups: Vec<&str> = groups.into_iter().filter_map(|part| digits.get(part)).collect();
        Some(Self {
            id: groups.join("-").parse().ok()?,
            hook_id: HookId(0),
            event: "slack".to_owned(),
            body_digest: digest("slack-signature", signature.as_bytes()),
            content: Content::Slack(Box::new(act)),
        })
    }

    /// Reads a signed body. Whatever it holds, there is a delivery to record.
    pub fn read(id: DeliveryId, hook: HookId, event: &str, body: &[u8]) -> Self {
        let content = match serde_json::from_slice::<Payload>(body) {
            Ok(payload) => match payload.fits(event) {
                Ok(()) => Content::Kept(Box::new(payload)),
                Err(why) => Content::Quarantined(why),
            },
            Err(error) => Content::Quarantined(format!("the body cannot be read: {error}")),
        };
        Self {
            id,
            hook_id: hook,
            event: event.to_owned(),
            body_digest: digest(event, body),
            content,
        }
    }
}

/// By aws-lc, because every body passes through here: it is much quicker where the processor has no
/// instruction for SHA-256.
fn digest(event: &str, body: &[u8]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(event.as_bytes());
    context.update(&[0]);
    context.update(body);
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

impl Payload {
    /// Whether the body looks like what the (unsigned) event header claims.
    ///
    /// Only events Gander acts upon are judged; of the others nothing is used anyway. GitHub's
    /// signature covers the body alone, so a captured body could be replayed under another name.
    pub fn fits(&self, event: &str) -> Result<(), String> {
        let missing =
            |what: &str| Err(format!("the event says {event}, but the body has no {what}"));
        let foreign =
            |what: &str| Err(format!("the event says {event}, but the body has a {what}"));
        match event {
            "issues" if self.issue.is_none() => missing("issue"),
            "issues" if self.comment.is_some() => foreign("comment"),
            "issue_comment" if self.issue.is_none() => missing("issue"),
            "issue_comment" if self.comment.is_none() => missing("comment"),
            "pull_request" if self.pull_request.is_none() => missing("pull request"),
            "pull_request" if self.review.is_some() => foreign("review"),
            "pull_request" if self.comment.is_some() => foreign("comment"),
            "pull_request_review" if self.review.is_none() => missing("review"),
            "pull_request_review_comment" if self.comment.is_none() => missing("comment"),
            "pull_request_review_comment" if self.pull_request.is_none() => missing("pull request"),
            "check_run" if self.check_run.is_none() => missing("check run"),
            "push" if self.git_ref.is_none() => missing("ref"),
            "status" if self.sha.is_none() => missing("commit"),
            "installation" if self.installation.is_none() => missing("installation"),
            "issues"
            | "issue_comment"
            | "pull_request"
            | "pull_request_review"
            | "pull_request_review_comment"
            | "check_run"
            | "push"
            | "status"
                if self.repository.is_none() =>
            {
                missing("repository")
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(json: &str) -> Payload {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_ghost_author_and_unknown_fields_are_no_error() {
        let body = r#"{"action":"created","brand_new":[1],"sender":null,
            "repository":{"id":1,"full_name":"acme/widgets","x":0},
            "issue":{"id":5,"number":7,"user":null},"comment":{"id":9,"body":null,"user":null}}"#;
        let payload = payload(body);
        assert_eq!(payload.issue.as_ref().unwrap().number, 7);
        assert!(payload.fits("issue_comment").is_ok());
    }

    #[test]
    fn a_comment_replayed_under_another_event_name_does_not_fit() {
        let body = r#"{"repository":{"id":1,"full_name":"a/b"},"issue":{"id":5,"number":7},
            "comment":{"id":9}}"#;
        assert_eq!(
            payload(body).fits("issues").unwrap_err(),
            "the event says issues, but the body has a comment"
        );
        assert!(payload(body).fits("push").is_err());
    }

    #[test]
    fn what_is_kept_survives_being_stored() {
        let kept = payload(r#"{"ref":"refs/heads/main","after":"x","label":{"name":"bug"}}"#);
        let stored = serde_json::to_string(&kept).unwrap();
        assert_eq!(payload(&stored), kept);
        assert!(stored.len() < 100, "{stored}");
    }
}
