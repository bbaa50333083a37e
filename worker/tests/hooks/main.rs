//! Jobs that create, change, delete and purge accounts run the product's hooks. A program of its own, because a process
//! runs one product: the other tests have none.

#[path = "../it/test_worker.rs"]
#[expect(dead_code, reason = "the other tests use the rest")]
mod test_worker;

use sea_orm::{ConnectionTrait, EntityTrait, PaginatorTrait, Statement};
use serde::{Deserialize, Serialize};
use usher_shared::{
    accounts::{
        Extensions, extend,
        hooks::{HookContext, HookError, UserChanged, UserCreated, UserDeleted, UserHooks, UserPurged},
        staff::{
            bulk::{self, BulkAction, Objects},
            imports::{self, Blank},
        },
    },
    audit::Actor,
    foundation::{
        entity::{
            job::{self, JobState},
            user,
        },
        rules::Violation,
    },
    jobs::{DeleteAccount, Job},
};
use usher_testkit::{TestDb, create_tables, on_both};
use usher_worker::{Policy, registry};

use crate::test_worker::TestWorker;

/// A name that hooks refuse.
const REFUSED: &str = "Refused";

/// A job that a hook enqueues.
#[derive(Serialize, Deserialize)]
struct Greet {
    user_id: i64,
}

impl Job for Greet {
    const KIND: &'static str = "greet";
}

/// As the worker's own job of this kind.
#[derive(Serialize, Deserialize)]
struct PurgeDeletedUsers {}

impl Job for PurgeDeletedUsers {
    const KIND: &'static str = "purge_deleted_users";
}

/// As the worker's own job of this kind.
#[derive(Serialize, Deserialize)]
struct PurgeExpired {}

impl Job for PurgeExpired {
    const KIND: &'static str = "purge_expired";
}

async fn note(context: &HookContext<'_>, event: &str, user: &user::Model) -> Result<(), HookError> {
    let sql = "INSERT INTO seen (note) VALUES ($1)";
    let values = [format!("{event} {} by {}", user.name, context.actor.label).into()];
    let insert = Statement::from_sql_and_values(context.tx.get_database_backend(), sql, values);
    context.tx.execute_raw(insert).await?;
    if user.name == REFUSED {
        return Err(HookError::refuse("name", Violation::value("Choose another name")));
    }
    Ok(())
}

async fn created(context: &HookContext<'_>, event: &UserCreated<'_>) -> Result<(), HookError> {
    let user_id = event.user.id;
    context.enqueue(Greet { user_id }).await?;
    note(context, "created", event.user).await
}

async fn changed(context: &HookContext<'_>, event: &UserChanged<'_>) -> Result<(), HookError> {
    note(context, event.action, event.user).await
}

async fn deleted(context: &HookContext<'_>, event: &UserDeleted<'_>) -> Result<(), HookError> {
    note(context, "deleted", event.user).await
}

async fn purged(context: &HookContext<'_>, event: &UserPurged<'_>) -> Result<(), HookError> {
    note(context, "purged", event.user).await
}

async fn worker(db: TestDb) -> TestWorker {
    let hooks = UserHooks::new()
        .on_user_created(created)
        .on_user_changed(changed)
        .on_user_deleted(deleted)
        .on_user_purged(purged);
    extend(Extensions {
        hooks,
        ..Extensions::default()
    });
    let test = TestWorker::embedded(db).await;
    create_tables(&test.context.db, "CREATE TABLE seen (id {id}, note text NOT NULL)").await;
    test
}

/// What hooks noted since the last call.
async fn seen(test: &TestWorker) -> Vec<String> {
    let db = &test.context.db;
    let rows = Statement::from_string(db.get_database_backend(), "SELECT note FROM seen ORDER BY id");
    let rows = db.query_all_raw(rows).await.unwrap();
    test.sql("DELETE FROM seen").await;
    rows.iter().map(|row| row.try_get("", "note").unwrap()).collect()
}

async fn done(test: &TestWorker, id: uuid::Uuid) -> job::Model {
    let worker = test.start(registry());
    let done = test.reaches(id, JobState::Done).await;
    worker.stop().await;
    done
}

