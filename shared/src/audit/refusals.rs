//! Refusals in the audit log: failed sign-ins, and attempts at what isn't allowed. The caller decides how often they
//! happen, so the log records them at a limited rate.

use sea_orm::{ConnectionTrait, DbErr};

use super::{
    actor::Actor,
    record::{Entry, record},
};
use crate::foundation::rate_limit::{Quota, RateLimiter};

/// Rows about one person or network: six at once, then one every ten seconds.
const OF_ONE: Quota = Quota::per_minute(6);
/// Rows in total, so that thousands of addresses don't fill the disk.
const OF_ALL: Quota = Quota::per_minute(60);

/// Records a refusal, unless there were too many lately from `whose`, such as `user:7` or a network, or in total. The
/// rate limits' own metric counts the omitted ones as `audit_refusals`. This limit also applies when rate limits are
/// off. Returns whether there is a row.
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
