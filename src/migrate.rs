//! `usher migrate`: upgrade, roll back, show or rebuild the schema.

use anyhow::{Context, Error, Result, bail, ensure};
use clap::Subcommand;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, RuntimeErr, Statement, TransactionTrait};
use usher_migrations::{MigratorTraitSelf, Schema, apply, undo};
use usher_shared::foundation::{
    config::Config,
    db::{self, PoolOptions, SchemaError},
};

use crate::{
    bootstrap::{self, Missing},
    output,
    parts::Parts,
};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Without a command: up
    #[command(subcommand)]
    step: Option<Step>,
}

#[derive(Debug, Subcommand)]
enum Step {
    /// Apply pending migrations; on an empty database also create the first accounts that the settings name
    Up,
    /// Roll back the migrations that were applied last, with what is in their tables
    Down {
        /// How many
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        steps: u32,
    },
    /// List migrations and whether they are applied
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Compare the entities with the migrated schema, and name each difference
    Check,
    /// Delete all data and rebuild the schema
    Fresh {
        /// Confirm that all data is deleted
        #[arg(long)]
        yes: bool,
    },
}

/// An arbitrary constant, on which concurrent migrations wait for each other.
const LOCK: i64 = 0x7573_6865;

pub async fn run(config: &Config, parts: &Parts, args: &Args) -> Result<()> {
    let schema = &parts.schema;
    let options = PoolOptions {
        max_connections: 4,
        create: true,
        ..PoolOptions::default()
    };
    let db = db::connect(&config.database_url, &options).await?;
    match args.step.as_ref().unwrap_or(&Step::Up) {
        Step::Up => {
            let applied = up(&db, schema).await?;
            output::line(match applied {
                0 if is_newer(&db, schema).await? => {
                    "The schema is newer than this program, which works with it.".to_owned()
                }
                0 => "The schema is up to date.".to_owned(),
                1 => "Applied 1 migration.".to_owned(),
                n => format!("Applied {n} migrations."),
            });
            let made = bootstrap::first_accounts(&db, &config.first, Missing::Skip).await?;
            if let Some(email) = made.email {
                output::line(format_args!("Created the first superuser, {email}."));
            }
            Ok(())
        }
        Step::Down { steps } => {
            let undone = locked(&db, down(&db, schema, *steps)).await?;
            output::line(match undone.len() {
                0 => "There is no migration to roll back.".to_owned(),
                1 => "Rolled back 1 migration.".to_owned(),
                n => format!("Rolled back {n} migrations."),
            });
            undone.iter().for_each(output::line);
            Ok(())
        }
        Step::Status { json } => status(&db, schema, *json).await,
        Step::Check => check(&db, parts).await,
        Step::Fresh { yes } => {
            ensure!(
                *yes,
                "this deletes every user, job and audit log entry in the database; add --yes to confirm"
            );
            locked(&db, fresh(&db, schema)).await?;
            output::line("Deleted all data and rebuilt the schema.");
            Ok(())
        }
    }
}

async fn check(db: &DatabaseConnection, parts: &Parts) -> Result<()> {
    let found = parts.schema_differences(db).await?;
    if found.is_empty() {
        output::line("The schema is what the entities expect.");
        return Ok(());
    }
    found.iter().for_each(output::line);
    bail!("the schema differs from the entities in {} places", found.len())
}

/// Applies pending migrations and returns their number. Those of a later release, or of an app that is gone, are left
/// alone: migrations only add, so the previous release keeps working.
pub async fn up(db: &DatabaseConnection, schema: &Schema) -> Result<usize> {
    locked(db, all(db, schema)).await
}

async fn all(db: &DatabaseConnection, schema: &Schema) -> Result<usize> {
    // A role that must not create tables can look at a schema that is there.
    if matches!(db::check_schema(db).await, Err(SchemaError::Missing)) {
        schema.install(db).await.map_err(explained)?;
    }
    let pending = schema.pending(db).await?;
    for step in &pending {
        let failed = || format!("the migration {} failed and was rolled back", step.name());
        apply(db, &**step).await.map_err(explained).with_context(failed)?;
    }
    Ok(pending.len())
}

/// Rolls back the migrations that were applied last and returns their names, newest first. What this program doesn't
/// know may build on what would go, so it refuses beside it.
async fn down(db: &DatabaseConnection, schema: &Schema, steps: u32) -> Result<Vec<String>> {
    schema.install(db).await?;
    if let Some(name) = unknown(db, schema).await?.pop() {
        bail!("this program doesn't know the migration {name}, which may build on others: use the program that has it");
    }
    let (own, mut undone) = (schema.migrations(), vec![]);
    let newest = schema.applied(db).await?.into_iter().rev();
    for name in newest.take(usize::try_from(steps)?) {
        let step = own.iter().find(|step| step.name() == name);
        let step = step.with_context(|| format!("this program doesn't know the migration {name}"))?;
        let failed = || format!("{name} was not rolled back");
        undo(db, &**step).await.with_context(failed)?;
        undone.push(name);
    }
    Ok(undone)
}

