//! What somebody is told who cannot go on, and the ways back.

use axum::response::Response;
use http::{HeaderValue, StatusCode, header};

use super::gate::GateRefusal;
use super::pages::{MessagePage, Style, message, page};

pub(super) fn turned_away(closed: GateRefusal) -> Response {
    let (title, why) = match closed {
        GateRefusal::Wrong => (
            "This browser was not let in",
            "The link was not complete, or this is another browser than the one that opened it.",
        ),
        GateRefusal::Used => ("This link was used already", "For your safety it works only once."),
        GateRefusal::Late => ("This link has expired", "For your safety it works for one hour."),
    };
    let next = "Go on in the browser that opened the link; or stop `gander setup` with Ctrl-C, \
                start it again and open the new link.";
    message(StatusCode::FORBIDDEN, title, why, next)
}

/// GitHub sent somebody back, but not with the answer that is waited for.
pub(super) fn not_asked_for(closed: GateRefusal) -> Response {
    let (title, why) = match closed {
        GateRefusal::Wrong => (
            "This answer is not for this setup",
            "The state in the address is not the one that was sent to GitHub.",
        ),
        GateRefusal::Used => ("This answer was used already", "GitHub's answer counts only once."),
        GateRefusal::Late => ("GitHub's answer came too late", "It is good for one hour."),
    };
    let next = "If GitHub shows a new App that you do not know here, delete it there. Then start \
                again.";
    again(StatusCode::FORBIDDEN, title, why, next)
}

/// A message with a way back to the beginning.
pub(super) fn again(status: StatusCode, title: &str, why: &str, next: &str) -> Response {
    page(status, &MessagePage { style: Style, title, why, next, command: None, again: true })
}

pub(super) fn see_other(to: &'static str, cookie: Option<HeaderValue>) -> Response {
    let mut response = Response::new(axum::body::Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static(to));
    if let Some(cookie) = cookie {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}
