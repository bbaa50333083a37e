//! Due jobs are found in the jobs table: the oldest of the highest priority first, however long the queue is.

use std::{collections::HashSet, time::Duration};

use usher_shared::jobs::{Claim, Due, EnqueueOptions, Priority, QueueCursors};
use usher_testkit::{TestDb, on_both};

use crate::fixtures::{LEASE, add, claim_due, job_store, queues, wake_up};

const BLINK: Duration = Duration::from_millis(20);

#[on_both]
async fn the_highest_priority_comes_first(db: TestDb) {
    let job_store = job_store(&db).await;
    let low = add(&job_store, EnqueueOptions::default().priority(Priority::Low))
        .await
        .id();
    let normal = add(&job_store, EnqueueOptions::default()).await.id();
    let high = add(&job_store, EnqueueOptions::default().priority(Priority::High))
        .await
        .id();
    let first = claim_due(&job_store, 2).await;
    assert_eq!(first.iter().map(|job| job.id).collect::<Vec<_>>(), vec![high, normal]);
    let (others, place) = (["other".to_owned()], &mut QueueCursors::default());
    assert!(
        job_store
            .claim_due(&others, Due::All, 2, "w", LEASE, place)
            .await
            .unwrap()
            .is_empty()
    );
    let rest = claim_due(&job_store, 2).await;
    assert_eq!(rest.iter().map(|job| job.id).collect::<Vec<_>>(), vec![low]);
}

#[on_both]
async fn a_fresh_job_is_left_to_its_wake_up_and_found_without_it(db: TestDb) {
    let job_store = job_store(&db).await;
    // Of a transaction that took its time, the job's own second may be over at its commit.
    let place = &mut QueueCursors::default();
    let id = loop {
        let id = add(&job_store, EnqueueOptions::default()).await.id();
        if job_store
            .claim_due(&queues(), Due::Overdue, 10, "w", LEASE, place)
            .await
            .unwrap()
            .is_empty()
        {
            break id;
        }
    };
    let wake_up = wake_up(&job_store, id).await;
    assert!(
        job_store
            .transport()
            .pop(&queues(), 10, BLINK)
            .await
            .unwrap()
            .contains(&wake_up),
        "and its taker dies"
    );
    assert_eq!(
        claim_due(&job_store, 10)
            .await
            .iter()
            .map(|job| job.id)
            .collect::<Vec<_>>(),
        vec![id]
    );
    assert!(
        job_store.claim(&[wake_up], "w", LEASE).await.unwrap().is_empty(),
        "the wake_up comes too late"
    );
}

#[on_both]
async fn nothing_of_a_long_queue_is_passed_over_and_nothing_that_comes_back(db: TestDb) {
    let job_store = job_store(&db).await;
    let mut added = HashSet::new();
    for _ in 0..11 {
        added.insert(add(&job_store, EnqueueOptions::default()).await.id());
    }
    let place = &mut QueueCursors::default();
    let first = job_store
        .claim_due(&queues(), Due::All, 2, "w", LEASE, place)
        .await
        .unwrap();
    job_store
        .give_back(&first.iter().map(Claim::of).collect::<Vec<_>>())
        .await
        .unwrap();
    let mut claimed = HashSet::new();
    while claimed.len() < added.len() {
        let next = job_store
            .claim_due(&queues(), Due::All, 2, "w", LEASE, place)
            .await
            .unwrap();
        claimed.extend(next.iter().map(|job| job.id));
        tokio::time::sleep(BLINK).await;
    }
    assert_eq!(claimed, added);
}
