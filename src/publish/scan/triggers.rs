//! What makes a workflow run: events, and their filters on branch names.
//!
//! Invariants: in doubt, it runs. A filter keeps a workflow from running only when it is understood
//! and does not let the branch through.

use std::collections::BTreeMap;

use crate::core::id::Branch;
use crate::core::yaml::Node;

/// The branch that is pushed, and the one the pull request goes into.
#[derive(Debug, Clone, Copy)]
pub(super) struct Push<'a> {
    pub(super) branch: &'a Branch,
    pub(super) base: &'a Branch,
}

/// Events of a pull request of ours, whose filters look at the branch it goes into.
const OF_PULLS: &[&str] = &["pull_request", "pull_request_target"];
/// Events that our branch, pull request or check run brings about, and that have no such filter.
const FOLLOW: &[&str] = &[
    "create",
    "check_run",
    "check_suite",
    "status",
    "pull_request_review",
    "pull_request_review_comment",
];

/// Which of these workflows (`name`, `on`) run on a push of ours and on its pull request, directly
/// or after one that does.
pub(super) fn started(workflows: &[(&str, &Node)], push: Push<'_>) -> Vec<bool> {
    let mut runs: Vec<bool> = workflows.iter().map(|(_, on)| runs_on(on, push)).collect();
    let mut after: BTreeMap<Option<&str>, Vec<usize>> = BTreeMap::new();
    for (at, (_, on)) in workflows.iter().enumerate() {
        followed(on, push).into_iter().for_each(|name| after.entry(name).or_default().push(at));
    }
    let mut open: Vec<usize> = (0..runs.len()).filter(|at| runs[*at]).collect();
    while let Some(at) = open.pop() {
        let (name, _) = workflows[at];
        let next = [None, Some(name)].into_iter().filter_map(|name| after.remove(&name)).flatten();
        for at in next {
            if !std::mem::replace(&mut runs[at], true) {
                open.push(at);
            }
        }
    }
    runs
}

fn runs_on(on: &Node, push: Push<'_>) -> bool {
    events(on).into_iter().any(|(event, filter)| match event {
        "push" => push_runs(filter, push.branch),
        event if OF_PULLS.contains(&event) => lets_through(filter, push.base),
        event => FOLLOW.contains(&event),
    })
}

/// A filter on tags alone means that branches do not count.
fn push_runs(filter: Option<&Node>, branch: &Branch) -> bool {
    let has = |key: &str| filter.is_some_and(|filter| filter.get(key).is_some());
    let only_tags =
        (has("tags") || has("tags-ignore")) && !has("branches") && !has("branches-ignore");
    !only_tags && lets_through(filter, branch)
}

/// Which files we will have changed is not known here, so filters on paths let everything through.
fn lets_through(filter: Option<&Node>, branch: &Branch) -> bool {
    let list = |key: &str| filter.and_then(|filter| filter.get(key));
    if let Some(ignored) = list("branches-ignore") {
        return ignored.texts().is_none_or(|patterns| !selected(&patterns, branch.as_str()));
    }
    match list("branches") {
        Some(wanted) => {
            wanted.texts().is_none_or(|p| p.is_empty() || selected(&p, branch.as_str()))
        }
        None => true,
    }
}

/// The workflows after which one runs. `None`: after any.
fn followed<'a>(on: &'a Node, push: Push<'_>) -> Vec<Option<&'a str>> {
    let after = events(on)
        .into_iter()
        .filter(|(event, filter)| *event == "workflow_run" && lets_through(*filter, push.branch));
    let named = after.map(|(_, filter)| {
        let of = filter.and_then(|filter| filter.get("workflows")).and_then(Node::texts);
        of.map_or(vec![None], |of| of.into_iter().map(Some).collect())
    });
    named.flatten().collect()
}

