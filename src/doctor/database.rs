//! The database: which it is, whether it takes writes, its clock, and whether the audit log is whole.

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

use super::State;
use crate::say;

/// Schedules, leases and the breaker follow the database's clock; codes of authenticator apps, sessions and links the
/// machine's. Codes are accepted 30 s around their time.
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
        Ok::<_, DbErr>(format!("{name} {}, takes writes", version.unwrap_or_default()))
    };
    told.await.into()
}

/// A standby and a file without the right to write it answer every question and take nothing.
async fn takes_writes(db: &DatabaseConnection) -> Result<(), DbErr> {
    let tx = db::begin(db).await?;
    if db.get_database_backend() == DbBackend::Postgres {
        let sql = "SELECT current_setting('transaction_read_only') AS is_read_only";
        let row = tx
            .query_one_raw(Statement::from_string(DbBackend::Postgres, sql))
            .await?;
        let is_read_only = row.and_then(|row| row.try_get::<String>("", "is_read_only").ok());
        if is_read_only.as_deref() != Some("off") {
            return Err(DbErr::Custom("it is read-only: a standby, or set so".to_owned()));
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
    if apart.abs() <= CLOCKS_AGREE + took {
        State::Ok(format!("{seconds:+.1} s apart from the database's"))
    } else {
        State::Wrong(format!("{seconds:+.1} s apart from the database's: set both by NTP"))
    }
}

/// Whether anybody changed the audit log behind Usher's back.
pub(super) async fn audit_log(db: &DatabaseConnection, config: &Config) -> State {
    let rows = match entity::audit_log::Entity::find().count(db).await {
        Ok(rows) => rows,
        Err(error) => return State::Wrong(error.to_string()),
    };
    if rows > 0 && !config.has_secret_key {
        return State::Warning(format!("{rows} rows, not checked: SECRET_KEY is not set"));
    }
    let bar = say::progress(rows, "audit log");
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
                "{} rows, {} of them sealed, head {head}",
                verdict.rows, verdict.sealed
            ))
        }
    }
}

/// Tables whose rows go in their time.
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

/// Whether a product's table holds rows that are to go, because nobody decided what becomes of its own.
pub(super) async fn foreign_keys(db: &DatabaseConnection) -> State {
    let keys = match ForeignKeys::read(db).await {
        Ok(keys) => keys,
        Err(error) => return State::Wrong(error.to_string()),
    };
    let undecided: Vec<_> = keys.refusing(&REMOVED_FROM).map(ToString::to_string).collect();
    if undecided.is_empty() {
        State::Ok("each says what becomes of its rows".to_owned())
    } else {
        let names = undecided.join(", ");
        State::Warning(format!(
            "{names}: without ON DELETE CASCADE or SET NULL they keep what they point to"
        ))
    }
}

/// Deleted accounts go after 30 days, by a job that comes daily.
const OVERDUE: chrono::Duration = chrono::Duration::days(32);

/// Whether accounts that were deleted long ago are gone, and what keeps the oldest.
pub(super) async fn purge(db: &DatabaseConnection) -> State {
    let look = async {
        let overdue = user::Entity::find().filter(user::Column::DeletedAt.lt(now() - OVERDUE));
        let count = overdue.clone().count(db).await?;
        let Some(first) = overdue.order_by_asc(user::Column::Id).one(db).await? else {
            return Ok(State::Ok("no deleted account is overdue".to_owned()));
        };
        let held = ForeignKeys::read(db).await?.holding(db, "users", first.id).await?;
        let why = held.map_or_else(
            || "see the job purge_deleted_users in the admin".to_owned(),
            |key| format!("user {} is held by {key}", first.id),
        );
        Ok::<_, DbErr>(State::Warning(format!(
            "{count} deleted accounts are not removed after 30 days: {why}"
        )))
    };
    look.await.unwrap_or_else(|error| State::Wrong(error.to_string()))
}
