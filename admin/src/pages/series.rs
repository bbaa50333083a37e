//! Sign-ups, sign-ins and finished jobs by day and hour. Each past interval of ten minutes is counted once and cached,
//! so that the dashboard only counts the latest ones.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Days, DurationRound, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use tokio::sync::Mutex;
use usher_shared::foundation::time::{first_id, now};

/// Days that are shown.
pub(crate) const DAYS: u64 = 14;
/// Hours that are shown.
pub(crate) const HOURS: i64 = 24;
/// Rows that are committed later than this after their own timestamp are not counted.
const LATE: TimeDelta = TimeDelta::minutes(5);
/// How much older an id may be than the timestamp beside it.
const CLOCKS: TimeDelta = TimeDelta::seconds(1);
/// The interval. Timestamps of one interval share their first [`CHARACTERS`] characters.
const BUCKET: TimeDelta = TimeDelta::minutes(10);
const CHARACTERS: usize = "2026-11-22T10:5".len();

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Counted {
    SignUps,
    LogIns,
    JobsDone,
}

/// Counts by kind and interval, the latter as the database writes it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series {
    numbers: BTreeMap<(Counted, String), i64>,
    /// Counts from here on may still grow; none before the first read.
    open: Option<DateTime<Utc>>,
}

/// The cached counts of this process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cache(Arc<Mutex<Series>>);

impl Cache {
    /// Counts what may have changed, in one statement.
    pub(crate) async fn read(&self, db: &impl ConnectionTrait) -> Result<Series, DbErr> {
        let mut kept = self.0.lock().await;
        let open = kept.open.unwrap_or_default();
        let found = count(db, open.max(first_day()), open.max(first_hour())).await?;
        // An id may be slightly younger than its row; past intervals keep their count.
        let still_open = text(open, CHARACTERS);
        let found = found.into_iter().filter(|(_, bucket, _)| *bucket >= still_open);
        kept.numbers
            .extend(found.map(|(what, bucket, number)| ((what, bucket), number)));
        let (oldest, past) = (text(first_day(), CHARACTERS), now() - LATE);
        kept.numbers.retain(|(_, bucket), _| *bucket >= oldest);
        kept.open = Some(past.duration_trunc(BUCKET).unwrap_or(past));
        Ok(kept.clone())
    }
}

impl Series {
    /// The count of the day (for jobs, the hour) that begins at this time.
    pub(crate) fn number(&self, what: Counted, start: DateTime<Utc>) -> i64 {
        let prefix = text(start, what.unit().len());
        self.numbers
            .range((what, prefix.clone())..)
            .take_while(|((other, bucket), _)| *other == what && bucket.starts_with(&prefix))
            .map(|(_, number)| number)
            .sum()
    }
}

impl Counted {
    /// The prefix of timestamps that make up one bar, by example.
    fn unit(self) -> &'static str {
        match self {
            Self::SignUps | Self::LogIns => "2026-11-22",
            Self::JobsDone => "2026-11-22T10",
        }
    }
}

async fn count(
    db: &impl ConnectionTrait,
    day: DateTime<Utc>,
    hour: DateTime<Utc>,
) -> Result<Vec<(Counted, String, i64)>, DbErr> {
    let parts = [
        ("sign_ups", "created_at", "users WHERE created_at >= $1"),
        // Found by their ids, which contain the time. Impersonations are not sign-ins.
        (
            "log_ins",
            "created_at",
            "sessions WHERE id >= $2 AND impersonator_id IS NULL",
        ),
        ("jobs", "finished_at", "jobs WHERE state = 'done' AND finished_at >= $3"),
    ];
    let backend = db.get_database_backend();
    let parts =
        parts.map(|(name, column, rows)| format!("SELECT '{name}' AS part, {}", counted(backend, column, rows)));
    let values = [day.into(), first_id(day - CLOCKS).into(), hour.into()];
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

/// SQL for how many rows there are in each ten minutes (`2026-11-22T10:5`). PostgreSQL writes a time as text only once
/// for each of these, because that takes longer than all else.
fn counted(backend: DbBackend, column: &str, rows: &str) -> String {
    let (start, text) = match backend {
        DbBackend::Postgres => (
            format!("date_bin('10 minutes', {column} AT TIME ZONE 'UTC', '2000-01-01')"),
            format!("left(to_char(start, 'YYYY-MM-DD\"T\"HH24:MI'), {CHARACTERS})"),
        ),
        _ => (format!("substr({column}, 1, {CHARACTERS})"), "start".to_owned()),
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

/// The first characters of a timestamp.
fn text(at: DateTime<Utc>, characters: usize) -> String {
    let mut text = at.format("%Y-%m-%dT%H:%M").to_string();
    text.truncate(characters);
    text
}