/// `on: push`, `on: [push, …]` or `on: {push: {…}}`.
fn events(on: &Node) -> Vec<(&str, Option<&Node>)> {
    match on {
        Node::Map(pairs) => pairs.iter().map(|(event, filter)| (&**event, Some(filter))).collect(),
        other => other.texts().unwrap_or_default().into_iter().map(|event| (event, None)).collect(),
    }
}

/// The last pattern that fits decides; `!` in front turns it round.
fn selected(patterns: &[&str], name: &str) -> bool {
    patterns.iter().fold(false, |chosen, pattern| match pattern.strip_prefix('!') {
        Some(pattern) if fits(pattern, name) => false,
        None if fits(pattern, name) => true,
        _ => chosen,
    })
}

/// One step of a pattern: what it takes, and how often.
struct WorkflowStep {
    takes: Takes,
    least: usize,
    once: bool,
}

enum Takes {
    One(char),
    Of(Vec<(char, char)>),
    NotSlash,
    Any,
}

impl Takes {
    fn fits(&self, c: char) -> bool {
        match self {
            Self::One(one) => *one == c,
            Self::Of(ranges) => ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)),
            Self::NotSlash => c != '/',
            Self::Any => true,
        }
    }
}

/// GitHub's filter patterns: `*` within a part, `**` across parts, `?` and `+` for the character
/// before them, `[…]` for a set. All places in the pattern are followed at once, so the time is the
/// product of the two lengths.
fn fits(pattern: &str, name: &str) -> bool {
    let steps = steps(pattern);
    let mut places = vec![false; steps.len() + 1];
    places[0] = true;
    skip_optional(&steps, &mut places);
    for c in name.chars() {
        let mut next = vec![false; steps.len() + 1];
        for (at, step) in steps.iter().enumerate().filter(|(at, _)| places[*at]) {
            if step.takes.fits(c) {
                next[at + 1] = true;
                next[at] |= !step.once;
            }
        }
        skip_optional(&steps, &mut next);
        places = next;
    }
    places[steps.len()]
}

fn skip_optional(steps: &[WorkflowStep], places: &mut [bool]) {
    for (at, step) in steps.iter().enumerate() {
        if places[at] && step.least == 0 {
            places[at + 1] = true;
        }
    }
}

fn steps(pattern: &str) -> Vec<WorkflowStep> {
    let mut steps: Vec<WorkflowStep> = Vec::new();
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        let many = |takes| WorkflowStep { takes, least: 0, once: false };
        let one = |takes| WorkflowStep { takes, least: 1, once: true };
        match (c, steps.last_mut()) {
            ('*', _) if rest.peek() == Some(&'*') => {
                rest.next();
                steps.push(many(Takes::Any));
            }
            ('*', _) => steps.push(many(Takes::NotSlash)),
            ('?', Some(before)) => before.least = 0,
            // A step that may repeat after itself: the first time is the step before.
            ('+', Some(before)) => before.once = false,
            ('[', _) => steps.push(one(Takes::Of(set(&mut rest)))),
            ('\\', _) => steps.push(one(Takes::One(rest.next().unwrap_or('\\')))),
            (c, _) => steps.push(one(Takes::One(c))),
        }
    }
    steps
}

