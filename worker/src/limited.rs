//! Queues with limits over all workers: they are not served by wake-ups but looked at, one after the other, as long as
//! their limits and this worker's slots have room.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use usher_shared::jobs::JobStore;

use crate::{
    held::{Held, LeasedJob},
    keep::{CALL_LIMIT, within},
};

/// Between two looks while no queue has a limit, or nothing in those that have one is due.
const PAUSE: Duration = Duration::from_millis(500);
/// Between two looks while jobs wait for room.
const SHORT_PAUSE: Duration = Duration::from_millis(25);

pub(crate) struct Limited {
    pub(crate) job_store: JobStore,
    pub(crate) queues: Vec<String>,
    pub(crate) worker: String,
    pub(crate) lease: Duration,
    pub(crate) held: Arc<Held>,
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) jobs: mpsc::Sender<LeasedJob>,
    pub(crate) shutdown: CancellationToken,
}

impl Limited {
    /// One look at each queue with a limit. Answers how long to rest.
    pub(crate) async fn round(self: Arc<Self>) -> anyhow::Result<Duration> {
        let mut waiting = false;
        for queue in within(CALL_LIMIT, self.job_store.limited(&self.queues)).await? {
            if within(CALL_LIMIT, self.job_store.is_due(&queue)).await? {
                waiting = true;
                self.claim(&queue).await?;
            }
        }
        Ok(if waiting { SHORT_PAUSE } else { PAUSE })
    }

    async fn claim(&self, queue: &str) -> anyhow::Result<()> {
        let slot = Arc::clone(&self.slots).acquire_owned();
        let Some(slot) = self.shutdown.run_until_cancelled(slot).await else {
            return Ok(());
        };
        let mut slots = slot?;
        let free = u32::try_from(self.slots.available_permits()).unwrap_or(u32::MAX);
        if let Ok(more) = Arc::clone(&self.slots).try_acquire_many_owned(free) {
            slots.merge(more);
        }
        let claimed_at = Instant::now();
        let claim = self
            .job_store
            .claim_limited(queue, slots.num_permits(), &self.worker, self.lease);
        for job in within(CALL_LIMIT, claim).await? {
            // A claim never answers more rows than it was asked for.
            let Some(slot) = slots.split(1) else { break };
            let held = self.held.take(job, claimed_at, self.lease, slot);
            self.jobs.send(held).await.context("no handler is left to run jobs")?;
        }
        Ok(())
    }
}
