//! What lost its worker comes back, what waits is let go, and what has expired ends.

use std::time::Duration;

use usher_shared::{
    entity::{job::JobState, job_attempt},
    jobs::{self, Claim, CompleteError, MAX_CRASHES, Options},
    time::now,
};
use usher_testkit::on_both;

use crate::house::{LEASE, add, claim_due, claimed, hint, ledger, note, queues, read};

const BLINK: Duration = Duration::from_millis(20);

on_both! {
    async fn a_lost_workers_job_comes_back_and_is_dead_after_the_third_crash(db: TestDb) {
        let ledger = ledger(&db).await;
        let mut job = claimed(&ledger, "w", BLINK).await;
        for crash in 1..=MAX_CRASHES {
            tokio::time::sleep(BLINK * 2).await;
            let swept = ledger.sweep().await.unwrap();
            let now = read(&ledger, job.id).await;
            assert_eq!(now.crashes, crash);
            let late = ledger.complete(ledger.db(), Claim::of(&job), None).await;
            assert!(matches!(late, Err(CompleteError::Lost)), "a late completion is fenced");
            if crash < MAX_CRASHES {
                assert_eq!((swept.recovered, now.state), (1, JobState::Ready));
                let hint = hint(&ledger, job.id).await;
                assert!(ledger.claim(&[hint], "w", BLINK).await.unwrap().is_empty(), "a suspect runs apart");
                assert!(claim_due(&ledger, 9).await.is_empty());
                job = ledger.claim_suspect(&queues(), "w", BLINK).await.unwrap().unwrap();
            } else {
                assert_eq!((swept.ended, now.state), (1, JobState::Dead));
            }
        }
        use sea_orm::{EntityTrait, PaginatorTrait};
        assert_eq!(job_attempt::Entity::find().count(ledger.db()).await.unwrap(), 3);
    }

    async fn suspects_are_claimed_one_by_one_and_cleared_by_an_attempt_that_ends(db: TestDb) {
        let ledger = ledger(&db).await;
        for _ in 0..3 {
            claimed(&ledger, "w", BLINK).await;
        }
        tokio::time::sleep(BLINK * 2).await;
        assert_eq!(ledger.sweep().await.unwrap().recovered, 3);
        let names = queues();
        let claims = (0..3).map(|_| ledger.claim_suspect(&names, "w", LEASE));
        let jobs: Vec<_> = futures::future::join_all(claims).await.into_iter().filter_map(Result::unwrap).collect();
        assert!(!jobs.is_empty() && jobs.iter().all(|job| job.crashes == 1 && job.attempt == 2));
        assert!(ledger.claim_suspect(&["other".to_owned()], "w", LEASE).await.unwrap().is_none());
        let failure = jobs::Failure { outcome: job_attempt::AttemptOutcome::Failed, error: "no".to_owned() };
        ledger.retry(&jobs[0], &failure, Duration::ZERO).await.unwrap();
        assert_eq!(read(&ledger, jobs[0].id).await.crashes, 0, "it did not take its worker with it");
    }

    async fn a_job_waits_until_all_its_children_have_ended(db: TestDb) {
        let ledger = ledger(&db).await;
        let tx = ledger.begin().await.unwrap();
        let last = jobs::enqueue_with(&tx, note(), Options::default().after_children()).await.unwrap().id();
        let mut children = Vec::new();
        for _ in 0..2 {
            let child = jobs::enqueue_with(&tx, note(), Options::default().child_of(last)).await.unwrap();
            children.push(child.id());
        }
        tx.commit().await.unwrap();
        let hint_of_last = hint(&ledger, last).await;
        assert!(ledger.claim(&[hint_of_last], "w", LEASE).await.unwrap().is_empty());
        for child in children {
            assert_eq!(ledger.sweep().await.unwrap().released, 0);
            let hint = hint(&ledger, child).await;
            let job = ledger.claim(&[hint], "w", LEASE).await.unwrap().pop().unwrap();
            ledger.complete(ledger.db(), Claim::of(&job), None).await.unwrap();
        }
        assert_eq!(ledger.sweep().await.unwrap().released, 1);
        let hint = hint(&ledger, last).await;
        assert_eq!(ledger.claim(&[hint], "w", LEASE).await.unwrap().len(), 1);
    }

    async fn a_cancelled_job_whose_worker_is_lost_ends_as_cancelled(db: TestDb) {
        let ledger = ledger(&db).await;
        let job = claimed(&ledger, "w", BLINK).await;
        let tx = ledger.begin().await.unwrap();
        jobs::cancel(&tx, job.id).await.unwrap();
        tx.commit().await.unwrap();
        tokio::time::sleep(BLINK * 2).await;
        assert_eq!(ledger.sweep().await.unwrap().ended, 1);
        assert_eq!(read(&ledger, job.id).await.state, JobState::Cancelled);
    }

    async fn an_expired_job_ends_without_running(db: TestDb) {
        let ledger = ledger(&db).await;
        let id = add(&ledger, Options::default().expires_at(now() - chrono::Duration::seconds(1))).await.id();
        let hint = hint(&ledger, id).await;
        assert!(ledger.claim(&[hint], "w", BLINK).await.unwrap().is_empty());
        assert_eq!(ledger.sweep().await.unwrap().ended, 1);
        let job = read(&ledger, id).await;
        assert_eq!((job.state, job.last_error.as_deref()), (JobState::Dead, Some("expired before it could run")));
    }

    async fn sweeps_at_once_recover_each_job_once(db: TestDb) {
        let ledger = ledger(&db).await;
        for _ in 0..10 {
            claimed(&ledger, "w", BLINK).await;
        }
        tokio::time::sleep(BLINK * 2).await;
        let sweeps = (0..5).map(|_| ledger.sweep());
        let swept = futures::future::join_all(sweeps).await;
        assert_eq!(swept.into_iter().map(|swept| swept.unwrap().recovered).sum::<usize>(), 10);
    }
}
