//! A repository's own pages: what is in it, its issues and pull requests, its releases.

use std::fmt::Write as _;

use super::markdown::rendered;
use super::{Page, Refused, Visit, escape, framed, redirect};
use crate::acts::{self, NewIssue};
use crate::answer::{Answer, Content};
use crate::git::Depth;
use crate::state::{Issue, Repository};

/// The repository that a path names, if the person may read it.
pub(super) fn readable<'s>(
    visit: &'s Visit<'_>,
    path: &[String],
) -> Result<&'s Repository, Refused> {
    let [owner, name, ..] = path else { return Err(Refused::not_found()) };
    let known = visit.state.repository_named(owner, name).ok_or_else(Refused::not_found)?;
    let reads = !known.private
        || visit.state.role(known, visit.person) != "none"
        || visit.state.owners.contains(&(known.owner, visit.person));
    if reads { Ok(known) } else { Err(Refused::not_found()) }
}

/// `/{owner}/{repo}`
pub(super) fn home(visit: &mut Visit<'_>, path: &[String]) -> Page {
    let known = readable(visit, path)?;
    let name = visit.state.full_name(known);
    let tip = known.refs.get(&format!("refs/heads/{}", known.default_branch));
    let mut body = String::from("<h2>Files</h2><ul class=\"list\">");
    let files = tip.map(|tip| known.git.list(tip, Depth::Everything)).transpose()?;
    for file in files.unwrap_or_default().iter().filter(|file| file.kind != "tree") {
        let file = escape(&file.path);
        let branch = escape(&known.default_branch);
        let _ = write!(body, "<li><a href=\"/{name}/blob/{branch}/{file}\">{file}</a></li>");
    }
    body.push_str("</ul>");
    let readme = tip.and_then(|tip| known.git.entry(tip, "README.md"));
    if let Some(text) = readme.and_then(|entry| known.git.read("blob", &entry.sha)) {
        let text = rendered(&String::from_utf8_lossy(&text), &name);
        let _ = write!(body, "<article class=\"box\">{text}</article>");
    }
    Ok(framed(visit, known, &name, &body))
}

/// `/{owner}/{repo}/issues`, with a form for a new one, and `…/pulls`.
pub(super) fn threads(visit: &mut Visit<'_>, path: &[String]) -> Page {
    let known = readable(visit, path)?;
    let name = visit.state.full_name(known);
    let of_pulls = path.get(2).is_some_and(|word| word == "pulls");
    let mut body = String::from("<ul class=\"list\">");
    for issue in known.issues.values().rev().filter(|issue| issue.pull.is_some() == of_pulls) {
        let (number, title) = (issue.number, escape(&issue.title));
        let by = escape(&visit.state.login(issue.author));
        let kind = if of_pulls { "pull" } else { "issues" };
        let _ = write!(
            body,
            "<li>{} <a href=\"/{name}/{kind}/{number}\">{title}</a> <small>#{number} by \
             {by}</small></li>",
            badge(issue)
        );
    }
    body.push_str("</ul>");
    if !of_pulls {
        let _ = write!(
            body,
            "<h2>New issue</h2><form method=\"post\" action=\"/{name}/issues\"><p><label \
             for=\"title\">Title</label><input id=\"title\" name=\"title\" required></p><p><label \
             for=\"body\">Description</label><textarea id=\"body\" name=\"body\"></textarea></p>\
             <button>Open it</button></form>"
        );
    }
    let title = if of_pulls { "Pull requests" } else { "Issues" };
    Ok(framed(visit, known, title, &body))
}

/// The button for a new issue.
pub(super) fn open_issue(visit: &mut Visit<'_>, path: &[String]) -> Page {
    let known = readable(visit, path)?;
    let (id, name) = (known.id, visit.state.full_name(known));
    let title = visit.form.get("title").trim().to_owned();
    if title.is_empty() {
        return Err(Refused(422, "An issue needs a title.".to_owned()));
    }
    let new = NewIssue {
        author: Some(visit.person),
        title,
        body: Some(visit.form.get("body").replace("\r\n", "\n")),
        labels: Vec::new(),
        assignees: Vec::new(),
    };
    let number = acts::open_issue(visit.state, id, new)?;
    Ok(redirect(&format!("/{name}/issues/{number}")))
}

/// `/{owner}/{repo}/releases`, and one of them by its tag.
pub(super) fn releases(visit: &mut Visit<'_>, path: &[String]) -> Page {
    let known = readable(visit, path)?;
    let name = visit.state.full_name(known);
    let wanted = path.get(4);
    let mut body = String::new();
    let public = known.releases.iter().rev().filter(|release| !release.draft);
    for release in public.filter(|it| wanted.is_none_or(|tag| *tag == it.tag)) {
        let tag = escape(&release.tag);
        let title = release.name.as_deref().filter(|it| !it.is_empty()).unwrap_or(&release.tag);
        let _ = write!(
            body,
            "<article class=\"box\"><h2><a href=\"/{name}/releases/tag/{tag}\">{}</a></h2>{}\
             <ul class=\"list\">",
            escape(title),
            rendered(release.body.as_deref().unwrap_or_default(), &name)
        );
        for asset in &release.assets {
            let (file, bytes) = (escape(&asset.name), asset.content.len());
            let _ = write!(
                body,
                "<li><a href=\"/{name}/releases/download/{tag}/{file}\">{file}</a> \
                 <small>{bytes} bytes, {}</small></li>",
                escape(&asset.digest())
            );
        }
        body.push_str("</ul></article>");
    }
    if body.is_empty() {
        body.push_str("<p>There is none.</p>");
    }
    Ok(framed(visit, known, "Releases", &body))
}

/// `/{owner}/{repo}/releases/download/{tag}/{file}`
pub(super) fn download(visit: &mut Visit<'_>, path: &[String]) -> Page {
    let known = readable(visit, path)?;
    let [_, _, _, _, tag, file] = path else { return Err(Refused::not_found()) };
    let release = known.releases.iter().find(|it| it.tag == *tag && !it.draft);
    let asset = release.and_then(|it| it.assets.iter().find(|asset| asset.name == *file));
    let asset = asset.ok_or_else(Refused::not_found)?;
    let content = Content::Bytes("application/octet-stream".to_owned(), asset.content.clone());
    Ok(Answer { status: 200, headers: Vec::new(), content })
}

/// Where an issue or a pull request stands.
pub(super) fn badge(issue: &Issue) -> String {
    let merged = issue.pull.as_ref().is_some_and(|pull| pull.merged_at.is_some());
    let word = match (merged, issue.open) {
        (true, _) => "merged",
        (false, true) => "open",
        (false, false) => "closed",
    };
    format!("<span class=\"badge {word}\">{word}</span>")
}
