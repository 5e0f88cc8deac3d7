//! Shows of a green change that it is needed, and what it touches that decides the verdict.
//!
//! Invariants: only a green verdict is looked at, and none becomes greener by it; what is shown is
//! all that the pull request brings, held against the commit it begins at.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::WorkError;
use super::checks::{CheckedChange, blocking, called_by, checker, means};
use super::job_context::AttemptInput;
use super::patches;
use crate::core::evidence::{Check, CheckKind, CheckOutcome, Evidence, TestsRun, Verdict};
use crate::core::id::Sha;
use crate::core::patch::Patch;
use crate::core::policy::{HookRule, LimitRules, ProofMode};
use crate::core::proof::{Proof, ProofOutcome};
use crate::core::test_results::TestResults;
use crate::verify::cheat::{CheatFinding, PROCESS_EXIT, Severity, find_cheats};
use crate::verify::scope::Growth;
use crate::verify::{ProofDepth, Reproduce, UnderBaseSettings, deciding_files, is_of_tests};
use crate::workspace::diff;

/// The name of the check that is red where a change may not touch what decides the verdict.
const HOOKS: &str = "hooks and settings of the checks";

/// The name of the check that is red for what rules found.
const AGAINST_CHEATS: &str = "rules against cheats";

/// What is to be shown as needed: in a first round the change itself, in a later one all rounds.
pub(super) struct WholeChange<'a> {
    /// The commit that it begins at.
    pub(super) base: &'a Sha,
    /// What the checks came to there.
    pub(super) checks: &'a [Check],
    /// All of it.
    pub(super) patch: &'a Patch,
}

