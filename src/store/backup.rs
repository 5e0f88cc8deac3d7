//! A copy of all that a SQLite file holds, made while a server works with it, and put back.
//!
//! Invariants: a copy is of one moment, and has its name only when it is whole; of each table it
//! holds how many rows it had and their digest, so that damage is found before anything is put in
//! place; nothing that is there is overwritten. The digests are no signature: whoever can write the
//! copy can make them fit.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use super::StoreError;
use super::sqlite::{add_to_audit, failed, look_beside};
use crate::core::audit::AuditEntry;
use crate::core::id::Timestamp;

/// What stands in a copy, and what of it is not a table of Gander's.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct BackupContent {
    /// When it was made.
    pub at: Timestamp,
    /// By which version of Gander.
    pub version: String,
    pub tables: u64,
    pub rows: u64,
    /// Files of jobs.
    pub files: u64,
    /// Files that were too large to be taken along.
    pub left_out: u64,
}

/// A larger file is no transcript.
const LARGEST_FILE: u64 = 64 << 20;

const OWN_TABLES: &str = "CREATE TABLE backup_files (path TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
     CREATE TABLE backup_digests (name TEXT PRIMARY KEY, rows INTEGER NOT NULL, digest BLOB NOT NULL)
         STRICT;
     CREATE TABLE backup_made (at INTEGER NOT NULL, version TEXT NOT NULL) STRICT;";
const WITHOUT_OWN_TABLES: &str =
    "DROP TABLE backup_files; DROP TABLE backup_digests; DROP TABLE backup_made";

/// Copies the file into a new one, with what lies below `records`, if that is named.
///
/// # Errors
/// `Unsuitable` when the new file is there already, or there is nothing of ours to copy; else what
/// went wrong. There is no new file then.
pub async fn back_up(
    file: &Path,
    to: &Path,
    records: Option<&Path>,
    (now, version): (Timestamp, &str),
) -> Result<BackupContent, StoreError> {
    look_beside(file).await?;
    if to.exists() {
        let text = format!("{} is there already, and is not overwritten", to.display());
        return Err(StoreError::Unsuitable(text));
    }
    let partial = beside(to, "partial")?;
    let made = async {
        new_file(&partial)?;
        copy(file, &partial).await?;
        let content = complete(&partial, records, (now, version)).await?;
        in_place(&partial, to)?;
        Ok(content)
    };
    let made = made.await;
    if made.is_err() {
        // What went wrong is told; that something is left over changes nothing of it.
        let _ = std::fs::remove_file(&partial);
    }
    made
}

/// Puts a copy back, once it is known to be whole: `file` is the database, and what lay below the
/// records comes below `records`.
///
/// # Errors
/// `Unsuitable` when there is a database already, or it is no copy; `Corrupt` when it is damaged.
/// Nothing is put in place then.
pub async fn restore(
    from: &Path,
    file: &Path,
    records: &Path,
    (now, audit): (Timestamp, &AuditEntry),
) -> Result<BackupContent, StoreError> {
    let parts = [file.to_owned(), wal(file), records.to_owned()];
    if let Some(there) = parts.iter().find(|path| path.exists()) {
        return Err(StoreError::Unsuitable(format!(
            "{} is there already, and is not overwritten: restore into another data directory, or \
             move it away",
            there.display()
        )));
    }
    let partial = beside(file, "restored")?;
    let put = async {
        let mut source = File::open(from).map_err(unavailable)?;
        let mut target = new_file(&partial)?;
        std::io::copy(&mut source, &mut target).map_err(unavailable)?;
        target.sync_all().map_err(unavailable)?;
        let content = checked(&partial, records, (now, audit)).await?;
        in_place(&partial, file)?;
        Ok(content)
    };
    let put = put.await;
    if put.is_err() {
        let _ = std::fs::remove_file(&partial);
        let _ = std::fs::remove_dir_all(records);
    }
    put
}

fn wal(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

fn beside(path: &Path, end: &str) -> Result<PathBuf, StoreError> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| {
        StoreError::Unsuitable(format!("{} is no name of a file", path.display()))
    })?;
    Ok(path.with_file_name(format!(".{name}.{end}")))
}

fn new_file(path: &Path) -> Result<File, StoreError> {
    // Left over by one that was killed.
    let _ = std::fs::remove_file(path);
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(unavailable)
}

