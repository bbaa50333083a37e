//! Redis may go and come back at any time.

use std::time::{Duration, Instant};

use usher_shared::{foundation::entity::job::JobState, jobs};
use usher_testkit::{Redis, TestDb, eventually, on_both};
use usher_worker::{JobContext, Registry};

use crate::test_worker::{PATIENCE, Probe, QUICK, TestWorker};

fn registry() -> Registry {
    Registry::new().register::<Probe>(QUICK, async |_, _: JobContext| Ok(()))
}

#[on_both]
async fn jobs_run_while_redis_is_away_and_fast_again_when_it_is_back(db: TestDb) {
    let mut redis = Redis::start().await;
    let test = TestWorker::with(db, &[("REDIS_URL", &redis.url())], false).await;
    let worker = test.start(registry());
    let first = test.enqueue(Probe { number: 1 }).await;
    test.reaches(first, JobState::Done).await;

    redis.stop();
    let meanwhile = test.enqueue(Probe { number: 2 }).await;
    test.reaches(meanwhile, JobState::Done).await;

    redis.start_again().await;
    eventually(PATIENCE, "jobs start at once again", async || {
        let asked = Instant::now();
        let id = test.enqueue(Probe { number: 3 }).await;
        test.reaches(id, JobState::Done).await;
        (asked.elapsed() < Duration::from_millis(150)).then_some(())
    })
    .await;
    assert!(!worker.is_over());
    worker.stop().await;
}

#[on_both]
async fn jobs_whose_hints_redis_forgot_are_found_in_the_ledger(db: TestDb) {
    let redis = Redis::start().await;
    let test = TestWorker::with(db, &[("REDIS_URL", &redis.url())], false).await;
    let mut ids = Vec::new();
    for number in 0..20 {
        ids.push(test.enqueue(Probe { number }).await);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    redis.flush().await;
    let worker = test.start(registry());
    for id in ids {
        test.reaches(id, JobState::Done).await;
    }
    worker.stop().await;
}

#[on_both]
async fn a_worker_starts_while_redis_is_away(db: TestDb) {
    let mut redis = Redis::start().await;
    redis.stop();
    let test = TestWorker::with(db, &[("REDIS_URL", &redis.url())], false).await;
    let worker = test.start(registry());
    let id = test.enqueue(Probe { number: 1 }).await;
    test.reaches(id, JobState::Done).await;
    worker.stop().await;
}

#[on_both]
async fn a_delayed_job_waits_for_its_time(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    let worker = test.start(registry());
    let due = usher_shared::foundation::time::now() + chrono::Duration::seconds(3);
    let id = test
        .enqueue_with(Probe { number: 1 }, jobs::EnqueueOptions::at(due))
        .await;
    let job = test.reaches(id, JobState::Done).await;
    worker.stop().await;
    assert!(job.started_at.unwrap() >= due, "{job:?}");
}
