//! What a repository's own settings leave to whoever has the App's key, held against what they
//! should.

use super::ChecklistItem;
use crate::core::github::Role;
use crate::core::policy::{Approving, Requester};

/// A ruleset, as GitHub shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct SeenRuleset {
    pub name: String,
    /// Whether it stops anybody, or only tells or does nothing.
    pub is_active: bool,
    /// Which refs it is about: `~ALL`, or patterns.
    pub include: Vec<String>,
    pub exclude: Vec<String>,
    /// Kinds of its rules, such as `update`.
    pub rules: Vec<String>,
}

/// What keeps a branch from being moved by whoever may write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BranchGuards {
    /// Kinds of the rules of rulesets that it has.
    pub rules: Vec<String>,
    /// Whether classic protection is on.
    pub is_protected: bool,
}

/// Whether tags are kept from whoever may write: by rulesets about tags.
pub fn tags(rulesets: &[SeenRuleset]) -> ChecklistItem {
    const NAME: &str = "tag ruleset";
    let next = "make a ruleset for tags on GitHub, under Settings, Rules: target all tags, restrict \
                updates and deletions, and creations too, with those who release in its bypass list";
    let active: Vec<&SeenRuleset> = rulesets.iter().filter(|one| one.is_active).collect();
    let has = |kind: &str| active.iter().any(|one| one.rules.iter().any(|rule| rule == kind));
    let whole = active.iter().any(|one| one.exclude.is_empty() && is_all(&one.include));
    let names = || active.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ");
    if !(has("update") && has("deletion")) {
        let seen = match rulesets.is_empty() {
            true => "there is none, so whoever has the App's key can move a release's tag",
            false => {
                "no active one restricts updates and deletions, so whoever has the App's key \
                      can move a release's tag"
            }
        };
        return ChecklistItem::failed(NAME, seen, next);
    }
    if !has("creation") {
        let seen =
            format!("{} keeps tags, but whoever has the App's key can make new ones", names());
        return ChecklistItem::warning(NAME, seen, next);
    }
    if !whole {
        let seen = format!("{} keeps some tags: {}", names(), patterns(&active));
        let next = "see that every tag that somebody installs from is among them";
        return ChecklistItem::warning(NAME, seen, next);
    }
    ChecklistItem::ok(NAME, format!("{} keeps all tags", names()))
}

fn is_all(include: &[String]) -> bool {
    include.iter().any(|it| it == "~ALL" || it == "refs/tags/**/*" || it == "refs/tags/**")
}

fn patterns(active: &[&SeenRuleset]) -> String {
    active.iter().flat_map(|one| one.include.iter().cloned()).collect::<Vec<_>>().join(", ")
}

/// Whether a branch is kept from whoever may write.
pub fn branch(name: &str, guards: &BranchGuards) -> ChecklistItem {
    const NAME: &str = "branch ruleset";
    let stops = |kind: &&String| {
        matches!(
            kind.as_str(),
            "pull_request" | "update" | "required_status_checks" | "merge_queue"
        )
    };
    if let Some(kind) = guards.rules.iter().find(stops) {
        return ChecklistItem::ok(NAME, format!("{name} has a ruleset ({kind})"));
    }
    if guards.is_protected {
        return ChecklistItem::ok(NAME, format!("{name} has branch protection"));
    }
    ChecklistItem::failed(
        NAME,
        format!("whoever has the App's key can push to {name}: nothing asks for a pull request"),
        "make a ruleset for the default branch on GitHub, under Settings, Rules: require a pull \
         request before merging, and restrict deletions and force pushes",
    )
}

/// Whether workflows would run what Gander pushes with more than looking. `decided`: whether the
/// repository's rules say what then happens.
pub fn workflows(risks: &[String], decided: bool) -> ChecklistItem {
    const NAME: &str = "workflows";
    if risks.is_empty() {
        let seen = "none would run Gander's branches with secrets or permissions";
        return ChecklistItem::ok(NAME, seen);
    }
    let shown = risks.join("\n");
    match decided {
        true => ChecklistItem::warning(
            NAME,
            format!("these would run with more than looking:\n{shown}"),
            "none: [publish] mode in .github/gander.toml says what happens then",
        ),
        false => ChecklistItem::failed(
            NAME,
            format!("these would run Gander's branches with more than looking:\n{shown}"),
            "leave out branches gander/** in their triggers, or take secrets and permissions from \
             them; until then Gander shows each change first and waits for `/gander go`",
        ),
    }
}

/// Whether somebody is there whose approval counts: so many people have the role.
pub fn approvers(people: usize, asks: &Approving) -> ChecklistItem {
    const NAME: &str = "approvers";
    let role = Role::from(asks.role);
    let next = format!(
        "give somebody the role {role} in the repository, or ask for a smaller one as [approval] role \
         in .github/gander.toml"
    );
    match (people, asks.requester) {
        (0, _) => {
            let seen = format!("nobody has the role {role}, so nothing can be approved");
            ChecklistItem::failed(NAME, seen, next)
        }
        (1, Requester::Never) => ChecklistItem::failed(
            NAME,
            format!("only one person has the role {role}, and may not approve what they ask for"),
            next,
        ),
        (1, Requester::IfAlone | Requester::Allowed) => {
            ChecklistItem::ok(NAME, format!("one person has the role {role}"))
        }
        (many, _) => ChecklistItem::ok(NAME, format!("{many} people have the role {role}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::checklist::ItemState;

    #[test]
    fn tags_are_kept_by_active_rulesets_about_all_of_them() {
        let ruleset = |is_active, include: &str, rules: &[&str]| SeenRuleset {
            name: "tags".to_owned(),
            is_active,
            include: vec![include.to_owned()],
            exclude: Vec::new(),
            rules: rules.iter().map(|&rule| rule.to_owned()).collect(),
        };
        let all = ["creation", "update", "deletion"];
        for (rulesets, state) in [
            (vec![], ItemState::Failed),
            (vec![ruleset(true, "~ALL", &all)], ItemState::Ok),
            (vec![ruleset(false, "~ALL", &all)], ItemState::Failed),
            (vec![ruleset(true, "~ALL", &all[1..])], ItemState::Warning),
            (vec![ruleset(true, "~ALL", &all[..1])], ItemState::Failed),
            (vec![ruleset(true, "refs/tags/v*", &all)], ItemState::Warning),
        ] {
            assert_eq!(tags(&rulesets).state, state, "{rulesets:?}");
        }
    }

    #[test]
    fn a_branch_is_kept_by_rules_or_protection_that_stop_a_push() {
        let with = |rules: &[&str], is_protected| {
            let rules = rules.iter().map(|&rule| rule.to_owned()).collect();
            branch("main", &BranchGuards { rules, is_protected }).state
        };
        assert_eq!(with(&[], false), ItemState::Failed);
        assert_eq!(with(&["non_fast_forward", "deletion"], false), ItemState::Failed);
        assert_eq!(with(&["pull_request"], false), ItemState::Ok);
        assert_eq!(with(&[], true), ItemState::Ok);
    }

    #[test]
    fn somebody_else_has_to_be_there_where_nobody_may_approve_their_own() {
        let asks = |requester| Approving { requester, ..Approving::default() };
        let state = |people, requester| approvers(people, &asks(requester)).state;
        assert_eq!(state(0, Requester::Allowed), ItemState::Failed);
        assert_eq!(state(1, Requester::Never), ItemState::Failed);
        assert_eq!(state(1, Requester::IfAlone), ItemState::Ok);
        assert_eq!(state(2, Requester::Never), ItemState::Ok);
    }
}
