//! One of the project's own commands, in the sandbox.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::distill::distill;
use super::results::reports::{self, Reports};
use super::results::select::whole;
use super::results::{EndedCommand, TestOutput, TestRun};
use super::{Candidate, Finding, Verifier, VerifyError, blocking, missing, python, python_in};
use crate::core::evidence::{CheckKind, CheckOutcome};
use crate::core::path::RepoPath;
use crate::core::policy::runs_nothing;
use crate::sandbox::{
    CommandOutput, Exit, REPORTS, Sandbox, SandboxCommand, SandboxLimits, ShownDirectory,
};
use crate::workspace::confined;
use crate::workspace::tree::Workspace;

/// Characters of output that go to the model and to people.
const DISTILLED: usize = 3_000;
/// Bytes of output that are kept: end marks are looked for in all of it.
const KEPT: usize = 8 << 20;
/// What the log of one command may take on the disk.
const LARGEST_LOG: usize = 16 << 20;
const BEGUN_ANEW: &str = "[a log holds 16 MiB, so what stood here before is gone]\n";
const LARGEST_PACKAGE_JSON: u64 = 1 << 20;
/// The shell's own codes for "cannot be executed" and "not found".
const NOT_RUNNABLE: [i32; 2] = [126, 127];

/// Runs shell lines, of which the first that fails ends them; exit code 0 is a pass, unless a known
/// test runner did not get to its end.
#[derive(Clone)]
pub struct CommandVerifier {
    /// The lines, most often one.
    pub line: String,
    /// Where it runs.
    pub sandbox: Arc<dyn Sandbox>,
    /// The line that builds the same.
    pub builds_as: String,
    /// Time it may take.
    pub time: Duration,
    /// Where all of its output is kept.
    pub log: PathBuf,
    /// Whether runners are asked for reports by arguments, too, also through the scripts that
    /// start them. A test may look at its runner's arguments, so no check depends on such a
    /// run.
    pub asks_by_arguments: bool,
}

#[async_trait]
impl Verifier for CommandVerifier {
    fn name(&self) -> &str {
        &self.line
    }

    fn kind(&self) -> CheckKind {
        CheckKind::Command
    }

    fn builds_as(&self) -> Option<&str> {
        Some(&self.builds_as)
    }

    async fn check(&self, candidate: &Candidate<'_>) -> Result<Finding, VerifyError> {
        if runs_nothing(&self.line) {
            let why = "the command is empty, so nothing was run; `[verify] commands` names it";
            return Ok(CheckOutcome::Inconclusive(why.to_owned()).into());
        }
        let tree = candidate.workspace.path();
        // Before the run, which may change it.
        let at_first = Arc::clone(candidate.workspace);
        let changed: Vec<RepoPath> = candidate.patch.changes.keys().cloned().collect();
        let reading = move || (python_in(&at_first, changed.iter()), package_json(&at_first));
        let (python, package_json) = blocking(reading).await?;
        let reports_at = self.reports_at(candidate.reports);
        let mut line = whole(&self.line);
        if self.asks_by_arguments {
            line = reports::asked_for(&line, &reports_at);
        }
        let mut command = SandboxCommand::script(line, tree).with_streams_together();
        let build = candidate.build.map(|build| ShownDirectory::of_builds(build.to_owned()));
        command.shown.extend(build);
        command.shown.push(ShownDirectory::of_reports(candidate.reports.to_owned()));
        if let Some(layout) = &python {
            command.env = layout.environment(self.sandbox.as_ref(), tree);
        }
        reports::ask_by_environment(&mut command.env, &reports_at);
        if self.asks_by_arguments {
            let broken = |source| VerifyError::Disk { path: candidate.reports.to_owned(), source };
            reports::ask_through_scripts(&mut command.env, candidate.reports, &reports_at)
                .map_err(broken)?;
        }
        let limits = self.limits();
        let broken = |source| VerifyError::Sandbox { check: self.line.clone(), source };
        let mut output =
            self.sandbox.run(&command, &limits, candidate.stop).await.map_err(broken)?;
        without_mentions(&mut output.stdout.text, &reports_at);
        let (verifier, after) = (self.clone(), Arc::clone(candidate.workspace));
        let (reports, shown_at) = (candidate.reports.to_owned(), self.sandbox.shows(tree));
        let reading = blocking(move || {
            verifier.keep(&output)?;
            let reports = Reports::read(&reports, shown_at);
            verifier.found(&output, package_json.as_deref(), &after, &reports)
        });
        let found = reading.await??;
        let python = python.filter(|_| python::starts_pytest(&self.line));
        let (CheckOutcome::Passed, Some(layout)) = (&found.outcome, python) else {
            return Ok(found);
        };
        let (sandbox, stop) = (self.sandbox.as_ref(), candidate.stop);
        let asked = layout.imported_from_elsewhere(sandbox, tree, &limits, stop);
        let elsewhere = asked.await.map_err(broken)?;
        if candidate.stop.is_cancelled() {
            return Err(VerifyError::Stopped);
        }
        Ok(elsewhere.map_or(found, |why| CheckOutcome::Inconclusive(why).into()))
    }
}

