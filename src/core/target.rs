//! The package registries that a release is published to, besides GitHub's own page.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use strum::VariantArray;

/// A kind of registry.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, VariantArray,
)]
#[serde(rename_all = "lowercase")]
pub enum ReleaseTarget {
    /// crates.io, or one that speaks as it does.
    Crates,
    /// The npm registry, or one that speaks as it does.
    Npm,
    /// `PyPI`, or one that speaks as it does.
    Pypi,
    /// A registry of container images.
    Container,
}

impl ReleaseTarget {
    /// As rules and workflow files name it.
    pub fn key(self) -> &'static str {
        match self {
            Self::Crates => "crates",
            Self::Npm => "npm",
            Self::Pypi => "pypi",
            Self::Container => "container",
        }
    }

    /// As people call it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Crates => "crates.io",
            Self::Npm => "npm",
            Self::Pypi => "PyPI",
            Self::Container => "the container registry",
        }
    }
}

impl fmt::Display for ReleaseTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title())
    }
}

impl FromStr for ReleaseTarget {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::VARIANTS.iter().find(|target| target.key() == text);
        found.copied().ok_or_else(|| {
            let all: Vec<&str> = Self::VARIANTS.iter().map(|target| target.key()).collect();
            format!("{text:?} is none of {}", all.join(", "))
        })
    }
}

/// What the packages of each kind are called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct PackageNames {
    pub crates: Vec<String>,
    pub npm: Vec<String>,
    pub python: Vec<String>,
}
