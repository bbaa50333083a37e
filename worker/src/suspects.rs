//! Jobs whose worker was lost while it ran them. One of them may have ended that process, and nobody knows which: so a
//! worker runs one at a time, beside its other jobs, and the one that kills its process never has another suspect with it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use apalis::prelude::Data;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::{
    attempt::{self, Workshop},
    backoff::spread,
    held::Held,
    keep::{claim_limit, within},
};

/// Between two looks, while there is none and the sweep of this worker finds none.
const PAUSE: Duration = Duration::from_secs(1);

pub(crate) struct Quarantine {
    pub(crate) workshop: Arc<Workshop>,
    pub(crate) queues: Vec<String>,
    pub(crate) worker: String,
    pub(crate) lease: Duration,
    pub(crate) held: Arc<Held>,
    /// Taken while one runs, so that a stop can wait for it.
    pub(crate) slot: Arc<Semaphore>,
    /// Told when this worker's sweep brought some back.
    pub(crate) found: Arc<Notify>,
    pub(crate) shutdown: CancellationToken,
}

impl Quarantine {
    /// Claims one, if there is any, and runs it to its end.
    pub(crate) async fn round(self: Arc<Self>) -> anyhow::Result<Duration> {
        let slot = Arc::clone(&self.slot).acquire_owned().await?;
        let claimed_at = Instant::now();
        let job_store = &self.workshop.job_store;
        let claim = job_store.claim_suspect(&self.queues, &self.worker, self.lease);
        // It is not cut short by a stop: a claim that nobody knows of would count as one more crash.
        let claimed = within(claim_limit(self.lease), claim).await;
        let Some(job) = claimed.inspect_err(|_| self.held.claim_failed())? else {
            drop(slot);
            let rest = tokio::time::timeout(spread(PAUSE), self.found.notified());
            self.shutdown.run_until_cancelled(rest).await;
            return Ok(Duration::ZERO);
        };
        info!(id = %job.id, kind = job.kind, crashes = job.crashes, "a job whose worker was lost runs apart");
        let held = self.held.take(job, claimed_at, self.lease, slot);
        attempt::run(held, Data::new(Arc::clone(&self.workshop))).await;
        Ok(Duration::ZERO)
    }
}
