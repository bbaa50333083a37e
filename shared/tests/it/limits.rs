//! Queues with limits over all workers.

use std::time::Duration;

use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait};
use usher_shared::{
    foundation::{entity::job_queue, time::now},
    jobs::{EnqueueOptions, JobStore, WakeUp},
};
use usher_testkit::{TestDb, on_both};

use crate::fixtures::{LEASE, add, claim_due, job_store, queues, read};

async fn limit(job_store: &JobStore, max_running: Option<i32>, starts_per_minute: Option<i32>) {
    let row = job_queue::ActiveModel {
        name: Set("notes".to_owned()),
        max_running: Set(max_running),
        starts_per_minute: Set(starts_per_minute),
        ..Default::default()
    };
    job_queue::Entity::insert(row)
        .exec_without_returning(job_store.db())
        .await
        .unwrap();
}

async fn claim(job_store: &JobStore, max: usize, lease: Duration) -> usize {
    job_store.claim_limited("notes", max, "w", lease).await.unwrap().len()
}

#[on_both]
async fn no_more_jobs_run_at_once_than_a_queue_allows_however_many_workers_claim(db: TestDb) {
    let job_store = job_store(&db).await;
    limit(&job_store, Some(3), None).await;
    for _ in 0..10 {
        add(&job_store, EnqueueOptions::default()).await;
    }
    assert_eq!(job_store.limited(&queues()).await.unwrap(), queues());
    let claims = (0..8).map(|_| claim(&job_store, 2, LEASE));
    let claimed: usize = futures::future::join_all(claims).await.into_iter().sum();
    assert_eq!(claimed, 3);
    assert_eq!(claim(&job_store, 5, LEASE).await, 0);
    // A dead worker is not counted forever.
    job_store
        .db()
        .execute_unprepared("UPDATE jobs SET lease_until = '2026-01-01T00:00:00+00:00' WHERE state = 'running'")
        .await
        .unwrap();
    assert_eq!(claim(&job_store, 5, LEASE).await, 3);
}

#[on_both]
async fn a_queue_with_a_limit_is_passed_over_by_every_other_claim(db: TestDb) {
    let job_store = job_store(&db).await;
    limit(&job_store, Some(1), None).await;
    let id = add(&job_store, EnqueueOptions::default()).await.id();
    let wake_up = WakeUp::of(&read(&job_store, id).await);
    assert!(job_store.claim(&[wake_up], "w", LEASE).await.unwrap().is_empty());
    assert!(claim_due(&job_store, 10).await.is_empty());
    assert_eq!(claim(&job_store, 10, LEASE).await, 1);
    // A job whose worker was lost runs apart, within the limit.
    add(&job_store, EnqueueOptions::default()).await;
    job_store
        .db()
        .execute_unprepared("UPDATE jobs SET crashes = 1, next_dispatch_at = run_at WHERE state = 'ready'")
        .await
        .unwrap();
    assert!(job_store.claim_suspect(&queues(), "w", LEASE).await.unwrap().is_none());
    job_queue::Entity::delete_many().exec(job_store.db()).await.unwrap();
    assert!(job_store.claim_suspect(&queues(), "w", LEASE).await.unwrap().is_some());
}

#[on_both]
async fn starts_are_spread_over_the_minute_over_all_workers(db: TestDb) {
    let job_store = job_store(&db).await;
    limit(&job_store, None, Some(2)).await;
    for _ in 0..10 {
        add(&job_store, EnqueueOptions::default()).await;
    }
    let claims = (0..4).map(|_| claim(&job_store, 5, LEASE));
    let claimed: usize = futures::future::join_all(claims).await.into_iter().sum();
    assert_eq!(claimed, 1, "the next one may start half a minute later");
    // The minute before is over.
    let before = job_queue::ActiveModel {
        starts_per_minute: Set(Some(120)),
        started_through: Set(Some(now() - chrono::Duration::minutes(1))),
        ..Default::default()
    };
    job_queue::Entity::update_many()
        .set(before)
        .exec(job_store.db())
        .await
        .unwrap();
    assert_eq!(
        claim(&job_store, 10, LEASE).await,
        2,
        "a second's worth at once: what was not used is not saved up"
    );
}

#[on_both]
async fn a_paused_queue_with_a_limit_stands_still(db: TestDb) {
    let job_store = job_store(&db).await;
    limit(&job_store, Some(5), None).await;
    add(&job_store, EnqueueOptions::default()).await;
    let pause = job_queue::ActiveModel {
        paused_at: Set(Some(now())),
        ..Default::default()
    };
    job_queue::Entity::update_many()
        .set(pause)
        .exec(job_store.db())
        .await
        .unwrap();
    assert!(job_store.limited(&queues()).await.unwrap().is_empty());
    assert_eq!(claim(&job_store, 5, LEASE).await, 0);
}
