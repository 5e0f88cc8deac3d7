//! `gander audit`: who changed what.

use std::process::ExitCode;

use serde::Serialize;

use super::beside::{Beside, BesideServer};
use super::{AnyError, CommandResult, NO_CHANGE, say, say_json};
use crate::clock::{day_and_time, rfc_3339};
use crate::core::audit::{AuditEntry, AuditRow, BrokenChain, ChainCheck};

/// See who changed what, and that nothing of it was changed since
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct AuditCommand {
    #[command(subcommand)]
    verb: Option<AuditVerb>,
    /// So many of the last rows
    #[arg(long, value_name = "N", default_value_t = 50)]
    last: u32,
    /// For programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    beside: BesideServer,
}

/// What else can be done with it
#[derive(Debug, clap::Subcommand)]
enum AuditVerb {
    /// Look whether a row was changed, removed or moved, and name the first
    Verify {
        /// A hash that this command told before: the log has to hold it still
        #[arg(long, value_name = "HASH")]
        noted: Option<String>,
    },
}

/// Rows that are read at once.
const AT_ONCE: u32 = 1000;
/// How often the end is looked at while rows are being added.
const MOST_LOOKS: usize = 20;

/// Runs the subcommand.
///
/// # Errors
/// When the database cannot be used.
pub fn run(command: &AuditCommand) -> CommandResult {
    command.beside.with_store(async |beside| match &command.verb {
        None => show(beside, command.last, command.json).await,
        Some(AuditVerb::Verify { noted }) => verify(beside, noted.as_deref()).await,
    })
}

/// A row for programs.
#[derive(Serialize)]
struct RowView<'a> {
    seq: i64,
    at: String,
    hash: String,
    #[serde(flatten)]
    entry: Option<&'a AuditEntry>,
}

fn entry(row: &AuditRow) -> Result<Option<AuditEntry>, AnyError> {
    let body = row.body.as_deref().map(serde_json::from_str).transpose();
    Ok(body.map_err(|error| format!("row {} cannot be read: {error}", row.seq))?)
}

async fn show(beside: &Beside, last: u32, json: bool) -> CommandResult {
    let head = beside.store.audit_head().await?;
    let rows = beside.store.audit_rows((head.seq - i64::from(last)).max(0), last).await?;
    let mut entries = Vec::new();
    for row in &rows {
        entries.push(entry(row)?);
    }
    if json {
        let view = |(row, entry)| view(row, Option::as_ref(entry));
        let views: Vec<RowView<'_>> = rows.iter().zip(&entries).map(view).collect();
        say_json(&views)?;
        return Ok(ExitCode::SUCCESS);
    }
    for (row, entry) in rows.iter().zip(&entries) {
        say(line(row, entry.as_ref()));
    }
    if rows.is_empty() {
        say("Nothing was changed yet.");
    }
    Ok(ExitCode::SUCCESS)
}

fn view<'a>(row: &AuditRow, entry: Option<&'a AuditEntry>) -> RowView<'a> {
    RowView { seq: row.seq, at: rfc_3339(row.at), hash: hex::encode(&row.hash), entry }
}

fn line(row: &AuditRow, entry: Option<&AuditEntry>) -> String {
    let at = day_and_time(row.at);
    let Some(entry) = entry else {
        return format!("{:>6}  {at}  taken out: its repository was forgotten", row.seq);
    };
    let mut line = format!("{:>6}  {at}  {}: {}", row.seq, entry.who, entry.what);
    for (name, value) in [
        ("repository", entry.name.as_deref()),
        ("job", entry.about.as_deref()),
        ("commit", entry.commit.as_deref().and_then(|it| it.get(..12))),
        ("rules", entry.policy.as_deref().and_then(|it| it.get(..12))),
        ("token", entry.scope.as_deref()),
        ("request", entry.request.as_deref()),
        ("id", entry.request_id.as_deref()),
    ] {
        if let Some(value) = value {
            line.push_str(&format!("  {name}={value}"));
        }
    }
    line
}

async fn verify(beside: &Beside, noted: Option<&str>) -> CommandResult {
    let noted = noted.map(str::to_lowercase);
    let (mut check, mut found) = (ChainCheck::default(), noted.is_none());
    let mut broken: Option<BrokenChain> = None;
    for look in 1..=MOST_LOOKS {
        loop {
            let rows = beside.store.audit_rows(check.head.seq, AT_ONCE).await?;
            for row in &rows {
                if let Err(broken) = check.next(row) {
                    return Ok(tell(&broken));
                }
                found |= noted.as_ref().is_some_and(|it| *it == hex::encode(&row.hash));
            }
            if rows.len() < AT_ONCE as usize {
                break;
            }
        }
        // Rows may have been added meanwhile: then it is looked at again.
        match check.ends_at(&beside.store.audit_head().await?) {
            Ok(()) => {
                broken = None;
                break;
            }
            Err(error) if look == MOST_LOOKS => broken = Some(error),
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
        }
    }
    if let Some(broken) = broken {
        return Ok(tell(&broken));
    }
    if !found {
        say(
            "The rows follow each other, but none of them has the hash that was noted: it is another \
             log, or was made anew.",
        );
        return Ok(ExitCode::from(NO_CHANGE));
    }
    let (rows, hash) = (check.head.seq, hex::encode(&check.head.hash));
    say(format!("{rows} rows, each as it was written."));
    if check.taken_out > 0 {
        say(format!("Of {} the content was taken out (`gander forget`).", check.taken_out));
    }
    if rows > 0 {
        say(format!(
            "\nNote the last hash somewhere else, and name it the next time:\n\n  gander audit \
                     verify --noted {hash}"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(broken: &BrokenChain) -> ExitCode {
    say(format!("The audit log is not what was written: {broken}."));
    ExitCode::from(NO_CHANGE)
}
