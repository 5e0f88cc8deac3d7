//! Reaching the server, and seeing that server, user and database are ones that can be used.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection};
use url::{Host, Url};

use super::{failed, migrations};
use crate::store::looked::{TAKEN, stands};
use crate::store::steps::fits;
use crate::store::{DatabaseState, StoreError};

/// The oldest version that is used, as the server counts.
const OLDEST: i32 = 140_000;
/// Connections of one process, one of which listens.
const CONNECTIONS: u32 = 10;
/// How long a connection is waited for, so that a server that is started anew is not missed.
/// GitHub waits ten seconds for an answer.
const CONNECTED_WITHIN: Duration = Duration::from_secs(8);

/// What holds for all that is asked. What waits for a lock, or goes on with nothing, is ended
/// before a lease is over.
const SESSION: &str = "SELECT set_config('statement_timeout', '8s', false),
         set_config('lock_timeout', '8s', false),
         set_config('idle_in_transaction_session_timeout', '8s', false),
         set_config('default_transaction_isolation', 'read committed', false),
         set_config('synchronous_commit', CASE current_setting('synchronous_commit')
             WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)";

/// Without `sslmode`, a server on this machine is spoken to as it is, any other by TLS with its
/// certificate checked. No password comes from anywhere but the address.
pub(in crate::store) fn options(address: &str) -> Result<PgConnectOptions, StoreError> {
    let bad = || StoreError::Unsuitable("its address cannot be read".to_owned());
    let url = Url::parse(address).map_err(|_| bad())?;
    let mut options = PgConnectOptions::from_str(address).map_err(|_| bad())?;
    // An address of IPv6 stands in brackets in a URL, and nowhere else.
    let bare = options.get_host().strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    if let Some(host) = bare.map(str::to_owned) {
        options = options.host(&host);
    }
    if url.password().is_none() {
        options = options.password("");
    }
    if !url.query_pairs().any(|(name, _)| name == "sslmode") {
        let mode = if is_here(&url) { PgSslMode::Disable } else { PgSslMode::VerifyFull };
        options = options.ssl_mode(mode);
    }
    Ok(options.application_name("gander").disable_statement_logging())
}

