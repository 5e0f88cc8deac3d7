//! An issue or a pull request: what was said, what it changes, and saying something oneself.

use std::fmt::Write as _;

use super::markdown::rendered;
use super::repository::{badge, readable};
use super::{Page, Refused, Visit, escape, framed, redirect};
use crate::acts::{self, NewReview};
use crate::shapes::moment;
use crate::state::{Issue, Pull, Repository, State};

/// `/{owner}/{repo}/issues/{number}` and `…/pull/{number}`
pub(super) fn show(visit: &mut Visit<'_>, path: &[String]) -> Page {
    let known = readable(visit, path)?;
    let issue = issue_in(known, path)?;
    let name = visit.state.full_name(known);
    let mut body = format!("<p>{}", badge(issue));
    for label in &issue.labels {
        let _ = write!(body, " <span class=\"badge\">{}</span>", escape(label));
    }
    body.push_str("</p>");
    if let Some(pull) = &issue.pull {
        body.push_str(&about_pull(visit.state, known, issue, pull));
    }
    for Saying { at, author, how, text } in sayings(known, issue) {
        let by = escape(&visit.state.login(author));
        let _ = write!(
            body,
            "<article class=\"box\"><header><b>{by}</b>{} <small>{}</small></header>{}</article>",
            escape(&how),
            when(at),
            rendered(text, &name)
        );
    }
    body.push_str(&forms(&name, issue, &visit.state.login(Some(visit.person))));
    let title = format!("{} #{}", issue.title, issue.number);
    Ok(framed(visit, known, &title, &body))
}

/// Something that somebody said.
struct Saying<'s> {
    at: i64,
    author: Option<u64>,
    /// In what form, where that is not a plain comment: ` reviewed: approved`.
    how: String,
    text: &'s str,
}

/// The text that an issue or pull request began with, and what was said since, in order.
fn sayings<'s>(known: &'s Repository, issue: &'s Issue) -> Vec<Saying<'s>> {
    let plain = |at, author, text| Saying { at, author, how: String::new(), text };
    let first = issue.body.as_deref().unwrap_or_default();
    let mut said = vec![plain(issue.created_at, issue.author, first)];
    let comments = known.comments.values().filter(|it| it.issue == issue.number);
    said.extend(comments.map(|it| plain(it.created_at, it.author, &it.body)));
    let reviews = known.reviews.iter().filter(|it| it.pull == issue.number);
    said.extend(reviews.map(|it| {
        let how = format!(" reviewed: {}", it.state.to_ascii_lowercase().replace('_', " "));
        Saying { at: it.submitted_at, author: Some(it.author), how, text: &it.body }
    }));
    let notes = known.review_comments.values().filter(|it| it.pull == issue.number);
    said.extend(notes.map(|it| {
        let resolved = if known.resolved.contains_key(&it.root()) { ", resolved" } else { "" };
        let how = format!(" on {} line {}{resolved}", it.spot.path, it.spot.line);
        Saying { at: it.created_at, author: it.author, how, text: &it.body }
    }));
    said.sort_by_key(|it| it.at);
    said
}

/// `/{owner}/{repo}/pull/{number}/files`
pub(super) fn files(visit: &mut Visit<'_>, path: &[String]) -> Page {
    let known = readable(visit, path)?;
    let issue = issue_in(known, path)?;
    let pull = issue.pull.as_ref().ok_or_else(Refused::not_found)?;
    let start = known.git.merge_base(&pull.base_sha, &pull.head_sha);
    let start = start.unwrap_or_else(|| pull.base_sha.clone());
    let mut body = String::new();
    for change in known.git.diff(&start, &pull.head_sha)? {
        let _ = write!(
            body,
            "<h2><code>{}</code> <small>+{} −{}</small></h2><pre class=\"diff\">",
            escape(&change.path),
            change.additions,
            change.deletions
        );
        for line in change.patch.as_deref().unwrap_or("binary").lines() {
            let class = match line.chars().next() {
                Some('+') => "new",
                Some('-') => "old",
                Some('@') => "place",
                _ => "same",
            };
            let _ = write!(body, "<span class=\"{class}\">{}</span>", escape(line));
        }
        body.push_str("</pre>");
    }
    let title = format!("Files of #{}", issue.number);
    Ok(framed(visit, known, &title, &body))
}

