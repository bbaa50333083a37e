//! A job exists if and only if its transaction committed.

use std::time::Duration;

use sea_orm::{EntityTrait, PaginatorTrait};
use usher_shared::{
    foundation::{
        entity::job::{self, JobState},
        time::now,
    },
    jobs::{self, EnqueueError, EnqueueOptions, Enqueued, MAX_PAYLOAD_BYTES, Priority, enqueue, enqueue_with},
};
use usher_testkit::{TestDb, on_both};

use crate::fixtures::{LEASE, Note, add, claim_due, job_store, note, queues, read, wake_up};

#[on_both]
async fn a_committed_job_is_ready_and_its_wake_up_waits(db: TestDb) {
    let job_store = job_store(&db).await;
    let options = EnqueueOptions::default()
        .priority(Priority::High)
        .actor("api_key:7")
        .trace("00-abc-def-01");
    let id = add(&job_store, options).await.id();
    let job = read(&job_store, id).await;
    assert_eq!(job.state, JobState::Ready);
    assert_eq!(
        (job.kind.as_str(), job.queue.as_str(), job.priority, job.attempt),
        ("note", "notes", 1, 0)
    );
    assert_eq!(job.payload, serde_json::json!({"text": "hello"}));
    assert_eq!(
        (job.actor.as_deref(), job.trace_context.as_deref()),
        (Some("api_key:7"), Some("00-abc-def-01"))
    );
    let popped = job_store
        .transport()
        .pop(&queues(), 10, Duration::from_secs(1))
        .await
        .unwrap();
    assert_eq!(popped, vec![wake_up(&job_store, id).await]);
}

#[on_both]
async fn a_rolled_back_job_never_existed(db: TestDb) {
    let job_store = job_store(&db).await;
    let tx = job_store.begin().await.unwrap();
    enqueue(&tx, note()).await.unwrap();
    tx.rollback().await.unwrap();
    let tx = job_store.begin().await.unwrap();
    enqueue(&tx, note()).await.unwrap();
    drop(tx);
    assert_eq!(job::Entity::find().count(job_store.db()).await.unwrap(), 0);
    assert_eq!(job_store.transport().waiting("notes").await.unwrap(), 0);
}

#[on_both]
async fn a_unique_key_is_met_while_its_job_is_ready_or_running(db: TestDb) {
    let job_store = job_store(&db).await;
    let first = add(&job_store, EnqueueOptions::default().unique("report")).await;
    let Enqueued::New(id) = first else { panic!("{first:?}") };
    assert_eq!(
        add(&job_store, EnqueueOptions::default().unique("report")).await,
        Enqueued::Existing(id)
    );
    let wake_up = wake_up(&job_store, id).await;
    let job = job_store.claim(&[wake_up], "w", LEASE).await.unwrap().pop().unwrap();
    assert_eq!(
        add(&job_store, EnqueueOptions::default().unique("report")).await,
        Enqueued::Existing(id)
    );
    assert!(matches!(
        add(&job_store, EnqueueOptions::default().unique("other")).await,
        Enqueued::New(_)
    ));
    job_store
        .complete(job_store.db(), jobs::Claim::of(&job), None)
        .await
        .unwrap();
    assert!(matches!(
        add(&job_store, EnqueueOptions::default().unique("report")).await,
        Enqueued::New(_)
    ));
}

#[on_both]
async fn the_same_unique_key_many_times_at_once_makes_one_job(db: TestDb) {
    let job_store = job_store(&db).await;
    let calls = (0..24).map(|_| add(&job_store, EnqueueOptions::default().unique("once")));
    let answers = futures::future::join_all(calls).await;
    assert_eq!(
        answers
            .iter()
            .filter(|answer| matches!(answer, Enqueued::New(_)))
            .count(),
        1
    );
    assert!(answers.iter().all(|answer| answer.id() == answers[0].id()));
}

#[on_both]
async fn a_delayed_job_is_neither_announced_nor_claimed_before_its_time(db: TestDb) {
    let job_store = job_store(&db).await;
    let id = add(&job_store, EnqueueOptions::at(now() + chrono::Duration::hours(1)))
        .await
        .id();
    assert_eq!(job_store.transport().waiting("notes").await.unwrap(), 0);
    let wake_up = wake_up(&job_store, id).await;
    assert!(job_store.claim(&[wake_up], "w", LEASE).await.unwrap().is_empty());
    assert!(claim_due(&job_store, 10).await.is_empty());
}

#[on_both]
async fn a_payload_has_eight_kib_at_most(db: TestDb) {
    let job_store = job_store(&db).await;
    let tx = job_store.begin().await.unwrap();
    let frame = serde_json::to_string(&Note { text: String::new() }).unwrap().len();
    let fits = Note {
        text: "x".repeat(MAX_PAYLOAD_BYTES - frame),
    };
    enqueue(&tx, fits).await.unwrap();
    let large = Note {
        text: "x".repeat(MAX_PAYLOAD_BYTES - frame + 1),
    };
    let refused = enqueue_with(&tx, large, EnqueueOptions::default()).await;
    assert!(
        matches!(refused, Err(EnqueueError::TooLarge { kind: "note", .. })),
        "{refused:?}"
    );
}
