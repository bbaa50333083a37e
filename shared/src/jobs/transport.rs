//! The queue in front of the jobs table: it carries wake-ups, may lose any of them, and never holds up a commit.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use sea_orm::FromQueryResult;
use thiserror::Error;
use uuid::Uuid;

use super::{in_process::InProcess, redis_lists::RedisLists};
use crate::foundation::entity::job;

/// "This job may be due." The epoch tells an old wake-up from the current one.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct WakeUp {
    pub id: Uuid,
    pub epoch: i32,
    pub queue: String,
    pub priority: i16,
}

impl WakeUp {
    #[must_use]
    pub fn of(job: &job::Model) -> Self {
        Self {
            id: job.id,
            epoch: job.epoch,
            queue: job.queue.clone(),
            priority: job.priority,
        }
    }
}

/// The transport cannot be reached; the jobs table goes on without it.
#[derive(Debug, Error)]
#[error("the queue does not answer: {0}")]
pub struct TransportError(pub String);

/// A way to tell workers at once that a job is waiting.
#[async_trait]
pub trait Transport: Send + Sync + fmt::Debug {
    /// Announces jobs. Never waits; what cannot be carried is dropped: workers find it in the jobs table.
    fn push(&self, wake_ups: Vec<WakeUp>);

    /// Takes up to `max` wake-ups, highest priority first; waits for the first one at most this long.
    async fn pop(&self, queues: &[String], max: usize, wait: Duration) -> Result<Vec<WakeUp>, TransportError>;

    /// Hints waiting in a queue.
    async fn waiting(&self, queue: &str) -> Result<usize, TransportError>;

    async fn ping(&self) -> Result<(), TransportError>;

    /// Whether jobs are announced at all; if not, workers poll the jobs table.
    fn carries_wake_ups(&self) -> bool {
        true
    }

    /// What people call it: `redis`, `in-process`, `none`.
    fn name(&self) -> &'static str;
}

/// Hints that may wait in one list; more would only fill memory, the jobs table has them all.
pub(super) const MAX_WAITING: usize = 10_000;

/// The transport of this process: Redis where there is one, else memory when all rooms are in this process, else none.
#[must_use]
pub fn connect(redis: Option<&redis::Client>, one_process: bool) -> Arc<dyn Transport> {
    match redis {
        Some(client) => Arc::new(RedisLists::new(client)),
        None if one_process => Arc::new(InProcess::default()),
        None => Arc::new(PollOnly),
    }
}

/// No transport: workers look into the jobs table.
#[derive(Clone, Copy, Debug)]
pub struct PollOnly;

#[async_trait]
impl Transport for PollOnly {
    fn push(&self, _: Vec<WakeUp>) {}

    async fn pop(&self, _: &[String], _: usize, wait: Duration) -> Result<Vec<WakeUp>, TransportError> {
        tokio::time::sleep(wait).await;
        Ok(Vec::new())
    }

    async fn waiting(&self, _: &str) -> Result<usize, TransportError> {
        Ok(0)
    }

    async fn ping(&self) -> Result<(), TransportError> {
        Ok(())
    }

    fn carries_wake_ups(&self) -> bool {
        false
    }

    fn name(&self) -> &'static str {
        "none"
    }
}
