//! Words about plans.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::core::job::{Job, JobStage, MOST_PLANS};
use crate::core::text::{boxed, first_of, inline, listed};

/// So many characters of a plan are shown.
const LONGEST_PLAN: usize = 12_000;
/// So many files are named that a change and its plan do not share.
const MOST_NAMED: usize = 10;

/// The plan that waits for a person's word.
pub(super) fn plan_shown(job: &Job, prefix: &str) -> Option<String> {
    let JobStage::PlanReady { version } = job.stage else { return None };
    let plan = job.planning.plan.as_ref()?;
    let (plan, count) = (boxed(&plan.to_string(), LONGEST_PLAN), job.planning.wishes.len());
    let which = match count {
        0 => "The plan".to_owned(),
        _ => format!("Plan {version}"),
    };
    Some(format!("{which}, in the model's words:\n\n{plan}\n\n{}", what_to_say(version, prefix)))
}

fn what_to_say(version: u32, prefix: &str) -> String {
    let another = match version {
        MOST_PLANS.. => String::new(),
        _ => format!("`{prefix} revise` and your words for another, "),
    };
    format!(
        "Nothing is written yet. Comment `{prefix} go` to work by it (words behind that count, \
         too), {another}or `{prefix} cancel`."
    )
}

/// Whoever asked is told that the plan stands there.
pub(super) fn plan_announced(version: u32, plan: &str, prefix: &str) -> String {
    format!("{plan} is ready. {}", what_to_say(version, prefix))
}

/// The answer to one `revise` too many.
pub fn too_many_plans(prefix: &str) -> String {
    format!(
        "{MOST_PLANS} plans were made here, and no more are. `{prefix} go` and your words work by \
         the last one, `{prefix} cancel` ends it."
    )
}

/// What the pull request says of the plan that it was made by.
pub(super) fn plan_section(job: &Job) -> String {
    let Some((plan, by)) = job.planning.agreed_plan().zip(job.planning.agreed.as_ref()) else {
        return String::new();
    };
    let planned: BTreeSet<&str> = plan.files.iter().map(|file| file.path.trim()).collect();
    let changed = job.proposal().map_or(&[][..], |proposal| &proposal.reading);
    let earlier = job.planning.changed.iter().map(String::as_str);
    let changed: BTreeSet<&str> =
        changed.iter().map(|file| file.path.as_str()).chain(earlier).collect();
    let names = |all: Vec<&&str>| {
        let named: Vec<String> = all.iter().map(|path| inline(path, 100)).collect();
        listed(first_of(&named, MOST_NAMED))
    };
    let (more, less): (Vec<_>, Vec<_>) =
        (changed.difference(&planned).collect(), planned.difference(&changed).collect());
    let mut text = format!("### The plan\n{by} agreed to it before anything was written. ");
    if more.is_empty() && less.is_empty() {
        text.push_str("The files that change are those that it names.");
    } else {
        text.push_str("The change departs from it:");
        if !more.is_empty() {
            let _ = write!(text, "\n- it also changes {}", names(more));
        }
        if !less.is_empty() {
            let _ = write!(text, "\n- it leaves as they are: {}", names(less));
        }
    }
    let plan = boxed(&plan.to_string(), LONGEST_PLAN);
    let _ = write!(
        text,
        "\n\n<details><summary>The plan, in the model's words</summary>\n\n{plan}\n\n</details>\n\n"
    );
    text
}
