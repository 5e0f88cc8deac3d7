//! Releases: written in the one commit, read like jobs.

use sqlx::sqlite::{SqliteConnection, SqlitePool};

use super::{failed, second_of_its_kind};
use crate::core::id::{Number, ReleaseId, RepoId, Timestamp};
use crate::core::release::Release;
use crate::store::rows::{self, ReleaseRow, StoredRow};
use crate::store::{StoreError, Stored, Write};

pub(super) async fn write(
    connection: &mut SqliteConnection,
    write: &Write<Release>,
    now: Timestamp,
) -> Result<(), StoreError> {
    match write {
        Write::New(release) => insert(connection, release, now).await,
        Write::Change(release, version) => update(connection, release, *version, now).await,
    }
}

async fn insert(
    connection: &mut SqliteConnection,
    release: &Release,
    now: Timestamp,
) -> Result<(), StoreError> {
    let existing: Option<(i64,)> = sqlx::query_as("SELECT seq FROM releases WHERE id = ?")
        .bind(release.id.as_str())
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed)?;
    if existing.is_some() {
        return Err(StoreError::AlreadyDone);
    }
    let row = ReleaseRow::of(release)?;
    sqlx::query(
        "INSERT INTO releases (id, repo, base, package, pull, turn, state, version, created, updated)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, ?8, ?8)",
    )
    .bind(release.id.as_str())
    .bind(release.repo.repo_id.0.cast_signed())
    .bind(release.base.as_str())
    .bind(release.order.package.as_deref().unwrap_or_default())
    .bind(row.pull)
    .bind(row.turn)
    .bind(row.state)
    .bind(now.0)
    .execute(connection)
    .await
    .map(drop)
    .map_err(second_of_its_kind)
}

async fn update(
    connection: &mut SqliteConnection,
    release: &Release,
    version: i64,
    now: Timestamp,
) -> Result<(), StoreError> {
    let row = ReleaseRow::of(release)?;
    let changed = sqlx::query(
        "UPDATE releases SET pull = ?3, turn = ?4, state = ?5, version = version + 1, updated = ?6
         WHERE id = ?1 AND version = ?2",
    )
    .bind(release.id.as_str())
    .bind(version)
    .bind(row.pull)
    .bind(row.turn)
    .bind(row.state)
    .bind(now.0)
    .execute(connection)
    .await
    .map_err(second_of_its_kind)?;
    if changed.rows_affected() == 0 { Err(StoreError::Conflict) } else { Ok(()) }
}

pub(super) async fn release(
    pool: &SqlitePool,
    id: &ReleaseId,
) -> Result<Option<Stored<Release>>, StoreError> {
    sqlx::query_as("SELECT state, version FROM releases WHERE id = ?")
        .bind(id.as_str())
        .fetch_optional(pool)
        .await
        .map_err(failed)?
        .map(rows::release)
        .transpose()
}

pub(super) async fn open(
    pool: &SqlitePool,
    repo: Option<RepoId>,
) -> Result<Vec<Stored<Release>>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT state, version FROM releases
         WHERE turn <> 'over' AND (?1 IS NULL OR repo = ?1) ORDER BY seq",
    );
    all(rows.bind(repo.map(|repo| repo.0.cast_signed())).fetch_all(pool).await)
}

pub(super) async fn of_pull(
    pool: &SqlitePool,
    repo: RepoId,
    pull: Number,
) -> Result<Option<Stored<Release>>, StoreError> {
    let row = sqlx::query_as(
        "SELECT state, version FROM releases WHERE repo = ? AND pull = ? ORDER BY seq DESC LIMIT 1",
    );
    row.bind(repo.0.cast_signed())
        .bind(pull.0.cast_signed())
        .fetch_optional(pool)
        .await
        .map_err(failed)?
        .map(rows::release)
        .transpose()
}

pub(super) async fn last(
    pool: &SqlitePool,
    repo: RepoId,
    most: u32,
) -> Result<Vec<Stored<Release>>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT state, version FROM releases WHERE repo = ? ORDER BY seq DESC LIMIT ?",
    );
    all(rows.bind(repo.0.cast_signed()).bind(most).fetch_all(pool).await)
}

fn all(found: Result<Vec<StoredRow>, sqlx::Error>) -> Result<Vec<Stored<Release>>, StoreError> {
    found.map_err(failed)?.into_iter().map(rows::release).collect()
}
