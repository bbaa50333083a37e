//! From a commit to a handler, on every transport.

use std::time::{Duration, Instant};

use usher_shared::{foundation::entity::job::JobState, jobs};
use usher_testkit::{Redis, TestDb, eventually, on_both};
use usher_worker::Registry;

use crate::test_worker::{Notes, PATIENCE, Probe, QUICK, TestWorker};

/// How long each of them waited, the shortest first.
async fn thirty_jobs_run_once_each(test: &TestWorker) -> Vec<Duration> {
    let notes = Notes::default();
    let seen = notes.clone();
    let worker = test.start(Registry::new().register::<Probe>(QUICK, move |job: Probe, _| {
        seen.add((job.number, Instant::now()));
        async { Ok(()) }
    }));
    let mut enqueued = Vec::new();
    for number in 0..30 {
        enqueued.push((test.enqueue(Probe { number }).await, Instant::now()));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for (id, _) in &enqueued {
        let job = test.reaches(*id, JobState::Done).await;
        assert_eq!(
            (job.attempt, job.crashes, job.lease_token, job.last_error),
            (1, 0, None, None)
        );
        assert!(job.started_at.is_some() && job.finished_at >= job.started_at);
    }
    worker.stop().await;
    let mut notes = notes.all();
    notes.sort_unstable();
    assert_eq!(
        notes.iter().map(|(number, _)| *number).collect::<Vec<_>>(),
        (0..30).collect::<Vec<_>>()
    );
    let mut latencies: Vec<_> = notes
        .iter()
        .zip(&enqueued)
        .map(|((_, started), (_, committed))| started.saturating_duration_since(*committed))
        .collect();
    latencies.sort_unstable();
    latencies
}

/// Where wake-ups do their work, most jobs of a round start within milliseconds; by the jobs table alone it takes a
/// second. A busy machine has some rounds to show it.
async fn most_start_by_their_hints(test: &TestWorker) {
    eventually(PATIENCE * 3, "most start by their wake_ups", async || {
        (thirty_jobs_run_once_each(test).await[15] < Duration::from_millis(100)).then_some(())
    })
    .await;
}

#[on_both]
async fn in_one_process_a_job_starts_within_milliseconds_of_its_commit(db: TestDb) {
    most_start_by_their_hints(&TestWorker::embedded(db).await).await;
}

#[on_both]
async fn over_redis_a_job_starts_within_milliseconds_of_its_commit(db: TestDb) {
    let redis = Redis::start().await;
    most_start_by_their_hints(&TestWorker::with(db, &[("REDIS_URL", &redis.url())], false).await).await;
}

#[on_both]
async fn without_a_queue_jobs_are_found_in_the_ledger(db: TestDb) {
    thirty_jobs_run_once_each(&TestWorker::with(db, &[], false).await).await;
}

#[on_both]
async fn a_job_of_a_rolled_back_transaction_never_was(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    let notes = Notes::default();
    let seen = notes.clone();
    let worker = test.start(Registry::new().register::<Probe>(QUICK, move |job: Probe, _| {
        seen.add(job.number);
        async { Ok(()) }
    }));
    let tx = test.context.job_store.begin().await.unwrap();
    jobs::enqueue(&tx, Probe { number: 1 }).await.unwrap();
    drop(tx);
    let kept = test.enqueue(Probe { number: 2 }).await;
    test.reaches(kept, JobState::Done).await;
    worker.stop().await;
    assert_eq!(notes.all(), [2]);
}

#[on_both]
async fn a_backlog_is_worked_off_in_batches_by_two_workers_without_a_double(db: TestDb) {
    let test = TestWorker::with(db, &[], false).await;
    let notes = Notes::default();
    let tx = test.context.job_store.begin().await.unwrap();
    for number in 0..300 {
        jobs::enqueue(&tx, Probe { number }).await.unwrap();
    }
    tx.commit().await.unwrap();
    let seen = notes.clone();
    let registry = Registry::new().register::<Probe>(QUICK, move |job: Probe, _| {
        seen.add(job.number);
        async { Ok(()) }
    });
    let workers = [test.start(registry.clone()), test.start(registry)];
    eventually(PATIENCE, "300 jobs run", async || (notes.count() >= 300).then_some(())).await;
    for worker in workers {
        worker.stop().await;
    }
    let mut notes = notes.all();
    notes.sort_unstable();
    assert_eq!(notes, (0..300).collect::<Vec<_>>());
}
