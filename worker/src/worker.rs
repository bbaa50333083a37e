//! A worker as a process: it waits for its database, tells its health, and runs until it is stopped.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{info, warn};
use usher_shared::{
    AppContext, OpenError,
    foundation::{
        config::Config,
        db::{self, PoolOptions},
        process,
    },
};

use crate::{
    Backoff, Mailer, Options, Registry,
    crew::Crew,
    health::{Health, Part},
    keep::within,
    metrics::Metrics,
};

/// Between tries to reach the database at the start.
const PATIENCE: Backoff = Backoff {
    first: Duration::from_millis(250),
    cap: Duration::from_secs(2),
};
/// For one of these tries; opening a connection takes 6 s at most. A network that forgets the connection meanwhile would
/// let it wait for ever.
const START_LIMIT: Duration = Duration::from_secs(10);

/// A worker: the kinds it knows and how it runs.
pub struct Worker {
    registry: Registry,
    options: Options,
    metrics: Arc<Metrics>,
}

impl Worker {
    #[must_use]
    pub fn new(registry: Registry, options: Options) -> Self {
        Self {
            metrics: Arc::new(Metrics::new(&registry)),
            registry,
            options,
        }
    }

    /// Runs jobs until shutdown, then lets those that run finish and gives the others back.
    pub async fn run(self, app: &AppContext, shutdown: CancellationToken) -> anyhow::Result<()> {
        let mailer = Mailer::new(&app.config)?;
        let opened = patiently(&shutdown, "the worker's own connections", || Crew::own_connections(app)).await;
        let declared = patiently(&shutdown, "the schedules", || {
            app.job_store.declare(self.registry.schedules())
        })
        .await;
        if let (Some(own), Some(())) = (opened, declared) {
            app.metrics.watch_pool("worker", &own);
            Crew::new(app, own, self.registry, self.options, mailer, self.metrics)
                .work(shutdown)
                .await;
        }
        Ok(())
    }

    /// [`Worker::run`] in a process with other rooms: serves health and metrics on `METRICS_ADDR` as well.
    pub async fn run_told(self, app: &AppContext, shutdown: CancellationToken) -> anyhow::Result<()> {
        let (_opened, open) = watch::channel(Ok(app.clone()));
        let _told = self.tell(app.config.metrics_addr, open).await?;
        self.run(app, shutdown).await
    }

    /// Serves health and metrics until the guard is dropped, which is after the jobs: a worker that drains is alive and
    /// says so.
    async fn tell(
        &self,
        address: Option<SocketAddr>,
        app: watch::Receiver<Result<AppContext, Part>>,
    ) -> anyhow::Result<DropGuard> {
        let finished = CancellationToken::new();
        if let Some(address) = address {
            let health = Health {
                metrics: Arc::clone(&self.metrics),
                backlog: Arc::default(),
                queues: self.registry.queues().into(),
                app,
            };
            let listener = process::bind(address, "METRICS_ADDR").await?;
            tokio::spawn(health.serve(listener, finished.clone()));
        }
        Ok(finished.drop_guard())
    }

    /// The whole process: serves health and metrics on `METRICS_ADDR`, waits for a database that is not there yet or
    /// not migrated, and runs until shutdown. Only a setting that cannot be used is an error.
    pub async fn serve(self, config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
        Mailer::new(&config)?;
        let (opened, app) = watch::channel(Err(Part::Unreachable));
        let _told = self.tell(config.metrics_addr, app).await?;
        let open = || async {
            let app = open_house(config.clone()).await;
            drop(opened.send_replace(app.as_ref().map(AppContext::clone).map_err(Part::from)));
            app
        };
        let Some(app) = patiently(&shutdown, "the database", open).await else {
            return Ok(());
        };
        // In a box, for the compiler's sake: see `db::connect`.
        Box::pin(self.run(&app, shutdown)).await
    }
}

/// A house for a process that must go on by itself whatever becomes of its connections.
async fn open_house(config: Config) -> Result<AppContext, OpenError> {
    let options = PoolOptions {
        test_on_release: true,
        ..PoolOptions::default()
    };
    let db = db::connect(&config.database_url, &options).await?;
    db::check_schema(&db).await?;
    Ok(AppContext::with(config, db, false))
}

/// Tries until it works, and says once that it does not; none when the process is stopped meanwhile.
async fn patiently<T, E, R>(shutdown: &CancellationToken, what: &str, mut attempt: impl FnMut() -> R) -> Option<T>
where
    R: Future<Output = Result<T, E>>,
    E: Into<anyhow::Error>,
{
    let mut failures = 0;
    loop {
        match shutdown.run_until_cancelled(within(START_LIMIT, attempt())).await? {
            Ok(opened) => {
                if failures > 0 {
                    info!("{what} is there now");
                }
                return Some(opened);
            }
            Err(error) => {
                failures += 1;
                if failures == 1 {
                    warn!(error = %format_args!("{error:#}"), "waiting for {what}");
                }
                shutdown
                    .run_until_cancelled(tokio::time::sleep(PATIENCE.after(failures)))
                    .await?;
            }
        }
    }
}
