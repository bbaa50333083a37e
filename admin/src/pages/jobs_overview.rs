//! How the jobs are doing: what waits in which queue, how fast work is done, who does it. It reads the jobs table,
//! never Redis, and at most once in two seconds however many people look.

use askama::Template;
use axum::{
    Extension,
    extract::{Query, State},
    response::Response,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use strum::VariantArray;
use usher_shared::{
    audit::{self, Entry, ObjectType},
    foundation::{entity::worker, time::now},
    jobs,
};

use crate::pages::plot::{Plot, Point};
use crate::pages::queue_figures::{Cache, Found, Range, found};
use usher_admin_engine::{AdminContext, AdminError, Cell, Posted, Shell, Staff, Visit, grouped, page};

/// Seconds between the page's looks.
const EVERY: u16 = 4;

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
    /// Where its limits are set, for staff who may set them.
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

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    range: Option<String>,
}

/// `GET /admin/jobs/overview?range=hour|day|week`
pub(crate) async fn show(
    State(state): State<AdminContext>,
    visit: Visit,
    staff: Staff,
    Extension(cache): Extension<Cache>,
    Query(asked): Query<Asked>,
) -> Result<Response, AdminError> {
    staff.require("jobs.view")?;
    let range = Range::parse(asked.range.as_deref());
    let found = found(&state.db, &cache, range).await?;
    page::show(&OverviewPage {
        shell: Shell::new(&state, &visit, &staff, "Jobs overview")
            .crumb("Jobs", "/admin/jobs")
            .here("Overview")
            .live(EVERY),
        queues: queues(&found, &staff),
        plots: plots(&found, range),
        workers: found.workers.iter().map(worker_cells).collect(),
        ranges: Range::VARIANTS
            .iter()
            .map(|each| {
                let href = format!("/admin/jobs/overview?range={}", each.as_str());
                (each.as_str(), href, *each == range)
            })
            .collect(),
        here: format!("/admin/jobs/overview?range={}", range.as_str()),
        may_pause: staff.may("queues.pause"),
        may_resume: staff.may("queues.resume"),
    })
}

/// `POST /admin/jobs/overview`: pauses or resumes a queue.
pub(crate) async fn change(
    State(state): State<AdminContext>,
    visit: Visit,
    staff: Staff,
    Extension(cache): Extension<Cache>,
    Posted(form): Posted,
) -> Result<Response, AdminError> {
    let pause = form.get("action") != Some("resume");
    staff.require("jobs.view")?;
    staff.require(if pause { "queues.pause" } else { "queues.resume" })?;
    let queue = form.get("queue").unwrap_or_default();
    if !jobs::is_queue_name(queue) {
        return Err(AdminError::BadRequest("Choose a queue from the overview.".to_owned()));
    }
    let tx = form.begin(&state).await?;
    let actor = staff.actor(&visit);
    jobs::pause_queue(&tx, queue, pause.then(|| actor.label.clone())).await?;
    let action = if pause { "pause" } else { "resume" };
    let entry = Entry::about(ObjectType::Queue, queue, queue, action);
    audit::record(&**tx, &actor, entry).await?;
    let words = if pause {
        "paused. Its jobs wait until you resume it."
    } else {
        "resumed"
    };
    let said = visit.say(format!("Queue {queue} {words}"), "/admin/jobs/overview");
    let said = tx.finish(said).await?;
    cache.lock().await.clear();
    Ok(said)
}

fn queues(found: &Found, staff: &Staff) -> Vec<Queue> {
    let mut queues: Vec<Queue> = vec![];
    let paused = |name: &str| {
        let row = found.queues.iter().find(|queue| queue.name == name)?;
        row.paused_at?;
        Some(
            row.paused_by
                .as_deref()
                .map_or_else(String::new, |by| format!(" by {by}")),
        )
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
        Plot::new("Jobs done", ["job", "jobs"], points(|(number, _)| *number)),
        Plot::mean("Average wait", ["ms"; 2], points(|(_, waited)| *waited)),
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
