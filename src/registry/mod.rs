//! Package registries: what is there of a release, and publishing what is not.
//!
//! Invariants: what is there is never replaced; a file counts as there only when the registry's own
//! digest is that of the file that was built; a credential is sent to the registry it is for and
//! stands in no error; what changes something is sent once, and whoever asked looks whether it
//! happened before it asks again.

mod archive;
mod container;
mod crates;
mod id_token;
mod npm;
mod pypi;
mod wire;

use bytes::Bytes;
use secrecy::SecretString;

pub use container::ContainerRegistry;
pub use crates::CratesIo;
pub use id_token::IdTokens;
pub use npm::NpmRegistry;
pub use pypi::{PyPi, PyPiAddresses};

use crate::core::fault::ErrorKind;
use crate::core::manifest::{Digest, FileName};
use crate::core::target::ReleaseTarget;
use crate::egress::EgressError;

/// A file of the build.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct BuiltFile {
    pub name: FileName,
    pub content: Bytes,
}

/// One file that a registry takes.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Upload {
    /// The package, as the registry calls it.
    pub package: String,
    /// As the package spells it.
    pub version: String,
    pub file: BuiltFile,
    /// By which the registry knows it.
    pub digest: String,
    /// The packages of this build that have to be there before.
    pub needs: Vec<String>,
}

/// What a registry has under an upload's name and version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileStanding {
    /// Nothing at all, and no workflow is trusted with a package's first version.
    NewPackage,
    /// Nothing of this version.
    Absent,
    /// This very file.
    Same,
    /// Another file, with this digest.
    Other(String),
}

/// A file of the build that its registry would not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file} {why}")]
pub struct UnfitFile {
    /// Its name.
    pub file: String,
    /// What is wrong with it, as the rest of a sentence.
    pub why: String,
}

/// Why a registry did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum RegistryError {
    #[error("{registry} gave no answer while {doing}")]
    NoAnswer { registry: String, doing: String, source: EgressError },
    #[error("{registry} did not answer in time while {doing}")]
    TimedOut { registry: String, doing: String },
    #[error("the answer of {registry} broke off while {doing}")]
    CutOff { registry: String, doing: String },
    /// It answered with a status that says no.
    #[error("{registry} answered {status} while {doing}: {words}")]
    Refused {
        registry: String,
        doing: String,
        status: u16,
        /// Its own, shortened.
        words: String,
        /// How long it asks us to wait.
        after_seconds: Option<u64>,
    },
    #[error("the answer of {registry} while {doing} cannot be read: {why}")]
    Unreadable { registry: String, doing: String, why: String },
    #[error(
        "what was handed in for {registry} holds characters that no header may: hand in the token alone"
    )]
    BadCredential { registry: String },
    #[error("{registry} has another {file} by now: {theirs}. Nothing there is replaced")]
    Taken { registry: String, file: String, theirs: String },
    /// It took a file and does not show it.
    #[error("{registry} took {package} {version} and does not show it yet")]
    NotShown { registry: String, package: String, version: String },
}

impl RegistryError {
    /// Whether it says that what was sent is there.
    pub fn says_already(&self) -> bool {
        let Self::Refused { status, words, .. } = self else { return false };
        let words = words.to_lowercase();
        *status == 409 || ["already", "publish over"].iter().any(|it| words.contains(it))
    }

    /// What it means for the work.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoAnswer { source, .. } => source.kind(),
            Self::TimedOut { .. } | Self::CutOff { .. } | Self::NotShown { .. } => {
                ErrorKind::Retry { after_seconds: None }
            }
            Self::Refused { status, after_seconds, .. }
                if [408, 429].contains(status) || *status >= 500 =>
            {
                ErrorKind::Retry { after_seconds: *after_seconds }
            }
            Self::Refused { .. }
            | Self::Unreadable { .. }
            | Self::BadCredential { .. }
            | Self::Taken { .. } => ErrorKind::Permanent,
        }
    }
}

/// One registry.
#[derive(Debug)]
pub enum Registry {
    /// Of Rust's crates.
    Crates(CratesIo),
    /// Of JavaScript's packages.
    Npm(NpmRegistry),
    /// Of Python's.
    PyPi(PyPi),
    /// Of container images.
    Container(ContainerRegistry),
}

impl Registry {
    /// Which kind it is.
    pub fn target(&self) -> ReleaseTarget {
        match self {
            Self::Crates(_) => ReleaseTarget::Crates,
            Self::Npm(_) => ReleaseTarget::Npm,
            Self::PyPi(_) => ReleaseTarget::Pypi,
            Self::Container(_) => ReleaseTarget::Container,
        }
    }

    /// The files of a build that are for this registry.
    ///
    /// # Errors
    /// The first that looks like one and is none that it would take.
    pub fn uploads(&self, files: &[BuiltFile], version: &str) -> Result<Vec<Upload>, UnfitFile> {
        match self {
            Self::Crates(it) => it.uploads(files),
            Self::Npm(it) => it.uploads(files),
            Self::PyPi(_) => PyPi::uploads(files),
            Self::Container(it) => it.uploads(files, version),
        }
    }

    /// Whether a file of this name may be for this registry.
    pub fn may_take(&self, file: &str) -> bool {
        let endings: &[&str] = match self {
            Self::Crates(_) => &[".crate"],
            Self::Npm(_) => &[".tgz"],
            Self::PyPi(_) => &[".whl", ".tar.gz"],
            Self::Container(_) => &[".oci.tar"],
        };
        endings.iter().any(|ending| file.ends_with(ending))
    }

