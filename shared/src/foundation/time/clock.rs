//! A clock that tests stop and move. It belongs to the threads of one runtime, so that tests which run side by side
//! don't see each other's time; a thread without one reads the machine's.

use std::{
    cell::Cell,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::{ContextV7, Timestamp, Uuid};

thread_local! {
    static CLOCK: Cell<Option<&'static Clock>> = const { Cell::new(None) };
}

/// The clock of one test. It shows the machine's time until it is stopped or moved.
#[derive(Debug, Default)]
pub struct Clock(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    shows: Shows,
    /// Keeps the ids of one millisecond in order. Of its own for each setting, since it never goes back.
    order: ContextV7,
}

#[derive(Clone, Copy, Debug, Default)]
enum Shows {
    #[default]
    Machine,
    /// The machine's time and this.
    Ahead(TimeDelta),
    Stopped(DateTime<Utc>),
}

impl Clock {
    /// A clock that lives until the process ends: threads keep no count of who reads it.
    #[must_use]
    pub fn leaked() -> &'static Self {
        Box::leak(Box::default())
    }

    /// This thread's clock from now on; none for the machine's. Returns the one before.
    pub fn on_this_thread(clock: Option<&'static Self>) -> Option<&'static Self> {
        CLOCK.replace(clock)
    }

    /// This thread's clock.
    #[must_use]
    pub fn of_this_thread() -> Option<&'static Self> {
        CLOCK.get()
    }

    /// Stops at this time.
    pub fn stop(&self, at: DateTime<Utc>) {
        self.set(Shows::Stopped(at));
    }

    /// Goes forward by this, or back by a negative one. A stopped clock stays stopped, another one goes on.
    ///
    /// # Panics
    /// If the time is then out of chrono's range, a quarter of a million years from now.
    pub fn advance(&self, by: TimeDelta) {
        let shows = match self.state().shows {
            Shows::Machine => Shows::Ahead(by),
            Shows::Ahead(before) => Shows::Ahead(before + by),
            Shows::Stopped(at) => Shows::Stopped(at + by),
        };
        self.set(shows);
    }

    /// Shows the machine's time again.
    pub fn reset(&self) {
        self.set(Shows::Machine);
    }

    /// What it shows; none if that is the machine's time.
    pub(super) fn read(&self) -> Option<DateTime<Utc>> {
        self.state().read()
    }

    /// A new id of the time it shows; none if that is the machine's.
    pub(super) fn new_id(&self) -> Option<Uuid> {
        let state = self.state();
        let at = state.read()?;
        let seconds = u64::try_from(at.timestamp()).unwrap_or_default();
        let stamp = Timestamp::from_unix(&state.order, seconds, at.timestamp_subsec_nanos());
        Some(Uuid::new_v7(stamp))
    }

    fn set(&self, shows: Shows) {
        let order = ContextV7::new();
        *self.state() = State { shows, order };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn read(&self) -> Option<DateTime<Utc>> {
        match self.shows {
            Shows::Machine => None,
            Shows::Ahead(by) => Some(super::machine() + by),
            Shows::Stopped(at) => Some(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::foundation::time::{first_id, new_id, now};

    #[test]
    fn a_thread_reads_its_own_clock_and_no_other_does() {
        let clock = Clock::leaked();
        Clock::on_this_thread(Some(clock));
        clock.stop(DateTime::UNIX_EPOCH);
        assert_eq!(now(), DateTime::UNIX_EPOCH);
        clock.advance(TimeDelta::days(1));
        assert_eq!(now(), DateTime::UNIX_EPOCH + TimeDelta::days(1));
        let elsewhere = std::thread::spawn(now).join().unwrap();
        assert!(elsewhere - now() > TimeDelta::days(10_000));
        clock.reset();
        assert!(now() >= elsewhere);
        clock.advance(TimeDelta::days(3));
        assert!(now() - elsewhere >= TimeDelta::days(3));
        assert!(Clock::on_this_thread(None).is_some());
        assert!(now() - elsewhere < TimeDelta::days(3));
    }

    #[test]
    fn ids_follow_a_clock_forward_and_back_and_keep_their_order_while_it_stands() {
        let clock = Clock::leaked();
        Clock::on_this_thread(Some(clock));
        clock.stop(DateTime::UNIX_EPOCH + TimeDelta::days(2));
        let ids: Vec<_> = (0..1_000).map(|_| new_id()).collect();
        assert!(ids.is_sorted_by(|one, next| one < next));
        assert!(first_id(now()) <= ids[0] && ids[999] < first_id(now() + TimeDelta::seconds(1)));
        clock.advance(-TimeDelta::days(1));
        assert!(new_id() < first_id(now() + TimeDelta::milliseconds(1)));
        Clock::on_this_thread(None);
    }
}
