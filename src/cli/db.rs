//! `gander db move`: a live installation goes on with PostgreSQL.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use secrecy::ExposeSecret;
use url::Url;

use super::{AnyError, CommandResult, say, start_logging};
use crate::app::lock;
use crate::config::{database_address, variable};
use crate::core::leak::KnownSecrets;
use crate::store::{MovedRows, move_all};

/// Move what Gander remembers to another database
#[derive(Debug, clap::Subcommand)]
pub enum DbCommand {
    /// Copy all that a SQLite file holds into an empty PostgreSQL database, or nothing of it
    Move {
        /// The file: `gander.db` in the data directory. The server is stopped before
        #[arg(value_name = "FILE")]
        from: PathBuf,
        /// `postgres://USER@HOST/DATABASE`; its password by GANDER_DATABASE_PASSWORD
        #[arg(value_name = "ADDRESS")]
        to: String,
    },
}

/// Runs the subcommand.
///
/// # Errors
/// When somebody uses the file, the database cannot be used, or not all of it could be moved.
pub fn run(command: &DbCommand) -> CommandResult {
    let DbCommand::Move { from, to } = command;
    start_logging("warn", Arc::new(KnownSecrets::default()));
    let address = database_address(to, &|name| variable(name))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let moved = runtime.block_on(moved(from, address.expose_secret()))?;
    let rows: u64 = moved.iter().map(|(_, rows)| rows).sum();
    for (table, rows) in &moved {
        say(format!("{rows:>10}  {table}"));
    }
    say(format!(
        "\nAll {rows} rows were moved, and read back as they were. Now put this into the configuration, \
         and start Gander:\n\n  database = \"{}\"\n\nIts password comes by \
         `database_password_file` or GANDER_DATABASE_PASSWORD. {} stays as it was: keep it until you \
         are content, and do not start Gander with it any more.",
        without_password(address.expose_secret()),
        from.display()
    ));
    Ok(ExitCode::SUCCESS)
}

async fn moved(from: &Path, to: &str) -> Result<MovedRows, AnyError> {
    if !from.is_file() {
        return Err(format!("there is no file {}", from.display()).into());
    }
    let directory = from.parent().filter(|parent| !parent.as_os_str().is_empty());
    let _lock = lock(directory.unwrap_or(Path::new(".")))?;
    Ok(move_all(from, to).await?)
}

fn without_password(address: &str) -> String {
    let url = Url::parse(address).ok().and_then(|mut url| {
        url.set_password(None).ok()?;
        Some(url.to_string())
    });
    url.unwrap_or_default()
}
