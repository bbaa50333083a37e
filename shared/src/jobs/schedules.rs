//! Recurring jobs. A tick is one transaction: it locks the schedule's row, writes the job and sets the next time.
//! However many workers try, each tick happens once.

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use chrono_tz::Tz;
use croner::{Cron, errors::CronError};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, sea_query::OnConflict,
};
use thiserror::Error;
use uuid::Uuid;

use super::{
    cron,
    enqueue::{EnqueueError, EnqueueOptions, Row, UNIQUE},
    job::Job,
    job_store::{JobStore, Tx},
};
use crate::foundation::{
    db::{self, Sql, columns},
    entity::job_schedule::{self, CatchUp},
    time::{new_id, now},
};

/// Jobs written for one schedule in one transaction; the rest follows in the next.
const TICKS_AT_ONCE: usize = 100;
/// A tick later than this counts as missed if the schedule skips missed ticks.
const PUNCTUAL: Duration = Duration::seconds(60);

/// Why a pattern or a time zone is rejected. The text is for the person who typed it.
#[derive(Debug, Error)]
pub enum ScheduleError {
    #[error("{0:?} is not a cron pattern: {1}, for example \"0 7 * * 1-5\"")]
    Pattern(String, String),
    #[error("{0:?} is not a time zone; enter one such as UTC or Europe/Paris")]
    TimeZone(String),
    #[error("the pattern {0:?} never matches")]
    Never(String),
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// A built-in schedule. Staff may change its times or disable it, and upgrades keep that.
#[derive(Clone, Debug)]
pub struct Schedule {
    name: &'static str,
    cron: &'static str,
    queue: &'static str,
    kind: &'static str,
    version: i16,
    priority: i16,
    payload: serde_json::Value,
    catch_up: CatchUp,
}

impl Schedule {
    /// A job of this kind at the times of a cron pattern in UTC. One job makes up for all missed ticks.
    ///
    /// # Panics
    /// If the payload cannot be written as JSON; a programmer sees that at the first start.
    pub fn new<J: Job>(name: &'static str, cron: &'static str, job: &J) -> Self {
        let payload = serde_json::to_value(job).expect("a job's payload is JSON");
        Self {
            name,
            cron,
            queue: J::QUEUE,
            kind: J::KIND,
            version: J::VERSION,
            priority: J::PRIORITY.number(),
            payload,
            catch_up: CatchUp::One,
        }
    }

    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    #[must_use]
    pub fn catch_up(mut self, catch_up: CatchUp) -> Self {
        self.catch_up = catch_up;
        self
    }
}

/// Rejects a pattern that nobody can have meant, or that never matches. Patterns stored earlier keep running; see
/// [`next_occurrence`].
pub fn check_pattern(pattern: &str, time_zone: &str, after: DateTime<Utc>) -> Result<DateTime<Utc>, ScheduleError> {
    cron::check(pattern, false).map_err(|why| ScheduleError::Pattern(pattern.to_owned(), why))?;
    next_occurrence(pattern, time_zone, after)
}

/// The next times of a pattern, in its own zone.
pub fn next_occurrences(
    pattern: &str,
    time_zone: &str,
    after: DateTime<Utc>,
    count: usize,
) -> Result<Vec<DateTime<Tz>>, ScheduleError> {
    let (mut times, mut last) = (Vec::with_capacity(count), after);
    while times.len() < count {
        last = match next_occurrence(pattern, time_zone, last) {
            Ok(next) => next,
            // That was the last time.
            Err(ScheduleError::Never(_)) if !times.is_empty() => break,
            Err(error) => return Err(error),
        };
        times.push(last.with_timezone(&zone_of(time_zone)?));
    }
    Ok(times)
}

/// The pattern's first time after `after` in that zone. Five fields, or six with seconds in front.
pub fn next_occurrence(cron: &str, time_zone: &str, after: DateTime<Utc>) -> Result<DateTime<Utc>, ScheduleError> {
    let zone = zone_of(time_zone)?;
    let next = parsed(cron)?.find_next_occurrence(&after.with_timezone(&zone), false);
    next.map(|at| at.with_timezone(&Utc))
        .map_err(|_| ScheduleError::Never(cron.to_owned()))
}

/// The pattern's newest time until `until`, in that zone.
fn newest_occurrence(cron: &str, time_zone: &str, until: DateTime<Utc>) -> Result<DateTime<Utc>, ScheduleError> {
    let zone = zone_of(time_zone)?;
    let newest = parsed(cron)?.find_previous_occurrence(&until.with_timezone(&zone), true);
    newest
        .map(|at| at.with_timezone(&Utc))
        .map_err(|_| ScheduleError::Never(cron.to_owned()))
}

fn parsed(cron: &str) -> Result<Cron, ScheduleError> {
    cron.parse()
        .map_err(|error: CronError| ScheduleError::Pattern(cron.to_owned(), error.to_string()))
}

fn zone_of(name: &str) -> Result<Tz, ScheduleError> {
    name.parse().map_err(|_| ScheduleError::TimeZone(name.to_owned()))
}

impl JobStore {
    /// Adds the built-in schedules that are not in the table yet.
    pub async fn declare(&self, schedules: &[Schedule]) -> Result<(), ScheduleError> {
        let at = db::clock(&self.db).await?;
        for schedule in schedules {
            cron::check(schedule.cron, true).map_err(|why| ScheduleError::Pattern(schedule.cron.to_owned(), why))?;
            let row = job_schedule::ActiveModel {
                name: Set(schedule.name.to_owned()),
                queue: Set(schedule.queue.to_owned()),
                kind: Set(schedule.kind.to_owned()),
                version: Set(schedule.version),
                payload: Set(schedule.payload.clone()),
                priority: Set(schedule.priority),
                cron: Set(schedule.cron.to_owned()),
                time_zone: Set("UTC".to_owned()),
                catch_up: Set(schedule.catch_up),
                enabled: Set(true),
                next_run_at: Set(next_occurrence(schedule.cron, "UTC", at)?),
                row_version: Set(1),
                created_at: Set(at),
                updated_at: Set(at),
                ..Default::default()
            };
            let there = OnConflict::column(job_schedule::Column::Name).do_nothing().to_owned();
            job_schedule::Entity::insert(row)
                .on_conflict(there)
                .exec_without_returning(&db::writing(&self.db))
                .await?;
        }
        Ok(())
    }

