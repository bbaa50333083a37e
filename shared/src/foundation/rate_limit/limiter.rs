//! Rate limits by GCRA (generic cell rate algorithm): one timestamp per bucket is its whole state.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use redis::Script;

use super::{local::Local, quota::Quota};
use crate::foundation::{metrics::Counters, redis::Connection};

/// The decision about one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    pub allowed: bool,
    pub quota: Quota,
    /// Requests that would be allowed right now.
    pub remaining: u32,
    /// When a refused one would be allowed; zero if it was allowed.
    pub retry_after: Duration,
    /// When the whole burst is available again.
    pub reset_after: Duration,
}

/// Counts requests by bucket. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RateLimiter {
    enabled: bool,
    redis: Option<Connection>,
    local: Arc<Local>,
    refusals: Counters<1>,
}

/// What to do with a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Look,
    Count,
    GiveBack,
}

/// Arguments: period of one request and of the burst in milliseconds, and what to do: 1 counts one request, 0 only
/// checks, -1 gives one back. Returns how far the bucket's timestamp is ahead of now.
const GCRA: &str = "
local t = redis.call('TIME')
local now = t[1] * 1000 + t[2] / 1000
local step, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local ahead = math.max((tonumber(redis.call('GET', KEYS[1])) or now) - now, 0)
if ARGV[3] == '-1' then step = -step end
ahead = ahead + step
if ahead <= 0 then
  redis.call('DEL', KEYS[1])
  return '0'
end
if step > 0 and ahead > burst + 0.001 then return tostring(-ahead) end
if ARGV[3] ~= '0' then redis.call('SET', KEYS[1], string.format('%.3f', now + ahead), 'PX', math.ceil(ahead) + 1) end
return tostring(ahead)";

impl RateLimiter {
    /// `enabled` is [`super::RateLimits::enabled`]; without it everything is allowed.
    #[must_use]
    pub fn new(enabled: bool, redis: Option<&redis::Client>) -> Self {
        Self {
            enabled,
            redis: redis.and_then(|client| Connection::new(client).ok()),
            local: Arc::default(),
            refusals: Counters::default(),
        }
    }

    /// How many calls this process refused, by the bucket's name before the colon.
    #[must_use]
    pub fn refusals(&self) -> &Counters<1> {
        &self.refusals
    }

    /// The same limiter, also enforced when rate limits are off, for what must always be bounded.
    #[must_use]
    pub fn enforced(&self) -> Self {
        Self {
            enabled: true,
            ..self.clone()
        }
    }

    #[must_use]
    pub fn enabled(&self) -> bool {
        self.enabled
    }

    /// Counts one request in this bucket, such as `login:203.0.113.9`: what is limited, a colon, and whose it is.
    pub async fn check(&self, bucket: &str, quota: Quota) -> Decision {
        self.ask(bucket, quota, Step::Count).await
    }

    /// [`Self::check`] in this process only, without a round trip, for limits against floods.
    #[must_use]
    pub fn check_here(&self, bucket: &str, quota: Quota) -> Decision {
        if !self.enabled {
            return decide(0.0, quota);
        }
        self.judge(bucket, quota, self.here(bucket, quota, Step::Count))
    }

    /// What [`Self::check`] would return, without counting.
    pub async fn peek(&self, bucket: &str, quota: Quota) -> Decision {
        self.ask(bucket, quota, Step::Look).await
    }

    /// Empties a bucket.
    pub async fn forget(&self, bucket: &str) {
        if let Some(connection) = &self.redis {
            let (mut call, mut lease) = (redis::cmd("DEL"), connection.lease());
            let forgotten: Result<(), _> = call
                .arg(format!("usher:limit:{bucket}"))
                .query_async(&mut lease.manager)
                .await;
            connection.note(&lease, &forgotten);
            if let Err(error) = forgotten {
                tracing::warn!(%error, "a rate limit could not be cleared");
            }
        }
        self.local.remove(bucket);
    }

