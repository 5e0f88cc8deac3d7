//! Words on suggestions on lines of a pull request that comes from a fork.

use crate::core::job::OnLines;
use crate::core::text::fence_around;

/// A suggestion as GitHub reads it: these lines instead of those that it stands on.
pub fn suggestion(instead: &str) -> String {
    let fence = fence_around(instead);
    format!("{fence}suggestion\n{instead}{fence}")
}

/// What stands above all of them.
pub fn about_suggestions(on_lines: OnLines) -> &'static str {
    if on_lines.partial {
        "These suggestions are a part of the change that was checked. The rest of it cannot be \
         suggested on lines of this pull request; the patch stands in the status comment."
    } else {
        "These suggestions together are the change that was checked. *Add suggestion to batch* on \
         each, then commit them at once."
    }
}

/// Where else the change stands, for the announcement.
pub(super) fn where_suggested(on_lines: OnLines) -> String {
    let OnLines { count, partial } = on_lines;
    let s = if count == 1 { "" } else { "s" };
    match (count, partial) {
        (0, _) => String::new(),
        (_, false) => format!(
            " Or take it from the {count} suggestion{s} on lines of this pull request, all in one \
             batch."
        ),
        (_, true) => {
            format!(
                " A part of it is suggested on lines of this pull request, in {count} place{s}."
            )
        }
    }
}
