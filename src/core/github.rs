//! What GitHub is spoken of with: who, where, and which pull request.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::id::{Branch, InstallationId, Login, Number, RepoId, RepoName, Sha, UserId};

/// Who did something. People are told from programs by GitHub's account type, never by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The number that survives renames; what permissions are asked for.
    pub id: UserId,
    /// The name at that moment, for mentions.
    pub login: Login,
    /// Whether GitHub says this is a `User`.
    pub person: bool,
}

/// A repository as one installation sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepoRef {
    /// The installation whose tokens reach it.
    #[serde(rename = "installation")]
    pub installation_id: InstallationId,
    /// The number that survives renames.
    #[serde(rename = "repo")]
    pub repo_id: RepoId,
    /// Its name at that moment.
    pub name: RepoName,
}

/// How much a person may do in a repository, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // GitHub's names
pub enum Role {
    None,
    Read,
    Triage,
    Write,
    Maintain,
    Admin,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "no",
            Self::Read => "read",
            Self::Triage => "triage",
            Self::Write => "write",
            Self::Maintain => "maintain",
            Self::Admin => "admin",
        })
    }
}

/// A pull request of Gander's, at a head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct PullRef {
    pub number: Number,
    pub branch: Branch,
    pub head: Sha,
}
