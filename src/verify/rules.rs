//! The patch itself: paths, modes, size.

use std::sync::Arc;

use async_trait::async_trait;

use super::shadowing::{new_in_place_of_another, python_path};
use super::{Candidate, Finding, Verifier, VerifyError, blocking, python_in};
use crate::core::evidence::{CheckKind, CheckOutcome};
use crate::core::patch::{Change, Patch};
use crate::core::path_rules::PathRules;
use crate::workspace::confined;
use crate::workspace::patch::{self, Caps};
use crate::workspace::tree::Workspace;

/// Holds a patch against the rules of the repository and our own.
#[derive(Clone)]
pub struct PatchRules {
    /// Protected and flagged paths.
    pub paths: PathRules,
    /// Its size.
    pub caps: Caps,
}

#[async_trait]
impl Verifier for PatchRules {
    fn name(&self) -> &'static str {
        "paths and size of the change"
    }

    fn kind(&self) -> CheckKind {
        CheckKind::Rule
    }

    fn builds_as(&self) -> Option<&str> {
        None
    }

    async fn check(&self, candidate: &Candidate<'_>) -> Result<Finding, VerifyError> {
        let (rules, tree) = (self.clone(), Arc::clone(candidate.workspace));
        let patch = candidate.patch.clone();
        blocking(move || rules.found(&patch, &tree)).await
    }
}

impl PatchRules {
    fn found(&self, patch: &Patch, tree: &Workspace) -> Finding {
        let entries = tree.entries();
        let base: Vec<&str> =
            entries.iter().filter_map(|entry| std::str::from_utf8(&entry.path).ok()).collect();
        let python = python_in(tree, patch.changes.keys());
        let settings = PYTEST_SETTINGS.iter().filter_map(|name| text(tree, name));
        let more_roots: Vec<String> = settings.flat_map(|text| python_path(&text)).collect();
        let shadowing = python.and_then(|_| new_in_place_of_another(patch, &base, &more_roots));
        if let Some(path) = shadowing {
            let why = format!(
                "{path} would be loaded in the place of a module of Python's own or of the test \
                 runner, so nothing that the tests say would count: give it another name"
            );
            return CheckOutcome::Failed(why).into();
        }
        if let Some(path) = new_installed_package(patch, &base) {
            let why = format!(
                "{path} is in `node_modules`, where package managers put packages and programs, and \
                 no change does"
            );
            return CheckOutcome::Failed(why).into();
        }
        Finding::from(match patch::check(patch, entries, &self.paths, self.caps) {
            Ok(_) => CheckOutcome::Passed,
            Err(refusal) => CheckOutcome::Failed(refusal.to_string()),
        })
    }
}

/// Where pytest's settings may stand, and how large such a file is at most.
const PYTEST_SETTINGS: [&str; 7] = [
    "pytest.toml",
    ".pytest.toml",
    "pytest.ini",
    ".pytest.ini",
    "pyproject.toml",
    "tox.ini",
    "setup.cfg",
];
const LARGEST_SETTINGS: u64 = 1 << 20;

/// A file of the tree, as text.
fn text(tree: &Workspace, path: &str) -> Option<String> {
    let (mut file, _) = confined::open_file(tree.root(), path.as_bytes()).ok()?;
    let bytes = confined::read_all(&mut file, LARGEST_SETTINGS).ok()?;
    String::from_utf8(bytes).ok()
}

/// A new file where npm looks for programs and packages before it looks anywhere else.
fn new_installed_package<'p>(patch: &'p Patch, base: &[&str]) -> Option<&'p str> {
    let added = patch.changes.iter().filter(|(_, change)| matches!(change, Change::Write { .. }));
    let mut paths = added.map(|(path, _)| path.as_str());
    paths.find(|path| path.split('/').any(|part| part == "node_modules") && !base.contains(path))
}
