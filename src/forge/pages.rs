//! Lists that come in pages, followed by their `Link` headers.

use http::{HeaderMap, Method};
use serde::de::DeserializeOwned;

use super::{ApiCall, ApiResponse, Forge, ForgeError, Scope, unreadable};
use crate::core::github::RepoRef;

/// No list Gander reads is longer; a longer one is cut, newest or oldest first as GitHub sorts.
const MOST_PAGES: usize = 50;

impl Forge {
    /// All pages of a list.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        repo: &RepoRef,
        scope: Scope,
        first: String,
        doing: &str,
    ) -> Result<Vec<T>, ForgeError> {
        let mut items = Vec::new();
        let mut next = Some(first);
        for _ in 0..MOST_PAGES {
            let Some(path) = next.take() else { break };
            let call = ApiCall::new(Method::GET, path, doing);
            let answer = self.call(repo, scope, call).await?;
            items.extend(answer.json::<Vec<T>>(doing)?);
            next = self.next_page(&answer, doing)?;
        }
        Ok(items)
    }

    /// The path of the next page, if there is one.
    pub(super) fn next_page(
        &self,
        answer: &ApiResponse,
        doing: &str,
    ) -> Result<Option<String>, ForgeError> {
        let Some(url) = next_link(&answer.headers) else { return Ok(None) };
        match self.path_of(url) {
            Some(path) => Ok(Some(path)),
            None => Err(unreadable(doing, "the next page is said to be outside the API")),
        }
    }
}

fn next_link(headers: &HeaderMap) -> Option<&str> {
    let links = headers.get("link")?.to_str().ok()?;
    links.split(',').find_map(|link| {
        let (url, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
        rest.split(';').any(|part| part.trim() == "rel=\"next\"").then_some(url)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_among_the_links() {
        let mut headers = HeaderMap::new();
        assert_eq!(next_link(&headers), None);
        let links = "<https://h/x?page=1>; rel=\"prev\", <https://h/x?page=3>; rel=\"next\"";
        headers.insert("link", links.parse().unwrap());
        assert_eq!(next_link(&headers), Some("https://h/x?page=3"));
    }
}
