//! What the Action says of package registries.
//!
//! Invariants: each refusal says what is wrong and the next step; others' words are inert in it.

use std::fmt::Write as _;

use super::inline;
use super::publication::Words;
use crate::core::policy::RULES_PATH;
use crate::core::target::ReleaseTarget;
use crate::core::text::{first_of, listed};

/// Files that are named one by one.
const MOST_NAMED: usize = 20;

/// Why a release is not brought to a registry, and so nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum TargetRefused {
    NothingBuilt { target: ReleaseTarget },
    Unfit { target: ReleaseTarget, file: String, why: String },
    OtherVersion { target: ReleaseTarget, file: String, says: String, version: String },
    Taken { target: ReleaseTarget, file: String, theirs: String, ours: String },
    NoAddress { target: ReleaseTarget },
    MayNot { target: ReleaseTarget, why: String },
    NoCredential { target: ReleaseTarget },
    FirstVersion { target: ReleaseTarget, package: String },
    NotTrusted { target: ReleaseTarget, package: String, why: String },
}

/// A file, and where it is brought to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Brought {
    pub target: ReleaseTarget,
    pub package: String,
    pub version: String,
    pub file: String,
    /// Whether a run before this one brought it.
    pub was_there: bool,
}

impl TargetRefused {
    /// In words.
    pub fn words(&self) -> Words {
        let (what, next) = match self {
            Self::NothingBuilt { target } => (
                format!("The build made no file for {target}, which `[release] targets` names."),
                format!(
                    "Let `[release] build` make {}, and name it in `[release] artifacts` \
                     (`{RULES_PATH}`); or take `{}` out of `targets`.",
                    kind_of_file(*target),
                    target.key()
                ),
            ),
            Self::Unfit { target, file, why } => (
                format!("{target} would not take `{file}`: it {}.", inline(why, 400)),
                "Mend it on the default branch and order the release anew.".to_owned(),
            ),
            Self::OtherVersion { target, file, says, version } => (
                format!(
                    "`{file}` for {target} is version {}, and {version} is what was approved.",
                    inline(says, 80)
                ),
                "Let the package's version move with the release, or leave its file out of \
                 `[release] artifacts`."
                    .to_owned(),
            ),
            Self::Taken { target, file, theirs, ours } => (
                format!(
                    "{target} has another `{file}` already: {} there, {} here.",
                    inline(theirs, 120),
                    inline(ours, 120)
                ),
                "Nothing there is ever replaced. Find out who published it, and release the next \
                 version."
                    .to_owned(),
            ),
            Self::NoAddress { target } => (
                format!("Nobody says where {target} is, which `[release] targets` names."),
                format!(
                    "Name it in the workflow file, as `registries: {}=https://…`.",
                    target.key()
                ),
            ),
            Self::MayNot { target, why } => (
                format!("What was handed in may not publish on {target}: {}.", inline(why, 400)),
                may_publish(*target),
            ),
            Self::NoCredential { target } => {
                (format!("This job has nothing to publish on {target} with."), may_publish(*target))
            }
            Self::FirstVersion { target, package } => (
                format!(
                    "{} is not on {target} yet, and trusted publishing is for packages that are.",
                    inline(package, 120)
                ),
                format!(
                    "Publish its first version by hand, or hand in a secret of a protected \
                     environment as `{}-token` for this release; then let {target} trust this \
                     workflow.",
                    target.key()
                ),
            ),
            Self::NotTrusted { target, package, why } => (
                format!(
                    "{target} does not let this workflow publish {}: {}.",
                    inline(package, 120),
                    inline(why, 400)
                ),
                format!(
                    "Name this repository, workflow file and environment as a trusted publisher of \
                     it there, or hand in a secret as `{}-token`.",
                    target.key()
                ),
            ),
        };
        Words { what, next }
    }
}

fn may_publish(target: ReleaseTarget) -> String {
    let key = target.key();
    match target {
        ReleaseTarget::Container => format!(
            "Give the publish job `packages: write` for GitHub's own registry, and let the package's \
             settings there list this repository; for another one hand in `{key}-token` as \
             `NAME:SECRET`."
        ),
        ReleaseTarget::Crates | ReleaseTarget::Npm | ReleaseTarget::Pypi => format!(
            "Allow the publish job `id-token: write` and let {target} trust this workflow, or hand \
             in a secret of its environment as `{key}-token`."
        ),
    }
}

fn kind_of_file(target: ReleaseTarget) -> &'static str {
    match target {
        ReleaseTarget::Crates => "a `.crate` by `cargo package`",
        ReleaseTarget::Npm => "a `.tgz` by `npm pack`",
        ReleaseTarget::Pypi => "a wheel or source archive by `python -m build`",
        ReleaseTarget::Container => "an image in OCI's layout, as `NAME.oci.tar`",
    }
}

/// Where a publication stopped, in a sentence or two.
pub fn where_it_stands(brought: &[Brought]) -> String {
    let named = |there: bool| {
        let some = brought.iter().filter(|it| it.was_there == there);
        let some: Vec<String> = some.map(|it| format!("{} on {}", it.file, it.target)).collect();
        if some.is_empty() { "nothing".to_owned() } else { listed(first_of(&some, MOST_NAMED)) }
    };
    format!(
        "There by now: {}. Not yet: {}. The release on GitHub is a draft",
        named(true),
        named(false)
    )
}

/// What is where, as a table; `done` when all of it is.
pub fn registry_table(brought: &[Brought], done: bool) -> String {
    if brought.is_empty() {
        return String::new();
    }
    let mut text = "\n| registry | package | file | |\n|---|---|---|---|\n".to_owned();
    for it in brought {
        let state = match (it.was_there, done) {
            (true, _) => "was there already, the same",
            (false, true) => "published",
            (false, false) => "would be published",
        };
        let _ = writeln!(
            text,
            "| {} | {} {} | `{}` | {state} |",
            it.target,
            inline(&it.package, 120),
            inline(&it.version, 80),
            it.file
        );
    }
    text
}
