//! Limits that several processes share through Redis.

use std::time::Duration;

use futures::future::join_all;
use usher_shared::foundation::rate_limit::{Attempt, Guesser, Quota, RateLimiter, RateLimits};
use usher_testkit::{Proxy, Redis};

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

#[tokio::test]
async fn of_a_hundred_attempts_at_once_the_limit_passes_and_right_ones_are_given_back() {
    let redis = Redis::start().await;
    let client = redis::Client::open(redis.url()).unwrap();
    let limits = RateLimits::parse("log-in-failures=20/h, code-failures=30/h").unwrap();
    for limiter in [RateLimiter::new(true, Some(&client)), RateLimiter::new(true, None)] {
        let stranger = Guesser::Stranger {
            email_key: "ada@example.com",
        };
        let passed = async |guesser| {
            let attempts = join_all((0..100).map(|_| limiter.try_password(&limits, guesser))).await;
            attempts.into_iter().filter_map(Result::ok).collect::<Vec<_>>()
        };
        let attempts = passed(stranger).await;
        assert_eq!(attempts.len(), 20);
        join_all(attempts.into_iter().map(Attempt::succeeded)).await;
        assert_eq!(passed(stranger).await.len(), 20, "right ones do not count");
        assert_eq!(
            passed(Guesser::Known { user_id: 1 }).await.len(),
            20,
            "strangers do not count for who is known"
        );

        // A code counts twice, and one that the second count refuses is not left in the first.
        let (other, other_again) = (
            Guesser::Known { user_id: 2 },
            Guesser::Stranger {
                email_key: "bob@example.com",
            },
        );
        for _ in 0..20 {
            assert!(limiter.try_code(&limits, other, 2).await.is_ok());
        }
        for _ in 0..10 {
            assert!(limiter.try_code(&limits, other_again, 2).await.is_ok());
        }
        assert!(limiter.try_code(&limits, other_again, 2).await.is_err());
        assert_eq!(passed(other_again).await.len(), 10);
        limiter.forget_failures("bob@example.com", 2).await;
        assert!(
            limiter.try_code(&limits, other, 2).await.is_err(),
            "codes in a row go on"
        );
    }
}

#[tokio::test]
async fn a_connection_that_falls_silent_is_replaced() {
    let redis = Redis::start().await;
    let (network, url) = Proxy::instead_of(&redis.url());
    let client = redis::Client::open(url).unwrap();
    let (limiter, quota) = (RateLimiter::new(true, Some(&client)), Quota::per_hour(10));
    let remaining = async || limiter.check("login:a", quota).await.remaining;
    for left in [9, 8, 7] {
        assert_eq!(remaining().await, left);
    }
    network.strand();
    assert_eq!(remaining().await, 9, "counted by this process alone");
    assert_eq!(remaining().await, 6, "Redis counts again");
}