impl CheckedChange<'_> {
    /// The same evidence, with what more was shown. `whole`: `None` where some of it is not ours.
    ///
    /// # Errors
    /// When a command could not be run, or the mirror cannot be read.
    pub(super) async fn proven(
        &self,
        mut evidence: Evidence,
        whole: Option<WholeChange<'_>>,
        depth: ProofDepth,
    ) -> Result<Evidence, WorkError> {
        let rules = self.job.rules.proof;
        if evidence.verdict() != Verdict::Green || self.patch.is_empty() {
            return Ok(evidence);
        }
        let (base, patch) =
            whole.as_ref().map_or((self.job.base, self.patch), |it| (it.base, it.patch));
        let files = self.replaced_files(base, patch).await?;
        let own = match base == self.job.base && patch == self.patch {
            true => Arc::clone(&files),
            false => self.replaced_files(self.job.base, self.patch).await?,
        };
        let cheats = in_change(patch, &files, find_cheats).await?;
        let overridden =
            |it: &CheatFinding| self.job.overrides.iter().any(|known| known.rule == it.rule);
        let of_revert = self.of_revert().await?;
        let taken_back = |it: &CheatFinding| of_revert.contains(&(it.rule, it.path.clone()));
        let blocking = cheats.iter().filter(|it| it.severity == Severity::Block);
        let blocking: Vec<&CheatFinding> =
            blocking.filter(|it| !overridden(it) && !taken_back(it)).collect();
        if !blocking.is_empty() {
            let names: BTreeSet<String> = blocking.iter().map(|it| it.rule.to_owned()).collect();
            let names = names.into_iter().collect();
            return Ok(evidence.blocked(AGAINST_CHEATS, names, why_blocked(&blocking)));
        }
        let growth = in_change(self.patch, &own, Growth::of).await?;
        evidence.oversize = above_limits(growth, &self.job.rules.limits);
        let deciding = match rules.hooks {
            HookRule::Flag => Vec::new(),
            HookRule::Hold | HookRule::Refuse => {
                self.deciding(&evidence, (base, patch, &files)).await?
            }
        };
        if rules.hooks == HookRule::Refuse && !deciding.is_empty() {
            evidence.checks.push(refused(&deciding));
            return Ok(evidence);
        }
        // The reverse patch as git makes it takes its tests along.
        let as_git_made_it = self.job.reverts.is_some_and(|it| it.patch == self.patch.digest());
        let tries =
            rules.mode != ProofMode::Off && evidence.tests() == TestsRun::Ran && !as_git_made_it;
        let mut proof = match &whole {
            Some(whole) if tries => Some(self.reproduced(&evidence, whole, &files, depth).await?),
            _ => None,
        };
        // Whatever is said of hooks, this is of the program.
        let exits = exits(&evidence, &cheats);
        if !deciding.is_empty() || !exits.is_empty() {
            let untried = || Proof::not_tried(why_untried(rules.mode, whole.is_some()));
            let proof = proof.get_or_insert_with(untried);
            let whole = whole.as_ref().filter(|_| depth == ProofDepth::Whole);
            if let Some(whole) = whole.filter(|_| !deciding.is_empty()) {
                let under = self.under_base_settings(&evidence, whole, &deciding).await?;
                proof.under_base_settings = under;
            }
            proof.deciding = deciding.into_iter().chain(exits).collect();
        }
        evidence.proof = proof;
        Ok(evidence)
    }

    /// What the rules find in the reverse patch itself, by rule and path: tests that go with what is
    /// taken back, and the like.
    async fn of_revert(&self) -> Result<BTreeSet<(&'static str, String)>, WorkError> {
        let Some(reverted) = self.job.reverts else { return Ok(BTreeSet::new()) };
        let patch = patches::kept(self.ctx.store.as_ref(), &reverted.patch).await?;
        let patch = patch.ok_or_else(|| WorkError::bug("the reverse patch was not kept"))?;
        let files = self.replaced_files(self.job.base, &patch).await?;
        let found = in_change(&patch, &files, find_cheats).await?;
        Ok(found.into_iter().map(|it| (it.rule, it.path.clone())).collect())
    }

    async fn reproduced(
        &self,
        evidence: &Evidence,
        whole: &WholeChange<'_>,
        files: &diff::BaseFiles,
        depth: ProofDepth,
    ) -> Result<Proof, WorkError> {
        let job = AttemptInput { base: whole.base, ..self.job.clone() };
        let means = means(&job, self.ctx, self.logs)?;
        let checker = checker(&job, self.ctx, &[], self.logs)?;
        let issue = format!("{}\n{}", self.job.issue.title, self.job.issue.body);
        let &WholeChange { checks, patch, .. } = whole;
        let stop = self.stop;
        let reproduce = Reproduce {
            checker: &checker,
            means: &means,
            base: checks,
            with: evidence,
            patch,
            files,
            depth,
            issue: &issue,
            stop,
        };
        Ok(reproduce.prove().await?)
    }

    /// What the commands come to with all else of the change. Nothing where there is nothing else.
    async fn under_base_settings(
        &self,
        evidence: &Evidence,
        whole: &WholeChange<'_>,
        deciding: &[String],
    ) -> Result<Vec<String>, WorkError> {
        let decides = |path: &str| deciding.iter().any(|it| it.starts_with(&format!("{path}: ")));
        let mut rest = whole.patch.clone();
        rest.changes.retain(|path, _| !decides(path.as_str()));
        if rest.is_empty() {
            return Ok(Vec::new());
        }
        let job = AttemptInput { base: whole.base, ..self.job.clone() };
        let means = means(&job, self.ctx, self.logs)?;
        let checker = checker(&job, self.ctx, &[], self.logs)?;
        let (checker, means, rest, stop) = (&checker, &means, &rest, self.stop);
        Ok(UnderBaseSettings { checker, means, with: evidence, rest, stop }.run().await?)
    }

    /// The files that a patch changes, as they were. Boxed: seen as `Send` wherever it is awaited,
    /// it takes the compiler a minute each time.
    fn replaced_files<'a>(
        &'a self,
        base: &'a Sha,
        patch: &'a Patch,
    ) -> BoxFuture<'a, Result<Arc<diff::BaseFiles>, WorkError>> {
        let reading = async move {
            let entries = self.ctx.mirror.list(base).await?;
            let (mirror, patch) = (self.ctx.mirror.clone(), patch.clone());
            let files = blocking(move || diff::base_files(&mirror, &entries, &patch)).await??;
            Ok(Arc::new(files))
        };
        reading.boxed()
    }

    /// What the change touches that decides the verdict. Tests do so, too, and are looked at by
    /// what they come to.
    async fn deciding(
        &self,
        evidence: &Evidence,
        (base, patch, files): (&Sha, &Patch, &diff::BaseFiles),
    ) -> Result<Vec<String>, WorkError> {
        let job = AttemptInput { base, ..self.job.clone() };
        let mut found = deciding_files(patch, files);
        let commands = evidence.checks.iter().filter(|check| check.kind == CheckKind::Command);
        let commands: Vec<String> = commands.map(|check| check.name.clone()).collect();
        let manifests = ["package.json", "pyproject.toml", "setup.cfg", "Cargo.toml"];
        for path in called_by(&job, self.ctx, patch, &commands).await? {
            let name = path.rsplit('/').next().unwrap_or(&path);
            let known = found.iter().any(|it| it.starts_with(&format!("{path}: ")));
            if !known && !manifests.contains(&name) && !is_of_tests(&path) {
                found.push(format!("{path}: the test command runs it"));
            }
        }
        Ok(found)
    }
}