/// Drops everything or, if that fails or is interrupted, nothing; then applies all migrations. sea-orm's own `fresh`
/// drops tables in an order that SQLite refuses, and leaves PostgreSQL's functions.
async fn fresh(db: &DatabaseConnection, schema: &Schema) -> Result<()> {
    match db.get_database_backend() {
        DbBackend::Sqlite => drop_tables(db).await?,
        _ => {
            db.execute_unprepared(DROP_ALL).await?;
        }
    }
    all(db, schema).await.map(drop)
}

/// Tables and routines of the schema in one statement. Those of an extension stay with it.
const DROP_ALL: &str = "DO $$ DECLARE relation regclass; routine regprocedure; BEGIN
    FOR relation IN SELECT oid FROM pg_class WHERE relnamespace = current_schema()::regnamespace
        AND relkind IN ('r', 'p') AND NOT relispartition AND NOT EXISTS
        (SELECT 1 FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e')
    LOOP EXECUTE format('DROP TABLE IF EXISTS %s CASCADE', relation); END LOOP;
    FOR routine IN SELECT oid FROM pg_proc WHERE pronamespace = current_schema()::regnamespace AND NOT EXISTS
        (SELECT 1 FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e')
    LOOP EXECUTE format('DROP ROUTINE IF EXISTS %s CASCADE', routine); END LOOP;
END $$";

/// SQLite looks up the foreign keys of a table that is dropped, so it refuses an order that drops what they refer to
/// first. In one call, because a pragma belongs to the connection.
async fn drop_tables(db: &DatabaseConnection) -> Result<()> {
    // A search index first: it owns tables that only go with it.
    let tables = Statement::from_string(
        DbBackend::Sqlite,
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
         ORDER BY sql NOT LIKE 'CREATE VIRTUAL%'",
    );
    let mut script = String::from("PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE;");
    for table in db.query_all_raw(tables).await? {
        let name: String = table.try_get("", "name")?;
        script += &format!("DROP TABLE IF EXISTS \"{name}\";");
    }
    script += "COMMIT; PRAGMA foreign_keys = ON;";
    db.execute_unprepared(&script).await?;
    Ok(())
}

/// Says what to do if the role must not change the schema, or PostgreSQL lacks one of its own extensions.
fn explained(error: DbErr) -> Error {
    let code = match &error {
        DbErr::Exec(RuntimeErr::SqlxError(error)) => error.as_database_error().and_then(|error| error.code()),
        _ => None,
    };
    let missing = match code.as_deref() {
        // `insufficient_privilege`
        Some("42501") => {
            "the role must not change the schema; make it the database's owner: ALTER DATABASE … OWNER TO …"
        }
        // `feature_not_supported`, before PostgreSQL 15 `undefined_file`
        Some("0A000" | "58P01") => {
            "PostgreSQL's own extensions are not installed; many systems package them as postgresql-contrib"
        }
        _ => return error.into(),
    };
    Error::new(error).context(missing)
}

/// One migration at a time: the lock belongs to a transaction, so it works behind a pooler and ends with the process.
/// The transaction is idle while a migration runs, which for an index of a large table takes minutes.
async fn locked<T>(db: &DatabaseConnection, work: impl Future<Output = Result<T>>) -> Result<T> {
    if db.get_database_backend() != DbBackend::Postgres {
        return work.await;
    }
    let lock = db.begin().await?;
    lock.execute_unprepared("SET LOCAL idle_in_transaction_session_timeout = 0")
        .await?;
    lock.execute_raw(Statement::from_string(
        DbBackend::Postgres,
        format!("SELECT pg_advisory_xact_lock({LOCK})"),
    ))
    .await?;
    let done = work.await;
    lock.rollback().await?;
    done
}

/// Migrations that the database has and this program doesn't know, oldest first.
async fn unknown(db: &DatabaseConnection, schema: &Schema) -> Result<Vec<String>> {
    let own: Vec<_> = schema.migrations();
    let applied = schema.get_migration_models(db).await?;
    let names = applied.into_iter().map(|step| step.version);
    Ok(names
        .filter(|name| !own.iter().any(|step| step.name() == name))
        .collect())
}

async fn is_newer(db: &DatabaseConnection, schema: &Schema) -> Result<bool> {
    Ok(!unknown(db, schema).await?.is_empty())
}

/// A migration that the program or the database knows.
struct StepStatus {
    /// None if the program doesn't know it.
    app: Option<&'static str>,
    name: String,
    status: &'static str,
}

async fn steps(db: &DatabaseConnection, schema: &Schema) -> Result<Vec<StepStatus>> {
    schema.install(db).await?;
    let applied = schema.get_migration_models(db).await?;
    let step = |name: &str, status| StepStatus {
        app: schema.app_of(name),
        name: name.to_owned(),
        status,
    };
    let own = schema.migrations().into_iter().map(|migration| {
        let is_applied = applied.iter().any(|applied| applied.version == migration.name());
        step(migration.name(), if is_applied { "Applied" } else { "Pending" })
    });
    let unknown = unknown(db, schema).await?;
    let unknown = unknown.iter().map(|name| step(name, "Unknown"));
    Ok(own.chain(unknown).collect())
}

async fn status(db: &DatabaseConnection, schema: &Schema, json: bool) -> Result<()> {
    let steps = steps(db, schema).await?;
    if json {
        let row = |step: StepStatus| serde_json::json!({"app": step.app, "name": step.name, "status": step.status});
        output::json(&steps.into_iter().map(row).collect());
    } else {
        let row = |step: StepStatus| [step.app.unwrap_or("-").to_owned(), step.name, step.status.to_owned()];
        output::table(["APP", "MIGRATION", "STATUS"], steps.into_iter().map(row));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use usher_migrations::{AppMigrations, SqlMigration};
    use usher_testkit::{TestDb, on_both};

    use super::*;

    const BOOKS: SqlMigration = step("m20260101_000001_books", "books");
    const SHELVES: SqlMigration = step("m20260101_000002_shelves", "shelves");

    const fn step(name: &'static str, table: &'static str) -> SqlMigration {
        match table.as_bytes() {
            b"books" => SqlMigration::new(name, "CREATE TABLE books (id {id});", "DROP TABLE books;"),
            _ => SqlMigration::new(name, "CREATE TABLE shelves (id {id});", "DROP TABLE shelves;"),
        }
    }

    fn library(apps: &[(&'static str, &[SqlMigration])]) -> Schema {
        let apps = apps.iter().map(|(app, steps)| AppMigrations {
            app,
            steps: steps.to_vec(),
        });
        Schema(apps.collect())
    }

    async fn has(db: &DatabaseConnection, table: &str) -> bool {
        db.execute_unprepared(&format!("SELECT 1 FROM {table}")).await.is_ok()
    }

    #[on_both]
    async fn what_was_applied_last_is_rolled_back_first_whatever_its_app(db: TestDb) {
        let db = db.connect().await;
        let schema = library(&[("shelves", &[SHELVES]), ("books", &[BOOKS])]);
        assert_eq!(up(&db, &schema).await.unwrap(), 2);
        // As if books had been there for long when shelves came.
        db.execute_unprepared("UPDATE seaql_migrations SET applied_at = 1 WHERE version LIKE '%_books'")
            .await
            .unwrap();
        assert_eq!(down(&db, &schema, 1).await.unwrap(), [SHELVES.name()]);
        assert!(has(&db, "books").await && !has(&db, "shelves").await);
        assert_eq!(up(&db, &schema).await.unwrap(), 1, "it is pending again");
    }

    #[on_both]
    async fn a_step_is_applied_even_if_newer_ones_are_and_an_app_that_is_gone_blocks_nothing(db: TestDb) {
        let db = db.connect().await;
        up(&db, &library(&[("shelves", &[SHELVES])])).await.unwrap();
        let merged = library(&[("shelves", &[BOOKS, SHELVES])]);
        assert_eq!(up(&db, &merged).await.unwrap(), 1);
        assert_eq!(up(&db, &library(&[("books", &[BOOKS])])).await.unwrap(), 0);
        let without = library(&[("other", &[])]);
        let refused = down(&db, &without, 1).await.unwrap_err().to_string();
        assert!(refused.contains("this program doesn't know"), "{refused}");
    }

    #[on_both]
    async fn a_step_is_applied_whole_or_not_at_all(db: TestDb) {
        let db = db.connect().await;
        let halves = "CREATE TABLE books (id {id}); CREATE TABLE users (id {id});";
        for (sql, expected) in [
            (halves, "already exists"),
            ("-- CREATE TABLE books (id {id});", "write its SQL"),
            ("CREATE TABLE books (at {tim});", "{tim} is no placeholder"),
        ] {
            let schema = library(&[("books", &[SqlMigration::new("m20260101_000003_half", sql, "")])]);
            let error = format!("{:#}", up(&db, &schema).await.unwrap_err());
            assert!(
                error.contains("m20260101_000003_half") && error.contains(expected),
                "{error}"
            );
            assert!(!has(&db, "books").await, "{sql}");
        }
    }
}
