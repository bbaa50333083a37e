//! All metrics of one process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sea_orm::DatabaseConnection;

use super::{
    counters::Counters,
    pools::{self, Pool},
    process,
    service::{self, ServiceMetrics},
};

/// The counters of one process, shared by its services. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Parts>);

#[derive(Debug, Default)]
struct Parts {
    services: Mutex<Vec<Arc<ServiceMetrics>>>,
    pools: Mutex<Vec<Pool>>,
}

impl Default for Metrics {
    fn default() -> Self {
        process::note_start();
        Self(Arc::default())
    }
}

impl Metrics {
    /// The metrics of the service with this name, such as `api`; the same each time.
    #[must_use]
    pub fn service(&self, name: &'static str) -> Arc<ServiceMetrics> {
        let mut services = lock(&self.0.services);
        if let Some(service) = services.iter().find(|service| service.name() == name) {
            return Arc::clone(service);
        }
        let service = Arc::new(ServiceMetrics::new(name));
        services.push(Arc::clone(&service));
        service
    }

    /// Reports this pool's connections from now on.
    pub fn watch_pool(&self, name: &'static str, db: &DatabaseConnection) {
        lock(&self.0.pools).push(Pool::new(name, db));
    }

    /// The text for `/metrics`, followed by these counters.
    #[must_use]
    pub fn render(&self, counters: &[&Counters]) -> String {
        let mut text = String::new();
        service::render(&mut text, &lock(&self.0.services));
        pools::render(&mut text, &lock(&self.0.pools));
        for counters in counters {
            counters.render(&mut text);
        }
        process::render(&mut text);
        text
    }
}

fn lock<T>(parts: &Mutex<T>) -> MutexGuard<'_, T> {
    parts.lock().unwrap_or_else(PoisonError::into_inner)
}
