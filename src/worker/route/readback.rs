//! What people said is read back from GitHub before anything follows from it.
//!
//! Invariants: whoever holds the webhook's secret can write a delivery, but not a comment: what
//! counts is what GitHub shows at the place that the delivery names, by the person whom it names,
//! through no App.

use crate::core::command::{BadCommand, Command, line, parse};
use crate::core::event::{CommandEvent, FIX_LABEL, Remark, SaidIn};
use crate::core::github::Actor;
use crate::core::id::{Number, Timestamp};
use crate::forge::payload::{AppId, Comment, User};
use crate::forge::{actor, moment};
use crate::worker::{Context, WorkError};

/// What GitHub shows of a command.
pub(in crate::worker) enum Shown {
    /// The same line, and the whole of it as it stands there.
    Same {
        /// When it was said.
        at: Timestamp,
        said: Result<Command, BadCommand>,
        /// The lines that it stands on, if it stands on lines of a pull request.
        place: Option<String>,
    },
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
    let address = &ctx.settings.address;
    let says = |body: Option<&str>| {
        let body = body.unwrap_or_default();
        let same = line(body, address) == Some(asked.line.as_str());
        parse(body, address).filter(|_| same)
    };
    match asked.said_in {
        SaidIn::Comment(id) => {
            let Some(there) = forge.comment(repo, id).await? else { return Ok(Shown::Nothing) };
            let here = is_by_at(&there, &asked.by, asked.number);
            Ok(match (here, says(there.body.as_deref())) {
                (true, Some(said)) => {
                    Shown::Same { at: said_at(there.created_at.as_deref()), said, place: None }
                }
                (true, None) if there.updated_at != there.created_at => Shown::Edited,
                _ => Shown::Nothing,
            })
        }
        SaidIn::Thread(id) => {
            let Some(there) = forge.review_comment(repo, id).await? else {
                return Ok(Shown::Nothing);
            };
            let here = is_on(there.html_url.as_deref(), asked.number)
                && is_by(&asked.by, there.user.as_ref(), None);
            let at = said_at(there.created_at.as_deref());
            Ok(match (here, says(there.body.as_deref())) {
                (true, Some(said)) => Shown::Same { at, said, place: Some(there.place()) },
                (true, None) if there.updated_at != there.created_at => Shown::Edited,
                _ => Shown::Nothing,
            })
        }
        SaidIn::Review(id) => {
            let there = forge.one_review(repo, asked.number, id).await?;
            let there = there.filter(|it| is_by(&asked.by, it.user.as_ref(), None));
            let said = there.as_ref().and_then(|it| says(it.body.as_deref()));
            let at = said_at(there.and_then(|it| it.submitted_at).as_deref());
            Ok(said.map_or(Shown::Nothing, |said| Shown::Same { at, said, place: None }))
        }
        // Slack signed it, and the person proved who they are on GitHub.
        SaidIn::Slack => {
            Ok(Shown::Same { at: ctx.clock.now(), said: asked.said.clone(), place: None })
        }
        SaidIn::Label => {
            let set = forge.labelled(repo, asked.number, FIX_LABEL).await?;
            let by_them = |it: &crate::forge::payload::IssueEvent| {
                is_by(&asked.by, it.actor.as_ref(), it.performed_via_github_app.as_ref())
            };
            let at = set.filter(by_them).map(|it| said_at(it.created_at.as_deref()));
            let same = |at| Shown::Same { at, said: asked.said.clone(), place: None };
            Ok(at.map_or(Shown::Nothing, same))
        }
    }
}

/// Whether GitHub shows these very words there. `None`: there is no such comment, or not yet.
pub(in crate::worker) async fn is_shown(
    ctx: &Context,
    said: &Remark,
) -> Result<Option<bool>, WorkError> {
    let there = ctx.forge.comment(&said.repo, said.comment_id).await?;
    Ok(there.map(|there| {
        let same = there.body.as_deref().is_some_and(|body| body.trim() == said.words);
        same && is_by_at(&there, &said.by, said.number)
    }))
}

/// Whether a comment stands on this issue or pull request, and is by this person.
fn is_by_at(there: &Comment, by: &Actor, number: Number) -> bool {
    is_on(there.html_url.as_deref(), number)
        && is_by(by, there.user.as_ref(), there.performed_via_github_app.as_ref())
}

fn is_by(by: &Actor, user: Option<&User>, app: Option<&AppId>) -> bool {
    let same = |there: &Actor| there.person && there.id == by.id;
    app.is_none() && actor(user).as_ref().is_some_and(same)
}

/// Whether the address of a comment is one of this issue or pull request, which GitHub writes one
/// way or the other.
fn is_on(url: Option<&str>, number: Number) -> bool {
    let threads = [format!("/issues/{number}#"), format!("/pull/{number}#")];
    url.is_some_and(|url| threads.iter().any(|thread| url.contains(thread)))
}

/// What cannot be dated was said before everything else.
fn said_at(text: Option<&str>) -> Timestamp {
    moment(text).unwrap_or(Timestamp(0))
}
