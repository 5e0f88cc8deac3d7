//! The rules of a repository, and what follows from them for one person's wish.
//!
//! Invariants: rules come from the default branch only (the caller sees to that); a file with an
//! unknown key or a bad value is refused as a whole, with line and column; every decision carries
//! its reason.

use serde::{Deserialize, Serialize};

mod binding;
mod landing;
mod release;
mod values;

pub use landing::*;
pub use release::*;

use super::budget::Money;
use super::github::{Actor, Role};
use super::id::Branch;

/// Where the rules stand in a repository.
pub const RULES_PATH: &str = ".github/gander.toml";

/// A repository's rules. Everything has a default, so no file is needed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table of keys")]
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
    /// What has to be shown of a change beyond green checks.
    pub proof: ProofRules,
    /// Whether a model is asked what it thinks of a change.
    pub judge: JudgeRules,
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
    /// When the base is merged into a pull request.
    pub update: UpdateRules,
    /// Where a verified change goes.
    pub publish: Publish,
    /// What must be green.
    pub checks: CheckRules,
    /// What is released, and when.
    pub release: ReleaseRules,
}

/// `[trigger]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table of keys")]
pub struct Trigger {
    /// The least permission that may start a job: `write`, `maintain` or `admin`.
    pub role: LeastRole,
}

/// `[budget]`, in dollars: `run = "$3"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table of keys")]
pub struct Budgets {
    /// One job.
    #[serde(deserialize_with = "values::budget_run")]
    pub run: Money,
    /// All jobs of the repository in a day.
    #[serde(deserialize_with = "values::budget_repository_day")]
    pub repository_day: Money,
    /// All jobs of one person in a day.
    #[serde(deserialize_with = "values::budget_person_day")]
    pub person_day: Money,
}

/// `[agent]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table of keys")]
pub struct Agent {
    /// A model from the operator's list; their first if not given.
    #[serde(deserialize_with = "values::agent_model")]
    pub model: Option<String>,
    /// Tries in a round.
    #[serde(deserialize_with = "values::agent_attempts")]
    pub attempts: u32,
    /// Replies of the model in one try.
    #[serde(deserialize_with = "values::agent_turns")]
    pub turns: u32,
    /// Minutes one try may take.
    #[serde(deserialize_with = "values::agent_minutes")]
    pub minutes: u32,
    /// The repository's own instructions: text for the agent.
    pub instructions: String,
}

/// `[verify]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table of keys")]
pub struct Verify {
    /// Shell commands that must succeed; found out from the project's files if empty.
    #[serde(deserialize_with = "values::verify_commands")]
    pub commands: Vec<String>,
    /// Minutes one command may take.
    #[serde(deserialize_with = "values::verify_minutes")]
    pub minutes: u32,
}

/// `[proof]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table of keys")]
pub struct ProofRules {
    /// Whether a change has to be proven: `required`, `preferred` or `off`.
    pub mode: ProofMode,
    /// What becomes of a change to what decides the verdict: `hold`, `flag` or `refuse`.
    pub hooks: HookRule,
}

/// Whether a change has to be proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofMode {
    /// One that is not waits for a person's `go`.
    Required,
    /// It is tried, and said what came of it.
    #[default]
    Preferred,
    /// It is not tried.
    Off,
}

/// `[judge]`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table of keys")]
pub struct JudgeRules {
    /// Whether it is asked: `warn` or `off`.
    pub mode: JudgeMode,
    /// A model from the operator's list; the one that wrote the change if not given.
    #[serde(deserialize_with = "values::judge_model")]
    pub model: Option<String>,
}

/// Whether a model is asked what it thinks of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JudgeMode {
    /// It is, and the pull request shows what it says.
    Warn,
    /// It is not.
    #[default]
    Off,
}

/// What becomes of a change to what decides the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookRule {
    /// It waits for a person's `go`.
    #[default]
    Hold,
    /// The pull request says so at its top.
    Flag,
    /// It is red.
    Refuse,
}

