//! One request on its way through a handler.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Answer, Refusal};
use crate::auth::Principal;
use crate::shapes;
use crate::state::{App, Repository, State, Token};

/// What of a request a handler may want.
pub(crate) struct Request<'a> {
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) accept: &'a str,
    pub(crate) content_type: &'a str,
    /// Whether the body is a file, not JSON.
    pub(crate) is_upload: bool,
    pub(crate) body: &'a Bytes,
}

pub(crate) struct Call<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) principal: Principal,
    /// The body; `null` when there is none.
    pub(crate) body: Value,
    pub(crate) accept: String,
    pub(crate) content_type: String,
    /// The file, when one is uploaded.
    pub(crate) upload: Option<Bytes>,
    params: Vec<(&'static str, String)>,
    query: Vec<(String, String)>,
    path: String,
    repository: u64,
}

impl<'a> Call<'a> {
    pub(crate) fn new(
        state: &'a mut State,
        params: Vec<(&'static str, String)>,
        principal: Principal,
        request: &Request<'_>,
    ) -> Result<Self, Refusal> {
        let body = if request.is_upload || request.body.iter().all(u8::is_ascii_whitespace) {
            Value::Null
        } else {
            let parsed = serde_json::from_slice(request.body);
            parsed.map_err(|_| Refusal::new(400, "Problems parsing JSON"))?
        };
        let query = url::form_urlencoded::parse(request.query.as_bytes()).into_owned().collect();
        Ok(Self {
            state,
            principal,
            body,
            accept: request.accept.to_owned(),
            content_type: request.content_type.to_owned(),
            upload: request.is_upload.then(|| request.body.clone()),
            params,
            query,
            path: request.path.to_owned(),
            repository: 0,
        })
    }

    /// Finds the repository that the path names.
    pub(super) fn find_repository(&mut self) -> Result<u64, Refusal> {
        let found = match self.param("id_of_repository") {
            "" => self
                .state
                .repository_named(self.param("owner"), self.param("repo"))
                .map(|known| known.id),
            id => id.parse().ok().filter(|id| self.state.repositories.contains_key(id)),
        };
        self.repository = found.ok_or_else(Refusal::not_found)?;
        Ok(self.repository)
    }

    /// The number of the repository that the path names.
    pub(crate) fn repository_id(&self) -> u64 {
        self.repository
    }

    pub(crate) fn repository(&self) -> Result<&Repository, Refusal> {
        Ok(self.state.repository(self.repository)?)
    }

    /// The repository, when it has commits. GitHub answers 409 for the git database of an empty
    /// one.
    pub(crate) fn filled_repository(&self) -> Result<&Repository, Refusal> {
        let known = self.repository()?;
        if known.refs.is_empty() {
            return Err(Refusal::new(409, "Git Repository is empty."));
        }
        Ok(known)
    }

    /// What a name of the pattern stands for; empty when the pattern has no such name.
    pub(crate) fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn number(&self, name: &str) -> Result<u64, Refusal> {
        self.param(name).parse().map_err(|_| Refusal::not_found())
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A text field of the body, if given and not null.
    pub(crate) fn text(&self, field: &str) -> Option<String> {
        self.body[field].as_str().map(str::to_owned)
    }

    /// A text field that must be given.
    pub(crate) fn required(&self, field: &str) -> Result<String, Refusal> {
        match &self.body[field] {
            Value::String(text) => Ok(text.clone()),
            Value::Null => Err(Refusal::missing(field)),
            other => Err(Refusal::new(
                422,
                &format!("Invalid request.\n\nFor 'properties/{field}', {other} is not a string."),
            )),
        }
    }

    pub(crate) fn texts(&self, field: &str) -> Vec<String> {
        let items = self.body[field].as_array().cloned().unwrap_or_default();
        items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    pub(crate) fn token(&self) -> Option<&Token> {
        match self.principal {
            Principal::Installation(token) => self.state.tokens.get(token),
            Principal::Anonymous | Principal::App(_) | Principal::Person(_) => None,
        }
    }

    /// The App behind the request, by its own token or an installation's.
    pub(crate) fn app(&self) -> Result<&App, Refusal> {
        let id = match self.principal {
            Principal::App(id) => Some(id),
            Principal::Installation(_) => self
                .token()
                .and_then(|token| self.state.installations.get(&token.installation))
                .map(|installation| installation.app),
            Principal::Anonymous | Principal::Person(_) => None,
        };
        let app = id.and_then(|id| self.state.apps.get(&id));
        app.ok_or_else(|| Refusal::new(401, "Requires authentication"))
    }

    /// The account that acts.
    pub(crate) fn actor(&self) -> Result<u64, Refusal> {
        Ok(self.app()?.bot)
    }

    /// One page of a list, with links to the others.
    pub(crate) fn page(&self, items: Vec<Value>) -> Answer {
        let asked = |name: &str, fallback: usize| {
            self.query(name).and_then(|text| text.parse().ok()).unwrap_or(fallback)
        };
        let size = asked("per_page", 30).clamp(1, 100);
        let page = asked("page", 1).max(1);
        let last = items.len().div_ceil(size).max(1);
        let here: Vec<Value> =
            items.into_iter().skip((page - 1).saturating_mul(size)).take(size).collect();
        let mut answer = Answer::ok(json!(here));
        let mut links = Vec::new();
        for (rel, target, wanted) in [
            ("prev", page.saturating_sub(1), page > 1),
            ("next", page.saturating_add(1), page < last),
            ("last", last, page < last),
            ("first", 1, page > 1),
        ] {
            if wanted {
                links.push(format!("<{}>; rel=\"{rel}\"", self.link(&[("page", target)])));
            }
        }
        if !links.is_empty() {
            answer.headers.push(("link".to_owned(), links.join(", ")));
        }
        answer
    }

    /// The address of this request with other query values.
    pub(crate) fn link(&self, changes: &[(&str, impl ToString)]) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (key, value) in &self.query {
            if !changes.iter().any(|(changed, _)| changed == key) {
                query.append_pair(key, value);
            }
        }
        for (key, value) in changes {
            query.append_pair(key, &value.to_string());
        }
        format!("{}?{}", shapes::api(self.state, &self.path), query.finish())
    }
}
