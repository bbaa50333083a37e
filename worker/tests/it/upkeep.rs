//! What comes by the clock and what is forgotten.

use chrono::Duration;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    Statement, sea_query::Expr,
};
use serde_json::json;
use usher_shared::{
    accounts::{
        mail_tokens::{self, LinkPurpose},
        users::{self, StatusChange},
    },
    audit::Actor,
    foundation::{
        entity::{
            audit_log,
            job::{self, JobState},
            job_schedule, mail, mail_token,
            session::{self, SessionKind},
            user::{self, UserStatus},
        },
        rules::Reason,
        time::now,
    },
    jobs::DeleteAccount,
};
use usher_testkit::{TestDb, eventually, on_both};
use usher_worker::registry;
use uuid::Uuid;

use crate::test_worker::{PATIENCE, TestWorker};

#[on_both]
async fn usher_brings_its_schedules_once_and_keeps_what_staff_changed(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    const NAMES: [&str; 5] = [
        "fill_search_texts",
        "prune",
        "purge_deleted_users",
        "purge_expired",
        "staff_digest",
    ];
    let schedules = async || job_schedule::Entity::find().all(&test.context.db).await.unwrap();
    let worker = test.start(registry());
    eventually(PATIENCE, "they are declared", async || {
        (schedules().await.len() == NAMES.len()).then_some(())
    })
    .await;
    worker.stop().await;
    let changed = Expr::value("0 0 1 1 *");
    job_schedule::Entity::update_many()
        .col_expr(job_schedule::Column::Cron, changed)
        .exec(&test.context.db)
        .await
        .unwrap();
    let worker = test.start(registry());
    let user = test.sign_up("Ada Lovelace", "ada@example.org").await;
    test.reaches(test.job_of(&user).await.id, JobState::Done).await;
    worker.stop().await;
    let schedules = schedules().await;
    let mut names: Vec<_> = schedules.iter().map(|schedule| schedule.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, NAMES);
    assert!(schedules.iter().all(|schedule| schedule.cron == "0 0 1 1 *"));
}

#[on_both]
async fn a_schedule_that_is_due_runs_once_with_two_workers(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    let workers = [test.start(registry()), test.start(registry())];
    let done = run_by_the_clock(&test, "prune").await;
    assert_eq!(done.attempt, 1);
    for worker in workers {
        worker.stop().await;
    }
    let jobs = job::Entity::find()
        .filter(job::Column::Kind.eq("prune"))
        .count(&test.context.db)
        .await
        .unwrap();
    assert_eq!(jobs, 1);
}

#[on_both]
async fn an_account_goes_at_the_time_its_owner_chose_and_not_before(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    let (due, later, kept) = (
        test.sign_up("Ada Lovelace", "ada@example.org").await.id,
        test.sign_up("Bob Later", "bob@example.org").await.id,
        test.sign_up("Eve Kept", "eve@example.org").await.id,
    );
    test.sql("DELETE FROM jobs").await;
    for (id, at) in [(due, now() - Duration::minutes(1)), (later, now() + Duration::days(1))] {
        let update = user::Entity::update_many().col_expr(user::Column::DeleteAt, Expr::value(at));
        update
            .filter(user::Column::Id.eq(id))
            .exec(&test.context.db)
            .await
            .unwrap();
    }
    let worker = test.start(registry());
    for user_id in [due, later, kept, 99_999] {
        let job = test.enqueue(DeleteAccount { user_id }).await;
        test.reaches(job, JobState::Done).await;
    }
    worker.stop().await;
    let deleted = user::Entity::find()
        .filter(user::Column::DeletedAt.is_not_null())
        .all(&test.context.db)
        .await
        .unwrap();
    assert_eq!(deleted.iter().map(|user| user.id).collect::<Vec<_>>(), [due]);
    let noted = audit_log::Entity::find()
        .filter(audit_log::Column::Action.eq("delete"))
        .count(&test.context.db)
        .await
        .unwrap();
    assert_eq!(noted, 1);
}

#[on_both]
async fn what_expired_a_week_ago_is_gone(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    let user = test.sign_up("Ada Lovelace", "ada@example.org").await;
    let conn = &test.context.db;
    for age in [Duration::days(8), Duration::days(2), -Duration::days(2)] {
        mail_tokens::issue(conn, user.id, LinkPurpose::SET_PASSWORD, -age)
            .await
            .unwrap();
        session::Entity::insert(session_that_expired(user.id, age))
            .exec_without_returning(conn)
            .await
            .unwrap();
    }
    let worker = test.start(registry());
    run_by_the_clock(&test, "purge_expired").await;
    worker.stop().await;
    let tokens = mail_token::Entity::find()
        .filter(mail_token::Column::ExpiresAt.lt(now()))
        .count(conn)
        .await
        .unwrap();
    let sessions = session::Entity::find().count(conn).await.unwrap();
    assert_eq!((tokens, sessions), (1, 2));
}

