//! All metrics of one process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::{
    encoding::prometheus_text::encode,
    metrics::info::Info,
    registry::{Metric, Registry},
};
use sea_orm::DatabaseConnection;

use super::{
    own,
    pools::Pools,
    process::Process,
    service::{Requests, ServiceMetrics},
};

/// The metrics of one process, shared by its services. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    requests: Requests,
    pools: Pools,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        let (requests, pools) = (Requests::new(&mut registry), Pools::new(&mut registry));
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("usher_build", "Which program this is", version);
        registry.register_collector(Box::new(Process::started_now()));
        own::register(&mut registry);
        Self {
            registry: Arc::new(Mutex::new(registry)),
            requests,
            pools,
        }
    }
}

impl Metrics {
    /// The metrics of the service with this name, such as `api`; they count together each time.
    #[must_use]
    pub fn service(&self, name: &'static str) -> Arc<ServiceMetrics> {
        Arc::new(ServiceMetrics::new(name, self.requests.clone()))
    }

    /// Reports this pool's connections from now on.
    pub fn watch_pool(&self, name: &'static str, db: &DatabaseConnection) {
        self.pools.watch(name, db);
    }

    /// Reports another metric from now on. A counter's name gets `_total` appended.
    pub fn register(&self, name: &str, help: &str, metric: impl Metric) {
        self.registry().register(name, help, metric);
    }

    /// The text for `/metrics`.
    #[must_use]
    pub fn render(&self) -> String {
        self.pools.measure();
        text_of(&self.registry())
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What `/metrics` says of a registry.
#[must_use]
pub fn text_of(registry: &Registry) -> String {
    let mut text = String::new();
    // Writing to a string doesn't fail.
    let _ = encode(&mut text, registry);
    text
}
