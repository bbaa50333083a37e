//! Everything that goes on at the same time in a worker, and the order in which it stops: queue runners that fetch jobs
//! and run them, the quarantine, and maintenance.

use std::{future::Future, sync::Arc, time::Duration};

use sea_orm::DatabaseConnection;
use tokio::{sync::Semaphore, task::JoinHandle, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};
use usher_shared::{
    AppContext,
    foundation::db::{self, ConnectError, PoolOptions},
    jobs::{Claim, Completer, JobStore, WorkerInfo},
    webhooks::WEBHOOK_QUEUE,
};

use super::{
    claimer::Claimer,
    job_runner::JobRunner,
    lease_table::{LeaseTable, LeasedJob, Stop},
    maintenance::{FOR_WEBHOOKS, Maintenance, UNTIL_SHUTDOWN, WHILE_JOBS_RUN},
    metrics::Metrics,
    quarantine::Quarantine,
    queue_runner::QueueRunner,
    registry::Registry,
    supervise::supervise,
};
use crate::{
    foundation::time_limit::{CALL_LIMIT, within},
    mail::{MailBatcher, Mailer},
    options::Options,
};

/// How long stopped handlers may take to give their jobs back.
const GIVE_BACK_LIMIT: Duration = Duration::from_secs(3);

pub(crate) struct WorkerRuntime {
    drain: Duration,
    info: WorkerInfo,
    claimer: Claimer,
    maintenance: Arc<Maintenance>,
    runner: Arc<JobRunner>,
    queue_runners: Vec<QueueRunner>,
    quarantine_slot: Arc<Semaphore>,
}

impl WorkerRuntime {
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
        options: &Options,
        mailer: Mailer,
        metrics: Arc<Metrics>,
        shutdown: CancellationToken,
    ) -> Self {
        let (job_store, leases) = (app.job_store.clone(), Arc::new(LeaseTable::default()));
        let queues = if options.queues.is_empty() {
            registry.queues()
        } else {
            options.queues.clone()
        };
        let queue_runners = QueueRunner::all(&queues, options);
        let info = WorkerInfo {
            name: worker_name(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            queues,
            concurrency: queue_runners.iter().map(|runner| runner.concurrency).sum(),
            running: 0,
        };
        Self {
            drain: options.drain,
            claimer: Claimer {
                job_store: job_store.clone(),
                worker: info.name.clone(),
                lease: options.lease,
                leases: Arc::clone(&leases),
                redis_down: Arc::default(),
                shutdown: shutdown.clone(),
            },
            maintenance: Arc::new(Maintenance {
                job_store: JobStore::new(own, Arc::clone(job_store.transport())),
                config: Arc::clone(&app.config),
                events: app.events.clone(),
                stop: shutdown,
                info: info.clone(),
                lease: options.lease,
                leases,
                recovered: Arc::default(),
            }),
            runner: Arc::new(JobRunner {
                registry,
                completer: Completer::new(job_store.clone()),
                mail_batcher: MailBatcher::new(&job_store),
                job_store,
                config: Arc::clone(&app.config),
                cache: app.cache.clone(),
                mailer,
                metrics,
            }),
            info,
            queue_runners,
            quarantine_slot: Arc::new(Semaphore::new(1)),
        }
    }

    /// Runs jobs until shutdown, and drains.
    pub(crate) async fn run(self) {
        let Claimer {
            job_store, shutdown, ..
        } = &self.claimer;
        info!(
            worker = self.info.name,
            queues = self.info.queues.join(" "),
            concurrency = self.info.concurrency,
            transport = job_store.transport().name(),
            "taking jobs"
        );

        // What fetches jobs ends with shutdown; what keeps their leases ends when the last job is settled.
        let (settled, background) = (CancellationToken::new(), TaskTracker::new());
        self.maintenance.start(WHILE_JOBS_RUN, &background, &settled);
        self.maintenance.start(UNTIL_SHUTDOWN, &background, shutdown);
        if self.info.queues.iter().any(|queue| queue == WEBHOOK_QUEUE) {
            self.maintenance.start(FOR_WEBHOOKS, &background, shutdown);
        }
        let start = |runner: &QueueRunner| runner.start(&self.claimer, &self.runner, &background);
        let started: Vec<_> = self.queue_runners.iter().map(start).collect();
        let quarantine = self.quarantine();
        let quarantine = move || Arc::clone(&quarantine).round();
        background.spawn(supervise("quarantine", shutdown.clone(), quarantine));

        shutdown.cancelled().await;
        let (mut waiting, mut handling) = (Vec::new(), Vec::new());
        for mut started in started {
            waiting.extend(started.no_more_come().await);
            handling.push(started.handling);
        }
        self.drain(waiting).await;
        handling.iter().for_each(JoinHandle::abort);
        settled.cancel();
        background.close();
        background.wait().await;
        if let Err(error) = within(CALL_LIMIT, self.maintenance.job_store.worker_gone(&self.info.name)).await {
            warn!(error = %format_args!("{error:#}"), "the worker stays listed until its row expires");
        }
        info!("stopped");
    }

    fn quarantine(&self) -> Arc<Quarantine> {
        Arc::new(Quarantine {
            claimer: self.claimer.clone(),
            runner: Arc::clone(&self.runner),
            queues: self.info.queues.clone(),
            slot: Arc::clone(&self.quarantine_slot),
            recovered: Arc::clone(&self.maintenance.recovered),
        })
    }

    /// Gives back what no handler has started, waits for running jobs, and gives back what does not finish in time.
    async fn drain(&self, waiting: Vec<LeasedJob>) {
        let claims: Vec<Claim> = waiting.iter().map(|job| job.claim).collect();
        if let Err(error) = within(CALL_LIMIT, self.claimer.job_store.give_back(&claims)).await {
            warn!(error = %format_args!("{error:#}"), jobs = claims.len(), "not given back: their leases will run out");
        }
        drop(waiting);
        let leases = &self.claimer.leases;
        let running = leases.len();
        if running > 0 {
            info!(running, "waiting for running jobs");
        }
        if timeout(self.drain, self.all_settled()).await.is_err() {
            leases.stop_all(Stop::Draining);
            drop(timeout(GIVE_BACK_LIMIT, self.all_settled()).await);
        }
    }

    async fn all_settled(&self) {
        for runner in &self.queue_runners {
            runner.settled().await;
        }
        drop(self.quarantine_slot.acquire().await);
    }
}

/// Unique to the process, and tells people which one it is.
fn worker_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() { "worker" } else { host.trim() };
    let random = uuid::Uuid::new_v4().simple().to_string();
    format!("{host}-{}-{}", std::process::id(), &random[..8])
}
