//! Whether a file can be opened beside a server, as it is.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::{failed, migrations};
use crate::store::StoreError;
use crate::store::steps::fits;

/// Nothing is made or changed: neither the file nor its tables.
pub(in crate::store) async fn look_at(path: &Path) -> Result<(), StoreError> {
    if !path.is_file() {
        return Err(StoreError::Unsuitable(format!(
            "there is no file {}: name the server's configuration with --config, or its data \
             directory with GANDER_DATA",
            path.display()
        )));
    }
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut connection = options.connect().await.map_err(failed)?;
    let ours = "SELECT count(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'";
    let ours: i64 = sqlx::query_scalar(ours).fetch_one(&mut connection).await.map_err(failed)?;
    if ours == 0 {
        let text = format!("{} is no database of Gander's", path.display());
        return Err(StoreError::Unsuitable(text));
    }
    let steps = "SELECT version, checksum FROM _sqlx_migrations ORDER BY version";
    let steps: Vec<(i64, Vec<u8>)> =
        sqlx::query_as(steps).fetch_all(&mut connection).await.map_err(failed)?;
    connection.close().await.map_err(failed)?;
    fits(&migrations::all(), &steps)
}
