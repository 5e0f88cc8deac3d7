//! GraphQL, for the little that REST does not know.

use http::Method;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};

use super::{ApiCall, Forge, ForgeError, Scope, payload, unreadable};
use crate::core::github::RepoRef;

/// Stands for the GraphQL address in a call.
pub(super) const PATH: &str = "/graphql";

/// Where it is: an Enterprise Server has it beside its REST address, not below.
pub(super) fn url(api: &str) -> String {
    match api.strip_suffix("/api/v3") {
        Some(host) => format!("{host}/api/graphql"),
        None => format!("{api}/graphql"),
    }
}

impl Forge {
    /// Asks. An answer with errors is a refusal, also where it has data.
    pub(super) async fn query<T: DeserializeOwned>(
        &self,
        repo: &RepoRef,
        scope: Scope,
        document: &str,
        variables: Value,
        doing: &str,
    ) -> Result<T, ForgeError> {
        let body = Some(json!({"query": document, "variables": variables}));
        let path = PATH.to_owned();
        let call = ApiCall { body, ..ApiCall::new(Method::POST, path, doing) };
        let answer: payload::GraphqlAnswer<T> = self.call(repo, scope, call).await?.json(doing)?;
        if let Some(error) = answer.errors.into_iter().next() {
            // GitHub answers 200 here; these are the statuses REST would have.
            let status = match error.kind.as_str() {
                "NOT_FOUND" => 404,
                "FORBIDDEN" => 403,
                _ => 422,
            };
            let message = error.message.chars().take(300).collect();
            return Err(ForgeError::Refused { doing: doing.to_owned(), status, message });
        }
        answer.data.ok_or_else(|| unreadable(doing, "neither data nor errors"))
    }

    /// Changes something.
    pub(super) async fn mutate(
        &self,
        repo: &RepoRef,
        scope: Scope,
        document: &str,
        variables: Value,
        doing: &str,
    ) -> Result<(), ForgeError> {
        self.query::<IgnoredAny>(repo, scope, document, variables, doing).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::url;

    #[test]
    fn an_enterprise_server_has_it_beside_rest() {
        assert_eq!(url("https://api.github.com"), "https://api.github.com/graphql");
        assert_eq!(url("https://ghe.example/api/v3"), "https://ghe.example/api/graphql");
    }
}
