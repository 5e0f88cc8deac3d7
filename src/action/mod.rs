//! What runs inside the companion Action: test, build, publish, and where no server is decide, work,
//! push, each on a runner of its own.
//!
//! Invariants: no mode trusts another's word. *test* and *build* run the repository's code and hold
//! no token; *publish* holds one, runs nothing, checks nothing out, and asks GitHub itself.

mod annotate;
mod build;
mod commands;
mod environment;
mod files;
pub mod inputs;
mod leftovers;
mod provenance;
mod publish;
mod surroundings;
mod targets;
mod test;
mod workflow;

use std::path::{Path, PathBuf};

use crate::core::fault::ErrorKind;
use crate::core::manifest::BuildManifest;
use crate::forge::ForgeError;
use crate::registry::RegistryError;
use crate::sandbox::{Sandbox, SandboxError};

pub use annotate::{annotation, data as command_data};
pub use build::build;
pub use environment::{given, kept};
pub use files::give_tree;
pub use leftovers::{adopt, end as end_leftovers};
pub use publish::publish;
pub use surroundings::{
    Attest, InputError, PublishInputs, RegistryInputs, Surroundings, Variables, asked, package,
    repository,
};
pub use targets::Registries;
pub use test::test;
pub use workflow::{HANDOVER, WorkflowEvent, WorkflowInputs, hand_over, handed_over, model_key};

/// Where lines for the job's log go.
pub type Log<'a> = &'a mut (dyn FnMut(&str) + Send);

/// The checkout, and what its commands run in.
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct Checkout<'a> {
    pub tree: &'a Path,
    pub sandbox: &'a dyn Sandbox,
    /// Variables that every command is given besides the sandbox's own.
    pub variables: &'a [(String, String)],
}

/// How a mode ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionEnd {
    /// As it should.
    Done,
    /// A command of the project failed.
    Failed,
    /// GitHub's answers do not allow it.
    Refused,
}

/// What a mode leaves for the job.
#[derive(Debug)]
pub struct ActionReport {
    /// How it ended.
    pub end: ActionEnd,
    /// Markdown for the page of the run.
    pub summary: String,
    /// Values for later steps. One line each.
    pub outputs: Vec<(&'static str, String)>,
}

/// Why a mode could not do its work at all.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ActionError {
    /// Something that was given.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The rules in the checkout.
    #[error("{0}")]
    Rules(String),
    /// What the checkout holds.
    #[error("{0}")]
    Checkout(String),
    /// A file of the build.
    #[error("{0}")]
    Artifact(String),
    /// The disk.
    #[error("{} cannot be used", .0.display())]
    Disk(PathBuf, #[source] std::io::Error),
    /// What commands left running is still there.
    #[error("the job cannot go on")]
    Leftovers(#[source] std::io::Error),
    /// A command could not be run.
    #[error("the command `{0}` could not be run")]
    Command(String, #[source] SandboxError),
    /// What the build left.
    #[error("{0}")]
    Manifest(String),
    /// GitHub.
    #[error("GitHub gave no usable answer. Run this job again: it goes on where it stopped")]
    GitHub(#[from] ForgeError),
    /// A package registry.
    #[error("{}", next_with_registry(.0))]
    Registry(#[from] RegistryError),
    /// The same, after some of it was brought there.
    #[error("{}. {out}", next_with_registry(.source))]
    Stopped {
        /// What is there, in words.
        out: String,
        source: Box<RegistryError>,
    },
    /// GitHub keeps another file than was sent.
    #[error("GitHub's digest of {name} is not that of the file that was sent: {next}")]
    Upload {
        name: String,
        /// What to do.
        next: &'static str,
    },
    /// A rule of the repository keeps the tag from being made.
    #[error(
        "GitHub does not let this workflow make the tag {tag}: {why}. Let GitHub Actions bypass the \
         tag ruleset (Settings → Rules → Rulesets), then run this job again: it goes on where it stopped"
    )]
    TagRefused {
        tag: String,
        /// GitHub's words.
        why: String,
    },
    /// What says how the release came about.
    #[error("{0}")]
    Provenance(String),
    /// The tag moved meanwhile.
    #[error("the tag {0} does not stand at the released commit any more: find out who moved it")]
    TagMoved(String),
}

/// What to do about a registry.
fn next_with_registry(error: &RegistryError) -> &'static str {
    match error.kind() {
        ErrorKind::Retry { .. } => {
            "a package registry gave no usable answer. Run this job again: it goes on where it stopped"
        }
        _ => {
            "a package registry refused. Mend what it names, then run this job again: it goes on \
             where it stopped"
        }
    }
}

/// Reads a manifest.
fn manifest_of(text: &str) -> Result<BuildManifest, ActionError> {
    serde_json::from_str(text)
        .map_err(|bad| ActionError::Manifest(format!("the manifest cannot be read: {bad}")))
}
