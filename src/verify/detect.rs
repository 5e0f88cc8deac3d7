//! Which commands check a change in this project, found out from its files at the base commit.
//!
//! Verifiers are switched on by what the repository contains; what its rules configure comes first.

use serde_json::Value;

/// Files at the top of the repository whose content is looked at.
pub const READ: &[&str] = &["package.json"];

/// npm writes this into every new package: there is no test behind it.
const NPM_PLACEHOLDER: &str = "no test specified";

/// A look at the base commit. Paths are relative, with `/`.
pub struct ProjectFiles<'a> {
    /// Every path.
    pub paths: &'a [&'a str],
    /// Content of `package.json`, if there is one.
    pub package_json: Option<&'a str>,
}

/// The commands to run, in order. Empty: nothing is known that tests anything here.
pub fn commands(project: &ProjectFiles<'_>) -> Vec<String> {
    let mut commands = Vec::new();
    let has = |name: &str| project.paths.contains(&name);
    if has("Cargo.toml") {
        let locked = if has("Cargo.lock") { " --locked" } else { "" };
        // Without `--workspace` a package at the root is all that is tested.
        commands.push(format!("cargo test --workspace{locked} --offline"));
    }
    if project.package_json.is_some_and(has_test_script) {
        commands.push("npm test --silent".to_owned());
    }
    if is_pytest_project(project) {
        commands.push("pytest -q".to_owned());
    }
    commands
}

fn has_test_script(package_json: &str) -> bool {
    let parsed: Result<Value, _> = serde_json::from_str(package_json);
    let Ok(package) = parsed else { return false };
    let test = package.pointer("/scripts/test").and_then(Value::as_str).unwrap_or_default();
    !test.trim().is_empty() && !test.contains(NPM_PLACEHOLDER)
}

/// There are tests as pytest finds them, and it is a Python project.
fn is_pytest_project(project: &ProjectFiles<'_>) -> bool {
    project.paths.iter().any(|path| is_pytest_file(path))
}

/// Whether pytest takes a file for tests, by its name.
pub fn is_pytest_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_test = name.starts_with("test_") || name.ends_with("_test.py");
    is_test && name.ends_with(".py")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(paths: &[&str], package_json: Option<&str>) -> Vec<String> {
        commands(&ProjectFiles { paths, package_json })
    }

    #[test]
    fn each_kind_of_project_gets_its_own_test_command() {
        assert_eq!(
            found(&["Cargo.toml", "src/lib.rs"], None),
            ["cargo test --workspace --offline"]
        );
        let locked = found(&["Cargo.toml", "Cargo.lock"], None);
        assert_eq!(locked, ["cargo test --workspace --locked --offline"]);
        let package = r#"{"scripts":{"test":"node --test"}}"#;
        assert_eq!(found(&["package.json"], Some(package)), ["npm test --silent"]);
        assert_eq!(found(&["pkg/tests/test_api.py"], None), ["pytest -q"]);
    }

    #[test]
    fn what_would_test_nothing_is_not_run() {
        let placeholder = r#"{"scripts":{"test":"echo \"Error: no test specified\" && exit 1"}}"#;
        assert!(found(&["package.json"], Some(placeholder)).is_empty());
        assert!(found(&["package.json"], Some("{")).is_empty());
        assert!(found(&["setup.py", "src/app.py", "latest_news.py"], None).is_empty());
        assert!(found(&["vendor/Cargo.toml"], None).is_empty());
    }
}
