//! How a caller learns what is left of its limit (draft-ietf-httpapi-ratelimit-headers-10).

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use usher_shared::foundation::rate_limit::Decision;

/// What is left of a limit after this request.
pub(crate) struct Remaining {
    pub(super) policy: &'static str,
    pub(super) decision: Decision,
}

impl Remaining {
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let Self { policy, decision } = self;
        let quota = decision.quota;
        let policy_line = format!("\"{policy}\";q={};w={}", quota.burst, quota.period.as_secs());
        let line = format!(
            "\"{policy}\";r={};t={}",
            decision.remaining,
            whole_seconds(decision.reset_after)
        );
        for (name, value) in [("ratelimit-policy", policy_line), ("ratelimit", line)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}

/// Whole seconds, rounded up: who waits as long is not refused again.
pub(super) fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}
