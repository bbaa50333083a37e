//! What the toolkit needs of the application. The state of a service gives it by [`FromRef`](axum::extract::FromRef).

use std::{ops::Deref, sync::Arc, time::Duration};

use sea_orm::DatabaseConnection;
use usher_shared::{
    AppContext,
    accounts::api_keys::KeyRing,
    foundation::{
        cache::Cache, config::Config, file_store::FileStore, metrics::ServiceMetrics, rate_limit::RateLimiter,
    },
};

use super::key_use::KeyUse;

/// How long a handler may take.
const TIME_LIMIT: Duration = Duration::from_secs(15);

/// The part of the state that extractors and layers use. Cheap to clone.
#[derive(Clone)]
pub struct Toolkit(Arc<Parts>);

/// What [`Toolkit`] shares.
pub struct Parts {
    /// The settings.
    pub config: Arc<Config>,
    /// The connections to the database.
    pub db: DatabaseConnection,
    /// Files of the product.
    pub files: FileStore,
    /// Values that are slow to get and may be lost, as JSON by key.
    pub cache: Cache,
    pub(crate) limiter: RateLimiter,
    pub(crate) metrics: Arc<ServiceMetrics>,
    pub(crate) keys: KeyRing,
    pub(crate) key_use: KeyUse,
    pub(crate) time_limit: Duration,
    /// The path of `API_URL`, for links: empty, or such as `/api` behind a proxy.
    pub root: String,
}

impl Toolkit {
    /// Handlers are stopped after 15 seconds.
    #[must_use]
    pub fn new(app: &AppContext) -> Self {
        Self::with_time_limit(app, TIME_LIMIT)
    }

    pub(crate) fn with_time_limit(app: &AppContext, time_limit: Duration) -> Self {
        Self(Arc::new(Parts {
            config: Arc::clone(&app.config),
            db: app.db.clone(),
            files: app.files.clone(),
            cache: app.cache.clone(),
            limiter: app.limiter.clone(),
            metrics: app.metrics.service("api"),
            keys: KeyRing::new(app.db.clone()),
            key_use: KeyUse::default(),
            time_limit,
            root: root(&app.config.api_url),
        }))
    }
}

impl Deref for Toolkit {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

fn root(api_url: &str) -> String {
    let path = api_url
        .split_once("://")
        .and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
    path.unwrap_or_default().trim_end_matches('/').to_owned()
}
