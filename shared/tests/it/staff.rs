//! What staff do to jobs.

use std::time::Duration;

use usher_shared::{
    entity::{job::JobState, job_attempt::AttemptOutcome},
    jobs::{Failure, Options, StaffError, cancel, replay, run_now},
    time::now,
};
use usher_testkit::on_both;
use uuid::Uuid;

use crate::house::{LEASE, add, claimed, ledger, queues, read};

on_both! {
    async fn a_dead_job_is_replayed_from_its_first_attempt(db: TestDb) {
        let ledger = ledger(&db).await;
        let job = claimed(&ledger, "w", LEASE).await;
        let _ = ledger.transport().pop(&queues(), 10, Duration::from_millis(10)).await.unwrap();
        ledger.bury(&job, &Failure { outcome: AttemptOutcome::GaveUp, error: "no".to_owned() }).await.unwrap();
        let tx = ledger.begin().await.unwrap();
        replay(&tx, job.id).await.unwrap();
        tx.commit().await.unwrap();
        let again = read(&ledger, job.id).await;
        assert_eq!((again.state, again.attempt, again.finished_at), (JobState::Ready, 0, None));
        let hints = ledger.transport().pop(&queues(), 10, Duration::from_secs(1)).await.unwrap();
        assert_eq!(ledger.claim(&hints, "w", LEASE).await.unwrap().len(), 1, "it starts at once");
    }

    async fn only_finished_jobs_are_replayed(db: TestDb) {
        let ledger = ledger(&db).await;
        let id = add(&ledger, Options::default()).await.id();
        let tx = ledger.begin().await.unwrap();
        assert!(matches!(replay(&tx, id).await, Err(StaffError::WrongState("ready"))));
        assert!(matches!(replay(&tx, Uuid::now_v7()).await, Err(StaffError::NotFound)));
    }

    async fn a_replay_that_would_double_a_unique_job_is_refused(db: TestDb) {
        let ledger = ledger(&db).await;
        let first = add(&ledger, Options::default().unique("k")).await.id();
        let tx = ledger.begin().await.unwrap();
        cancel(&tx, first).await.unwrap();
        tx.commit().await.unwrap();
        add(&ledger, Options::default().unique("k")).await;
        let tx = ledger.begin().await.unwrap();
        assert!(matches!(replay(&tx, first).await, Err(StaffError::NotUnique)));
    }

    async fn a_waiting_job_is_cancelled_and_a_running_one_is_asked_to_stop(db: TestDb) {
        let ledger = ledger(&db).await;
        let waiting = add(&ledger, Options::default()).await.id();
        let running = claimed(&ledger, "w", LEASE).await.id;
        let tx = ledger.begin().await.unwrap();
        cancel(&tx, waiting).await.unwrap();
        cancel(&tx, running).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(read(&ledger, waiting).await.state, JobState::Cancelled);
        assert!(read(&ledger, waiting).await.finished_at.is_some());
        let running = read(&ledger, running).await;
        assert_eq!((running.state, running.cancel_requested, running.finished_at), (JobState::Running, true, None));
    }

    async fn a_delayed_job_can_be_run_now(db: TestDb) {
        let ledger = ledger(&db).await;
        let id = add(&ledger, Options::at(now() + chrono::Duration::days(1))).await.id();
        let tx = ledger.begin().await.unwrap();
        run_now(&tx, id).await.unwrap();
        tx.commit().await.unwrap();
        let hints = ledger.transport().pop(&queues(), 10, Duration::from_secs(1)).await.unwrap();
        assert_eq!(ledger.claim(&hints, "w", LEASE).await.unwrap().len(), 1);
    }
}
