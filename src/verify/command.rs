//! One of the project's own commands, in the sandbox.

use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::distill::distill;
use super::results::{self, EndedCommand, TestRun};
use super::{Candidate, Finding, Verifier, VerifyError, python};
use crate::core::evidence::{CheckKind, CheckOutcome};
use crate::core::policy::runs_nothing;
use crate::sandbox::{CommandOutput, Exit, Sandbox, SandboxCommand, SandboxLimits};
use crate::workspace::confined;
use crate::workspace::mirror::EntryMode;
use crate::workspace::tree::Workspace;

/// Characters of output that go to the model and to people.
const DISTILLED: usize = 3_000;
/// Bytes of output that are kept: end marks are looked for in all of it.
const KEPT: usize = 8 << 20;
const LARGEST_PACKAGE_JSON: u64 = 1 << 20;
/// The shell's own codes for "cannot be executed" and "not found".
const NOT_RUNNABLE: [i32; 2] = [126, 127];

/// Runs shell lines, of which the first that fails ends them; exit code 0 is a pass, unless a known
/// test runner did not get to its end.
pub struct CommandVerifier {
    /// The lines, most often one.
    pub line: String,
    /// How many tests they leave out by name: more may not be.
    pub left_out: usize,
    /// Where it runs.
    pub sandbox: Arc<dyn Sandbox>,
    /// Time it may take.
    pub time: Duration,
    /// Where all of its output is kept.
    pub log: PathBuf,
}

#[async_trait]
impl Verifier for CommandVerifier {
    fn name(&self) -> &str {
        &self.line
    }

    fn kind(&self) -> CheckKind {
        CheckKind::Command
    }

    async fn check(&self, candidate: &Candidate<'_>) -> Result<Finding, VerifyError> {
        if runs_nothing(&self.line) {
            let why = "the command is empty, so nothing was run; `[verify] commands` names it";
            return Ok(CheckOutcome::Inconclusive(why.to_owned()).into());
        }
        let tree = candidate.workspace.path();
        let python = candidate.python();
        let mut command = SandboxCommand::script(self.line.clone(), tree).with_streams_together();
        if let Some(layout) = &python {
            command.env = layout.environment(self.sandbox.as_ref(), tree);
        }
        let limits = self.limits();
        // Before the run, which may change it.
        let package_json = package_json(candidate.workspace);
        let broken = |source| VerifyError::Sandbox { check: self.line.clone(), source };
        let output = self.sandbox.run(&command, &limits, candidate.stop).await.map_err(broken)?;
        self.keep(&output)?;
        let found = self.found(&output, package_json.as_deref(), candidate.workspace)?;
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
    fn limits(&self) -> SandboxLimits {
        SandboxLimits { wall: self.time, output_bytes: KEPT, ..SandboxLimits::default() }
    }

    /// What the run came to, by its exit and, where that says too little, by its end marks.
    fn found(
        &self,
        output: &CommandOutput,
        package_json: Option<&str>,
        tree: &Workspace,
    ) -> Result<Finding, VerifyError> {
        let text = &output.stdout.text;
        let told = |how: String| format!("{how}\n{}", distill(text, DISTILLED));
        let outcome = match output.exit {
            Exit::Code(code) if NOT_RUNNABLE.contains(&code) => {
                CheckOutcome::Inconclusive(told(format!(
                    "the command cannot be run in the sandbox (exit code {code}); what it needs \
                     may not be installed on Gander's machine"
                )))
            }
            Exit::Code(code) => {
                let cut_bytes = output.stdout.cut_bytes;
                let ended =
                    EndedCommand { line: &self.line, package_json, output: text, cut_bytes, code };
                return Ok(self.ended(&ended, tree));
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
            Exit::Stopped => return Err(VerifyError::Stopped),
        };
        Ok(outcome.into())
    }

    fn ended(&self, ended: &EndedCommand<'_>, tree: &Workspace) -> Finding {
        let told = |how: String| format!("{how}\n{}", distill(ended.output, DISTILLED));
        let outcome = match results::judge(ended) {
            TestRun::NoTest => CheckOutcome::NoTestRun,
            TestRun::EndedEarly(why) => CheckOutcome::EndedEarly(told(why)),
            TestRun::Unseen(why) => CheckOutcome::Inconclusive(told(why)),
            TestRun::OthersPassed => CheckOutcome::Passed,
            TestRun::AsExitCode if ended.code == 0 => self.passed(ended.output),
            TestRun::AsExitCode => match cannot_begin(ended, tree) {
                Some(why) => CheckOutcome::Inconclusive(told(why)),
                None => CheckOutcome::Failed(told(format!("exit code {}", ended.code))),
            },
        };
        let is_red = matches!(outcome, CheckOutcome::Failed(_));
        let failed_tests = if is_red { results::failed_tests(ended) } else { None };
        Finding { outcome, failed_tests }
    }

    fn passed(&self, output: &str) -> CheckOutcome {
        match results::select::left_out_no_more(&self.line, output, self.left_out) {
            true => CheckOutcome::Passed,
            false => CheckOutcome::Inconclusive(
                "it passes, and more tests were left out than those that were to be".to_owned(),
            ),
        }
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
        let (line, said) = (&self.line, &output.stdout.text);
        write!(file, "$ {line}\n{said}\n[{:?}]\n", output.exit).map_err(disk)
    }
}

/// Why a red run in which no test ran could not begin here, whatever it tests. `None`: nothing like
/// that is known.
fn cannot_begin(ended: &EndedCommand<'_>, tree: &Workspace) -> Option<String> {
    let in_tree = |name: &str| {
        let named = |path: &str| path.split('/').any(|part| part.split('.').next() == Some(name));
        tree.entries().iter().any(|entry| std::str::from_utf8(&entry.path).is_ok_and(named))
    };
    if let Some(missing) = results::missing(ended, in_tree) {
        return Some(format!(
            "what the project needs is not installed where checks run: {missing}. There is no \
             network in the sandbox: install it on Gander's machine, or name commands that do \
             without it under `[verify] commands`"
        ));
    }
    if results::shows_tests(ended.output) {
        return None;
    }
    let submodules = tree.entries().iter().filter(|entry| entry.mode == EntryMode::Submodule);
    let submodules: BTreeSet<String> =
        submodules.map(|entry| String::from_utf8_lossy(&entry.path).into_owned()).collect();
    let first = submodules.first()?;
    Some(format!(
        "no test ran, and the repository's submodules are not fetched (`{first}`{}): name commands \
         that do without them under `[verify] commands`",
        if submodules.len() > 1 { " and others" } else { "" }
    ))
}

/// `package.json` at the top of a tree, where there is a plain one.
fn package_json(workspace: &Workspace) -> Option<String> {
    let (mut file, _) = confined::open_file(workspace.root(), b"package.json").ok()?;
    let bytes = confined::read_all(&mut file, LARGEST_PACKAGE_JSON).ok()?;
    String::from_utf8(bytes).ok()
}
