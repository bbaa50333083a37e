//! Database connections. When all of a pool are busy, callers wait; sqlx doesn't expose how many.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::{
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};
use sea_orm::{DatabaseConnection, DbBackend};

use super::labels::Labels;

#[derive(Clone, Debug, Default)]
pub(super) struct Pools {
    watched: Arc<Mutex<Vec<(&'static str, DatabaseConnection)>>>,
    connections: Family<Labels<2>, Gauge>,
    limits: Family<Labels<1>, Gauge>,
}

impl Pools {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let pools = Self::default();
        let help = "Connections to the database that are open";
        registry.register("usher_db_connections", help, pools.connections.clone());
        let help = "Connections that may be open; above it callers wait";
        registry.register("usher_db_connections_max", help, pools.limits.clone());
        pools
    }

    pub(super) fn watch(&self, name: &'static str, db: &DatabaseConnection) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.push((name, db.clone()));
    }

    /// Sets the gauges to what the pools have now.
    pub(super) fn measure(&self) {
        for (name, db) in &*self.watched.lock().unwrap_or_else(PoisonError::into_inner) {
            let (size, idle, max) = connections(db);
            let idle = u32::try_from(idle).unwrap_or(size).min(size);
            let pool = ("pool", (*name).into());
            for (state, count) in [("busy", size - idle), ("idle", idle)] {
                let labels = [pool.clone(), ("state", state.into())];
                self.connections.get_or_create(&labels).set(count.into());
            }
            self.limits.get_or_create(&[pool]).set(max.into());
        }
    }
}

/// Open connections, idle ones, and the maximum.
fn connections(db: &DatabaseConnection) -> (u32, usize, u32) {
    if db.get_database_backend() == DbBackend::Sqlite {
        let pool = db.get_sqlite_connection_pool();
        (pool.size(), pool.num_idle(), pool.options().get_max_connections())
    } else {
        let pool = db.get_postgres_connection_pool();
        (pool.size(), pool.num_idle(), pool.options().get_max_connections())
    }
}
