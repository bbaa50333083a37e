//! The rows of a long job: which are left, and the outcomes of the others.

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait},
};
use serde::Serialize;
use uuid::Uuid;

use crate::foundation::entity::job_item::{Column, Entity, ItemOutcome};

/// The outcomes of a long job's rows so far; the `result` of its job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    pub done: u64,
    pub skipped: u64,
    pub failed: u64,
    #[serde(skip)]
    pub left: u64,
}

impl Tally {
    /// Rows that have an outcome.
    #[must_use]
    pub fn settled(self) -> u64 {
        self.done + self.skipped + self.failed
    }

    /// Counts one more row.
    pub fn count(&mut self, outcome: ItemOutcome) {
        match outcome {
            ItemOutcome::Done => self.done += 1,
            ItemOutcome::Skipped => self.skipped += 1,
            ItemOutcome::Failed => self.failed += 1,
        }
        self.left = self.left.saturating_sub(1);
    }

    /// 0–100; a job without rows is done.
    #[must_use]
    pub fn percent(self) -> i16 {
        let all = self.settled() + self.left;
        let percent = (self.settled() * 100).checked_div(all).unwrap_or(100);
        i16::try_from(percent).unwrap_or(100)
    }
}

#[derive(FromQueryResult)]
struct Group {
    outcome: Option<ItemOutcome>,
    rows: i64,
}

/// Counts the rows of a job; reads all of them.
pub async fn tally(conn: &impl ConnectionTrait, job_id: Uuid) -> Result<Tally, DbErr> {
    let groups: Vec<Group> = Entity::find()
        .select_only()
        .column(Column::Outcome)
        .column_as(Expr::col(Column::ObjectId).count(), "rows")
        .filter(Column::JobId.eq(job_id))
        .group_by(Column::Outcome)
        .into_model()
        .all(conn)
        .await?;
    let mut tally = Tally::default();
    for Group { outcome, rows } in groups {
        let rows = u64::try_from(rows).unwrap_or_default();
        match outcome {
            Some(ItemOutcome::Done) => tally.done = rows,
            Some(ItemOutcome::Skipped) => tally.skipped = rows,
            Some(ItemOutcome::Failed) => tally.failed = rows,
            None => tally.left = rows,
        }
    }
    Ok(tally)
}

/// The next rows without an outcome, at most this many.
pub async fn left(conn: &impl ConnectionTrait, job_id: Uuid, at_most: u64) -> Result<Vec<String>, DbErr> {
    Entity::find()
        .select_only()
        .column(Column::ObjectId)
        .filter(Column::JobId.eq(job_id))
        .filter(Column::Outcome.is_null())
        .order_by_asc(Column::ObjectId)
        .limit(at_most)
        .into_tuple()
        .all(conn)
        .await
}

/// Sets a row's outcome; false if it had one. Of two concurrent workers one gets true; the other waits for its
/// transaction.
pub(super) async fn settle(
    conn: &impl ConnectionTrait,
    job_id: Uuid,
    object_id: &str,
    outcome: ItemOutcome,
    error: Option<&str>,
) -> Result<bool, DbErr> {
    let settled = Entity::update_many()
        .col_expr(Column::Outcome, Expr::value(outcome))
        .col_expr(Column::Error, Expr::value(error.map(str::to_owned)))
        .filter(Column::JobId.eq(job_id))
        .filter(Column::ObjectId.eq(object_id))
        .filter(Column::Outcome.is_null())
        .exec(conn)
        .await?;
    Ok(settled.rows_affected > 0)
}
