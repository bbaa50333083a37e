//! One open page: waits for what it watches, and for what ends it.

use std::{convert::Infallible, pin::Pin, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{HeaderName, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use futures::stream;
use sea_orm::{DatabaseConnection, DbErr, EntityTrait, QueryOrder, QuerySelect};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;
use usher_shared::{
    events::{Listener, Selection},
    foundation::{
        db,
        entity::{
            event,
            job::{self, JobState},
        },
        time::now,
    },
};
use uuid::Uuid;

use super::open_streams::OpenStream;
use crate::state::AppState;

/// A comment this often keeps proxies from closing the connection.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long browsers wait before they connect again, in milliseconds.
const RETRY: u32 = 2_000;
/// A page is told no more often than this: whatever happens meanwhile is one change.
const PAUSE: Duration = Duration::from_secs(1);
/// How often a job is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A page was drawn so shortly before it connects; what happened in between is told at once.
const DRAWN_WITHIN: TimeDelta = TimeDelta::seconds(10);
/// The newest events among which that is looked for.
const NEWEST: u64 = 20;

pub(super) struct Follower {
    open: OpenStream,
    stopping: CancellationToken,
    heartbeat: Interval,
    db: DatabaseConnection,
    /// None if nothing that the page shows has events.
    listener: Option<Listener>,
    job: Option<JobWatch>,
    /// Not told before.
    rests_until: Instant,
    has_begun: bool,
}

impl Follower {
    /// None if there is nothing to wait for.
    pub(super) async fn new(
        state: &AppState,
        open: OpenStream,
        kinds: Vec<&'static str>,
        job: Option<JobWatch>,
    ) -> Result<Option<Self>, DbErr> {
        if kinds.is_empty() && job.is_none() {
            return Ok(None);
        }
        let listener = if kinds.is_empty() {
            None
        } else {
            let selection = Selection { kinds, user_id: None };
            Some(state.events.listen(shortly_before(&state.db).await?, selection))
        };
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Some(Self {
            open,
            stopping: state.stopping.clone(),
            heartbeat,
            db: state.db.clone(),
            listener,
            job,
            rests_until: Instant::now(),
            has_begun: false,
        }))
    }

    pub(super) fn respond(self) -> Response {
        let told = stream::unfold(Some(Box::pin(self)), async |follower| {
            let mut follower: Pin<Box<Self>> = follower?;
            let (text, ends) = follower.next().await;
            Some((Ok::<_, Infallible>(Bytes::from(text)), (!ends).then_some(follower)))
        });
        let headers = [
            (header::CONTENT_TYPE, "text/event-stream"),
            (header::CACHE_CONTROL, "no-store"),
            // nginx would collect what is sent.
            (HeaderName::from_static("x-accel-buffering"), "no"),
        ];
        (headers, Body::from_stream(told)).into_response()
    }

    /// What to send next, and whether that is the end.
    async fn next(&mut self) -> (String, bool) {
        if !self.has_begun {
            self.has_begun = true;
            self.heartbeat.reset();
            return (format!("retry: {RETRY}\n\n"), false);
        }
        let Self {
            listener,
            job,
            rests_until,
            ..
        } = self;
        let changed = async {
            sleep_until(*rests_until).await;
            tokio::select! {
                heard = heard(listener) => heard,
                moved = moved(&self.db, job) => moved,
            }
        };
        let told = tokio::select! {
            biased;
            () = self.open.ended.cancelled() => Some(end("session_changed")),
            () = self.stopping.cancelled() => Some(end("shutting_down")),
            changed = changed => changed.err().map(|error| {
                tracing::warn!(%error, "a page is no longer told of changes");
                end("unavailable")
            }),
            _ = self.heartbeat.tick() => Some((": still here\n\n".to_owned(), false)),
        };
        told.unwrap_or_else(|| {
            self.rests_until = Instant::now() + PAUSE;
            self.heartbeat.reset();
            // An event without data is none.
            ("event: changed\ndata: {}\n\n".to_owned(), false)
        })
    }
}

/// Waits for an event; those that are there already are the same change.
async fn heard(listener: &mut Option<Listener>) -> Result<(), DbErr> {
    let Some(listener) = listener else {
        return std::future::pending().await;
    };
    listener.next().await?;
    while listener.ready().is_some() {}
    Ok(())
}

async fn moved(db: &DatabaseConnection, job: &mut Option<JobWatch>) -> Result<(), DbErr> {
    match job {
        Some(job) => job.moved(db).await,
        None => std::future::pending().await,
    }
}

/// What of a job shows that it moves.
type Mark = (JobState, Option<i16>, i32);

/// A job whose page is open.
pub(super) struct JobWatch {
    id: Uuid,
    /// As it was at the last look; none before the first.
    seen: Option<Option<Mark>>,
    look: Interval,
}

impl JobWatch {
    pub(super) fn new(id: Uuid) -> Self {
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { id, seen: None, look }
    }

    /// Waits until it has moved.
    async fn moved(&mut self, db: &DatabaseConnection) -> Result<(), DbErr> {
        use job::Column::{Attempt, Progress, State};
        loop {
            self.look.tick().await;
            let row = job::Entity::find_by_id(self.id)
                .select_only()
                .columns([State, Progress, Attempt]);
            let mark: Option<Mark> = db::within(HEARTBEAT, row.into_tuple().one(db)).await?;
            let ends = !matches!(mark, Some((JobState::Ready | JobState::Running, ..)));
            // The page was drawn while the job was underway.
            let has_moved = self.seen.as_ref().map_or(ends, |seen| *seen != mark);
            self.seen = Some(mark);
            if has_moved {
                return Ok(());
            }
        }
    }
}

/// The position after which events may be newer than a page that connects now. One statement that reads the end of the
/// primary key.
async fn shortly_before(db: &DatabaseConnection) -> Result<i64, DbErr> {
    let newest: Vec<(i64, DateTime<Utc>)> = event::Entity::find()
        .select_only()
        .columns([event::Column::Id, event::Column::At])
        .order_by_desc(event::Column::Id)
        .limit(NEWEST)
        .into_tuple()
        .all(db)
        .await?;
    let since = now() - DRAWN_WITHIN;
    let older = newest.iter().find(|(_, at)| *at < since);
    let oldest = newest.last().map_or(0, |(position, _)| position - 1);
    Ok(older.map_or(oldest, |(position, _)| *position))
}

fn end(reason: &str) -> (String, bool) {
    (format!("event: end\ndata: {{\"reason\":\"{reason}\"}}\n\n"), true)
}
