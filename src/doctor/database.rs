//! The database: version, writes, clock, the audit log's seals, foreign keys and the purge of deleted accounts.

use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, Statement,
};
use usher_shared::{
    audit,
    foundation::{
        config::Config,
        db::{self, ForeignKeys},
        entity::{self, user},
        time::now,
    },
};

use super::finding::State;
use crate::output;

/// Schedules, leases and circuit breakers use the database's clock; authenticator codes, sessions and links use this
/// machine's. Codes are accepted within 30 s of their time.
const CLOCKS_AGREE: chrono::Duration = chrono::Duration::seconds(5);

pub(super) async fn version(db: &DatabaseConnection) -> State {
    let backend = db.get_database_backend();
    let (name, query) = match backend {
        DbBackend::Sqlite => ("SQLite", "SELECT sqlite_version() AS version"),
        _ => ("PostgreSQL", "SELECT current_setting('server_version') AS version"),
    };
    let told = async {
        let row = db.query_one_raw(Statement::from_string(backend, query)).await?;
        let version: Option<String> = row.and_then(|row| row.try_get("", "version").ok());
        takes_writes(db).await?;
        Ok::<_, DbErr>(format!("{name} {}, accepts writes", version.unwrap_or_default()))
    };
    told.await.into()
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

pub(super) async fn clock(db: &DatabaseConnection) -> State {
    let before = now();
    let theirs = match db::clock(db).await {
        Ok(theirs) => theirs,
        Err(error) => return State::Wrong(error.to_string()),
    };
    let took = now() - before;
    let apart = theirs - (before + took / 2);
    let seconds = apart.as_seconds_f64();
    let apart_by = format!("{seconds:+.1} s from the database's");
    if apart.abs() <= CLOCKS_AGREE + took {
        State::Ok(apart_by)
    } else {
        State::Wrong(format!("{apart_by}: set both by NTP"))
    }
}

/// Whether the audit log was changed outside of Usher.
pub(super) async fn audit_log(db: &DatabaseConnection, config: &Config) -> State {
    let rows = match entity::audit_log::Entity::find().count(db).await {
        Ok(rows) => rows,
        Err(error) => return State::Wrong(error.to_string()),
    };
    if rows > 0 && !config.has_secret_key {
        return State::Warning(format!("{}, not checked: SECRET_KEY is not set", entries(rows)));
    }
    let bar = output::progress(rows, "audit log");
    let verdict = audit::verify(db, &config.secret_key, |done| bar.set_position(done)).await;
    bar.finish_and_clear();
    match verdict {
        Err(error) => State::Wrong(error.to_string()),
        Ok(verdict) if !verdict.faults.is_empty() => State::Wrong(verdict.faults.join("; ")),
        Ok(verdict) => {
            let head = match verdict.head.as_str() {
                "" => "none yet",
                head => head,
            };
            State::Ok(format!(
                "{}, {} sealed, head {head}",
                entries(verdict.rows),
                verdict.sealed
            ))
        }
    }
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
pub(super) async fn foreign_keys(db: &DatabaseConnection) -> State {
    let keys = match ForeignKeys::read(db).await {
        Ok(keys) => keys,
        Err(error) => return State::Wrong(error.to_string()),
    };
    let undecided: Vec<_> = keys.refusing(&REMOVED_FROM).map(ToString::to_string).collect();
    if undecided.is_empty() {
        State::Ok("each has an ON DELETE rule".to_owned())
    } else {
        let names = undecided.join(", ");
        State::Warning(format!(
            "{names}: without ON DELETE CASCADE or SET NULL, rows that they reference cannot be deleted"
        ))
    }
}

/// A daily job removes deleted accounts after 30 days.
const OVERDUE: chrono::Duration = chrono::Duration::days(32);

/// Whether accounts deleted long ago are gone, and what blocks the oldest.
pub(super) async fn purge(db: &DatabaseConnection) -> State {
    let look = async {
        let overdue = user::Entity::find().filter(user::Column::DeletedAt.lt(now() - OVERDUE));
        let count = overdue.clone().count(db).await?;
        let Some(first) = overdue.order_by_asc(user::Column::Id).one(db).await? else {
            return Ok(State::Ok("no deleted account is overdue for removal".to_owned()));
        };
        let held = ForeignKeys::read(db).await?.holding(db, "users", first.id).await?;
        let why = held.map_or_else(
            || "see the job purge_deleted_users in the admin".to_owned(),
            |key| format!("user {} is referenced by {key}", first.id),
        );
        Ok::<_, DbErr>(State::Warning(format!(
            "deleted accounts still here after 30 days: {count}; {why}"
        )))
    };
    look.await.unwrap_or_else(|error| State::Wrong(error.to_string()))
}