/// `[paths]`, as glob patterns.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table of keys")]
pub struct Paths {
    /// No patch may touch them (beside those Gander never touches).
    #[serde(deserialize_with = "values::paths_protected")]
    pub protected: Vec<String>,
    /// The pull request says at its top that they were touched.
    #[serde(deserialize_with = "values::paths_flagged")]
    pub flagged: Vec<String>,
}

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table of keys")]
pub struct LimitRules {
    /// Files in one patch.
    #[serde(deserialize_with = "values::limits_files")]
    pub files: u32,
    /// KiB in one patch.
    #[serde(deserialize_with = "values::limits_patch_kib")]
    pub patch_kib: u32,
    /// Lines of code that one round may add to the program before a person has to look.
    #[serde(deserialize_with = "values::limits_source_lines")]
    pub source_lines: u32,
    /// The same of its tests.
    #[serde(deserialize_with = "values::limits_test_lines")]
    pub test_lines: u32,
    /// Gander's open pull requests at a time.
    #[serde(deserialize_with = "values::limits_open_pulls")]
    pub open_pulls: u32,
    /// Those of them that one person asked for, who is expected to review them.
    #[serde(deserialize_with = "values::limits_open_per_reviewer")]
    pub open_per_reviewer: u32,
    /// Review rounds of one pull request.
    #[serde(deserialize_with = "values::limits_rounds")]
    pub rounds: u32,
    /// Times one pull request's own red CI is repaired without being asked.
    #[serde(deserialize_with = "values::limits_ci_repairs")]
    pub ci_repairs: u32,
}

/// `[show]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table of keys")]
pub struct Show {
    /// Cost and budget in the status comment.
    pub cost: bool,
    /// The model's name in the status comment and the commit.
    pub model: bool,
}

/// `[commit]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table of keys")]
pub struct CommitStyle {
    /// `Requested-by` and `Assisted-by` at the end of the message.
    pub trailers: bool,
    /// The title, with `{title}`; as the repository's others are if not given.
    #[serde(deserialize_with = "values::commit_title")]
    pub title: Option<String>,
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
        Self {
            files: 100,
            patch_kib: 1024,
            source_lines: 400,
            test_lines: 400,
            open_pulls: 5,
            open_per_reviewer: 5,
            rounds: 10,
            ci_repairs: 2,
        }
    }
}

impl Default for Show {
    fn default() -> Self {
        Self { cost: true, model: true }
    }
}

impl Default for CommitStyle {
    fn default() -> Self {
        Self { trailers: true, title: None }
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
        toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start).min(text.len());
            RulesError::at(text, at, error.message().lines().collect::<Vec<_>>().join("; "))
        })
    }
}

