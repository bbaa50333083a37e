//! The backlog according to the jobs table; every worker reports the same.

use std::{sync::atomic::AtomicU64, time::Duration};

use chrono::{DateTime, Utc};
use prometheus_client::{
    metrics::{
        family::Family,
        gauge::{ConstGauge, Gauge},
    },
    registry::Registry,
};
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
        metrics::{Labels, text_of},
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
    let ready = Family::<Labels<1>, Gauge>::default();
    let oldest = Family::<Labels<1>, Gauge<f64, AtomicU64>>::default();
    for queue in queues {
        let (jobs, since) = due(db, queue).await?;
        let labels = [("queue", queue.clone().into())];
        ready.get_or_create(&labels).set(jobs);
        let waits = since.map_or(0.0, |since| (now() - since).as_seconds_f64().max(0.0));
        oldest.get_or_create(&labels).set(waits);
    }
    let enqueued = enqueued(db).await?;
    let open = mail_breaker::Entity::find().count(db).await?;
    let mut registry = Registry::default();
    registry.register("usher_queue_ready", "Jobs that are due, counted up to 100000", ready);
    let help = "How long the oldest of them has been due";
    registry.register("usher_queue_oldest_seconds", help, oldest);
    let help = "Jobs enqueued in the last minute, counted up to 100000";
    registry.register("usher_jobs_enqueued_last_minute", help, enqueued);
    registry.register(
        "usher_mail_breakers_open",
        "Mail servers on hold",
        ConstGauge::new(open),
    );
    Ok(text_of(&registry))
}

/// Jobs enqueued in the last minute by any service: their ids are UUIDv7, so they are the end of the table.
async fn enqueued(db: &DatabaseConnection) -> Result<Family<Labels<1>, Gauge>, DbErr> {
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
    let enqueued = Family::<Labels<1>, Gauge>::default();
    for row in db.query_all(&query).await? {
        let (kind, jobs): (String, i64) = (row.try_get("", "kind")?, row.try_get("", "jobs")?);
        enqueued.get_or_create(&[("kind", kind.into())]).set(jobs);
    }
    Ok(enqueued)
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