/// On disk under its name, or not at all.
fn in_place(partial: &Path, path: &Path) -> Result<(), StoreError> {
    File::open(partial).and_then(|file| file.sync_all()).map_err(unavailable)?;
    std::fs::rename(partial, path).map_err(unavailable)?;
    let parent = path.parent().filter(|it| !it.as_os_str().is_empty());
    let parent = File::open(parent.unwrap_or(Path::new(".")));
    parent.and_then(|directory| directory.sync_all()).map_err(unavailable)
}

fn unavailable(cause: std::io::Error) -> StoreError {
    StoreError::Unavailable(Box::new(cause))
}

/// One moment of the file, which others go on writing.
async fn copy(file: &Path, to: &Path) -> Result<(), StoreError> {
    let to = to.to_str().ok_or_else(|| StoreError::Unsuitable("its name is no text".to_owned()))?;
    let options = SqliteConnectOptions::new().filename(file).read_only(true);
    let mut source = options.connect().await.map_err(failed)?;
    sqlx::query("VACUUM INTO ?").bind(to).execute(&mut source).await.map_err(failed)?;
    source.close().await.map_err(failed)
}

/// One whole file, without a log beside it.
async fn opened(path: &Path) -> Result<SqliteConnection, StoreError> {
    let options = SqliteConnectOptions::new().filename(path).pragma("synchronous", "full");
    options.journal_mode(SqliteJournalMode::Delete).connect().await.map_err(failed)
}

async fn complete(
    partial: &Path,
    records: Option<&Path>,
    (now, version): (Timestamp, &str),
) -> Result<BackupContent, StoreError> {
    let mut copy = opened(partial).await?;
    sqlx::raw_sql(OWN_TABLES).execute(&mut copy).await.map_err(failed)?;
    let (files, left_out) = match records {
        Some(records) => take_along(&mut copy, records).await?,
        None => (0, 0),
    };
    let (mut tables, mut rows) = (0, 0);
    for name in names(&mut copy).await? {
        let (many, digest) = digest_of(&mut copy, &name).await?;
        if !name.starts_with("backup_") {
            (tables, rows) = (tables + 1, rows + many.unsigned_abs());
        }
        sqlx::query("INSERT INTO backup_digests (name, rows, digest) VALUES (?, ?, ?)")
            .bind(name)
            .bind(many)
            .bind(digest)
            .execute(&mut copy)
            .await
            .map_err(failed)?;
    }
    sqlx::query("INSERT INTO backup_made (at, version) VALUES (?, ?)")
        .bind(now.0)
        .bind(version)
        .execute(&mut copy)
        .await
        .map_err(failed)?;
    copy.close().await.map_err(failed)?;
    Ok(BackupContent { at: now, version: version.to_owned(), tables, rows, files, left_out })
}

/// Every file below a directory: how many, and how many were too large.
async fn take_along(copy: &mut SqliteConnection, records: &Path) -> Result<(u64, u64), StoreError> {
    let (mut taken, mut left_out) = (0, 0);
    let mut open = vec![records.to_owned()];
    let mut transaction = copy.begin().await.map_err(failed)?;
    while let Some(directory) = open.pop() {
        // What a server removes meanwhile is gone.
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let (path, Ok(kind)) = (entry.path(), entry.file_type()) else { continue };
            if kind.is_dir() {
                open.push(path);
                continue;
            }
            let name = path.strip_prefix(records).ok().and_then(Path::to_str);
            let (Some(name), true) = (name, kind.is_file()) else { continue };
            let mut bytes = Vec::new();
            let Ok(file) = File::open(&path) else { continue };
            file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(unavailable)?;
            if bytes.len() as u64 > LARGEST_FILE {
                left_out += 1;
                continue;
            }
            sqlx::query("INSERT INTO backup_files (path, bytes) VALUES (?, ?)")
                .bind(name)
                .bind(bytes)
                .execute(&mut *transaction)
                .await
                .map_err(failed)?;
            taken += 1;
        }
    }
    transaction.commit().await.map_err(failed)?;
    Ok((taken, left_out))
}

/// All tables but those that are about the copy itself.
async fn names(copy: &mut SqliteConnection) -> Result<Vec<String>, StoreError> {
    sqlx::query_scalar(
        "SELECT name FROM sqlite_schema WHERE type = 'table'
             AND name NOT IN ('backup_digests', 'backup_made')
             AND (name NOT LIKE 'sqlite\\_%' ESCAPE '\\' OR name = 'sqlite_sequence')
         ORDER BY name",
    )
    .fetch_all(copy)
    .await
    .map_err(failed)
}

