//! PgBouncer in transaction mode, in front of a PostgreSQL server: each transaction may run on another connection.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use tokio::net::TcpStream;

use crate::{
    postgres::{give_away, without_rights},
    process::{Folder, Process, Signal},
    run::{eventually, free_port},
};

/// What the product needs of `max_prepared_statements`.
pub const KEEPS_STATEMENTS: u32 = 200;

/// A pooler on a free port of 127.0.0.1. Each database behind it has [`Pooler::CONNECTIONS`] at most.
pub struct Pooler {
    port: u16,
    _process: Process,
    _folder: Folder,
}

impl Pooler {
    /// Connections to one database; PgBouncer's own default.
    pub const CONNECTIONS: u32 = 20;

    /// Whether all tests on PostgreSQL are to go through one.
    #[must_use]
    pub fn is_wanted() -> bool {
        let wanted = std::env::var_os("USHER_TEST_POOLER");
        wanted.is_some_and(|value| value == "1")
    }

    /// Starts one in front of the server of this URL. With 0 prepared statements it behaves as those before 1.21 did.
    pub async fn start(server: &str, prepared_statements: u32) -> Self {
        let (folder, port) = (Folder::new(), free_port());
        give_away(&folder);
        let settings = folder.path().join("pgbouncer.ini");
        fs::write(&settings, ini(server, port, prepared_statements)).expect("its settings are written");
        let mut command = without_rights(&find());
        command.arg(&settings).current_dir("/");
        let log = folder.path().join("pgbouncer.log");
        let mut process = Process::start("pgbouncer", command, log, Signal::TERM);
        eventually(Duration::from_secs(20), "PgBouncer answers", async || {
            process.expect_running();
            TcpStream::connect(("127.0.0.1", port)).await.ok()
        })
        .await;
        Self {
            port,
            _process: process,
            _folder: folder,
        }
    }

    /// The URL of a database through it.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://usher@127.0.0.1:{}/{database}", self.port)
    }
}

fn ini(server: &str, port: u16, prepared_statements: u32) -> String {
    let server = url::Url::parse(server).expect("a URL");
    let (host, behind) = (server.host_str().expect("a host"), server.port().unwrap_or(5432));
    // One that has never heard of them refuses the setting, and does as if it were 0.
    let statements = match prepared_statements {
        0 if !knows_statements() => String::new(),
        count => format!("max_prepared_statements = {count}\n"),
    };
    format!(
        "[databases]\n\
         * = host={host} port={behind} user=usher\n\
         [pgbouncer]\n\
         listen_addr = 127.0.0.1\n\
         listen_port = {port}\n\
         unix_socket_dir =\n\
         auth_type = any\n\
         pool_mode = transaction\n\
         default_pool_size = {connections}\n\
         max_client_conn = 1000\n\
         {statements}",
        connections = Pooler::CONNECTIONS,
    )
}

/// Whether it is 1.21 or newer.
fn knows_statements() -> bool {
    let version = Command::new(find()).arg("--version").output().expect("PgBouncer runs");
    let version = String::from_utf8_lossy(&version.stdout);
    let minor = version.trim_start_matches("PgBouncer 1.").split(['.', '\n']).next();
    minor
        .and_then(|minor| minor.parse::<u32>().ok())
        .is_none_or(|minor| minor >= 21)
}

/// Debian keeps it outside of an ordinary user's PATH.
fn find() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("pgbouncer"));
    let mut found = found.chain([Path::new("/usr/sbin/pgbouncer").to_owned()]);
    found
        .find(|path| path.is_file())
        .expect("PgBouncer is missing: install pgbouncer")
}
