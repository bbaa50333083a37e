//! What lost its worker comes back, what waits is let go, and what has expired ends.

use std::time::Duration;

use usher_shared::{
    foundation::{
        entity::{job::JobState, job_attempt},
        time::now,
    },
    jobs::{self, Claim, CompleteError, EnqueueOptions, MAX_CRASHES},
};
use usher_testkit::{TestDb, on_both};

use crate::fixtures::{LEASE, add, claim_due, claimed, job_store, note, queues, read, wake_up};

const BLINK: Duration = Duration::from_millis(20);

#[on_both]
async fn a_lost_workers_job_comes_back_and_is_dead_after_the_third_crash(db: TestDb) {
    let job_store = job_store(&db).await;
    let mut job = claimed(&job_store, "w", BLINK).await;
    for crash in 1..=MAX_CRASHES {
        tokio::time::sleep(BLINK * 2).await;
        let swept = job_store.sweep().await.unwrap();
        let now = read(&job_store, job.id).await;
        assert_eq!(now.crashes, crash);
        let late = job_store.complete(job_store.db(), Claim::of(&job), None).await;
        assert!(matches!(late, Err(CompleteError::Lost)), "a late completion is fenced");
        if crash < MAX_CRASHES {
            assert_eq!((swept.recovered, now.state), (1, JobState::Ready));
            let wake_up = wake_up(&job_store, job.id).await;
            assert!(
                job_store.claim(&[wake_up], "w", BLINK).await.unwrap().is_empty(),
                "a suspect runs apart"
            );
            assert!(claim_due(&job_store, 9).await.is_empty());
            job = job_store.claim_suspect(&queues(), "w", BLINK).await.unwrap().unwrap();
        } else {
            assert_eq!((swept.ended, now.state), (1, JobState::Dead));
        }
    }
    use sea_orm::{EntityTrait, PaginatorTrait};
    assert_eq!(job_attempt::Entity::find().count(job_store.db()).await.unwrap(), 3);
}

#[on_both]
async fn suspects_are_claimed_one_by_one_and_cleared_by_an_attempt_that_ends(db: TestDb) {
    let job_store = job_store(&db).await;
    for _ in 0..3 {
        claimed(&job_store, "w", BLINK).await;
    }
    tokio::time::sleep(BLINK * 2).await;
    assert_eq!(job_store.sweep().await.unwrap().recovered, 3);
    let names = queues();
    let claims = (0..3).map(|_| job_store.claim_suspect(&names, "w", LEASE));
    let jobs: Vec<_> = futures::future::join_all(claims)
        .await
        .into_iter()
        .filter_map(Result::unwrap)
        .collect();
    assert!(!jobs.is_empty() && jobs.iter().all(|job| job.crashes == 1 && job.attempt == 2));
    assert!(
        job_store
            .claim_suspect(&["other".to_owned()], "w", LEASE)
            .await
            .unwrap()
            .is_none()
    );
    let failure = jobs::Failure {
        outcome: job_attempt::AttemptOutcome::Failed,
        error: "no".to_owned(),
    };
    job_store.retry(&jobs[0], &failure, Duration::ZERO).await.unwrap();
    assert_eq!(
        read(&job_store, jobs[0].id).await.crashes,
        0,
        "it did not take its worker with it"
    );
}

#[on_both]
async fn a_job_waits_until_all_its_children_have_ended(db: TestDb) {
    let job_store = job_store(&db).await;
    let tx = job_store.begin().await.unwrap();
    let last = jobs::enqueue_with(&tx, note(), EnqueueOptions::default().after_children())
        .await
        .unwrap()
        .id();
    let mut children = Vec::new();
    for _ in 0..2 {
        let child = jobs::enqueue_with(&tx, note(), EnqueueOptions::default().child_of(last))
            .await
            .unwrap();
        children.push(child.id());
    }
    tx.commit().await.unwrap();
    let wake_up_of_last = wake_up(&job_store, last).await;
    assert!(
        job_store
            .claim(&[wake_up_of_last], "w", LEASE)
            .await
            .unwrap()
            .is_empty()
    );
    for child in children {
        assert_eq!(job_store.sweep().await.unwrap().released, 0);
        let wake_up = wake_up(&job_store, child).await;
        let job = job_store.claim(&[wake_up], "w", LEASE).await.unwrap().pop().unwrap();
        job_store.complete(job_store.db(), Claim::of(&job), None).await.unwrap();
    }
    assert_eq!(job_store.sweep().await.unwrap().released, 1);
    let wake_up = wake_up(&job_store, last).await;
    assert_eq!(job_store.claim(&[wake_up], "w", LEASE).await.unwrap().len(), 1);
}

#[on_both]
async fn a_cancelled_job_whose_worker_is_lost_ends_as_cancelled(db: TestDb) {
    let job_store = job_store(&db).await;
    let job = claimed(&job_store, "w", BLINK).await;
    let tx = job_store.begin().await.unwrap();
    jobs::cancel(&tx, job.id).await.unwrap();
    tx.commit().await.unwrap();
    tokio::time::sleep(BLINK * 2).await;
    assert_eq!(job_store.sweep().await.unwrap().ended, 1);
    assert_eq!(read(&job_store, job.id).await.state, JobState::Cancelled);
}

#[on_both]
async fn an_expired_job_ends_without_running(db: TestDb) {
    let job_store = job_store(&db).await;
    let id = add(
        &job_store,
        EnqueueOptions::default().expires_at(now() - chrono::Duration::seconds(1)),
    )
    .await
    .id();
    let wake_up = wake_up(&job_store, id).await;
    assert!(job_store.claim(&[wake_up], "w", BLINK).await.unwrap().is_empty());
    assert_eq!(job_store.sweep().await.unwrap().ended, 1);
    let job = read(&job_store, id).await;
    assert_eq!(
        (job.state, job.last_error.as_deref()),
        (JobState::Dead, Some("expired before it could run"))
    );
}

#[on_both]
async fn sweeps_at_once_recover_each_job_once(db: TestDb) {
    let job_store = job_store(&db).await;
    for _ in 0..10 {
        claimed(&job_store, "w", BLINK).await;
    }
    tokio::time::sleep(BLINK * 2).await;
    let sweeps = (0..5).map(|_| job_store.sweep());
    let swept = futures::future::join_all(sweeps).await;
    assert_eq!(
        swept.into_iter().map(|swept| swept.unwrap().recovered).sum::<usize>(),
        10
    );
}
