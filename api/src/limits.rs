//! How often a caller may call, and how it learns what is left (draft-ietf-httpapi-ratelimit-headers-10).

use std::{net::IpAddr, time::Duration};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use usher_shared::{
    entity::api_key,
    rate_limit::{
        Decision, Policy, Quota,
        bucket::{api_failures, digest, network},
    },
};

use crate::{error::ApiError, request::RequestContext, state::AppState};

/// Something that is limited.
pub(crate) struct Limit {
    policy: Policy,
    bucket: String,
    /// Instead of the policy's.
    own: Option<Quota>,
}

impl Limit {
    fn new(policy: Policy, bucket: String) -> Self {
        let own = None;
        Self { policy, bucket, own }
    }

    pub(crate) fn of_key(key: &api_key::Model) -> Self {
        let own = key.requests_per_minute.and_then(|own| u32::try_from(own).ok());
        Self {
            own: own.map(Quota::per_minute),
            ..Self::new(Policy::Key, format!("api_key:{}", key.id))
        }
    }

    pub(crate) fn of_user(id: i64) -> Self {
        Self::new(Policy::User, format!("user:{id}"))
    }

    pub(crate) fn of_sign_ups(address: IpAddr) -> Self {
        Self::new(Policy::SignUp, format!("sign_up:{}", network(address)))
    }

    pub(crate) fn of_passwords(address: IpAddr) -> Self {
        Self::new(Policy::SetPassword, format!("set_password:{}", network(address)))
    }

    pub(crate) fn of_log_ins(address: IpAddr) -> Self {
        Self::new(Policy::LogIn, format!("log_in:{}", network(address)))
    }

    /// Of the account with this address, whether there is one or not.
    pub(crate) fn of_failures(email_key: &str) -> Self {
        Self::new(Policy::LogInFailures, api_failures(email_key))
    }

    pub(crate) fn of_refreshes(address: IpAddr) -> Self {
        Self::new(Policy::Refresh, format!("refresh:{}", network(address)))
    }

    /// Of the mailbox with this address, whether somebody here has it or not.
    pub(crate) fn of_mails(email_key: &str) -> Self {
        Self::new(Policy::Mail, format!("mail:{}", digest(email_key)))
    }

    pub(crate) fn of_mail_requests(address: IpAddr) -> Self {
        Self::new(Policy::MailRequests, format!("mail_requests:{}", network(address)))
    }

    pub(crate) fn of_mailed_tokens(address: IpAddr) -> Self {
        Self::new(Policy::MailedToken, format!("mailed_token:{}", network(address)))
    }

    fn quota(&self, state: &AppState) -> Quota {
        self.own.unwrap_or_else(|| state.config.rate_limits.quota(self.policy))
    }

    /// What [`Limit::charge`] would say, without counting: for limits on failures, which are counted once they happen.
    pub(crate) async fn peek(&self, state: &AppState) -> Result<(), ApiError> {
        judge(state.limiter.peek(&self.bucket, self.quota(state)).await)
    }

    /// Counts a failure; the next call learns of it.
    pub(crate) async fn count(&self, state: &AppState) {
        state.limiter.check(&self.bucket, self.quota(state)).await;
    }

    /// Counts one call and notes what is left. The error is for the caller who has none.
    pub(crate) async fn charge(self, state: &AppState, context: &RequestContext) -> Result<(), ApiError> {
        if !state.limiter.enabled() {
            return Ok(());
        }
        let decision = state.limiter.check(&self.bucket, self.quota(state)).await;
        context.standing.get_or_init(|| Standing {
            policy: self.policy.name(),
            decision,
        });
        judge(decision)
    }
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
