//! Brings jobs in: takes hints off the queue, claims their rows in batches, and hands them to apalis.
//! It never holds more than the handlers can start soon, so that the rest is free for other workers.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context;
use sea_orm::DbErr;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use usher_shared::{entity::job, jobs::Ledger};

use crate::{
    held::{Held, HeldJob},
    keep::{CALL_LIMIT, claim_limit, within},
};

/// How long one pop waits for a hint.
const POP_WAIT: Duration = Duration::from_secs(1);
/// Between two looks into the ledger where there is no queue, or it is down.
const POLL_PAUSE: Duration = Duration::from_millis(400);
/// Jobs that end within this are claimed ahead.
const QUICK_RUN: Duration = Duration::from_millis(500);
/// Before a queue that failed is tried again.
const QUEUE_PAUSE: Duration = Duration::from_secs(1);

pub(crate) struct Driver {
    pub(crate) ledger: Ledger,
    pub(crate) queues: Vec<String>,
    pub(crate) worker: String,
    pub(crate) lease: Duration,
    pub(crate) held: Arc<Held>,
    pub(crate) slots: Arc<Semaphore>,
    /// Rows that are claimed ahead of free handlers, at most.
    pub(crate) ahead: usize,
    pub(crate) jobs: mpsc::Sender<HeldJob>,
    pub(crate) shutdown: CancellationToken,
    /// When the queue last failed to answer, until it answers again.
    pub(crate) queue_down: Mutex<Option<Instant>>,
}

impl Driver {
    /// One round: as many jobs as there are free slots, now or when some are free. Answers how long to rest.
    pub(crate) async fn round(self: Arc<Self>) -> anyhow::Result<Duration> {
        let Some(mut slots) = self.free_slots().await else {
            return Ok(Duration::ZERO);
        };
        let (jobs, claimed_at) = self.claim(slots.num_permits()).await?;
        let rest = if jobs.is_empty() && self.polls() {
            POLL_PAUSE
        } else {
            Duration::ZERO
        };
        for job in jobs {
            // A claim never answers more rows than it was asked for; one too many would be recovered by its lease.
            let Some(slot) = slots.split(1) else { break };
            let held = self.held.take(job, claimed_at, self.lease, slot);
            self.jobs.send(held).await.context("no handler is left to run jobs")?;
        }
        Ok(rest)
    }

    /// Every slot that is free, once there are enough to claim a batch for; none when the process stops.
    ///
    /// While jobs are quick, some are claimed ahead of free handlers, so that none waits for the database. Slow ones
    /// are left to whoever is free to run them.
    async fn free_slots(&self) -> Option<OwnedSemaphorePermit> {
        let (enough, kept) = match self.held.typical_run() < QUICK_RUN {
            true => (self.ahead.div_ceil(2), 0),
            false => (1, self.ahead),
        };
        let permits = |count| u32::try_from(count).unwrap_or(u32::MAX);
        let first = Arc::clone(&self.slots).acquire_many_owned(permits(enough + kept));
        let mut slots = self.shutdown.run_until_cancelled(first).await?.ok()?;
        if let Ok(more) = Arc::clone(&self.slots).try_acquire_many_owned(permits(self.slots.available_permits())) {
            slots.merge(more);
        }
        drop(slots.split(kept));
        Some(slots)
    }

    /// Claims up to `max` jobs: those the queue names, or those that are due where no queue can name any.
    async fn claim(&self, max: usize) -> anyhow::Result<(Vec<job::Model>, Instant)> {
        if !self.polls() {
            // A hint that gets lost because the process stops in this moment is announced again by another worker.
            let pop = self.ledger.transport().pop(&self.queues, max, POP_WAIT);
            let popped = self
                .shutdown
                .run_until_cancelled(within(POP_WAIT + CALL_LIMIT, pop))
                .await;
            match popped.unwrap_or_else(|| Ok(Vec::new())) {
                Ok(hints) => {
                    if self.queue_down().take().is_some() {
                        info!("the queue answers again");
                    }
                    let claimed_at = Instant::now();
                    if hints.is_empty() {
                        return Ok((Vec::new(), claimed_at));
                    }
                    let claim = self.ledger.claim(&hints, &self.worker, self.lease);
                    return Ok((self.answered(claim).await?, claimed_at));
                }
                Err(error) => {
                    if self.queue_down().replace(Instant::now()).is_none() {
                        warn!(error = %format_args!("{error:#}"), "the queue does not answer: polling the ledger until it does");
                    }
                }
            }
        }
        let claimed_at = Instant::now();
        let claim = self.ledger.claim_due(&self.queues, max, &self.worker, self.lease);
        Ok((self.answered(claim).await?, claimed_at))
    }

    /// A claim's answer in time. Without it the claim may have been carried out, and the sweep looks for such jobs.
    async fn answered(
        &self,
        claim: impl Future<Output = Result<Vec<job::Model>, DbErr>>,
    ) -> anyhow::Result<Vec<job::Model>> {
        let answer = within(claim_limit(self.lease), claim).await;
        answer.inspect_err(|_| self.held.claim_failed())
    }

    fn queue_down(&self) -> MutexGuard<'_, Option<Instant>> {
        self.queue_down.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the ledger itself is asked for due jobs.
    fn polls(&self) -> bool {
        !self.ledger.transport().carries_hints() || self.queue_down().is_some_and(|since| since.elapsed() < QUEUE_PAUSE)
    }
}
