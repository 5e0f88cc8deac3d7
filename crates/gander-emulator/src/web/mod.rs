//! The pages a person sees when an App is set up: making one from a manifest, installing it, and
//! adding a file.
//!
//! Invariants: whoever sits at the browser may do only what GitHub would let them; all that came
//! from outside is escaped; without JavaScript everything works.

mod file;
mod install;
mod manifest;

use bytes::Bytes;
use http::request::Parts;
use percent_encoding::percent_decode_str;

use super::answer::{Answer, Content};
use super::state::{AccountKind, State};

/// One request for a page, by a person who is signed in.
struct Visit<'a> {
    state: &'a mut State,
    person: u64,
    query: Fields,
    form: Fields,
}

/// Names and values of a query or a form.
struct Fields(Vec<(String, String)>);

/// Why a page cannot be shown: a status, what is wrong.
struct Refused(u16, String);

type Page = Result<Answer, Refused>;

impl Fields {
    fn parse(encoded: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(encoded).into_owned().collect())
    }

    /// The first value of this name; empty when there is none.
    fn get(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or("")
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl Refused {
    fn not_found() -> Self {
        Self(404, "This is not the web page you are looking for.".to_owned())
    }
}

impl From<super::Trouble> for Refused {
    fn from(trouble: super::Trouble) -> Self {
        match trouble {
            super::Trouble::Unknown { .. } => Self::not_found(),
            other => Self(422, other.to_string()),
        }
    }
}

/// Answers a request for a page; `None` when no page has this address.
pub(crate) fn answer(state: &mut State, parts: &Parts, body: &Bytes) -> Option<Answer> {
    type Act = fn(&mut Visit<'_>, &[String]) -> Page;
    let path: Vec<String> = parts.uri.path().trim_matches('/').split('/').map(decode).collect();
    let names: Vec<&str> = path.iter().map(String::as_str).collect();
    let act: Act = match (parts.method.as_str(), &names[..]) {
        ("GET" | "POST", ["settings", "apps", "new"])
        | ("GET" | "POST", ["organizations", _, "settings", "apps", "new"]) => manifest::show,
        ("POST", ["settings", "apps"] | ["organizations", _, "settings", "apps"]) => {
            manifest::create
        }
        ("GET", ["apps", _]) => install::app,
        ("GET", ["apps", _, "installations", "new"]) => install::choose,
        ("POST", ["apps", _, "installations"]) => install::install,
        ("GET", [_, _, "new", _, ..]) => file::show,
        ("POST", [_, _, "create", _, ..]) => file::commit,
        ("GET", [_, _, "blob", _, _, ..]) => file::read,
        _ => return None,
    };
    let Some(person) = state.browser else {
        return Some(page(401, "Sign in to GitHub", "<p>Sign in to GitHub to go on.</p>"));
    };
    let query = Fields::parse(parts.uri.query().unwrap_or("").as_bytes());
    let mut visit = Visit { state, person, query, form: Fields::parse(body) };
    Some(act(&mut visit, &path).unwrap_or_else(|Refused(status, why)| {
        page(status, "GitHub", &format!("<p class=\"error\">{}</p>", escape(&why)))
    }))
}

/// Whether a person may make and install Apps for an account.
fn governs(state: &State, person: u64, account: u64) -> bool {
    person == account || state.owners.contains(&(account, person))
}

/// The account whose Apps a path is about: the person's own, or an organisation's.
fn owner_in(visit: &Visit<'_>, path: &[String]) -> Result<u64, Refused> {
    let Some(["organizations", name]) = path.get(..2).map(|two| [two[0].as_str(), two[1].as_str()])
    else {
        return Ok(visit.person);
    };
    let known = visit.state.account_named(name).filter(|account| {
        account.kind == AccountKind::Organization && governs(visit.state, visit.person, account.id)
    });
    known.map(|account| account.id).ok_or_else(Refused::not_found)
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Text that HTML shows as it is.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

fn page(status: u16, title: &str, body: &str) -> Answer {
    const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:2rem auto;\
                         padding:0 1rem;color:#1f2328}pre,textarea{width:100%;box-sizing:\
                         border-box;font:.85rem/1.4 monospace;background:#f6f8fa;padding:.75rem;\
                         overflow:auto}textarea{height:20rem}.error{color:#b3261e}button{font:\
                         inherit;padding:.6rem 1rem;background:#1f883d;color:#fff;border:0;\
                         border-radius:6px}";
    let title = escape(title);
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style></head><body>\
         <h1>{title}</h1>{body}</body></html>"
    );
    let content = Content::Bytes("text/html; charset=utf-8".to_owned(), html.into_bytes());
    Answer { status, headers: Vec::new(), content }
}

fn redirect(to: &str) -> Answer {
    let headers = vec![("location".to_owned(), to.to_owned())];
    Answer { status: 302, headers, content: Content::Empty }
}
