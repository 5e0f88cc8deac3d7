//! How the agent hands in a plan.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Finished;
use super::tools::{MOST_WORDS, spec};
use crate::core::job::{Plan, PlannedFile};
use crate::model::ToolSpec;

/// Its name for the model.
pub(super) const PLAN: &str = "plan";

/// So many files a plan may name.
const MOST_FILES: usize = 40;

pub(super) fn plan_spec() -> ToolSpec {
    spec(
        PLAN,
        "Hands in the plan, which ends the work. People read it and decide.",
        &json!({
            "what": {
                "type": "string",
                "description": "the cause, and what you would do about it, in a few plain sentences",
            },
            "files": {
                "type": "array",
                "description": "the files you would change or add, tests included",
                "items": {
                    "type": "object",
                    "properties": {
                        "path": {"type": "string"},
                        "change": {"type": "string", "description": "what changes there, in a sentence"},
                    },
                    "required": ["path", "change"],
                },
            },
            "shown_by": {
                "type": "string",
                "description": "the test that will fail before and pass after, and what it asserts",
            },
            "left_out": {
                "type": "string",
                "description": "what you would leave as it is though it is near, and why",
            },
            "nothing_to_fix": {"type": "boolean", "description": "true when no change is needed"},
        }),
        &["what"],
    )
}

/// `None`: another tool was called.
pub(super) fn read_plan(tool: &str, arguments: &Value) -> Option<Result<Finished, String>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct PlanArguments {
        what: String,
        #[serde(default)]
        files: Vec<PlannedFile>,
        #[serde(default)]
        shown_by: String,
        #[serde(default)]
        left_out: String,
        #[serde(default)]
        nothing_to_fix: bool,
    }
    (tool == PLAN).then(|| {
        let read: PlanArguments =
            serde_json::from_value(arguments.clone()).map_err(|error| error.to_string())?;
        let PlanArguments { what, files, shown_by, left_out, nothing_to_fix } = read;
        if what.trim().is_empty() {
            return Err("`what` must not be empty.".to_owned());
        }
        let words = files.iter().map(|file| file.path.len() + file.change.len()).sum::<usize>();
        if words + what.len() + shown_by.len() + left_out.len() > MOST_WORDS {
            return Err(format!("A plan may have {MOST_WORDS} bytes."));
        }
        if nothing_to_fix {
            return Ok(Finished::NothingToFix { why: what });
        }
        match files.len() {
            0 => Err("`files` must name what you would change.".to_owned()),
            1..=MOST_FILES => Ok(Finished::Planned(Plan { what, files, shown_by, left_out })),
            _ => Err(format!("A plan may name {MOST_FILES} files: take the request apart.")),
        }
    })
}