impl CommandVerifier {
    /// Where the command sees the directory for reports.
    fn reports_at(&self, directory: &Path) -> PathBuf {
        if self.sandbox.is_closed() { REPORTS.into() } else { directory.to_owned() }
    }

    fn limits(&self) -> SandboxLimits {
        SandboxLimits { wall: self.time, output_bytes: KEPT, ..SandboxLimits::default() }
    }

    /// What the run came to, by its exit and, where that says too little, by its end marks.
    fn found(
        &self,
        output: &CommandOutput,
        package_json: Option<&str>,
        tree: &Workspace,
        reports: &Reports,
    ) -> Result<Finding, VerifyError> {
        let text = &output.stdout.text;
        let told = |how: String| format!("{how}\n{}", distill(text, DISTILLED));
        let outcome = match output.exit {
            Exit::Code(code) if NOT_RUNNABLE.contains(&code) => {
                CheckOutcome::Inconclusive(told(format!(
                    "the command cannot be run in the sandbox (exit code {code}): install what it \
                     needs on Gander's machine, make its file executable, or name another command \
                     under `[verify] commands`"
                )))
            }
            Exit::Code(code) => {
                let cut_bytes = output.stdout.cut_bytes;
                let ended =
                    EndedCommand { line: &self.line, package_json, output: text, cut_bytes, code };
                return Ok(found_in(&TestOutput::of(&ended), &ended, tree, reports));
            }
            Exit::Signal(signal) => {
                CheckOutcome::Failed(told(format!("killed by signal {signal}")))
            }
            Exit::TimedOut => CheckOutcome::Failed(told(format!(
                "took longer than {} minutes (`[verify] minutes`) and was killed",
                self.time.as_secs() / 60
            ))),
            Exit::DiskFull => CheckOutcome::Inconclusive(
                "the disk of Gander's machine was nearly full, so the command was killed; make \
                 room and retry"
                    .to_owned(),
            ),
            Exit::OutOfMemory => CheckOutcome::Failed(told(format!(
                "took more than the {} MiB of memory that a run has, and was killed",
                self.limits().memory_bytes >> 20
            ))),
            Exit::Stopped => return Err(VerifyError::Stopped),
        };
        Ok(outcome.into())
    }

    fn keep(&self, output: &CommandOutput) -> Result<(), VerifyError> {
        let disk = |source| VerifyError::Disk { path: self.log.clone(), source };
        if let Some(directory) = self.log.parent() {
            std::fs::create_dir_all(directory).map_err(disk)?;
        }
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&self.log)
            .map_err(disk)?;
        // A model may ask for the checks again and again: the last of them count.
        let entry = format!("$ {}\n{}\n[{:?}]\n", self.line, output.stdout.text, output.exit);
        let mut fresh = &*entry;
        if file.metadata().map_err(disk)?.len() + entry.len() as u64 > LARGEST_LOG as u64 {
            file.set_len(0).map_err(disk)?;
            file.write_all(BEGUN_ANEW.as_bytes()).map_err(disk)?;
            // Of what is too long by itself the end says most.
            let most = LARGEST_LOG - BEGUN_ANEW.len();
            fresh = &entry[entry.ceil_char_boundary(entry.len().saturating_sub(most))..];
        }
        file.write_all(fresh.as_bytes()).map_err(disk)
    }
}

