//! The App, as GitHub tells of it.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::Deserialize;

use crate::core::id::{InstallationId, RepoId};

#[derive(Debug, Clone, Deserialize)]
pub struct AppInfo {
    pub id: u64,
    #[serde(default)]
    slug: Option<String>,
    #[serde(default)]
    html_url: String,
    #[serde(default)]
    pub permissions: BTreeMap<String, String>,
    #[serde(default)]
    pub events: Vec<String>,
}

/// An App that was just made, with what GitHub tells only once.
#[derive(Debug, Deserialize)]
pub struct NewApp {
    pub id: u64,
    #[serde(default)]
    slug: Option<String>,
    pub name: String,
    pub html_url: String,
    pub pem: SecretString,
    #[serde(default)]
    pub webhook_secret: Option<SecretString>,
    #[serde(default)]
    pub client_id: Option<String>,
    #[serde(default)]
    pub client_secret: Option<SecretString>,
    /// Its home page: where its manifest said that it is reached.
    #[serde(default)]
    pub external_url: Option<String>,
}

impl AppInfo {
    /// Its name in addresses.
    pub fn slug(&self) -> &str {
        slug(self.slug.as_deref(), &self.html_url)
    }
}

impl NewApp {
    /// Its name in addresses.
    pub fn slug(&self) -> &str {
        slug(self.slug.as_deref(), &self.html_url)
    }
}

/// Not every server says the name by itself, but each shows the page, which ends with it.
fn slug<'a>(said: Option<&'a str>, page: &'a str) -> &'a str {
    said.unwrap_or_else(|| page.rsplit('/').next().unwrap_or_default())
}

/// One installation of the App.
#[derive(Debug, Deserialize)]
pub struct Installation {
    pub id: InstallationId,
    #[serde(default)]
    pub suspended_at: Option<String>,
}

/// What an installation reaches.
#[derive(Debug, Deserialize)]
pub struct InstalledRepositories {
    pub repositories: Vec<InstalledRepository>,
}

/// One of them.
#[derive(Debug, Deserialize)]
pub struct InstalledRepository {
    pub id: RepoId,
    pub full_name: String,
}
