//! A command is read back from GitHub before anything follows from it.
//!
//! Invariants: whoever holds the webhook's secret can write a delivery, but not a comment: what
//! counts is what GitHub shows at the place that the delivery names, by the person whom it names,
//! through no App.

use crate::core::command::{BadCommand, Command, line, parse};
use crate::core::event::{CommandEvent, FIX_LABEL};
use crate::core::id::Timestamp;
use crate::forge::payload::{AppId, User};
use crate::forge::{actor, moment};
use crate::worker::{Context, WorkError};

/// What GitHub shows of a command.
pub(in crate::worker) enum Shown {
    /// The same line, said at that moment, and the whole of it as it stands there.
    Same(Timestamp, Result<Command, BadCommand>),
    /// The same person says something else there by now.
    Edited,
    /// Nothing of the kind.
    Nothing,
}

/// What GitHub shows where a command is said to stand.
pub(in crate::worker) async fn shown(
    ctx: &Context,
    asked: &CommandEvent,
) -> Result<Shown, WorkError> {
    let (forge, repo) = (&ctx.forge, &asked.repo);
    let by_them = |user: Option<&User>, app: Option<&AppId>| {
        let same = |by: &crate::core::github::Actor| by.person && by.id == asked.by.id;
        app.is_none() && actor(user).as_ref().is_some_and(same)
    };
    let address = &ctx.settings.address;
    let says = |body: Option<&str>| {
        let body = body.unwrap_or_default();
        let same = line(body, address) == Some(asked.line.as_str());
        parse(body, address).filter(|_| same)
    };
    if let Some(id) = asked.comment_id {
        let Some(there) = forge.comment(repo, id).await? else { return Ok(Shown::Nothing) };
        let kind = if asked.on_pull { "pull" } else { "issues" };
        let thread = format!("/{kind}/{}#", asked.number);
        let here = there.html_url.as_deref().is_some_and(|url| url.contains(&thread));
        let by = by_them(there.user.as_ref(), there.performed_via_github_app.as_ref());
        return Ok(match (here && by, says(there.body.as_deref())) {
            (true, Some(said)) => Shown::Same(said_at(there.created_at.as_deref()), said),
            (true, None) if there.updated_at != there.created_at => Shown::Edited,
            _ => Shown::Nothing,
        });
    }
    if let Some(id) = asked.review_id {
        let there = forge.one_review(repo, asked.number, id).await?;
        let there = there.filter(|it| by_them(it.user.as_ref(), None));
        let said = there.as_ref().and_then(|it| says(it.body.as_deref()));
        let at = said_at(there.and_then(|it| it.submitted_at).as_deref());
        return Ok(said.map_or(Shown::Nothing, |said| Shown::Same(at, said)));
    }
    let set = forge.labelled(repo, asked.number, FIX_LABEL).await?;
    let set = set
        .filter(|it| by_them(it.actor.as_ref(), it.performed_via_github_app.as_ref()))
        .map(|it| said_at(it.created_at.as_deref()));
    Ok(set.map_or(Shown::Nothing, |at| Shown::Same(at, asked.said.clone())))
}

/// What cannot be dated was said before everything else.
fn said_at(text: Option<&str>) -> Timestamp {
    moment(text).unwrap_or(Timestamp(0))
}
