//! How the jobs are doing: what waits in which queue, how fast work is done, who does it. It reads the jobs table, never
//! Redis, and at most once in two seconds however many people look.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use askama::Template;
use axum::{
    extract::{Query, State},
    response::Response,
};
use chrono::{DateTime, SubsecRound, TimeDelta, Timelike, Utc};
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryFilter, QueryOrder, Statement, Value};
use serde::Deserialize;
use tokio::sync::Mutex;
use usher_shared::{
    audit::{self, Entry, ObjectType},
    foundation::{
        entity::{job::READY, job_queue, worker},
        time::now,
    },
    jobs,
};

use crate::{engine::{Cell, error::AdminError, grouped, request::{posted::Posted, staff::Staff, visit::Visit}, shell::{frame::Shell, page}}, pages::plot::{Plot, Point}, state::AppState};

/// What is shown may be as old as this,
const KEPT: Duration = Duration::from_secs(2);
/// or as this many times as long as it took to read.
const KEPT_TIMES: u32 = 20;
/// A worker that was not seen for longer is taken for dead.
const SEEN: TimeDelta = TimeDelta::seconds(60);

/// What was read lately, by the range of its plots.
pub(crate) type Kept = Arc<Mutex<HashMap<Range, (Instant, Arc<Found>)>>>;

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    shell: Shell,
    queues: Vec<Queue>,
    plots: Vec<Plot>,
    workers: Vec<Vec<Cell>>,
    ranges: Vec<(&'static str, String, bool)>,
    here: String,
    may_pause: bool,
    may_resume: bool,
}

struct Queue {
    name: String,
    paused: Option<String>,
    /// Where its limits are set, for whom that is open.
    limits_href: Option<String>,
    kinds: Vec<Kind>,
}

struct Kind {
    name: String,
    href: String,
    ready: String,
    scheduled: String,
    running: String,
    dead: i64,
    dead_text: String,
    done: String,
    oldest: String,
}

/// The time that the plots show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Range {
    Hour,
    #[default]
    Day,
    Week,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    range: Option<String>,
}

/// What the database said.
#[derive(Debug)]
pub(crate) struct Found {
    kinds: Vec<Counted>,
    /// Jobs done and their mean milliseconds from due to started, by the start of their time.
    series: HashMap<String, (i64, i64)>,
    queues: Vec<job_queue::Model>,
    workers: Vec<worker::Model>,
}

/// Queue and kind; ready, scheduled, running, dead and done; since when the oldest is due.
type Counted = (String, String, [i64; 5], Option<DateTime<Utc>>);

