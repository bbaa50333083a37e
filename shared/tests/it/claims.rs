//! One job, one owner; whoever lost the lease changes nothing.

use std::{collections::HashSet, time::Duration};

use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use usher_shared::{
    entity::{
        job::JobState,
        job_attempt::{self, AttemptOutcome},
        job_queue,
    },
    jobs::{Claim, CompleteError, Failure, Finisher, Ledger, Options},
    time::now,
};
use usher_testkit::on_both;
use uuid::Uuid;

use crate::house::{LEASE, add, claimed, hint, ledger, queues, read};

fn failure(error: &str) -> Failure {
    Failure {
        outcome: AttemptOutcome::Failed,
        error: error.to_owned(),
    }
}

async fn attempts(ledger: &Ledger, id: Uuid) -> Vec<(i32, AttemptOutcome, String)> {
    let rows = job_attempt::Entity::find()
        .filter(job_attempt::Column::JobId.eq(id))
        .all(ledger.db())
        .await
        .unwrap();
    rows.into_iter()
        .map(|row| (row.attempt, row.outcome, row.error))
        .collect()
}

on_both! {
    async fn many_claimers_at_once_get_each_job_once(db: TestDb) {
        let ledger = ledger(&db).await;
        let mut hints = Vec::new();
        for _ in 0..40 {
            let id = add(&ledger, Options::default()).await.id();
            hints.push(hint(&ledger, id).await);
        }
        let names: Vec<String> = (0..8).map(|n| format!("w{n}")).collect();
        let claims = names.iter().map(|name| ledger.claim(&hints, name, LEASE));
        let taken: Vec<_> = futures::future::join_all(claims).await.into_iter().flat_map(Result::unwrap).collect();
        assert_eq!(taken.iter().map(|job| job.id).collect::<HashSet<_>>().len(), 40);
        assert_eq!(taken.len(), 40);
        assert!(taken.iter().all(|job| job.state == JobState::Running && job.attempt == 1 && job.lease_token.is_some()));
    }

    async fn completing_is_part_of_the_handlers_transaction_and_fenced(db: TestDb) {
        let ledger = ledger(&db).await;
        let job = claimed(&ledger, "w", LEASE).await;
        let claim = Claim::of(&job);
        let tx = ledger.begin().await.unwrap();
        ledger.complete(&*tx, claim, Some(serde_json::json!({"sent": 1}))).await.unwrap();
        tx.rollback().await.unwrap();
        assert_eq!(read(&ledger, job.id).await.state, JobState::Running, "rolled back with the effects");

        let stranger = Claim { id: job.id, token: Uuid::new_v4() };
        assert!(matches!(ledger.complete(ledger.db(), stranger, None).await, Err(CompleteError::Lost)));
        ledger.complete(ledger.db(), claim, Some(serde_json::json!({"sent": 1}))).await.unwrap();
        let done = read(&ledger, job.id).await;
        assert_eq!((done.state, done.result), (JobState::Done, Some(serde_json::json!({"sent": 1}))));
        assert!(done.finished_at.is_some() && done.lease_token.is_none());
        assert!(matches!(ledger.complete(ledger.db(), claim, None).await, Err(CompleteError::Lost)), "only once");
        assert!(attempts(&ledger, job.id).await.is_empty(), "success leaves no row");
    }

    async fn many_jobs_are_completed_together_and_each_is_fenced(db: TestDb) {
        let ledger = ledger(&db).await;
        let finisher = Finisher::new(ledger.clone());
        let mut claims = Vec::new();
        for _ in 0..50 {
            claims.push(Claim::of(&claimed(&ledger, "w", LEASE).await));
        }
        let stolen = claims[7];
        claims[7].token = Uuid::new_v4();
        let answers = futures::future::join_all(claims.iter().map(|claim| finisher.complete(*claim))).await;
        let lost: Vec<_> = (0..50).filter(|n| matches!(answers[*n], Err(CompleteError::Lost))).collect();
        assert_eq!(lost, vec![7]);
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 49);
        assert_eq!(read(&ledger, claims[0].id).await.state, JobState::Done);
        assert_eq!(read(&ledger, stolen.id).await.state, JobState::Running);
    }

    async fn a_retried_job_waits_and_old_hints_claim_nothing(db: TestDb) {
        let ledger = ledger(&db).await;
        let id = add(&ledger, Options::default()).await.id();
        let old = hint(&ledger, id).await;
        let job = ledger.claim(std::slice::from_ref(&old), "w", LEASE).await.unwrap().pop().unwrap();
        ledger.retry(&job, &failure("451 try\0 later"), Duration::ZERO).await.unwrap();
        let again = read(&ledger, id).await;
        assert_eq!((again.state, again.attempt, again.epoch), (JobState::Ready, 1, 1));
        assert_eq!(again.last_error.as_deref(), Some("451 try later"), "NUL cannot be stored");
        assert_eq!(attempts(&ledger, id).await, vec![(1, AttemptOutcome::Failed, "451 try later".to_owned())]);
        assert!(ledger.claim(&[old], "w", LEASE).await.unwrap().is_empty(), "the old epoch's hint");
        let new = hint(&ledger, id).await;
        assert_eq!(ledger.claim(&[new], "w", LEASE).await.unwrap()[0].attempt, 2);
        assert!(matches!(ledger.retry(&job, &failure("late"), Duration::ZERO).await, Err(CompleteError::Lost)));
    }

    async fn a_retry_is_not_due_before_its_time(db: TestDb) {
        let ledger = ledger(&db).await;
        let job = claimed(&ledger, "w", LEASE).await;
        ledger.retry(&job, &failure("busy"), Duration::from_secs(60)).await.unwrap();
        let wait = read(&ledger, job.id).await.run_at - now();
        assert!((55..=60).contains(&wait.num_seconds()), "{wait}");
        let hint = hint(&ledger, job.id).await;
        assert!(ledger.claim(&[hint], "w", LEASE).await.unwrap().is_empty());
    }

    async fn a_buried_job_is_dead_with_its_reason(db: TestDb) {
        let ledger = ledger(&db).await;
        let job = claimed(&ledger, "w", LEASE).await;
        let gave_up = Failure { outcome: AttemptOutcome::GaveUp, error: "no such mailbox".to_owned() };
        ledger.bury(&job, &gave_up).await.unwrap();
        let dead = read(&ledger, job.id).await;
        assert_eq!((dead.state, dead.last_error.as_deref()), (JobState::Dead, Some("no such mailbox")));
        assert!(dead.finished_at.is_some());
        assert_eq!(attempts(&ledger, job.id).await[0].1, AttemptOutcome::GaveUp);
    }

    async fn snoozing_and_giving_back_count_no_attempt(db: TestDb) {
        let ledger = ledger(&db).await;
        let job = claimed(&ledger, "w", LEASE).await;
        ledger.snooze(&job, "the mail server refuses us", Duration::from_secs(60)).await.unwrap();
        let snoozed = read(&ledger, job.id).await;
        assert_eq!((snoozed.state, snoozed.attempt), (JobState::Ready, 0));
        assert!(snoozed.run_at > now());

        let job = claimed(&ledger, "w", LEASE).await;
        let _ = ledger.transport().pop(&queues(), 10, Duration::from_millis(10)).await.unwrap();
        ledger.give_back(&[Claim::of(&job)]).await.unwrap();
        let back = read(&ledger, job.id).await;
        assert_eq!((back.state, back.attempt, back.epoch), (JobState::Ready, 0, 1));
        let hints = ledger.transport().pop(&queues(), 10, Duration::from_secs(1)).await.unwrap();
        assert_eq!(hints.iter().map(|hint| (hint.id, hint.epoch)).collect::<Vec<_>>(), vec![(job.id, 1)]);
    }

    async fn a_heartbeat_renews_what_is_held_and_brings_cancel_requests(db: TestDb) {
        let ledger = ledger(&db).await;
        let short = Duration::from_millis(1_500);
        let held = claimed(&ledger, "w", short).await;
        let other = claimed(&ledger, "another worker", short).await;
        let tx = ledger.begin().await.unwrap();
        usher_shared::jobs::cancel(&tx, held.id).await.unwrap();
        tx.commit().await.unwrap();
        let renewed = ledger.heartbeat("w", &[held.id, other.id], LEASE).await.unwrap();
        assert_eq!(renewed.len(), 1);
        assert_eq!((renewed[0].id, Some(renewed[0].lease_token)), (held.id, held.lease_token));
        assert!(renewed[0].cancel_requested);
        tokio::time::sleep(short).await;
        let swept = ledger.sweep().await.unwrap();
        assert_eq!(swept.recovered, 1, "only the other one's lease ran out");
        assert_eq!(read(&ledger, held.id).await.state, JobState::Running);
    }

    async fn a_paused_queue_keeps_its_jobs(db: TestDb) {
        let ledger = ledger(&db).await;
        let id = add(&ledger, Options::default()).await.id();
        let pause = job_queue::ActiveModel { name: Set("notes".to_owned()), paused_at: Set(Some(now())), paused_by: Set(None), ..Default::default() };
        job_queue::Entity::insert(pause).exec_without_returning(ledger.db()).await.unwrap();
        let hint = hint(&ledger, id).await;
        assert!(ledger.claim(std::slice::from_ref(&hint), "w", LEASE).await.unwrap().is_empty());
        job_queue::Entity::delete_many().exec(ledger.db()).await.unwrap();
        assert_eq!(ledger.claim(&[hint], "w", LEASE).await.unwrap().len(), 1);
    }
}
