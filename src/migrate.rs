//! `usher migrate`: the schema up, down, its state, or everything anew.

use anyhow::{Error, Result, ensure};
use clap::Subcommand;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, RuntimeErr, Statement, TransactionTrait};
use usher_migrations::{Migrator, MigratorTrait};
use usher_shared::foundation::{
    config::Config,
    db::{self, PoolOptions},
};

use crate::{
    bootstrap::{self, Missing},
    say,
};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Without a word: up
    #[command(subcommand)]
    step: Option<Step>,
}

#[derive(Debug, Subcommand)]
enum Step {
    /// Apply what is pending; on an empty database also make the first accounts that the settings give
    Up,
    /// Take back the newest migrations
    Down {
        /// How many
        #[arg(long, default_value_t = 1)]
        steps: u32,
    },
    /// List every migration and whether it is applied
    Status {
        #[arg(long)]
        json: bool,
    },
    /// Delete everything and build the schema anew
    Fresh {
        /// Yes, delete everything
        #[arg(long)]
        yes: bool,
    },
}

/// Any number that is always the same: two migrations at once wait for each other.
const LOCK: i64 = 0x7573_6865;

pub async fn run(config: &Config, args: &Args) -> Result<()> {
    let db = db::connect(
        &config.database_url,
        &PoolOptions {
            max_connections: 4,
            create: true,
            ..PoolOptions::default()
        },
    )
    .await?;
    match args.step.as_ref().unwrap_or(&Step::Up) {
        Step::Up => {
            let applied = up(&db).await?;
            say::line(match applied {
                0 if is_newer(&db).await? => "The schema is newer than this program, which works with it.".to_owned(),
                0 => "The schema is up to date.".to_owned(),
                1 => "Applied 1 migration.".to_owned(),
                n => format!("Applied {n} migrations."),
            });
            let made = bootstrap::first_accounts(&db, &config.first, Missing::Skip).await?;
            if let Some(email) = made.email {
                say::line(format_args!("Made the first superuser, {email}."));
            }
            Ok(())
        }
        Step::Down { steps } => {
            locked(&db, async { Ok(Migrator::down(&db, Some(*steps)).await?) }).await?;
            say::line("Done; `usher migrate status` shows where the schema is.");
            Ok(())
        }
        Step::Status { json } => status(&db, *json).await,
        Step::Fresh { yes } => {
            ensure!(
                *yes,
                "this deletes every user, job and audit row of the database; add --yes if you mean it"
            );
            locked(&db, async { Ok(Migrator::fresh(&db).await?) }).await?;
            say::line("Deleted everything and built the schema anew.");
            Ok(())
        }
    }
}

/// Applies what is pending and returns how many migrations that were. A schema with steps of a later release is left as
/// it is: steps only add, so that the release before runs on.
pub async fn up(db: &DatabaseConnection) -> Result<usize> {
    locked(db, async {
        if db::check_schema(db).await.is_ok() {
            return Ok(0);
        }
        let pending = Migrator::get_pending_migrations(db).await.map_err(explained)?.len();
        if pending > 0 {
            Migrator::up(db, None).await.map_err(explained)?;
        }
        Ok(pending)
    })
    .await
}

/// What is missing where the role may not build the schema, or PostgreSQL lacks an extension of its own.
fn explained(error: DbErr) -> Error {
    let code = match &error {
        DbErr::Exec(RuntimeErr::SqlxError(error)) => error.as_database_error().and_then(|error| error.code()),
        _ => None,
    };
    let missing = match code.as_deref() {
        // `insufficient_privilege`
        Some("42501") => "the role may not build the schema; let it own the database: ALTER DATABASE … OWNER TO …",
        // `feature_not_supported`, before PostgreSQL 15 `undefined_file`
        Some("0A000" | "58P01") => {
            "PostgreSQL's own extensions are not installed; many systems call them postgresql-contrib"
        }
        _ => return error.into(),
    };
    Error::new(error).context(missing)
}

/// One migration at a time: the lock lives in a transaction, so that it works behind a pooler and ends with the process.
/// That transaction is silent for as long as a step takes, which for an index of a large table is minutes.
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

/// The steps that the database has and this program does not know, oldest first.
async fn unknown(db: &DatabaseConnection) -> Result<Vec<String>> {
    let own: Vec<_> = Migrator::migrations();
    let applied = Migrator::get_migration_models(db).await?;
    let names = applied.into_iter().map(|step| step.version);
    Ok(names
        .filter(|name| !own.iter().any(|step| step.name() == name))
        .collect())
}

async fn is_newer(db: &DatabaseConnection) -> Result<bool> {
    Ok(!unknown(db).await?.is_empty())
}

/// Name and state of every step that either the program or the database knows.
async fn steps(db: &DatabaseConnection) -> Result<Vec<(String, &'static str)>> {
    Migrator::install(db).await?;
    let applied = Migrator::get_migration_models(db).await?;
    let own = Migrator::migrations().into_iter().map(|step| {
        let is_applied = applied.iter().any(|applied| applied.version == step.name());
        (step.name().to_owned(), if is_applied { "Applied" } else { "Pending" })
    });
    let unknown = unknown(db).await?.into_iter().map(|name| (name, "Unknown"));
    Ok(own.chain(unknown).collect())
}

async fn status(db: &DatabaseConnection, json: bool) -> Result<()> {
    let steps = steps(db).await?;
    if json {
        let rows = steps.iter();
        let rows = rows.map(|(name, status)| serde_json::json!({"name": name, "status": status}));
        say::json(&rows.collect());
    } else {
        let mut rows = vec![vec!["MIGRATION".to_owned(), "STATUS".to_owned()]];
        rows.extend(steps.into_iter().map(|(name, status)| vec![name, status.to_owned()]));
        say::table(&rows);
    }
    Ok(())
}
