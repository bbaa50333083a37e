//! Queues: which may be claimed from, and pausing them. A queue without a row has no limits.

use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter,
    sea_query::OnConflict,
};

use super::job_store::Tx;
use crate::foundation::{db::Sql, entity::job_queue, time::now};

/// SQL for a queue with limits.
pub(super) const LIMITED: &str = "max_running IS NOT NULL OR starts_per_minute IS NOT NULL";

/// SQL for rows whose queue has no limit and is not paused. One lookup per row instead of a join: because queues are
/// rarely limited, PostgreSQL would expect a join to return no row, and then read and sort a whole backlog to claim a
/// few.
pub(super) fn unlimited(rows: &str) -> String {
    format!(
        "COALESCE((SELECT false FROM job_queues WHERE job_queues.name = {rows}.queue \
         AND (paused_at IS NOT NULL OR {LIMITED})), true)"
    )
}

/// SQL for jobs of queues that are neither paused nor full; the caller has locked the queues' rows.
pub(super) fn with_room(sql: Sql) -> String {
    format!(
        "NOT EXISTS (SELECT 1 FROM job_queues WHERE job_queues.name = jobs.queue AND (paused_at IS NOT NULL \
         OR max_running <= (SELECT count(*) FROM jobs held WHERE held.state = 'running' \
         AND held.lease_until >= {} AND held.queue = jobs.queue)))",
        sql.now()
    )
}

/// Locks the queues of these that have a limit, so that their running jobs can be counted and more can be started.
pub(super) async fn lock_limited(tx: &DatabaseTransaction, sql: Sql, queues: &[String]) -> Result<(), DbErr> {
    let query = format!(
        "SELECT name FROM job_queues WHERE {} AND ({LIMITED}) ORDER BY name {}",
        sql.word_in("name", "$1"),
        sql.lock()
    );
    tx.query_all_raw(sql.statement(&query, [sql.words(queues)]))
        .await
        .map(drop)
}

/// Whether the text can be a queue's name.
#[must_use]
pub fn is_queue_name(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    (1..=100).contains(&text.len()) && text.chars().all(is_word)
}

/// Whether staff have paused a queue, so that its new jobs wait.
pub async fn is_paused(conn: &impl ConnectionTrait, queue: &str) -> Result<bool, DbErr> {
    let row = job_queue::Entity::find_by_id(queue.to_owned()).one(conn).await?;
    Ok(row.is_some_and(|row| row.paused_at.is_some()))
}

/// Pauses a queue in the name of `by`, or resumes it. Waiting jobs stay; running ones continue.
pub async fn pause_queue(tx: &Tx, name: &str, by: Option<String>) -> Result<(), DbErr> {
    let is_paused = job_queue::Entity::find_by_id(name.to_owned())
        .filter(job_queue::Column::PausedAt.is_not_null())
        .one(&**tx)
        .await?;
    if by.is_some() && is_paused.is_some() {
        // Keep who paused it first, and when.
        return Ok(());
    }
    let row = job_queue::ActiveModel {
        name: Set(name.to_owned()),
        paused_at: Set(by.is_some().then(now)),
        paused_by: Set(by),
        ..Default::default()
    };
    let there = OnConflict::column(job_queue::Column::Name)
        .update_columns([job_queue::Column::PausedAt, job_queue::Column::PausedBy])
        .to_owned();
    job_queue::Entity::insert(row)
        .on_conflict(there)
        .exec_without_returning(&**tx)
        .await
        .map(drop)
}
