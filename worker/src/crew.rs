//! Everything that goes on at the same time in a worker: apalis with its handlers, the driver that brings jobs in,
//! heartbeat, presence and sweep around them, and the order in which they stop.

use std::{
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use apalis::{
    layers::WorkerBuilderExt,
    prelude::{Monitor, MonitorError, WorkerBuilder},
};
use apalis_core::worker::ext::parallelize::ParallelizeExt;
use sea_orm::DatabaseConnection;
use tokio::{
    sync::{Semaphore, mpsc},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, info, warn};
use usher_shared::{
    House,
    db::{self, ConnectError, PoolOptions},
    jobs::{Claim, Finisher, Ledger, WorkerInfo},
};

use crate::{
    Backoff, Mailer, Options, Registry,
    attempt::{self, Workshop},
    backend::LedgerBackend,
    driver::Driver,
    held::{Held, HeldJob, Stop},
    keep::{CALL_LIMIT, keep, within},
    limited::Limited,
    mailer::Desk,
    metrics::Metrics,
    pulse::Pulse,
    suspects::Suspects,
};

/// How long stopped handlers may take to give their jobs back.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// Before apalis is started again, should it stop.
const RESTART: Backoff = Backoff {
    first: Duration::from_millis(100),
    cap: Duration::from_secs(5),
};

pub(crate) struct Crew {
    options: Options,
    info: WorkerInfo,
    ledger: Ledger,
    pulse: Arc<Pulse>,
    workshop: Arc<Workshop>,
    held: Arc<Held>,
    /// One for each job that may be held: those that run, and those claimed ahead of them.
    slots: Arc<Semaphore>,
    ahead: usize,
    suspect_slot: Arc<Semaphore>,
}

impl Crew {
    /// Two connections that no handler uses.
    pub(crate) fn own_connections(house: &House) -> impl Future<Output = Result<DatabaseConnection, ConnectError>> {
        let options = PoolOptions {
            max_connections: 2,
            distrust: true,
            ..PoolOptions::default()
        };
        async move { db::connect(&house.config.database_url, &options).await }
    }

    pub(crate) fn new(
        house: &House,
        own: DatabaseConnection,
        registry: Registry,
        options: Options,
        mailer: Mailer,
        metrics: Arc<Metrics>,
    ) -> Self {
        let ledger = house.ledger.clone();
        let ahead = options.concurrency.div_ceil(2);
        let held = Arc::new(Held::default());
        let queues = if options.queues.is_empty() {
            registry.queues()
        } else {
            options.queues.clone()
        };
        let info = WorkerInfo {
            name: worker_name(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            queues,
            concurrency: options.concurrency,
            running: 0,
        };
        Self {
            pulse: Arc::new(Pulse {
                ledger: Ledger::new(own, Arc::clone(ledger.transport())),
                config: Arc::clone(&house.config),
                info: info.clone(),
                lease: options.lease,
                held: Arc::clone(&held),
                found: Arc::default(),
            }),
            workshop: Arc::new(Workshop {
                registry,
                finisher: Finisher::new(ledger.clone()),
                desk: Desk::new(&ledger),
                ledger: ledger.clone(),
                config: Arc::clone(&house.config),
                mailer,
                metrics,
            }),
            slots: Arc::new(Semaphore::new(options.concurrency + ahead)),
            options,
            info,
            ledger,
            held,
            ahead,
            suspect_slot: Arc::new(Semaphore::new(1)),
        }
    }

    /// Works until shutdown, and drains.
    pub(crate) async fn work(self, shutdown: CancellationToken) {
        let (sender, receiver) = mpsc::channel(self.options.concurrency + self.ahead);
        let backend = LedgerBackend::new(receiver);
        info!(
            worker = self.info.name,
            queues = self.info.queues.join(" "),
            concurrency = self.info.concurrency,
            transport = self.ledger.transport().name(),
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
        let limited = self.limited(sender.clone(), shutdown.clone());
        let limiting = background.spawn(keep("limited queues", shutdown.clone(), move || {
            Arc::clone(&limited).round()
        }));
        let driver = self.driver(sender, shutdown.clone());
        let driving = background.spawn(keep("driver", shutdown.clone(), move || Arc::clone(&driver).round()));
        let suspects = self.suspects(shutdown.clone());
        background.spawn(keep("suspects", shutdown.clone(), move || {
            Arc::clone(&suspects).round()
        }));
        let handling = tokio::spawn(handle(
            self.info.name.clone(),
            backend.clone(),
            Arc::clone(&self.workshop),
            self.options.concurrency,
            shutdown.clone(),
        ));

        shutdown.cancelled().await;
        drop(tokio::join!(driving, limiting));
        self.drain(backend.take_waiting()).await;
        handling.abort();
        settled.cancel();
        background.close();
        background.wait().await;
        if let Err(error) = within(CALL_LIMIT, self.pulse.ledger.worker_gone(&self.info.name)).await {
            warn!(error = %format_args!("{error:#}"), "the worker stays in the list until it is forgotten");
        }
        info!("stopped");
    }

    fn driver(&self, jobs: mpsc::Sender<HeldJob>, shutdown: CancellationToken) -> Arc<Driver> {
        Arc::new(Driver {
            ledger: self.ledger.clone(),
            queues: self.info.queues.clone(),
            worker: self.info.name.clone(),
            lease: self.options.lease,
            held: Arc::clone(&self.held),
            slots: Arc::clone(&self.slots),
            ahead: self.ahead,
            jobs,
            shutdown,
            queue_down: Mutex::default(),
        })
    }

    fn limited(&self, jobs: mpsc::Sender<HeldJob>, shutdown: CancellationToken) -> Arc<Limited> {
        Arc::new(Limited {
            ledger: self.ledger.clone(),
            queues: self.info.queues.clone(),
            worker: self.info.name.clone(),
            lease: self.options.lease,
            held: Arc::clone(&self.held),
            slots: Arc::clone(&self.slots),
            jobs,
            shutdown,
        })
    }

    fn suspects(&self, shutdown: CancellationToken) -> Arc<Suspects> {
        Arc::new(Suspects {
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
    async fn drain(&self, waiting: Vec<HeldJob>) {
        let claims: Vec<Claim> = waiting.iter().map(|held| held.claim).collect();
        if let Err(error) = within(CALL_LIMIT, self.ledger.give_back(&claims)).await {
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
        let all = u32::try_from(self.options.concurrency + self.ahead).unwrap_or(u32::MAX);
        drop(tokio::join!(self.slots.acquire_many(all), self.suspect_slot.acquire()));
    }
}

/// Runs apalis until shutdown. It may end early by its own mistake; then it is started again.
async fn handle(
    name: String,
    backend: LedgerBackend,
    workshop: Arc<Workshop>,
    concurrency: usize,
    shutdown: CancellationToken,
) {
    let mut ended_early = 0;
    loop {
        let (name, backend, workshop) = (name.clone(), backend.clone(), Arc::clone(&workshop));
        let monitor = Monitor::new()
            .register(move |_| {
                WorkerBuilder::new(name.as_str())
                    .backend(backend.clone())
                    .data(Arc::clone(&workshop))
                    .concurrency(concurrency)
                    .parallelize(tokio::spawn)
                    .build(attempt::run)
            })
            .should_restart(|_, _| true);
        let ended = run_until(monitor, &shutdown).await;
        if shutdown.is_cancelled() {
            return;
        }
        ended_early += 1;
        error!(?ended, ended_early, "apalis stopped by itself and is started again");
        shutdown
            .run_until_cancelled(tokio::time::sleep(RESTART.after(ended_early)))
            .await;
    }
}

/// Unlike [`Monitor::run_with_signal`] this also ends when the monitor's workers do.
async fn run_until(monitor: Monitor, shutdown: &CancellationToken) -> Result<(), MonitorError> {
    let context = monitor.context();
    let mut running = std::pin::pin!(monitor.run());
    tokio::select! {
        ended = &mut running => ended,
        () = shutdown.cancelled() => {
            context.shutdown()?;
            running.await
        }
    }
}

/// Unique to the process, and tells people which one it is.
fn worker_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() { "worker" } else { host.trim() };
    let random = uuid::Uuid::new_v4().simple().to_string();
    format!("{host}-{}-{}", std::process::id(), &random[..8])
}