/// What is found in a change, on a thread that may compute.
async fn in_change<T: Send + 'static>(
    patch: &Patch,
    files: &Arc<diff::BaseFiles>,
    find: fn(&Patch, &diff::BaseFiles) -> T,
) -> Result<T, WorkError> {
    let (patch, files) = (patch.clone(), Arc::clone(files));
    blocking(move || find(&patch, &files)).await
}

/// What of its size a person has to look at.
fn above_limits(growth: Growth, limits: &LimitRules) -> Vec<String> {
    let above = |what: &str, name: &str, lines: u32, limit: u32| {
        (lines > limit).then(|| {
            format!("it adds {lines} lines of code to {what}, and `[limits] {name}` is {limit}")
        })
    };
    let source = above("the program", "source_lines", growth.source, limits.source_lines);
    let tests = above("its tests", "test_lines", growth.tests, limits.test_lines);
    source.into_iter().chain(tests).collect()
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
        ProofOutcome::TestsNotRun => {
            "The checks do not run the tests of your change, or something ends \
             them before they are through.\n"
                .to_owned()
        }
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
    for test in &proof.weak_tests {
        text.push_str(&format!("Passes without the rest of your change, too: {}\n", test.id));
    }
    for what in proof.needs_a_person() {
        text.push_str(&format!("A person has to look first: {what}\n"));
    }
    text
}

/// Whether a command runs tests of which each is a process of its own, and passes by ending with 0:
/// those of nextest, and Rust's examples in documentation.
fn takes_an_exit_for_success(evidence: &Evidence) -> bool {
    evidence.checks.iter().filter(|check| check.kind == CheckKind::Command).any(|check| {
        let mut tests = check.results.iter().flat_map(TestResults::iter);
        check.name.contains("nextest") || tests.any(|(id, _)| id.contains(" doc test "))
    })
}

/// New calls that end the process, where a runner takes that for success.
fn exits(evidence: &Evidence, cheats: &[CheatFinding]) -> Vec<String> {
    if !takes_an_exit_for_success(evidence) {
        return Vec::new();
    }
    let words = |CheatFinding { path, line, .. }: &CheatFinding| {
        format!("{path}: line {line} ends the process, and its runner calls that passed")
    };
    cheats.iter().filter(|it| it.rule == PROCESS_EXIT).map(words).collect()
}

/// So many places are named.
const MOST_NAMED: usize = 20;

/// For the model and for people, a line for each place.
fn why_blocked(blocking: &[&CheatFinding]) -> String {
    let line = |CheatFinding { rule, path, line, reason, .. }: &&CheatFinding| {
        format!("{path}:{line}: {reason} (rule {rule})\n")
    };
    let mut lines: String = blocking.iter().take(MOST_NAMED).map(line).collect();
    if let Some(more) = blocking.len().checked_sub(MOST_NAMED).filter(|more| *more > 0) {
        lines.push_str(&format!("and {more} more\n"));
    }
    format!(
        "{lines}This makes checks green without mending anything, or looks like it. Mend the cause, \
         and leave the tests as strict as they were."
    )
}

fn why_untried(mode: ProofMode, is_ours: bool) -> &'static str {
    match (mode, is_ours) {
        (ProofMode::Off, _) => "`[proof] mode` is `off`",
        (_, false) => "others pushed to the branch, and only what is all Gander's is proven",
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
