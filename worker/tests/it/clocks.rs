//! Machines whose clocks are wrong: the database's clock decides about leases, due times and schedules.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use usher_shared::{
    foundation::{
        entity::job::{self, JobState},
        time::now,
    },
    jobs::EnqueueOptions,
};
use usher_testkit::{Folder, Running, TestDb, run};

use crate::{
    quarantine::{Rough, rough_jobs},
    test_worker::TestWorker,
};

/// How wrong its clock is, by the first line of its log.
fn error_of(running: &Running) -> TimeDelta {
    let log = running.log();
    let line: serde_json::Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    let said: DateTime<Utc> = line["timestamp"].as_str().unwrap().parse().unwrap();
    (said - now()).abs()
}

/// Longer than the lease, so that it is renewed while others look for leases that ran out.
fn long() -> Rough {
    Rough {
        r#do: serde_json::json!({ "sleep_ms": 5_000 }),
    }
}

fn ran_once_in_time(job: &job::Model) {
    assert_eq!((job.attempt, job.crashes, job.epoch), (1, 0, 0), "{job:?}");
    assert!(job.started_at.unwrap() >= job.run_at, "{job:?}");
}

#[test]
fn a_worker_whose_clock_is_minutes_off_takes_no_lease_away_and_runs_nothing_early_or_late() {
    for offset in ["+10m", "-10m"] {
        run(async {
            let test = TestWorker::with(TestDb::postgres().await, &[], false).await;
            test.sql(
                "INSERT INTO job_schedules (name, queue, kind, version, payload, priority, cron, time_zone, catch_up, \
                 enabled, next_run_at, row_version, created_at, updated_at) \
                 VALUES ('each_minute', 'default', 'rough', 1, '{\"do\": {\"sleep_ms\": 0}}', 5, '* * * * *', 'UTC', 'all', \
                 true, date_trunc('minute', now()), 1, now(), now())",
            )
            .await;
            let (right, folder) = (rough_jobs(test.url()), Folder::new());
            let wrong = right.clone().at_another_time(offset);
            let in_minutes = now() + TimeDelta::minutes(5);
            let far = test.enqueue_with(long(), EnqueueOptions::at(in_minutes)).await;

            let off = wrong.start(&folder).await;
            let soon = test
                .enqueue_with(long(), EnqueueOptions::at(now() + TimeDelta::seconds(2)))
                .await;
            let held_by_wrong = test.enqueue(long()).await;
            test.reaches(held_by_wrong, JobState::Running).await;
            assert!(error_of(&off) > TimeDelta::minutes(9), "its clock is right");
            let beside = right.start(&folder).await;
            for job in [held_by_wrong, soon] {
                ran_once_in_time(&test.reaches(job, JobState::Done).await);
            }
            assert_eq!(off.terminate().await, 0);

            let held_by_right = test.enqueue(long()).await;
            test.reaches(held_by_right, JobState::Running).await;
            let off = wrong.start(&folder).await;
            ran_once_in_time(&test.reaches(held_by_right, JobState::Done).await);
            assert_eq!((off.terminate().await, beside.terminate().await), (0, 0));

            assert_eq!(test.job(far).await.state, JobState::Ready, "it ran minutes early");
            let sql = "SELECT last_run_at <= now() AND next_run_at BETWEEN now() - interval '1 minute' \
                       AND now() + interval '1 minute' AS kept FROM job_schedules WHERE name = 'each_minute'";
            let row = test
                .context
                .db
                .query_one_raw(Statement::from_string(DbBackend::Postgres, sql))
                .await;
            assert!(
                row.unwrap().unwrap().try_get::<bool>("", "kept").unwrap(),
                "a schedule ticked by a wrong clock"
            );
        });
    }
}