/// Whether the server is on this machine: a socket, or a loopback address.
fn is_here(url: &Url) -> bool {
    if url.query_pairs().any(|(name, value)| name == "host" && value.starts_with('/')) {
        return true;
    }
    let by_name = |name: &str| {
        let address = name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        name == "localhost" || name.to_ascii_lowercase().starts_with("%2f") || address
    };
    match url.host() {
        // As long as the scheme is none that the URL standard knows, hosts are not told apart.
        Some(Host::Domain(name)) => by_name(name),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

pub(super) fn pool(options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(CONNECTED_WITHIN)
        .idle_timeout(Duration::from_secs(60))
        .after_connect(|connection, _| {
            Box::pin(async move { sqlx::query(SESSION).execute(connection).await.map(drop) })
        })
        .connect_lazy_with(options)
}

/// Sees that the database can be used, and brings its tables up to date.
pub(in crate::store) async fn prepare(options: &PgConnectOptions) -> Result<(), StoreError> {
    let mut connection = reach(options).await?;
    look_at(&mut connection, options).await?;
    look_at_rights(&mut connection, options).await?;
    let alone = PgPoolOptions::new().max_connections(1).connect_lazy_with(options.clone());
    migrations::all().run(&alone).await.map_err(not_migrated)?;
    alone.close().await;
    // Whether the server was told good-bye changes nothing.
    let _ = connection.close().await;
    Ok(())
}

/// Sees that the database is one that a server of this version works with.
pub(super) async fn look_beside(options: &PgConnectOptions) -> Result<(), StoreError> {
    let mut connection = reach(options).await?;
    look_at(&mut connection, options).await?;
    let ours = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
    let ours: bool = sqlx::query_scalar(ours).fetch_one(&mut connection).await.map_err(failed)?;
    if !ours {
        return Err(StoreError::Unsuitable("nothing of Gander's is in it yet".to_owned()));
    }
    let steps = "SELECT version, checksum FROM _sqlx_migrations ORDER BY version";
    let steps: Vec<(i64, Vec<u8>)> =
        sqlx::query_as(steps).fetch_all(&mut connection).await.map_err(failed)?;
    let _ = connection.close().await;
    fits(&migrations::all(), &steps)
}

/// How the database stands to this version. It is not changed.
pub(super) async fn look(options: &PgConnectOptions) -> Result<DatabaseState, StoreError> {
    let mut connection = reach(options).await?;
    look_at(&mut connection, options).await?;
    look_at_rights(&mut connection, options).await?;
    let there = sqlx::query_scalar::<_, bool>("SELECT to_regclass('_sqlx_migrations') IS NOT NULL");
    if !there.fetch_one(&mut connection).await.map_err(failed)? {
        return Ok(DatabaseState::New);
    }
    let taken = sqlx::query_as::<_, (i64, Vec<u8>)>(TAKEN).fetch_all(&mut connection).await;
    Ok(stands(&taken.map_err(failed)?, &migrations::all()))
}

/// A connection to a server, as a user, and to a database.
async fn reach(options: &PgConnectOptions) -> Result<PgConnection, StoreError> {
    let connected = tokio::time::timeout(CONNECTED_WITHIN, options.connect()).await;
    let place = match options.get_socket() {
        Some(directory) => format!("PostgreSQL at the socket in {}", directory.display()),
        None => format!("PostgreSQL at {}:{}", options.get_host(), options.get_port()),
    };
    connected
        .map_err(|_| {
            let seconds = CONNECTED_WITHIN.as_secs();
            StoreError::Unavailable(format!("{place} did not answer within {seconds} s").into())
        })?
        .map_err(|cause| not_let_in(options, &place, cause))
}

/// What a refused connection is called, and the next step.
fn not_let_in(options: &PgConnectOptions, place: &str, cause: sqlx::Error) -> StoreError {
    let user = options.get_username();
    let database = options.get_database().unwrap_or(user);
    match &cause {
        sqlx::Error::Io(error) if is_of_tls(error) => not_by_tls(place, error),
        sqlx::Error::Tls(error) => not_by_tls(place, error.as_ref()),
        sqlx::Error::Io(error) => StoreError::Unavailable(
            format!("{place} cannot be reached: {error}. Start it, or correct `database`").into(),
        ),
        sqlx::Error::Database(refusal) => match refusal.code().as_deref() {
            Some("28P01" | "28000") => StoreError::Unsuitable(format!(
                "{place} does not let the user {user:?} in: {}. Correct the user or its password",
                refusal.message()
            )),
            Some("3D000") => StoreError::Unsuitable(format!(
                "{place} has no database {database:?}. Make one: \
                 createdb --owner={user} --encoding=UTF8 {database}"
            )),
            Some("42501") => StoreError::Unsuitable(format!(
                "the user {user:?} may not connect to the database {database:?}; as its owner: \
                 GRANT CONNECT ON DATABASE {database} TO {user}"
            )),
            _ => StoreError::Unavailable(format!("{place} says: {}", refusal.message()).into()),
        },
        _ => failed(cause),
    }
}

fn is_of_tls(error: &std::io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
}

fn not_by_tls(place: &str, error: &dyn std::error::Error) -> StoreError {
    StoreError::Unsuitable(format!(
        "{place} was not reached by TLS: {error}. Name the certificate of its authority with \
         `sslrootcert=FILE` in the address, or say with `sslmode` what is to be checked"
    ))
}

/// Version and its name, encoding, whether it is a standby, whether it keeps what it acknowledged,
/// the schema and whether tables may be made there, whether a program like this one made some, and
/// the first that are there.
type DatabaseSeen =
    (i32, String, String, bool, bool, Option<String>, Option<bool>, bool, Vec<String>);

const LOOK: &str = "SELECT current_setting('server_version_num')::integer,
         current_setting('server_version'),
         current_setting('server_encoding'),
         pg_is_in_recovery(),
         current_setting('fsync')::boolean AND current_setting('full_page_writes')::boolean,
         current_schema()::text,
         has_schema_privilege(current_schema(), 'CREATE'),
         to_regclass('_sqlx_migrations') IS NOT NULL,
         array(SELECT relname::text FROM pg_class
               WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v')
               ORDER BY relname LIMIT 3)";

async fn look_at(
    connection: &mut PgConnection,
    options: &PgConnectOptions,
) -> Result<(), StoreError> {
    let found: DatabaseSeen = sqlx::query_as(LOOK).fetch_one(connection).await.map_err(failed)?;
    let (version, name, encoding, is_standby, keeps, schema, may_create, is_ours, tables) = found;
    let unsuitable = |text: String| Err(StoreError::Unsuitable(text));
    let user = options.get_username();
    let database = options.get_database().unwrap_or(user);
    if version < OLDEST {
        return unsuitable(format!(
            "the server is PostgreSQL {}, and {} or newer is needed",
            name,
            OLDEST / 10_000
        ));
    }
    if encoding != "UTF8" {
        return unsuitable(format!(
            "the database {database:?} is encoded as {}. Make one with: \
             createdb --owner={user} --encoding=UTF8 --template=template0 NAME",
            encoding
        ));
    }
    if is_standby {
        return unsuitable(
            "the server is a standby, which takes no writes: name the primary in `database`"
                .to_owned(),
        );
    }
    let Some(schema) = schema else {
        return unsuitable(format!(
            "the user {user:?} sees no schema in the database {database:?}"
        ));
    };
    if may_create != Some(true) {
        return unsuitable(format!(
            "the user {user:?} may not make tables in the database {database:?}; as its owner: \
             GRANT CREATE, USAGE ON SCHEMA {schema} TO {user}"
        ));
    }
    if !is_ours && !tables.is_empty() {
        return unsuitable(format!(
            "the database {database:?} holds something else ({}): give Gander one of its own",
            tables.join(", ")
        ));
    }
    if !keeps {
        tracing::warn!(
            "the database server runs with fsync or full_page_writes off: what it has acknowledged \
             may be lost when its machine stops"
        );
    }
    Ok(())
}

/// Tables that somebody else made may be closed to this user.
async fn look_at_rights(
    connection: &mut PgConnection,
    options: &PgConnectOptions,
) -> Result<(), StoreError> {
    let closed: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class
         WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
           AND NOT (has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT')
                    AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE'))
         ORDER BY relname",
    )
    .fetch_all(connection)
    .await
    .map_err(failed)?;
    if closed.is_empty() {
        return Ok(());
    }
    let user = options.get_username();
    Err(StoreError::Unsuitable(format!(
        "the user {user:?} may not read and write {}. Let it own them, or as their owner: \
         GRANT ALL ON ALL TABLES IN SCHEMA public TO {user}",
        closed.join(", ")
    )))
}

fn not_migrated(cause: MigrateError) -> StoreError {
    match cause {
        MigrateError::Execute(cause) | MigrateError::ExecuteMigration(cause, _) => failed(cause),
        MigrateError::VersionMissing(step) => StoreError::Unsuitable(format!(
            "its tables are of a newer version of Gander (step {step}), or of another program: use \
             that version, or another database"
        )),
        MigrateError::VersionMismatch(step) => StoreError::Unsuitable(format!(
            "its tables are not Gander's (step {step} is another): give Gander a database of its \
             own"
        )),
        cause => StoreError::Corrupt { what: "its list of migrations", source: Box::new(cause) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_elsewhere_is_reached_by_tls_unless_the_address_says_otherwise() {
        for (address, expected) in [
            ("postgres://g:x@db.example/gander", PgSslMode::VerifyFull),
            ("postgres://g:x@10.0.0.7/gander", PgSslMode::VerifyFull),
            ("postgres://g:x@10.0.0.7/gander?sslmode=disable", PgSslMode::Disable),
            ("postgres://g@127.0.0.1:5433/gander", PgSslMode::Disable),
            ("postgres://g@[::1]/gander", PgSslMode::Disable),
            ("postgres://g@localhost/gander", PgSslMode::Disable),
            ("postgres://g@localhost/gander?host=/run/postgresql", PgSslMode::Disable),
            ("postgres://g@%2Frun%2Fpostgresql/gander", PgSslMode::Disable),
            ("postgres://g@localhost.example/gander", PgSslMode::VerifyFull),
        ] {
            let mode = options(address).unwrap().get_ssl_mode();
            assert_eq!(format!("{mode:?}"), format!("{expected:?}"), "{address}");
        }
        assert_eq!(options("postgres://g@[::1]:5433/gander").unwrap().get_host(), "::1");
    }
}
