//! Looking: permissions, rules, issues, branches, missed deliveries.

use http::Method;

use super::{
    ApiCall, Forge, ForgeError, RAW, Scope, by_number, found, payload, repo_path, segment, segments,
};
use crate::core::github::{Actor, RepoRef, Role};
use crate::core::id::{
    Branch, CommentId, DeliveryId, InstallationId, Number, RepoId, RepoName, ReviewId, Sha,
    Timestamp, UserId,
};

/// Where a branch stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BranchHead {
    /// At this commit.
    At(Sha),
    /// There is no such branch.
    Missing,
    /// The repository has no commit at all.
    EmptyRepository,
}

impl Forge {
    /// The permission of one account, by its number: a login that passed to somebody else
    /// does not carry its permission along.
    pub async fn permission(&self, repo: &RepoRef, actor: &Actor) -> Result<Role, ForgeError> {
        let doing = "asking for a person's permission";
        let answer = self.permission_of(repo, actor.login.as_str(), doing).await?;
        if let Some(role) = answer.as_ref().and_then(|answer| role_of(answer, actor.id)) {
            return Ok(role);
        }
        // Renamed since: ask for the present name of that number.
        let user: Option<payload::User> =
            found(self.get(repo, Scope::Read, format!("/user/{}", actor.id), doing).await)?;
        let Some(user) = user.filter(|user| user.login != actor.login.as_str()) else {
            return Ok(Role::None);
        };
        let answer = self.permission_of(repo, &user.login, doing).await?;
        Ok(answer.as_ref().and_then(|answer| role_of(answer, actor.id)).unwrap_or(Role::None))
    }

    async fn permission_of(
        &self,
        repo: &RepoRef,
        login: &str,
        doing: &str,
    ) -> Result<Option<payload::Permission>, ForgeError> {
        let path = format!("{}/collaborators/{}/permission", repo_path(repo), segment(login));
        found(self.get(repo, Scope::Read, path, doing).await)
    }

    /// The people who have at least this role.
    pub async fn people_with(&self, repo: &RepoRef, role: Role) -> Result<Vec<UserId>, ForgeError> {
        let least = match role {
            Role::Admin => "admin",
            Role::Maintain => "maintain",
            _ => "push",
        };
        let path = format!("{}/collaborators?permission={least}&per_page=100", repo_path(repo));
        let all: Vec<payload::Collaborator> =
            self.list(repo, Scope::Read, path, "asking who may approve").await?;
        let counts =
            |one: &payload::Collaborator| one.kind == "User" && one.permissions.role() >= role;
        Ok(all.into_iter().filter(counts).map(|one| one.id).collect())
    }

    /// The repository as it is now, with its present name.
    pub async fn repository(&self, repo: &RepoRef) -> Result<payload::Repository, ForgeError> {
        let doing = "reading the repository's settings";
        let named: Option<payload::Repository> =
            found(self.get(repo, Scope::Read, repo_path(repo), doing).await)?;
        match named {
            Some(named) if named.id == repo.repo_id => Ok(named),
            // The name may be another repository's by now. The number stays.
            _ => self.get(repo, Scope::Read, by_number(repo.repo_id), doing).await,
        }
    }

    /// The repository that has this name now. `None`: none that this token may see.
    pub async fn repository_named(
        &self,
        name: &RepoName,
    ) -> Result<Option<payload::Repository>, ForgeError> {
        let (installation_id, repo_id) = (InstallationId(0), RepoId(0));
        let repo = RepoRef { installation_id, repo_id, name: name.clone() };
        let doing = "looking for the repository";
        found(self.get(&repo, Scope::Read, repo_path(&repo), doing).await)
    }

    /// An issue, or a pull request as an issue.
    pub async fn issue(
        &self,
        repo: &RepoRef,
        number: Number,
    ) -> Result<Option<payload::Issue>, ForgeError> {
        let path = format!("{}/issues/{number}", repo_path(repo));
        let labels = format!("{path}/labels?per_page=100");
        let issue = found(self.get(repo, Scope::Read, path, "reading the issue").await)?;
        let Some(mut issue): Option<payload::Issue> = issue else { return Ok(None) };
        // In an issue a label need not show its name; in this list each does.
        if issue.labels.iter().any(|label| label.name.is_empty()) {
            issue.labels = self.list(repo, Scope::Read, labels, "reading the labels").await?;
        }
        Ok(Some(issue))
    }

    /// A comment as it stands now. `None`: it is gone.
    pub async fn comment(
        &self,
        repo: &RepoRef,
        id: CommentId,
    ) -> Result<Option<payload::Comment>, ForgeError> {
        let path = format!("{}/issues/comments/{id}", repo_path(repo));
        found(self.get(repo, Scope::Read, path, "reading the command").await)
    }

