//! Jobs over many rows.

use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect, QueryTrait, sea_query::Expr};
use serde_json::json;
use usher_shared::{
    accounts::staff::bulk::{self, BulkAction, Objects},
    audit::Actor,
    foundation::entity::{
        audit_log,
        job::{self, JobState},
        job_item,
        user::{self, UserStatus},
    },
    jobs,
};
use usher_testkit::{TestDb, eventually, on_both};
use usher_worker::registry;
use uuid::Uuid;

use crate::test_worker::{PATIENCE, TestWorker};

/// Users by one statement; nobody is welcomed.
async fn crowd(test: &TestWorker, count: usize) {
    test.sql(&format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
         INSERT INTO users (email, email_key, name, created_at, updated_at)
         SELECT 'u' || i || '@example.org', 'u' || i || '@example.org', 'User ' || i, '2026-01-01T00:00:00+00:00',
                '2026-01-01T00:00:00+00:00' FROM n"
    ))
    .await;
}

async fn order(test: &TestWorker, what: BulkAction) -> Uuid {
    let all = user::Entity::find().select_only().column(user::Column::Id).into_query();
    let tx = test.context.job_store.begin().await.unwrap();
    let ordered = bulk::order(&tx, what, Objects::Select(Box::new(all)), None, &Actor::system())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    ordered.job_id
}

async fn deactivated(test: &TestWorker) -> u64 {
    let query = user::Entity::find().filter(user::Column::Status.eq(UserStatus::Deactivated));
    query.count(&test.context.db).await.unwrap()
}

#[on_both]
async fn a_bulk_action_goes_through_all_rows_and_tells_what_became_of_them(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    crowd(&test, 250).await;
    test.sql("UPDATE users SET status = 'deactivated' WHERE id <= 10").await;
    let job = order(&test, BulkAction::DeactivateUsers).await;
    let worker = test.start(registry());
    let done = test.reaches(job, JobState::Done).await;
    worker.stop().await;
    assert_eq!(done.result, Some(json!({"done": 240, "skipped": 10, "failed": 0})));
    assert_eq!(done.progress, Some(100));
    assert_eq!(deactivated(&test).await, 250);
    let trail = audit_log::Entity::find().filter(audit_log::Column::Action.eq("deactivate"));
    assert_eq!(trail.count(&test.context.db).await.unwrap(), 240);
}

#[on_both]
async fn after_a_crash_it_goes_on_where_it_was(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    crowd(&test, 30).await;
    let job = order(&test, BulkAction::DeactivateUsers).await;
    // What a worker leaves that was killed after twenty rows: outcomes, and a lease that runs out.
    job_item::Entity::update_many()
        .col_expr(job_item::Column::Outcome, Expr::value("done"))
        .filter(Expr::cust("CAST(object_id AS integer) <= 20"))
        .exec(&test.context.db)
        .await
        .unwrap();
    test.sql("UPDATE jobs SET state = 'running', attempt = 1, lease_until = '2026-01-01T00:00:00+00:00'")
        .await;
    let worker = test.start(registry());
    let done = test.reaches(job, JobState::Done).await;
    worker.stop().await;
    assert_eq!(done.result, Some(json!({"done": 30, "skipped": 0, "failed": 0})));
    assert_eq!(deactivated(&test).await, 10, "rows that had an outcome are left alone");
}

#[on_both]
async fn cancelling_it_leaves_the_other_rows_as_they_were(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    crowd(&test, 20_000).await;
    let id = order(&test, BulkAction::DeactivateUsers).await;
    // Heartbeats bring the wish: a short lease is renewed each second.
    let options = usher_worker::Options {
        lease: std::time::Duration::from_secs(3),
        ..Default::default()
    };
    let worker = test.start_with(registry(), options);
    eventually(PATIENCE, "it has begun", async || test.job(id).await.progress.map(drop)).await;
    let tx = test.context.job_store.begin().await.unwrap();
    jobs::cancel(&tx, id).await.unwrap();
    tx.commit().await.unwrap();
    test.reaches(id, JobState::Cancelled).await;
    worker.stop().await;
    let tally = bulk::tally(&test.context.db, id).await.unwrap();
    assert!(tally.done > 0 && tally.left > 0, "{tally:?}");
    assert_eq!(deactivated(&test).await, tally.done);
    let waiting = job::Entity::find()
        .filter(job::Column::State.eq(JobState::Ready))
        .count(&test.context.db)
        .await
        .unwrap();
    assert_eq!(waiting, 0);
}
