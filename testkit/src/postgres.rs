//! A real PostgreSQL server: one for the whole run, or one of its own for a test that stops it.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rustix::process::geteuid;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr};
use tokio::{net::TcpStream, sync::OnceCell};

use crate::{
    pooler::{KEEPS_STATEMENTS, Pooler},
    process::{Folder, Process, Signal},
    run::{eventually, free_port},
};

/// A server with one superuser, `usher`, on a free port of 127.0.0.1.
pub struct Postgres {
    process: Process,
    port: u16,
    folder: Folder,
    settings: Settings,
}

type Settings = &'static [&'static str];
const CARELESS: Settings = &["fsync=off", "full_page_writes=off", "shared_buffers=64MB"];
const DURABLE: Settings = &[];
const COUNTING: Settings = &["shared_preload_libraries=pg_stat_statements"];

impl Postgres {
    /// The URL of database `name` on the server that all tests of a run share: the one that
    /// `USHER_TEST_POSTGRES` names, or else one that this process starts once.
    pub async fn shared_url(name: &str) -> String {
        static SHARED: OnceCell<Postgres> = OnceCell::const_new();
        #[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the product")]
        let given = std::env::var("USHER_TEST_POSTGRES");
        match given {
            Ok(url) => with_database(&url, name),
            Err(_) => SHARED.get_or_init(Self::start).await.url(name),
        }
    }

    /// The same database as the product is to reach it: through the [`Pooler`] of this process when `USHER_TEST_POOLER`
    /// is set, and else at the server itself.
    pub async fn product_url(name: &str) -> String {
        static POOLER: OnceCell<Pooler> = OnceCell::const_new();
        let direct = Self::shared_url(name).await;
        if !Pooler::is_wanted() {
            return direct;
        }
        let pooler = POOLER
            .get_or_init(async || Pooler::start(&direct, KEEPS_STATEMENTS).await)
            .await;
        pooler.url(name)
    }

    /// Starts a new server in a temporary folder; takes about a second. Its data is worth nothing: it runs without
    /// fsync.
    pub async fn start() -> Self {
        Self::start_with(CARELESS).await
    }

    /// Starts a new server that keeps what it has committed, as in production, for measuring.
    pub async fn start_durable() -> Self {
        Self::start_with(DURABLE).await
    }

    /// The same, and it counts what each statement costs (`pg_stat_statements`), which makes all of them a little
    /// slower.
    pub async fn start_counting() -> Self {
        Self::start_with(COUNTING).await
    }

    async fn start_with(settings: Settings) -> Self {
        let folder = Folder::new();
        give_away(&folder);
        let made = command("initdb", folder.path())
            .args([
                "--username=usher",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            ])
            .output()
            .expect("initdb runs");
        assert!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );

        let port = free_port();
        let process = serve(&folder, port, settings);
        let mut postgres = Self {
            process,
            port,
            folder,
            settings,
        };
        postgres.answers().await;
        postgres
    }

    /// The URL of a database on it, as its superuser.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://usher@127.0.0.1:{}/{database}", self.port)
    }

    /// Stops it at once: connections are cut and transactions rolled back.
    pub fn stop(&mut self) {
        self.process.stop();
    }

    /// Starts it again on the same port, with its data.
    pub async fn start_again(&mut self) {
        self.process = serve(&self.folder, self.port, self.settings);
        self.answers().await;
    }

    async fn answers(&mut self) {
        let url = self.url("postgres");
        let (process, port) = (&mut self.process, self.port);
        eventually(Duration::from_secs(60), "PostgreSQL answers", async || {
            process.expect_running();
            TcpStream::connect(("127.0.0.1", port)).await.ok()?;
            administer(&url, "SELECT 1").await.ok()
        })
        .await;
    }
}

/// Runs one statement outside a transaction on a connection of its own.
pub async fn administer(url: &str, sql: &str) -> Result<(), DbErr> {
    let db = single_connection(url).await?;
    let done = db.execute_unprepared(sql).await;
    db.close().await?;
    done.map(drop)
}

/// A pool of one connection, for what belongs to a session.
pub async fn single_connection(url: &str) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(1)
        .sqlx_logging(false)
        .connect_timeout(Duration::from_secs(30));
    Database::connect(options).await
}

fn serve(folder: &Folder, port: u16, own: Settings) -> Process {
    let mut postgres = command("postgres", folder.path());
    postgres.arg(format!("--port={port}"));
    let settings = [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "max_connections=400",
    ];
    for setting in settings.iter().chain(own) {
        postgres.args(["-c", setting]);
    }
    Process::start("postgres", postgres, folder.path().join("postgres.log"), Signal::QUIT)
}

/// A server program on the data in `folder`.
fn command(program: &str, folder: &Path) -> Command {
    let mut command = without_rights(&find(program));
    command
        .arg("-D")
        .arg(folder.join("data"))
        .current_dir("/")
        .env("LC_ALL", "C.UTF-8");
    command
}

/// A program that refuses to be run by root: then it changes to a user without rights.
pub(crate) fn without_rights(program: &Path) -> Command {
    if !geteuid().is_root() {
        return Command::new(program);
    }
    let user = unprivileged();
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid", user, "--regid", group(user), "--clear-groups", "--"])
        .arg(program);
    command
}

/// Lets [`without_rights`] write into it.
pub(crate) fn give_away(folder: &Folder) {
    if geteuid().is_root() {
        let owned = Command::new("chown").arg(unprivileged()).arg(folder.path()).status();
        assert!(
            owned.is_ok_and(|status| status.success()),
            "the folder goes to {}",
            unprivileged()
        );
    }
}

/// Debian keeps the server's programs outside of the PATH, by version.
fn find(program: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions
        .map(|version| version.path().join("bin").join(program))
        .filter(|path| path.is_file())
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| program.into())
}

fn unprivileged() -> &'static str {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    if passwd.lines().any(|line| line.starts_with("postgres:")) {
        "postgres"
    } else {
        "nobody"
    }
}

fn group(user: &str) -> &str {
    if user == "nobody" { "nogroup" } else { user }
}

fn with_database(server: &str, database: &str) -> String {
    let authority = server
        .trim_start_matches("postgres://")
        .split('/')
        .next()
        .expect("a first part");
    format!("postgres://{authority}/{database}")
}
