//! What every service gets: settings, database, job store, rate limits and cache, opened once.

use std::sync::Arc;

use sea_orm::DatabaseConnection;
use thiserror::Error;

use crate::{
    events::Feed,
    foundation::{
        cache::Cache,
        config::{Config, ConfigError},
        db::{self, ConnectError, PoolOptions, SchemaError},
        file_store::FileStore,
        metrics::Metrics,
        rate_limit::RateLimiter,
        trace,
    },
    jobs::{self, JobStore},
};

/// The shared parts of a running application. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AppContext {
    pub config: Arc<Config>,
    pub db: DatabaseConnection,
    pub job_store: JobStore,
    /// The stream of events.
    pub events: Feed,
    /// Files of the product.
    pub files: FileStore,
    pub limiter: RateLimiter,
    pub cache: Cache,
    pub metrics: Metrics,
}

/// Why the application does not open.
#[derive(Debug, Error)]
pub enum OpenError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Schema(#[from] SchemaError),
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl AppContext {
    /// Connects, and checks that the schema is what this build needs. Redis may be down: it is used once it is back.
    ///
    /// `one_process` says that all services share this process, so that wake-ups need not leave it.
    pub async fn open(config: Config, one_process: bool) -> Result<Self, OpenError> {
        let db = db::connect(&config.database_url, &PoolOptions::default()).await?;
        db::check_schema(&db).await?;
        Ok(Self::with(config, db, one_process))
    }

    /// An application on a database that is already open.
    #[must_use]
    pub fn with(config: Config, db: DatabaseConnection, one_process: bool) -> Self {
        // The configuration has parsed the URL, so this doesn't fail.
        let redis = config
            .redis_url
            .as_deref()
            .and_then(|url| redis::Client::open(url).ok());
        let transport = jobs::connect(redis.as_ref(), one_process);
        if !transport.carries_wake_ups() {
            tracing::info!("no REDIS_URL: workers poll the jobs table, so jobs start within about a second");
        }
        if !config.rate_limits.enabled {
            tracing::warn!("RATE_LIMITS=off: nothing slows down guessing; use it for load tests only");
        }
        let limiter = RateLimiter::new(config.rate_limits.enabled, redis.as_ref());
        let metrics = Metrics::default();
        metrics.watch_pool("house", &db);
        let refusals = limiter.refusals().clone();
        metrics.register("usher_rate_limit_refusals", "Calls refused by a rate limit", refusals);
        let cache = Cache::new(redis.as_ref());
        metrics.register("usher_cache_reads", "Reads of the cache", cache.reads().clone());
        trace::count_spans(&metrics);
        Self {
            metrics,
            limiter,
            cache,
            job_store: JobStore::new(db.clone(), transport),
            events: Feed::new(db.clone(), redis.as_ref()),
            files: FileStore::new(config.file_store.clone(), db.clone()),
            db,
            config: Arc::new(config),
        }
    }

    /// The text of `/metrics` for this process, whichever services it runs.
    #[must_use]
    pub fn render_metrics(&self) -> String {
        self.metrics.render()
    }
}
