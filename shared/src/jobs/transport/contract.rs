//! What a transport of wake-ups must do.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use sea_orm::FromQueryResult;
use thiserror::Error;
use uuid::Uuid;

use crate::foundation::entity::job;

/// "This job may be due." The epoch distinguishes an old wake-up from the current one.
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

/// The transport is down; workers poll the jobs table meanwhile.
#[derive(Debug, Error)]
#[error("the queue does not answer: {0}")]
pub struct TransportError(pub String);

/// A way to tell workers immediately that a job is waiting.
#[async_trait]
pub trait Transport: Send + Sync + fmt::Debug {
    /// Sends wake-ups. Never waits; what cannot be sent is dropped, because workers find the job in the jobs table.
    fn push(&self, wake_ups: Vec<WakeUp>);

    /// Receives up to `max` wake-ups, highest priority first; waits at most this long for the first one.
    async fn pop(&self, queues: &[String], max: usize, wait: Duration) -> Result<Vec<WakeUp>, TransportError>;

    /// Wake-ups waiting in a queue.
    async fn waiting(&self, queue: &str) -> Result<usize, TransportError>;

    async fn ping(&self) -> Result<(), TransportError>;

    /// Whether wake-ups are sent at all; if not, workers poll the jobs table.
    fn carries_wake_ups(&self) -> bool {
        true
    }

    /// Its name: `redis`, `in-process` or `none`.
    fn name(&self) -> &'static str;
}

/// Wake-ups that may wait in one list; more would only fill memory, because the jobs table has them all.
pub(super) const MAX_WAITING: usize = 10_000;
