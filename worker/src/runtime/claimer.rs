//! What everything that claims jobs needs, and the way from a claimed row to a handler.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use anyhow::Context;
use sea_orm::DbErr;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use usher_shared::{foundation::entity::job, jobs::JobStore};

use super::lease_table::{LeaseTable, LeasedJob};
use crate::foundation::time_limit::{CALL_LIMIT, within};

/// Claims jobs in the name of this worker.
#[derive(Clone)]
pub(super) struct Claimer {
    pub(super) job_store: JobStore,
    pub(super) worker: String,
    pub(super) lease: Duration,
    pub(super) leases: Arc<LeaseTable>,
    /// Whether somebody has said that Redis is down.
    pub(super) redis_down: Arc<AtomicBool>,
    pub(super) shutdown: CancellationToken,
}

impl Claimer {
    /// The jobs of a claim that answers in time. Without an answer the claim may have been carried out all the same;
    /// maintenance looks for such jobs.
    pub(super) async fn claimed<T>(&self, claim: impl Future<Output = Result<T, DbErr>>) -> anyhow::Result<T> {
        let jobs = within(claim_limit(self.lease), claim).await;
        jobs.inspect_err(|_| self.leases.claim_failed())
    }
}

/// Shorter than the lease it takes, so that what was claimed without an answer can be given back in time.
pub(super) fn claim_limit(lease: Duration) -> Duration {
    CALL_LIMIT.min(lease / 2)
}

/// Where the jobs of some queues go: into the channel that their handlers read, one slot each.
pub(super) struct Intake {
    pub(super) claimer: Claimer,
    pub(super) queues: Vec<String>,
    pub(super) slots: Arc<Semaphore>,
    pub(super) jobs: mpsc::Sender<LeasedJob>,
}

impl Intake {
    /// At least `count` slots, and all others that are free by then; none when the process stops.
    pub(super) async fn slots(&self, count: usize) -> Option<OwnedSemaphorePermit> {
        let permits = |count| u32::try_from(count).unwrap_or(u32::MAX);
        let first = Arc::clone(&self.slots).acquire_many_owned(permits(count));
        let mut slots = self.claimer.shutdown.run_until_cancelled(first).await?.ok()?;
        if let Ok(more) = Arc::clone(&self.slots).try_acquire_many_owned(permits(self.slots.available_permits())) {
            slots.merge(more);
        }
        Some(slots)
    }

    /// Hands jobs that were claimed at `claimed_at` to the handlers.
    pub(super) async fn hand_over(
        &self,
        jobs: Vec<job::Model>,
        claimed_at: Instant,
        mut slots: OwnedSemaphorePermit,
    ) -> anyhow::Result<()> {
        let Claimer { leases, lease, .. } = &self.claimer;
        for job in jobs {
            // A claim never returns more rows than it was asked for; one too many would be recovered by its lease.
            let Some(slot) = slots.split(1) else { break };
            let job = leases.take(job, claimed_at, *lease, slot);
            self.jobs.send(job).await.context("no handler is left to run jobs")?;
        }
        Ok(())
    }
}