impl Range {
    const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Week];

    fn parse(word: Option<&str>) -> Self {
        match word {
            Some("hour") => Self::Hour,
            Some("week") => Self::Week,
            _ => Self::Day,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
        }
    }

    /// Bars, the time of each, and how many characters of `2026-11-22T10:18` name one.
    const fn bars(self) -> (i64, TimeDelta, usize) {
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

    fn first(self) -> DateTime<Utc> {
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

/// `GET /admin/jobs/overview?range=hour|day|week`
pub(crate) async fn show(
    State(state): State<AppState>,
    visit: Visit,
    staff: Staff,
    Query(asked): Query<Asked>,
) -> Result<Response, AdminError> {
    staff.require("jobs.view")?;
    let range = Range::parse(asked.range.as_deref());
    let found = found(&state, range).await?;
    page::show(&OverviewPage {
        shell: Shell::new(&state, &visit, &staff, "Jobs overview")
            .crumb("Jobs", "/admin/jobs")
            .here("Overview"),
        queues: queues(&found, &staff),
        plots: plots(&found, range),
        workers: found.workers.iter().map(worker_cells).collect(),
        ranges: Range::ALL
            .map(|each| {
                (
                    each.word(),
                    format!("/admin/jobs/overview?range={}", each.word()),
                    each == range,
                )
            })
            .into(),
        here: format!("/admin/jobs/overview?range={}", range.word()),
        may_pause: staff.may("queues.pause"),
        may_resume: staff.may("queues.resume"),
    })
}

/// `POST /admin/jobs/overview`: pauses or resumes a queue.
pub(crate) async fn change(
    State(state): State<AppState>,
    visit: Visit,
    staff: Staff,
    Posted(form): Posted,
) -> Result<Response, AdminError> {
    let pause = form.get("action") != Some("resume");
    staff.require("jobs.view")?;
    staff.require(if pause { "queues.pause" } else { "queues.resume" })?;
    let queue = form.get("queue").unwrap_or_default();
    if !jobs::is_queue_name(queue) {
        return Err(AdminError::BadRequest("Choose a queue from the overview".to_owned()));
    }
    let tx = form.begin(&state).await?;
    let actor = staff.actor(&visit);
    jobs::pause_queue(&tx, queue, pause.then(|| actor.label.clone())).await?;
    let entry = Entry {
        action: if pause { "pause" } else { "resume" },
        object_type: ObjectType::Queue.as_str(),
        object_id: Some(queue.to_owned()),
        object_label: Some(queue.to_owned()),
        ..Entry::default()
    };
    audit::record(&**tx, &actor, entry).await?;
    let words = if pause {
        "is paused: its jobs wait"
    } else {
        "runs again"
    };
    let said = visit.say(format!("The queue {queue} {words}"), "/admin/jobs/overview");
    let said = tx.finish(said).await?;
    state.overview.lock().await.clear();
    Ok(said)
}

/// What was read a short while ago. Whoever comes while it is read waits for it and reads nothing. It is kept for longer
/// where reading it took long, so that the overview never takes more than a small part of the database's time.
async fn found(state: &AppState, range: Range) -> Result<Arc<Found>, DbErr> {
    let mut kept = state.overview.lock().await;
    let began = Instant::now();
    if let Some((until, found)) = kept.get(&range)
        && began < *until
    {
        return Ok(Arc::clone(found));
    }
    let found = Arc::new(read(&state.db, range).await?);
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

fn queues(found: &Found, staff: &Staff) -> Vec<Queue> {
    let mut queues: Vec<Queue> = vec![];
    let paused = |name: &str| {
        let row = found.queues.iter().find(|queue| queue.name == name)?;
        row.paused_at?;
        Some(format!("by {}", row.paused_by.as_deref().unwrap_or("somebody")))
    };
    let limits_href = |name: &str| {
        let is_listed = found.queues.iter().any(|queue| queue.name == name);
        if is_listed {
            staff.may("queues.view").then(|| format!("/admin/queues/{name}"))
        } else {
            staff
                .may("queues.add")
                .then(|| format!("/admin/queues/new?name={name}"))
        }
    };
    for (queue, kind, [ready, scheduled, running, dead, done], oldest) in &found.kinds {
        let kind = Kind {
            href: format!("/admin/jobs?kind={kind}&queue={queue}"),
            name: kind.clone(),
            ready: grouped(*ready),
            scheduled: grouped(*scheduled),
            running: grouped(*running),
            dead: *dead,
            dead_text: grouped(*dead),
            done: grouped(*done),
            oldest: oldest.map_or_else(|| "–".to_owned(), ago),
        };
        match queues.iter_mut().find(|known| known.name == *queue) {
            Some(known) => known.kinds.push(kind),
            None => queues.push(Queue {
                name: queue.clone(),
                paused: paused(queue),
                limits_href: limits_href(queue),
                kinds: vec![kind],
            }),
        }
    }
    for queue in &found.queues {
        if queues.iter().all(|known| known.name != queue.name) {
            queues.push(Queue {
                name: queue.name.clone(),
                paused: paused(&queue.name),
                limits_href: limits_href(&queue.name),
                kinds: vec![],
            });
        }
    }
    queues
}

/// `12 s`, `3 min`, `2 h`, `5 days`.
fn ago(since: DateTime<Utc>) -> String {
    let passed = (now() - since).max(TimeDelta::zero());
    match passed.num_seconds() {
        seconds @ ..60 => format!("{seconds} s"),
        seconds @ ..3_600 => format!("{} min", seconds / 60),
        seconds @ ..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

fn plots(found: &Found, range: Range) -> Vec<Plot> {
    let (bars, each, characters) = range.bars();
    let points = |value: fn(&(i64, i64)) -> i64| {
        let bar = |number: i64| {
            let at = range.first() + each * i32::try_from(number).unwrap_or(0);
            let name = at.format("%Y-%m-%dT%H:%M").to_string();
            Point {
                tick: at
                    .format(if range == Range::Week { "%-d %b" } else { "%H:%M" })
                    .to_string(),
                value: found.series.get(&name[..characters]).map_or(0, value),
                label: name.replace('T', " ")[..characters].to_owned(),
            }
        };
        (0..bars).map(bar).collect::<Vec<_>>()
    };
    vec![
        Plot::new("Jobs done", "jobs", points(|(number, _)| *number)),
        Plot::mean("From due to started, on average", "ms", points(|(_, waited)| *waited)),
    ]
}

fn worker_cells(worker: &worker::Model) -> Vec<Cell> {
    vec![
        Cell::text(worker.name.clone()),
        Cell::text(worker.version.clone()),
        Cell::text(worker.queues.replace(' ', ", ")),
        Cell::text(format!("{} of {}", worker.running, worker.concurrency)),
        Cell::time(worker.started_at),
    ]
}
