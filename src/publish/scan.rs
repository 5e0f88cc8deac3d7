//! Whether one of the repository's own workflows would run on a branch or pull request of ours with
//! more than looking: GitHub trusts branches in the repository, and so runs them with its secrets.
//! Other CI systems do that, too, and show nobody what they hand out.
//!
//! Invariants: in doubt there is a risk. A file that cannot be read, a workflow that cannot be
//! followed, a runner or a permission that is not known counts, and says so. Nothing of a file is
//! run or asked for; the words shown are ours, with names from the files as code.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::core::id::Branch;
use crate::core::other_ci::ci_system;
use crate::core::text::inline;
use crate::core::yaml::{self, Node};

mod expressions;
mod triggers;

use expressions::{secrets_in_text, secrets_of};
use triggers::{Push, started};

/// Where GitHub looks for workflows.
pub const WORKFLOWS: &str = ".github/workflows/";

/// One reason to show a change before it is pushed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Risk {
    /// The file, from the repository's root.
    pub workflow: String,
    /// The job in it; `None`: the whole file.
    pub job: Option<String>,
    /// What it would have.
    pub why: Why,
}

/// What a workflow would have on our commit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// A secret of the repository.
    Secret(String),
    /// All of them: handed on, or as a whole.
    AllSecrets,
    /// The secrets of an environment.
    Environment,
    /// A token that may do this.
    Permission(String),
    /// Nothing is said, so that the repository's setting counts, which an App cannot read.
    DefaultPermissions,
    /// A machine that may not be GitHub's.
    Runner(String),
    /// A workflow elsewhere, or more than one call away.
    NotFollowed(String),
    /// The file cannot be read.
    Unreadable(String),
    /// It is another CI system's.
    OtherCi(&'static str),
}

/// Permissions that may be written with: what a run says with them is only about its own commit,
/// and decides nothing.
const HARMLESS: &[&str] = &["security-events"];

/// What speaks against pushing `branch`, with a pull request into `base`, before a person has seen
/// the change. `workflows` are the files of [`WORKFLOWS`] at the base commit.
pub fn risks(workflows: &[(&str, &[u8])], branch: &Branch, base: &Branch) -> Vec<Risk> {
    let is_workflow = |path: &str| path.ends_with(".yml") || path.ends_with(".yaml");
    let mut found = Vec::new();
    let mut readable = Vec::new();
    for (path, bytes) in workflows.iter().filter(|(path, _)| is_workflow(path)) {
        match yaml::read(bytes).and_then(well_formed) {
            Ok(node) => readable.push((*path, node)),
            Err(why) => found.push(Risk::of_file(path, Why::Unreadable(why))),
        }
    }
    let triggers: Vec<(&str, &Node)> = readable
        .iter()
        .filter_map(|(path, node)| {
            Some((node.get("name").and_then(Node::text).unwrap_or(path), node.get("on")?))
        })
        .collect();
    let runs = started(&triggers, Push { branch, base });
    let mut called = Called {
        all: readable.iter().map(|(path, node)| (*path, node)).collect(),
        judged: BTreeSet::new(),
    };
    for ((path, node), _) in readable.iter().zip(runs).filter(|(_, runs)| *runs) {
        of_workflow(path, node, &mut called, &mut found);
    }
    found.sort();
    found.dedup();
    found
}

/// Other CI systems that a branch with these files may be run by. `paths` are from the root.
pub fn other_ci<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<Risk> {
    let mut found = BTreeMap::new();
    for path in paths {
        if let Some(system) = ci_system(path) {
            // One file of each says enough.
            found.entry(system).or_insert_with(|| Risk::of_file(path, Why::OtherCi(system)));
        }
    }
    found.into_values().collect()
}

/// A map with triggers and jobs, or not a workflow that we can judge.
fn well_formed(node: Node) -> Result<Node, String> {
    if node.get("on").is_none() {
        return Err("it has no `on`".to_owned());
    }
    match node.get("jobs") {
        Some(Node::Map(jobs)) if jobs.iter().all(|(_, job)| matches!(job, Node::Map(_))) => {
            Ok(node)
        }
        _ => Err("its `jobs` cannot be understood".to_owned()),
    }
}

