//! The pages that a person sees: making an App from a manifest, installing it, signing in with it,
//! adding a file; and a repository with its issues, pull requests and releases.
//!
//! Invariants: whoever sits at the browser may do only what GitHub would let them; all that came
//! from outside is escaped; without JavaScript everything works; another site's page presses no
//! button here.

mod file;
mod install;
mod manifest;
mod markdown;
mod oauth;
mod repository;
mod thread;

use bytes::Bytes;
use http::request::Parts;
use percent_encoding::percent_decode_str;

use super::answer::{Answer, Content};
use super::state::{AccountKind, Repository, State};

/// One request for a page, by a person who is signed in.
struct Visit<'a> {
    state: &'a mut State,
    person: u64,
    query: Fields,
    form: Fields,
    /// The page's own path.
    at: String,
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
        ("POST", ["_sign_in"]) => sign_in,
        ("GET", ["login", "oauth", "authorize"]) => oauth::ask,
        ("POST", ["login", "oauth", "authorize"]) => oauth::authorize,
        // An App asks for it, and nobody at a browser.
        ("POST", ["login", "oauth", "access_token"]) => {
            return Some(oauth::exchange(state, parts, body));
        }
        ("GET", ["apps", _, "installations", "new"]) => install::choose,
        ("POST", ["apps", _, "installations"]) => install::install,
        ("GET", [_, _, "new", _, ..]) => file::show,
        ("POST", [_, _, "create", _, ..]) => file::commit,
        ("GET", [_, _, "blob", _, _, ..]) => file::read,
        ("GET", [_, _, "issues" | "pulls"]) => repository::threads,
        ("POST", [_, _, "issues"]) => repository::open_issue,
        ("GET", [_, _, "releases"] | [_, _, "releases", "tag", _]) => repository::releases,
        ("GET", [_, _, "releases", "download", _, _]) => repository::download,
        ("GET", [_, _, "issues" | "pull", _]) => thread::show,
        ("GET", [_, _, "pull", _, "files"]) => thread::files,
        ("POST", [_, _, "issues", _, "comments"]) => thread::comment,
        ("POST", [_, _, "pull", _, "reviews"]) => thread::review,
        ("GET", [owner, _]) if state.account_named(owner).is_some() => repository::home,
        _ => return None,
    };
    // GitHub takes a manifest from the page of whoever wrote it, and only shows it then.
    let is_manifest = names.ends_with(&["apps", "new"]);
    if parts.method == http::Method::POST && !is_manifest && !is_same_site(state, parts) {
        return Some(page(403, "GitHub", "<p class=\"error\">This came from another site.</p>"));
    }
    let Some(person) = state.browser else {
        return Some(page(401, "Sign in to GitHub", "<p>Sign in to GitHub to go on.</p>"));
    };
    let query = Fields::parse(parts.uri.query().unwrap_or("").as_bytes());
    let at = parts.uri.path().to_owned();
    let mut visit = Visit { state, person, query, form: Fields::parse(body), at };
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
    document(status, title, "", body)
}

/// `before`: what stands above the title.
fn document(status: u16, title: &str, before: &str, body: &str) -> Answer {
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
         {before}<h1>{title}</h1>{body}</body></html>"
    );
    let content = Content::Bytes("text/html; charset=utf-8".to_owned(), html.into_bytes());
    Answer { status, headers: Vec::new(), content }
}

/// A page of a repository, with the way to its others.
fn framed(visit: &Visit<'_>, known: &Repository, title: &str, body: &str) -> Answer {
    let state = &*visit.state;
    let (name, who) = (escape(&state.full_name(known)), escape(&state.login(Some(visit.person))));
    let others = state.accounts.values().filter(|other| {
        other.kind == AccountKind::User
            && other.id != visit.person
            && state.role(known, other.id) != "none"
    });
    let buttons: String = others
        .map(|other| {
            format!("<button name=\"login\" value=\"{0}\">{0}</button> ", escape(&other.login))
        })
        .collect();
    let at = escape(&visit.at);
    let head = format!(
        "<style>{THREAD_STYLE}</style><nav><a href=\"/{name}\"><b>{name}</b></a> <a \
         href=\"/{name}/issues\">Issues</a> <a href=\"/{name}/pulls\">Pull requests</a> <a \
         href=\"/{name}/releases\">Releases</a><form class=\"who\" method=\"post\" \
         action=\"/_sign_in\"><input type=\"hidden\" name=\"back\" value=\"{at}\">You are \
         <b>{who}</b>; be {buttons}</form></nav>"
    );
    let mut answer = document(200, title, &head, body);
    let policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'";
    answer.headers.push(("content-security-policy".to_owned(), policy.to_owned()));
    answer
}

