//! A new file, written on a page and committed by the person who sits there.
//!
//! Invariants: it takes write access; an existing file is not overwritten.

use super::{Page, Refused, Visit, escape, page, redirect};
use crate::acts::{self, Seal};
use crate::git::Edit;
use crate::shapes::repository_page;
use crate::state::person;

/// `/{owner}/{repo}/new/{branch}?filename=…&value=…`
pub(super) fn show(visit: &mut Visit<'_>, path: &[String]) -> Page {
    let (repository, branch) = place(visit, path)?;
    let (name, value) = (visit.query.get("filename"), visit.query.get("value"));
    let full_name = visit.state.full_name(visit.state.repository(repository)?);
    let body = format!(
        "<form method=\"post\" action=\"/{full_name}/create/{}\"><p><label for=\"filename\">File \
         name</label><br><input id=\"filename\" name=\"filename\" value=\"{}\" size=\"40\"></p>\
         <p><label for=\"value\">Content</label><br><textarea id=\"value\" name=\"value\">\n{}\
         </textarea></p><button>Commit changes</button></form>",
        escape(&branch),
        escape(name),
        escape(value),
    );
    Ok(page(200, &format!("New file in {full_name}"), &body))
}

/// `/{owner}/{repo}/blob/{branch}/{path}`
pub(super) fn read(visit: &mut Visit<'_>, path: &[String]) -> Page {
    let [owner, name, _, branch, file @ ..] = path else { return Err(Refused::not_found()) };
    let known = visit.state.repository_named(owner, name).ok_or_else(Refused::not_found)?;
    let reads = visit.state.role(known, visit.person) != "none"
        || visit.state.owners.contains(&(known.owner, visit.person));
    let tip = known.refs.get(&format!("refs/heads/{branch}")).filter(|_| reads);
    let file = file.join("/");
    let entry = tip.and_then(|tip| known.git.entry(tip, &file)).ok_or_else(Refused::not_found)?;
    let content = known.git.read("blob", &entry.sha).ok_or_else(Refused::not_found)?;
    let content = escape(&String::from_utf8_lossy(&content));
    Ok(page(200, &file, &format!("<pre>{content}</pre>")))
}

/// The button.
pub(super) fn commit(visit: &mut Visit<'_>, path: &[String]) -> Page {
    let (id, branch) = place(visit, path)?;
    let name = visit.form.get("filename").trim_matches('/').to_owned();
    // A form sends its lines as CRLF.
    let content = visit.form.get("value").replace("\r\n", "\n");
    let bad = |part: &str| matches!(part, "" | "." | ".." | ".git");
    if name.split('/').any(bad) || name.contains(['\0', '\n', '\t']) {
        return Err(Refused(422, "The file name is not one.".to_owned()));
    }
    let known = visit.state.repository(id)?;
    let git = known.git.clone();
    let tip = known.refs.get(&format!("refs/heads/{branch}")).cloned();
    let tip = tip.ok_or_else(Refused::not_found)?;
    if git.entry(&tip, &name).is_some() {
        return Err(Refused(422, "A file with the same name already exists.".to_owned()));
    }
    let sha = git.write("blob", content.as_bytes())?;
    let edit = Edit::Put { mode: "100644".to_owned(), sha, path: name.clone() };
    let tree = git.write_tree(Some(&tip), &[edit])?;
    let (author, committer) = (person(visit.state, visit.person), acts::web_flow(visit.state));
    let message = format!("Create {}\n", name.rsplit('/').next().unwrap_or(&name));
    let parents = [tip];
    let who = (&author, &committer);
    let commit = acts::write_commit(&git, &tree, &parents, who, &message, Seal::WebFlow)?;
    let branch_ref = format!("refs/heads/{branch}");
    acts::move_ref(visit.state, id, &branch_ref, Some(&commit), Some(visit.person))?;
    Ok(redirect(&repository_page(visit.state, id, &format!("/blob/{branch}/{name}"))))
}

/// The repository and the branch that a path names, when the person may write there.
fn place(visit: &Visit<'_>, path: &[String]) -> Result<(u64, String), Refused> {
    let [owner, name, _, branch @ ..] = path else { return Err(Refused::not_found()) };
    let known = visit.state.repository_named(owner, name).ok_or_else(Refused::not_found)?;
    let role = visit.state.role(known, visit.person);
    let owns = visit.state.owners.contains(&(known.owner, visit.person));
    if !owns && !matches!(role.as_str(), "admin" | "maintain" | "write") {
        return Err(Refused::not_found());
    }
    Ok((known.id, branch.join("/")))
}
