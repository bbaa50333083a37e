//! What happened by day and by hour: sign-ups, log-ins, jobs done. A day or an hour that is over is counted once and kept,
//! so that the dashboard counts the running ones alone, however much there was.

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Days, DurationRound, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use tokio::sync::Mutex;
use usher_shared::time::{first_id, now};

/// Days that are shown.
pub(crate) const DAYS: u64 = 14;
/// Hours that are shown.
pub(crate) const HOURS: i64 = 24;
/// What is committed later than this after its own time is not counted any more.
const LATE: TimeDelta = TimeDelta::minutes(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Counted {
    SignUps,
    LogIns,
    JobsDone,
}

/// Numbers by what is counted and the start of its day or hour, written as the databases write it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series {
    numbers: HashMap<(Counted, String), i64>,
    /// The day and the hour from which on the numbers may still grow; none before the first count.
    open: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

/// The numbers that a process of the admin has counted so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept(Arc<Mutex<Series>>);

impl Kept {
    /// Counts what may have changed, in one statement.
    pub(crate) async fn read(&self, db: &impl ConnectionTrait) -> Result<Series, DbErr> {
        let mut kept = self.0.lock().await;
        let (day, hour) = kept.open.unwrap_or_else(|| (first_day(), first_hour()));
        let (day, hour) = (day.max(first_day()), hour.max(first_hour()));
        for (what, bucket, number) in count(db, day, hour).await? {
            kept.numbers.insert((what, bucket), number);
        }
        let (oldest, past) = (day_text(first_day()), now() - LATE);
        kept.numbers.retain(|(_, bucket), _| *bucket >= oldest);
        kept.open = Some((start_of_day(past), start_of_hour(past)));
        Ok(kept.clone())
    }
}

impl Series {
    /// What was counted in the day, or for jobs in the hour, that begins at this time.
    pub(crate) fn number(&self, what: Counted, start: DateTime<Utc>) -> i64 {
        let bucket = match what {
            Counted::SignUps | Counted::LogIns => day_text(start),
            Counted::JobsDone => start.format("%Y-%m-%dT%H").to_string(),
        };
        self.numbers.get(&(what, bucket)).copied().unwrap_or(0)
    }
}

async fn count(
    db: &impl ConnectionTrait,
    day: DateTime<Utc>,
    hour: DateTime<Utc>,
) -> Result<Vec<(Counted, String, i64)>, DbErr> {
    let parts = [
        ("sign_ups", "created_at", "day", "users WHERE created_at >= $1"),
        // Found by their ids, which hold the time; whoever acts for a user has not logged in as them.
        (
            "log_ins",
            "created_at",
            "day",
            "sessions WHERE id >= $2 AND impersonator_id IS NULL",
        ),
        (
            "jobs",
            "finished_at",
            "hour",
            "jobs WHERE state = 'done' AND finished_at >= $3",
        ),
    ];
    let backend = db.get_database_backend();
    let parts = parts
        .map(|(name, column, unit, rows)| format!("SELECT '{name}' AS part, {}", counted(backend, column, unit, rows)));
    let values = [day.into(), first_id(day).into(), hour.into()];
    let rows = db
        .query_all_raw(Statement::from_sql_and_values(
            backend,
            parts.join(" UNION ALL "),
            values,
        ))
        .await?;
    rows.into_iter()
        .map(|row| {
            let what = match row.try_get::<String>("", "part")?.as_str() {
                "sign_ups" => Counted::SignUps,
                "log_ins" => Counted::LogIns,
                _ => Counted::JobsDone,
            };
            Ok((what, row.try_get("", "bucket")?, row.try_get("", "number")?))
        })
        .collect()
}

/// SQL for how many rows there are by day (`2026-11-22`) or hour (`2026-11-22T10`). PostgreSQL writes a time as text only
/// once for each of these, because that takes longer than all else.
fn counted(backend: DbBackend, column: &str, unit: &str, rows: &str) -> String {
    let characters = if unit == "day" { 10 } else { 13 };
    let (start, text) = match backend {
        DbBackend::Postgres => (
            format!("date_trunc('{unit}', {column} AT TIME ZONE 'UTC')"),
            format!("left(to_char(start, 'YYYY-MM-DD\"T\"HH24'), {characters})"),
        ),
        _ => (format!("substr({column}, 1, {characters})"), "start".to_owned()),
    };
    format!("{text} AS bucket, number FROM (SELECT {start} AS start, count(*) AS number FROM {rows} GROUP BY 1) AS t")
}

pub(crate) fn first_day() -> DateTime<Utc> {
    start_of_day(now()) - Days::new(DAYS - 1)
}

pub(crate) fn first_hour() -> DateTime<Utc> {
    start_of_hour(now()) - TimeDelta::hours(HOURS - 1)
}

fn start_of_day(at: DateTime<Utc>) -> DateTime<Utc> {
    at.date_naive().and_time(chrono::NaiveTime::MIN).and_utc()
}

fn start_of_hour(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::hours(1)).unwrap_or(at)
}

fn day_text(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d").to_string()
}
