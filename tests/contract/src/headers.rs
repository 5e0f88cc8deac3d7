//! Headers, both ways: those the description declares, and the few that GitHub's documentation
//! asks of each request.

use gander_emulator::Exchange;

use crate::document::{Contents, Operation, Response};
use crate::{Contract, Findings, Part};

/// What a request may accept: "Media types" in GitHub's documentation, and anything.
const ACCEPTED: [&str; 6] = [
    "*/*",
    "application/json",
    "application/octet-stream",
    "application/vnd.github+json",
    "application/vnd.github.raw+json",
    // With the text as it is shown.
    "application/vnd.github.full+json",
];

/// "API versions" in GitHub's documentation.
const VERSIONS: [&str; 2] = ["2022-11-28", "2026-03-10"];

impl Contract {
    pub(crate) fn check_request_headers(
        &self,
        operation: &Operation,
        exchange: &Exchange,
        found: &mut Findings,
    ) {
        let given = |name: &str| header(&exchange.request_headers, name);
        let mut wrong = |message: String| found.add(Part::RequestHeader, message);
        if given("user-agent").is_none_or(str::is_empty) {
            wrong("there is no user-agent".to_owned());
        }
        match given("accept") {
            Some(accept) if !ACCEPTED.contains(&accept) => {
                wrong(format!("accept: {accept} is no media type of GitHub's"));
            }
            Some(_) | None => {}
        }
        match given("x-github-api-version") {
            Some(version) if !VERSIONS.contains(&version) => {
                wrong(format!("x-github-api-version: {version} is no version of the API"));
            }
            Some(_) | None => {}
        }
        let kind = given("content-type").map(essence);
        if exchange.request_body.is_some() && kind.is_none() {
            wrong("a body without a content-type".to_owned());
        }
        if let Some(kind) = kind
            && !operation.body.is_empty()
            && !takes(&operation.body, kind)
        {
            wrong(format!("content-type: {kind} is not described"));
        }
    }

    pub(crate) fn check_response_headers(
        &self,
        (operation, response): (&Operation, &Response),
        exchange: &Exchange,
        found: &mut Findings,
    ) {
        let given = |name: &str| header(&exchange.response_headers, name);
        if let Some(kind) = given("content-type").map(essence) {
            let route = exchange.route.as_deref().unwrap_or_default();
            // Of some errors the description has the status alone. They are JSON, as all are.
            let error = exchange.status >= 400 && response.contents.is_empty();
            let described =
                takes(&response.contents, kind) || (error && kind == "application/json");
            if !described && !self.needed.media(&exchange.method, route, kind) {
                found.add(Part::ResponseHeader, format!("content-type: {kind} is not described"));
            }
        }
        // Pages: "Using pagination in the REST API", the link header. Redirects: "Best practices
        // for using the REST API", follow redirects.
        let asks_for_page =
            ["page", "cursor"].iter().any(|name| operation.query.contains_key(*name));
        let paged = asks_for_page && exchange.status == 200;
        let moved = matches!(exchange.status, 301 | 302 | 307 | 308);
        for (name, elsewhere) in [("link", paged), ("location", moved)] {
            if given(name).is_some() && !elsewhere && !response.headers.contains_key(name) {
                found.add(Part::ResponseHeader, format!("{name} is not described"));
            }
        }
        for (name, schema) in &response.headers {
            if let Some(text) = given(name)
                && !self.fits_as_text(schema, text)
            {
                found.add(Part::ResponseHeader, format!("{name}: {text} does not fit"));
            }
        }
        // Where something was made or is now, GitHub says so each time.
        let placed = moved || response.headers.contains_key("location");
        if placed && given("location").is_none() {
            found.add(Part::ResponseHeader, "there is no location".to_owned());
        }
        if let Some(place) = given("location")
            && url::Url::parse(place).is_err()
        {
            found.add(Part::ResponseHeader, format!("location: {place} is no address"));
        }
    }

    /// The links to other pages: each is to the same list, with parameters that it has. A list that
    /// says how many there are leads to those it does not show.
    pub(crate) fn check_links(
        &self,
        operation: &Operation,
        exchange: &Exchange,
        found: &mut Findings,
    ) {
        let links = header(&exchange.response_headers, "link").unwrap_or_default();
        for link in links.split(", ").filter(|link| !link.is_empty()) {
            match read_link(link) {
                None => found.add(Part::ResponseHeader, format!("link: {link} is none")),
                Some((place, _)) => {
                    if !place.path().ends_with(&exchange.path) {
                        found.add(Part::ResponseHeader, format!("link: {place} is another list"));
                    }
                    self.check_query(
                        operation,
                        place.query().unwrap_or_default(),
                        (Part::ResponseHeader, found),
                    );
                }
            }
        }
        let Some(body) = &exchange.response_body else { return };
        let Some(total) = body["total_count"].as_u64() else { return };
        let lists = body.as_object().into_iter().flatten().filter_map(|(_, list)| list.as_array());
        let shown = lists.map(Vec::len).max().unwrap_or(0) as u64;
        if shown < total && links.is_empty() {
            let message = format!("{shown} of {total}, and no link to the others");
            found.add(Part::ResponseHeader, message);
        }
    }
}

/// A header by its name.
pub(crate) fn header<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    let mut headers = headers.iter();
    headers.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// A media type without its parameters.
fn essence(kind: &str) -> &str {
    kind.split(';').next().unwrap_or_default().trim()
}

fn takes(contents: &Contents, kind: &str) -> bool {
    contents.keys().any(|known| essence(known) == kind)
}

/// `<address>; rel="next"`.
fn read_link(link: &str) -> Option<(url::Url, &str)> {
    let (place, rel) = link.strip_prefix('<')?.split_once(">; rel=\"")?;
    let rel = rel.strip_suffix('"')?;
    let known = ["first", "prev", "next", "last"].contains(&rel);
    Some((url::Url::parse(place).ok().filter(|_| known)?, rel))
}
