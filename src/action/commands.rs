//! Running the project's own commands in a job, with their output in the log.
//!
//! Invariants: what a command prints stands between guards with a token it never saw, and without
//! escapes, so it is text and never a workflow command; the command's own environment names no file
//! or token of the runner.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::annotate::{Point, points};
use super::{ActionError, Checkout, Log, files};
use crate::core::report::publication::{Ran, RanResult};
use crate::core::text::{inline, visible};
use crate::sandbox::{CommandOutput, Exit, SandboxCommand, SandboxLimits};
use crate::verify::distill::{distill, without_escapes};
use crate::verify::python::{self, Layout};
use crate::verify::results::{EndedCommand, TestOutput, TestRun};

/// Characters of output on the page of the run.
const DISTILLED: usize = 6_000;
/// Characters of it where nothing of known shape says what failed.
const ANNOTATED: usize = 600;
/// Bytes of output in the log.
const LOGGED: usize = 8 << 20;

/// Where commands run.
pub(super) struct SourcePosition<'a> {
    pub(super) checkout: Checkout<'a>,
    pub(super) time: Duration,
    /// Its Python packages, where others may be installed beside them.
    pub(super) python: Option<Layout>,
    pub(super) purpose: Purpose,
}

/// What commands are run for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To test: a known test runner has to come to its end.
    Tests,
    /// To build: the exit status is all that counts.
    Build,
}

/// Runs one line; says how it went and what failed where.
pub(super) async fn run(
    position: &SourcePosition<'_>,
    line: &str,
    log: Log<'_>,
) -> Result<(Ran, Vec<Point>), ActionError> {
    let Checkout { tree, sandbox, variables } = position.checkout;
    // One stream, so that the log has the order people know.
    let mut command = SandboxCommand::script(line, tree).with_streams_together();
    command.env = match (&position.python, position.purpose) {
        (Some(layout), _) => layout.environment(sandbox, tree),
        (None, Purpose::Tests) => vec![python::closing_line(sandbox)],
        (None, Purpose::Build) => Vec::new(),
    };
    command.env.extend_from_slice(variables);
    // Before the run, which may change it.
    let package_json = files::text(tree, "package.json").ok();
    let limits =
        SandboxLimits { wall: position.time, output_bytes: LOGGED, ..SandboxLimits::default() };
    let stop = CancellationToken::new();
    let output = sandbox.run(&command, &limits, &stop).await;
    let output = output.map_err(|source| ActionError::Command(line.to_owned(), source))?;
    let plain = visible(&without_escapes(&output.stdout.text));
    show(line, &plain, log);
    let (mut result, mut how) = match position.purpose {
        Purpose::Tests => tested(line, package_json.as_deref(), &output),
        Purpose::Build => None,
    }
    .unwrap_or_else(|| by_exit(output.exit, position.time));
    let passed = result == RanResult::Passed;
    if let Some(layout) = position.python.as_ref().filter(|_| passed && python::starts_pytest(line))
    {
        let asked = layout.imported_from_elsewhere(sandbox, tree, &limits, &stop);
        let asked = asked.await.map_err(|source| ActionError::Command(line.to_owned(), source))?;
        if let Some(why) = asked {
            // A path of others may stand in it.
            (result, how) =
                (RanResult::Failed, inline(why.lines().next().unwrap_or_default(), 600));
        }
    }
    let mut found = match result {
        RanResult::Failed => points(&plain, tree),
        RanResult::Passed | RanResult::NoTestRun => Vec::new(),
    };
    let ran = Ran {
        line: line.to_owned(),
        result,
        ended: how,
        seconds: output.wall.as_secs(),
        output: distill(&plain, DISTILLED),
        points: found.iter().map(Point::in_a_line).collect(),
    };
    if result == RanResult::Failed && found.is_empty() {
        let (title, end) = (format!("{line} failed"), distill(&plain, ANNOTATED));
        found.push(Point { at: None, title, message: format!("{}\n{end}", ran.ended) });
    }
    Ok((ran, found))
}

/// What the runner's end marks say, where they say more than the exit status.
fn tested(
    line: &str,
    package_json: Option<&str>,
    output: &CommandOutput,
) -> Option<(RanResult, String)> {
    let Exit::Code(code) = output.exit else { return None };
    let (said, cut_bytes) = (&output.stdout.text, output.stdout.cut_bytes);
    let ended = EndedCommand { line, package_json, output: said, cut_bytes, code };
    match TestOutput::of(&ended).run() {
        TestRun::AsExitCode => None,
        TestRun::NoTest => Some((RanResult::NoTestRun, "no test was run".to_owned())),
        TestRun::OthersPassed => Some((RanResult::Passed, format!("exit code {code}"))),
        TestRun::EndedEarly(why) | TestRun::Unseen(why) | TestRun::HidesFailures(why) => {
            Some((RanResult::Failed, why))
        }
    }
}

fn by_exit(exit: Exit, time: Duration) -> (RanResult, String) {
    let result = match exit {
        Exit::Code(0) => RanResult::Passed,
        _ => RanResult::Failed,
    };
    (result, ended(exit, time))
}

/// The output, folded, as text and nothing else.
fn show(line: &str, output: &str, log: Log<'_>) {
    let token = uuid::Uuid::new_v4().simple().to_string();
    log(&format!("::group::{}", super::annotate::data(line)));
    log(&format!("::stop-commands::{token}"));
    for line in output.lines() {
        log(line);
    }
    log(&format!("::{token}::"));
    log("::endgroup::");
}

fn ended(exit: Exit, time: Duration) -> String {
    match exit {
        Exit::Code(126 | 127) => "could not be run: is the tool installed on this runner?".into(),
        Exit::Code(code) => format!("exit code {code}"),
        Exit::Signal(signal) => format!("killed by signal {signal}"),
        Exit::TimedOut => {
            format!("took longer than {} minutes (`[verify] minutes`)", time.as_secs() / 60)
        }
        Exit::Stopped => "was stopped".to_owned(),
        Exit::DiskFull => "the disk of the runner is nearly full".to_owned(),
        Exit::OutOfMemory => "took more memory than a command may".to_owned(),
    }
}
