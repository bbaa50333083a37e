//! Jobs whose worker was lost while it ran them. One of them may have killed that process, and nobody knows which: so a
//! worker runs them one at a time, beside its other jobs, and none that kills its process ever takes another with it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{Notify, Semaphore};
use tracing::info;

use super::{claimer::Claimer, job_runner::JobRunner};
use crate::foundation::backoff::spread;

/// Between two polls, while there is none and the sweep of this worker finds none.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Quarantine {
    pub(super) claimer: Claimer,
    pub(super) runner: Arc<JobRunner>,
    pub(super) queues: Vec<String>,
    /// Taken while one runs, so that a stop can wait for it.
    pub(super) slot: Arc<Semaphore>,
    /// Notified when this worker's sweep recovered some.
    pub(super) recovered: Arc<Notify>,
}

impl Quarantine {
    /// Claims one, if there is any, and runs it to its end.
    pub(super) async fn round(self: Arc<Self>) -> anyhow::Result<Duration> {
        let slot = Arc::clone(&self.slot).acquire_owned().await?;
        let (claimed_at, claimer) = (Instant::now(), &self.claimer);
        let Claimer { worker, lease, .. } = claimer;
        let claim = claimer.job_store.claim_suspect(&self.queues, worker, *lease);
        // A stop does not interrupt it: a claim that nobody knows of would count as one more crash.
        let Some(job) = claimer.claimed(claim).await? else {
            drop(slot);
            let rest = tokio::time::timeout(spread(PAUSE), self.recovered.notified());
            claimer.shutdown.run_until_cancelled(rest).await;
            return Ok(Duration::ZERO);
        };
        info!(id = %job.id, kind = job.kind, crashes = job.crashes, "running a job apart because its worker was lost");
        let job = claimer.leases.take(job, claimed_at, *lease, slot);
        self.runner.run(job).await;
        Ok(Duration::ZERO)
    }
}
