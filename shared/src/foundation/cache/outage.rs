//! While Redis doesn't answer, it is left alone for a moment, so that not every request waits for it.

use std::{
    fmt::Display,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How long nothing is asked after a failure.
const PAUSE: Duration = Duration::from_secs(2);
/// How often failures are logged.
const BETWEEN_WARNINGS: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct Outage(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    pause_until: Option<Instant>,
    warned_at: Option<Instant>,
}

impl Outage {
    /// Whether Redis failed to answer a moment ago.
    pub(super) fn goes_on(&self) -> bool {
        self.state().pause_until.is_some_and(|until| Instant::now() < until)
    }

    pub(super) fn began(&self, error: &dyn Display) {
        self.state().pause_until = Some(Instant::now() + PAUSE);
        self.refused(error);
    }

    /// Logs that Redis answered with an error.
    pub(super) fn refused(&self, error: &dyn Display) {
        let (mut state, now) = (self.state(), Instant::now());
        if state.warned_at.is_none_or(|at| at + BETWEEN_WARNINGS <= now) {
            state.warned_at = Some(now);
            tracing::warn!(%error, "Redis doesn't serve the cache; values are loaded each time");
        }
    }

    pub(super) fn ended(&self) {
        self.state().pause_until = None;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
