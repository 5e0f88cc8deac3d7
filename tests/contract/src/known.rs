//! What GitHub is known to do although its description does not list it. Each row names the page
//! of GitHub's documentation that says so; nothing else is waved through, and a row that nothing
//! needs is an error.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// An answer that any operation may give.
pub(crate) struct KnownAnswer {
    status: u16,
    /// How its message begins.
    says: &'static str,
    /// Where GitHub documents it.
    source: &'static str,
}

const fn answer(status: u16, says: &'static str, source: &'static str) -> KnownAnswer {
    KnownAnswer { status, says, source }
}

/// Pages below docs.github.com/en/rest, if nothing else is said.
const ANSWERS: &[KnownAnswer] = &[
    answer(301, "Moved Permanently", "using-the-rest-api/best-practices: follow redirects"),
    answer(401, "Bad credentials", "using-the-rest-api/troubleshooting: 401"),
    answer(
        401,
        "A JSON web token could not be decoded",
        "authentication/authenticating-to-the-rest-api: failed authentication",
    ),
    answer(
        401,
        "'Expiration time' claim ('exp')",
        "apps: generating a JSON web token, whose time has to be within ten minutes",
    ),
    answer(403, "This installation has been suspended", "apps: suspending an installation"),
    answer(502, "Bad Gateway", "releases/assets: an upload that breaks off on GitHub's side"),
    answer(404, "Not Found", "using-the-rest-api/troubleshooting: 404 for what may not be seen"),
];

/// Limits. Which request meets one is chance, so a run may need none of these rows.
const BY_CHANCE: &[KnownAnswer] = &[
    answer(403, "API rate limit exceeded", "using-the-rest-api/rate-limits: exceeding the limit"),
    answer(
        403,
        "You have exceeded a secondary rate limit",
        "using-the-rest-api/rate-limits: exceeding the limit",
    ),
];

/// A media type of an answer that the operation's page names, and the description does not.
pub(crate) struct KnownMedia {
    method: &'static str,
    route: &'static str,
    media: &'static str,
    source: &'static str,
}

const MEDIA: &[KnownMedia] = &[KnownMedia {
    method: "GET",
    route: "/repos/{owner}/{repo}/contents/{path...}",
    media: "application/vnd.github.raw+json",
    source: "repos/contents: media types",
}];

/// A value that the description does not know at its place.
pub(crate) struct KnownValue {
    value: &'static str,
    /// How its place ends.
    place: &'static str,
    source: &'static str,
}

const fn value(value: &'static str, place: &'static str, source: &'static str) -> KnownValue {
    KnownValue { value, place, source }
}

const VALUES: &[KnownValue] = &[
    value("null", "/line", "GraphQL: `line` of an outdated comment is null"),
    value("null", "/position", "the same for REST: an outdated comment has none"),
    value("null", "/issue/user", "issues: `user` is null when the account is gone"),
    value("\"starter\"", "/state", "releases/assets: what an upload that breaks off may leave"),
];

/// Which rows were needed.
#[derive(Default)]
pub(crate) struct Needed(Mutex<BTreeSet<String>>);

impl Needed {
    /// Whether GitHub is known to answer so.
    pub(crate) fn answer(&self, status: u16, message: &str) -> bool {
        let fits = |row: &&KnownAnswer| row.status == status && message.starts_with(row.says);
        let by_chance = BY_CHANCE.iter().any(|row| fits(&row));
        by_chance || self.note(ANSWERS.iter().find(fits).map(KnownAnswer::name))
    }

    /// Whether an answer is known to come in this form.
    pub(crate) fn media(&self, method: &str, route: &str, media: &str) -> bool {
        let row =
            MEDIA.iter().find(|row| (row.method, row.route, row.media) == (method, route, media));
        self.note(row.map(KnownMedia::name))
    }

    /// Whether a complaint is about a value that is known.
    pub(crate) fn value(&self, complaint: &str) -> bool {
        let about = |row: &&KnownValue| {
            let place = complaint.split_once(&format!(": {} is not", row.value));
            place.is_some_and(|(place, _)| place.ends_with(row.place))
        };
        self.note(VALUES.iter().find(about).map(KnownValue::name))
    }

    fn note(&self, name: Option<String>) -> bool {
        let known = name.is_some();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(name);
        known
    }

    /// The rows that nothing needed.
    pub(crate) fn unneeded(&self) -> Vec<String> {
        let needed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all = ANSWERS.iter().map(KnownAnswer::name);
        let all = all.chain(MEDIA.iter().map(KnownMedia::name));
        let all = all.chain(VALUES.iter().map(KnownValue::name));
        all.filter(|name| !needed.contains(name)).collect()
    }
}

impl KnownAnswer {
    fn name(&self) -> String {
        format!("{} {} ({})", self.status, self.says, self.source)
    }
}

impl KnownValue {
    fn name(&self) -> String {
        format!("{} at {} ({})", self.value, self.place, self.source)
    }
}

impl KnownMedia {
    fn name(&self) -> String {
        format!("{} {} as {} ({})", self.method, self.route, self.media, self.source)
    }
}
