//! The rules of a repository, and what follows from them for one person's wish.
//!
//! Invariants: rules come from the default branch only (the caller sees to that); a file with an
//! unknown key or a bad value is refused as a whole, with line and column; every decision carries
//! its reason.

use serde::{Deserialize, Serialize};

mod landing;

pub use landing::*;

use super::budget::Money;
use super::github::Actor;
use super::github::Role;
use super::id::Branch;

/// Where the rules stand in a repository.
pub const RULES_PATH: &str = ".github/gander.toml";

/// A repository's rules. Everything has a default, so no file is needed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// The branch to work from and to merge into; the default branch if not given.
    pub base: Option<Branch>,
    /// Who may start a job.
    pub trigger: Trigger,
    /// What a job may cost.
    pub budget: Budgets,
    /// How the agent works.
    pub agent: Agent,
    /// How a change is checked.
    pub verify: Verify,
    /// Which paths need care.
    pub paths: Paths,
    /// How much one job may change.
    pub limits: LimitRules,
    /// What people are shown.
    pub show: Show,
    /// How commits look.
    pub commit: CommitStyle,
    /// Whose consent counts.
    pub approval: Approving,
    /// How a pull request is merged.
    pub merge: Merge,
    /// Where a verified change goes.
    pub publish: Publish,
    /// What must be green.
    pub checks: CheckRules,
    /// What is released, and when.
    pub release: ReleaseRules,
}

/// `[trigger]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Trigger {
    /// The least permission that may start a job: `write`, `maintain` or `admin`.
    pub role: LeastRole,
}

/// `[budget]`, in dollars: `run = "$3"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Budgets {
    /// One job.
    pub run: Money,
    /// All jobs of the repository in a day.
    pub repository_day: Money,
    /// All jobs of one person in a day.
    pub person_day: Money,
}

/// `[agent]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Agent {
    /// A model from the operator's list; their first if not given.
    pub model: Option<String>,
    /// Tries in a round.
    pub attempts: u32,
    /// Replies of the model in one try.
    pub turns: u32,
    /// Minutes one try may take.
    pub minutes: u32,
    /// House rules: text for the agent.
    pub instructions: String,
}

/// `[verify]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Verify {
    /// Shell commands that must succeed; found out from the project's files if empty.
    pub commands: Vec<String>,
    /// Minutes one command may take.
    pub minutes: u32,
}

/// `[paths]`, as glob patterns.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Paths {
    /// No patch may touch them (beside those Gander never touches).
    pub protected: Vec<String>,
    /// The pull request says at its top that they were touched.
    pub flagged: Vec<String>,
}

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitRules {
    /// Files in one patch.
    pub files: u32,
    /// KiB in one patch.
    pub patch_kib: u32,
    /// Gander's open pull requests at a time.
    pub open_pulls: u32,
    /// Review rounds of one pull request.
    pub rounds: u32,
    /// Times one pull request's own red CI is repaired without being asked.
    pub ci_repairs: u32,
}

/// `[show]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Show {
    /// Cost and budget in the status comment.
    pub cost: bool,
    /// The model's name in the status comment and the commit.
    pub model: bool,
}

/// `[commit]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CommitStyle {
    /// `Requested-by` and `Assisted-by` at the end of the message.
    pub trailers: bool,
}

impl Default for Trigger {
    fn default() -> Self {
        Self { role: LeastRole::Write }
    }
}

impl Default for Budgets {
    fn default() -> Self {
        let dollars = |n: i64| Money::from_micros(n * 1_000_000);
        Self { run: dollars(3), repository_day: dollars(25), person_day: dollars(20) }
    }
}

impl Default for Agent {
    fn default() -> Self {
        Self { model: None, attempts: 3, turns: 40, minutes: 30, instructions: String::new() }
    }
}

impl Default for Verify {
    fn default() -> Self {
        Self { commands: Vec::new(), minutes: 10 }
    }
}

impl Default for LimitRules {
    fn default() -> Self {
        Self { files: 100, patch_kib: 1024, open_pulls: 5, rounds: 10, ci_repairs: 2 }
    }
}

impl Default for Show {
    fn default() -> Self {
        Self { cost: true, model: true }
    }
}

impl Default for CommitStyle {
    fn default() -> Self {
        Self { trailers: true }
    }
}

/// A rules file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{RULES_PATH}, line {line}, column {column}: {problem}")]
pub struct RulesError {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong there.
    pub problem: String,
}

