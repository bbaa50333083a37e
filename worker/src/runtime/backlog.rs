//! The backlog according to the jobs table; every worker reports the same.

use std::{fmt::Write, time::Duration};

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect,
    QueryTrait,
    sea_query::{Alias, Asterisk, Expr, ExprTrait, Query},
};
use tokio::{sync::Mutex, time::Instant};
use usher_shared::{
    foundation::{
        entity::{
            job::{self, JobState},
            mail_breaker,
        },
        time::{first_id, now},
    },
    jobs::Priority,
};

/// Scrapes within this time get the same text.
const FRESH: Duration = Duration::from_secs(5);
/// For all queries of one scrape.
const PATIENCE: Duration = Duration::from_secs(2);
/// Jobs are counted up to this many per queue.
const COUNTED: u64 = 100_000;
/// New jobs are left to their wake-up for this long.
const ANNOUNCED: chrono::Duration = chrono::Duration::seconds(1);

/// The last answer.
#[derive(Default)]
pub(super) struct Backlog {
    last: Mutex<Option<(Instant, String)>>,
}

impl Backlog {
    /// The lines for `/metrics`; empty while the database does not answer.
    pub(super) async fn render(&self, db: &DatabaseConnection, queues: &[String]) -> String {
        let mut last = self.last.lock().await;
        if let Some((at, text)) = &*last
            && at.elapsed() < FRESH
        {
            return text.clone();
        }
        let text = match tokio::time::timeout(PATIENCE, read(db, queues)).await {
            Ok(Ok(text)) => text,
            _ => String::new(),
        };
        *last = Some((Instant::now(), text.clone()));
        text
    }
}

async fn read(db: &DatabaseConnection, queues: &[String]) -> Result<String, DbErr> {
    let mut depth = String::from(
        "# HELP usher_queue_ready Jobs that are due, counted up to 100000\n# TYPE usher_queue_ready gauge\n",
    );
    let mut oldest = String::from(
        "# HELP usher_queue_oldest_seconds How long the oldest of them has been due\n\
         # TYPE usher_queue_oldest_seconds gauge\n",
    );
    for queue in queues {
        let (ready, since) = due(db, queue).await?;
        let waits = since.map_or(0.0, |since| (now() - since).as_seconds_f64().max(0.0));
        let _ = writeln!(depth, "usher_queue_ready{{queue=\"{queue}\"}} {ready}");
        let _ = writeln!(oldest, "usher_queue_oldest_seconds{{queue=\"{queue}\"}} {waits}");
    }
    let open = mail_breaker::Entity::find().count(db).await?;
    let enqueued = enqueued(db).await?;
    Ok(format!(
        "{depth}{oldest}{enqueued}# HELP usher_mail_breakers_open Mail servers on hold\n\
         # TYPE usher_mail_breakers_open gauge\nusher_mail_breakers_open {open}\n"
    ))
}

/// Jobs enqueued in the last minute by any service: their ids are UUIDv7, so they are the end of the table.
async fn enqueued(db: &DatabaseConnection) -> Result<String, DbErr> {
    let first = first_id(now() - chrono::Duration::minutes(1));
    let last = job::Entity::find()
        .select_only()
        .column(job::Column::Kind)
        .filter(job::Column::Id.gte(first))
        .limit(COUNTED)
        .into_query();
    let query = Query::select()
        .column(job::Column::Kind)
        .expr_as(Expr::col(Asterisk).count(), "jobs")
        .from_subquery(last, Alias::new("last"))
        .group_by_col(job::Column::Kind)
        .order_by(job::Column::Kind, sea_orm::Order::Asc)
        .to_owned();
    let mut text = String::from(
        "# HELP usher_jobs_enqueued_last_minute Jobs enqueued in the last minute, counted up to 100000\n\
         # TYPE usher_jobs_enqueued_last_minute gauge\n",
    );
    for row in db.query_all(&query).await? {
        let (kind, jobs): (String, i64) = (row.try_get("", "kind")?, row.try_get("", "jobs")?);
        // Kinds are words; anything else in the column must not break the text.
        let kind: String = kind
            .chars()
            .filter(|char| char.is_ascii_alphanumeric() || *char == '_')
            .collect();
        let _ = writeln!(text, "usher_jobs_enqueued_last_minute{{kind=\"{kind}\"}} {jobs}");
    }
    Ok(text)
}

/// How many jobs of a queue are due, and since when the oldest is.
async fn due(db: &DatabaseConnection, queue: &str) -> Result<(i64, Option<DateTime<Utc>>), DbErr> {
    let at = now();
    let waiting = job::Entity::find()
        .select_only()
        .column(job::Column::RunAt)
        .filter(job::Column::State.eq(JobState::Ready))
        .filter(job::Column::Queue.eq(queue))
        // Each of the three is one range of the index of due jobs.
        .filter(job::Column::Priority.is_in(Priority::ALL.map(Priority::number)))
        .filter(job::Column::NextDispatchAt.lte(at + ANNOUNCED))
        .filter(job::Column::RunAt.lte(at))
        .limit(COUNTED)
        .into_query();
    let query = Query::select()
        .expr_as(Expr::col(Asterisk).count(), "ready")
        .expr_as(Expr::col(job::Column::RunAt).min(), "since")
        .from_subquery(waiting, Alias::new("waiting"))
        .to_owned();
    let Some(row) = db.query_one(&query).await? else {
        return Ok((0, None));
    };
    Ok((row.try_get("", "ready")?, row.try_get("", "since")?))
}
