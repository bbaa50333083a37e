//! What every handler of the admin is given.

use std::{ops::Deref, sync::Arc};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use usher_admin_engine::{AdminContext, Extension, is_https};
use usher_shared::{
    AppContext,
    foundation::{metrics::ServiceMetrics, process::BindError},
};

use crate::pages::series;
use crate::{apps, server};

/// The shared parts of the admin. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AppState {
    context: AdminContext,
    pub(crate) metrics: Arc<ServiceMetrics>,
    pub(crate) series: series::Cache,
}

impl AppState {
    /// The admin with what Usher brings.
    #[must_use]
    pub fn new(app: &AppContext) -> Self {
        Self::with_extension(app, &Extension::new("product"))
    }

    /// The admin with what a product adds; its sections come first in the navigation.
    ///
    /// # Panics
    /// When [`check`](crate::check) refuses the extension.
    #[must_use]
    pub fn with_extension(app: &AppContext, extension: &Extension) -> Self {
        let site = apps::site(extension).unwrap_or_else(|error| panic!("{error}"));
        Self {
            context: AdminContext {
                app: app.clone(),
                site: Arc::new(site),
            },
            metrics: app.metrics.service("admin"),
            series: series::Cache::default(),
        }
    }

    /// Serves the admin until cancelled, then lets what runs finish.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        server::serve_state(self, listener, stop).await;
    }

    /// [`Self::serve`] on `ADMIN_ADDR`, with metrics on `METRICS_ADDR` where that is set.
    pub async fn run(self, stop: CancellationToken) -> Result<(), BindError> {
        server::run_state(self, stop).await
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