/// What a command came to that ended by itself.
fn found_in(
    output: &TestOutput<'_>,
    ended: &EndedCommand<'_>,
    tree: &Workspace,
    reports: &Reports,
) -> Finding {
    let told = |how: String| format!("{how}\n{}", distill(ended.output, DISTILLED));
    let outcome = match output.run() {
        TestRun::NoTest => CheckOutcome::NoTestRun,
        TestRun::EndedEarly(why) => CheckOutcome::EndedEarly(told(why)),
        TestRun::Unseen(why) => CheckOutcome::Inconclusive(told(why)),
        TestRun::HidesFailures(why) => CheckOutcome::Failed(told(why)),
        TestRun::OthersPassed => CheckOutcome::Passed,
        TestRun::AsExitCode if ended.code == 0 => match output.ended_within(reports) {
            Some(why) => CheckOutcome::EndedEarly(told(why)),
            None => CheckOutcome::Passed,
        },
        TestRun::AsExitCode => match missing::cannot_begin(output, ended, tree) {
            Some(why) => CheckOutcome::Inconclusive(told(why)),
            None => {
                let missing = missing::not_installed(output, ended, tree);
                let missing = missing.map_or_else(String::new, |it| format!("; {it}"));
                CheckOutcome::Failed(told(format!("exit code {}{missing}", ended.code)))
            }
        },
    };
    let is_red = matches!(outcome, CheckOutcome::Failed(_));
    let failed_tests = if is_red { output.failed_tests() } else { None };
    let results = output.results(reports);
    Finding { outcome, tests: output.tests(), failed_tests, results }
}

/// Takes out the lines in which runners say where they wrote what Gander asked them for.
fn without_mentions(text: &mut String, reports_at: &Path) {
    let place = reports_at.display().to_string();
    if text.contains(&place) {
        let kept = text.split_inclusive('\n').filter(|line| !line.contains(&place));
        *text = kept.collect();
    }
}

/// `package.json` at the top of a tree, where there is a plain one.
fn package_json(workspace: &Workspace) -> Option<String> {
    let (mut file, _) = confined::open_file(workspace.root(), b"package.json").ok()?;
    let bytes = confined::read_all(&mut file, LARGEST_PACKAGE_JSON).ok()?;
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::{Captured, Unconfined};

    #[test]
    fn checks_that_are_asked_for_again_and_again_do_not_fill_the_disk_and_the_log_says_so() {
        let place = tempfile::tempdir().unwrap();
        let log = place.path().join("logs/1");
        let verifier = CommandVerifier {
            line: "make test".to_owned(),
            builds_as: String::new(),
            sandbox: Arc::new(Unconfined::new([])),
            time: Duration::from_secs(60),
            log: log.clone(),
            asks_by_arguments: false,
        };
        let said = |text: String| CommandOutput {
            exit: Exit::Code(1),
            stdout: Captured { text, cut_bytes: 0 },
            stderr: Captured::default(),
            wall: Duration::ZERO,
        };
        let all = || std::fs::read_to_string(&log).unwrap();
        for (sign, is_first) in [("a", true), ("b", true), ("c", false), ("d", false)] {
            verifier.keep(&said(sign.repeat(7 << 20))).unwrap();
            let text = all();
            assert!(text.len() <= 16 << 20, "{} bytes after {sign}", text.len());
            assert!(text.ends_with(&format!("{sign}\n[Code(1)]\n")), "after {sign}");
            assert_eq!(text.starts_with("$ make test\n"), is_first, "after {sign}");
            assert_eq!(text.starts_with(BEGUN_ANEW), !is_first, "after {sign}");
        }
        assert!(all().contains("$ make test\nc"), "what still fits stays");
        // One output alone, of bytes that are no text.
        verifier.keep(&said("\u{fffd}".repeat(8 << 20))).unwrap();
        let text = all();
        assert!(text.len() <= 16 << 20, "{} bytes", text.len());
        assert!(text.starts_with(BEGUN_ANEW) && text.ends_with("\u{fffd}\n[Code(1)]\n"));
    }
}
