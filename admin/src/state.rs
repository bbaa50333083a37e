//! What every handler of the admin is given.

use std::{ops::Deref, sync::Arc};

use tokio_util::sync::CancellationToken;
use usher_admin_engine::{AdminContext, Extension, is_https};
use usher_shared::{AppContext, foundation::metrics::ServiceMetrics};

use crate::apps;
use crate::live::open_streams::OpenStreams;
use crate::pages::series;

/// The shared parts of the admin. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AppState {
    context: AdminContext,
    pub(crate) metrics: Arc<ServiceMetrics>,
    pub(crate) series: series::Cache,
    /// What pages are open and hear of changes.
    pub(crate) streams: OpenStreams,
    /// Ends streams when the server stops.
    pub(crate) stopping: CancellationToken,
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
            streams: OpenStreams::default(),
            stopping: CancellationToken::new(),
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
