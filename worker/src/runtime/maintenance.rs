//! What every worker does beside running jobs: it renews its leases and its row in `workers`, sweeps the jobs table for
//! what other workers left behind, enqueues scheduled jobs, seals the audit log and spreads events to webhooks.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::{BoxFuture, FutureExt};
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};
use usher_shared::{
    audit,
    events::Feed,
    foundation::config::Config,
    jobs::{Claim, JobStore, WorkerInfo},
    webhooks::{self, Dispatched},
};

use super::{claimer::claim_limit, lease_table::LeaseTable, supervise::supervise};
use crate::foundation::time_limit::{CALL_LIMIT, within};

const PRESENCE_PAUSE: Duration = Duration::from_secs(5);
const SWEEP_PAUSE: Duration = Duration::from_secs(1);
const TICK_PAUSE: Duration = Duration::from_secs(1);
/// Deliveries that are due later, and lost news, wait no longer.
const SPREAD_PAUSE: Duration = Duration::from_secs(1);
const FIRST_LOOK: Duration = Duration::from_millis(50);
const GATHER: Duration = Duration::from_millis(5);
/// A row of the audit log waits no longer for its seal.
const SEAL_PAUSE: Duration = Duration::from_secs(5);

pub(super) struct Maintenance {
    /// On connections of its own: busy handlers must not delay a heartbeat.
    pub(super) job_store: JobStore,
    pub(super) config: Arc<Config>,
    pub(super) events: Feed,
    pub(super) stop: CancellationToken,
    pub(super) info: WorkerInfo,
    pub(super) lease: Duration,
    pub(super) leases: Arc<LeaseTable>,
    /// Notified when the sweep recovered jobs of lost workers.
    pub(super) recovered: Arc<Notify>,
}

/// One round of a loop. Returns how long to rest.
type Round = fn(Arc<Maintenance>) -> BoxFuture<'static, anyhow::Result<Duration>>;

/// For as long as jobs run.
pub(super) const WHILE_JOBS_RUN: &[(&str, Round)] = &[
    ("heartbeat", |all| all.heartbeat().boxed()),
    ("presence", |all| all.presence().boxed()),
];
/// Until the process is told to stop.
pub(super) const UNTIL_SHUTDOWN: &[(&str, Round)] = &[
    ("sweep", |all| all.sweep().boxed()),
    ("schedules", |all| all.tick().boxed()),
    ("seals", |all| all.seal().boxed()),
];
/// The same, where the worker sends webhooks.
pub(super) const FOR_WEBHOOKS: &[(&str, Round)] = &[("events", |all| all.spread_events().boxed())];

impl Maintenance {
    pub(super) fn start(
        self: &Arc<Self>,
        loops: &'static [(&'static str, Round)],
        background: &TaskTracker,
        stop: &CancellationToken,
    ) {
        for (name, round) in loops {
            let all = Arc::clone(self);
            background.spawn(supervise(name, stop.clone(), move || round(Arc::clone(&all))));
        }
    }

    /// Renews every lease, and stops handlers whose lease was lost or whose job was cancelled.
    async fn heartbeat(self: Arc<Self>) -> anyhow::Result<Duration> {
        let pause = self.lease / 3;
        self.leases.stop_expired();
        let (ids, asked_at) = (self.leases.ids(), Instant::now());
        if !ids.is_empty() {
            let heartbeat = self.job_store.heartbeat(&self.info.name, &ids, self.lease);
            let answer = within(CALL_LIMIT.min(pause), heartbeat).await?;
            let lost = self.leases.renewed(&ids, &answer, asked_at, self.lease);
            if lost > 0 {
                warn!(lost, "leases were lost: another worker may run these jobs");
            }
        }
        Ok(pause)
    }

    /// Refreshes this worker's row; writes it again if it was pruned.
    async fn presence(self: Arc<Self>) -> anyhow::Result<Duration> {
        let info = WorkerInfo {
            running: self.leases.len(),
            ..self.info.clone()
        };
        within(CALL_LIMIT, self.job_store.worker_seen(&info)).await?;
        Ok(PRESENCE_PAUSE)
    }

    /// Recovers jobs whose worker is gone, and ends or releases those that wait.
    async fn sweep(self: Arc<Self>) -> anyhow::Result<Duration> {
        if self.leases.may_have_strays() {
            self.give_strays_back().await?;
        }
        let swept = within(CALL_LIMIT, self.job_store.sweep()).await?;
        if swept.recovered > 0 {
            self.recovered.notify_one();
        }
        if swept.recovered > 0 || swept.ended > 0 {
            info!(
                recovered = swept.recovered,
                ended = swept.ended,
                "recovered or ended jobs of lost workers"
            );
        }
        Ok(SWEEP_PAUSE)
    }

    /// Gives back what this worker claimed without learning of it. None of these jobs has run: left to their lease they
    /// would count as crashed, and a few minutes of a slow database would make healthy jobs dead.
    async fn give_strays_back(&self) -> anyhow::Result<()> {
        let unanswered = claim_limit(self.lease) + Duration::from_millis(500);
        let claimed = self.job_store.claimed_by(&self.info.name, unanswered);
        let claimed = within(CALL_LIMIT, claimed).await?;
        let strays: Vec<Claim> = claimed
            .iter()
            .filter(|job| !self.leases.holds(job.id))
            .map(Claim::from)
            .collect();
        if !strays.is_empty() {
            within(CALL_LIMIT, self.job_store.give_back(&strays)).await?;
            info!(jobs = strays.len(), "gave back jobs whose claim got no answer");
        }
        Ok(())
    }

    /// Enqueues the jobs of schedules that are due. Every worker looks; each tick is written once.
    async fn tick(self: Arc<Self>) -> anyhow::Result<Duration> {
        let written = within(CALL_LIMIT, self.job_store.tick()).await?;
        if written > 0 {
            info!(jobs = written, "enqueued scheduled jobs");
        }
        Ok(TICK_PAUSE)
    }

    /// Turns events into deliveries of webhooks as they come. Every worker looks; each event is spread once.
    async fn spread_events(self: Arc<Self>) -> anyhow::Result<Duration> {
        let mut news = self.events.news();
        let mut pause = FIRST_LOOK;
        loop {
            let spread = webhooks::dispatch(&self.job_store, &self.events);
            let Dispatched { has_more, busy, .. } = within(CALL_LIMIT, spread).await?;
            if self.stop.is_cancelled() {
                return Ok(Duration::ZERO);
            }
            if has_more {
                continue;
            }
            // What comes at once is spread at once.
            tokio::time::sleep(GATHER).await;
            // A job that runs may have looked before the newest deliveries were there.
            let wait = if busy > 0 { pause } else { SPREAD_PAUSE };
            pause = (pause * 2).min(SPREAD_PAUSE);
            tokio::select! {
                () = self.stop.cancelled() => return Ok(Duration::ZERO),
                () = tokio::time::sleep(wait) => {}
                _ = news.recv() => pause = FIRST_LOOK,
            }
        }
    }

    /// Seals new rows of the audit log.
    async fn seal(self: Arc<Self>) -> anyhow::Result<Duration> {
        let sealed = within(CALL_LIMIT, audit::seal(self.job_store.db(), &self.config.secret_key)).await?;
        // A full batch means that more may wait.
        Ok(if sealed > 0 { Duration::ZERO } else { SEAL_PAUSE })
    }
}
