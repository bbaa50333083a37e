//! The database: version, writes, clock, the audit log's seals, foreign keys and the purge of deleted accounts.

use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, Statement,
};
use usher_shared::{
    accounts::user_data,
    audit,
    foundation::{
        config::Config,
        db::{self, ForeignKeys},
        entity::{self, user},
        time::now,
    },
};

use super::finding::Finding;
use crate::output;

/// Schedules, leases and circuit breakers use the database's clock; authenticator codes, sessions and links use this
/// machine's. Codes are accepted within 30 s of their time.
const CLOCKS_AGREE: chrono::Duration = chrono::Duration::seconds(5);

pub(super) async fn version(db: &DatabaseConnection) -> Result<String, DbErr> {
    let backend = db.get_database_backend();
    let (name, query) = match backend {
        DbBackend::Sqlite => ("SQLite", "SELECT sqlite_version() AS version"),
        _ => ("PostgreSQL", "SELECT current_setting('server_version') AS version"),
    };
    let row = db.query_one_raw(Statement::from_string(backend, query)).await?;
    let version: Option<String> = row.and_then(|row| row.try_get("", "version").ok());
    takes_writes(db).await?;
    Ok(format!("{name} {}, accepts writes", version.unwrap_or_default()))
}

/// A standby and a read-only file answer queries but accept no writes.
async fn takes_writes(db: &DatabaseConnection) -> Result<(), DbErr> {
    let tx = db::begin(db).await?;
    if db.get_database_backend() == DbBackend::Postgres {
        let sql = "SELECT current_setting('transaction_read_only') AS is_read_only";
        let row = tx
            .query_one_raw(Statement::from_string(DbBackend::Postgres, sql))
            .await?;
        let is_read_only = row.and_then(|row| row.try_get::<String>("", "is_read_only").ok());
        if is_read_only.as_deref() != Some("off") {
            return Err(DbErr::Custom(
                "the database is read-only: a standby, or configured so".to_owned(),
            ));
        }
    }
    tx.rollback().await
}

pub(super) async fn clock(db: &DatabaseConnection) -> Result<Finding, DbErr> {
    let before = now();
    let theirs = db::clock(db).await?;
    let took = now() - before;
    let apart = theirs - (before + took / 2);
    let seconds = apart.as_seconds_f64();
    let apart_by = format!("{seconds:+.1} s from the database's");
    Ok(if apart.abs() <= CLOCKS_AGREE + took {
        Finding::Ok(apart_by)
    } else {
        Finding::Wrong(format!("{apart_by}: set both by NTP"))
    })
}

/// Whether the audit log was changed outside of Usher.
pub(super) async fn audit_log(db: &DatabaseConnection, config: &Config) -> Result<Finding, DbErr> {
    let rows = entity::audit_log::Entity::find().count(db).await?;
    if rows > 0 && !config.has_secret_key {
        let words = format!("{}, not checked: SECRET_KEY is not set", entries(rows));
        return Ok(Finding::Warning(words));
    }
    let bar = output::progress(rows, "audit log");
    let verdict = audit::verify(db, &config.secret_key, |done| bar.set_position(done)).await;
    bar.finish_and_clear();
    let verdict = verdict?;
    if !verdict.faults.is_empty() {
        return Ok(Finding::Wrong(verdict.faults.join("; ")));
    }
    let head = match verdict.head.as_str() {
        "" => "none yet",
        head => head,
    };
    let (rows, sealed) = (entries(verdict.rows), verdict.sealed);
    Ok(Finding::Ok(format!("{rows}, {sealed} sealed, head {head}")))
}

fn entries(rows: u64) -> String {
    match rows {
        1 => "1 entry".to_owned(),
        rows => format!("{rows} entries"),
    }
}

/// Tables from which retention deletes rows.
const REMOVED_FROM: [&str; 10] = [
    "users",
    "roles",
    "sessions",
    "mfa_factors",
    "mail_tokens",
    "mails",
    "mail_suppressions",
    "idempotency_keys",
    "jobs",
    "job_files",
];

/// Whether a product's foreign key would block a deletion, because it has no ON DELETE rule.
pub(super) async fn foreign_keys(db: &DatabaseConnection) -> Result<Finding, DbErr> {
    let keys = ForeignKeys::read(db).await?;
    let undecided: Vec<_> = keys.refusing(&REMOVED_FROM).map(ToString::to_string).collect();
    Ok(if undecided.is_empty() {
        Finding::Ok("each has an ON DELETE rule".to_owned())
    } else {
        let names = undecided.join(", ");
        Finding::Warning(format!(
            "{names}: without ON DELETE CASCADE or SET NULL, rows that they reference cannot be deleted"
        ))
    })
}

/// Whether every table of the product that refers to users says what becomes of its rows.
pub(super) async fn personal_data(db: &DatabaseConnection) -> Result<Finding, DbErr> {
    let forgotten = user_data::forgotten(db).await?;
    if forgotten.is_empty() {
        return Ok(Finding::Ok(
            "every table that refers to users says what becomes of its rows".to_owned(),
        ));
    }
    let names: Vec<_> = forgotten.iter().map(ToString::to_string).collect();
    Ok(Finding::Wrong(format!(
        "{}: say what becomes of these rows when an account is purged: App::user_data",
        names.join(", ")
    )))
}

/// A daily job removes deleted accounts after 30 days.
const OVERDUE: chrono::Duration = chrono::Duration::days(32);

/// Whether accounts deleted long ago are gone, and what blocks the oldest.
pub(super) async fn purge(db: &DatabaseConnection) -> Result<Finding, DbErr> {
    let overdue = user::Entity::find().filter(user::Column::DeletedAt.lt(now() - OVERDUE));
    let count = overdue.clone().count(db).await?;
    let Some(first) = overdue.order_by_asc(user::Column::Id).one(db).await? else {
        return Ok(Finding::Ok("no deleted account is overdue for removal".to_owned()));
    };
    let held = ForeignKeys::read(db).await?.holding(db, "users", first.id).await?;
    let why = held.map_or_else(
        || "see the job purge_deleted_users in the admin".to_owned(),
        |key| format!("user {} is referenced by {key}", first.id),
    );
    Ok(Finding::Warning(format!(
        "deleted accounts still here after 30 days: {count}; {why}"
    )))
}
