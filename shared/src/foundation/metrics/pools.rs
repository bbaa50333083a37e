//! Database connections. When all of a pool are busy, callers wait; sqlx doesn't expose how many.

use std::fmt::Write;

use sea_orm::{DatabaseConnection, DbBackend};

use super::text::head;

/// A named pool.
#[derive(Debug)]
pub(super) struct Pool {
    name: &'static str,
    db: DatabaseConnection,
}

impl Pool {
    pub(super) fn new(name: &'static str, db: &DatabaseConnection) -> Self {
        Self { name, db: db.clone() }
    }

    /// Open connections, idle ones, and the maximum.
    fn connections(&self) -> (u32, usize, u32) {
        if self.db.get_database_backend() == DbBackend::Sqlite {
            let pool = self.db.get_sqlite_connection_pool();
            (pool.size(), pool.num_idle(), pool.options().get_max_connections())
        } else {
            let pool = self.db.get_postgres_connection_pool();
            (pool.size(), pool.num_idle(), pool.options().get_max_connections())
        }
    }
}

pub(super) fn render(text: &mut String, pools: &[Pool]) {
    let name = "usher_db_connections";
    head(text, name, "gauge", "Connections to the database that are open");
    let mut limits = String::new();
    for pool in pools {
        let (size, idle, max) = pool.connections();
        let idle = u32::try_from(idle).unwrap_or(size).min(size);
        let (pool, busy) = (pool.name, size - idle);
        let _ = writeln!(text, "{name}{{pool=\"{pool}\",state=\"busy\"}} {busy}");
        let _ = writeln!(text, "{name}{{pool=\"{pool}\",state=\"idle\"}} {idle}");
        let _ = writeln!(limits, "usher_db_connections_max{{pool=\"{pool}\"}} {max}");
    }
    head(
        text,
        "usher_db_connections_max",
        "gauge",
        "Connections that may be open; above it callers wait",
    );
    text.push_str(&limits);
}
