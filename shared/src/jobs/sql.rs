//! The few words of SQL in which PostgreSQL and SQLite differ. Parameters are written `$1` on both.
//!
//! The clock is the database's, so that workers on several machines agree when a lease has run out.

use sea_orm::{DbBackend, Statement, Value, sea_query::ArrayType};
use uuid::Uuid;

use super::{Claim, WakeUp};

#[derive(Clone, Copy)]
pub(crate) struct Sql(pub DbBackend);

impl Sql {
    fn postgres(self) -> bool {
        self.0 == DbBackend::Postgres
    }

    pub fn now(self) -> &'static str {
        if self.postgres() {
            "now()"
        } else {
            "strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')"
        }
    }

    /// The time this many seconds from now; the parameter is a float.
    pub fn after(self, seconds: &str) -> String {
        if self.postgres() {
            format!("now() + make_interval(secs => {seconds})")
        } else {
            format!("strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now', {seconds} || ' seconds')")
        }
    }

    /// The state of rows that are named by their ids. Written so that no partial index of that state seems fit: fresh
    /// statistics are always late in a queue, and PostgreSQL would read all of its ready rows to find a few.
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

    /// Jobs in the epoch that their wake-ups speak of, as one parameter made by [`Self::wake-ups`].
    pub fn hinted(self, parameter: &str) -> String {
        if self.postgres() {
            Self::pairs_by_id("epoch", "integer", parameter)
        } else {
            format!("(id, epoch) IN (SELECT unhex(value->>0), value->>1 FROM json_each({parameter}))")
        }
    }

    pub fn wake_ups(wake_ups: &[WakeUp]) -> Value {
        let pairs = wake_ups
            .iter()
            .map(|wake_up| serde_json::json!([wake_up.id.simple().to_string(), wake_up.epoch]));
        serde_json::Value::from_iter(pairs).into()
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

    /// Jobs with the lease tokens they are held by, as one parameter made by [`Self::claims`].
    pub fn held(self, parameter: &str) -> String {
        if self.postgres() {
            Self::pairs_by_id("lease_token", "uuid", parameter)
        } else {
            format!("(id, lease_token) IN (SELECT unhex(value->>0), unhex(value->>1) FROM json_each({parameter}))")
        }
    }

    pub fn claims(claims: &[Claim]) -> Value {
        let word = |id: Uuid| id.simple().to_string();
        let pairs = claims
            .iter()
            .map(|claim| serde_json::json!([word(claim.id), word(claim.token)]));
        serde_json::Value::from_iter(pairs).into()
    }

    /// Rows whose id and further column are a pair of the JSON parameter. The array makes PostgreSQL look the ids up in the
    /// primary key, whatever it knows of the table; a plain `IN` may read all of it.
    fn pairs_by_id(column: &str, kind: &str, parameter: &str) -> String {
        let pairs = format!("FROM jsonb_array_elements({parameter}) pair");
        format!(
            "id = ANY(ARRAY(SELECT (pair->>0)::uuid {pairs})) \
             AND (id, {column}) IN (SELECT (pair->>0)::uuid, (pair->>1)::{kind} {pairs})"
        )
    }

    /// The rows whose ids a locking select chooses; by an array for the same reason.
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

    /// A set of words as one parameter made by [`Self::words`].
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

    /// New jobs out of the JSON array `$1`; they share `$2` queue, `$3` kind, `$4` version, `$5` priority and `$6`
    /// seconds that are left to their wake-ups.
    pub fn rows_of_jobs(self) -> String {
        let (now, grace) = (self.now(), self.after("$6"));
        if self.postgres() {
            format!(
                "SELECT (job->>'id')::uuid, $2, $3, $4, job->'payload', $5, {now}, {grace}, (job->>'user_id')::bigint, \
                 job->>'actor', job->>'trace', {now} FROM jsonb_array_elements($1) job"
            )
        } else {
            format!(
                "SELECT unhex(value->>'id'), $2, $3, $4, value->'payload', $5, {now}, {grace}, value->>'user_id', \
                 value->>'actor', value->>'trace', {now} FROM json_each($1)"
            )
        }
    }

    /// Rows that somebody else has locked are passed over; SQLite has one writer and needs no such word.
    pub fn skip_locked(self) -> &'static str {
        if self.postgres() { "FOR UPDATE SKIP LOCKED" } else { "" }
    }

    /// Rows stay as they are until the transaction ends; SQLite's transactions that write have the whole database.
    pub fn lock(self) -> &'static str {
        if self.postgres() { "FOR UPDATE" } else { "" }
    }

    pub fn statement(self, sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
        Statement::from_sql_and_values(self.0, sql, values)
    }
}
