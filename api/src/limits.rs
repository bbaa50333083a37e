//! How often a caller may call, and how it learns what is left (draft-ietf-httpapi-ratelimit-headers-10).

use std::{net::IpAddr, time::Duration};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use usher_shared::{
    entity::api_key,
    rate_limit::{Decision, Quota},
};

use crate::{error::ApiError, request::RequestContext, state::AppState};

/// Requests a minute of a key that has no limit of its own.
const KEY_PER_MINUTE: u32 = 600;
/// Sign-ups an hour from one address without a credential.
const SIGN_UPS_PER_HOUR: u32 = 10;
/// Passwords sent an hour from one address to the hosted page.
const PASSWORDS_PER_HOUR: u32 = 20;

/// Something that is limited.
pub(crate) struct Limit {
    policy: &'static str,
    bucket: String,
    quota: Quota,
}

impl Limit {
    pub(crate) fn of_key(key: &api_key::Model) -> Self {
        let own = key.requests_per_minute.and_then(|own| u32::try_from(own).ok());
        let quota = Quota::per_minute(own.unwrap_or(KEY_PER_MINUTE));
        Self {
            policy: "key",
            bucket: format!("api_key:{}", key.id),
            quota,
        }
    }

    pub(crate) fn of_sign_ups(address: IpAddr) -> Self {
        let quota = Quota::per_hour(SIGN_UPS_PER_HOUR);
        Self {
            policy: "sign-up",
            bucket: format!("sign_up:{}", network(address)),
            quota,
        }
    }

    pub(crate) fn of_passwords(address: IpAddr) -> Self {
        let quota = Quota::per_hour(PASSWORDS_PER_HOUR);
        Self {
            policy: "set-password",
            bucket: format!("set_password:{}", network(address)),
            quota,
        }
    }

    /// Counts one call and notes what is left. The error is for the caller who has none.
    pub(crate) async fn charge(self, state: &AppState, context: &RequestContext) -> Result<(), ApiError> {
        if !state.limiter.enabled() {
            return Ok(());
        }
        let decision = state.limiter.check(&self.bucket, self.quota).await;
        context.standing.get_or_init(|| Standing {
            policy: self.policy,
            decision,
        });
        if decision.allowed {
            Ok(())
        } else {
            Err(ApiError::RateLimited {
                retry_after: seconds(decision.retry_after).max(1),
            })
        }
    }
}

/// Who has an IPv6 address has at least a /64 of them.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
    }
}

/// What is left of a limit after this request.
pub(crate) struct Standing {
    policy: &'static str,
    decision: Decision,
}

impl Standing {
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let Self { policy, decision } = self;
        let quota = decision.quota;
        let policy_line = format!("\"{policy}\";q={};w={}", quota.burst, quota.period.as_secs());
        let line = format!(
            "\"{policy}\";r={};t={}",
            decision.remaining,
            seconds(decision.reset_after)
        );
        for (name, value) in [("ratelimit-policy", policy_line), ("ratelimit", line)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}

/// Whole seconds, rounded up: who waits as long is not refused again.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}
