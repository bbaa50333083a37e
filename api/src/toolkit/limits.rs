//! How often a caller may call.

use std::net::IpAddr;

use sea_orm::ConnectionTrait;
use usher_shared::{
    accounts::{sessions, users::NOBODY},
    foundation::{
        entity::api_key,
        rate_limit::{
            Attempt, Decision, Guesser, Policy, Quota,
            bucket::{self, digest, network},
        },
    },
};

use super::{
    error::ApiError,
    remaining::{Remaining, whole_seconds},
    request::RequestContext,
    state::Toolkit,
};

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
        Self::new(Policy::LogIn, bucket::log_ins(address))
    }

    pub(crate) fn of_refreshes(address: IpAddr) -> Self {
        Self::new(Policy::Refresh, format!("refresh:{}", network(address)))
    }

    /// Of this mailbox, whether it has an account or not.
    pub(crate) fn of_mails(email_key: &str) -> Self {
        Self::new(Policy::Mail, format!("mail:{}", digest(email_key)))
    }

    pub(crate) fn of_mail_requests(address: IpAddr) -> Self {
        Self::new(Policy::MailRequests, format!("mail_requests:{}", network(address)))
    }

    pub(crate) fn of_mailed_tokens(address: IpAddr) -> Self {
        Self::new(Policy::MailedToken, format!("mailed_token:{}", network(address)))
    }

    fn quota(&self, toolkit: &Toolkit) -> Quota {
        self.own
            .unwrap_or_else(|| toolkit.config.rate_limits.quota(self.policy))
    }

    /// Counts one call and notes what is left. The error is for the caller who has none.
    pub(crate) async fn charge(self, toolkit: &Toolkit, context: &RequestContext) -> Result<(), ApiError> {
        if !toolkit.limiter.enabled() {
            return Ok(());
        }
        let decision = toolkit.limiter.check(&self.bucket, self.quota(toolkit)).await;
        context.remaining.get_or_init(|| Remaining {
            policy: self.policy.name(),
            decision,
        });
        judge(decision)
    }
}

/// Counts an unauthenticated request when its body is about to be read, once. Known callers have limits of their own.
pub(crate) fn admit_stranger(context: &RequestContext) -> Result<(), ApiError> {
    let (toolkit, policy) = (&context.toolkit, Policy::Anonymous);
    if context.caller.get().is_some() || context.is_admitted.set(()).is_err() || !toolkit.limiter.enabled() {
        return Ok(());
    }
    let bucket = bucket::anonymous(context.address);
    // A flood is kept away by each process alone: it is not worth a round trip.
    let decision = toolkit
        .limiter
        .check_here(&bucket, toolkit.config.rate_limits.quota(policy));
    if !decision.allowed {
        let policy = policy.name();
        context.remaining.get_or_init(|| Remaining { policy, decision });
    }
    judge(decision)
}

/// Counts an attempt at the account's password before it is looked at.
pub(crate) async fn try_password(toolkit: &Toolkit, guesser: Guesser<'_>) -> Result<Attempt, ApiError> {
    let attempt = toolkit.limiter.try_password(&toolkit.config.rate_limits, guesser).await;
    attempt.map_err(refused)
}

/// Counts an attempt at a code of the account before it is looked at.
pub(crate) async fn try_code(toolkit: &Toolkit, guesser: Guesser<'_>, user_id: i64) -> Result<Attempt, ApiError> {
    let attempt = toolkit
        .limiter
        .try_code(&toolkit.config.rate_limits, guesser, user_id)
        .await;
    attempt.map_err(refused)
}

/// Who tries to log in: a client at an address that the account knows, or a stranger. Runs as many statements if there
/// is no account.
pub(crate) async fn guesser<'a>(
    conn: &impl ConnectionTrait,
    context: &RequestContext,
    email_key: &'a str,
    user_id: Option<i64>,
) -> Result<Guesser<'a>, ApiError> {
    let user_id = user_id.unwrap_or(NOBODY);
    match sessions::is_known_address(conn, user_id, context.address).await? {
        true => Ok(Guesser::Neighbour { user_id }),
        false => Ok(Guesser::Stranger { email_key }),
    }
}

fn judge(decision: Decision) -> Result<(), ApiError> {
    if decision.allowed {
        Ok(())
    } else {
        Err(refused(decision))
    }
}

fn refused(decision: Decision) -> ApiError {
    let retry_after = whole_seconds(decision.retry_after).max(1);
    ApiError::RateLimited { retry_after }
}
