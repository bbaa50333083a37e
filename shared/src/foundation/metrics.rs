//! What this process counts and measures, in Prometheus' text form. The rooms count here, whatever serves `/metrics`
//! renders it; nothing here knows HTTP. Labels are bounded: names that the program has, never what somebody sent.

mod counters;
mod histogram;
mod pools;
mod process;
mod room;

use std::{
    fmt::Write,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sea_orm::DatabaseConnection;

pub use counters::Counters;
pub use histogram::Histogram;
pub use room::{InFlight, Room};

use pools::Pool;

/// The counters of one process, shared by its rooms. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Parts>);

#[derive(Debug, Default)]
struct Parts {
    rooms: Mutex<Vec<Arc<Room>>>,
    pools: Mutex<Vec<Pool>>,
}

impl Default for Metrics {
    fn default() -> Self {
        process::note_start();
        Self(Arc::default())
    }
}

impl Metrics {
    /// The counters of the room with this name, such as `api`; the same each time.
    #[must_use]
    pub fn room(&self, name: &'static str) -> Arc<Room> {
        let mut rooms = lock(&self.0.rooms);
        if let Some(room) = rooms.iter().find(|room| room.name() == name) {
            return Arc::clone(room);
        }
        let room = Arc::new(Room::new(name));
        rooms.push(Arc::clone(&room));
        room
    }

    /// Tells this pool's connections from now on.
    pub fn watch_pool(&self, name: &'static str, db: &DatabaseConnection) {
        lock(&self.0.pools).push(Pool::new(name, db));
    }

    /// The lines for `/metrics`, with these counters behind them.
    #[must_use]
    pub fn render(&self, counters: &[&Counters]) -> String {
        let mut text = String::new();
        room::render(&mut text, &lock(&self.0.rooms));
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

/// What stands above the lines of a metric; `form` is `counter`, `gauge` or `histogram`.
pub fn head(text: &mut String, name: &str, form: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {form}");
}
