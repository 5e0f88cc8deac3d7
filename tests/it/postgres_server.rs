//! PostgreSQL for the stories: a real server, one for the whole program, with a schema of its own for
//! each story. Its socket and its files are in a temporary directory, and it listens on no address.
//!
//! It runs as whoever tells the stories, called `nobody` in a namespace of its own: PostgreSQL does
//! not run for a user without a name. A shell keeps it: when this program ends, however it does, the
//! shell's input ends, and it stops the server and removes the directory.

#![allow(clippy::disallowed_methods)] // starts a server, and waits for it

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

/// Starts `postgres` on the directory `$2` with the programs in `$1`, and again where it was stopped
/// for a story, until the input ends.
const KEEPER: &str = r#"
serve() {
    "$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c max_connections=400 \
        -c fsync=off -c full_page_writes=off -c shared_buffers=16MB >>"$2/log" 2>&1 </dev/null &
    server=$!
}
trap '' INT TERM
serve "$1" "$2"
while read -r word; do
    case $word in
        kill) kill -QUIT "$server"; wait "$server" ;;
        start) serve "$1" "$2" ;;
    esac
    echo done
done
kill -QUIT "$server" 2>/dev/null
wait "$server"
rm -rf "$2"
"#;

static SHARED: LazyLock<Server> = LazyLock::new(Server::start);
static SCHEMAS: AtomicU32 = AtomicU32::new(0);

/// A running server.
pub struct Server {
    directory: PathBuf,
    keeper: Child,
}

/// The server that all stories share.
pub fn shared() -> &'static Server {
    &SHARED
}

impl Server {
    /// One of its own, for a story that stops it.
    pub fn start() -> Self {
        let programs = programs();
        let directory = tempfile::Builder::new().prefix("gander-pg-").tempdir().unwrap().keep();
        let made = named(&programs.join("initdb"))
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"])
            .args(["--no-sync", "--no-instructions", "-D"])
            .arg(directory.join("data"))
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut keeper = named(Path::new("/bin/sh"));
        keeper.args(["-c", KEEPER, "keeper"]).arg(&programs).arg(&directory);
        keeper.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let server = Self { directory, keeper: keeper.spawn().unwrap() };
        server.wait();
        server
    }

    /// Until it answers. On a thread of its own: a story may be told by a runtime already.
    fn wait(&self) {
        let options = self.options("postgres");
        let answers = move || {
            let deadline = Instant::now() + Duration::from_secs(20);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.unwrap();
            while runtime.block_on(options.connect()).is_err() {
                if Instant::now() > deadline {
                    return false;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            true
        };
        let log = || std::fs::read_to_string(self.directory.join("log")).unwrap_or_default();
        assert!(std::thread::spawn(answers).join().unwrap(), "PostgreSQL is away:\n{}", log());
    }

    /// As its owner.
    fn options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new()
            .socket(&self.directory)
            .username("postgres")
            .password("")
            .database(database)
            .disable_statement_logging()
    }

    /// A connection of the server's owner, to do what no user of Gander's may.
    pub async fn owner(&self, database: &str) -> PgConnection {
        self.options(database).connect().await.unwrap()
    }

    /// Done by the server's owner.
    pub async fn does(&self, statement: String) {
        let mut owner = self.owner("postgres").await;
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut owner).await.unwrap();
        owner.close().await.unwrap();
    }

    /// The address of a database.
    pub fn address(&self, user: &str, database: &str) -> String {
        format!("postgres://{user}@localhost/{database}?host={}", self.directory.display())
    }

    /// The address of an empty schema.
    pub async fn schema(&self) -> String {
        let name = format!("story_{}", SCHEMAS.fetch_add(1, Ordering::Relaxed));
        self.does(format!("CREATE SCHEMA {name}")).await;
        format!("{}&options=-csearch_path%3D{name}", self.address("postgres", "postgres"))
    }

    /// Ends all its processes at once, as a machine does that loses power, but for the disk.
    pub fn kill(&mut self) {
        self.tell("kill");
    }

    /// Starts it again; it answers when this returns.
    pub fn start_again(&mut self) {
        self.tell("start");
        self.wait();
    }

    fn tell(&mut self, word: &str) {
        use std::io::{BufRead, BufReader, Write};
        writeln!(self.keeper.stdin.as_mut().unwrap(), "{word}").unwrap();
        let mut answer = String::new();
        BufReader::new(self.keeper.stdout.as_mut().unwrap()).read_line(&mut answer).unwrap();
        assert_eq!(answer, "done\n");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The end of its input tells the keeper.
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// The command, as somebody with a name.
fn named(program: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-user=65534", "--map-group=65534", "--"]).arg(program);
    command
}

/// Where the newest server's programs are.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let all = versions.map(|version| version.path().join("bin"));
    let there = all.filter(|directory| directory.join("initdb").exists());
    let version = |directory: &PathBuf| -> Option<u32> {
        directory.parent()?.file_name()?.to_str()?.parse().ok()
    };
    there.max_by_key(version).expect(
        "these stories need PostgreSQL's server programs, which are missing here. Install them and \
         try again: sudo apt-get install postgresql (make setup-test does)",
    )
}
