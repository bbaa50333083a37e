//! How much is allowed in which time.

use std::time::Duration;

/// `burst` requests at once, then one every `period / burst`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    pub burst: u32,
    pub period: Duration,
}

impl Quota {
    #[must_use]
    pub const fn per_minute(burst: u32) -> Self {
        Self {
            burst,
            period: Duration::from_secs(60),
        }
    }

    #[must_use]
    pub const fn per_hour(burst: u32) -> Self {
        Self {
            burst,
            period: Duration::from_secs(3_600),
        }
    }
}
