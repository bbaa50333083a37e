//! Brings jobs in: claims in batches what wake-ups name and what is due in the jobs table, and hands it to apalis.
//! It never holds more than the handlers can start soon, so that the rest is free for other workers.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use sea_orm::DbErr;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use usher_shared::{
    foundation::entity::job,
    jobs::{Due, JobStore, QueueCursors, WakeUp},
};

use crate::{
    held::{Held, LeasedJob},
    keep::{CALL_LIMIT, claim_limit, within},
};

/// How long one pop waits for a wake-up.
const POP_WAIT: Duration = Duration::from_secs(1);
/// Between two looks into the jobs table where there is no queue, or it is down.
const POLL_PAUSE: Duration = Duration::from_millis(400);
/// Jobs that end within this are claimed ahead.
const QUICK_RUN: Duration = Duration::from_millis(500);
/// Between two looks into the jobs table while wake-ups come in.
const LOOK_PAUSE: Duration = Duration::from_secs(1);
/// Before a queue that failed is tried again.
const QUEUE_PAUSE: Duration = Duration::from_secs(1);

pub(crate) struct Driver {
    pub(crate) job_store: JobStore,
    pub(crate) queues: Vec<String>,
    pub(crate) worker: String,
    pub(crate) lease: Duration,
    pub(crate) held: Arc<Held>,
    pub(crate) slots: Arc<Semaphore>,
    /// Rows that are claimed ahead of free handlers, at most.
    pub(crate) ahead: usize,
    pub(crate) jobs: mpsc::Sender<LeasedJob>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) turns: Mutex<Turns>,
}

/// Whose turn it is, the wake-ups' or the jobs table's. The jobs table is asked each second, whenever no wake-ups come, and as long as it
/// has more due jobs than are claimed at once: it knows their order, and their wake-ups would only be in the way.
pub(crate) struct Turns {
    /// When the jobs table is asked at the latest.
    look_at: Instant,
    /// The last look found as many jobs as it asked for.
    long: bool,
    place: QueueCursors,
    /// When the queue of wake-ups last failed to answer, until it answers again.
    queue_down: Option<Instant>,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            look_at: Instant::now(),
            long: false,
            place: QueueCursors::default(),
            queue_down: None,
        }
    }
}

impl Driver {
    /// One round: as many jobs as there are free slots, now or when some are free. Answers how long to rest.
    pub(crate) async fn round(self: Arc<Self>) -> anyhow::Result<Duration> {
        let Some(mut slots) = self.free_slots().await else {
            return Ok(Duration::ZERO);
        };
        let mut turns = self.turns.lock().await;
        let (jobs, claimed_at) = self.claim(slots.num_permits(), &mut turns).await?;
        let rest = if jobs.is_empty() && !self.listens(&turns) {
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

    /// Claims up to `max` jobs: those the queue names, or those that are due in the jobs table when it is its turn.
    async fn claim(&self, max: usize, turns: &mut Turns) -> anyhow::Result<(Vec<job::Model>, Instant)> {
        let due = if turns.long || !self.listens(turns) {
            Due::All
        } else if Instant::now() >= turns.look_at {
            Due::Overdue
        } else {
            let wake_ups = self.pop(max, turns).await;
            let claimed_at = Instant::now();
            if !wake_ups.is_empty() {
                let claim = self.job_store.claim(&wake_ups, &self.worker, self.lease);
                return Ok((self.answered(claim).await?, claimed_at));
            }
            if self.shutdown.is_cancelled() {
                return Ok((Vec::new(), claimed_at));
            }
            // Whatever is due has lost its wake-up.
            Due::All
        };
        let claimed_at = Instant::now();
        let claim = self
            .job_store
            .claim_due(&self.queues, due, max, &self.worker, self.lease, &mut turns.place);
        let jobs = self.answered(claim).await?;
        turns.long = jobs.len() == max;
        turns.look_at = Instant::now() + LOOK_PAUSE;
        Ok((jobs, claimed_at))
    }

    /// Hints, or none while the process stops or the queue does not answer.
    async fn pop(&self, max: usize, turns: &mut Turns) -> Vec<WakeUp> {
        // A wake-up that gets lost because the process stops in this moment: the job is found in the jobs table.
        let pop = self.job_store.transport().pop(&self.queues, max, POP_WAIT);
        let pop = self.shutdown.run_until_cancelled(within(POP_WAIT + CALL_LIMIT, pop));
        match pop.await.unwrap_or_else(|| Ok(Vec::new())) {
            Ok(wake_ups) => {
                if turns.queue_down.take().is_some() {
                    info!("the queue answers again");
                }
                wake_ups
            }
            Err(error) => {
                if turns.queue_down.replace(Instant::now()).is_none() {
                    warn!(error = %format_args!("{error:#}"), "the queue does not answer: polling the ledger until it does");
                }
                Vec::new()
            }
        }
    }

    /// A claim's answer in time. Without it the claim may have been carried out, and the sweep looks for such jobs.
    async fn answered(
        &self,
        claim: impl Future<Output = Result<Vec<job::Model>, DbErr>>,
    ) -> anyhow::Result<Vec<job::Model>> {
        let answer = within(claim_limit(self.lease), claim).await;
        answer.inspect_err(|_| self.held.claim_failed())
    }

    /// Whether there is a queue that answers, or whose answer is worth waiting for again.
    fn listens(&self, turns: &Turns) -> bool {
        self.job_store.transport().carries_wake_ups()
            && turns.queue_down.is_none_or(|since| since.elapsed() >= QUEUE_PAUSE)
    }
}
