//! The one clock of the house.

use chrono::{DateTime, SubsecRound, Utc};

/// The time now, in whole microseconds: what PostgreSQL keeps, so that a value read back equals the one written.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that asks the clock")]
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}
