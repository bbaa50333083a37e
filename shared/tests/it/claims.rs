//! One job, one owner; a worker that lost the lease changes nothing.

use std::{collections::HashSet, time::Duration};

use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use usher_shared::{
    foundation::{
        entity::{
            job::JobState,
            job_attempt::{self, AttemptOutcome},
            job_queue,
        },
        time::now,
    },
    jobs::{Claim, CompleteError, Completer, EnqueueOptions, Failure, JobStore},
};
use usher_testkit::{TestDb, on_both};
use uuid::Uuid;

use crate::fixtures::{LEASE, add, claimed, job_store, queues, read, wake_up};

fn failure(error: &str) -> Failure {
    Failure {
        outcome: AttemptOutcome::Failed,
        error: error.to_owned(),
    }
}

async fn attempts(job_store: &JobStore, id: Uuid) -> Vec<(i32, AttemptOutcome, String)> {
    let rows = job_attempt::Entity::find()
        .filter(job_attempt::Column::JobId.eq(id))
        .all(job_store.db())
        .await
        .unwrap();
    rows.into_iter()
        .map(|row| (row.attempt, row.outcome, row.error))
        .collect()
}

#[on_both]
async fn many_claimers_at_once_get_each_job_once(db: TestDb) {
    let job_store = job_store(&db).await;
    let mut wake_ups = Vec::new();
    for _ in 0..40 {
        let id = add(&job_store, EnqueueOptions::default()).await.id();
        wake_ups.push(wake_up(&job_store, id).await);
    }
    let names: Vec<String> = (0..8).map(|n| format!("w{n}")).collect();
    let claims = names.iter().map(|name| job_store.claim(&wake_ups, name, LEASE));
    let taken: Vec<_> = futures::future::join_all(claims)
        .await
        .into_iter()
        .flat_map(Result::unwrap)
        .collect();
    assert_eq!(taken.iter().map(|job| job.id).collect::<HashSet<_>>().len(), 40);
    assert_eq!(taken.len(), 40);
    assert!(
        taken
            .iter()
            .all(|job| job.state == JobState::Running && job.attempt == 1 && job.lease_token.is_some())
    );
}

#[on_both]
async fn completing_is_part_of_the_handlers_transaction_and_fenced(db: TestDb) {
    let job_store = job_store(&db).await;
    let job = claimed(&job_store, "w", LEASE).await;
    let claim = Claim::of(&job);
    let tx = job_store.begin().await.unwrap();
    job_store
        .complete(&*tx, claim, Some(serde_json::json!({"sent": 1})))
        .await
        .unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(
        read(&job_store, job.id).await.state,
        JobState::Running,
        "rolled back with the effects"
    );

    let stranger = Claim {
        id: job.id,
        token: Uuid::new_v4(),
    };
    assert!(matches!(
        job_store.complete(job_store.db(), stranger, None).await,
        Err(CompleteError::Lost)
    ));
    job_store
        .complete(job_store.db(), claim, Some(serde_json::json!({"sent": 1})))
        .await
        .unwrap();
    let done = read(&job_store, job.id).await;
    assert_eq!(
        (done.state, done.result),
        (JobState::Done, Some(serde_json::json!({"sent": 1})))
    );
    assert!(done.finished_at.is_some() && done.lease_token.is_none());
    assert!(
        matches!(
            job_store.complete(job_store.db(), claim, None).await,
            Err(CompleteError::Lost)
        ),
        "only once"
    );
    assert!(attempts(&job_store, job.id).await.is_empty(), "success leaves no row");
}

#[on_both]
async fn many_jobs_are_completed_together_and_each_is_fenced(db: TestDb) {
    let job_store = job_store(&db).await;
    let completer = Completer::new(job_store.clone());
    let mut claims = Vec::new();
    for _ in 0..50 {
        claims.push(Claim::of(&claimed(&job_store, "w", LEASE).await));
    }
    let stolen = claims[7];
    claims[7].token = Uuid::new_v4();
    let answers = futures::future::join_all(claims.iter().map(|claim| completer.complete(*claim))).await;
    let lost: Vec<_> = (0..50)
        .filter(|n| matches!(answers[*n], Err(CompleteError::Lost)))
        .collect();
    assert_eq!(lost, vec![7]);
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 49);
    assert_eq!(read(&job_store, claims[0].id).await.state, JobState::Done);
    assert_eq!(read(&job_store, stolen.id).await.state, JobState::Running);
}

#[on_both]
async fn a_retried_job_waits_and_old_wake_ups_claim_nothing(db: TestDb) {
    let job_store = job_store(&db).await;
    let id = add(&job_store, EnqueueOptions::default()).await.id();
    let old = wake_up(&job_store, id).await;
    let job = job_store
        .claim(std::slice::from_ref(&old), "w", LEASE)
        .await
        .unwrap()
        .pop()
        .unwrap();
    job_store
        .retry(&job, &failure("451 try\0 later"), Duration::ZERO)
        .await
        .unwrap();
    let again = read(&job_store, id).await;
    assert_eq!((again.state, again.attempt, again.epoch), (JobState::Ready, 1, 1));
    assert_eq!(
        again.last_error.as_deref(),
        Some("451 try later"),
        "NUL cannot be stored"
    );
    assert_eq!(
        attempts(&job_store, id).await,
        vec![(1, AttemptOutcome::Failed, "451 try later".to_owned())]
    );
    assert!(
        job_store.claim(&[old], "w", LEASE).await.unwrap().is_empty(),
        "the old epoch's wake_up"
    );
    let new = wake_up(&job_store, id).await;
    assert_eq!(job_store.claim(&[new], "w", LEASE).await.unwrap()[0].attempt, 2);
    assert!(matches!(
        job_store.retry(&job, &failure("late"), Duration::ZERO).await,
        Err(CompleteError::Lost)
    ));
}

