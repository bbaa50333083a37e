//! How a run can end, and what the jobs table says afterwards.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use usher_shared::{
    foundation::entity::{job::JobState, job_attempt::AttemptOutcome},
    jobs::{Job, WelcomeEmail},
};
use usher_testkit::{TestDb, on_both};
use usher_worker::{JobContext, JobError, Policy, Registry};

use crate::test_worker::{Probe, QUICK, TestWorker};

#[on_both]
async fn a_failed_run_is_tried_again_after_its_backoff_and_leaves_a_row(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    let runs = AtomicU32::new(0);
    let worker = test.start(Registry::new().register::<Probe>(QUICK, move |_, _| {
        let first = runs.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            if first {
                Err(JobError::retry("the moon is full"))
            } else {
                Ok(())
            }
        }
    }));
    let id = test.enqueue(Probe { number: 1 }).await;
    let job = test.reaches(id, JobState::Done).await;
    worker.stop().await;
    assert_eq!((job.attempt, job.epoch, job.last_error), (2, 1, None));
    let attempts = test.attempts(id).await;
    assert_eq!(attempts.len(), 1);
    assert_eq!((attempts[0].attempt, attempts[0].outcome), (1, AttemptOutcome::Failed));
    assert_eq!(attempts[0].error, "the moon is full");
    assert!(
        job.started_at.unwrap() - attempts[0].finished_at >= chrono::Duration::milliseconds(38),
        "no backoff"
    );
}

#[on_both]
async fn the_last_failed_attempt_makes_a_job_dead(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    let worker = test.start(Registry::new().register::<Probe>(QUICK, async |_, _: JobContext| {
        let number: i32 = "seven".parse()?;
        let _ = number;
        Ok(())
    }));
    let id = test.enqueue(Probe { number: 1 }).await;
    let job = test.reaches(id, JobState::Dead).await;
    worker.stop().await;
    assert_eq!(job.attempt, 3);
    assert_eq!(job.last_error.as_deref(), Some("invalid digit found in string"));
    assert_eq!(test.attempts(id).await.len(), 3);
}

#[on_both]
async fn a_handler_may_give_up_put_off_or_cancel_its_job(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    let snoozed = AtomicU32::new(0);
    let worker = test.start(Registry::new().register::<Probe>(QUICK, move |job: Probe, _| {
        let answer = match job.number {
            1 => Err(JobError::give_up("no such planet")),
            2 if snoozed.fetch_add(1, Ordering::SeqCst) < 5 => Err(JobError::Snooze(
                Duration::from_millis(20),
                anyhow::anyhow!("it sleeps"),
            )),
            3 => Err(JobError::cancel("nobody wants it")),
            _ => Ok(()),
        };
        async { answer }
    }));
    let given_up = test.enqueue(Probe { number: 1 }).await;
    let put_off = test.enqueue(Probe { number: 2 }).await;
    let cancelled = test.enqueue(Probe { number: 3 }).await;
    let dead = test.reaches(given_up, JobState::Dead).await;
    assert_eq!((dead.attempt, dead.last_error.as_deref()), (1, Some("no such planet")));
    assert_eq!(test.attempts(given_up).await[0].outcome, AttemptOutcome::GaveUp);
    let done = test.reaches(put_off, JobState::Done).await;
    assert_eq!((done.attempt, done.epoch), (1, 5), "five snoozes count no attempt");
    let over = test.reaches(cancelled, JobState::Cancelled).await;
    assert_eq!(over.last_error.as_deref(), Some("nobody wants it"));
    worker.stop().await;
}

#[on_both]
async fn a_panic_and_a_hang_are_failed_runs_and_the_worker_goes_on(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    let policy = Policy {
        attempts: 2,
        timeout: Duration::from_millis(100),
        ..QUICK
    };
    let worker = test.start(Registry::new().register::<Probe>(policy, |job: Probe, _| {
        assert_ne!(job.number, 1, "before any await");
        async move {
            tokio::task::yield_now().await;
            assert_ne!(job.number, 2, "after an await");
            if job.number == 3 {
                std::future::pending::<()>().await;
            }
            Ok(())
        }
    }));
    let mut ids = Vec::new();
    for number in 1..=4 {
        ids.push(test.enqueue(Probe { number }).await);
    }
    test.reaches(ids[3], JobState::Done).await;
    for (id, outcome, words) in [
        (ids[0], AttemptOutcome::Panicked, "before any await"),
        (ids[1], AttemptOutcome::Panicked, "after an await"),
        (ids[2], AttemptOutcome::TimedOut, "time limit of 100ms"),
    ] {
        let job = test.reaches(id, JobState::Dead).await;
        assert!(
            job.last_error.as_deref().is_some_and(|error| error.contains(words)),
            "{job:?}"
        );
        let attempts = test.attempts(id).await;
        assert_eq!(
            attempts.iter().map(|attempt| attempt.outcome).collect::<Vec<_>>(),
            [outcome; 2]
        );
    }
    assert!(!worker.is_over());
    worker.stop().await;
}

#[on_both]
async fn what_the_worker_cannot_read_is_dead_with_a_reason_and_harms_nothing(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    let worker = test.start(Registry::new().register::<Probe>(QUICK, async |_, _: JobContext| Ok(())));
    let unknown = test.enqueue(Stranger {}).await;
    let unreadable = test
        .enqueue(OtherShape {
            number: "seven".to_owned(),
        })
        .await;
    let newer = test.enqueue(NewerProbe { number: 1 }).await;
    let fine = test.enqueue(Probe { number: 1 }).await;
    for (id, words) in [
        (unknown, "no handler for \"stranger\""),
        (unreadable, "unreadable payload of probe"),
        (newer, "version 2"),
    ] {
        let job = test.reaches(id, JobState::Dead).await;
        assert!(
            job.last_error.as_deref().is_some_and(|error| error.contains(words)),
            "{job:?}"
        );
        assert_eq!(job.attempt, 1);
    }
    test.reaches(fine, JobState::Done).await;
    worker.stop().await;
}

#[on_both]
async fn only_the_asked_for_queues_are_worked_on(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    let registry = usher_worker::registry().register::<Probe>(QUICK, async |_, _: JobContext| Ok(()));
    assert_eq!(registry.queues(), ["default", "long", "mail", "webhooks"]);
    let options = usher_worker::Options {
        queues: vec!["default".to_owned()],
        ..Default::default()
    };
    let worker = test.start_with(registry, options);
    let mail = test.enqueue(WelcomeEmail { user_id: 1 }).await;
    let probe = test.enqueue(Probe { number: 1 }).await;
    test.reaches(probe, JobState::Done).await;
    assert_eq!(test.job(mail).await.state, JobState::Ready);
    worker.stop().await;
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Stranger {}

impl Job for Stranger {
    const KIND: &'static str = "stranger";
}

#[derive(serde::Serialize, serde::Deserialize)]
struct OtherShape {
    number: String,
}

impl Job for OtherShape {
    const KIND: &'static str = Probe::KIND;
}

#[derive(serde::Serialize, serde::Deserialize)]
struct NewerProbe {
    number: i64,
}

impl Job for NewerProbe {
    const KIND: &'static str = Probe::KIND;
    const VERSION: i16 = 2;
}