impl Rules {
    /// Reads a rules file.
    ///
    /// # Errors
    /// The first problem, with its place.
    pub fn parse(text: &str) -> Result<Self, RulesError> {
        let rules: Self = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start).min(text.len());
            RulesError::at(text, at, error.message().lines().collect::<Vec<_>>().join("; "))
        })?;
        rules.check().map_err(|Mistake { section, key, problem }| {
            let section_at = text.find(&format!("[{section}]")).unwrap_or(0);
            let key_at = text[section_at..].find(key).map_or(0, |at| section_at + at);
            RulesError::at(text, key_at, format!("`[{section}] {key}`: {problem}"))
        })?;
        Ok(rules)
    }

    /// Names the rules that an approval is given under. Other keys may change without voiding it.
    pub fn binding(&self) -> String {
        use sha2::{Digest, Sha256};
        let bound = (&self.approval, &self.merge, &self.checks);
        let text = format!("{bound:?}");
        Sha256::digest(text.as_bytes()).iter().take(8).map(|b| format!("{b:02x}")).collect()
    }

    fn check(&self) -> Result<(), Mistake> {
        let within = |section, key, value: u32, most: u32| match (1..=most).contains(&value) {
            true => Ok(()),
            false => Err(Mistake::new(section, key, format!("must be 1 to {most}"))),
        };
        within("agent", "attempts", self.agent.attempts, 10)?;
        within("agent", "turns", self.agent.turns, 200)?;
        within("agent", "minutes", self.agent.minutes, 240)?;
        within("verify", "minutes", self.verify.minutes, 240)?;
        within("limits", "files", self.limits.files, 1000)?;
        within("limits", "patch_kib", self.limits.patch_kib, 10_240)?;
        within("limits", "open_pulls", self.limits.open_pulls, 100)?;
        within("limits", "rounds", self.limits.rounds, 100)?;
        if self.limits.ci_repairs > 10 {
            return Err(Mistake::new("limits", "ci_repairs", "must be 0 to 10"));
        }
        within("release", "approval_hours", self.release.approval_hours.unwrap_or(1), 720)?;
        if !self.release.tag.contains("{version}") || self.release.tag_of("1.0.0").is_none() {
            let problem = "must be a tag's name with {version} in it";
            return Err(Mistake::new("release", "tag", problem));
        }
        for (key, amount) in [
            ("run", self.budget.run),
            ("repository_day", self.budget.repository_day),
            ("person_day", self.budget.person_day),
        ] {
            if amount <= Money::ZERO {
                return Err(Mistake::new("budget", key, "must be above zero"));
            }
        }
        self.says_something()?;
        for (section, key, globs) in [
            ("paths", "protected", &self.paths.protected),
            ("paths", "flagged", &self.paths.flagged),
            ("release", "artifacts", &self.release.artifacts),
        ] {
            if globs.iter().any(|glob| globset::Glob::new(glob).is_err()) {
                let problem = "holds something that is not a glob pattern";
                return Err(Mistake::new(section, key, problem));
            }
        }
        Ok(())
    }

    /// An entry that says nothing would be a check that passes, or a path that nothing matches.
    fn says_something(&self) -> Result<(), Mistake> {
        if self.agent.model.as_ref().is_some_and(|name| name.trim().is_empty()) {
            let problem = "it is empty: write a model's name, or take it out";
            return Err(Mistake::new("agent", "model", problem));
        }
        let command = "a command that runs something";
        for (section, key, entries, wanted) in [
            ("verify", "commands", &self.verify.commands, command),
            ("release", "build", &self.release.build, command),
            ("release", "artifacts", &self.release.artifacts, "a pattern of paths"),
            ("paths", "protected", &self.paths.protected, "a pattern of paths"),
            ("paths", "flagged", &self.paths.flagged, "a pattern of paths"),
            ("checks", "required", &self.checks.required, "a check's name"),
        ] {
            for (at, entry) in entries.iter().enumerate() {
                let what = match entry.contains('#') {
                    _ if entry.trim().is_empty() => "is empty",
                    true if wanted == command && runs_nothing(entry) => "is only a comment",
                    false if wanted == command && runs_nothing(entry) => "is empty",
                    _ => continue,
                };
                let problem = format!("number {} {what}: write {wanted}, or take it out", at + 1);
                return Err(Mistake::new(section, key, problem));
            }
        }
        Ok(())
    }
}

/// Whether a shell would run nothing of these lines.
pub fn runs_nothing(lines: &str) -> bool {
    // A lone backslash only joins two lines.
    let nothing = |line: &str| line.is_empty() || line == "\\" || line.starts_with('#');
    lines.lines().map(str::trim).all(nothing)
}

/// A value that cannot be used.
struct Mistake {
    section: &'static str,
    key: &'static str,
    problem: String,
}

impl Mistake {
    fn new(section: &'static str, key: &'static str, problem: impl Into<String>) -> Self {
        Self { section, key, problem: problem.into() }
    }
}

impl RulesError {
    fn at(text: &str, offset: usize, problem: String) -> Self {
        let before = text.get(..offset).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            problem,
        }
    }
}

/// Whether a person may, and why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// They may.
    Allowed,
    /// They may not.
    Denied(Denied),
}

