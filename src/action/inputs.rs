//! What each mode is given, for people who look it up: as `action.yml` describes it, and under the
//! names by which it comes.

use crate::core::yaml;

const ACTION: &str = include_str!("../../action/action.yml");

/// The inputs of one mode, as a workflow file names them.
#[derive(Debug, Clone, Copy)]
pub struct ModeInputs {
    /// Without one of these it does nothing.
    needed: &'static [&'static str],
    optional: &'static [&'static str],
}

/// Those of *test*.
pub const TEST: ModeInputs = ModeInputs { needed: &[], optional: &["cheats"] };
/// Those of *build*.
pub const BUILD: ModeInputs =
    ModeInputs { needed: &["pull", "commit"], optional: &["release", "package", "directory"] };
/// Those of *publish*.
pub const PUBLISH: ModeInputs = ModeInputs {
    needed: &["pull", "commit", "manifest", "token", "required-checks"],
    optional: &[
        "release",
        "directory",
        "crates-token",
        "npm-token",
        "pypi-token",
        "container-token",
        "registries",
        "approver-role",
        "requester",
        "approval-hours",
        "attest",
        "bundle",
        "only-check",
        "gander-app-id",
        "gander-login",
        "command",
    ],
};

/// Those of *decide*.
pub const DECIDE: ModeInputs = ModeInputs {
    needed: &["token", "model"],
    optional: &["provider", "model-url", "per-job", "command", "directory"],
};
/// Those of *work*. The token is for its first step alone.
pub const WORK: ModeInputs = ModeInputs {
    needed: &["handover", "model", "model-key", "token"],
    optional: &["provider", "model-url", "per-job", "command", "directory"],
};
/// Those of *push*.
pub const PUSH: ModeInputs = ModeInputs {
    needed: &["handover", "token", "model"],
    optional: &["provider", "model-url", "per-job", "command", "directory"],
};

impl ModeInputs {
    /// One input a line, with the variable that holds it, for the end of a help page.
    pub fn help(self) -> String {
        let action = yaml::read(ACTION.as_bytes()).ok();
        let described = |name: &str| {
            let inputs = action.as_ref()?.get("inputs")?;
            inputs.get(name)?.get("description")?.text().map(str::to_owned)
        };
        let mut text = "Inputs, which come by variables:\n".to_owned();
        for (names, note) in [(self.needed, " Needed."), (self.optional, "")] {
            for name in names {
                let what = described(name).unwrap_or_default();
                text.push_str(&format!("  {}\n          {what}{note}\n", variable_of(name)));
            }
        }
        text.push_str(
            "\nBesides, it reads what a runner of GitHub Actions sets, such as GITHUB_REPOSITORY and \
             GITHUB_RUN_ID.",
        );
        text
    }
}

/// The variable that holds an input.
fn variable_of(name: &str) -> String {
    format!("GANDER_INPUT_{}", name.to_ascii_uppercase().replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    use super::*;
    use crate::action::{
        PublishInputs, RegistryInputs, Surroundings, WorkflowInputs, asked, model_key, package,
    };

    /// Every input that is read while there is a value for whatever is asked.
    fn read_by(read: impl Fn(&dyn Fn(&str) -> Option<String>)) -> BTreeSet<String> {
        let seen = RefCell::new(BTreeSet::new());
        read(&|name: &str| {
            seen.borrow_mut().insert(name.to_owned());
            Some(match name {
                "GANDER_INPUT_COMMIT" => "0123456789abcdef0123456789abcdef01234567".to_owned(),
                "GANDER_INPUT_MANIFEST" => "a".repeat(64),
                "GANDER_INPUT_REQUIRED_CHECKS" => "none".to_owned(),
                "GANDER_INPUT_MODEL" => "claude-sonnet-4-5".to_owned(),
                "GITHUB_REPOSITORY" => "acme/widgets".to_owned(),
                "GANDER_INPUT_PULL" | "GITHUB_REPOSITORY_ID" => "7".to_owned(),
                "GITHUB_RUN_ID" | "GITHUB_RUN_ATTEMPT" => "1".to_owned(),
                _ => return None,
            })
        });
        let inputs = seen.into_inner().into_iter().filter(|name| name.starts_with("GANDER_INPUT_"));
        inputs.collect()
    }

    fn listed(mode: ModeInputs) -> BTreeSet<String> {
        mode.needed.iter().chain(mode.optional).map(|name| variable_of(name)).collect()
    }

    fn without(mut all: BTreeSet<String>, names: &[&str]) -> BTreeSet<String> {
        all.retain(|it| !names.contains(&it.as_str()));
        all
    }

    #[test]
    fn the_listed_inputs_are_those_that_are_read() {
        let around = read_by(|given| drop(Surroundings::read(given).unwrap()));
        let (token, directory) = ("GANDER_INPUT_TOKEN", "GANDER_INPUT_DIRECTORY");
        assert_eq!(listed(TEST), without(around.clone(), &[token, directory]));
        let build = read_by(|given| {
            asked(given).unwrap();
            package(given);
        });
        let around = without(around, &["GANDER_INPUT_CHEATS"]);
        assert_eq!(listed(BUILD), without(&around | &build, &[token]));
        let publish = read_by(|given| {
            PublishInputs::read(given).unwrap();
            RegistryInputs::read(given).unwrap();
        });
        assert_eq!(listed(PUBLISH), &around | &publish);
        let parts = read_by(|given| drop(WorkflowInputs::read(given).unwrap()));
        let parts = &around | &parts;
        assert_eq!(listed(PUSH), parts);
        assert_eq!(listed(DECIDE), without(parts.clone(), &["GANDER_INPUT_HANDOVER"]));
        let key = read_by(|given| drop(model_key(given)));
        assert_eq!(listed(WORK), &parts | &key);
    }

    #[test]
    fn each_input_of_the_action_is_listed_with_its_words() {
        let action = yaml::read(ACTION.as_bytes()).unwrap();
        let Some(yaml::Node::Map(inputs)) = action.get("inputs") else { panic!("no inputs") };
        let help = [TEST, BUILD, PUBLISH, DECIDE, WORK, PUSH].map(ModeInputs::help).concat();
        // What installs the program, and which mode it is.
        let before = ["mode", "version", "sha256", "url"];
        for (name, input) in inputs.iter().filter(|(name, _)| !before.contains(&name.as_str())) {
            let words = input.get("description").and_then(yaml::Node::text).unwrap();
            assert!(!words.is_empty() && help.contains(words), "{name}: {words}");
        }
    }
}