#[on_both]
async fn a_lock_that_has_ended_is_taken_off_and_no_other(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    let conn = &test.context.db;
    let mut ids = vec![];
    for (name, until) in [
        ("Past", Some(now() - Duration::minutes(1))),
        ("Future", Some(now() + Duration::days(1))),
        ("Endless", None),
    ] {
        let user = test
            .sign_up(name, &format!("{}@example.org", name.to_lowercase()))
            .await;
        let tx = test.context.job_store.begin().await.unwrap();
        let locked = StatusChange::Locked { until };
        users::change_status(&tx, user.clone(), locked, Reason::parse("Spam").ok(), &Actor::system())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        ids.push(user.id);
    }
    let worker = test.start(registry());
    run_by_the_clock(&test, "purge_expired").await;
    worker.stop().await;
    let users = user::Entity::find()
        .order_by_asc(user::Column::Id)
        .all(conn)
        .await
        .unwrap();
    let rows: Vec<_> = users
        .iter()
        .map(|user| (user.status, user.lock_reason.as_deref()))
        .collect();
    assert_eq!(
        rows,
        [
            (UserStatus::Active, None),
            (UserStatus::Locked, Some("Spam")),
            (UserStatus::Locked, Some("Spam"))
        ]
    );
    let noted = audit_log::Entity::find()
        .filter(audit_log::Column::Action.eq("unlock"))
        .all(conn)
        .await
        .unwrap();
    assert_eq!(
        noted.iter().map(|row| row.object_id.clone()).collect::<Vec<_>>(),
        [Some(ids[0].to_string())]
    );
}

#[on_both]
async fn an_account_that_was_deleted_a_month_ago_is_gone_with_its_mails(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    let worker = test.start(registry());
    let [old, fresh, kept] = [
        test.sign_up("Old", "old@example.org").await,
        test.sign_up("Fresh", "fresh@example.org").await,
        test.sign_up("Kept", "kept@example.org").await,
    ];
    for user in [&old, &fresh, &kept] {
        test.reaches(test.job_of(user).await.id, JobState::Done).await;
    }
    for (user, days) in [(&old, 31), (&fresh, 29)] {
        let at = Expr::value(now() - Duration::days(days));
        user::Entity::update_many()
            .col_expr(user::Column::DeletedAt, at)
            .filter(user::Column::Id.eq(user.id))
            .exec(&test.context.db)
            .await
            .unwrap();
    }
    run_by_the_clock(&test, "purge_deleted_users").await;
    worker.stop().await;
    let users = user::Entity::find()
        .order_by_asc(user::Column::Id)
        .all(&test.context.db)
        .await
        .unwrap();
    assert_eq!(
        users.iter().map(|user| user.id).collect::<Vec<_>>(),
        [fresh.id, kept.id]
    );
    let mut mails: Vec<_> = test
        .mails()
        .await
        .iter()
        .map(|mail: &mail::Model| mail.user_id)
        .collect();
    mails.sort_unstable();
    assert_eq!(mails, [Some(fresh.id), Some(kept.id)]);
    let purged = audit_log::Entity::find()
        .filter(audit_log::Column::Action.eq("purge"))
        .all(&test.context.db)
        .await
        .unwrap();
    assert_eq!(
        purged.iter().map(|row| row.object_id.clone()).collect::<Vec<_>>(),
        [Some(old.id.to_string())]
    );
}

