//! Refusals in the audit log: that somebody was not let in, or tried what is not theirs. Whoever is refused chooses how
//! often, so they are written down no faster than a log can take for ever.

use sea_orm::{ConnectionTrait, DbErr};

use super::{
    actor::Actor,
    record::{Entry, record},
};
use crate::foundation::rate_limit::{Quota, RateLimiter};

/// Rows about one person or network: the first ones at once, then one every ten seconds.
const OF_ONE: Quota = Quota::per_minute(6);
/// Rows about all together: thousands of addresses fill no disk.
const OF_ALL: Quota = Quota::per_minute(60);

/// Writes down a refusal, unless there were many of late from `whose`, such as `user:7` or a network, or from everybody.
/// What is left out is counted by the limits' own metric, under `audit_refusals`. Limits that are off leave this one on.
/// Whether there is a row.
pub async fn record_refusal(
    limiter: &RateLimiter,
    conn: &impl ConnectionTrait,
    whose: &str,
    actor: &Actor,
    entry: Entry<'_>,
) -> Result<bool, DbErr> {
    let limiter = limiter.enforced();
    for (bucket, quota) in [(whose, OF_ONE), ("all", OF_ALL)] {
        if !limiter.check(&format!("audit_refusals:{bucket}"), quota).await.allowed {
            return Ok(false);
        }
    }
    record(conn, actor, entry).await?;
    Ok(true)
}
