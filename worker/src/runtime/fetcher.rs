//! Fetches jobs: claims in batches what wake-ups name and what is due in the jobs table, and hands it to apalis. Holds
//! no more than the handlers can start soon, so that other workers can take the rest.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use tokio::sync::{Mutex, OwnedSemaphorePermit};
use tracing::{info, warn};
use usher_shared::{
    foundation::entity::job,
    jobs::{Due, QueueCursors, WakeUp},
};

use super::claimer::Intake;
use crate::foundation::time_limit::{CALL_LIMIT, within};

/// How long one pop waits for a wake-up.
const POP_WAIT: Duration = Duration::from_secs(1);
/// Between two polls of the jobs table without Redis.
const POLL_PAUSE: Duration = Duration::from_millis(400);
/// Jobs that end within this are claimed ahead of free handlers.
const QUICK_RUN: Duration = Duration::from_millis(500);
/// Between two polls of the jobs table while wake-ups come in.
const LOOK_PAUSE: Duration = Duration::from_secs(1);
/// Before a Redis that failed is tried again.
const REDIS_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Fetcher {
    pub(super) intake: Arc<Intake>,
    /// Rows that are claimed ahead of free handlers, at most.
    pub(super) ahead: usize,
    pub(super) turns: Mutex<Turns>,
}

/// Whether to follow wake-ups or to poll the jobs table. The table is polled each second, whenever no wake-ups come,
/// and for as long as it has more due jobs than fit in one claim: it knows their order, and wake-ups only get in the
/// way.
pub(super) struct Turns {
    /// When the jobs table is polled at the latest.
    look_at: Instant,
    /// The last poll found as many jobs as it asked for.
    backlog: bool,
    place: QueueCursors,
    /// When Redis last failed, until it works again.
    redis_down: Option<Instant>,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            look_at: Instant::now(),
            backlog: false,
            place: QueueCursors::default(),
            redis_down: None,
        }
    }
}

impl Fetcher {
    /// Fetches as many jobs as there are free slots, once some are free. Returns how long to rest.
    pub(super) async fn round(self: Arc<Self>) -> anyhow::Result<Duration> {
        let Some(slots) = self.free_slots().await else {
            return Ok(Duration::ZERO);
        };
        let mut turns = self.turns.lock().await;
        let (jobs, claimed_at) = self.claim(slots.num_permits(), &mut turns).await?;
        let rest = if jobs.is_empty() && !self.listens(&turns) {
            POLL_PAUSE
        } else {
            Duration::ZERO
        };
        self.intake.hand_over(jobs, claimed_at, slots).await?;
        Ok(rest)
    }

    /// Every free slot, once there are enough to claim a batch for; none when the process stops.
    ///
    /// While jobs are quick, some are claimed ahead of free handlers, so that no handler waits for the database. Slow
    /// ones are left to workers that are free to run them.
    async fn free_slots(&self) -> Option<OwnedSemaphorePermit> {
        let (enough, kept) = match self.intake.claimer.leases.typical_run() < QUICK_RUN {
            true => (self.ahead.div_ceil(2), 0),
            false => (1, self.ahead),
        };
        let mut slots = self.intake.slots(enough + kept).await?;
        drop(slots.split(kept));
        Some(slots)
    }

    /// Claims up to `max` jobs: those that wake-ups name, or those that are due in the jobs table when it is its turn.
    async fn claim(&self, max: usize, turns: &mut Turns) -> anyhow::Result<(Vec<job::Model>, Instant)> {
        let claimer = &self.intake.claimer;
        let due = if turns.backlog || !self.listens(turns) {
            Due::All
        } else if Instant::now() >= turns.look_at {
            Due::Overdue
        } else {
            let wake_ups = self.pop(max, turns).await;
            let claimed_at = Instant::now();
            if !wake_ups.is_empty() {
                let claim = claimer.job_store.claim(&wake_ups, &claimer.worker, claimer.lease);
                return Ok((claimer.claimed(claim).await?, claimed_at));
            }
            if claimer.shutdown.is_cancelled() {
                return Ok((Vec::new(), claimed_at));
            }
            // Whatever is due has lost its wake-up.
            Due::All
        };
        let (claimed_at, queues) = (Instant::now(), &self.intake.queues);
        let claim = claimer
            .job_store
            .claim_due(queues, due, max, &claimer.worker, claimer.lease, &mut turns.place);
        let jobs = claimer.claimed(claim).await?;
        turns.backlog = jobs.len() == max;
        turns.look_at = Instant::now() + LOOK_PAUSE;
        Ok((jobs, claimed_at))
    }

    /// Wake-ups; none while the process stops or Redis does not answer.
    async fn pop(&self, max: usize, turns: &mut Turns) -> Vec<WakeUp> {
        let claimer = &self.intake.claimer;
        // A wake-up may get lost when the process stops at this moment: the job is found in the jobs table.
        let pop = claimer.job_store.transport().pop(&self.intake.queues, max, POP_WAIT);
        let pop = claimer.shutdown.run_until_cancelled(within(POP_WAIT + CALL_LIMIT, pop));
        match pop.await.unwrap_or_else(|| Ok(Vec::new())) {
            Ok(wake_ups) => {
                let was_down = turns.redis_down.take().is_some();
                if was_down && claimer.redis_down.swap(false, Ordering::Relaxed) {
                    info!("Redis answers again");
                }
                wake_ups
            }
            Err(error) => {
                let is_new = turns.redis_down.replace(Instant::now()).is_none();
                if is_new && !claimer.redis_down.swap(true, Ordering::Relaxed) {
                    let error = format!("{error:#}");
                    warn!(%error, "Redis does not answer: polling the jobs table until it does");
                }
                Vec::new()
            }
        }
    }

    /// Whether wake-ups can be expected, or it is time to try Redis again.
    fn listens(&self, turns: &Turns) -> bool {
        self.intake.claimer.job_store.transport().carries_wake_ups()
            && turns.redis_down.is_none_or(|since| since.elapsed() >= REDIS_PAUSE)
    }
}