/// Workflows that others may call.
struct Called<'a> {
    all: BTreeMap<&'a str, &'a Node>,
    /// Those that were looked into: once says enough, however often they are called.
    judged: BTreeSet<&'a str>,
}

fn of_workflow(path: &str, node: &Node, others: &mut Called<'_>, found: &mut Vec<Risk>) {
    let Node::Map(parts) = node else { return };
    for (key, part) in parts.iter().filter(|(key, _)| key != "jobs") {
        for why in secrets_in(key, part) {
            found.push(Risk::of_file(path, why));
        }
    }
    let given = node.get("permissions");
    for (name, job) in jobs(node) {
        let mut add = |why| found.push(Risk::of_job(path, name, why));
        of_job(job, &mut add);
        permissions(job.get("permissions").or(given)).into_iter().for_each(&mut add);
        let Some(called) = job.get("uses") else { continue };
        let called = called.text().unwrap_or_default();
        match others.local(called) {
            Some((inner_path, _)) if !others.judged.insert(inner_path) => {}
            Some((inner_path, inner)) => {
                // What it is called with was judged above; what it does itself is judged here.
                for (inner_name, inner_job) in jobs(inner) {
                    let mut add = |why| found.push(Risk::of_job(inner_path, inner_name, why));
                    of_job(inner_job, &mut add);
                    if let Some(further) = inner_job.get("uses") {
                        add(Why::NotFollowed(further.text().unwrap_or_default().to_owned()));
                    }
                }
            }
            None => found.push(Risk::of_job(path, name, Why::NotFollowed(called.to_owned()))),
        }
    }
}

fn of_job(job: &Node, add: &mut impl FnMut(Why)) {
    secrets_in("", job).into_iter().for_each(&mut *add);
    if job.get("environment").is_some() {
        add(Why::Environment);
    }
    if let Some(runner) = job.get("runs-on").and_then(|on| foreign_runner(on, job)) {
        add(Why::Runner(runner));
    }
}

fn jobs(node: &Node) -> Vec<(&str, &Node)> {
    match node.get("jobs") {
        Some(Node::Map(jobs)) => jobs.iter().map(|(name, job)| (&**name, job)).collect(),
        _ => Vec::new(),
    }
}

impl<'a> Called<'a> {
    fn local(&self, called: &str) -> Option<(&'a str, &'a Node)> {
        let path = called.strip_prefix("./")?;
        self.all.get_key_value(path).map(|(name, node)| (*name, *node))
    }
}

/// Secrets that this part of a file names, but for the run's own token.
fn secrets_in(key: &str, part: &Node) -> Vec<Why> {
    let mut leaves = Vec::new();
    part.leaves(key, &mut leaves);
    let mut found = Vec::new();
    for (under, text) in leaves {
        if under == "secrets" && text.trim() == "inherit" {
            found.push(Why::AllSecrets);
        }
        // A condition is an expression without marks around it.
        let is_bare = under == "if" && !text.contains("${{");
        found.extend(if is_bare { secrets_of(text) } else { secrets_in_text(text) });
    }
    found
}

fn permissions(given: Option<&Node>) -> Vec<Why> {
    match given {
        None => vec![Why::DefaultPermissions],
        Some(Node::Text(text)) => match text.trim() {
            "read-all" | "" => Vec::new(),
            "write-all" => vec![Why::Permission("write-all".to_owned())],
            _ => vec![Why::DefaultPermissions],
        },
        Some(Node::Map(given)) => given
            .iter()
            .map(|(name, level)| (name, level.text().unwrap_or("?").trim()))
            .filter(|(name, level)| {
                !matches!(*level, "read" | "none" | "") && !HARMLESS.contains(&&***name)
            })
            .map(|(name, level)| Why::Permission(format!("{name}: {level}")))
            .collect(),
        Some(Node::List(_)) => vec![Why::DefaultPermissions],
    }
}

/// The label of a machine that is not known to be GitHub's.
fn foreign_runner(on: &Node, job: &Node) -> Option<String> {
    let Some(labels) = on.texts() else { return Some("a group of runners".to_owned()) };
    if let [single] = labels[..]
        && let Some(key) = matrix_key(single)
    {
        return foreign_in_matrix(key, job).map(|label| format!("{single} ({label})"));
    }
    labels.into_iter().find(|label| !is_hosted(label)).map(str::to_owned)
}

