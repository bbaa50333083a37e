//! Values that are being loaded, so that concurrent callers of one key load it once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::OnceCell;

use super::json::Json;

/// Nothing in it if the value can't be written as JSON.
type Cell = OnceCell<Option<Json>>;
type Open = HashMap<Box<str>, Entry>;

#[derive(Clone, Debug, Default)]
pub(super) struct Flights(Arc<Mutex<Open>>);

#[derive(Debug, Default)]
struct Entry {
    cell: Arc<Cell>,
    callers: usize,
}

/// A caller's part in a flight. The last one that is dropped ends it.
pub(super) struct Flight {
    pub(super) cell: Arc<Cell>,
    key: Box<str>,
    flights: Flights,
}

impl Flights {
    /// The open flight of this key, or a new one.
    pub(super) fn join(&self, key: &str) -> Flight {
        let mut open = self.open();
        let entry = open.entry(key.into()).or_default();
        entry.callers += 1;
        Flight {
            cell: Arc::clone(&entry.cell),
            key: key.into(),
            flights: self.clone(),
        }
    }

    /// Callers from now on load anew.
    pub(super) fn end(&self, key: &str) {
        self.open().remove(key);
    }

    /// Whether the flight is still the one that callers join.
    pub(super) fn has(&self, key: &str, flight: &Flight) -> bool {
        self.open().get(key).is_some_and(|entry| entry.is_of(flight))
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Not so if the flight was ended and another one with the same key began.
    fn is_of(&self, flight: &Flight) -> bool {
        Arc::ptr_eq(&self.cell, &flight.cell)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut open = self.flights.open();
        let Some(entry) = open.get_mut(&self.key).filter(|entry| entry.is_of(self)) else {
            return;
        };
        entry.callers -= 1;
        if entry.callers == 0 {
            open.remove(&self.key);
        }
    }
}
