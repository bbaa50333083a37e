//! Schedules: each tick once, however many workers look; missed ticks are made up as the schedule says.

use chrono::Duration;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel, QueryOrder};
use usher_shared::{
    foundation::{
        entity::{
            job,
            job_schedule::{self, CatchUp},
        },
        time::{first_id, now},
    },
    jobs::{JobStore, Retention, Schedule, enable_schedule},
};
use usher_testkit::{TestDb, on_both};

use crate::fixtures::{claimed, job_store, note, read, wake_up};

/// Declares a schedule and makes its next run lie in the past.
async fn missed(job_store: &JobStore, cron: &'static str, catch_up: CatchUp, ago: Duration) {
    job_store
        .declare(&[Schedule::new("notes", cron, &note()).catch_up(catch_up)])
        .await
        .unwrap();
    let row = job_schedule::Entity::find().one(job_store.db()).await.unwrap().unwrap();
    let mut row = row.into_active_model();
    row.next_run_at = Set(now() - ago);
    row.update(job_store.db()).await.unwrap();
}

async fn jobs(job_store: &JobStore) -> Vec<job::Model> {
    job::Entity::find()
        .order_by_asc(job::Column::Id)
        .all(job_store.db())
        .await
        .unwrap()
}

async fn schedule(job_store: &JobStore) -> job_schedule::Model {
    job_schedule::Entity::find().one(job_store.db()).await.unwrap().unwrap()
}

#[on_both]
async fn many_tickers_at_once_write_each_tick_once(db: TestDb) {
    let job_store = job_store(&db).await;
    missed(&job_store, "* * * * * *", CatchUp::All, Duration::seconds(250)).await;
    let tickers = (0..5).map(|_| job_store.tick());
    let written: usize = futures::future::join_all(tickers)
        .await
        .into_iter()
        .map(Result::unwrap)
        .sum();
    let jobs = jobs(&job_store).await;
    assert_eq!(jobs.len(), written);
    assert!(
        (250..=256).contains(&written),
        "{written} ticks: none lost, none doubled"
    );
    assert!(
        jobs.iter()
            .all(|job| job.kind == "note" && job.actor.as_deref() == Some("schedule:1"))
    );
    assert!(schedule(&job_store).await.next_run_at > now() - Duration::seconds(2));
}

#[on_both]
async fn missed_ticks_are_made_up_by_one_job(db: TestDb) {
    let job_store = job_store(&db).await;
    missed(&job_store, "*/5 * * * *", CatchUp::One, Duration::hours(10)).await;
    assert_eq!(job_store.tick().await.unwrap(), 1);
    assert_eq!(job_store.tick().await.unwrap(), 0);
    let schedule = schedule(&job_store).await;
    assert!(schedule.next_run_at > now() && schedule.next_run_at <= now() + Duration::minutes(5));
    assert!(now() - schedule.last_run_at.unwrap() <= Duration::minutes(5));
}

#[on_both]
async fn a_tick_that_is_made_up_is_found_by_when_it_was_written(db: TestDb) {
    let job_store = job_store(&db).await;
    missed(&job_store, "0 * * * *", CatchUp::All, Duration::hours(30)).await;
    let began = now() - Duration::seconds(5);
    assert!(job_store.tick().await.unwrap() >= 30);
    let jobs = jobs(&job_store).await;
    assert!(
        jobs.iter()
            .all(|job| job.id >= first_id(began) && job.created_at >= began),
        "{jobs:?}"
    );
    let keys: std::collections::BTreeSet<_> = jobs.iter().map(|job| job.unique_key.clone().unwrap()).collect();
    assert_eq!(keys.len(), jobs.len(), "each tick once");
    assert!(keys.iter().all(|key| key.starts_with("notes 20")), "{keys:?}");
}

#[on_both]
async fn a_pattern_of_the_program_that_cannot_be_meant_is_refused_at_the_start(db: TestDb) {
    let job_store = job_store(&db).await;
    for cron in ["*/90 * * * *", "0 0 31 2 *", "0 0 7 * * MON 2027"] {
        let declared = job_store.declare(&[Schedule::new("notes", cron, &note())]).await;
        assert!(declared.unwrap_err().to_string().contains(cron));
    }
    assert!(
        job_schedule::Entity::find()
            .one(job_store.db())
            .await
            .unwrap()
            .is_none()
    );
}

#[on_both]
async fn enabling_what_is_enabled_loses_no_tick_that_is_overdue(db: TestDb) {
    let job_store = job_store(&db).await;
    missed(&job_store, "0 7 * * *", CatchUp::One, Duration::hours(1)).await;
    let before = schedule(&job_store).await;
    let tx = job_store.begin().await.unwrap();
    enable_schedule(&tx, before.id, true).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(schedule(&job_store).await, before);
}

#[on_both]
async fn missed_ticks_can_be_skipped(db: TestDb) {
    let job_store = job_store(&db).await;
    missed(&job_store, "0 0 1 1 *", CatchUp::Skip, Duration::hours(10)).await;
    assert_eq!(job_store.tick().await.unwrap(), 0);
    assert!(jobs(&job_store).await.is_empty());
    assert!(schedule(&job_store).await.next_run_at > now());
}

#[on_both]
async fn what_staff_changed_survives_the_next_start(db: TestDb) {
    let job_store = job_store(&db).await;
    missed(&job_store, "0 7 * * *", CatchUp::One, Duration::hours(1)).await;
    let mut row = schedule(&job_store).await.into_active_model();
    row.enabled = Set(false);
    row.cron = Set("0 9 * * *".to_owned());
    row.update(job_store.db()).await.unwrap();
    job_store
        .declare(&[Schedule::new("notes", "0 7 * * *", &note())])
        .await
        .unwrap();
    let row = schedule(&job_store).await;
    assert_eq!((row.cron.as_str(), row.enabled), ("0 9 * * *", false));
    assert_eq!(job_store.tick().await.unwrap(), 0, "switched off");
}

#[on_both]
async fn a_broken_pattern_stops_its_schedule_alone(db: TestDb) {
    let job_store = job_store(&db).await;
    missed(&job_store, "0 7 * * *", CatchUp::One, Duration::hours(1)).await;
    let mut row = schedule(&job_store).await.into_active_model();
    row.cron = Set("nonsense".to_owned());
    row.update(job_store.db()).await.unwrap();
    assert_eq!(job_store.tick().await.unwrap(), 1, "this tick was promised");
    assert!(!schedule(&job_store).await.enabled);
}

#[on_both]
async fn finished_jobs_are_pruned_after_their_time(db: TestDb) {
    let job_store = job_store(&db).await;
    let done = claimed(&job_store, "w", std::time::Duration::from_secs(15)).await;
    job_store
        .complete(job_store.db(), usher_shared::jobs::Claim::of(&done), None)
        .await
        .unwrap();
    let waiting = crate::fixtures::add(&job_store, usher_shared::jobs::EnqueueOptions::default())
        .await
        .id();
    assert_eq!(
        job_store.prune(Retention::default()).await.unwrap().jobs,
        0,
        "kept for a week"
    );
    let mut row = read(&job_store, done.id).await.into_active_model();
    row.finished_at = Set(Some(now() - Duration::days(8)));
    row.update(job_store.db()).await.unwrap();
    assert_eq!(job_store.prune(Retention::default()).await.unwrap().jobs, 1);
    assert_eq!(
        wake_up(&job_store, waiting).await.id,
        waiting,
        "what is not finished stays"
    );
}