    /// Writes the jobs of every due schedule, and returns how many.
    pub async fn tick(&self) -> Result<usize, ScheduleError> {
        let mut written = 0;
        let due = format!("enabled AND next_run_at <= {}", self.sql().now());
        while self.has_any("job_schedules", &due).await? {
            let tx = self.begin().await?;
            let Some(schedule) = lock_due(&tx).await? else {
                // Another worker is on it.
                break;
            };
            written += tick_one(&tx, schedule).await?;
            tx.commit().await?;
        }
        Ok(written)
    }
}

/// Runs a schedule's job once, independent of its times. Returns the job's id.
pub async fn run_schedule(tx: &Tx, schedule: &job_schedule::Model, actor: String) -> Result<Uuid, ScheduleError> {
    let row = job_of(schedule, EnqueueOptions::default().actor(actor));
    tx.execute_raw(row.insert(tx, "(id)")).await?;
    row.announce(tx);
    Ok(row.id)
}

/// Enables a schedule from its next time on, or disables it.
pub async fn enable_schedule(tx: &Tx, id: i64, enabled: bool) -> Result<(), ScheduleError> {
    let Some(schedule) = job_schedule::Entity::find_by_id(id).one(&**tx).await? else {
        return Ok(());
    };
    if schedule.enabled == enabled {
        // An overdue tick is not lost.
        return Ok(());
    }
    let next = next_occurrence(&schedule.cron, &schedule.time_zone, db::clock(&**tx).await?);
    let version = schedule.row_version + 1;
    let mut row = schedule.into_active_model();
    if enabled {
        // Times that passed while it was disabled are not made up for.
        row.next_run_at = Set(next?);
    }
    row.enabled = Set(enabled);
    row.row_version = Set(version);
    row.updated_at = Set(now());
    row.update(&**tx).await?;
    Ok(())
}

fn job_of(schedule: &job_schedule::Model, options: EnqueueOptions) -> Row<'_> {
    Row {
        id: new_id(),
        queue: &schedule.queue,
        kind: &schedule.kind,
        version: schedule.version,
        payload: schedule.payload.clone(),
        priority: schedule.priority,
        user_id: None,
        options,
    }
}

async fn lock_due(tx: &Tx) -> Result<Option<job_schedule::Model>, DbErr> {
    let sql = Sql(tx.get_database_backend());
    let query = format!(
        "SELECT {} FROM job_schedules WHERE enabled AND next_run_at <= {} ORDER BY next_run_at, id LIMIT 1 {}",
        columns::<job_schedule::Entity>(),
        sql.now(),
        sql.skip_locked()
    );
    job_schedule::Entity::find()
        .from_raw_sql(sql.statement(&query, []))
        .one(&**tx)
        .await
}

async fn tick_one(tx: &Tx, schedule: job_schedule::Model) -> Result<usize, ScheduleError> {
    let at = db::clock(&**tx).await?;
    let (mut ticks, next) = match schedule.catch_up {
        CatchUp::All => missed_ticks(&schedule, at),
        CatchUp::One | CatchUp::Skip => newest_tick(&schedule, at),
    };
    ticks.retain(|tick| schedule.catch_up != CatchUp::Skip || at - *tick <= PUNCTUAL);
    let mut written = 0;
    for tick in &ticks {
        written += write(tx, &schedule, *tick).await?;
    }
    let (last, cron) = (ticks.last().copied(), schedule.cron.clone());
    let mut row = schedule.into_active_model();
    match next {
        Some(next) => row.next_run_at = Set(next),
        None => {
            tracing::error!(
                cron,
                "a schedule's pattern never matches again, so the schedule was disabled"
            );
            row.enabled = Set(false);
        }
    }
    if last.is_some() {
        row.last_run_at = Set(last);
    }
    row.update(&**tx).await?;
    Ok(written)
}

