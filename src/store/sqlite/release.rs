//! Releases: written in the one commit, read like jobs.

use sqlx::sqlite::{SqliteConnection, SqlitePool};

use super::{failed, from_json, second_of_its_kind, to_json};
use crate::core::id::{Number, ReleaseId, RepoId, Timestamp};
use crate::core::machine::Machine;
use crate::core::release::Release;
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
    sqlx::query(
        "INSERT INTO releases (id, repo, base, package, pull, turn, state, version, created, updated)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, ?8, ?8)",
    )
    .bind(release.id.as_str())
    .bind(release.repo.repo_id.0.cast_signed())
    .bind(release.base.as_str())
    .bind(release.order.package.as_deref().unwrap_or_default())
    .bind(pull_number(release))
    .bind(turn(release))
    .bind(to_json("a release", release)?)
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
    let changed = sqlx::query(
        "UPDATE releases SET pull = ?3, turn = ?4, state = ?5, version = version + 1, updated = ?6
         WHERE id = ?1 AND version = ?2",
    )
    .bind(release.id.as_str())
    .bind(version)
    .bind(pull_number(release))
    .bind(turn(release))
    .bind(to_json("a release", release)?)
    .bind(now.0)
    .execute(connection)
    .await
    .map_err(second_of_its_kind)?;
    if changed.rows_affected() == 0 { Err(StoreError::Conflict) } else { Ok(()) }
}

fn pull_number(release: &Release) -> Option<i64> {
    release.pull.as_ref().map(|pull| pull.number.0.cast_signed())
}

fn turn(release: &Release) -> &'static str {
    match (release.is_queued(), release.is_done()) {
        (true, _) => "waits",
        (_, true) => "over",
        (false, false) => "live",
    }
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
        .map(stored)
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
        .map(stored)
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

fn all(rows: Result<Vec<(String, i64)>, sqlx::Error>) -> Result<Vec<Stored<Release>>, StoreError> {
    rows.map_err(failed)?.into_iter().map(stored).collect()
}

fn stored((state, version): (String, i64)) -> Result<Stored<Release>, StoreError> {
    Ok(Stored { machine: from_json("a release", &state)?, version })
}
