//! What was shown of a change beyond green checks: that a test fails without it and passes with it.
//!
//! Invariants: *proven* is said only where Gander itself ran a test that failed on the base for a
//! test's reason, passed with the change as often as it was run, and failed again without some part
//! of the change; nothing that decides the verdict was touched. All else is called what it is.

use serde::{Deserialize, Serialize};

/// What running tests with and without parts of a change showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// What it comes to.
    pub outcome: ProofOutcome,
    /// The tests that fail without the change and pass with it.
    #[serde(default)]
    pub tests: Vec<ProvenTest>,
    /// How often they were run once more with the change.
    #[serde(default)]
    pub repeats: u32,
    /// Parts of the change that were taken back one at a time, the largest first.
    #[serde(default)]
    pub parts: Vec<TakenBack>,
    /// Parts that were not, as the time was over.
    #[serde(default)]
    pub parts_left: u32,
    /// Tests that ran without the rest of the change, where all of them passed.
    #[serde(default)]
    pub green_tests: u32,
    /// Tests as they were on the base that passed there and fail with the change.
    #[serde(default)]
    pub old_tests_broken: Vec<String>,
    /// The same, of tests that the issue names.
    #[serde(default)]
    pub old_tests_named: Vec<String>,
    /// Whether the tests as they were come to nothing with the rest of the change.
    #[serde(default)]
    pub old_tests_do_not_run: bool,
    /// Tests that ran on the base and do not with the change.
    #[serde(default)]
    pub tests_lost: Vec<String>,
    /// Tests that fail on the base, and pass without the rest of the change as soon as it edits
    /// them.
    #[serde(default)]
    pub tests_bent: Vec<String>,
    /// New tests that pass without the rest of the change, too, where others do not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weak_tests: Vec<WeakTest>,
    /// Changed files that decide what the checks do, each with what it is.
    #[serde(default)]
    pub deciding: Vec<String>,
    /// What each command comes to with the rest of the change and these files as they were.
    #[serde(default)]
    pub under_base_settings: Vec<String>,
}

/// What a proof comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofOutcome {
    /// Red without the change for a test's reason, green with it, red again without a part of it.
    Proven,
    /// The change brings tests, and all of them pass without the rest of it, too.
    GreenOnBase,
    /// It changes tests and nothing else, so that what was red on the base passes: these.
    OnlyTests(Vec<String>),
    /// No test of the change, and none that was red on the base, shows it.
    NoTest,
    /// It brings tests, and the checks do not run them.
    TestsNotRun,
    /// Tests fail without the change, but only as something is not there yet: what they say.
    OnlyMissing(String),
    /// A test of the change passes at one time and fails at another.
    Unstable {
        /// Its id.
        test: String,
        /// Of so many runs.
        runs: u32,
    },
    /// It could not be tried: why.
    NotTried(String),
}

impl ProofOutcome {
    /// What says more about a change is higher.
    pub fn rank(&self) -> u8 {
        match self {
            Self::NoTest | Self::TestsNotRun => 0,
            Self::NotTried(_) => 1,
            Self::GreenOnBase => 2,
            Self::OnlyTests(_) => 3,
            Self::OnlyMissing(_) => 4,
            Self::Proven => 5,
            // One test that wavers outweighs all others.
            Self::Unstable { .. } => 6,
        }
    }
}

/// A new test that does not need the rest of its change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeakTest {
    /// As its runner names it.
    pub id: String,
    /// Where it stands, as far as that can be told: a path and a line from 1, else empty and 0.
    pub path: String,
    /// See above.
    pub line: u32,
}

/// A test that fails without the change and passes with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvenTest {
    /// As its runner names it.
    pub id: String,
    /// What it says on the base.
    pub on_base: String,
}

/// A part of a change, and what the tests come to without it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenBack {
    /// Its file.
    pub path: String,
    /// The first line of it, in the changed file; 0 where there is none.
    pub line: u32,
    /// Lines that it adds.
    pub added: u32,
    /// Lines that it removes.
    pub removed: u32,
    /// What came out.
    pub without: WithoutPart,
}

/// What the tests come to without a part of the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WithoutPart {
    /// A test fails for a test's reason: it is needed.
    Red,
    /// It does not build or load: that shows nothing.
    DoesNotBuild,
    /// All pass: no test needs it.
    Green,
}

impl Proof {
    /// One that ended before anything was run.
    pub fn not_tried(why: impl Into<String>) -> Self {
        Self::of(ProofOutcome::NotTried(why.into()))
    }

    /// One with nothing but its outcome.
    pub fn of(outcome: ProofOutcome) -> Self {
        Self {
            outcome,
            tests: Vec::new(),
            repeats: 0,
            parts: Vec::new(),
            parts_left: 0,
            green_tests: 0,
            old_tests_broken: Vec::new(),
            old_tests_do_not_run: false,
            old_tests_named: Vec::new(),
            tests_lost: Vec::new(),
            tests_bent: Vec::new(),
            weak_tests: Vec::new(),
            deciding: Vec::new(),
            under_base_settings: Vec::new(),
        }
    }

    /// Whether the change is proven, and nothing that decides that was touched.
    pub fn is_proven(&self) -> bool {
        self.outcome == ProofOutcome::Proven && self.needs_a_person().is_empty()
    }

    /// What a person has to say `go` to, each in a few words. Nothing: nobody has to.
    pub fn needs_a_person(&self) -> Vec<String> {
        let broken = self.old_tests_broken.iter().map(|test| {
            format!("{test}: this test, as it was, passes without the change and fails with it")
        });
        let none_run = self.old_tests_do_not_run.then(|| {
            "the tests as they were do not build, load or run to their end with the rest of the \
             change"
                .to_owned()
        });
        let lost = self.tests_lost.iter().map(|test| {
            format!("{test}: this test runs without the change and does not run with it")
        });
        let only = match &self.outcome {
            ProofOutcome::OnlyTests(tests) => tests.as_slice(),
            ProofOutcome::Proven
            | ProofOutcome::GreenOnBase
            | ProofOutcome::NoTest
            | ProofOutcome::TestsNotRun
            | ProofOutcome::OnlyMissing(_)
            | ProofOutcome::Unstable { .. }
            | ProofOutcome::NotTried(_) => &[],
        };
        let only = only.iter().chain(&self.tests_bent).map(|test| {
            format!("{test}: this test fails on the base, and is another with the change")
        });
        self.deciding
            .iter()
            .cloned()
            .chain(only)
            .chain(none_run)
            .chain(broken)
            .chain(lost)
            .collect()
    }
}
