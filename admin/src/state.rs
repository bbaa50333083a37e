//! What every handler of the admin is given.

use std::{ops::Deref, sync::Arc};

use usher_admin_engine::{AdminContext, Site, is_https};
use usher_shared::{AppContext, foundation::metrics::ServiceMetrics};

use crate::models;
use crate::pages::{queue_figures, series};

/// The shared parts of the admin. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AppState {
    context: AdminContext,
    pub(crate) metrics: Arc<ServiceMetrics>,
    pub(crate) overview: queue_figures::Cache,
    pub(crate) series: series::Cache,
}

impl AppState {
    /// The admin of an application, with every declared model.
    #[must_use]
    pub fn new(app: &AppContext) -> Self {
        Self::with(app, models::site())
    }

    /// The admin of an application, with these models.
    pub(crate) fn with(app: &AppContext, site: Site) -> Self {
        Self {
            context: AdminContext {
                app: app.clone(),
                site: Arc::new(site),
            },
            metrics: app.metrics.service("admin"),
            overview: queue_figures::Cache::default(),
            series: series::Cache::default(),
        }
    }

    /// Whether browsers reach the admin by HTTPS, so that cookies can be `Secure`.
    pub(crate) fn is_https(&self) -> bool {
        is_https(&self.config)
    }
}

impl Deref for AppState {
    type Target = AdminContext;

    fn deref(&self) -> &AdminContext {
        &self.context
    }
}
