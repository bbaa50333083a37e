//! Wake-ups through real Redis: bounded, by priority, and back after an outage.

use std::time::Duration;

use usher_shared::jobs::{self, Transport, WakeUp};
use usher_testkit::{Redis, eventually};
use uuid::Uuid;

fn wake_ups(count: usize, priority: i16) -> Vec<WakeUp> {
    (0..count)
        .map(|_| WakeUp {
            id: Uuid::now_v7(),
            epoch: 3,
            queue: "notes".to_owned(),
            priority,
        })
        .collect()
}

const SECOND: Duration = Duration::from_secs(1);

async fn waits(transport: &dyn Transport, count: usize) {
    let seen = async || {
        transport
            .waiting("notes")
            .await
            .ok()
            .filter(|waiting| *waiting == count)
    };
    eventually(5 * SECOND, "the wake_ups wait in Redis", seen).await;
}

#[tokio::test]
async fn hints_arrive_whole_and_by_priority() {
    let redis = Redis::start().await;
    let client = redis::Client::open(redis.url()).unwrap();
    let transport = jobs::connect(Some(&client), false);
    let (low, high) = (wake_ups(3, 9), wake_ups(2, 1));
    transport.push(low.clone());
    transport.push(high.clone());
    waits(&*transport, 5).await;
    let queues = ["other".to_owned(), "notes".to_owned()];
    assert_eq!(transport.pop(&queues, 10, SECOND).await.unwrap(), high);
    assert_eq!(transport.pop(&queues, 2, SECOND).await.unwrap(), low[..2]);
    assert_eq!(transport.pop(&queues, 2, SECOND).await.unwrap(), low[2..]);
    assert!(
        transport
            .pop(&queues, 2, Duration::from_millis(50))
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn redis_holds_a_bounded_number_of_wake_ups() {
    let redis = Redis::start().await;
    let client = redis::Client::open(redis.url()).unwrap();
    let transport = jobs::connect(Some(&client), false);
    for _ in 0..30 {
        transport.push(wake_ups(1_000, 5));
    }
    waits(&*transport, 10_000).await;
    tokio::time::sleep(SECOND / 5).await;
    assert_eq!(transport.waiting("notes").await.unwrap(), 10_000);
}

#[tokio::test]
async fn an_outage_is_an_error_in_time_and_ends_by_itself() {
    let mut redis = Redis::start().await;
    let client = redis::Client::open(redis.url()).unwrap();
    let transport = jobs::connect(Some(&client), false);
    let queues = ["notes".to_owned()];
    transport.ping().await.unwrap();
    redis.stop();
    let began = std::time::Instant::now();
    let meanwhile = wake_ups(1, 5);
    transport.push(meanwhile.clone());
    assert!(transport.pop(&queues, 1, SECOND).await.is_err());
    assert!(transport.ping().await.is_err());
    assert!(began.elapsed() < 8 * SECOND, "{:?}", began.elapsed());
    redis.start_again().await;
    eventually(5 * SECOND, "Redis is back", async || transport.ping().await.ok()).await;
    let sent = wake_ups(1, 5);
    transport.push(sent.clone());
    let mut got = Vec::new();
    for _ in 0..5 {
        got.extend(transport.pop(&queues, 1, SECOND).await.unwrap_or_default());
    }
    // What was announced during the outage is tried once more, and may arrive or not.
    got.retain(|wake_up| !meanwhile.contains(wake_up));
    assert_eq!(got, sent);
}
