//! How the packages of a JavaScript project are tested: the one at the top, or, where that has no
//! test script, the members of its workspace.

use std::collections::BTreeMap;

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};
use serde_json::Value;

const PACKAGE: &str = "package.json";
const PNPM_WORKSPACE: &str = "pnpm-workspace.yaml";
/// npm writes this into every new package: there is no test behind it, and it fails.
const NPM_PLACEHOLDER: &str = "no test specified";
/// More members than this are not looked at.
const MOST: usize = 500;
/// Nor are more patterns than this, and longer ones.
const MOST_PATTERNS: usize = 500;
const LONGEST_PATTERN: usize = 200;

/// Who runs the scripts of a workspace's members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PackageTool {
    Npm,
    Pnpm,
    /// From version 2 on. Version 1 fails at members without the script, and npm runs the scripts
    /// of such a workspace just as well.
    Yarn,
}

/// The `test` script of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TestScript {
    None,
    /// npm's own, which fails.
    Placeholder,
    Real,
}

/// The one command that tests the project's packages.
///
/// # Errors
/// What `read` could not do.
pub(super) fn command<E>(
    paths: &[&str],
    read: &mut impl FnMut(&str) -> Result<Option<String>, E>,
) -> Result<Option<String>, E> {
    if !paths.contains(&PACKAGE) {
        return Ok(None);
    }
    let Some(top) = read(PACKAGE)?.and_then(|text| parsed(&text)) else { return Ok(None) };
    if test_script(&top) == TestScript::Real {
        return Ok(Some("npm test --silent".to_owned()));
    }
    let pnpm = match paths.contains(&PNPM_WORKSPACE) {
        true => read(PNPM_WORKSPACE)?,
        false => None,
    };
    let tool = package_tool(paths, &top, pnpm.is_some());
    let patterns = match (tool, pnpm) {
        (PackageTool::Pnpm, Some(text)) => listed(&text),
        (PackageTool::Pnpm, None) => Vec::new(),
        _ => workspaces(&top),
    };
    let mut members = BTreeMap::new();
    for directory in members_among(paths, &patterns) {
        let package = read(&format!("{directory}/{PACKAGE}"))?.and_then(|text| parsed(&text));
        members.insert(directory, package.map_or(TestScript::None, |it| test_script(&it)));
    }
    Ok(of_members(tool, &members, test_script(&top)))
}

/// With fixed arguments; one by one only where all of them would run a placeholder too.
fn of_members(
    tool: PackageTool,
    members: &BTreeMap<&str, TestScript>,
    top: TestScript,
) -> Option<String> {
    let of = |kind| members.iter().filter(move |(_, script)| **script == kind).map(|(at, _)| *at);
    let real: Vec<&str> = of(TestScript::Real).collect();
    if real.is_empty() {
        return None;
    }
    // yarn takes the top for a member.
    let top_runs = tool == PackageTool::Yarn && top == TestScript::Placeholder;
    if of(TestScript::Placeholder).next().is_none() && !top_runs {
        let all = match tool {
            PackageTool::Npm => "npm test --workspaces --if-present",
            PackageTool::Pnpm => "pnpm -r test",
            PackageTool::Yarn => "yarn workspaces foreach --all run test",
        };
        return Some(all.to_owned());
    }
    let named = |option: &str| -> String {
        real.iter().map(|directory| format!(" {option}{directory}")).collect()
    };
    real.iter().all(|directory| is_one_word(directory)).then(|| match tool {
        PackageTool::Npm => format!("npm test{}", named("--workspace=")),
        PackageTool::Pnpm => format!("pnpm{} test", named("--filter=./")),
        PackageTool::Yarn => {
            format!("yarn workspaces foreach --all{} run test", named("--include="))
        }
    })
}

fn package_tool(paths: &[&str], top: &Value, pnpm_workspace: bool) -> PackageTool {
    let has = |name: &str| paths.contains(&name);
    let named = top.get("packageManager").and_then(Value::as_str).unwrap_or_default();
    let (name, version) = named.split_once('@').unwrap_or((named, ""));
    match name {
        "npm" => PackageTool::Npm,
        "pnpm" => PackageTool::Pnpm,
        "yarn" if version.starts_with("1.") => PackageTool::Npm,
        "yarn" => PackageTool::Yarn,
        _ if pnpm_workspace || has("pnpm-lock.yaml") => PackageTool::Pnpm,
        _ if has(".yarnrc.yml") => PackageTool::Yarn,
        _ => PackageTool::Npm,
    }
}

fn parsed(package_json: &str) -> Option<Value> {
    serde_json::from_str(package_json).ok()
}

fn test_script(package: &Value) -> TestScript {
    let script = package.pointer("/scripts/test").and_then(Value::as_str).unwrap_or_default();
    match script.trim() {
        "" => TestScript::None,
        script if script.contains(NPM_PLACEHOLDER) => TestScript::Placeholder,
        _ => TestScript::Real,
    }
}

/// `"workspaces": ["packages/*"]`, or the same under `packages` in it.
fn workspaces(top: &Value) -> Vec<String> {
    let listed = top.get("workspaces").map(|it| it.get("packages").unwrap_or(it));
    let listed = listed.and_then(Value::as_array).into_iter().flatten();
    listed.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The list under `packages:` in pnpm's file, which is nearly always written as plain lines.
fn listed(yaml: &str) -> Vec<String> {
    let bare = |item: &str| {
        let item = item.split(" #").next().unwrap_or_default().trim();
        item.trim_matches(['\'', '"']).to_owned()
    };
    let mut lines = yaml.lines().map(str::trim_end);
    let Some(head) = lines.find_map(|line| line.strip_prefix("packages:")) else {
        return Vec::new();
    };
    if let Some(inline) = head.trim().strip_prefix('[') {
        return inline.trim_end_matches(']').split(',').map(bare).collect();
    }
    let ours = lines.map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with('#'));
    ours.map_while(|line| line.strip_prefix("- ")).map(bare).collect()
}

/// The directories of packages that these patterns name.
fn members_among<'p>(paths: &[&'p str], patterns: &[String]) -> Vec<&'p str> {
    let all_of = |wanted: bool| -> GlobSet {
        let patterns = patterns.iter().take(MOST_PATTERNS);
        let ours = patterns.filter(|pattern| pattern.starts_with('!') != wanted);
        let mut globs = GlobSetBuilder::new();
        for glob in ours.filter_map(|pattern| glob(pattern)) {
            globs.add(glob);
        }
        globs.build().unwrap_or_default()
    };
    let (wanted, unwanted) = (all_of(true), all_of(false));
    let packages = paths.iter().filter_map(|path| path.strip_suffix("/package.json"));
    let installed = |at: &str| at.split('/').any(|part| part == "node_modules");
    let is_member = |at: &&str| !installed(at) && wanted.is_match(at) && !unwanted.is_match(at);
    packages.filter(is_member).take(MOST).collect()
}

fn glob(pattern: &str) -> Option<Glob> {
    let plain = pattern.trim_start_matches('!').trim_start_matches("./").trim_end_matches('/');
    if plain.len() > LONGEST_PATTERN {
        return None;
    }
    GlobBuilder::new(plain).literal_separator(true).build().ok()
}

/// Whether any shell and any package manager takes it for what it is.
fn is_one_word(directory: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-@".contains(c);
    directory.chars().all(plain) && !directory.starts_with(['-', '@', '.'])
}
