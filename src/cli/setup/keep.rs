//! Where the App's number, key and secrets are kept, in the form that `gander serve` reads.
//!
//! Invariants: nothing that is there is overwritten; files are for their owner alone from their
//! first byte and appear whole; the configuration, which makes it an App, appears last; what can be
//! found out before GitHub is asked is found out then.

use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::core::setup::Hub;
use crate::forge::payload::NewApp;
use crate::sandbox::Identity;

const CONFIG: &str = "gander-server.toml";
const PRIVATE_KEY: &str = "private-key.pem";
const WEBHOOK_SECRET: &str = "webhook-secret";
const CLIENT_SECRET: &str = "client-secret";

/// A directory that is ready to take an App.
#[derive(Debug)]
pub(super) struct Vault {
    directory: PathBuf,
}

/// Why a directory cannot take an App. Says the next step.
#[derive(Debug, thiserror::Error)]
pub(super) enum VaultError {
    #[error(
        "{} is there already, and an App is never overwritten. Name another directory with `--dir`, \
         or move that file away if its App is not needed any more", .0.display()
    )]
    Taken(PathBuf),
    #[error(
        "{} can be looked into by others: run `chmod 700 {}`, or name another directory with `--dir`",
        .0.display(), .0.display()
    )]
    Open(PathBuf),
    #[error(
        "{} cannot hold the App's key: name a directory that you can write to with `--dir`",
        .0.display()
    )]
    Unusable(PathBuf, #[source] io::Error),
    #[error(
        "{} holds what is somebody else's, and is not given away: name a new directory with `--dir`",
        .0.display()
    )]
    OfOthers(PathBuf),
    #[error("{} has a name that is not UTF-8: name another directory with `--dir`", .0.display())]
    Unnameable(PathBuf),
}

/// `gander-server.toml`, as `config.rs` reads it.
#[derive(Serialize)]
struct KeptFiles<'a> {
    listen: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_url: Option<&'a str>,
    data: PathBuf,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    allow_private_addresses: bool,
    github: WrittenGitHub,
}

#[derive(Serialize)]
struct WrittenGitHub {
    app_id: u64,
    private_key_file: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_secret_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret_file: Option<PathBuf>,
    api_url: String,
    web_url: String,
    mention: String,
}

/// Makes the directory for another user, who then writes into it. For root only.
///
/// # Errors
/// When somebody else's files are in it, or it cannot be given away.
pub(super) fn give(directory: &Path, user: Identity) -> Result<(), VaultError> {
    let unusable = |source| VaultError::Unusable(directory.to_owned(), source);
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(unusable)?;
    let known = directory.symlink_metadata().map_err(unusable)?;
    let is_empty = std::fs::read_dir(directory).map_err(unusable)?.next().is_none();
    if !known.is_dir() || (known.uid() != user.uid && !is_empty) {
        return Err(VaultError::OfOthers(directory.to_owned()));
    }
    std::os::unix::fs::lchown(directory, Some(user.uid), Some(user.gid)).map_err(unusable)
}

impl Vault {
    /// Makes the directory if it is not there, and makes sure that an App can be kept in it.
    pub(super) fn open(directory: &Path) -> Result<Self, VaultError> {
        let unusable = |source| VaultError::Unusable(directory.to_owned(), source);
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(unusable)?;
        let directory = directory.canonicalize().map_err(unusable)?;
        if directory.to_str().is_none() {
            return Err(VaultError::Unnameable(directory));
        }
        for name in [CONFIG, PRIVATE_KEY, WEBHOOK_SECRET, CLIENT_SECRET] {
            let file = directory.join(name);
            if file.symlink_metadata().is_ok() {
                return Err(VaultError::Taken(file));
            }
        }
        let mode = directory.metadata().map_err(unusable)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(VaultError::Open(directory));
        }
        tempfile::NamedTempFile::new_in(&directory).map_err(unusable)?;
        Ok(Self { directory })
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn config(&self) -> PathBuf {
        self.directory.join(CONFIG)
    }

    /// Keeps the App. On an error, what was written before it stays: GitHub tells it only once.
    pub(super) fn keep(
        &self,
        app: &NewApp,
        hub: &Hub,
        private_addresses: bool,
    ) -> Result<(), VaultError> {
        let private_key_file = self.secret(PRIVATE_KEY, &app.pem)?;
        let webhook_secret_file = app.webhook_secret.as_ref();
        let webhook_secret_file =
            webhook_secret_file.map(|secret| self.secret(WEBHOOK_SECRET, secret)).transpose()?;
        let client_secret_file = app.client_secret.as_ref();
        let client_secret_file =
            client_secret_file.map(|secret| self.secret(CLIENT_SECRET, secret)).transpose()?;
        let written = KeptFiles {
            listen: "127.0.0.1:8080",
            public_url: app.external_url.as_deref(),
            data: self.directory.join("data"),
            allow_private_addresses: private_addresses,
            github: WrittenGitHub {
                app_id: app.id,
                private_key_file,
                webhook_secret_file,
                client_id: app.client_id.clone(),
                client_secret_file,
                api_url: hub.api().into(),
                web_url: hub.web().as_str().to_owned(),
                mention: format!("@{}", app.slug()),
            },
        };
        let body = toml::to_string(&written).map_err(|error| {
            VaultError::Unusable(self.config(), io::Error::other(error.to_string()))
        })?;
        let plain = |text: &str| text.chars().filter(|c| !c.is_control()).collect::<String>();
        let text = format!(
            "# Written by `gander setup` for the App {}. docs/config.md tells all keys.\n\n\
             {body}\n\
             # The model's key: in the environment as ANTHROPIC_API_KEY, or in a file with mode 0600.\n\
             # [model]\n\
             # key_file = \"/path/to/model-key\"\n",
            plain(&app.name)
        );
        self.write(CONFIG, text.as_bytes())?;
        Ok(())
    }

