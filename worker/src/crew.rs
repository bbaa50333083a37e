//! Everything that goes on at the same time in a worker: the lanes that bring jobs in and run them,
//! heartbeat, presence and sweep around them, and the order in which they stop.

use std::{future::Future, sync::Arc, time::Duration};

use sea_orm::DatabaseConnection;
use tokio::{sync::Semaphore, task::JoinHandle, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};
use usher_shared::{
    AppContext,
    foundation::db::{self, ConnectError, PoolOptions},
    jobs::{Claim, Finisher, JobStore, WorkerInfo},
};

use crate::{
    Mailer, Options, Registry,
    attempt::Workshop,
    held::{Held, LeasedJob, Stop},
    keep::{CALL_LIMIT, keep, within},
    lane::Lane,
    mailer::Desk,
    metrics::Metrics,
    pulse::Pulse,
    suspects::Quarantine,
};

/// How long stopped handlers may take to give their jobs back.
const LAST_WORDS: Duration = Duration::from_secs(3);

pub(crate) struct Crew {
    pub(crate) options: Options,
    pub(crate) info: WorkerInfo,
    pub(crate) job_store: JobStore,
    pulse: Arc<Pulse>,
    pub(crate) workshop: Arc<Workshop>,
    pub(crate) held: Arc<Held>,
    lanes: Vec<Lane>,
    suspect_slot: Arc<Semaphore>,
}

impl Crew {
    /// Two connections that no handler uses.
    pub(crate) fn own_connections(app: &AppContext) -> impl Future<Output = Result<DatabaseConnection, ConnectError>> {
        let options = PoolOptions {
            max_connections: 2,
            test_on_release: true,
            ..PoolOptions::default()
        };
        async move { db::connect(&app.config.database_url, &options).await }
    }

    pub(crate) fn new(
        app: &AppContext,
        own: DatabaseConnection,
        registry: Registry,
        options: Options,
        mailer: Mailer,
        metrics: Arc<Metrics>,
    ) -> Self {
        let job_store = app.job_store.clone();
        let held = Arc::new(Held::default());
        let queues = if options.queues.is_empty() {
            registry.queues()
        } else {
            options.queues.clone()
        };
        let lanes = Lane::all(&queues, &options);
        let info = WorkerInfo {
            name: worker_name(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            queues,
            concurrency: lanes.iter().map(|lane| lane.concurrency).sum(),
            running: 0,
        };
        Self {
            pulse: Arc::new(Pulse {
                job_store: JobStore::new(own, Arc::clone(job_store.transport())),
                config: Arc::clone(&app.config),
                info: info.clone(),
                lease: options.lease,
                held: Arc::clone(&held),
                found: Arc::default(),
            }),
            workshop: Arc::new(Workshop {
                registry,
                finisher: Finisher::new(job_store.clone()),
                desk: Desk::new(&job_store),
                job_store: job_store.clone(),
                config: Arc::clone(&app.config),
                mailer,
                metrics,
            }),
            lanes,
            options,
            info,
            job_store,
            held,
            suspect_slot: Arc::new(Semaphore::new(1)),
        }
    }

    /// Works until shutdown, and drains.
    pub(crate) async fn work(self, shutdown: CancellationToken) {
        info!(
            worker = self.info.name,
            queues = self.info.queues.join(" "),
            concurrency = self.info.concurrency,
            transport = self.job_store.transport().name(),
            "taking jobs"
        );

        // What brings jobs in ends with shutdown; what keeps them ours ends when the last one is settled.
        let (settled, background) = (CancellationToken::new(), TaskTracker::new());
        let pulse = Arc::clone(&self.pulse);
        background.spawn(keep("heartbeat", settled.clone(), move || {
            Arc::clone(&pulse).heartbeat()
        }));
        let pulse = Arc::clone(&self.pulse);
        background.spawn(keep("presence", settled.clone(), move || Arc::clone(&pulse).presence()));
        let pulse = Arc::clone(&self.pulse);
        background.spawn(keep("sweep", shutdown.clone(), move || Arc::clone(&pulse).sweep()));
        let pulse = Arc::clone(&self.pulse);
        background.spawn(keep("schedules", shutdown.clone(), move || Arc::clone(&pulse).tick()));
        let pulse = Arc::clone(&self.pulse);
        background.spawn(keep("seals", shutdown.clone(), move || Arc::clone(&pulse).seal()));
        let started: Vec<_> = self
            .lanes
            .iter()
            .map(|lane| lane.start(&self, &background, &shutdown))
            .collect();
        let suspects = self.suspects(shutdown.clone());
        background.spawn(keep("suspects", shutdown.clone(), move || {
            Arc::clone(&suspects).round()
        }));

        shutdown.cancelled().await;
        let mut waiting = Vec::new();
        let mut handling = Vec::new();
        for mut started in started {
            waiting.extend(started.no_more_come().await);
            handling.push(started.handling);
        }
        self.drain(waiting).await;
        handling.iter().for_each(JoinHandle::abort);
        settled.cancel();
        background.close();
        background.wait().await;
        if let Err(error) = within(CALL_LIMIT, self.pulse.job_store.worker_gone(&self.info.name)).await {
            warn!(error = %format_args!("{error:#}"), "the worker stays in the list until it is forgotten");
        }
        info!("stopped");
    }

    fn suspects(&self, shutdown: CancellationToken) -> Arc<Quarantine> {
        Arc::new(Quarantine {
            workshop: Arc::clone(&self.workshop),
            queues: self.info.queues.clone(),
            worker: self.info.name.clone(),
            lease: self.options.lease,
            held: Arc::clone(&self.held),
            slot: Arc::clone(&self.suspect_slot),
            found: Arc::clone(&self.pulse.found),
            shutdown,
        })
    }

    /// Gives back what no handler has started, waits for those that run, and gives back what does not finish in time.
    async fn drain(&self, waiting: Vec<LeasedJob>) {
        let claims: Vec<Claim> = waiting.iter().map(|held| held.claim).collect();
        if let Err(error) = within(CALL_LIMIT, self.job_store.give_back(&claims)).await {
            warn!(error = %format_args!("{error:#}"), jobs = claims.len(), "not given back: their leases will run out");
        }
        drop(waiting);
        let running = self.held.len();
        if running > 0 {
            info!(running, "waiting for running jobs");
        }
        if timeout(self.options.drain, self.all_settled()).await.is_err() {
            self.held.stop_all(Stop::Draining);
            drop(timeout(LAST_WORDS, self.all_settled()).await);
        }
    }

    async fn all_settled(&self) {
        for lane in &self.lanes {
            lane.settled().await;
        }
        drop(self.suspect_slot.acquire().await);
    }
}

/// Unique to the process, and tells people which one it is.
fn worker_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() { "worker" } else { host.trim() };
    let random = uuid::Uuid::new_v4().simple().to_string();
    format!("{host}-{}-{}", std::process::id(), &random[..8])
}
