//! A worker as a process: it waits for its database, serves health and metrics, and runs until shutdown.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::bail;
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
    foundation::{Backoff, time_limit::within},
    mail::Mailer,
    options::Options,
    runtime::{Health, Metrics, Part, Registry, WorkerRuntime},
};

/// Between tries to reach the database at startup.
const START_PAUSE: Backoff = Backoff {
    first: Duration::from_millis(250),
    cap: Duration::from_secs(2),
};
/// For one of these tries; opening a connection takes 6 s at most. On a network that drops the connection it would
/// never end.
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
            metrics: Arc::new(Metrics::new(registry.kinds())),
            registry,
            options,
        }
    }

    /// Runs jobs until shutdown, then lets running jobs finish and gives the others back.
    pub async fn run(self, app: &AppContext, shutdown: CancellationToken) -> anyhow::Result<()> {
        self.refuse_repeated()?;
        let mailer = Mailer::new(&app.config)?;
        let opened = retry_until_shutdown(&shutdown, "the worker's own connections", || {
            WorkerRuntime::own_connections(app)
        })
        .await;
        let declared = retry_until_shutdown(&shutdown, "the schedules", || {
            app.job_store.declare(self.registry.schedules())
        })
        .await;
        if let (Some(own), Some(())) = (opened, declared) {
            app.metrics.watch_pool("worker", &own);
            WorkerRuntime::new(app, own, self.registry, &self.options, mailer, self.metrics, shutdown)
                .run()
                .await;
        }
        Ok(())
    }

    /// [`Worker::run`], with health and metrics on `METRICS_ADDR`.
    pub async fn run_observed(self, app: &AppContext, shutdown: CancellationToken) -> anyhow::Result<()> {
        let (_opened, opened) = watch::channel(Ok(app.clone()));
        let _observed = self.observe(app.config.metrics_addr, opened).await?;
        self.run(app, shutdown).await
    }

    /// Only one handler of a kind could run, and nobody would see which.
    fn refuse_repeated(&self) -> anyhow::Result<()> {
        match self.registry.repeated() {
            Some(kind) => bail!("the job kind {kind} is registered twice"),
            None => Ok(()),
        }
    }

    /// Serves health and metrics until the guard is dropped, which is after the jobs: a draining worker is still live.
    async fn observe(
        &self,
        address: Option<SocketAddr>,
        app: watch::Receiver<Result<AppContext, Part>>,
    ) -> anyhow::Result<DropGuard> {
        let finished = CancellationToken::new();
        if let Some(address) = address {
            let health = Health::new(Arc::clone(&self.metrics), self.registry.queues(), app);
            let listener = process::bind(address, "METRICS_ADDR").await?;
            tokio::spawn(health.serve(listener, finished.clone()));
        }
        Ok(finished.drop_guard())
    }

    /// The whole process: serves health and metrics on `METRICS_ADDR`, waits for a database that is unreachable or not
    /// migrated, and runs until shutdown. Fails only when a setting is unusable.
    pub async fn serve(self, config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
        self.refuse_repeated()?;
        Mailer::new(&config)?;
        let (opened, app) = watch::channel(Err(Part::Unreachable));
        let _observed = self.observe(config.metrics_addr, app).await?;
        let open = || async {
            let app = open_app(config.clone()).await;
            drop(opened.send_replace(app.as_ref().map(AppContext::clone).map_err(Part::from)));
            app
        };
        let Some(app) = retry_until_shutdown(&shutdown, "the database", open).await else {
            return Ok(());
        };
        // In a box, for the compiler: see `db::connect`.
        Box::pin(self.run(&app, shutdown)).await
    }
}

/// The application for a process that must survive whatever happens to its connections.
async fn open_app(config: Config) -> Result<AppContext, OpenError> {
    let options = PoolOptions {
        test_on_release: true,
        ..PoolOptions::default()
    };
    let db = db::connect(&config.database_url, &options).await?;
    db::check_schema(&db).await?;
    Ok(AppContext::with(config, db, false))
}

/// Tries until it works, and logs the first failure; none at shutdown.
async fn retry_until_shutdown<T, E, R>(
    shutdown: &CancellationToken,
    what: &str,
    mut attempt: impl FnMut() -> R,
) -> Option<T>
where
    R: Future<Output = Result<T, E>>,
    E: Into<anyhow::Error>,
{
    let mut failures = 0;
    loop {
        match shutdown.run_until_cancelled(within(START_LIMIT, attempt())).await? {
            Ok(opened) => {
                if failures > 0 {
                    info!("{what} became available");
                }
                return Some(opened);
            }
            Err(error) => {
                failures += 1;
                if failures == 1 {
                    warn!(error = %format_args!("{error:#}"), "waiting for {what}");
                }
                shutdown
                    .run_until_cancelled(tokio::time::sleep(START_PAUSE.after(failures)))
                    .await?;
            }
        }
    }
}