    fn secret(&self, name: &str, secret: &SecretString) -> Result<PathBuf, VaultError> {
        self.write(name, secret.expose_secret().as_bytes())
    }

    /// Writes a file beside its place, then puts it there unless something is there by now.
    fn write(&self, name: &str, content: &[u8]) -> Result<PathBuf, VaultError> {
        let path = self.directory.join(name);
        let unusable = |source| VaultError::Unusable(path.clone(), source);
        // Made with mode 0600.
        let mut file = tempfile::NamedTempFile::new_in(&self.directory).map_err(unusable)?;
        file.write_all(content).map_err(unusable)?;
        file.as_file().sync_all().map_err(unusable)?;
        file.persist_noclobber(&path).map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => VaultError::Taken(path.clone()),
            _ => VaultError::Unusable(path.clone(), error.error),
        })?;
        File::open(&self.directory).and_then(|it| it.sync_all()).map_err(unusable)?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app() -> NewApp {
        let answer = r#"{"id":7,"slug":"honk","name":"Honk\n[github]\napp_id = 8","html_url":"x",
            "pem":"the key","webhook_secret":"the secret","client_id":"Iv1","client_secret":"c",
            "external_url":"https://honk.example/"}"#;
        serde_json::from_str(answer).unwrap()
    }

    fn vault() -> (tempfile::TempDir, Vault) {
        let above = tempfile::tempdir().unwrap();
        let vault = Vault::open(&above.path().join("of \"mine\"/gander")).unwrap();
        (above, vault)
    }

    #[test]
    fn what_is_kept_is_what_the_server_reads_and_for_its_owner_alone() {
        let (_above, vault) = vault();
        vault.keep(&app(), &"https://github.com".parse().unwrap(), false).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(vault.directory()), 0o700);
        for entry in std::fs::read_dir(vault.directory()).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
        let variable = |name: &str| (name == "ANTHROPIC_API_KEY").then(|| "key".to_owned());
        let config = crate::config::Config::load(Some(&vault.config()), &variable).unwrap();
        assert_eq!(config.github.app_id, 7);
        assert_eq!(config.github.private_key.expose_secret(), "the key");
        assert_eq!(config.github.webhook_secret.expose_secret(), "the secret");
        assert_eq!(config.github.api_url.as_str(), "https://api.github.com/");
        assert_eq!(config.github.mention.as_deref(), Some("@honk"));
        let sign_in = config.sign_in.unwrap();
        assert_eq!(
            (sign_in.client_id.as_str(), sign_in.client_secret.expose_secret()),
            ("Iv1", "c")
        );
        assert_eq!(sign_in.public_url.as_str(), "https://honk.example/");
        assert_eq!(config.data, vault.directory().join("data"));
        assert!(!config.private_addresses);
        assert!(config.data.is_absolute());
    }

    #[test]
    fn the_unit_of_systemd_hands_over_the_files_that_are_written_here() {
        let unit = include_str!("../../../packaging/systemd/gander.service");
        let lines = |key: &str| -> Vec<(&str, &str)> {
            let lines = unit.lines().filter_map(|line| line.strip_prefix(key));
            lines.map(|rest| rest.split_once([':', '=']).unwrap()).collect()
        };
        let credentials = lines("LoadCredential=");
        let (_above, vault) = vault();
        vault.keep(&app(), &"https://github.com".parse().unwrap(), false).unwrap();
        vault.write("model-key", b"a key").unwrap();
        for (_, source) in &credentials {
            let name = source.strip_prefix("/etc/gander/").unwrap();
            assert!(vault.directory().join(name).is_file(), "nobody writes {source}");
        }
        // Where systemd puts them, under the names that it is told.
        let handed = tempfile::tempdir().unwrap();
        for (name, source) in &credentials {
            let file = vault.directory().join(source.strip_prefix("/etc/gander/").unwrap());
            std::fs::copy(file, handed.path().join(name)).unwrap();
        }
        let variables = lines("Environment=");
        let variable = |name: &str| {
            let (_, value) = variables.iter().find(|(known, _)| *known == name)?;
            Some(value.replace("%d", handed.path().to_str()?).replace("%S", "/var/lib"))
        };
        let config = handed.path().join("config");
        assert!(unit.contains("serve --config ${CREDENTIALS_DIRECTORY}/config"));
        let config = crate::config::Config::load(Some(&config), &variable).unwrap();
        assert_eq!(config.github.app_id, 7);
        assert_eq!(config.github.private_key.expose_secret(), "the key");
        assert_eq!(config.data, Path::new("/var/lib/gander"));
    }

    #[test]
    fn an_app_that_is_there_is_never_overwritten() {
        let (_above, vault) = vault();
        let hub = "https://github.com".parse().unwrap();
        std::fs::write(vault.directory().join(WEBHOOK_SECRET), "older").unwrap();
        assert!(matches!(vault.keep(&app(), &hub, false), Err(VaultError::Taken(_))));
        let there = |name: &str| std::fs::read_to_string(vault.directory().join(name)).ok();
        assert_eq!(there(WEBHOOK_SECRET).as_deref(), Some("older"));
        assert_eq!(there(PRIVATE_KEY).as_deref(), Some("the key"), "GitHub tells it only once");
        assert_eq!(there(CONFIG), None);
        let again = Vault::open(vault.directory()).unwrap_err().to_string();
        assert!(again.contains(PRIVATE_KEY) && again.contains("--dir"), "{again}");
    }
}
