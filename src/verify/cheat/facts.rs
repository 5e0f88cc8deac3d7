//! What one version of a file says, as far as rules ask: its tests with their assertions, its
//! functions and calls, and what stands before its functions.
//!
//! Invariants: read from syntax, so that strings and comments are none of it; a file with errors is
//! read as far as it goes; texts are laid out in one way, so that layout makes no difference.

use std::ops::Range;

/// The facts of one version. Rows begin at 0.
#[derive(Debug, Default)]
pub(super) struct SourceFacts {
    pub(super) tests: Vec<TestFacts>,
    pub(super) functions: Vec<FunctionFacts>,
    pub(super) calls: Vec<CallFact>,
    /// Attributes, decorators and annotations.
    pub(super) marks: Vec<RowText>,
    /// Statements that catch any failure and go on as if there were none.
    pub(super) swallowed: Vec<RowText>,
    /// Branches that answer one input with one constant.
    pub(super) special_cases: Vec<SpecialCase>,
    /// Whether some of it was not read, as it is too large or nested too deep.
    pub(super) is_cut: bool,
    /// Stands for all of its code, without tests, comments, documentation and layout; 0: unknown.
    pub(super) code: u64,
}

/// One test.
#[derive(Debug)]
pub(super) struct TestFacts {
    pub(super) name: String,
    pub(super) rows: Range<usize>,
    pub(super) text: String,
    pub(super) assertions: Vec<RowText>,
    /// Those of them that cannot make the test fail, each with the reason.
    pub(super) unheard: Vec<(RowText, Unheard)>,
    /// Statements of its body, without those that do nothing.
    pub(super) statements: usize,
    /// Statements of its body that end it before others.
    pub(super) cut_short: Vec<RowText>,
}

/// Why an assertion cannot make its test fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unheard {
    /// Its failure is caught.
    Caught,
    /// It stands where the test never comes.
    NeverReached,
    /// The test is over before it.
    NotAwaited,
    /// It is in a function that nothing calls.
    NotCalled,
}

impl Unheard {
    /// For people, after "as".
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Caught => "its failure is caught",
            Self::NeverReached => "the test never comes to it",
            Self::NotAwaited => "nothing waits for it",
            Self::NotCalled => "nothing calls the function around it",
        }
    }
}

/// A function or method with a name.
#[derive(Debug)]
pub(super) struct FunctionFacts {
    pub(super) name: String,
    pub(super) row: usize,
    /// Statements of its body, without those that do nothing.
    pub(super) statements: usize,
    /// What it always returns, where that is a literal and all that it does.
    pub(super) constant: Option<String>,
    pub(super) text: String,
}

/// A call, by what is called.
#[derive(Debug)]
pub(super) struct CallFact {
    /// `self.assertEqual`, `process.exit`, `assert_eq!`.
    pub(super) name: String,
    /// With its arguments.
    pub(super) text: String,
    pub(super) row: usize,
    /// The function that it stands in, by name; empty outside of all.
    pub(super) function: String,
}

/// A branch that is taken for one literal and ends in another.
#[derive(Debug)]
pub(super) struct SpecialCase {
    pub(super) row: usize,
    pub(super) input: String,
    pub(super) output: String,
    /// Whether it is one of a table's entries, and no branch.
    pub(super) is_entry: bool,
}

/// A text and its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RowText {
    pub(super) row: usize,
    pub(super) text: String,
}
