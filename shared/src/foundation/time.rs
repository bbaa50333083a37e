//! The application's clock.

mod clock;

use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};
use uuid::Uuid;

pub use clock::Clock;

/// The current time in whole microseconds, which is PostgreSQL's precision, so that a value read back equals the one
/// written. In a test that moves time, the time it has set.
#[must_use]
pub fn now() -> DateTime<Utc> {
    set().unwrap_or_else(machine).trunc_subsecs(6)
}

/// A new UUIDv7 of the current time, for the id of a row.
#[must_use]
pub fn new_id() -> Uuid {
    Clock::of_this_thread()
        .and_then(Clock::new_id)
        .unwrap_or_else(Uuid::now_v7)
}

/// The time that a test has set; none outside of tests.
pub(super) fn set() -> Option<DateTime<Utc>> {
    Clock::of_this_thread().and_then(Clock::read)
}

#[expect(clippy::disallowed_methods, reason = "the one place that asks the machine's clock")]
fn machine() -> DateTime<Utc> {
    Utc::now()
}

/// The text form of a time everywhere outside the program: RFC 3339 in UTC, always with six decimals, so that texts
/// sort like times and there is only one form.
#[must_use]
pub fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// The smallest UUIDv7 of this time (RFC 9562 §5.7: its first 48 bits are Unix milliseconds), to find rows by time
/// through the index of their ids. Clamped to 1970 and 10889.
#[must_use]
pub fn first_id(at: DateTime<Utc>) -> Uuid {
    let millis = u64::try_from(at.timestamp_millis())
        .unwrap_or_default()
        .min((1 << 48) - 1);
    uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_is_as_wide_as_the_others() {
        let whole = DateTime::UNIX_EPOCH;
        assert_eq!(rfc3339(whole), "1970-01-01T00:00:00.000000Z");
        let part = whole + chrono::TimeDelta::milliseconds(120);
        assert_eq!(rfc3339(part), "1970-01-01T00:00:00.120000Z");
    }

    #[test]
    fn ids_sort_by_the_time_they_were_made() {
        let before = first_id(now());
        let id = new_id();
        assert!(before <= id && id < first_id(now() + chrono::TimeDelta::seconds(60)));
        assert_eq!(
            first_id(DateTime::UNIX_EPOCH - chrono::TimeDelta::days(1)),
            first_id(DateTime::UNIX_EPOCH)
        );
    }
}
