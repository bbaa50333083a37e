//! What tells the others that this worker lives: its leases renewed and its row in `workers` kept fresh,
//! both every five seconds, the sweep that finds what nobody finished, the schedules' ticks,
//! and the seals of the audit log.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Notify;
use tracing::{info, warn};
use usher_shared::{
    audit,
    foundation::config::Config,
    jobs::{Claim, JobStore, WorkerInfo},
};

use crate::{
    held::Held,
    keep::{CALL_LIMIT, claim_limit, within},
};

const SWEEP_PAUSE: Duration = Duration::from_secs(1);
const TICK_PAUSE: Duration = Duration::from_secs(1);
/// A row of the audit log waits no longer for its seal.
const SEAL_PAUSE: Duration = Duration::from_secs(5);

pub(crate) struct Pulse {
    /// On connections of its own: busy handlers must not delay a heartbeat.
    pub(crate) job_store: JobStore,
    pub(crate) config: Arc<Config>,
    pub(crate) info: WorkerInfo,
    pub(crate) lease: Duration,
    pub(crate) held: Arc<Held>,
    /// Jobs of lost workers are back.
    pub(crate) found: Arc<Notify>,
}

impl Pulse {
    /// Renews every lease; handlers whose lease is lost or whose job was cancelled are stopped.
    pub(crate) async fn heartbeat(self: Arc<Self>) -> anyhow::Result<Duration> {
        let pause = self.lease / 3;
        self.held.stop_expired();
        let (ids, asked_at) = (self.held.ids(), Instant::now());
        if !ids.is_empty() {
            let heartbeat = self.job_store.heartbeat(&self.info.name, &ids, self.lease);
            let answer = within(CALL_LIMIT.min(pause), heartbeat).await?;
            let lost = self.held.renewed(&ids, &answer, asked_at, self.lease);
            if lost > 0 {
                warn!(lost, "leases were lost: another worker may run these jobs");
            }
        }
        Ok(pause)
    }

    /// Keeps this worker's row fresh; a row that was pruned meanwhile is written again.
    pub(crate) async fn presence(self: Arc<Self>) -> anyhow::Result<Duration> {
        let info = WorkerInfo {
            running: self.held.len(),
            ..self.info.clone()
        };
        within(CALL_LIMIT, self.job_store.worker_seen(&info)).await?;
        Ok(Duration::from_secs(5))
    }

    /// Takes jobs back whose worker is gone, and ends or releases those that wait.
    pub(crate) async fn sweep(self: Arc<Self>) -> anyhow::Result<Duration> {
        if self.held.may_have_strays() {
            self.give_strays_back().await?;
        }
        let swept = within(CALL_LIMIT, self.job_store.sweep()).await?;
        if swept.recovered > 0 {
            self.found.notify_one();
        }
        if swept.recovered > 0 || swept.ended > 0 {
            info!(
                recovered = swept.recovered,
                ended = swept.ended,
                "jobs of lost workers are back, or ended"
            );
        }
        Ok(SWEEP_PAUSE)
    }

    /// Seals new rows of the audit log.
    pub(crate) async fn seal(self: Arc<Self>) -> anyhow::Result<Duration> {
        let sealed = within(CALL_LIMIT, audit::seal(self.job_store.db(), &self.config.secret_key)).await?;
        // A full batch means that more may wait.
        Ok(if sealed > 0 { Duration::ZERO } else { SEAL_PAUSE })
    }

    /// Gives back what this worker claimed without learning of it. Nobody has run these jobs: left to their lease they
    /// would count as crashed, and a database that is slow for some minutes would make healthy jobs dead.
    async fn give_strays_back(&self) -> anyhow::Result<()> {
        let unanswered = claim_limit(self.lease) + Duration::from_millis(500);
        let claimed = self.job_store.claimed_by(&self.info.name, unanswered);
        let claimed = within(CALL_LIMIT, claimed).await?;
        let strays: Vec<Claim> = claimed
            .iter()
            .filter(|job| !self.held.holds(job.id))
            .map(Claim::from)
            .collect();
        if !strays.is_empty() {
            within(CALL_LIMIT, self.job_store.give_back(&strays)).await?;
            info!(
                jobs = strays.len(),
                "given back: they were claimed, and the answer got lost"
            );
        }
        Ok(())
    }

    /// Writes the jobs of the schedules that are due. Every worker looks; each tick is written once.
    pub(crate) async fn tick(self: Arc<Self>) -> anyhow::Result<Duration> {
        let written = within(CALL_LIMIT, self.job_store.tick()).await?;
        if written > 0 {
            info!(jobs = written, "schedules came due");
        }
        Ok(TICK_PAUSE)
    }
}
