//! Where a server keeps what it remembers, for commands beside it.
//!
//! Invariants: none of the App's keys is read, so that whoever looks at jobs needs none of them.

use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::{ConfigError, File, database, read_file, secret};

/// Where everything is kept.
#[derive(Debug)]
pub struct StorePlace {
    /// The data directory.
    pub data: PathBuf,
    /// The address of a PostgreSQL database. `None`: SQLite, in `data`.
    pub database: Option<SecretString>,
}

impl StorePlace {
    /// Reads it from the server's file, if one is given, and its variables.
    ///
    /// # Errors
    /// When the file, the address or its password cannot be read.
    pub fn load(
        path: Option<&Path>,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let file = path.map_or_else(|| Ok(File::default()), read_file)?;
        let password_file = variable("GANDER_DATABASE_PASSWORD_FILE").map(PathBuf::from);
        let password = secret(
            variable("GANDER_DATABASE_PASSWORD"),
            password_file.or(file.database_password_file),
        )?;
        let in_file = file.database.map(|text| (text, path));
        Ok(Self {
            data: data(variable, file.data),
            database: database::address(variable("GANDER_DATABASE"), in_file, password)?,
        })
    }

    /// The SQLite file.
    pub fn file(&self) -> PathBuf {
        self.data.join("gander.db")
    }
}

/// The data directory: by variable, by file, or beside where Gander was started.
pub(super) fn data(variable: &dyn Fn(&str) -> Option<String>, in_file: Option<PathBuf>) -> PathBuf {
    variable("GANDER_DATA").map(PathBuf::from).or(in_file).unwrap_or_else(|| "gander-data".into())
}
