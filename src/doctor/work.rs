//! Workers, waiting and dead jobs, and mail servers on hold.

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect};
use usher_shared::foundation::{
    db,
    entity::{
        job::{self, JobState},
        job_queue, mail_breaker, worker,
    },
};

use super::finding::Finding;

/// Workers send a heartbeat every 5 s.
const SILENT: chrono::Duration = chrono::Duration::seconds(20);
/// A job that is due for longer than this waits for an operator.
const LATE: chrono::Duration = chrono::Duration::minutes(5);

/// How many workers are online, and how long the oldest due job has waited.
pub(super) async fn workers(db: &DatabaseConnection) -> Result<Finding, DbErr> {
    let (alive, at, oldest) = look(db).await?;
    let waits = oldest.map_or(chrono::Duration::zero(), |since| {
        (at - since).max(chrono::Duration::zero())
    });
    let waiting = match oldest {
        Some(_) => format!("the oldest due job has waited {} s", waits.num_seconds()),
        None => "no job is due".to_owned(),
    };
    Ok(match (alive, waits > LATE) {
        (0, _) if oldest.is_some() => Finding::Wrong(format!("none online, and {waiting}: start usher-worker")),
        (0, _) => Finding::Warning(format!("none online; {waiting}")),
        (_, true) => Finding::Wrong(format!("{alive} online, but {waiting}: see the jobs in the admin")),
        _ => Finding::Ok(format!("{alive} online, {waiting}")),
    })
}

/// Workers online, the database's time, and when the oldest waiting job became due in a queue that is not paused.
async fn look(db: &DatabaseConnection) -> Result<(u64, DateTime<Utc>, Option<DateTime<Utc>>), DbErr> {
    let at = db::clock(db).await?;
    let alive = worker::Entity::find().filter(worker::Column::SeenAt.gt(at - SILENT));
    let paused: Vec<String> = job_queue::Entity::find()
        .filter(job_queue::Column::PausedAt.is_not_null())
        .select_only()
        .column(job_queue::Column::Name)
        .into_tuple()
        .all(db)
        .await?;
    let oldest: Option<Option<DateTime<Utc>>> = job::Entity::find()
        .filter(job::Column::State.eq(JobState::Ready))
        .filter(job::Column::RunAt.lte(at))
        .filter(job::Column::Queue.is_not_in(paused))
        .select_only()
        .column_as(job::Column::RunAt.min(), "oldest")
        .into_tuple()
        .one(db)
        .await?;
    Ok((alive.count(db).await?, at, oldest.flatten()))
}

pub(super) async fn dead(db: &DatabaseConnection) -> Result<Finding, DbErr> {
    let dead = job::Entity::find().filter(job::Column::State.eq(JobState::Dead));
    Ok(match dead.count(db).await? {
        0 => Finding::Ok("none".to_owned()),
        dead => Finding::Warning(format!("{dead}: retry or delete in the admin, under Jobs")),
    })
}

pub(super) async fn breakers(db: &DatabaseConnection) -> Result<Finding, DbErr> {
    let open = mail_breaker::Entity::find().all(db).await?;
    if open.is_empty() {
        return Ok(Finding::Ok("all mail servers are accepting mail".to_owned()));
    }
    let each = open.iter().map(|open| {
        let since = open.opened_at.format("%Y-%m-%d %H:%M UTC");
        format!("{} since {since}: {}", open.server, open.reason)
    });
    Ok(Finding::Wrong(each.collect::<Vec<_>>().join("; ")))
}
