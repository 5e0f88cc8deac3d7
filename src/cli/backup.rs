//! `gander backup` and `gander restore`: a copy of what a server remembers, while it runs.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use super::beside::{BesideServer, by_operator};
use super::{AnyError, CommandResult, say, start_logging};
use crate::app::lock;
use crate::clock::{Clock, day_and_time};
use crate::config::StorePlace;
use crate::core::leak::KnownSecrets;
use crate::store::{BackupContent, back_up, restore};

/// Copy all that a server remembers, while it runs
#[derive(Debug, clap::Args)]
pub struct BackupCommand {
    /// The copy, which must not be there yet
    file: PathBuf,
    /// With transcripts and logs of jobs, which can be many
    #[arg(long)]
    transcripts: bool,
    #[command(flatten)]
    beside: BesideServer,
}

/// Put a copy back into an empty data directory
#[derive(Debug, clap::Args)]
pub struct RestoreCommand {
    /// The copy
    file: PathBuf,
    #[command(flatten)]
    beside: BesideServer,
}

const PG_DUMP: &str = "this server keeps everything in PostgreSQL, which has its own way, also while it \
                       runs: `pg_dump --format=custom` makes a copy and `pg_restore` puts it back \
                       (docs/operate.md)";

/// Where the SQLite file is.
fn sqlite(beside: &BesideServer) -> Result<StorePlace, AnyError> {
    start_logging("error", Arc::new(KnownSecrets::default()));
    let place = beside.place()?;
    if place.database.is_some() {
        return Err(PG_DUMP.into());
    }
    Ok(place)
}

/// Runs `gander backup`.
///
/// # Errors
/// When the copy cannot be made; there is none then.
pub fn back_up_now(command: &BackupCommand) -> CommandResult {
    let place = sqlite(&command.beside)?;
    let records = place.data.join("jobs");
    let records = command.transcripts.then_some(records.as_path());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let made = (Clock::system().now(), env!("CARGO_PKG_VERSION"));
    let file = place.file();
    let content = runtime.block_on(back_up(&file, &command.file, records, made))?;
    say(format!(
        "{} holds {}. It holds what people wrote: keep it as safe as the server.",
        command.file.display(),
        in_words(&content)
    ));
    if content.left_out > 0 {
        say(format!("{} files of more than 64 MiB were left out.", content.left_out));
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs `gander restore`.
///
/// # Errors
/// When it is no good copy, or something is there already; nothing is put in place then.
pub fn restore_now(command: &RestoreCommand) -> CommandResult {
    let place = sqlite(&command.beside)?;
    let made = !place.data.exists();
    if made {
        let mut directory = std::fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut directory, 0o700);
        directory.recursive(true).create(&place.data)?;
    }
    let _lock = lock(&place.data)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (now, entry) = (Clock::system().now(), by_operator("restored from a backup"));
    let records = place.data.join("jobs");
    let file = place.file();
    let content = runtime.block_on(restore(&command.file, &file, &records, (now, &entry)))?;
    say(format!(
        "Put back into {}: {}, made {} by Gander {}.\n\nLet the files belong to the user that Gander \
         runs as, and start it. It fetches what came in the last three days, and does again what was \
         asked for since the copy was made.",
        place.data.display(),
        in_words(&content),
        day_and_time(content.at),
        content.version
    ));
    Ok(ExitCode::SUCCESS)
}

fn in_words(content: &BackupContent) -> String {
    let mut words = format!("{} rows of {} tables", content.rows, content.tables);
    if content.files > 0 {
        words.push_str(&format!(" and {} files of jobs", content.files));
    }
    words
}