fn set(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Vec<(char, char)> {
    let mut ranges: Vec<(char, char)> = Vec::new();
    while let Some(c) = rest.next().filter(|c| *c != ']') {
        match (c, rest.peek(), ranges.last_mut()) {
            ('-', Some(to), Some(last)) if *to != ']' => last.1 = *to,
            (c, _, _) => ranges.push((c, c)),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::yaml::read;
    use proptest::prelude::*;

    fn runs(on: &str, branch: &str) -> bool {
        let node = read(on.as_bytes()).unwrap();
        let (branch, base) = (branch.parse().unwrap(), "main".parse().unwrap());
        runs_on(&node, Push { branch: &branch, base: &base })
    }

    #[test]
    fn patterns_fit_as_github_documents_them() {
        for (pattern, name, expected) in [
            ("main", "main", true),
            ("main", "mains", false),
            ("feature/*", "feature/a", true),
            ("feature/*", "feature/a/b", false),
            ("feature/**", "feature/a/b", true),
            ("**", "a/b/c", true),
            ("*", "a/b", false),
            ("*", "all-the-branches", true),
            ("*feature", "my-feature", true),
            ("v2*", "v2", true),
            ("v2*", "v2.9", true),
            ("v[12].[0-9]+.[0-9]+", "v1.10.1", true),
            ("v[12].[0-9]+.[0-9]+", "v3.10.1", false),
            ("v[12].[0-9]+.[0-9]+", "v1..1", false),
            ("*.jsx?", "page.js", true),
            ("*.jsx?", "page.jsx", true),
            ("*.jsx?", "page.jsxx", false),
            ("gander/**", "gander/7-abc", true),
            ("\\*", "*", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} on {name}");
        }
    }

    #[test]
    fn a_push_of_ours_runs_what_its_filters_let_through() {
        for (on, branch, expected) in [
            ("push", "gander/1-a", true),
            ("[push, issues]", "gander/1-a", true),
            ("issues", "gander/1-a", false),
            ("[schedule, workflow_dispatch, release]", "gander/1-a", false),
            ("{push: {branches: [main]}}", "gander/1-a", false),
            ("{push: {branches: main}}", "gander/1-a", false),
            ("{push: {branches: ['**']}}", "gander/1-a", true),
            ("{push: {branches: ['**', '!gander/**']}}", "gander/1-a", false),
            ("{push: {branches: ['!gander/**', '**']}}", "gander/1-a", true),
            ("{push: {branches-ignore: ['gander/**']}}", "gander/1-a", false),
            ("{push: {branches-ignore: [main]}}", "gander/1-a", true),
            ("{push: {tags: ['v*']}}", "gander/1-a", false),
            ("{push: {tags: ['v*'], branches: ['**']}}", "gander/1-a", true),
            ("{push: {paths: [docs/**]}}", "gander/1-a", true),
            ("{push: {branches: {strange: map}}}", "gander/1-a", true),
            ("push:", "gander/1-a", true),
            ("{pull_request: {branches: [main]}}", "gander/1-a", true),
            ("{pull_request: {branches: [develop]}}", "gander/1-a", false),
            ("{pull_request_target: {branches-ignore: [main]}}", "gander/1-a", false),
            ("pull_request_target", "gander/1-a", true),
            ("check_run", "gander/1-a", true),
            ("status", "gander/1-a", true),
        ] {
            assert_eq!(runs(on, branch), expected, "on: {on}");
        }
    }

    #[test]
    fn what_runs_afterwards_counts_too() {
        let files = [
            ("ci", "push"),
            ("after", "{workflow_run: {workflows: [ci]}}"),
            ("after that", "{workflow_run: {workflows: [after]}}"),
            ("elsewhere", "{workflow_run: {workflows: [nightly]}}"),
            ("on main", "{workflow_run: {workflows: [ci], branches: [main]}}"),
        ];
        let nodes: Vec<(&str, Node)> =
            files.iter().map(|(name, on)| (*name, read(on.as_bytes()).unwrap())).collect();
        let nodes: Vec<(&str, &Node)> = nodes.iter().map(|(name, on)| (*name, on)).collect();
        let (branch, base) = ("gander/1-a".parse().unwrap(), "main".parse().unwrap());
        let push = Push { branch: &branch, base: &base };
        assert_eq!(started(&nodes, push), [true, true, true, false, false]);
    }

    proptest! {
        #[test]
        fn a_name_fits_itself_and_two_stars(name in "[a-z0-9/._-]{0,30}") {
            prop_assert!(fits(&name, &name));
            prop_assert!(fits("**", &name));
            prop_assert_eq!(fits("*", &name), !name.contains('/'));
        }

        #[test]
        fn no_pattern_takes_long_or_panics(pattern in "[a*?+\\[\\]\\\\!-]{0,60}", name in "a{0,60}") {
            let _ = fits(&pattern, &name);
        }
    }
}
