//! Who somebody is on GitHub: proved once, by GitHub itself.
//!
//! Invariants: what is kept is the account's number and name, and no token; a visit to GitHub
//! belongs to the person of Slack who went; it counts only when the same person says its code on
//! Slack, so that whoever is lured into somebody else's visit links nothing.

use uuid::Uuid;

use super::{Desk, WhoIs, answered, tell};
use crate::core::id::{Login, UserId};
use crate::core::slack::{
    SlackEntry, SlackLink, SlackPlace, SlackProof, SlackRecord, SlackVisit, link_key, proof_key,
    visit_key,
};
use crate::slack::DrawnCard;
use crate::store::Commit;
use crate::worker::WorkError;
use crate::worker::commit::TaskOutcome;

/// So long a visit may take, and its code is good.
const SECONDS: i64 = 10 * 60;

/// `link`: the way to GitHub; `link CODE`: back from it.
pub(super) async fn link(
    desk: &Desk<'_>,
    place: &SlackPlace,
    by: &str,
    code: Option<&str>,
) -> Result<TaskOutcome, WorkError> {
    match code {
        Some(code) => finish(desk, place, by, code).await,
        None => begin(desk, place, by).await,
    }
}

/// The way to GitHub, for this person alone.
async fn begin(desk: &Desk<'_>, place: &SlackPlace, by: &str) -> Result<TaskOutcome, WorkError> {
    let Some(visits) = &desk.ctx.slack_visits else { return Ok(tell(place, by, CANNOT)) };
    if let WhoIs::Nobody(why) = desk.who(by).await? {
        return Ok(tell(place, by, why));
    }
    let random = || Uuid::new_v4().simple().to_string();
    let (state, verifier) = (random(), random() + &random());
    let address = visits.sign_in.address(&visits.redirect, &state, &verifier);
    let text = "GitHub asks whether Gander may know who you are, and leads you to a page with a \
                code. Say \"link\" and that code here.";
    let way = DrawnCard::words(text, Some(("Go to GitHub", address.as_str())));
    desk.slack.tell(place, by, &way).await?;
    let visit = SlackRecord::Visit(SlackVisit { by: by.to_owned(), verifier });
    let until = Some(desk.ctx.clock.now().plus_seconds(SECONDS));
    let entry = SlackEntry { until, ..SlackEntry::kept(visit_key(&state), visit) };
    Ok(TaskOutcome::ready(Some(Commit { slack: vec![entry], ..Commit::default() })))
}

const CANNOT: &str = "The server cannot link accounts yet: it needs the App's client id and \
                      secret, and its own public address (docs/slack.md).";

/// They came back from GitHub: the code is good for a while.
pub(super) fn identified(
    desk: &Desk<'_>,
    by: &str,
    (user_id, login): (UserId, &Login),
    code: &str,
) -> TaskOutcome {
    let link = SlackLink { user_id, login: login.clone() };
    let proof = SlackRecord::Proof(SlackProof { by: by.to_owned(), link });
    let until = Some(desk.ctx.clock.now().plus_seconds(SECONDS));
    let entry = SlackEntry { until, ..SlackEntry::kept(proof_key(code), proof) };
    TaskOutcome::ready(Some(Commit { slack: vec![entry], ..Commit::default() }))
}

async fn finish(
    desk: &Desk<'_>,
    place: &SlackPlace,
    by: &str,
    code: &str,
) -> Result<TaskOutcome, WorkError> {
    let key = proof_key(&code.to_ascii_uppercase());
    let proof = match desk.ctx.store.slack(&key, desk.ctx.clock.now()).await? {
        // SaidOnSlack by somebody else it is no code, and stays good for whom it was made.
        Some(SlackRecord::Proof(proof)) if proof.by == by => proof,
        _ => {
            let text = "This code is none, or it is over. Say \"link\" for another.";
            return Ok(tell(place, by, text));
        }
    };
    let said = format!(
        "You are {} on GitHub from now on. \"unlink\" makes Gander forget it.",
        proof.link.login
    );
    let kept = SlackEntry::kept(link_key(by), SlackRecord::Link(proof.link));
    Ok(answered(vec![kept, SlackEntry::gone(key)], place, by, &said))
}

/// Gander forgets who they are.
pub(super) fn unlink(place: &SlackPlace, by: &str) -> TaskOutcome {
    let gone = SlackEntry::gone(link_key(by));
    answered(vec![gone], place, by, "Gander has forgotten who you are on GitHub.")
}
