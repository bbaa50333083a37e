//! How often a caller may call, and how it learns what is left (draft-ietf-httpapi-ratelimit-headers-10).

use std::{net::IpAddr, time::Duration};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use usher_shared::{
    crypto::sha256,
    entity::api_key,
    rate_limit::{Decision, Quota},
};

use crate::{error::ApiError, request::RequestContext, state::AppState};

/// Requests a minute of a key that has no limit of its own.
const KEY_PER_MINUTE: u32 = 600;
/// Requests a minute of one person, in all their sessions together.
const USER_PER_MINUTE: u32 = 600;
/// Sign-ups an hour from one address without a credential.
const SIGN_UPS_PER_HOUR: u32 = 10;
/// Passwords sent an hour from one address to the hosted page.
const PASSWORDS_PER_HOUR: u32 = 20;

/// Log-ins a minute from one address.
const LOG_INS_PER_MINUTE: u32 = 5;
/// Wrong passwords and codes an hour for one account, from wherever.
const FAILURES_PER_HOUR: u32 = 20;
/// Refreshes a minute from one address, behind which many may sit.
const REFRESHES_PER_MINUTE: u32 = 120;
/// Mails to one mailbox that anybody can ask for: three, then one an hour.
const MAILS: Quota = Quota {
    burst: 3,
    period: Duration::from_secs(3 * 3_600),
};
/// Mails that are asked for from one address, to whichever mailboxes.
const MAIL_REQUESTS_PER_HOUR: u32 = 30;
/// Tokens of mails shown from one address.
const MAILED_TOKENS_PER_MINUTE: u32 = 30;

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

    pub(crate) fn of_user(id: i64) -> Self {
        Self {
            policy: "user",
            bucket: format!("user:{id}"),
            quota: Quota::per_minute(USER_PER_MINUTE),
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

    pub(crate) fn of_log_ins(address: IpAddr) -> Self {
        Self {
            policy: "log-in",
            bucket: format!("log_in:{}", network(address)),
            quota: Quota::per_minute(LOG_INS_PER_MINUTE),
        }
    }

    /// Of the account with this address, whether there is one or not.
    pub(crate) fn of_failures(email_key: &str) -> Self {
        Self {
            policy: "log-in-failures",
            bucket: format!("log_in_failures:{}", digest(email_key)),
            quota: Quota::per_hour(FAILURES_PER_HOUR),
        }
    }

    pub(crate) fn of_refreshes(address: IpAddr) -> Self {
        Self {
            policy: "refresh",
            bucket: format!("refresh:{}", network(address)),
            quota: Quota::per_minute(REFRESHES_PER_MINUTE),
        }
    }

    /// Of the mailbox with this address, whether somebody here has it or not.
    pub(crate) fn of_mails(email_key: &str) -> Self {
        Self {
            policy: "mail",
            bucket: format!("mail:{}", digest(email_key)),
            quota: MAILS,
        }
    }

    pub(crate) fn of_mail_requests(address: IpAddr) -> Self {
        Self {
            policy: "mail-requests",
            bucket: format!("mail_requests:{}", network(address)),
            quota: Quota::per_hour(MAIL_REQUESTS_PER_HOUR),
        }
    }

    pub(crate) fn of_mailed_tokens(address: IpAddr) -> Self {
        Self {
            policy: "mailed-token",
            bucket: format!("mailed_token:{}", network(address)),
            quota: Quota::per_minute(MAILED_TOKENS_PER_MINUTE),
        }
    }

    /// What [`Limit::charge`] would say, without counting: for limits on failures, which are counted once they happen.
    pub(crate) async fn peek(&self, state: &AppState) -> Result<(), ApiError> {
        judge(state.limiter.peek(&self.bucket, self.quota).await)
    }

    /// Counts a failure; the next call learns of it.
    pub(crate) async fn count(&self, state: &AppState) {
        state.limiter.check(&self.bucket, self.quota).await;
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
        judge(decision)
    }
}

/// A name for an address that is short, however long the address, and tells nobody who reads Redis.
fn digest(email_key: &str) -> String {
    let hash = sha256(email_key.as_bytes());
    hash[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn judge(decision: Decision) -> Result<(), ApiError> {
    if decision.allowed {
        Ok(())
    } else {
        Err(ApiError::RateLimited {
            retry_after: seconds(decision.retry_after).max(1),
        })
    }
}

/// Who has an IPv6 address has at least a /64 of them.
pub(crate) fn network(address: IpAddr) -> IpAddr {
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
