//! One of the project's own commands, in the sandbox.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::distill::distill;
use super::{Candidate, Verifier, VerifyError, python};
use crate::core::evidence::{CheckKind, CheckOutcome};
use crate::core::policy::runs_nothing;
use crate::sandbox::{CommandOutput, Exit, Sandbox, SandboxCommand, SandboxLimits};

/// Characters of output that go to the model and to people.
const DISTILLED: usize = 3_000;
/// The shell's own codes for "cannot be executed" and "not found".
const NOT_RUNNABLE: [i32; 2] = [126, 127];

/// Runs shell lines, of which the first that fails ends them; exit code 0 is a pass.
pub struct CommandVerifier {
    /// The lines, most often one.
    pub line: String,
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

    async fn check(&self, candidate: &Candidate<'_>) -> Result<CheckOutcome, VerifyError> {
        if runs_nothing(&self.line) {
            return Ok(CheckOutcome::Inconclusive(
                "the command is empty, so nothing was run; `[verify] commands` names it".to_owned(),
            ));
        }
        let tree = candidate.workspace.path();
        let python = candidate.python();
        let mut command = SandboxCommand::script(self.line.clone(), tree);
        if let Some(layout) = &python {
            command.env = layout.environment(self.sandbox.as_ref(), tree);
        }
        let limits = SandboxLimits { wall: self.time, ..SandboxLimits::default() };
        let broken = |source| VerifyError::Sandbox { check: self.line.clone(), source };
        let output = self.sandbox.run(&command, &limits, candidate.stop).await.map_err(broken)?;
        self.keep(&output)?;
        let text = format!("{}\n{}", output.stdout.text, output.stderr.text);
        Ok(match output.exit {
            Exit::Code(0) => match python.filter(|_| python::starts_pytest(&self.line)) {
                None => CheckOutcome::Passed,
                Some(layout) => {
                    let (sandbox, stop) = (self.sandbox.as_ref(), candidate.stop);
                    let asked = layout.imported_from_elsewhere(sandbox, tree, &limits, stop);
                    let elsewhere = asked.await.map_err(broken)?;
                    if candidate.stop.is_cancelled() {
                        return Err(VerifyError::Stopped);
                    }
                    elsewhere.map_or(CheckOutcome::Passed, CheckOutcome::Inconclusive)
                }
            },
            Exit::Code(code) if NOT_RUNNABLE.contains(&code) => {
                CheckOutcome::Inconclusive(format!(
                    "the command cannot be run in the sandbox (exit code {code}); what it needs may \
                 not be installed on Gander's machine\n{}",
                    distill(&text, DISTILLED)
                ))
            }
            Exit::Code(code) => {
                CheckOutcome::Failed(format!("exit code {code}\n{}", distill(&text, DISTILLED)))
            }
            Exit::Signal(signal) => CheckOutcome::Failed(format!(
                "killed by signal {signal}\n{}",
                distill(&text, DISTILLED)
            )),
            Exit::TimedOut => CheckOutcome::Failed(format!(
                "took longer than {} minutes (`[verify] minutes`) and was killed\n{}",
                self.time.as_secs() / 60,
                distill(&text, DISTILLED)
            )),
            Exit::DiskFull => CheckOutcome::Inconclusive(
                "the disk of Gander's machine was nearly full, so the command was killed; make \
                 room and retry"
                    .to_owned(),
            ),
            Exit::Stopped => return Err(VerifyError::Stopped),
        })
    }
}

impl CommandVerifier {
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
        let (out, err) = (&output.stdout.text, &output.stderr.text);
        write!(file, "$ {}\n{out}\n[standard error]\n{err}\n[{:?}]\n", self.line, output.exit)
            .map_err(disk)
    }
}
