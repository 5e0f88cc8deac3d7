//! Shows of a green change that it is needed, and what it touches that decides the verdict.
//!
//! Invariants: only a green verdict is looked at, and none becomes greener by it; it is the change
//! of a first round that is to be shown: a later one has the first as its base.

use super::WorkError;
use super::checks::{CheckedChange, blocking, called_by, checker, means};
use crate::core::evidence::{Check, CheckKind, CheckOutcome, Evidence, TestsRun, Verdict};
use crate::core::policy::{HookRule, ProofMode};
use crate::core::proof::{Proof, ProofOutcome};
use crate::verify::{ProofDepth, Reproduce, deciding_files, is_of_tests};
use crate::workspace::diff;

/// The name of the check that is red where a change may not touch what decides the verdict.
const HOOKS: &str = "hooks and settings of the checks";

impl CheckedChange<'_> {
    /// The same evidence, with what more was shown.
    ///
    /// # Errors
    /// When a command could not be run, or the mirror cannot be read.
    pub(super) async fn proven(
        &self,
        mut evidence: Evidence,
        base: &[Check],
        depth: ProofDepth,
    ) -> Result<Evidence, WorkError> {
        let rules = self.job.rules.proof;
        if evidence.verdict() != Verdict::Green || self.patch.is_empty() {
            return Ok(evidence);
        }
        let entries = self.ctx.mirror.list(self.job.base).await?;
        let (mirror, patch) = (self.ctx.mirror.clone(), self.patch.clone());
        let files = blocking(move || diff::base_files(&mirror, &entries, &patch)).await??;
        let deciding = match rules.hooks {
            HookRule::Flag => Vec::new(),
            HookRule::Hold | HookRule::Refuse => self.deciding(&evidence, &files).await?,
        };
        if rules.hooks == HookRule::Refuse && !deciding.is_empty() {
            evidence.checks.push(refused(&deciding));
            return Ok(evidence);
        }
        let is_first = self.job.round.is_none();
        let shows = rules.mode != ProofMode::Off && is_first && evidence.tests() == TestsRun::Ran;
        let mut proof = match shows {
            true => Some(self.reproduced(&evidence, base, &files, depth).await?),
            false => None,
        };
        if !deciding.is_empty() {
            let untried = || Proof::not_tried(why_untried(rules.mode, is_first));
            proof.get_or_insert_with(untried).deciding = deciding;
        }
        evidence.proof = proof;
        Ok(evidence)
    }

    async fn reproduced(
        &self,
        evidence: &Evidence,
        base: &[Check],
        files: &diff::BaseFiles,
        depth: ProofDepth,
    ) -> Result<Proof, WorkError> {
        let means = means(self.job, self.ctx, self.logs)?;
        let checker = checker(self.job, self.ctx, &[], self.logs)?;
        let issue = format!("{}\n{}", self.job.issue.title, self.job.issue.body);
        let (patch, stop) = (self.patch, self.stop);
        let reproduce = Reproduce {
            checker: &checker,
            means: &means,
            base,
            with: evidence,
            patch,
            files,
            depth,
            issue: &issue,
            stop,
        };
        Ok(reproduce.prove().await?)
    }

    /// What the change touches that decides the verdict. Tests do so, too, and are looked at by
    /// what they come to.
    async fn deciding(
        &self,
        evidence: &Evidence,
        files: &diff::BaseFiles,
    ) -> Result<Vec<String>, WorkError> {
        let mut found = deciding_files(self.patch, files);
        let commands = evidence.checks.iter().filter(|check| check.kind == CheckKind::Command);
        let commands: Vec<String> = commands.map(|check| check.name.clone()).collect();
        let manifests = ["package.json", "pyproject.toml", "setup.cfg", "Cargo.toml"];
        for path in called_by(self.job, self.ctx, self.patch, &commands).await? {
            let name = path.rsplit('/').next().unwrap_or(&path);
            let known = found.iter().any(|it| it.starts_with(&format!("{path}: ")));
            if !known && !manifests.contains(&name) && !is_of_tests(&path) {
                found.push(format!("{path}: the test command runs it"));
            }
        }
        Ok(found)
    }
}

/// What the model is told of a green change while it is at work on it.
pub(super) fn for_the_model(proof: &Proof) -> String {
    let mut text = match &proof.outcome {
        ProofOutcome::Proven => {
            "These tests fail without the rest of your change and pass with it:\n".to_owned()
        }
        ProofOutcome::OnlyMissing(_) => "Without the rest of your change these tests do not fail \
             for a reason of their own: something is missing, they do not load, or the run ends \
             before them. Better is a test that runs \
             what is there and asserts what should come out:\n"
            .to_owned(),
        ProofOutcome::GreenOnBase => "Your tests pass without the rest of your change, too: they \
             do not show the bug.\n"
            .to_owned(),
        ProofOutcome::TestsNotRun => "The checks do not run the tests of your change.\n".to_owned(),
        ProofOutcome::NoTest => {
            "No test fails without your change: add one that does.\n".to_owned()
        }
        ProofOutcome::OnlyTests(_) | ProofOutcome::Unstable { .. } | ProofOutcome::NotTried(_) => {
            String::new()
        }
    };
    for test in &proof.tests {
        let said = test.on_base.lines().next().unwrap_or_default();
        text.push_str(&format!("- {}: {said}\n", test.id));
    }
    for what in proof.needs_a_person() {
        text.push_str(&format!("A person has to look first: {what}\n"));
    }
    text
}

fn why_untried(mode: ProofMode, is_first: bool) -> &'static str {
    match (mode, is_first) {
        (ProofMode::Off, _) => "`[proof] mode` is `off`",
        (_, false) => "only the first round is proven, and this is a later one",
        (_, true) => "no test was run",
    }
}

fn refused(deciding: &[String]) -> Check {
    let why = format!(
        "the change touches what decides the verdict, and `[proof] hooks = \"refuse\"` allows \
         none: {}",
        deciding.join("; ")
    );
    Check::of_rule(HOOKS, CheckOutcome::Failed(why))
}
