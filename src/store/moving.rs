//! All that a SQLite file holds, moved into an empty PostgreSQL database.
//!
//! Invariants: nobody else has the file meanwhile, and it stays as it is; all rows go in one
//! transaction, which ends only when each row was read back and is what it was. So there is
//! everything afterwards, or nothing.

use std::path::Path;

use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, QueryBuilder, Row};

use super::postgres::{self, storable};
use super::rows::{from_json, is_merged};
use super::sqlite::{self, Sqlite};
use super::{Store, StoreError};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ColumnKind {
    Number,
    /// One that PostgreSQL holds in four bytes.
    Count,
    /// A number in SQLite.
    Flag,
    Text,
    Bytes,
}
use ColumnKind::{Bytes, Count, Flag, Number, Text};

/// A table: its name, the column that its rows are ordered by, and all columns, that one first.
type Table = (&'static str, &'static [(&'static str, ColumnKind)]);

const TABLES: [Table; 15] = [
    (
        "deliveries",
        &[
            ("id", Number),
            ("hook", Number),
            ("guid", Bytes),
            ("body_digest", Bytes),
            ("event", Text),
            ("received", Number),
            ("quarantine", Text),
        ],
    ),
    (
        "work",
        &[
            ("id", Number),
            ("lane", Text),
            ("task", Text),
            ("due", Number),
            ("head", Flag),
            ("tries", Count),
            ("fence", Number),
            ("lease_until", Number),
            ("fault", Text),
            ("slot", Flag),
            ("abandoned", Count),
            ("repo", Number),
            ("begun", Flag),
        ],
    ),
    ("turns", &[("repo", Number), ("turn", Number)]),
    (
        "jobs",
        &[
            ("seq", Number),
            ("id", Text),
            ("repo", Number),
            ("number", Number),
            ("pull", Number),
            ("live", Flag),
            ("state", Text),
            ("version", Number),
            ("created", Number),
            ("updated", Number),
            ("warned", Flag),
            ("changed", Flag),
            ("stage", Text),
            ("ending", Text),
        ],
    ),
    (
        "releases",
        &[
            ("seq", Number),
            ("id", Text),
            ("repo", Number),
            ("base", Text),
            ("pull", Number),
            ("turn", Text),
            ("state", Text),
            ("version", Number),
            ("created", Number),
            ("updated", Number),
            ("package", Text),
        ],
    ),
    ("acts", &[("key", Text), ("at", Number)]),
    (
        "ledger",
        &[
            ("id", Number),
            ("at", Number),
            ("job", Text),
            ("repo", Number),
            ("installation", Number),
            ("person", Number),
            ("amount", Number),
            ("what", Text),
        ],
    ),
    ("log", &[("id", Number), ("job", Text), ("at", Number), ("text", Text)]),
    ("patches", &[("digest", Text), ("bytes", Bytes), ("job", Text)]),
    (
        "check_results",
        &[
            ("id", Number),
            ("repo", Number),
            ("name", Text),
            ("app", Number),
            ("suite", Number),
            ("sha", Text),
            ("place", Text),
            ("red", Flag),
            ("at", Number),
        ],
    ),
    ("sweeps", &[("name", Text), ("done", Number)]),
    ("slack", &[("key", Text), ("subject", Text), ("record", Text), ("until", Number)]),
    ("pauses", &[("since", Number)]),
    (
        "audit",
        &[
            ("seq", Number),
            ("at", Number),
            ("repo", Number),
            ("salt", Bytes),
            ("body", Text),
            ("digest", Bytes),
            ("hash", Bytes),
        ],
    ),
    ("audit_head", &[("seq", Number), ("hash", Bytes)]),
];

/// Rows, and bytes of them, that are written in one statement.
const MOST_ROWS: usize = 500;
const MOST_BYTES: usize = 4 << 20;

/// What a row holds in one column.
#[derive(Debug)]
enum Cell {
    Number(Option<i64>),
    Count(Option<i32>),
    Flag(Option<bool>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

/// How many rows each table had.
pub type MovedRows = Vec<(&'static str, u64)>;

/// Moves all that the file holds. Nobody else may have it, and the database must be empty.
///
/// # Errors
/// `Unsuitable` when somebody has the file or something is in the database; else what went wrong.
/// The database is as it was then, but for empty tables.
pub async fn move_all(file: &Path, address: &str) -> Result<MovedRows, StoreError> {
    let mut from = source(file).await?;
    let options = postgres::options(address)?;
    postgres::prepare(&options).await?;
    let mut to = options.connect().await.map_err(postgres::failed)?;
    let mut transaction = to.begin().await.map_err(postgres::failed)?;
    take(&mut transaction).await?;
    let mut moved = Vec::new();
    for table in &TABLES {
        let (rows, written) = copy(table, &mut from, &mut transaction).await?;
        let read = digest_of(table, &mut transaction).await?;
        if (rows, &written) != (read.0, &read.1) {
            let text = format!("{} of {rows} rows of {} came back as they were", read.0, table.0);
            return Err(StoreError::Corrupt { what: "what was moved", source: text.into() });
        }
        moved.push((table.0, rows));
    }
    set_counters(&mut from, &mut transaction).await?;
    transaction.commit().await.map_err(postgres::failed)?;
    // All of it is written; whether anybody is told good-bye changes nothing.
    let _ = (to.close().await, from.close().await);
    Ok(moved)
}

/// Nothing is made in a file that is no database of Gander's.
async fn is_ours(file: &Path) -> Result<(), StoreError> {
    let options = SqliteConnectOptions::new().filename(file).read_only(true);
    let look = async {
        let mut connection = options.connect().await?;
        let ours = "SELECT count(*) FROM sqlite_schema
                    WHERE type = 'table' AND name IN ('_sqlx_migrations', 'deliveries', 'work')";
        let found: i64 = sqlx::query_scalar(ours).fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok::<_, sqlx::Error>(found)
    };
    match look.await {
        Ok(3) => Ok(()),
        Ok(_) => {
            let text = format!("{} is no database of Gander's: nothing was moved", file.display());
            Err(StoreError::Unsuitable(text))
        }
        // Who opens it for good says better what is wrong with it.
        Err(_) => Ok(()),
    }
}

/// The file, up to date, and nobody else's until the connection ends.
async fn source(file: &Path) -> Result<SqliteConnection, StoreError> {
    if !file.is_file() {
        let text = format!("there is no file {}", file.display());
        return Err(StoreError::Unsuitable(text));
    }
    is_ours(file).await?;
    Sqlite::open(file).await?.close().await?;
    let mut from = sqlite::options(file).connect().await.map_err(sqlite::failed)?;
    let in_use = || {
        let name = file.display();
        StoreError::Unsuitable(format!("another process has {name} open: stop the server first"))
    };
    // A log beside the file is only done away with where nobody else has the file.
    let mode: Result<String, _> =
        sqlx::query_scalar("PRAGMA journal_mode = DELETE").fetch_one(&mut from).await;
    if mode.as_deref().ok() != Some("delete") {
        return Err(in_use());
    }
    let alone = sqlx::query("BEGIN EXCLUSIVE").execute(&mut from).await;
    alone.map_err(|_| in_use())?;
    Ok(from)
}

/// Takes the database, if nothing is in it.
async fn take(transaction: &mut PgConnection) -> Result<(), StoreError> {
    let names = TABLES.map(|(name, _)| name).join(", ");
    let locked = format!("LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE");
    sqlx::query(AssertSqlSafe(locked))
        .execute(&mut *transaction)
        .await
        .map_err(postgres::failed)?;
    for (name, _) in &TABLES {
        let any = format!("SELECT EXISTS (SELECT FROM {name})");
        let any: bool = sqlx::query_scalar(AssertSqlSafe(any))
            .fetch_one(&mut *transaction)
            .await
            .map_err(postgres::failed)?;
        if any {
            return Err(StoreError::Unsuitable(format!(
                "there is something in it already ({name}): move into an empty database"
            )));
        }
    }
    // The heads of lanes are moved as they are.
    sqlx::query("ALTER TABLE work DISABLE TRIGGER work_first_of_its_lane")
        .execute(transaction)
        .await
        .map(drop)
        .map_err(postgres::failed)
}

/// Copies the rows of a table; returns how many, and their digest.
async fn copy(
    table: &Table,
    from: &mut SqliteConnection,
    to: &mut PgConnection,
) -> Result<(u64, Vec<u8>), StoreError> {
    let (name, columns) = table;
    let all = format!("SELECT {} FROM {name} ORDER BY {}", names(columns), columns[0].0);
    let mut rows = sqlx::query(AssertSqlSafe(all)).fetch(from);
    let (mut count, mut digest) = (0, Sha256::new());
    let (mut waiting, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.try_next().await.map_err(sqlite::failed)? {
        let mut cells = Vec::with_capacity(columns.len() + 1);
        for (n, (_, kind)) in columns.iter().enumerate() {
            let cell = of_sqlite(&row, n, *kind).map_err(sqlite::failed)?;
            bytes += add(&mut digest, &cell);
            cells.push(cell);
        }
        count += 1;
        if *name == "jobs" {
            cells.push(Cell::Flag(Some(merged(columns, &cells)?)));
        }
        waiting.push(cells);
        if waiting.len() == MOST_ROWS || bytes > MOST_BYTES {
            write(table, std::mem::take(&mut waiting), to).await?;
            bytes = 0;
        }
    }
    write(table, waiting, to).await?;
    Ok((count, digest.finalize().to_vec()))
}

/// What SQLite looks up in the state of a job has a column of its own.
fn merged(columns: &[(&str, ColumnKind)], cells: &[Cell]) -> Result<bool, StoreError> {
    let state = columns.iter().position(|(name, _)| *name == "state");
    match state.and_then(|n| cells.get(n)) {
        Some(Cell::Text(Some(state))) => Ok(is_merged(&from_json("a job", state)?)),
        _ => Ok(false),
    }
}

async fn write(
    (name, columns): &Table,
    rows: Vec<Vec<Cell>>,
    to: &mut PgConnection,
) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let more = if *name == "jobs" { ", merged" } else { "" };
    let into = format!("INSERT INTO {name} ({}{more}) ", names(columns));
    QueryBuilder::<sqlx::Postgres>::new(into)
        .push_values(rows, |mut row, cells| {
            for cell in cells {
                match cell {
                    Cell::Number(value) => row.push_bind(value),
                    Cell::Count(value) => row.push_bind(value),
                    Cell::Flag(value) => row.push_bind(value),
                    Cell::Text(value) => row.push_bind(value),
                    Cell::Bytes(value) => row.push_bind(value),
                };
            }
        })
        .build()
        .persistent(false)
        .execute(to)
        .await
        .map(drop)
        .map_err(postgres::failed)
}

/// How many rows the table has now, and their digest.
async fn digest_of(
    (name, columns): &Table,
    to: &mut PgConnection,
) -> Result<(u64, Vec<u8>), StoreError> {
    let (key, kind) = columns[0];
    let order = if kind == Text { format!("{key} COLLATE \"C\"") } else { key.to_owned() };
    let all = format!("SELECT {} FROM {name} ORDER BY {order}", names(columns));
    let mut rows = sqlx::query(AssertSqlSafe(all)).fetch(to);
    let (mut count, mut digest) = (0, Sha256::new());
    while let Some(row) = rows.try_next().await.map_err(postgres::failed)? {
        count += 1;
        for (n, (_, kind)) in columns.iter().enumerate() {
            add(&mut digest, &of_postgres(&row, n, *kind).map_err(postgres::failed)?);
        }
    }
    Ok((count, digest.finalize().to_vec()))
}

/// Numbers that were given to rows, also those that are gone, are not given again: leases name
/// them.
async fn set_counters(
    from: &mut SqliteConnection,
    to: &mut PgConnection,
) -> Result<(), StoreError> {
    let given: Option<i64> =
        sqlx::query_scalar("SELECT seq FROM sqlite_sequence WHERE name = 'work'")
            .fetch_optional(from)
            .await
            .map_err(sqlite::failed)?;
    for (name, columns) in &TABLES {
        let key = columns[0].0;
        // What is numbered by the log itself has no counter.
        if !matches!(key, "id" | "seq") || name.starts_with("audit") {
            continue;
        }
        let next = format!(
            "SELECT setval(pg_get_serial_sequence('{name}', '{key}'), \
                           greatest(1, coalesce(max({key}), 0) + 1, $1), false) FROM {name}"
        );
        let given = given.filter(|_| *name == "work").map_or(1, |given| given + 1);
        sqlx::query(AssertSqlSafe(next))
            .bind(given)
            .execute(&mut *to)
            .await
            .map_err(postgres::failed)?;
    }
    sqlx::query("ALTER TABLE work ENABLE TRIGGER work_first_of_its_lane")
        .execute(to)
        .await
        .map(drop)
        .map_err(postgres::failed)
}

fn names(columns: &[(&str, ColumnKind)]) -> String {
    columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

fn of_sqlite(row: &SqliteRow, n: usize, kind: ColumnKind) -> Result<Cell, sqlx::Error> {
    Ok(match kind {
        Number => Cell::Number(row.try_get(n)?),
        Count => Cell::Count(row.try_get(n)?),
        Flag => Cell::Flag(row.try_get::<Option<i64>, _>(n)?.map(|value| value != 0)),
        Text => {
            let text: Option<String> = row.try_get(n)?;
            Cell::Text(text.map(|text| storable(&text).into_owned()))
        }
        Bytes => Cell::Bytes(row.try_get(n)?),
    })
}

fn of_postgres(row: &PgRow, n: usize, kind: ColumnKind) -> Result<Cell, sqlx::Error> {
    Ok(match kind {
        Number => Cell::Number(row.try_get(n)?),
        Count => Cell::Count(row.try_get(n)?),
        Flag => Cell::Flag(row.try_get(n)?),
        Text => Cell::Text(row.try_get(n)?),
        Bytes => Cell::Bytes(row.try_get(n)?),
    })
}

/// Adds a cell to a digest, so that no two rows read alike; returns its size.
fn add(digest: &mut Sha256, cell: &Cell) -> usize {
    let of = |value: Option<&[u8]>| value.map(<[u8]>::to_vec);
    let bytes = match cell {
        Cell::Number(value) => value.map(|value| value.to_be_bytes().to_vec()),
        Cell::Count(value) => value.map(|value| value.to_be_bytes().to_vec()),
        Cell::Flag(value) => value.map(|value| vec![u8::from(value)]),
        Cell::Text(value) => of(value.as_deref().map(str::as_bytes)),
        Cell::Bytes(value) => of(value.as_deref()),
    };
    let length = bytes.as_ref().map_or(-1, |bytes| i64::try_from(bytes.len()).unwrap_or(i64::MAX));
    digest.update(length.to_be_bytes());
    digest.update(bytes.as_deref().unwrap_or_default());
    bytes.map_or(0, |bytes| bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where this fails, a step was added: move its tables and columns, too.
    #[tokio::test]
    async fn all_tables_and_columns_of_sqlite_are_moved() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        sqlite::migrations::all().run(&mut connection).await.unwrap();
        let there: Vec<(String, String)> = sqlx::query_as(
            "SELECT tables.name, columns.name
             FROM sqlite_master AS tables JOIN pragma_table_info(tables.name) AS columns
             WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite_%'
               AND tables.name <> '_sqlx_migrations'
             ORDER BY 1, 2",
        )
        .fetch_all(&mut connection)
        .await
        .unwrap();
        let mut moved: Vec<(String, String)> = TABLES
            .iter()
            .flat_map(|(table, columns)| {
                columns.iter().map(|(name, _)| ((*table).to_owned(), (*name).to_owned()))
            })
            .collect();
        moved.sort();
        assert_eq!(there, moved);
    }
}