    /// Whether it refuses what is there already, instead of replacing it.
    pub fn keeps_what_it_has(&self) -> bool {
        !matches!(self, Self::Container(_))
    }

    /// Whether an upload is of this version, as the rest of the release spells it.
    pub fn is_of(&self, upload: &Upload, version: &str) -> bool {
        match self {
            Self::Crates(_) | Self::Npm(_) => upload.version == version,
            Self::PyPi(_) => pypi::is_same_version(&upload.version, version),
            // An image says no version of its own.
            Self::Container(_) => true,
        }
    }

    /// Whether what is handed in may publish, as far as that can be asked.
    ///
    /// # Errors
    /// When it may not, or the registry cannot be asked.
    pub async fn may_publish(&self) -> Result<(), RegistryError> {
        match self {
            Self::Crates(_) | Self::Npm(_) | Self::PyPi(_) => Ok(()),
            Self::Container(it) => it.may_push().await,
        }
    }

    /// What is there already.
    ///
    /// # Errors
    /// When the registry cannot be asked.
    pub async fn standing(&self, upload: &Upload) -> Result<FileStanding, RegistryError> {
        match self {
            Self::Crates(it) => it.standing(upload).await,
            Self::Npm(it) => it.standing(upload).await,
            Self::PyPi(it) => it.standing(upload).await,
            Self::Container(it) => it.standing(upload).await,
        }
    }

    /// What one credential is good for: uploads with the same text share it.
    pub fn credential_scope<'u>(&self, upload: &'u Upload) -> &'u str {
        match self {
            Self::Crates(_) | Self::PyPi(_) | Self::Container(_) => "",
            Self::Npm(_) => &upload.package,
        }
    }

    /// A credential that lives for minutes, for the workflow that this job is part of. `None`: the
    /// registry knows no such thing.
    ///
    /// # Errors
    /// When the registry does not trust this workflow, or cannot be asked.
    pub async fn trusted(
        &self,
        tokens: &IdTokens,
        upload: &Upload,
    ) -> Result<Option<SecretString>, RegistryError> {
        match self {
            Self::Crates(it) => it.trusted(tokens).await.map(Some),
            Self::Npm(it) => it.trusted(tokens, upload).await.map(Some),
            Self::PyPi(it) => it.trusted(tokens).await.map(Some),
            Self::Container(_) => Ok(None),
        }
    }

    /// Publishes a file that is not there.
    ///
    /// # Errors
    /// When it was refused, or nobody knows whether it happened.
    pub async fn publish(
        &self,
        upload: &Upload,
        credential: &SecretString,
    ) -> Result<(), RegistryError> {
        match self {
            Self::Crates(it) => it.publish(upload, credential).await,
            Self::Npm(it) => it.publish(upload, credential).await,
            Self::PyPi(it) => it.publish(upload, credential).await,
            // It has to show its login for looking already.
            Self::Container(it) => it.publish(upload).await,
        }
    }

    /// Gives back a credential that lives for minutes, where that can be done.
    pub async fn give_back(&self, credential: &SecretString) {
        match self {
            Self::Crates(it) => it.give_back(credential).await,
            // They end by themselves, within the hour and within fifteen minutes.
            Self::Npm(_) | Self::PyPi(_) | Self::Container(_) => {}
        }
    }
}

/// The uploads in an order in which each stands after those that it needs.
pub fn in_order(mut uploads: Vec<Upload>) -> Vec<Upload> {
    uploads.sort_by(|a, b| (&a.package, &a.file.name).cmp(&(&b.package, &b.file.name)));
    let mut ordered: Vec<Upload> = Vec::new();
    while !uploads.is_empty() {
        let waits = |upload: &Upload| {
            let other =
                |it: &Upload| it.package != upload.package && upload.needs.contains(&it.package);
            uploads.iter().any(other)
        };
        // Of those that need each other, the one that needs fewest of what is left.
        let many = |upload: &Upload| {
            uploads.iter().filter(|it| upload.needs.contains(&it.package)).count()
        };
        let free = uploads.iter().position(|upload| !waits(upload));
        let fewest = (0..uploads.len()).min_by_key(|at| many(&uploads[*at]));
        let next = free.or(fewest).unwrap_or(0);
        ordered.push(uploads.remove(next));
    }
    ordered
}

/// The SHA-256 of a file, as hex.
fn sha256(content: &[u8]) -> String {
    Digest::of(content).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_goes_first_and_a_circle_ends() {
        let upload = |package: &str, needs: &[&str]| Upload {
            package: package.to_owned(),
            version: "1.0.0".to_owned(),
            file: BuiltFile {
                name: format!("{package}.crate").parse().unwrap(),
                content: Bytes::new(),
            },
            digest: String::new(),
            needs: needs.iter().map(|it| (*it).to_owned()).collect(),
        };
        let all = vec![
            upload("app", &["core", "util", "serde"]),
            upload("util", &["core"]),
            upload("core", &["core"]),
            upload("x", &["y"]),
            upload("y", &["x"]),
        ];
        let names: Vec<String> = in_order(all).into_iter().map(|it| it.package).collect();
        assert_eq!(names, ["core", "util", "app", "x", "y"]);
    }
}