/// How many rows a table has, and their digest, whatever their order.
async fn digest_of(copy: &mut SqliteConnection, table: &str) -> Result<(i64, Vec<u8>), StoreError> {
    let columns: Vec<String> =
        sqlx::query_scalar("SELECT name FROM pragma_table_info(?) ORDER BY cid")
            .bind(table)
            .fetch_all(&mut *copy)
            .await
            .map_err(failed)?;
    let cells: Vec<String> = columns.iter().map(|it| format!("quote(\"{it}\")")).collect();
    let order = columns.first().map(String::as_str).unwrap_or_default();
    let all = format!("SELECT {} FROM \"{table}\" ORDER BY \"{order}\"", cells.join(" || ',' || "));
    let mut rows = sqlx::query_scalar::<_, String>(AssertSqlSafe(all)).fetch(copy);
    let (mut many, mut digest) = (0, Sha256::new());
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        many += 1;
        digest.update((row.len() as u64).to_be_bytes());
        digest.update(row);
    }
    Ok((many, digest.finalize().to_vec()))
}

async fn checked(
    partial: &Path,
    records: &Path,
    (now, audit): (Timestamp, &AuditEntry),
) -> Result<BackupContent, StoreError> {
    let not_ours = || {
        let text = "it is no file that `gander backup` made, or its beginning is damaged";
        StoreError::Unsuitable(text.to_owned())
    };
    let mut copy = opened(partial).await.map_err(|_| not_ours())?;
    let made: (i64, String) = sqlx::query_as("SELECT at, version FROM backup_made")
        .fetch_one(&mut copy)
        .await
        .map_err(|_| not_ours())?;
    let damaged = |text: String| StoreError::Corrupt { what: "the backup", source: text.into() };
    let whole: String = sqlx::query_scalar("PRAGMA integrity_check(1)")
        .fetch_one(&mut copy)
        .await
        .map_err(failed)?;
    if whole != "ok" {
        return Err(damaged(whole));
    }
    let noted: Vec<(String, i64, Vec<u8>)> =
        sqlx::query_as("SELECT name, rows, digest FROM backup_digests ORDER BY name")
            .fetch_all(&mut copy)
            .await
            .map_err(failed)?;
    let found = names(&mut copy).await?;
    if noted.iter().map(|(name, ..)| name).ne(&found) {
        return Err(damaged("its tables are not those that were copied".to_owned()));
    }
    let (mut tables, mut rows) = (0, 0);
    for (name, many, digest) in &noted {
        let found = digest_of(&mut copy, name).await?;
        if (*many, digest) != (found.0, &found.1) {
            return Err(damaged(format!("the rows of {name} are not those that were copied")));
        }
        if !name.starts_with("backup_") {
            (tables, rows) = (tables + 1, rows + many.unsigned_abs());
        }
    }
    let files = put_back(&mut copy, records).await?;
    sqlx::raw_sql(WITHOUT_OWN_TABLES).execute(&mut copy).await.map_err(failed)?;
    let has_audit: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'audit_head')")
            .fetch_one(&mut copy)
            .await
            .map_err(failed)?;
    if has_audit {
        add_to_audit(&mut copy, std::slice::from_ref(audit), now).await?;
    }
    copy.close().await.map_err(failed)?;
    let (at, version) = (Timestamp(made.0), made.1);
    Ok(BackupContent { at, version, tables, rows, files, left_out: 0 })
}

/// Writes the files that were taken along; returns how many.
async fn put_back(copy: &mut SqliteConnection, records: &Path) -> Result<u64, StoreError> {
    let mut rows =
        sqlx::query_as::<_, (String, Vec<u8>)>("SELECT path, bytes FROM backup_files").fetch(copy);
    let mut files = 0;
    while let Some((name, bytes)) = rows.try_next().await.map_err(failed)? {
        let name = PathBuf::from(name);
        if !name.components().all(|part| matches!(part, Component::Normal(_))) {
            let text = format!("{} leads out of the directory", name.display());
            return Err(StoreError::Corrupt { what: "the backup", source: text.into() });
        }
        let path = records.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(unavailable)?;
        }
        std::fs::write(path, bytes).map_err(unavailable)?;
        files += 1;
    }
    Ok(files)
}
