//! What staff do to jobs.

use std::time::Duration;

use usher_shared::{
    foundation::{
        entity::{job::JobState, job_attempt::AttemptOutcome},
        time::now,
    },
    jobs::{EnqueueOptions, Failure, OperationError, cancel, retry, run_now},
};
use usher_testkit::{TestDb, on_both};
use uuid::Uuid;

use crate::fixtures::{LEASE, add, claimed, job_store, queues, read};

#[on_both]
async fn a_dead_job_is_retried_from_its_first_attempt(db: TestDb) {
    let job_store = job_store(&db).await;
    let job = claimed(&job_store, "w", LEASE).await;
    let _ = job_store
        .transport()
        .pop(&queues(), 10, Duration::from_millis(10))
        .await
        .unwrap();
    job_store
        .discard(
            &job,
            &Failure {
                outcome: AttemptOutcome::GaveUp,
                error: "no".to_owned(),
            },
        )
        .await
        .unwrap();
    let tx = job_store.begin().await.unwrap();
    retry(&tx, job.id).await.unwrap();
    tx.commit().await.unwrap();
    let again = read(&job_store, job.id).await;
    assert_eq!(
        (again.state, again.attempt, again.finished_at),
        (JobState::Ready, 0, None)
    );
    let wake_ups = job_store
        .transport()
        .pop(&queues(), 10, Duration::from_secs(1))
        .await
        .unwrap();
    assert_eq!(
        job_store.claim(&wake_ups, "w", LEASE).await.unwrap().len(),
        1,
        "it starts at once"
    );
}

#[on_both]
async fn only_finished_jobs_are_retried(db: TestDb) {
    let job_store = job_store(&db).await;
    let id = add(&job_store, EnqueueOptions::default()).await.id();
    let tx = job_store.begin().await.unwrap();
    assert!(matches!(
        retry(&tx, id).await,
        Err(OperationError::WrongState(JobState::Ready))
    ));
    assert!(matches!(
        retry(&tx, Uuid::now_v7()).await,
        Err(OperationError::NotFound)
    ));
}

#[on_both]
async fn a_retry_that_would_double_a_unique_job_is_refused(db: TestDb) {
    let job_store = job_store(&db).await;
    let first = add(&job_store, EnqueueOptions::default().unique("k")).await.id();
    let tx = job_store.begin().await.unwrap();
    cancel(&tx, first).await.unwrap();
    tx.commit().await.unwrap();
    add(&job_store, EnqueueOptions::default().unique("k")).await;
    let tx = job_store.begin().await.unwrap();
    assert!(matches!(retry(&tx, first).await, Err(OperationError::NotUnique)));
}

#[on_both]
async fn a_waiting_job_is_cancelled_and_a_running_one_is_asked_to_stop(db: TestDb) {
    let job_store = job_store(&db).await;
    let waiting = add(&job_store, EnqueueOptions::default()).await.id();
    let running = claimed(&job_store, "w", LEASE).await.id;
    let tx = job_store.begin().await.unwrap();
    cancel(&tx, waiting).await.unwrap();
    cancel(&tx, running).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(read(&job_store, waiting).await.state, JobState::Cancelled);
    assert!(read(&job_store, waiting).await.finished_at.is_some());
    let running = read(&job_store, running).await;
    assert_eq!(
        (running.state, running.cancel_requested, running.finished_at),
        (JobState::Running, true, None)
    );
}

#[on_both]
async fn a_delayed_job_can_be_run_now(db: TestDb) {
    let job_store = job_store(&db).await;
    let id = add(&job_store, EnqueueOptions::at(now() + chrono::Duration::days(1)))
        .await
        .id();
    let tx = job_store.begin().await.unwrap();
    run_now(&tx, id).await.unwrap();
    tx.commit().await.unwrap();
    let wake_ups = job_store
        .transport()
        .pop(&queues(), 10, Duration::from_secs(1))
        .await
        .unwrap();
    assert_eq!(job_store.claim(&wake_ups, "w", LEASE).await.unwrap().len(), 1);
}
