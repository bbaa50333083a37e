//! What waits in which queue, how fast work is done and who does it, as the overview of jobs shows it. It is read from
//! the jobs table, and at most once in two seconds however many people look.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, SubsecRound, TimeDelta, Timelike, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, EntityTrait, QueryFilter, QueryOrder,
    Statement, Value,
};
use strum::{EnumString, IntoStaticStr, VariantArray};
use tokio::sync::Mutex;
use usher_shared::foundation::{
    entity::{job::READY, job_queue, worker},
    time::now,
};

/// Figures may be as old as this,
const KEPT: Duration = Duration::from_secs(2);
/// or as this many times as long as it took to read.
const KEPT_TIMES: u32 = 20;
/// A worker that was not seen for longer counts as offline.
pub(crate) const SEEN: TimeDelta = TimeDelta::seconds(60);

/// Cached figures, by the range of the plots.
pub(crate) type Cache = Arc<Mutex<HashMap<Range, (Instant, Arc<Found>)>>>;

/// The time range of the plots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub(crate) enum Range {
    Hour,
    #[default]
    Day,
    Week,
}

/// The figures as read from the database.
#[derive(Debug)]
pub(crate) struct Found {
    pub(super) kinds: Vec<Counted>,
    /// Jobs done and their mean milliseconds from due to started, by the start of their time.
    pub(super) series: HashMap<String, (i64, i64)>,
    pub(super) queues: Vec<job_queue::Model>,
    pub(super) workers: Vec<worker::Model>,
}

/// Queue and kind; ready, scheduled, running, dead and done; since when the oldest is due.
pub(super) type Counted = (String, String, [i64; 5], Option<DateTime<Utc>>);

impl Range {
    pub(super) fn parse(word: Option<&str>) -> Self {
        word.and_then(|word| word.parse().ok()).unwrap_or_default()
    }

    pub(super) const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// Bars, the time of each, and how many characters of `2026-11-22T10:18` name one.
    pub(super) const fn bars(self) -> (i64, TimeDelta, usize) {
        match self {
            Self::Hour => (60, TimeDelta::minutes(1), 16),
            Self::Day => (24, TimeDelta::hours(1), 13),
            Self::Week => (7, TimeDelta::days(1), 10),
        }
    }

    /// The time of a bar, as `PostgreSQL` calls it.
    const fn unit(self) -> &'static str {
        match self {
            Self::Hour => "minute",
            Self::Day => "hour",
            Self::Week => "day",
        }
    }

    pub(super) fn first(self) -> DateTime<Utc> {
        let at = now().trunc_subsecs(0);
        let at = at.with_second(0).unwrap_or(at);
        let start = match self {
            Self::Hour => at,
            Self::Day => at.with_minute(0).unwrap_or(at),
            Self::Week => at.date_naive().and_time(chrono::NaiveTime::MIN).and_utc(),
        };
        let (bars, each, _) = self.bars();
        start - each * i32::try_from(bars - 1).unwrap_or(0)
    }
}

/// What was read a short while ago. Whoever comes while it is read waits for it and reads nothing. It is kept for
/// longer where reading it took long, so that the overview never takes more than a small part of the database's time.
pub(super) async fn found(db: &DatabaseConnection, cache: &Cache, range: Range) -> Result<Arc<Found>, DbErr> {
    let mut kept = cache.lock().await;
    let began = Instant::now();
    if let Some((until, found)) = kept.get(&range)
        && began < *until
    {
        return Ok(Arc::clone(found));
    }
    let found = Arc::new(read(db, range).await?);
    let until = Instant::now() + KEPT.max(began.elapsed() * KEPT_TIMES);
    kept.insert(range, (until, Arc::clone(&found)));
    Ok(found)
}

const KINDS: &str = "
    SELECT queue, kind,
           sum(CASE WHEN state = 'ready' AND run_at <= $1 THEN 1 ELSE 0 END) AS ready,
           sum(CASE WHEN state = 'ready' AND run_at > $1 THEN 1 ELSE 0 END) AS scheduled,
           sum(CASE WHEN state = 'running' THEN 1 ELSE 0 END) AS running,
           sum(CASE WHEN state = 'dead' THEN 1 ELSE 0 END) AS dead,
           sum(CASE WHEN state = 'done' THEN 1 ELSE 0 END) AS done,
           min(CASE WHEN state = 'ready' AND run_at <= $1 THEN run_at END) AS oldest
      FROM (SELECT queue, kind, state, run_at FROM jobs WHERE {READY}
            UNION ALL SELECT queue, kind, state, run_at FROM jobs WHERE state = 'running'
            UNION ALL SELECT queue, kind, state, run_at FROM jobs WHERE state = 'dead'
            UNION ALL SELECT queue, kind, state, run_at FROM jobs WHERE state = 'done' AND finished_at >= $2) AS live
     GROUP BY queue, kind ORDER BY queue, kind";

async fn read(db: &impl ConnectionTrait, range: Range) -> Result<Found, DbErr> {
    let backend = db.get_database_backend();
    let statement = |sql: &str, values: Vec<Value>| Statement::from_sql_and_values(backend, sql, values);
    let at = now();
    let rows = db
        .query_all_raw(statement(
            &KINDS.replace("{READY}", READY),
            vec![at.into(), (at - TimeDelta::days(1)).into()],
        ))
        .await?;
    let kind = |row: sea_orm::QueryResult| {
        let count = |column: &str| row.try_get::<i64>("", column);
        let counts = [
            count("ready")?,
            count("scheduled")?,
            count("running")?,
            count("dead")?,
            count("done")?,
        ];
        Ok((
            row.try_get("", "queue")?,
            row.try_get("", "kind")?,
            counts,
            row.try_get("", "oldest")?,
        ))
    };
    let kinds = rows.into_iter().map(kind).collect::<Result<_, DbErr>>()?;
    let (_, _, characters) = range.bars();
    // PostgreSQL writes a time as text once for each bar: for each row it would take longer than all else.
    let (start, bucket, waited) = match backend {
        DbBackend::Postgres => (
            format!("date_trunc('{}', finished_at AT TIME ZONE 'UTC')", range.unit()),
            format!("left(to_char(start, 'YYYY-MM-DD\"T\"HH24:MI'), {characters})"),
            "extract(epoch FROM started_at - run_at) * 1000",
        ),
        _ => (
            format!("substr(finished_at, 1, {characters})"),
            "start".to_owned(),
            "(julianday(started_at) - julianday(run_at)) * 86400000",
        ),
    };
    let series = format!(
        "SELECT {bucket} AS bucket, number, waited
           FROM (SELECT {start} AS start, count(*) AS number, CAST(COALESCE(avg({waited}), 0) AS bigint) AS waited
                   FROM jobs WHERE state = 'done' AND finished_at >= $1 GROUP BY 1) AS bars"
    );
    let rows = db.query_all_raw(statement(&series, vec![range.first().into()])).await?;
    let point = |row: sea_orm::QueryResult| {
        let waited: i64 = row.try_get("", "waited")?;
        Ok((row.try_get("", "bucket")?, (row.try_get("", "number")?, waited.max(0))))
    };
    Ok(Found {
        kinds,
        series: rows.into_iter().map(point).collect::<Result<_, DbErr>>()?,
        queues: job_queue::Entity::find().all(db).await?,
        workers: worker::Entity::find()
            .filter(worker::Column::SeenAt.gt(at - SEEN))
            .order_by_asc(worker::Column::Name)
            .all(db)
            .await?,
    })
}
