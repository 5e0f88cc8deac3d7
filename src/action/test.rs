//! *test*: the project's own checks, on a runner of their own.
//!
//! Invariants: the exit status decides, and tests of a known runner have to have come to their end;
//! on a machine that other jobs use too, commands run in the sandbox or not at all.

use std::time::Duration;

use super::commands::{self, Purpose, SourcePosition};
use super::{ActionEnd, ActionError, ActionReport, Checkout, Log, files};
use crate::core::report::publication::{RanResult, ran_summary};
use crate::verify::detect;
use crate::verify::python::Layout;

/// Runs the checks of a checkout.
///
/// # Errors
/// When they could not be run at all.
pub async fn test(checkout: Checkout<'_>, log: Log<'_>) -> Result<ActionReport, ActionError> {
    let Checkout { tree, sandbox, .. } = checkout;
    let rules = files::rules(tree)?;
    let lines = lines(checkout, &rules.verify.commands)?;
    let time = Duration::from_secs(u64::from(rules.verify.minutes) * 60);
    // What is installed on a fresh runner, this job has installed: from this checkout, most often.
    let python = match sandbox.name() {
        "none" => None,
        _ => Layout::of(files::paths(tree)?.iter().map(String::as_str)),
    };
    let repo = SourcePosition { checkout, time, python, purpose: Purpose::Tests };
    let (mut all, mut end) = (Vec::new(), ActionEnd::Done);
    for line in &lines {
        let (ran, points) = commands::run(&repo, line, log).await?;
        points.iter().for_each(|point| log(&point.command()));
        if ran.result == RanResult::Failed {
            end = ActionEnd::Failed;
        }
        all.push(ran);
    }
    let result = if end == ActionEnd::Done { "passed" } else { "failed" };
    let outputs = vec![("result", result.to_owned())];
    Ok(ActionReport { end, summary: ran_summary("Tests", &all), outputs })
}

/// What the rules name, else what the files show.
fn lines(checkout: Checkout<'_>, configured: &[String]) -> Result<Vec<String>, ActionError> {
    let Checkout { tree, sandbox, .. } = checkout;
    if !configured.is_empty() {
        return Ok(configured.to_vec());
    }
    let paths = files::paths(tree)?;
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let read = |path: &str| Ok(files::text(tree, path).ok());
    let found = detect::commands::<ActionError>(&paths, read)?;
    let mut lines: Vec<String> = found.into_iter().map(|found| found.line).collect();
    if sandbox.name() == "none" {
        // A fresh runner has fetched nothing yet, and may.
        lines.iter_mut().for_each(|line| *line = line.replace(" --offline", ""));
    }
    if lines.is_empty() {
        return Err(ActionError::Checkout(
            "no test command was found in this project: name them in `.github/gander.toml` as \
             `[verify] commands = [\"…\"]`, and check the repository out before this step"
                .to_owned(),
        ));
    }
    Ok(lines)
}
