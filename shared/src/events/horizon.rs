//! Up to which position the stream is complete.
//!
//! Positions are numbers of a sequence, which are taken before the commit: a transaction with a smaller one may commit
//! later, or never. A reader that simply remembers the greatest position it has seen would miss that. So positions are
//! *sealed* in two looks, without a lock that a writer could wait for:
//!
//! 1. Read the sequence, and then take a transaction number. Whoever has a position up to this one has taken a smaller
//!    transaction number before it ([`super::record`] sees to that).
//! 2. Once all transactions with smaller numbers have ended (`pg_snapshot_xmin`), everything up to that position is
//!    either visible or rolled back.
//!
//! Ordering events by transaction number instead would need one look, but a transaction that waits for a row takes its
//! number before another one changes that row, so changes of one object would be in the wrong order. Numbering events
//! after their commit would write each twice, or need a leader.
//!
//! `SQLite` has one writer at a time, so whatever is committed is sealed.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, EntityTrait};

use crate::foundation::{db::Sql, entity::event_reader};

/// What this process knows of the stream's end.
#[derive(Debug, Default)]
pub(super) struct Horizon {
    sealed: i64,
    /// How far positions were looked at. What lies between `sealed` and here was rolled back.
    looked_at: i64,
    waiting: Option<Waiting>,
    has_begun: bool,
}

/// A position, and the transaction before which all must have ended.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    position: i64,
    transaction: i64,
}

/// What a look has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// Everything up to here can be read, and nothing is added to it.
    pub(super) sealed: i64,
    /// There is more, whose transactions have not ended.
    pub(super) is_waiting: bool,
}

impl Horizon {
    /// Looks at the database: one statement where nothing is new, four at most.
    pub(super) async fn look(&mut self, db: &DatabaseConnection) -> Result<Look, DbErr> {
        let sql = Sql(db.get_database_backend());
        if !sql.postgres() {
            let row = db.query_one_raw(sql.statement(SQLITE, [])).await?;
            self.sealed = row.map_or(Ok(0), |row| row.try_get("", "seq"))?;
            return Ok(self.found());
        }
        if !self.has_begun {
            self.begin(db).await?;
        }
        if self.waiting.is_some() {
            self.seal(db, sql).await?;
        }
        if self.waiting.is_none() {
            let statement = sql.statement(NEWEST, [self.looked_at.into()]);
            let row = db.query_one_raw(statement).await?;
            let row = row.ok_or_else(|| DbErr::RecordNotFound("the sequence of events".to_owned()))?;
            let position = row.try_get("", "newest")?;
            let transaction: Option<i64> = row.try_get("", "transaction_number")?;
            self.waiting = transaction.map(|transaction| Waiting { position, transaction });
            if self.waiting.is_some() {
                self.seal(db, sql).await?;
            }
        }
        Ok(self.found())
    }

    /// Begins where another process has come: what it has sealed stays sealed, even while a transaction runs for long.
    async fn begin(&mut self, db: &DatabaseConnection) -> Result<(), DbErr> {
        let readers = event_reader::Entity::find().all(db).await?;
        self.sealed = readers.iter().map(|reader| reader.position).max().unwrap_or_default();
        self.looked_at = self.sealed;
        self.has_begun = true;
        Ok(())
    }

    /// Seals up to the greatest event there is, not to the position itself: if that was rolled back, a crash of the
    /// database can give it to another event. A position whose event is committed is never given again.
    async fn seal(&mut self, db: &DatabaseConnection, sql: Sql) -> Result<(), DbErr> {
        let Some(waiting) = self.waiting else { return Ok(()) };
        let row = db
            .query_one_raw(sql.statement(OLDEST_RUNNING, [waiting.position.into()]))
            .await?;
        let row = row.ok_or_else(|| DbErr::RecordNotFound("the oldest transaction".to_owned()))?;
        if waiting.transaction <= row.try_get("", "oldest")? {
            let greatest: Option<i64> = row.try_get("", "greatest")?;
            self.sealed = self.sealed.max(greatest.unwrap_or_default());
            self.looked_at = waiting.position;
            self.waiting = None;
        }
        Ok(())
    }

    fn found(&self) -> Look {
        Look {
            sealed: self.sealed,
            is_waiting: self.waiting.is_some(),
        }
    }
}

/// The newest position that was taken.
pub(super) async fn newest_taken(db: &DatabaseConnection) -> Result<i64, DbErr> {
    let sql = Sql(db.get_database_backend());
    let row = db.query_one_raw(sql.statement(sql.pick(TAKEN, SQLITE), [])).await?;
    row.map_or(Ok(0), |row| row.try_get("", "seq"))
}

// The sequence is read into the materialized part before the number is taken. Without news none is taken.
const NEWEST: &str = "\
    WITH seen AS MATERIALIZED (SELECT last_value, is_called FROM events_id_seq) \
    SELECT last_value AS newest, \
    CASE WHEN is_called AND last_value > $1 THEN pg_current_xact_id()::text::bigint END AS transaction_number FROM seen";
const OLDEST_RUNNING: &str = "\
    SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest, \
    (SELECT max(id) FROM events WHERE id <= $1) AS greatest";
const TAKEN: &str = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS seq FROM events_id_seq";
const SQLITE: &str = "SELECT seq FROM sqlite_sequence WHERE name = 'events'";