/// Whether a shell would run nothing of these lines.
pub fn runs_nothing(lines: &str) -> bool {
    // A lone backslash only joins two lines.
    let nothing = |line: &str| line.is_empty() || line == "\\" || line.starts_with('#');
    lines.lines().map(str::trim).all(nothing)
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
            ("[agent]\nattempts = 0\n", (2, 12), "1 to 10"),
            ("[trigger]\nrole = \"read\"\n", (2, 8), "read"),
            ("[budget]\nrun = \"lots\"\n", (2, 7), ""),
            ("[agent\n", (1, 7), ""),
            ("base = \"-x\"\n", (1, 8), "branch"),
            ("\n[paths]\nprotected = [\"a{\"]\n", (3, 14), "glob"),
        ] {
            let bad = Rules::parse(text).unwrap_err();
            assert_eq!((bad.line, bad.column), place, "{text:?}: {bad}");
            assert!(bad.problem.contains(word), "{bad}");
        }
    }

    #[test]
    fn an_entry_that_says_nothing_is_refused_where_it_stands() {
        for (text, place, words) in [
            ("[verify]\ncommands = [\"\"]", (2, 13), "`[verify] commands`: number 1 is empty"),
            ("[verify]\ncommands = [\"true\", \"  \"]", (2, 21), "number 2 is empty"),
            ("[verify]\ncommands = [\"\\n\\t\\\\\\n\"]", (2, 13), "number 1 is empty"),
            ("[verify]\ncommands = [\"# make test\"]", (2, 13), "number 1 is only a comment"),
            ("verify.commands = [\"\"]", (1, 20), "write a command that runs something"),
            ("[agent]\nminutes = 3\n[verify]\nminutes = 0", (4, 11), "`[verify] minutes`"),
            ("[release]\n\nbuild = [\"make\", \"\"]", (3, 18), "`[release] build`: number 2"),
            ("[release]\nartifacts = [\" \"]", (2, 14), "`[release] artifacts`: number 1 is empty"),
            ("[paths]\nprotected = [\"\"]", (2, 14), "`[paths] protected`: number 1 is empty"),
            ("[paths]\nflagged = [\"a\", \"\\t\"]", (2, 17), "`[paths] flagged`: number 2"),
            ("[checks]\nrequired = [\"\"]", (2, 13), "`[checks] required`: number 1 is empty"),
            ("[agent]\nmodel = \" \"", (2, 9), "`[agent] model`: it is empty"),
        ] {
            let bad = Rules::parse(text).expect_err(text);
            assert_eq!((bad.line, bad.column), place, "{text:?}: {bad}");
            assert!(bad.problem.contains(words), "{text:?}: {bad}");
        }
        for good in ["[\"true # now\"]", "[\"# first\\nmake test\"]", "[]"] {
            Rules::parse(&format!("[verify]\ncommands = {good}")).expect(good);
        }
    }

    /// Each key with a value that cannot be used, and the words that say so.
    const WRONG: &[(&str, &str, &str, &str)] = &[
        ("budget", "run", "\"$0\"", "must be above zero"),
        ("budget", "repository_day", "\"0.00\"", "must be above zero"),
        ("budget", "person_day", "\"0\"", "must be above zero"),
        ("agent", "model", "\" \"", "it is empty: write a model's name, or take it out"),
        ("agent", "attempts", "11", "must be 1 to 10"),
        ("agent", "turns", "0", "must be 1 to 200"),
        ("agent", "minutes", "241", "must be 1 to 240"),
        (
            "verify",
            "commands",
            "[\"\"]",
            "number 1 is empty: write a command that runs something, or take it out",
        ),
        ("verify", "minutes", "0", "must be 1 to 240"),
        (
            "paths",
            "protected",
            "[\"\"]",
            "number 1 is empty: write a pattern of paths, or take it out",
        ),
        ("paths", "flagged", "[\"a{\"]", "holds something that is not a glob pattern"),
        ("limits", "files", "1001", "must be 1 to 1000"),
        ("limits", "patch_kib", "0", "must be 1 to 10240"),
        ("limits", "source_lines", "0", "must be 1 to 100000"),
        ("limits", "test_lines", "100001", "must be 1 to 100000"),
        ("limits", "open_pulls", "101", "must be 1 to 100"),
        ("limits", "open_per_reviewer", "0", "must be 1 to 100"),
        ("limits", "rounds", "0", "must be 1 to 100"),
        ("limits", "ci_repairs", "11", "must be 0 to 10"),
        (
            "checks",
            "required",
            "[\" \"]",
            "number 1 is empty: write a check's name, or take it out",
        ),
        ("release", "tag", "\"v1\"", "must be a tag's name with {version} in it"),
        (
            "release",
            "build",
            "[\"# make\"]",
            "number 1 is only a comment: write a command that runs something, or take it out",
        ),
        ("release", "artifacts", "[\"a{\"]", "holds something that is not a glob pattern"),
        ("release", "approval_hours", "721", "must be 1 to 720"),
    ];

    #[test]
    fn a_wrong_value_is_named_by_its_own_line_whatever_looks_like_it_before() {
        for (section, key, value, words) in WRONG {
            for (before, header, name) in [
                ("", format!("[{section}]"), (*key).to_owned()),
                // The key's name, in places where it is not the key.
                (
                    "# [SECTION]\n# KEY = 1\n[show] # KEY\ncost = true\n",
                    format!("[{section}] # KEY"),
                    (*key).to_owned(),
                ),
                ("base = \"SECTION/KEY\"\n", format!("[ {section} ]"), format!("\"{key}\"")),
                ("[commit]\n", String::new(), format!("{section} . {key}")),
            ] {
                let header = header.replace("KEY", key);
                let before = before.replace("SECTION", section).replace("KEY", key);
                // A dotted key stands before all tables.
                let before = if header.is_empty() { String::new() } else { before };
                let above = format!("{before}{header}\n\n# {key}\n");
                let text = format!("{above}{name} = {value}\n# {key}\n");
                let bad = Rules::parse(&text).expect_err(&text);
                assert_eq!(bad.line, above.lines().count() + 1, "{text}: {bad}");
                assert_eq!(bad.problem, format!("`[{section}] {key}`: {words}"), "{text}");
            }
        }
    }

    #[test]
    fn a_wrong_entry_of_a_list_is_named_by_its_own_line() {
        for (section, key, wrong) in [
            ("verify", "commands", "# make"),
            ("paths", "protected", "a{"),
            ("paths", "flagged", " "),
            ("checks", "required", ""),
            ("release", "build", "\\n"),
            ("release", "artifacts", "a{"),
        ] {
            let text = format!("[{section}]\n{key} = [\n  \"fine\",\n  \"{wrong}\",\n]\n");
            let bad = Rules::parse(&text).expect_err(&text);
            assert_eq!((bad.line, bad.column), (4, 3), "{text}: {bad}");
            assert!(bad.problem.starts_with(&format!("`[{section}] {key}`: ")), "{bad}");
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