/// `os` in `${{ matrix.os }}`.
fn matrix_key(text: &str) -> Option<&str> {
    let inside = text.trim().strip_prefix("${{")?.strip_suffix("}}")?.trim();
    let key = inside.strip_prefix("matrix.")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (!key.is_empty() && key.chars().all(plain)).then_some(key)
}

fn foreign_in_matrix(key: &str, job: &Node) -> Option<String> {
    let unknown = || Some("its values are not known".to_owned());
    let Some(matrix) = job.get("strategy").and_then(|strategy| strategy.get("matrix")) else {
        return unknown();
    };
    let listed = matrix.get(key);
    let mut labels = match listed {
        Some(Node::List(items)) => items.iter().map(Node::text).collect::<Vec<_>>(),
        Some(_) => return unknown(),
        None => Vec::new(),
    };
    match matrix.get("include") {
        Some(Node::List(items)) => {
            let named = items.iter().filter_map(|item| item.get(key)).map(Node::text);
            labels.extend(named);
        }
        Some(_) => return unknown(),
        None => {}
    }
    if labels.is_empty() {
        return unknown();
    }
    let foreign = labels.into_iter().find(|label| !label.is_some_and(is_hosted));
    foreign.map(|label| label.unwrap_or("not a label").to_owned())
}

/// Whether GitHub itself keeps machines under this label.
fn is_hosted(label: &str) -> bool {
    let label = label.trim().to_ascii_lowercase();
    let Some((system, version)) = label.split_once('-') else { return false };
    let digits = |text: &str, most: usize| {
        !text.is_empty() && text.len() <= most && text.bytes().all(|b| b.is_ascii_digit())
    };
    match system {
        "ubuntu" => {
            let plain = version.strip_suffix("-arm").unwrap_or(version);
            matches!(version, "latest" | "slim")
                || plain.strip_suffix(".04").is_some_and(|year| digits(year, 2))
        }
        "windows" => matches!(version, "latest" | "11-arm") || digits(version, 4),
        "macos" => {
            let ends = ["-xlarge", "-large", "-intel"];
            let plain = ends.iter().find_map(|end| version.strip_suffix(end)).unwrap_or(version);
            plain == "latest" || digits(plain, 2)
        }
        _ => false,
    }
}

impl Risk {
    fn of_file(path: &str, why: Why) -> Self {
        Self { workflow: path.to_owned(), job: None, why }
    }

    fn of_job(path: &str, job: &str, why: Why) -> Self {
        Self { workflow: path.to_owned(), job: Some(job.to_owned()), why }
    }
}

/// One line of Markdown.
impl fmt::Display for Risk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", code(&self.workflow))?;
        if let Some(job) = &self.job {
            write!(f, ", job {}", code(job))?;
        }
        f.write_str(": ")?;
        match &self.why {
            Why::Secret(name) => write!(f, "gets the secret {}", code(name)),
            Why::AllSecrets => f.write_str("gets all of the repository's secrets"),
            Why::Environment => f.write_str("gets the secrets of an environment"),
            Why::Permission(shown) => write!(f, "gets a token with {}", code(shown)),
            Why::DefaultPermissions => f.write_str(
                "names no `permissions`, so its token may be allowed to write (that setting is \
                 not shown to Apps; `permissions: read-all` in the file would settle it)",
            ),
            Why::Runner(label) => {
                write!(f, "runs on {}, which may be a machine of your own", code(label))
            }
            Why::NotFollowed(called) => {
                write!(f, "calls {}, which was not looked into", code(called))
            }
            Why::OtherCi(system) => {
                write!(f, "{system} may run it, with secrets that GitHub does not show to Apps")
            }
            Why::Unreadable(why) => write!(f, "cannot be read ({})", inline(why, 200)),
        }
    }
}

fn code(name: &str) -> String {
    let name: String = crate::core::text::visible(name).chars().take(100).collect();
    format!("`{}`", name.replace(['`', '\n', '|'], " "))
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