#[on_both]
async fn an_account_that_a_table_holds_is_told_of_and_the_others_go(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    for (table, rule) in [
        ("articles", ""),
        ("drafts", "ON DELETE RESTRICT"),
        ("notes", "ON DELETE CASCADE"),
        ("likes", "ON DELETE SET NULL"),
    ] {
        test.sql(&format!(
            "CREATE TABLE {table} (id bigint PRIMARY KEY, author_id bigint REFERENCES users (id) {rule})"
        ))
        .await;
    }
    // Held through what would go with the account.
    test.sql("CREATE TABLE \"Foot notes\" (id bigint PRIMARY KEY, note_id bigint REFERENCES notes)")
        .await;
    let mut ids = vec![];
    for name in ["article", "free", "draft", "note", "footnote", "like"] {
        ids.push(test.sign_up(name, &format!("{name}@example.org")).await.id);
    }
    test.sql(&format!("INSERT INTO articles VALUES (1, {})", ids[0])).await;
    test.sql(&format!("INSERT INTO drafts VALUES (1, {})", ids[2])).await;
    test.sql(&format!("INSERT INTO notes VALUES (1, {}), (2, {})", ids[3], ids[4]))
        .await;
    test.sql("INSERT INTO \"Foot notes\" VALUES (1, 2)").await;
    test.sql(&format!("INSERT INTO likes VALUES (1, {})", ids[5])).await;
    let long_ago = Expr::value(now() - Duration::days(31));
    user::Entity::update_many()
        .col_expr(user::Column::DeletedAt, long_ago)
        .exec(&test.context.db)
        .await
        .unwrap();
    test.sql("DELETE FROM jobs").await;
    let worker = test.start(registry());
    let done = run_by_the_clock(&test, "purge_deleted_users").await;
    worker.stop().await;
    let left = user::Entity::find()
        .order_by_asc(user::Column::Id)
        .all(&test.context.db)
        .await
        .unwrap();
    assert_eq!(
        left.iter().map(|user| user.id).collect::<Vec<_>>(),
        [ids[0], ids[2], ids[4]]
    );
    let result = done.result.unwrap();
    assert_eq!((&result["purged"], &result["held"]), (&json!(3), &json!(3)), "{result}");
    let told: Vec<_> = result["accounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|held| (held["user_id"].clone(), held["column"].clone()))
        .collect();
    let expected = [
        (ids[0], "articles.author_id"),
        (ids[2], "drafts.author_id"),
        (ids[4], "Foot notes.note_id"),
    ];
    assert_eq!(told, expected.map(|(id, column)| (json!(id), json!(column))));
    let purged = audit_log::Entity::find()
        .filter(audit_log::Column::Action.eq("purge"))
        .count(&test.context.db)
        .await
        .unwrap();
    assert_eq!(purged, 3);
}

#[on_both]
async fn what_a_table_points_to_is_passed_over_by_the_other_purges(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    let conn = &test.context.db;
    let user = test.sign_up("Ada Lovelace", "ada@example.org").await;
    let (job, session) = (
        test.job_of(&user).await.id,
        session_that_expired(user.id, Duration::days(8)),
    );
    let kept = session.id.clone().unwrap();
    for session in [session, session_that_expired(user.id, Duration::days(8))] {
        session::Entity::insert(session)
            .exec_without_returning(conn)
            .await
            .unwrap();
    }
    let uuid = if conn.get_database_backend() == DbBackend::Postgres {
        "uuid"
    } else {
        "blob"
    };
    test.sql(&format!(
        "CREATE TABLE reports (job_id {uuid} REFERENCES jobs (id), session_id {uuid} REFERENCES sessions (id))"
    ))
    .await;
    test.sql("UPDATE jobs SET state = 'done', finished_at = '2020-01-01T00:00:00+00:00'")
        .await;
    let row = Statement::from_sql_and_values(
        conn.get_database_backend(),
        "INSERT INTO reports VALUES ($1, $2)",
        [job.into(), kept.into()],
    );
    conn.execute_raw(row).await.unwrap();
    let other = test.sign_up("Bob", "bob@example.org").await;
    test.sql(&format!(
        "UPDATE jobs SET state = 'done', finished_at = '2020-01-01T00:00:00+00:00' WHERE user_id = {}",
        other.id
    ))
    .await;
    let worker = test.start(registry());
    run_by_the_clock(&test, "prune").await;
    run_by_the_clock(&test, "purge_expired").await;
    worker.stop().await;
    let welcomes = job::Entity::find()
        .filter(job::Column::Kind.eq("welcome_email"))
        .all(conn)
        .await
        .unwrap();
    assert_eq!(welcomes.iter().map(|job| job.id).collect::<Vec<_>>(), [job]);
    let sessions = session::Entity::find().all(conn).await.unwrap();
    assert_eq!(sessions.iter().map(|session| session.id).collect::<Vec<_>>(), [kept]);
}

/// Lets the schedule's time come, and waits for the job that it makes.
async fn run_by_the_clock(test: &TestWorker, name: &str) -> job::Model {
    let db = &test.context.db;
    eventually(PATIENCE, "the schedule is declared", async || {
        let due = Expr::value(now() - Duration::seconds(1));
        let update = job_schedule::Entity::update_many().col_expr(job_schedule::Column::NextRunAt, due);
        let updated = update
            .filter(job_schedule::Column::Name.eq(name))
            .exec(db)
            .await
            .unwrap();
        (updated.rows_affected == 1).then_some(())
    })
    .await;
    eventually(PATIENCE, "its job is done", async || {
        let query = job::Entity::find().filter(job::Column::Kind.eq(name));
        let done = query.filter(job::Column::State.eq(JobState::Done));
        done.one(db).await.unwrap()
    })
    .await
}

fn session_that_expired(user_id: i64, ago: Duration) -> session::ActiveModel {
    let at = now();
    session::ActiveModel {
        id: Set(Uuid::now_v7()),
        user_id: Set(user_id),
        kind: Set(SessionKind::Api),
        token_hash: Set(Uuid::new_v4().as_bytes().to_vec()),
        created_at: Set(at),
        last_seen_at: Set(at),
        expires_at: Set(at - ago),
        ..Default::default()
    }
}