    pub(super) async fn ask(&self, bucket: &str, quota: Quota, what: Step) -> Decision {
        if !self.enabled {
            return decide(0.0, quota);
        }
        let ahead = match &self.redis {
            Some(connection) => {
                let key = format!("usher:limit:{bucket}");
                let script = Script::new(GCRA);
                let mut call = script.key(key);
                let word = match what {
                    Step::Look => 0,
                    Step::Count => 1,
                    Step::GiveBack => -1,
                };
                let call = call.arg(step(quota)).arg(millis(quota)).arg(word);
                let mut lease = connection.lease();
                let answer: Result<String, _> = call.invoke_async(&mut lease.manager).await;
                connection.note(&lease, &answer);
                answer
                    .ok()
                    .and_then(|text| text.parse().ok())
                    .unwrap_or_else(|| self.here(bucket, quota, what))
            }
            None => self.here(bucket, quota, what),
        };
        self.judge(bucket, quota, ahead)
    }

    fn judge(&self, bucket: &str, quota: Quota, ahead: f64) -> Decision {
        let decision = decide(ahead, quota);
        if !decision.allowed {
            let limit = bucket.split(':').next().unwrap_or_default().to_owned();
            self.refusals.get_or_create(&[("limit", limit.into())]).inc();
        }
        decision
    }

    /// How far the bucket's timestamp is then ahead of now, in milliseconds; negative if refused.
    fn here(&self, bucket: &str, quota: Quota, what: Step) -> f64 {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs_f64()
            * 1_000.0;
        self.local.change(bucket, now, |until| {
            let ahead = until.map_or(0.0, |until| (until - now).max(0.0));
            if what == Step::GiveBack {
                let left = ahead - step(quota);
                return (left.max(0.0), (left > 0.0).then_some(now + left));
            }
            let ahead = ahead + step(quota);
            if ahead > millis(quota) + 0.001 {
                return (-ahead, until);
            }
            let counts = what == Step::Count;
            (ahead, if counts { Some(now + ahead) } else { until })
        })
    }
}

fn millis(quota: Quota) -> f64 {
    quota.period.as_secs_f64() * 1_000.0
}

fn step(quota: Quota) -> f64 {
    millis(quota) / f64::from(quota.burst.max(1))
}

fn decide(ahead: f64, quota: Quota) -> Decision {
    let (step, burst) = (step(quota), millis(quota));
    let allowed = ahead >= 0.0;
    // A refused request was not counted.
    let level = if allowed { ahead } else { -ahead - step };
    let duration = |millis: f64| Duration::from_secs_f64(millis.max(0.0) / 1_000.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to burst")]
    let remaining = ((burst - level + 0.001) / step).floor().max(0.0) as u32;
    Decision {
        allowed,
        quota,
        remaining,
        retry_after: if allowed {
            Duration::ZERO
        } else {
            duration(-ahead - burst)
        },
        reset_after: duration(level),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_burst_is_allowed_and_then_refused_with_the_time_to_wait() {
        let limiter = RateLimiter::new(true, None);
        let quota = Quota::per_minute(5);
        for left in (0..5).rev() {
            let decision = limiter.check("login:a", quota).await;
            assert!(decision.allowed);
            assert_eq!(decision.remaining, left);
        }
        let refused = limiter.check("login:a", quota).await;
        assert!(!refused.allowed);
        assert!((11..=12).contains(&refused.retry_after.as_secs()), "{refused:?}");
        assert!(limiter.check("login:b", quota).await.allowed, "buckets are apart");
    }

    #[tokio::test]
    async fn looking_does_not_count() {
        let limiter = RateLimiter::new(true, None);
        let quota = Quota::per_hour(1);
        for _ in 0..3 {
            assert!(limiter.peek("x", quota).await.allowed);
        }
        assert!(limiter.check("x", quota).await.allowed);
        assert!(!limiter.peek("x", quota).await.allowed);
    }

    #[tokio::test]
    async fn switched_off_it_allows_everything() {
        let limiter = RateLimiter::new(false, None);
        for _ in 0..20 {
            assert!(limiter.check("x", Quota::per_hour(1)).await.allowed);
        }
    }
}