/// What the pages of a repository look like, beside what all do.
const THREAD_STYLE: &str = "body{max-width:56rem}nav{display:flex;gap:1rem;flex-wrap:wrap;align-items:baseline;border-bottom:1px solid #d1d9e0;\
    padding-bottom:.75rem}.who{margin-left:auto;color:#59636e;font-size:.85rem}.who button{font:inherit;padding:0 .4rem;\
    background:#f6f8fa;color:#0969da;border:1px solid #d1d9e0}small{color:#59636e}a{color:#0969da;\
    text-decoration:none}a:hover{text-decoration:underline}h1{font-size:1.6rem;font-weight:600;margin:1rem \
    0 .2rem}p{margin:.5rem 0}\
    h2{font-size:1.15rem;margin-top:1.5rem}.box{border:1px solid #d1d9e0;border-radius:6px;\
    padding:0 1rem .5rem;margin:.6rem 0}.box header{background:#f6f8fa;margin:0 -1rem .5rem;\
    padding:.4rem 1rem;border-bottom:1px solid #d1d9e0;border-radius:6px 6px 0 0}.box h3{\
    font-size:1rem}.box pre{white-space:pre-wrap}.box li:has(input){list-style:none;margin-left:\
    -1.2rem}@media(max-width:40rem){td code{overflow-wrap:anywhere}}table{border-collapse:collapse;display:block;overflow:auto}td,th{border:1px \
    solid #d1d9e0;padding:.3rem .6rem;text-align:left}code{background:#eff1f3;border-radius:4px;\
    padding:.1rem .3rem;font-size:.85em}pre code{background:none;padding:0}.list{list-style:none;\
    padding:0}.list li{padding:.35rem 0;border-bottom:1px solid #eaeef2}.badge{font-size:.8rem;\
    border:1px solid #d1d9e0;border-radius:1rem;padding:.1rem .6rem;color:#59636e}.badge.open,\
    .badge.success{background:#1f883d;border-color:#1f883d;color:#fff}.badge.merged{background:\
    #8250df;border-color:#8250df;color:#fff}.badge.closed,.badge.failure{background:#cf222e;\
    border-color:#cf222e;color:#fff}textarea{height:6rem;border:1px solid #d1d9e0;border-radius:\
    6px}input:not([type=checkbox]){font:inherit;width:100%;box-sizing:border-box;padding:.4rem;border:1px solid \
    #d1d9e0;border-radius:6px}button.quiet{background:#f6f8fa;color:#1f2328;border:1px solid \
    #d1d9e0}.diff{background:#fff;border:1px solid #d1d9e0;border-radius:6px;padding:.5rem 0}\
    .diff span{display:block;padding:0 .75rem;min-height:1.2em}.diff .new{background:#dafbe1}\
    .diff .old{background:#ffebe9}.diff .place{background:#ddf4ff;color:#59636e}";

/// Becomes somebody else: here nobody has a password.
fn sign_in(visit: &mut Visit<'_>, _: &[String]) -> Page {
    let wanted = visit.state.account_named(visit.form.get("login"));
    let wanted = wanted.filter(|it| it.kind == AccountKind::User).map(|it| it.id);
    visit.state.browser = Some(wanted.ok_or_else(Refused::not_found)?);
    // Never to another site.
    let back = visit.form.get("back").trim_start_matches(['/', '\\']);
    Ok(redirect(&format!("/{back}")))
}

/// Whether the page whose button was pressed is one of these, as far as the browser says it.
fn is_same_site(state: &State, parts: &Parts) -> bool {
    let origin = parts.headers.get(http::header::ORIGIN);
    origin.is_none_or(|it| *it == state.web.origin().ascii_serialization())
}

fn redirect(to: &str) -> Answer {
    let headers = vec![("location".to_owned(), to.to_owned())];
    Answer { status: 302, headers, content: Content::Empty }
}
