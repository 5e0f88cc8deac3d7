//! The page of an App, and installing it on chosen repositories.
//!
//! Invariants: an App is installed on the account that owns it, by a person who governs that
//! account; its webhook hears of it.

use std::collections::BTreeSet;

use super::{Page, Refused, Visit, escape, governs, page, redirect};
use crate::registry;
use crate::state::App;

/// `/apps/{slug}`
pub(super) fn app(visit: &mut Visit<'_>, path: &[String]) -> Page {
    let app = find(visit, path)?;
    let link = format!("/apps/{}/installations/new", app.slug);
    Ok(page(200, &app.name, &format!("<p><a href=\"{link}\">Install</a></p>")))
}

/// `/apps/{slug}/installations/new`
pub(super) fn choose(visit: &mut Visit<'_>, path: &[String]) -> Page {
    let app = find(visit, path)?;
    let state = &*visit.state;
    let mine = state.repositories.values().filter(|known| known.owner == app.owner);
    let boxes: String = mine
        .map(|known| {
            let (id, name) = (known.id, escape(&state.full_name(known)));
            format!(
                "<li><label><input type=\"checkbox\" name=\"repository_ids[]\" value=\"{id}\"> \
                 {name}</label></li>"
            )
        })
        .collect();
    let rights: String = app
        .permissions
        .iter()
        .map(|(name, level)| format!("<li>{}: {}</li>", escape(name), escape(level)))
        .collect();
    let body = format!(
        "<form method=\"post\" action=\"/apps/{}/installations\"><fieldset><legend>Repositories\
         </legend><ul>{boxes}</ul></fieldset><p>With these permissions:</p><ul>{rights}</ul>\
         <button>Install</button></form>",
        app.slug
    );
    Ok(page(200, &format!("Install {}", app.name), &body))
}

/// The button.
pub(super) fn install(visit: &mut Visit<'_>, path: &[String]) -> Page {
    let app = find(visit, path)?;
    let (id, owner, setup_url) = (app.id, app.owner, app.setup_url.clone());
    let wanted: BTreeSet<u64> =
        visit.form.all("repository_ids[]").filter_map(|id| id.parse().ok()).collect();
    let theirs = |id: &u64| {
        visit.state.repositories.get(id).is_some_and(|repository| repository.owner == owner)
    };
    if wanted.is_empty() {
        return Err(Refused(422, "Choose at least one repository.".to_owned()));
    }
    if !wanted.iter().all(theirs) {
        return Err(Refused::not_found());
    }
    let installation = registry::install(visit.state, id, wanted, Some(visit.person))?;
    let Some(mut back) = setup_url else {
        return Ok(page(200, "Installed", &format!("<p>Installation {installation}</p>")));
    };
    back.query_pairs_mut()
        .append_pair("installation_id", &installation.to_string())
        .append_pair("setup_action", "install");
    Ok(redirect(back.as_str()))
}

/// The App that a path names, when the person may install it.
fn find<'v>(visit: &'v Visit<'_>, path: &[String]) -> Result<&'v App, Refused> {
    let slug = path.get(1).map_or("", String::as_str);
    let app = visit.state.apps.values().find(|app| app.slug == slug);
    let app = app.filter(|app| governs(visit.state, visit.person, app.owner));
    app.ok_or_else(Refused::not_found)
}
