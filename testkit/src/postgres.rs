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
    process::{Folder, Process, Signal},
    run::{eventually, free_port},
};

/// A server with one superuser, `usher`, on a free port of 127.0.0.1.
pub struct Postgres {
    process: Process,
    port: u16,
    folder: Folder,
    durable: bool,
}

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

    /// Starts a new server in a temporary folder; takes about a second. Its data is worth nothing: it runs without fsync.
    pub async fn start() -> Self {
        Self::start_with(false).await
    }

    /// Starts a new server that keeps what it has committed, as in production, for measuring.
    pub async fn start_durable() -> Self {
        Self::start_with(true).await
    }

    async fn start_with(durable: bool) -> Self {
        let folder = Folder::new();
        if geteuid().is_root() {
            let owned = Command::new("chown").arg(unprivileged()).arg(folder.path()).status();
            assert!(
                owned.is_ok_and(|status| status.success()),
                "the folder goes to {}",
                unprivileged()
            );
        }
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
        let process = serve(&folder, port, durable);
        let mut postgres = Self {
            process,
            port,
            folder,
            durable,
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
        self.process = serve(&self.folder, self.port, self.durable);
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

fn serve(folder: &Folder, port: u16, durable: bool) -> Process {
    let mut postgres = command("postgres", folder.path());
    postgres.arg(format!("--port={port}"));
    let settings = [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "max_connections=400",
    ];
    let careless = ["fsync=off", "full_page_writes=off", "shared_buffers=64MB"];
    for setting in settings.iter().chain(careless.iter().filter(|_| !durable)) {
        postgres.args(["-c", setting]);
    }
    Process::start("postgres", postgres, folder.path().join("postgres.log"), Signal::QUIT)
}

/// A server program on the data in `folder`; run by root it changes to a user without rights,
/// because PostgreSQL refuses root.
fn command(program: &str, folder: &Path) -> Command {
    let path = find(program);
    let mut command = if geteuid().is_root() {
        let user = unprivileged();
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid", user, "--regid", group(user), "--clear-groups", "--"])
            .arg(path);
        command
    } else {
        Command::new(path)
    };
    command
        .arg("-D")
        .arg(folder.join("data"))
        .current_dir("/")
        .env("LC_ALL", "C.UTF-8");
    command
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
