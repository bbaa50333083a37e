//! Limits that several processes share through Redis.

use std::time::Duration;

use usher_shared::rate_limit::{Quota, RateLimiter};
use usher_testkit::Redis;

#[tokio::test]
async fn processes_share_a_bucket_through_redis_and_count_alone_without_it() {
    let mut redis = Redis::start().await;
    let client = redis::Client::open(redis.url()).unwrap();
    let (one, other) = (
        RateLimiter::new(true, Some(&client)),
        RateLimiter::new(true, Some(&client)),
    );
    let quota = Quota::per_minute(4);
    assert!(one.peek("login:a", quota).await.allowed, "looking does not count");
    for (left, limiter) in [(3, &one), (2, &other), (1, &one), (0, &other)] {
        let decision = limiter.check("login:a", quota).await;
        assert!(decision.allowed);
        assert_eq!(decision.remaining, left);
    }
    let refused = one.check("login:a", quota).await;
    assert!(!refused.allowed);
    assert!((14..=15).contains(&refused.retry_after.as_secs()), "{refused:?}");
    assert!(one.check("login:b", quota).await.allowed);

    redis.stop();
    for _ in 0..4 {
        assert!(one.check("login:c", quota).await.allowed);
    }
    assert!(
        !one.check("login:c", quota).await.allowed,
        "still limited, by this process alone"
    );
}

#[tokio::test]
async fn a_bucket_fills_again_with_time() {
    let redis = Redis::start().await;
    let client = redis::Client::open(redis.url()).unwrap();
    for limiter in [RateLimiter::new(true, Some(&client)), RateLimiter::new(true, None)] {
        let quota = Quota {
            burst: 2,
            period: Duration::from_millis(400),
        };
        assert!(limiter.check("x", quota).await.allowed && limiter.check("x", quota).await.allowed);
        assert!(!limiter.check("x", quota).await.allowed);
        tokio::time::sleep(Duration::from_millis(250)).await;
        assert!(limiter.check("x", quota).await.allowed);
    }
}