/// Why a person may not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Denied {
    /// Programs command nothing.
    NotAPerson,
    /// Their permission is too small.
    NeedsRole { needed: Role, has: Role },
}

/// Decides by the permission GitHub states for this account number right now.
pub fn authorize(actor: &Actor, has: Role, needed: Role) -> Decision {
    if !actor.person {
        Decision::Denied(Denied::NotAPerson)
    } else if has < needed {
        Decision::Denied(Denied::NeedsRole { needed, has })
    } else {
        Decision::Allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::id::UserId;

    #[test]
    fn no_file_means_the_documented_defaults() {
        let rules = Rules::parse("").unwrap();
        assert_eq!(rules, Rules::default());
        assert_eq!(rules.budget.run.to_string(), "$3.00");
    }

    #[test]
    fn a_full_file_is_read() {
        let rules = Rules::parse(
            "base = \"develop\"\n[trigger]\nrole = \"maintain\"\n[budget]\nrun = \"$0.50\"\n\
             [agent]\nattempts = 2\ninstructions = \"be brief\"\n\
             [verify]\ncommands = [\"make test\"]\n[paths]\nprotected = [\"infra/**\"]\n",
        )
        .unwrap();
        assert_eq!(rules.base.unwrap().as_str(), "develop");
        assert_eq!(Role::from(rules.trigger.role), Role::Maintain);
        assert_eq!(rules.verify.commands, ["make test"]);
    }

    #[test]
    fn a_mistake_is_named_with_its_line_and_column() {
        for (text, place, word) in [
            ("[agent]\natempts = 2\n", (2, 1), "atempts"),
            ("[agent]\nattempts = 0\n", (2, 1), "1 to 10"),
            ("[trigger]\nrole = \"read\"\n", (2, 8), "read"),
            ("[budget]\nrun = \"lots\"\n", (2, 7), ""),
            ("[agent\n", (1, 7), ""),
            ("base = \"-x\"\n", (1, 8), "branch"),
            ("\n[paths]\nprotected = [\"a{\"]\n", (3, 1), "glob"),
        ] {
            let bad = Rules::parse(text).unwrap_err();
            assert_eq!((bad.line, bad.column), place, "{text:?}: {bad}");
            assert!(bad.problem.contains(word), "{bad}");
        }
    }

    #[test]
    fn an_entry_that_says_nothing_is_refused_where_it_stands() {
        for (text, place, words) in [
            ("[verify]\ncommands = [\"\"]", (2, 1), "`[verify] commands`: number 1 is empty"),
            ("[verify]\ncommands = [\"true\", \"  \"]", (2, 1), "number 2 is empty"),
            ("[verify]\ncommands = [\"\\n\\t\\\\\\n\"]", (2, 1), "number 1 is empty"),
            ("[verify]\ncommands = [\"# make test\"]", (2, 1), "number 1 is only a comment"),
            ("verify.commands = [\"\"]", (1, 8), "write a command that runs something"),
            ("[agent]\nminutes = 3\n[verify]\nminutes = 0", (4, 1), "`[verify] minutes`"),
            ("[release]\n\nbuild = [\"make\", \"\"]", (3, 1), "`[release] build`: number 2"),
            ("[release]\nartifacts = [\" \"]", (2, 1), "`[release] artifacts`: number 1 is empty"),
            ("[paths]\nprotected = [\"\"]", (2, 1), "`[paths] protected`: number 1 is empty"),
            ("[paths]\nflagged = [\"a\", \"\\t\"]", (2, 1), "`[paths] flagged`: number 2"),
            ("[checks]\nrequired = [\"\"]", (2, 1), "`[checks] required`: number 1 is empty"),
            ("[agent]\nmodel = \" \"", (2, 1), "`[agent] model`: it is empty"),
        ] {
            let bad = Rules::parse(text).expect_err(text);
            assert_eq!((bad.line, bad.column), place, "{text:?}: {bad}");
            assert!(bad.problem.contains(words), "{text:?}: {bad}");
        }
        for good in ["[\"true # now\"]", "[\"# first\\nmake test\"]", "[]"] {
            Rules::parse(&format!("[verify]\ncommands = {good}")).expect(good);
        }
    }

    #[test]
    fn permission_decides_and_programs_never_command() {
        let actor = |person| Actor { id: UserId(1), login: "mona".parse().unwrap(), person };
        assert_eq!(authorize(&actor(true), Role::Write, Role::Write), Decision::Allowed);
        assert_eq!(
            authorize(&actor(true), Role::Triage, Role::Write),
            Decision::Denied(Denied::NeedsRole { needed: Role::Write, has: Role::Triage })
        );
        assert_eq!(
            authorize(&actor(false), Role::Admin, Role::Write),
            Decision::Denied(Denied::NotAPerson)
        );
    }
}
