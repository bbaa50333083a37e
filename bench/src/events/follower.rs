//! Readers of the stream, as docs/events.md describes them: they remember a position, and go on there after whatever
//! happens.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use chrono::{DateTime, Utc};
use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};
use usher_shared::foundation::{entity::event, time::now};
use uuid::Uuid;

use super::scene::ApiClient;

/// A stream that is silent for longer is dead.
const SILENCE: Duration = Duration::from_secs(60);
/// How long to wait before asking again.
const AGAIN: Duration = Duration::from_millis(100);

/// An event as a reader gets it, without its data.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
pub struct Seen {
    pub position: i64,
    pub id: Uuid,
    pub r#type: String,
    pub object: Object,
    pub request_id: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
pub struct Object {
    pub id: String,
    pub version: Option<i64>,
}

impl From<event::Model> for Seen {
    fn from(row: event::Model) -> Self {
        Self {
            position: row.id,
            id: row.event_id,
            r#type: row.kind,
            object: Object {
                id: row.object_id,
                version: row.object_version,
            },
            request_id: row.request_id,
        }
    }
}

#[derive(Clone, Copy)]
pub enum Way {
    /// Server-sent events.
    Stream,
    Pages,
}

/// Follows until it is dropped.
pub struct Follower {
    diary: Arc<Mutex<Diary>>,
    task: JoinHandle<()>,
}

/// What a reader has written down.
#[derive(Default)]
pub struct Diary {
    /// In the order in which they came, each with the time at which it was here.
    pub seen: Vec<(DateTime<Utc>, Seen)>,
    /// Where it goes on.
    pub position: i64,
    /// How often it began.
    pub connections: usize,
    /// Answers that no fault excuses.
    pub odd: Vec<String>,
}

impl Diary {
    fn turn(&mut self, seen: Vec<Seen>, position: i64, at: DateTime<Utc>) {
        self.seen.extend(seen.into_iter().map(|seen| (at, seen)));
        self.position = position;
    }
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Seen>,
    next_after: i64,
    has_more: bool,
}

impl Follower {
    /// Reads from the oldest event on.
    pub fn begin(client: ApiClient, way: Way) -> Self {
        let diary = Arc::<Mutex<Diary>>::default();
        let kept = Arc::clone(&diary);
        let task = tokio::spawn(async move {
            loop {
                let read = match way {
                    Way::Stream => stream(&client, &kept).await,
                    Way::Pages => pages(&client, &kept).await,
                };
                if let Err(error) = read {
                    lock(&kept).odd.push(format!("{error:#}"));
                }
                sleep(AGAIN).await;
            }
        });
        Self { diary, task }
    }

    pub fn diary(&self) -> MutexGuard<'_, Diary> {
        lock(&self.diary)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Until the connection is over.
async fn stream(client: &ApiClient, diary: &Mutex<Diary>) -> Result<()> {
    let request = client
        .request(Method::GET, "/events")
        .header("accept", "text/event-stream")
        .header("last-event-id", lock(diary).position);
    let Some(mut answer) = good(request.send().await).await? else {
        return Ok(());
    };
    lock(diary).connections += 1;
    let mut bytes = Vec::new();
    // A connection that breaks off is no error: the next one goes on after the last whole message.
    while let Ok(Ok(Some(chunk))) = timeout(SILENCE, answer.chunk()).await {
        let at = now();
        bytes.extend_from_slice(&chunk);
        while let Some(end) = bytes.windows(2).position(|two| two == b"\n\n") {
            let message: Vec<u8> = bytes.drain(..end + 2).collect();
            note(&mut lock(diary), at, std::str::from_utf8(&message)?)?;
        }
    }
    Ok(())
}

fn note(diary: &mut Diary, at: DateTime<Utc>, message: &str) -> Result<()> {
    let field = |name: &str| message.lines().find_map(|line| line.strip_prefix(name));
    let Some(id) = field("id: ") else {
        return Ok(());
    };
    let position = id.parse().with_context(|| format!("the position {id}"))?;
    if let Some(data) = field("data: ") {
        let seen: Seen = serde_json::from_str(data)?;
        ensure!(seen.position == position, "{position} is sent as {}", seen.position);
        diary.seen.push((at, seen));
    }
    diary.position = position;
    Ok(())
}

/// Until an answer does not come.
async fn pages(client: &ApiClient, diary: &Mutex<Diary>) -> Result<()> {
    lock(diary).connections += 1;
    loop {
        let after = lock(diary).position;
        let path = format!("/events?after={after}&limit=500");
        let Some(answer) = good(client.request(Method::GET, &path).send().await).await? else {
            return Ok(());
        };
        let Ok(page) = answer.json::<Page>().await else {
            return Ok(()); // it broke off
        };
        let at = now();
        lock(diary).turn(page.data, page.next_after, at);
        if !page.has_more {
            sleep(AGAIN).await;
        }
    }
}

/// The answer; none where a fault excuses that there is none.
async fn good(answer: reqwest::Result<Response>) -> Result<Option<Response>> {
    match answer {
        Ok(answer) if answer.status() == StatusCode::OK => Ok(Some(answer)),
        Ok(answer) if answer.status() == StatusCode::SERVICE_UNAVAILABLE => Ok(None),
        Ok(answer) => bail!("{} {}", answer.status(), answer.text().await.unwrap_or_default()),
        Err(_) => Ok(None),
    }
}

fn lock(diary: &Mutex<Diary>) -> MutexGuard<'_, Diary> {
    diary.lock().unwrap_or_else(PoisonError::into_inner)
}