/// The button for a comment.
pub(super) fn comment(visit: &mut Visit<'_>, path: &[String]) -> Page {
    let known = readable(visit, path)?;
    let (id, number) = (known.id, issue_in(known, path)?.number);
    let back = format!("/{}/issues/{number}", visit.state.full_name(known));
    let words = visit.form.get("body").replace("\r\n", "\n");
    if words.trim().is_empty() {
        return Err(Refused(422, "A comment needs words.".to_owned()));
    }
    acts::comment(visit.state, id, number, Some(visit.person), &words)?;
    Ok(redirect(&back))
}

/// The buttons of a review.
pub(super) fn review(visit: &mut Visit<'_>, path: &[String]) -> Page {
    let known = readable(visit, path)?;
    let (id, number) = (known.id, issue_in(known, path)?.number);
    let back = format!("/{}/pull/{number}", visit.state.full_name(known));
    let verdict = match visit.form.get("verdict") {
        "approve" => "APPROVED",
        "request changes" => "CHANGES_REQUESTED",
        _ => return Err(Refused(422, "A review approves or requests changes.".to_owned())),
    };
    let body = visit.form.get("body").replace("\r\n", "\n");
    let (author, notes) = (visit.person, Vec::new());
    let new = NewReview { author, verdict, body, commit: None, notes };
    acts::review(visit.state, id, number, new)?;
    Ok(redirect(&back))
}

fn issue_in<'s>(known: &'s Repository, path: &[String]) -> Result<&'s Issue, Refused> {
    let number = path.get(3).and_then(|number| number.parse::<u64>().ok());
    number.and_then(|number| known.issues.get(&number)).ok_or_else(Refused::not_found)
}

/// `2026-01-31 12:00 UTC`
fn when(at: i64) -> String {
    let moment = moment(at).replace('T', " ");
    format!("{} UTC", moment.get(..16).unwrap_or(&moment))
}

/// Branches, head and its checks.
fn about_pull(state: &State, known: &Repository, issue: &Issue, pull: &Pull) -> String {
    let name = state.full_name(known);
    let mut text = format!(
        "<p><code>{}</code> into <code>{}</code>, head <code>{}</code> · <a \
         href=\"/{name}/pull/{}/files\">Files changed</a></p>",
        escape(&pull.head_branch),
        escape(&pull.base_branch),
        escape(pull.head_sha.get(..12).unwrap_or(&pull.head_sha)),
        issue.number
    );
    let checks: Vec<_> =
        known.check_runs.iter().filter(|run| run.head_sha == pull.head_sha).collect();
    if !checks.is_empty() {
        text.push_str("<ul class=\"list\">");
        for run in checks {
            let how = run.conclusion.as_deref().unwrap_or(&run.status);
            let (check, how) = (escape(&run.name), escape(how));
            let _ = write!(text, "<li><span class=\"badge {how}\">{how}</span> {check}</li>");
        }
        text.push_str("</ul>");
    }
    text
}

/// What one can say here.
fn forms(name: &str, issue: &Issue, who: &str) -> String {
    let (number, who) = (issue.number, escape(who));
    let words = match (&issue.pull, issue.open) {
        (None, true) => "/gander fix",
        _ => "",
    };
    let review = match issue.pull.is_some() && issue.open {
        true => format!(
            "<h2>Review as {who}</h2><form method=\"post\" action=\"/{name}/pull/{number}/reviews\">\
             <textarea name=\"body\" aria-label=\"Review\"></textarea><p><button name=\"verdict\" \
             value=\"approve\">Approve</button> <button class=\"quiet\" name=\"verdict\" \
             value=\"request changes\">Request changes</button></p></form>"
        ),
        false => String::new(),
    };
    format!(
        "{review}<h2>Comment as {who}</h2><form method=\"post\" \
         action=\"/{name}/issues/{number}/comments\"><textarea name=\"body\" \
         aria-label=\"Comment\">{words}</textarea><p><button>Comment</button></p></form>"
    )
}
