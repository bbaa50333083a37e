//! The few parts of SQL in which PostgreSQL and SQLite differ. Both write parameters as `$1`.
//!
//! The clock is the database's, so that workers on several machines agree when a lease expires. In a test that moves
//! time, it is the test's.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, Value, sea_query::ArrayType};
use uuid::Uuid;

use crate::foundation::time;

#[derive(Clone, Copy)]
pub struct Sql(pub DbBackend);

impl Sql {
    pub fn postgres(self) -> bool {
        self.0 == DbBackend::Postgres
    }

    /// What this database understands.
    pub fn pick(self, postgres: &'static str, sqlite: &'static str) -> &'static str {
        if self.postgres() { postgres } else { sqlite }
    }

    /// The current time.
    pub fn now(self) -> Cow<'static, str> {
        match time::set() {
            Some(at) => self.time(at).into(),
            None => self.pick("now()", "strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')").into(),
        }
    }

    /// A time, as rows have it.
    fn time(self, at: DateTime<Utc>) -> String {
        let text = at.to_rfc3339_opts(SecondsFormat::AutoSi, false);
        format!("{}'{text}'", self.pick("timestamptz ", ""))
    }

    /// The time this many seconds from now; the parameter is a float.
    pub fn after(self, seconds: &str) -> String {
        if self.postgres() {
            format!("{} + make_interval(secs => {seconds})", self.now())
        } else {
            let now = time::set().map_or_else(|| "'now'".to_owned(), |at| self.time(at));
            format!("strftime('%Y-%m-%dT%H:%M:%f+00:00', {now}, {seconds} || ' seconds')")
        }
    }

    /// The state of rows selected by id. Written so that no partial index on that state matches: a queue's statistics
    /// are always stale, and PostgreSQL would read all ready rows to find a few.
    pub fn is(state: &str) -> String {
        format!("state || '' = '{state}'")
    }

    /// A set of ids as one parameter, so that the statement stays the same for any number of them.
    pub fn id_in(self, parameter: &str) -> String {
        if self.postgres() {
            format!("id = ANY({parameter})")
        } else {
            format!("id IN (SELECT unhex(value) FROM json_each({parameter}))")
        }
    }

    pub fn ids(self, ids: impl IntoIterator<Item = Uuid>) -> Value {
        if self.postgres() {
            let ids = ids.into_iter().map(Value::from).collect();
            Value::Array(ArrayType::Uuid, Some(Box::new(ids)))
        } else {
            let ids: Vec<String> = ids.into_iter().map(|id| id.simple().to_string()).collect();
            serde_json::to_string(&ids).unwrap_or_default().into()
        }
    }

    /// The rows whose ids a locking select returns. The array makes PostgreSQL look the ids up in the primary key.
    pub fn chosen(self, select: &str) -> String {
        self.chosen_by("id", select)
    }

    /// [`Self::chosen`], by another column.
    pub fn chosen_by(self, column: &str, select: &str) -> String {
        if self.postgres() {
            format!("{column} = ANY(ARRAY({select}))")
        } else {
            format!("{column} IN ({select})")
        }
    }

    /// A set of strings as one parameter, made by [`Self::words`].
    pub fn word_in(self, column: &str, parameter: &str) -> String {
        if self.postgres() {
            format!("{column} = ANY({parameter})")
        } else {
            format!("{column} IN (SELECT value FROM json_each({parameter}))")
        }
    }

    pub fn words(self, words: &[String]) -> Value {
        if self.postgres() {
            let words = words.iter().map(|word| Value::from(word.as_str())).collect();
            Value::Array(ArrayType::String, Some(Box::new(words)))
        } else {
            serde_json::to_string(words).unwrap_or_default().into()
        }
    }

    /// Skips rows locked by others; SQLite has one writer and doesn't need it.
    pub fn skip_locked(self) -> &'static str {
        self.pick("FOR UPDATE SKIP LOCKED", "")
    }

    /// Locks rows until the transaction ends; on SQLite a writing transaction locks the whole database.
    pub fn lock(self) -> &'static str {
        self.pick("FOR UPDATE", "")
    }

    pub fn statement(self, sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
        Statement::from_sql_and_values(self.0, sql, values)
    }
}

/// The database's clock. Where it decides, clocks of machines need not agree.
pub async fn clock(conn: &impl ConnectionTrait) -> Result<DateTime<Utc>, DbErr> {
    let sql = Sql(conn.get_database_backend());
    let query = sql.statement(&format!("SELECT {} AS now", sql.now()), []);
    let row = conn.query_one_raw(query).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("the clock".to_owned()))?
        .try_get("", "now")
}