    /// A review as it stands now. `None`: it is gone.
    pub async fn one_review(
        &self,
        repo: &RepoRef,
        number: Number,
        id: ReviewId,
    ) -> Result<Option<payload::Review>, ForgeError> {
        let path = format!("{}/pulls/{number}/reviews/{id}", repo_path(repo));
        found(self.get(repo, Scope::Read, path, "reading the command").await)
    }

    /// The act that put a label on which is still there. `None`: it is not.
    pub async fn labelled(
        &self,
        repo: &RepoRef,
        number: Number,
        label: &str,
    ) -> Result<Option<payload::IssueEvent>, ForgeError> {
        let path = format!("{}/issues/{number}/events?per_page=100", repo_path(repo));
        let doing = "reading who set the label";
        let events: Vec<payload::IssueEvent> =
            found(self.list(repo, Scope::Read, path, doing).await)?.unwrap_or_default();
        let is_it = |event: &payload::IssueEvent| {
            event.label.as_ref().is_some_and(|it| it.name.eq_ignore_ascii_case(label))
        };
        let last = events.into_iter().rfind(is_it);
        Ok(last.filter(|event| event.event.as_deref() == Some("labeled")))
    }

    /// A text file at a commit or branch. `None`: there is none.
    pub async fn file(
        &self,
        repo: &RepoRef,
        at: &str,
        path: &str,
    ) -> Result<Option<String>, ForgeError> {
        let doing = "reading a file of the repository";
        let path = format!("{}/contents/{}?ref={}", repo_path(repo), segments(path), segment(at));
        let call = ApiCall { accept: RAW, ..ApiCall::new(Method::GET, path, doing) };
        let answer = found(self.call(repo, Scope::Read, call).await)?;
        Ok(answer.map(|answer| String::from_utf8_lossy(&answer.body).into_owned()))
    }

    /// Where a branch stands now.
    pub async fn branch_head(
        &self,
        repo: &RepoRef,
        branch: &Branch,
    ) -> Result<BranchHead, ForgeError> {
        let path = format!("{}/git/ref/heads/{}", repo_path(repo), segments(branch.as_str()));
        let answer: Result<payload::Ref, _> =
            self.get(repo, Scope::Read, path, "looking where a branch stands").await;
        match answer {
            Ok(found) => Ok(BranchHead::At(found.object.sha)),
            Err(error) if error.status() == Some(404) => Ok(BranchHead::Missing),
            Err(error) if error.status() == Some(409) => Ok(BranchHead::EmptyRepository),
            Err(error) => Err(error),
        }
    }

    /// The newest deliveries of our webhook, by GitHub's own log; `cursor` goes on from a call
    /// before.
    pub async fn deliveries(
        &self,
        cursor: Option<String>,
    ) -> Result<(Vec<payload::DeliverySummary>, Option<String>), ForgeError> {
        let doing = "reading GitHub's log of deliveries";
        let path = cursor.unwrap_or_else(|| "/app/hook/deliveries?per_page=100".to_owned());
        let answer = self.as_app(Method::GET, path, None, doing).await?;
        let next = self.next_page(&answer, doing)?;
        Ok((answer.json(doing)?, next))
    }

    /// One delivery with its body.
    pub async fn delivery(&self, id: u64) -> Result<payload::DeliveryDetail, ForgeError> {
        let doing = "fetching a missed delivery";
        let path = format!("/app/hook/deliveries/{id}");
        self.as_app(Method::GET, path, None, doing).await?.json(doing)
    }
}

impl payload::DeliverySummary {
    /// Whether it was sent before this moment.
    pub fn is_before(&self, moment: Timestamp) -> bool {
        chrono::DateTime::parse_from_rfc3339(&self.delivered_at)
            .is_ok_and(|at| at.timestamp_millis() < moment.0)
    }

    /// Its GUID, if well formed.
    pub fn delivery_id(&self) -> Option<DeliveryId> {
        self.guid.parse().ok()
    }
}

impl payload::DeliveryDetail {
    /// Its GUID, if well formed.
    pub fn delivery_id(&self) -> Option<DeliveryId> {
        self.guid.parse().ok()
    }

    /// The webhook that sent it, from the headers GitHub keeps.
    pub fn hook_id(&self) -> Option<u64> {
        let headers = self.request.headers.as_ref()?;
        let (_, value) =
            headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("X-GitHub-Hook-ID"))?;
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    }
}

fn role_of(answer: &payload::Permission, id: UserId) -> Option<Role> {
    let user = answer.user.as_ref().filter(|user| user.id == id)?;
    if user.kind != "User" {
        return Some(Role::None);
    }
    // Custom roles have names of their own; the bits say what they are based on.
    if let Some(bits) = user.permissions {
        return Some(bits.role());
    }
    let named = |name: &str| match name {
        "admin" => Some(Role::Admin),
        "maintain" => Some(Role::Maintain),
        "write" => Some(Role::Write),
        "triage" => Some(Role::Triage),
        "read" => Some(Role::Read),
        "none" => Some(Role::None),
        _ => None,
    };
    answer.role_name.as_deref().and_then(named).or_else(|| named(&answer.permission))
}