#[on_both]
async fn an_import_runs_the_hooks_of_each_line(db: TestDb) {
    let test = worker(db).await;
    test.sign_up("Ada", "ada@example.org").await;
    seen(&test).await;
    let store = &test.context.job_store;
    for (file, welcome) in [
        (
            &b"email,name\nada@example.org,Grace\nno@example.com,Refused\nbob@example.com,Bob"[..],
            true,
        ),
        (&b"email,name\neve@example.com,Eve"[..], false),
    ] {
        let tx = store.begin().await.unwrap();
        let checked = imports::check(&tx, "people.csv", file, Blank::Keep, &Actor::system()).await;
        tx.commit().await.unwrap();
        let checked = checked.unwrap();
        done(&test, checked).await;
        let tx = store.begin().await.unwrap();
        let import = imports::run(&tx, checked, welcome, &Actor::system()).await.unwrap();
        tx.commit().await.unwrap();
        let result = done(&test, import).await.result.unwrap();
        assert_eq!(
            result["failed"],
            u8::from(welcome),
            "a line that a hook refuses fails alone"
        );
    }
    let told = ["update Grace", "created Bob", "created Eve"];
    assert_eq!(seen(&test).await, told.map(|told| format!("{told} by Usher")));
}

#[on_both]
async fn a_job_of_a_hook_runs_soon_after_the_commit(db: TestDb) {
    let test = worker(db).await;
    let registry =
        registry().register::<Greet>(Policy::DEFAULT, async |_: Greet, context: usher_worker::JobContext| {
            let tx = context.begin().await?;
            context.complete(tx).await
        });
    let running = test.start(registry);
    test.sign_up("Ada", "ada@example.org").await;
    let greet = test.jobs_of_kind(Greet::KIND).await.remove(0);
    let greeted = test.reaches(greet.id, JobState::Done).await;
    running.stop().await;
    let waited = greeted.started_at.unwrap() - greeted.created_at;
    assert!(waited < chrono::TimeDelta::seconds(5), "{waited}");
    assert_eq!(greeted.actor.as_deref(), Some("system"));
}

#[on_both]
async fn a_bulk_action_runs_the_hooks_of_each_row(db: TestDb) {
    let test = worker(db).await;
    let ids = vec![
        test.sign_up("Ada", "ada@example.org").await.id,
        test.sign_up("Bob", "bob@example.org").await.id,
    ];
    test.sql(&format!("UPDATE users SET name = '{REFUSED}' WHERE name = 'Bob'"))
        .await;
    seen(&test).await;
    let tx = test.context.job_store.begin().await.unwrap();
    let (what, system) = (BulkAction::DeactivateUsers, Actor::system());
    let ordered = bulk::order(&tx, what, Objects::Ids(ids), None, &system).await.unwrap();
    tx.commit().await.unwrap();
    let result = done(&test, ordered.job_id).await.result.unwrap();
    assert_eq!((&result["done"], &result["failed"]), (&1.into(), &1.into()));
    assert_eq!(seen(&test).await, ["deactivate Ada by Usher"]);
}

#[on_both]
async fn a_lock_that_ends_and_a_scheduled_deletion_run_the_hooks(db: TestDb) {
    let test = worker(db).await;
    let ada = test.sign_up("Ada", "ada@example.org").await.id;
    test.sign_up("Bob", "bob@example.org").await;
    test.sql(&format!("UPDATE users SET name = '{REFUSED}' WHERE name = 'Ada'"))
        .await;
    test.sql("UPDATE users SET status = 'locked', locked_until = '2026-01-01T00:00:00+00:00'")
        .await;
    seen(&test).await;
    let purge = test.enqueue(PurgeExpired {}).await;
    done(&test, purge).await;
    assert_eq!(
        seen(&test).await,
        ["unlock Bob by Usher"],
        "one refusal holds up nobody else"
    );
    test.sql("UPDATE users SET name = 'Ada', delete_at = '2026-01-01T00:00:00+00:00'")
        .await;
    let delete = test.enqueue(DeleteAccount { user_id: ada }).await;
    done(&test, delete).await;
    assert_eq!(seen(&test).await, ["deleted Ada by Usher"]);
}

#[on_both]
async fn a_purge_runs_the_hooks_and_reports_what_they_refuse(db: TestDb) {
    let test = worker(db).await;
    let ada = test.sign_up("Ada", "ada@example.org").await.id;
    test.sign_up("Bob", "bob@example.org").await;
    test.sql(&format!("UPDATE users SET name = '{REFUSED}' WHERE name = 'Ada'"))
        .await;
    test.sql("UPDATE users SET deleted_at = '2026-01-01T00:00:00+00:00'")
        .await;
    seen(&test).await;
    let purge = test.enqueue(PurgeDeletedUsers {}).await;
    let result = done(&test, purge).await.result.unwrap();
    assert_eq!(seen(&test).await, ["purged Bob by Usher"]);
    assert_eq!((&result["purged"], &result["held"]), (&1.into(), &1.into()), "{result}");
    let held = &result["accounts"][0];
    assert_eq!(held["user_id"], ada);
    assert!(
        held["error"].as_str().unwrap().contains("Choose another name"),
        "{held}"
    );
    assert_eq!(user::Entity::find().count(&test.context.db).await.unwrap(), 1);
}
