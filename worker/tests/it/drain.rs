//! The stop: what runs may finish, what does not goes back as if it had never been taken.

use std::time::{Duration, Instant};

use sea_orm::EntityTrait;
use usher_shared::foundation::entity::{job::JobState, worker};
use usher_testkit::{TestDb, eventually, on_both};
use usher_worker::{JobContext, Options, Registry};

use crate::test_worker::{PATIENCE, Probe, QUICK, TestWorker};

/// Probes from this number on take two seconds.
const SLOW: i64 = 100;

#[on_both]
async fn running_jobs_finish_and_waiting_ones_go_back_uncounted(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    let registry = Registry::new().register::<Probe>(QUICK, async |job: Probe, _: JobContext| {
        tokio::time::sleep(Duration::from_secs(u64::from(job.number >= SLOW) * 2)).await;
        Ok(())
    });
    let worker = test.start_with(
        registry,
        Options {
            concurrency: 2,
            ..Options::default()
        },
    );
    // Quick jobs first: only then is one claimed ahead of the two that run.
    for number in 0..40 {
        let id = test.enqueue(Probe { number }).await;
        if number == 39 {
            test.reaches(id, JobState::Done).await;
        }
    }
    let mut ids = Vec::new();
    for number in SLOW..SLOW + 5 {
        ids.push(test.enqueue(Probe { number }).await);
    }
    eventually(PATIENCE, "two run and one is claimed ahead of them", async || {
        (test.count(&ids, JobState::Running).await == 3).then_some(())
    })
    .await;
    eventually(PATIENCE, "the worker is listed", async || {
        let workers = worker::Entity::find().all(&test.context.db).await.unwrap();
        (workers.len() == 1).then_some(())
    })
    .await;
    worker.stop().await;
    assert_eq!(
        (
            test.count(&ids, JobState::Done).await,
            test.count(&ids, JobState::Ready).await
        ),
        (2, 3)
    );
    for id in ids {
        let job = test.job(id).await;
        if job.state == JobState::Ready {
            assert_eq!((job.attempt, job.crashes, job.lease_token), (0, 0, None), "{job:?}");
        }
    }
    assert!(worker::Entity::find().all(&test.context.db).await.unwrap().is_empty());
}

#[on_both]
async fn a_job_that_does_not_finish_in_time_goes_back_uncounted(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    let registry = Registry::new().register::<Probe>(QUICK, async |_, _: JobContext| {
        std::future::pending::<()>().await;
        Ok(())
    });
    let worker = test.start_with(
        registry,
        Options {
            drain: Duration::from_secs(1),
            ..Options::default()
        },
    );
    let id = test.enqueue(Probe { number: 1 }).await;
    test.reaches(id, JobState::Running).await;
    let asked = Instant::now();
    worker.stop().await;
    assert!(asked.elapsed() >= Duration::from_secs(1), "{:?}", asked.elapsed());
    let job = test.job(id).await;
    assert_eq!((job.state, job.attempt, job.epoch), (JobState::Ready, 0, 1));
    assert!(test.attempts(id).await.is_empty());
}
