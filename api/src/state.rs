//! What every handler of the API can use.

use std::{
    ops::Deref,
    sync::{Arc, OnceLock},
    time::Duration,
};

use sea_orm::DatabaseConnection;
use usher_shared::{
    AppContext,
    accounts::{
        api_keys::KeyRing,
        users::{Directory, UserBatchInserter},
    },
    foundation::{config::Config, metrics::ServiceMetrics, rate_limit::RateLimiter},
    jobs::JobStore,
};

use crate::{documents::Prepared, key_use::KeyUse, openapi::openapi};

/// How long a handler may take.
const TIME_LIMIT: Duration = Duration::from_secs(15);

/// The API's state, cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Parts>);

/// What [`AppState`] shares.
pub struct Parts {
    pub(crate) config: Arc<Config>,
    pub(crate) db: DatabaseConnection,
    pub(crate) job_store: JobStore,
    pub(crate) limiter: RateLimiter,
    pub(crate) metrics: Arc<ServiceMetrics>,
    pub(crate) keys: KeyRing,
    pub(crate) users: Directory,
    pub(crate) intake: UserBatchInserter,
    pub(crate) key_use: KeyUse,
    pub(crate) time_limit: Duration,
    /// The path of `API_URL`, for links: empty, or such as `/api` behind a proxy.
    pub(crate) root: String,
    document: OnceLock<Prepared>,
}

impl Parts {
    /// The OpenAPI document, made when first asked for.
    pub(crate) fn document(&self) -> &Prepared {
        self.document
            .get_or_init(|| Prepared::new(openapi(), &self.config.api_url))
    }
}

impl AppState {
    /// The state over the parts of this house, with the handlers' time limit of 15 s.
    #[must_use]
    pub fn new(app: &AppContext) -> Self {
        Self::with_time_limit(app, TIME_LIMIT)
    }

    pub(crate) fn with_time_limit(app: &AppContext, time_limit: Duration) -> Self {
        Self(Arc::new(Parts {
            config: Arc::clone(&app.config),
            db: app.db.clone(),
            job_store: app.job_store.clone(),
            limiter: app.limiter.clone(),
            metrics: app.metrics.service("api"),
            keys: KeyRing::new(app.db.clone()),
            users: Directory::new(app.db.clone()),
            intake: UserBatchInserter::new(app.job_store.clone()),
            key_use: KeyUse::default(),
            time_limit,
            root: root(&app.config.api_url),
            document: OnceLock::new(),
        }))
    }
}

impl Deref for AppState {
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