/// The ticks until `at`, as many as one transaction writes, and the time of the next. A pattern that staff broke has
/// none, which disables its schedule, instead of breaking every worker's loop.
fn missed_ticks(schedule: &job_schedule::Model, at: DateTime<Utc>) -> (Vec<DateTime<Utc>>, Option<DateTime<Utc>>) {
    let mut ticks = vec![schedule.next_run_at];
    loop {
        let last = ticks[ticks.len() - 1];
        match next_occurrence(&schedule.cron, &schedule.time_zone, last) {
            Ok(next) if next <= at && ticks.len() < TICKS_AT_ONCE => ticks.push(next),
            next => return (ticks, next.ok()),
        }
    }
}

/// The newest tick until `at`, the only one that counts however many were missed, and the time of the next.
fn newest_tick(schedule: &job_schedule::Model, at: DateTime<Utc>) -> (Vec<DateTime<Utc>>, Option<DateTime<Utc>>) {
    let newest = newest_occurrence(&schedule.cron, &schedule.time_zone, at);
    let newest = newest.map_or(schedule.next_run_at, |newest| newest.max(schedule.next_run_at));
    let next = next_occurrence(&schedule.cron, &schedule.time_zone, at);
    (vec![newest], next.ok())
}

async fn write(tx: &Tx, schedule: &job_schedule::Model, tick: DateTime<Utc>) -> Result<usize, ScheduleError> {
    // Like every job's id, this one holds the time of writing, which lists and counts rely on. The tick is in the key.
    let key = format!(
        "{} {}",
        schedule.name,
        tick.to_rfc3339_opts(SecondsFormat::AutoSi, true)
    );
    let options = EnqueueOptions::default().actor(format!("schedule:{}", schedule.id));
    let row = job_of(schedule, options.unique(key));
    let inserted = tx.execute_raw(row.insert(tx, UNIQUE)).await?.rows_affected();
    if inserted == 1 {
        row.announce(tx);
    }
    Ok(usize::from(inserted == 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(cron: &str, zone: &str, after: &str) -> String {
        next_occurrence(cron, zone, after.parse().unwrap())
            .unwrap()
            .to_rfc3339()
    }

    #[test]
    fn patterns_follow_their_time_zone_through_summer_time() {
        assert_eq!(
            next("0 7 * * *", "UTC", "2026-11-22T06:59:59Z"),
            "2026-11-22T07:00:00+00:00"
        );
        assert_eq!(
            next("0 7 * * *", "UTC", "2026-11-22T07:00:00Z"),
            "2026-11-23T07:00:00+00:00"
        );
        assert_eq!(
            next("0 7 * * *", "Europe/Paris", "2026-07-01T00:00:00Z"),
            "2026-07-01T05:00:00+00:00"
        );
        assert_eq!(
            next("0 7 * * *", "Europe/Paris", "2026-12-01T00:00:00Z"),
            "2026-12-01T06:00:00+00:00"
        );
        assert_eq!(
            next("*/10 * * * * *", "UTC", "2026-11-22T07:00:01Z"),
            "2026-11-22T07:00:10+00:00"
        );
    }

    #[test]
    fn what_is_no_pattern_or_zone_is_said() {
        let at = "2026-11-22T07:00:00Z".parse().unwrap();
        assert!(matches!(
            next_occurrence("every day", "UTC", at),
            Err(ScheduleError::Pattern(..))
        ));
        assert!(matches!(
            next_occurrence("0 7 * * *", "Mars/Base", at),
            Err(ScheduleError::TimeZone(_))
        ));
        assert!(matches!(
            next_occurrence("0 0 31 2 *", "UTC", at),
            Err(ScheduleError::Never(_))
        ));
        assert!(matches!(
            check_pattern("*/10 * * * * *", "UTC", at),
            Err(ScheduleError::Pattern(..))
        ));
    }

    #[test]
    fn the_next_times_are_told_in_their_zone() {
        let at = "2026-10-23T12:00:00Z".parse().unwrap();
        let times = next_occurrences("30 7 * * *", "Europe/Paris", at, 3).unwrap();
        let told: Vec<_> = times.iter().map(|at| at.format("%d %H:%M %Z").to_string()).collect();
        assert_eq!(told, ["24 07:30 CEST", "25 07:30 CET", "26 07:30 CET"]);
    }
}