#[on_both]
async fn a_retry_is_not_due_before_its_time(db: TestDb) {
    let job_store = job_store(&db).await;
    let job = claimed(&job_store, "w", LEASE).await;
    job_store
        .retry(&job, &failure("busy"), Duration::from_secs(60))
        .await
        .unwrap();
    let wait = read(&job_store, job.id).await.run_at - now();
    assert!((55..=60).contains(&wait.num_seconds()), "{wait}");
    let wake_up = wake_up(&job_store, job.id).await;
    assert!(job_store.claim(&[wake_up], "w", LEASE).await.unwrap().is_empty());
}

#[on_both]
async fn a_discarded_job_is_dead_with_its_reason(db: TestDb) {
    let job_store = job_store(&db).await;
    let job = claimed(&job_store, "w", LEASE).await;
    let gave_up = Failure {
        outcome: AttemptOutcome::GaveUp,
        error: "no such mailbox".to_owned(),
    };
    job_store.discard(&job, &gave_up).await.unwrap();
    let dead = read(&job_store, job.id).await;
    assert_eq!(
        (dead.state, dead.last_error.as_deref()),
        (JobState::Dead, Some("no such mailbox"))
    );
    assert!(dead.finished_at.is_some());
    assert_eq!(attempts(&job_store, job.id).await[0].1, AttemptOutcome::GaveUp);
}

#[on_both]
async fn snoozing_and_giving_back_count_no_attempt(db: TestDb) {
    let job_store = job_store(&db).await;
    let job = claimed(&job_store, "w", LEASE).await;
    job_store
        .snooze(&job, "the mail server refuses us", Duration::from_secs(60))
        .await
        .unwrap();
    let snoozed = read(&job_store, job.id).await;
    assert_eq!((snoozed.state, snoozed.attempt), (JobState::Ready, 0));
    assert!(snoozed.run_at > now());

    let job = claimed(&job_store, "w", LEASE).await;
    let _ = job_store
        .transport()
        .pop(&queues(), 10, Duration::from_millis(10))
        .await
        .unwrap();
    job_store.give_back(&[Claim::of(&job)]).await.unwrap();
    let back = read(&job_store, job.id).await;
    assert_eq!((back.state, back.attempt, back.epoch), (JobState::Ready, 0, 1));
    let wake_ups = job_store
        .transport()
        .pop(&queues(), 10, Duration::from_secs(1))
        .await
        .unwrap();
    assert_eq!(
        wake_ups
            .iter()
            .map(|wake_up| (wake_up.id, wake_up.epoch))
            .collect::<Vec<_>>(),
        vec![(job.id, 1)]
    );
}

#[on_both]
async fn a_heartbeat_renews_what_is_held_and_brings_cancel_requests(db: TestDb) {
    let job_store = job_store(&db).await;
    let short = Duration::from_millis(1_500);
    let held = claimed(&job_store, "w", short).await;
    let other = claimed(&job_store, "another worker", short).await;
    let tx = job_store.begin().await.unwrap();
    usher_shared::jobs::cancel(&tx, held.id).await.unwrap();
    tx.commit().await.unwrap();
    let renewed = job_store.heartbeat("w", &[held.id, other.id], LEASE).await.unwrap();
    assert_eq!(renewed.len(), 1);
    assert_eq!(
        (renewed[0].id, Some(renewed[0].lease_token)),
        (held.id, held.lease_token)
    );
    assert!(renewed[0].cancel_requested);
    tokio::time::sleep(short).await;
    let swept = job_store.sweep().await.unwrap();
    assert_eq!(swept.recovered, 1, "only the other one's lease ran out");
    assert_eq!(read(&job_store, held.id).await.state, JobState::Running);
}

#[on_both]
async fn a_paused_queue_keeps_its_jobs(db: TestDb) {
    let job_store = job_store(&db).await;
    let id = add(&job_store, EnqueueOptions::default()).await.id();
    let pause = job_queue::ActiveModel {
        name: Set("notes".to_owned()),
        paused_at: Set(Some(now())),
        paused_by: Set(None),
        ..Default::default()
    };
    job_queue::Entity::insert(pause)
        .exec_without_returning(job_store.db())
        .await
        .unwrap();
    let wake_up = wake_up(&job_store, id).await;
    assert!(
        job_store
            .claim(std::slice::from_ref(&wake_up), "w", LEASE)
            .await
            .unwrap()
            .is_empty()
    );
    job_queue::Entity::delete_many().exec(job_store.db()).await.unwrap();
    assert_eq!(job_store.claim(&[wake_up], "w", LEASE).await.unwrap().len(), 1);
}
