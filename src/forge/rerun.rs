//! Running jobs of GitHub Actions again.
//!
//! Invariants: it is asked for with a token of its own, by a permission that people may give and
//! that Gander can do without, and given back at once; a run is asked for again only while it is
//! over and at the attempt that was looked at, so that asking twice is asking once.

use std::collections::BTreeMap;

use http::Method;
use serde::Deserialize;

use super::runs::SuiteRun;
use super::{ApiCall, Forge, ForgeError, Scope, repo_path};
use crate::core::github::RepoRef;

#[derive(Deserialize)]
struct InstallationPermissions {
    #[serde(default)]
    permissions: BTreeMap<String, String>,
}

/// A run of a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionsRun {
    /// GitHub's number.
    pub id: u64,
    /// From 1; grows with each time that some of it is run again.
    pub attempt: u32,
    /// Whether it is over.
    pub over: bool,
}

/// What became of asking for a run again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RerunAnswer {
    /// It runs again, by our word or by somebody else's.
    Begun,
    /// GitHub refuses, in these words.
    Refused(String),
}

impl Forge {
    /// The run that a check suite stands for. `None`: it is not of GitHub Actions.
    ///
    /// # Errors
    /// When GitHub does not answer.
    pub async fn actions_run(
        &self,
        repo: &RepoRef,
        suite: Option<u64>,
    ) -> Result<Option<ActionsRun>, ForgeError> {
        let Some(suite) = suite else { return Ok(None) };
        let run = self.run_of_suite(repo, Scope::Watch, suite).await?;
        Ok(run.map(|run| ActionsRun {
            id: run.id,
            attempt: run.run_attempt.and_then(|it| it.try_into().ok()).unwrap_or(1),
            over: run.status.as_deref() == Some("completed"),
        }))
    }

    /// Whether people gave the permission to run jobs again.
    ///
    /// # Errors
    /// When GitHub does not answer.
    pub async fn may_rerun(&self, repo: &RepoRef) -> Result<bool, ForgeError> {
        let doing = "asking for the permissions of the installation";
        let path = format!("/app/installations/{}", repo.installation_id);
        let answer = self.as_app(Method::GET, path, None, doing).await?;
        let given = answer.json::<InstallationPermissions>(doing)?.permissions;
        let mut asked = Scope::Rerun.permissions().iter();
        Ok(asked.all(|(name, level)| {
            given.get(*name).is_some_and(|given| given == level || given == "write")
        }))
    }

    /// Runs those jobs of a run again that failed, if it is over and still at this attempt.
    ///
    /// # Errors
    /// When GitHub does not answer.
    pub async fn rerun_failed(
        &self,
        repo: &RepoRef,
        run: u64,
        attempt: u32,
    ) -> Result<RerunAnswer, ForgeError> {
        let path = format!("{}/actions/runs/{run}", repo_path(repo));
        let doing = "reading a run of a workflow";
        let now = self.get(repo, Scope::Watch, path.clone(), doing).await;
        let now: SuiteRun = match now {
            Ok(now) => now,
            Err(error) if matches!(error.status(), Some(403 | 404)) => {
                return Ok(RerunAnswer::Refused(error.in_words()));
            }
            Err(error) => return Err(error),
        };
        let is_it = now.run_attempt.is_none_or(|now| now == u64::from(attempt));
        if !is_it || now.status.as_deref() != Some("completed") {
            return Ok(RerunAnswer::Begun);
        }
        let path = format!("{path}/rerun-failed-jobs");
        let call = ApiCall::new(Method::POST, path, "running failed jobs again");
        let asked = self.call(repo, Scope::Rerun, call).await;
        self.revoke(repo, Scope::Rerun).await;
        match asked {
            Ok(_) => Ok(RerunAnswer::Begun),
            Err(error) if matches!(error.status(), Some(403 | 404 | 422)) => {
                Ok(RerunAnswer::Refused(error.in_words()))
            }
            Err(error) => Err(error),
        }
    }
}
