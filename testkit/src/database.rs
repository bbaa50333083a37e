//! A fresh, migrated database for one test, on SQLite or on PostgreSQL, copied from a template that
//! is migrated once.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    thread,
};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr};
use tokio::sync::OnceCell;
use usher_migrations::{Migrator, MigratorTrait};
use usher_shared::foundation::db::{PoolOptions, connect};
use uuid::Uuid;

use crate::{
    Folder, Postgres,
    postgres::{administer, single_connection},
};

/// A database of one test's own; dropped with the value.
pub struct TestDb {
    url: String,
    place: Place,
}

enum Place {
    /// The folder that holds the file.
    Sqlite(Folder),
    Postgres {
        name: String,
    },
}

impl TestDb {
    /// Runs one test to its end; panics after five minutes.
    pub fn run<T>(test: impl Future<Output = T>) -> T {
        crate::run(test)
    }

    /// A migrated SQLite file in a temporary folder.
    pub async fn sqlite() -> Self {
        static TEMPLATE: OnceCell<Folder> = OnceCell::const_new();
        let template = TEMPLATE.get_or_init(sqlite_template).await;
        let db = Self::empty_sqlite();
        let Place::Sqlite(folder) = &db.place else {
            unreachable!("made as SQLite")
        };
        fs::copy(template.join("usher.db"), folder.join("usher.db")).expect("the template is copied");
        db
    }

    /// The URL of a SQLite file that does not exist yet.
    #[must_use]
    pub fn empty_sqlite() -> Self {
        let folder = Folder::new();
        Self {
            url: format!("sqlite://{}", folder.join("usher.db")),
            place: Place::Sqlite(folder),
        }
    }

    /// A migrated database on the shared PostgreSQL server.
    pub async fn postgres() -> Self {
        static TEMPLATE: OnceCell<String> = OnceCell::const_new();
        let template = TEMPLATE.get_or_init(postgres_template).await;
        Self::on_postgres(template).await
    }

    /// A database without tables on the shared PostgreSQL server.
    pub async fn empty_postgres() -> Self {
        Self::on_postgres("template1").await
    }

    async fn on_postgres(template: &str) -> Self {
        let name = format!("usher_test_{}", Uuid::new_v4().simple());
        let server = Postgres::shared_url("postgres").await;
        administer(&server, &format!("CREATE DATABASE {name} TEMPLATE {template}"))
            .await
            .unwrap_or_else(|error| panic!("no database on {server}: {error}"));
        Self {
            url: Postgres::product_url(&name).await,
            place: Place::Postgres { name },
        }
    }

    /// For `DATABASE_URL`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The same at the server itself, for tools that are not to go through a pooler.
    pub async fn server_url(&self) -> String {
        match &self.place {
            Place::Sqlite(_) => self.url.clone(),
            Place::Postgres { name } => Postgres::shared_url(name).await,
        }
    }

    /// Whether it is on PostgreSQL, for the few facts that differ.
    #[must_use]
    pub fn is_postgres(&self) -> bool {
        matches!(self.place, Place::Postgres { .. })
    }

    /// A pool of connections, made as the product makes it.
    pub async fn connect(&self) -> DatabaseConnection {
        connect(&self.url, &PoolOptions::default())
            .await
            .unwrap_or_else(|error| panic!("no connection to {}: {error}", self.url))
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        let Place::Postgres { name } = &self.place else { return };
        // Connections of this test may still be open: FORCE ends them. On a thread, because a drop
        // can wait for a future only on a runtime that is not its own.
        let drop_database = format!("DROP DATABASE {name} WITH (FORCE)");
        let dropped = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime
                .expect("a runtime")
                .block_on(async { administer(&Postgres::shared_url("postgres").await, &drop_database).await })
        })
        .join();
        if !thread::panicking() {
            dropped.expect("the thread ends").expect("the database is dropped");
        }
    }
}

/// A folder with a migrated `usher.db`.
async fn sqlite_template() -> Folder {
    let folder = Folder::new();
    let options = PoolOptions {
        create: true,
        ..PoolOptions::default()
    };
    let db = connect(&format!("sqlite://{}", folder.join("usher.db")), &options).await;
    let db = db.expect("a new SQLite file opens");
    Migrator::up(&db, None).await.expect("the migrations run on SQLite");
    db.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)")
        .await
        .expect("the log goes into the file");
    db.close().await.expect("the file closes");
    folder
}

/// The name of a migrated database on the shared server. It is made under another name and renamed
/// when it is whole, and an advisory lock lets one process at a time make it.
async fn postgres_template() -> String {
    let name = format!("usher_template_{:016x}", migrations_hash());
    let server = single_connection(&Postgres::shared_url("postgres").await)
        .await
        .expect("the server answers");
    make_template(&server, &name)
        .await
        .unwrap_or_else(|error| panic!("no migrated template: {error}"));
    server.close().await.expect("the connection closes");
    name
}

async fn make_template(server: &DatabaseConnection, name: &str) -> Result<(), DbErr> {
    server.execute_unprepared("SELECT pg_advisory_lock(8743690)").await?;
    let exists = format!("SELECT 1 FROM pg_database WHERE datname = '{name}'");
    if server
        .query_one_raw(sea_orm::Statement::from_string(server.get_database_backend(), exists))
        .await?
        .is_some()
    {
        return Ok(()); // closing the connection gives the lock back
    }
    server
        .execute_unprepared(&format!("DROP DATABASE IF EXISTS {name}_unfinished"))
        .await?;
    server
        .execute_unprepared(&format!("CREATE DATABASE {name}_unfinished"))
        .await?;
    let template = single_connection(&Postgres::shared_url(&format!("{name}_unfinished")).await).await?;
    Migrator::up(&template, None).await?;
    template.close().await?;
    server
        .execute_unprepared(&format!("ALTER DATABASE {name}_unfinished RENAME TO {name}"))
        .await?;
    Ok(())
}

fn migrations_hash() -> u64 {
    let mut hasher = DefaultHasher::new();
    for migration in Migrator::migrations() {
        migration.name().hash(&mut hasher);
    }
    hasher.finish()
}
