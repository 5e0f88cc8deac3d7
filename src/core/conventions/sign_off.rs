//! Whether commits have to be signed off.
//!
//! Invariants: Gander signs off in the name of its own App, never in that of a person.

use serde::{Deserialize, Serialize};

/// Why commits are signed off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum SignOff {
    /// GitHub asks for it in what is committed on its pages.
    Setting,
    /// A file asks for it.
    File { path: String },
    /// The commits before this one are.
    Habit { signed: usize, of: usize },
}

impl SignOff {
    /// For people, after "Signed off, as".
    pub fn words(&self) -> String {
        match self {
            Self::Setting => "the repository's settings ask for it".to_owned(),
            Self::File { path } => format!("`{path}` asks for it"),
            Self::Habit { signed, of } => format!("{signed} of the last {of} commits are"),
        }
    }
}

/// Fewer commits than this show no habit.
const FEWEST: usize = 8;

/// Whether these messages of commits, without merges and those of programs, show the habit.
pub fn commits_are_signed<'a>(messages: impl Iterator<Item = &'a str>) -> Option<SignOff> {
    let is_signed = |message: &str| {
        message.lines().any(|line| {
            let name = line.trim().get(..14).unwrap_or_default();
            name.eq_ignore_ascii_case("signed-off-by:") && line.contains('@')
        })
    };
    let all: Vec<bool> = messages.map(is_signed).collect();
    let (signed, of) = (all.iter().filter(|it| **it).count(), all.len());
    (of >= FEWEST && signed * 10 >= of * 8).then_some(SignOff::Habit { signed, of })
}

/// The settings of the program that checks sign-offs, where they are there.
pub fn file_that_asks<'a>(mut paths: impl Iterator<Item = &'a str>) -> Option<SignOff> {
    let path = paths.find(|path| [".github/dco.yml", ".github/dco.yaml"].contains(path))?;
    Some(SignOff::File { path: path.to_owned() })
}

/// Whether a guide asks for it.
pub fn text_asks(path: &str, text: &str) -> Option<SignOff> {
    const ASKS: &[&str] = &[
        "signed-off-by:",
        "commit -s",
        "commit --signoff",
        "developer certificate of origin",
        "developer's certificate of origin",
    ];
    let small = text.to_lowercase();
    let asks = ASKS.iter().any(|words| small.contains(words));
    asks.then(|| SignOff::File { path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_a_habit_a_file_or_a_guide() {
        let signed = "fix: a\n\nSigned-off-by: Mona <mona@example.com>";
        let habit = |signed_ones: usize, others: usize| {
            let all = std::iter::repeat_n(signed, signed_ones);
            commits_are_signed(all.chain(std::iter::repeat_n("fix: a", others)))
        };
        assert_eq!(habit(9, 1), Some(SignOff::Habit { signed: 9, of: 10 }));
        assert_eq!(habit(7, 3), None);
        assert_eq!(habit(7, 0), None, "too few");
        assert!(file_that_asks([".github/dco.yml"].into_iter()).is_some());
        assert!(text_asks("CONTRIBUTING.md", "Sign with `git commit -s`.").is_some());
        assert!(text_asks("CONTRIBUTING.md", "Be kind.").is_none());
    }
}
