//! What every handler of the admin is given.

use std::sync::Arc;

use sea_orm::DatabaseConnection;
use usher_shared::{
    AppContext,
    foundation::{config::Config, metrics::Room, rate_limit::RateLimiter},
    jobs::JobStore,
};

use crate::{engine::Site, models, pages::{jobs_overview, series}};

/// The shared parts of the admin. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AppState {
    pub(crate) config: Arc<Config>,
    pub(crate) db: DatabaseConnection,
    pub(crate) job_store: JobStore,
    pub(crate) limiter: RateLimiter,
    pub(crate) metrics: Arc<Room>,
    pub(crate) site: Arc<Site>,
    pub(crate) overview: overview::Kept,
    pub(crate) series: series::Kept,
}

impl AppState {
    /// The admin over an open house, with every declared model.
    #[must_use]
    pub fn new(app: &AppContext) -> Self {
        Self {
            config: Arc::clone(&app.config),
            db: app.db.clone(),
            job_store: app.job_store.clone(),
            limiter: app.limiter.clone(),
            metrics: app.metrics.room("admin"),
            site: Arc::new(models::site()),
            overview: overview::Kept::default(),
            series: series::Kept::default(),
        }
    }

    /// Whether browsers reach the admin by HTTPS, so that cookies can be confined to it.
    pub(crate) fn is_https(&self) -> bool {
        self.config.admin_url.starts_with("https://")
    }
}
