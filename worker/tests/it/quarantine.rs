//! Jobs that take their worker down with them, in real processes.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use usher_shared::{
    foundation::{
        crypto::SecretKey,
        entity::{job::JobState, job_attempt::AttemptOutcome},
    },
    jobs::{Job, MAX_CRASHES},
};
use usher_testkit::{Folder, Program, TestDb, on_both};

use crate::test_worker::TestWorker;

/// The payload of `examples/rough_jobs.rs`.
#[derive(Serialize, Deserialize)]
pub struct Rough {
    pub r#do: serde_json::Value,
}

impl Job for Rough {
    const KIND: &'static str = "rough";
}

#[on_both]
async fn a_job_that_kills_its_process_is_dead_and_the_fifteen_beside_it_are_done(db: TestDb) {
    let test = TestWorker::with(db, &[], false).await;
    let mut others = Vec::new();
    for _ in 0..15 {
        others.push(
            test.enqueue(Rough {
                r#do: serde_json::json!({ "sleep_ms": 600 }),
            })
            .await,
        );
    }
    let killer = test.enqueue(Rough { r#do: "abort".into() }).await;

    // As systemd or an orchestrator does: whenever it is down it is started again.
    let (program, folder, limit) = (
        rough_jobs(test.url()),
        Folder::new(),
        Instant::now() + Duration::from_secs(90),
    );
    let mut starts = 0;
    let mut running = None;
    while test.job(killer).await.state != JobState::Dead || test.count(&others, JobState::Done).await < others.len() {
        assert!(Instant::now() < limit, "{:?}", test.job(killer).await);
        if running
            .as_ref()
            .is_none_or(|running: &usher_testkit::Running| !is_alive(running.id()))
        {
            running = Some(program.start(&folder).await);
            starts += 1;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(running.take().unwrap().terminate().await, 0);

    let dead = test.job(killer).await;
    assert_eq!((dead.crashes, starts), (MAX_CRASHES, MAX_CRASHES + 1), "{dead:?}");
    let attempts = test.attempts(killer).await;
    assert!(
        attempts
            .iter()
            .all(|attempt| attempt.outcome == AttemptOutcome::Crashed)
    );
    let mut beside = 0;
    for id in others {
        let crashes = test.job(id).await.crashes;
        assert!(crashes <= 1, "it was taken down {crashes} times");
        beside += crashes;
    }
    assert!(beside > 0, "nothing ran beside the job that killed its process");
}

/// A worker whose leases are three seconds.
pub fn rough_jobs(database: &str) -> Program {
    Program::named("examples/rough_jobs")
        .env("DATABASE_URL", database)
        .env("SECRET_KEY", SecretKey::generate_base64())
        .env("LOG_FORMAT", "json")
}

/// Whether the process runs; one that ended and was not waited for does not.
fn is_alive(id: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit_once(')')
        .is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}
