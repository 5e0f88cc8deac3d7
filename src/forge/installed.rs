//! Which repositories the App is installed on.

use http::Method;
use serde_json::json;

use super::{ApiCall, Forge, ForgeError, payload};
use crate::core::github::RepoRef;
use crate::core::id::InstallationId;

/// So many installations are looked at, and repositories of each.
const MOST: usize = 100;

impl Forge {
    /// The repositories of all installations, by their names: of each at most a hundred.
    pub async fn installed_repositories(&self) -> Result<Vec<RepoRef>, ForgeError> {
        let doing = "asking where this App is installed";
        let path = format!("/app/installations?per_page={MOST}");
        let installations: Vec<payload::Installation> =
            self.as_app(Method::GET, path, None, doing).await?.json(doing)?;
        let mut all = Vec::new();
        for installation in installations.iter().filter(|it| it.suspended_at.is_none()) {
            all.extend(self.repositories_of(installation.id).await?);
        }
        all.sort_by_key(|repo| repo.name.to_string().to_ascii_lowercase());
        Ok(all)
    }

    /// With a token that can do nothing else, and is given back.
    async fn repositories_of(&self, id: InstallationId) -> Result<Vec<RepoRef>, ForgeError> {
        let doing = "asking for the repositories of an installation";
        let body = json!({"permissions": {"metadata": "read"}});
        let path = format!("/app/installations/{id}/access_tokens");
        let token: payload::Token =
            self.as_app(Method::POST, path, Some(body), doing).await?.json(doing)?;
        let client = self.octocrab(&token.token)?;
        let path = format!("/installation/repositories?per_page={MOST}");
        let listed = self.send(&client, Some(id), &ApiCall::new(Method::GET, path, doing)).await;
        let back = "/installation/token".to_owned();
        let back = ApiCall::new(Method::DELETE, back, "giving a token back");
        if let Err(error) = self.send(&client, None, &back).await {
            tracing::debug!(%error, "a token could not be given back");
        }
        let listed: payload::InstalledRepositories = listed?.json(doing)?;
        let named = listed.repositories.into_iter().filter_map(|repo| {
            let name = repo.full_name.parse().ok()?;
            Some(RepoRef { installation_id: id, repo_id: repo.id, name })
        });
        Ok(named.collect())
    }
}
