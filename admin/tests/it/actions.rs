//! What staff do to accounts, keys, sessions, schedules and queues: asked, done, written down.

use axum::http::StatusCode;
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter,
    sea_query::{Expr, ExprTrait},
};
use usher_shared::{
    foundation::{
        entity::{
            api_key,
            job::{self, JobState},
            job_item, job_queue, job_schedule,
            mail::{self, MailState},
            mail_suppression, mfa_factor, session,
            user::{self, UserStatus},
        },
        rate_limit::{Quota, bucket},
        time::now,
    },
    jobs::{Schedule, VerifyEmail, mail_suppressions},
};
use usher_testkit::{TestDb, WAY_BACK, access_left, on_both, plant_access};

use crate::app::{PASSWORD, Page, TestApp, Visitor, between};

/// An action on one user, confirmed on the page that asks.
async fn send(visitor: &mut Visitor, action: &str, id: i64, more: &[(&str, &str)]) -> Page {
    let path = "/admin/users/actions";
    let asked = visitor
        .get(&format!("{path}?action={action}&id={id}&from_object={id}"))
        .await;
    let hidden = asked.hidden_of(path);
    let hidden = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let fields: Vec<_> = hidden
        .filter(|(name, _)| *name != "csrf_token")
        .chain(more.iter().copied())
        .collect();
    visitor.post(path, &fields).await
}

/// An action on one user, and what is said of it.
async fn act(visitor: &mut Visitor, action: &str, id: i64, more: &[(&str, &str)]) -> String {
    let page = send(visitor, action, id, more).await;
    assert_eq!(
        page.location(),
        format!("/admin/users/{id}"),
        "{action}: {} {}",
        page.status,
        page.body
    );
    let page = visitor.get(page.location()).await;
    between(&page.body, "role=\"status\">", "</p>").to_owned()
}

/// Confirms what a page asks.
async fn confirm(visitor: &mut Visitor, model: &str, action: &str, asked: &Page, more: &[(&str, &str)]) -> Page {
    let hidden = asked.hidden();
    let hidden = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let own = [("action", action), ("_confirmed", "yes")].into_iter();
    let fields: Vec<_> = own.chain(hidden).chain(more.iter().copied()).collect();
    visitor.post(&format!("/admin/{model}/actions"), &fields).await
}

async fn kinds(app: &TestApp) -> Vec<String> {
    let mut jobs = job::Entity::find().all(&app.context.db).await.unwrap();
    jobs.sort_by_key(|job| job.id);
    jobs.into_iter().map(|job| job.kind).collect()
}

#[on_both]
async fn failed_log_ins_are_forgotten_at_the_admin_and_at_the_api(db: TestDb) {
    let app = TestApp::with(db, &[("RATE_LIMITS", "on")]).await;
    let ada = app.add_user("ada@example.org", "Ada").await;
    let mut boss = app.superuser().await;
    let (limiter, one) = (app.context.limiter.clone(), Quota::per_hour(1));
    app.anonymous().sign_in("ada@example.org", "wrong").await;
    let buckets = [
        bucket::failures("ada@example.org"),
        bucket::neighbour_failures(ada.id),
        bucket::known_failures(ada.id),
        bucket::code_failures(ada.id),
    ];
    for bucket in &buckets[1..] {
        limiter.check(bucket, one).await;
    }
    for bucket in &buckets {
        assert!(!bucket.contains("ada"), "{bucket} tells Redis who it is about");
        assert!(!limiter.peek(bucket, one).await.allowed, "{bucket} counts");
    }
    act(&mut boss, "clear_failures", ada.id, &[]).await;
    for bucket in &buckets {
        assert!(limiter.peek(bucket, one).await.allowed, "{bucket} is forgotten");
    }
}

#[on_both]
async fn an_account_is_locked_with_a_reason_until_a_time(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.add_user("ada@example.org", "Ada").await;
    let mut boss = app.superuser().await;
    let id = ada.id.to_string();
    let page = boss
        .get(&format!("/admin/users/actions?action=lock&id={id}&from_object={id}"))
        .await;
    assert!(
        page.has("Lock: ada@example.org") && page.has("name=\"reason\"") && page.has("name=\"until\""),
        "{}",
        page.body
    );
    let fields = [
        ("action", "lock"),
        ("id", id.as_str()),
        ("from_object", &id),
        ("_confirmed", "yes"),
    ];
    let again = boss.post("/admin/users/actions", &fields).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY, "a lock takes a reason");
    let past = [&fields[..], &[("reason", "spam <b>"), ("until", "2001-01-01T00:00")]].concat();
    let again = boss.post("/admin/users/actions", &past).await;
    assert!(
        again.status == StatusCode::UNPROCESSABLE_ENTITY && again.has("spam &#60;b&#62;") && again.has("has passed")
    );
    assert_eq!(app.user(ada.id).await.status, UserStatus::Active);
    let said = act(
        &mut boss,
        "lock",
        ada.id,
        &[("reason", "spam"), ("until", "2099-01-01T00:00")],
    )
    .await;
    assert_eq!(said, "1 user locked");
    let locked = app.user(ada.id).await;
    assert_eq!(
        (locked.status, locked.lock_reason.as_deref()),
        (UserStatus::Locked, Some("spam"))
    );
    let page = boss.get(&format!("/admin/users/{id}")).await;
    assert!(
        page.has("Locked until 2099-01-01 00:00") && page.has("spam"),
        "the banner says why and until when"
    );
    let entry = app.audit().await.pop().unwrap();
    assert_eq!((entry.action.as_str(), entry.reason.as_deref()), ("lock", Some("spam")));
    assert_eq!(
        entry.changes.unwrap()["locked_until"],
        serde_json::json!([null, "2099-01-01T00:00:00.000000Z"])
    );
    let history = boss.get(&format!("/admin/users/{id}/history")).await;
    assert!(
        history.has("2099-01-01 00:00:00.000 UTC") && history.has("Locked</"),
        "{}",
        history.body
    );
    assert_eq!(act(&mut boss, "unlock", ada.id, &[]).await, "1 user unlocked");
    assert_eq!(app.user(ada.id).await.status, UserStatus::Active);
    assert!(
        act(&mut boss, "lock", app.admin.id, &[("reason", "x")])
            .await
            .contains("Nothing was done"),
        "not oneself"
    );
}

#[on_both]
async fn a_lock_with_an_end_does_not_replace_one_without_that_was_not_seen(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.add_user("ada@example.org", "Ada").await;
    let mut boss = app.superuser().await;
    let path = "/admin/users/actions";
    let opened = boss
        .get(&format!("{path}?action=lock&id={0}&from_object={0}", ada.id))
        .await
        .hidden_of(path);
    act(
        &mut app.superuser().await,
        "lock",
        ada.id,
        &[("reason", "Fraud, for good")],
    )
    .await;
    let hidden = opened
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| *name != "csrf_token");
    let fields: Vec<_> = hidden
        .chain([("reason", "Late payment"), ("until", "2099-01-01T00:00")])
        .collect();
    let page = boss.post(path, &fields).await;
    assert_eq!(page.status, StatusCode::CONFLICT, "{}", page.body);
    assert!(
        page.has("Fraud, for good") && page.has("Late payment") && page.has("2099-01-01T00:00"),
        "{}",
        page.body
    );
    let stored = app.user(ada.id).await;
    assert_eq!(
        (stored.lock_reason.as_deref(), stored.locked_until),
        (Some("Fraud, for good"), None)
    );
    // Neither does who saw another lock take this one away.
    let fields = [
        ("action", "unlock"),
        ("id", &ada.id.to_string()),
        ("from_object", &ada.id.to_string()),
        ("_seen", &format!("{{\"versions\":{{\"{}\":\"1\"}}}}", ada.id)),
    ];
    assert_eq!(boss.post(path, &fields).await.status, StatusCode::CONFLICT);
    assert_eq!(app.user(ada.id).await.status, UserStatus::Locked);
    // Among many, those that were changed are left alone.
    let other = app.add_user("other@example.org", "Other").await;
    let page = boss
        .get(&format!("{path}?action=deactivate&id={}&id={}", ada.id, other.id))
        .await;
    let hidden = page.hidden_of(path);
    act(&mut app.superuser().await, "unlock", ada.id, &[]).await;
    let fields: Vec<_> = hidden
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| *name != "csrf_token")
        .collect();
    let page = boss.post(path, &fields).await;
    assert!(
        boss.get(page.location())
            .await
            .has("1 user deactivated; 1 skipped: it changed after"),
        "{}",
        page.body
    );
    assert_eq!(app.user(ada.id).await.status, UserStatus::Active);
}

#[on_both]
async fn second_factors_that_were_not_seen_are_not_reset(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.add_user("ada@example.org", "Ada").await;
    let old = app.add_factor(ada.id).await;
    let mut boss = app.superuser().await;
    let path = "/admin/users/actions";
    let opened = boss
        .get(&format!("{path}?action=reset_mfa&id={0}&from_object={0}", ada.id))
        .await
        .hidden_of(path);
    usher_shared::accounts::mfa::remove(&app.context.db, ada.id, old)
        .await
        .unwrap();
    let newer = app.add_factor(ada.id).await.to_string();
    let factor = old.to_string();
    let hidden = opened
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| *name != "csrf_token");
    let fields: Vec<_> = hidden
        .chain([("reason", "lost"), ("factor", factor.as_str())])
        .collect();
    let page = boss.post(path, &fields).await;
    assert!(page.status == StatusCode::CONFLICT && page.has(&newer), "{}", page.body);
}

#[on_both]
async fn staff_help_an_owner_back_in(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.add_user("ada@example.org", "Ada").await;
    let mut boss = app.superuser().await;
    assert!(
        act(&mut boss, "resend_verification", ada.id, &[])
            .await
            .starts_with("1 user")
    );
    assert!(
        act(&mut boss, "send_password_reset", ada.id, &[])
            .await
            .starts_with("1 user")
    );
    assert_eq!(kinds(&app).await, ["welcome_email", "verify_email", "password_reset"]);
    let factor = app.add_factor(ada.id).await.to_string();
    assert!(
        act(&mut boss, "reset_mfa", ada.id, &[("reason", "lost")])
            .await
            .contains("select at least one authenticator")
    );
    act(
        &mut boss,
        "reset_mfa",
        ada.id,
        &[("reason", "lost"), ("factor", &factor)],
    )
    .await;
    assert!(mfa_factor::Entity::find().one(&app.context.db).await.unwrap().is_none());
    assert_eq!(
        kinds(&app).await.pop().as_deref(),
        Some("mfa_changed"),
        "the owner is told"
    );
    let actions: Vec<_> = app.audit().await.into_iter().map(|entry| entry.action).collect();
    for action in ["resend_verification", "send_password_reset", "reset_mfa"] {
        assert!(actions.iter().any(|each| each == action), "{action}: {actions:?}");
    }
}

#[on_both]
async fn what_does_not_fit_is_not_offered(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.add_user("ada@example.org", "Ada").await;
    let mut boss = app.superuser().await;
    let path = format!("/admin/users/{}", ada.id);
    assert!(
        !boss.get(&path).await.has("Reset two-factor authentication"),
        "there is none"
    );
    assert_eq!(
        act(&mut boss, "reset_mfa", ada.id, &[("reason", "x")]).await,
        "Nothing was done: two-factor authentication isn&#39;t set up"
    );
    app.add_factor(ada.id).await;
    assert!(boss.get(&path).await.has("Reset two-factor authentication"));
    boss.get(&format!("{path}/delete")).await;
    boss.post(&format!("{path}/delete"), &[]).await;
    for path in [path.as_str(), "/admin/users?deleted_at__isnull=false"] {
        let page = boss.get(path).await;
        assert!(
            page.has(">Deleted</span>") && !page.has(">Active</span>"),
            "{path}: {}",
            page.body
        );
    }
}

#[on_both]
async fn what_is_gone_has_a_history_and_no_page(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.add_user("ada@example.org", "Ada").await;
    let mut boss = app.superuser().await;
    let job = job::Entity::find().one(&app.context.db).await.unwrap().unwrap();
    let mailed = mail::ActiveModel {
        id: Set(uuid::Uuid::now_v7()),
        job_id: Set(Some(job.id)),
        kind: Set(job.kind.clone()),
        user_id: Set(Some(ada.id)),
        to_address: Set("ada@example.org".to_owned()),
        subject: Set("Welcome".to_owned()),
        state: Set(MailState::Failed),
        message_id: Set("1@example.org".to_owned()),
        created_at: Set(now()),
        ..Default::default()
    };
    let mailed = mailed.insert(&app.context.db).await.unwrap();
    let (path, mail) = (format!("/admin/jobs/{}", job.id), format!("/admin/mails/{}", mailed.id));
    let link = format!("href=\"{path}\"");
    assert!(boss.get(&mail).await.has(&link));
    let cancelled = job::ActiveModel {
        state: Set(JobState::Cancelled),
        ..job.clone().into()
    };
    cancelled.update(&app.context.db).await.unwrap();
    boss.get(&format!("{path}/delete")).await;
    boss.post(&format!("{path}/delete"), &[("reason", "tidy")]).await;
    assert!(
        job::Entity::find_by_id(job.id)
            .one(&app.context.db)
            .await
            .unwrap()
            .is_none()
    );
    let page = boss.get(&path).await;
    assert_eq!(page.location(), format!("{path}/history"), "{}", page.body);
    let history = boss.get(page.location()).await;
    assert!(
        history.status == StatusCode::OK
            && history.has("This was deleted")
            && history.has("tidy")
            && !history.has(&link),
        "{}",
        history.body
    );
    job::Entity::delete_by_id(job.id).exec(&app.context.db).await.unwrap();
    assert!(!boss.get(&mail).await.has(&link), "what has no page is no link");
    for never in [uuid::Uuid::now_v7().to_string(), "nonsense".to_owned()] {
        assert_eq!(
            boss.get(&format!("/admin/jobs/{never}")).await.status,
            StatusCode::NOT_FOUND
        );
        assert_eq!(
            boss.get(&format!("/admin/jobs/{never}/history")).await.status,
            StatusCode::NOT_FOUND
        );
    }
}

#[on_both]
async fn sessions_are_revoked_one_or_all(db: TestDb) {
    let app = TestApp::start(db).await;
    let sam = app.add_staff("sam@example.org", &[]).await;
    let (mut one, mut other) = (
        app.signed_in("sam@example.org").await,
        app.signed_in("sam@example.org").await,
    );
    let mut boss = app.superuser().await;
    let sessions = session::Entity::find().all(&app.context.db).await.unwrap();
    let mut own: Vec<_> = sessions
        .into_iter()
        .filter(|session| session.user_id == sam.id)
        .collect();
    own.sort_by_key(|session| session.id);
    let id = own[0].id.to_string();
    boss.get(&format!("/admin/sessions/{id}")).await;
    boss.post(
        "/admin/sessions/actions",
        &[("action", "revoke"), ("id", &id), ("from_object", &id)],
    )
    .await;
    assert!(one.get("/admin/").await.location().starts_with("/admin/login"));
    assert_eq!(other.get("/admin/").await.status, StatusCode::OK);
    act(&mut boss, "revoke_sessions", sam.id, &[]).await;
    assert!(other.get("/admin/").await.location().starts_with("/admin/login"));
}

#[on_both]
async fn what_goes_with_a_deletion_is_counted_and_named(db: TestDb) {
    let app = TestApp::start(db).await;
    let sam = app.add_staff("sam@example.org", &[]).await;
    app.signed_in("sam@example.org").await;
    let mut boss = app.superuser().await;
    let path = format!("/admin/users/{}/delete", sam.id);
    let page = boss.get(&path).await;
    assert!(
        page.has("1 session will be removed too") && !page.has("they created"),
        "{}",
        page.body
    );
    app.signed_in("sam@example.org").await;
    assert!(boss.get(&path).await.has("2 sessions will be removed too"));
}

#[on_both]
async fn a_deleted_account_is_hidden_and_comes_back(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.add_user("ada@example.org", "Ada").await;
    let mut boss = app.superuser().await;
    let path = format!("/admin/users/{}", ada.id);
    let page = boss.get(&format!("{path}/delete")).await;
    assert!(
        page.has("Delete: ada@example.org") && page.has("You can restore it"),
        "{}",
        page.body
    );
    boss.post(&format!("{path}/delete"), &[("reason", "asked by mail")])
        .await;
    assert!(app.user(ada.id).await.deleted_at.is_some());
    assert!(!boss.get("/admin/users").await.has("ada@example.org"));
    assert!(
        boss.get("/admin/users?deleted_at__isnull=false")
            .await
            .has("ada@example.org")
    );
    let page = boss.get(&path).await;
    assert!(page.has("Restore") && page.input("email").is_none());
    boss.post(&format!("{path}/restore"), &[]).await;
    assert!(app.user(ada.id).await.deleted_at.is_none());
    let actions: Vec<_> = app.audit().await.into_iter().map(|entry| entry.action).collect();
    assert_eq!(actions[actions.len() - 2..], ["delete", "restore"]);
}

#[on_both]
async fn only_superusers_touch_colleagues_whatever_they_post(db: TestDb) {
    let app = TestApp::start(db).await;
    let colleague = app.add_staff("colleague@example.org", &["users.view"]).await;
    let mut visitor = app
        .staff(&[
            "users.view",
            "users.change",
            "users.delete",
            "users.lock",
            "users.deactivate",
            "users.revoke_sessions",
        ])
        .await;
    for id in [app.admin.id, colleague.id] {
        let before = app.user(id).await;
        for action in ["lock", "deactivate", "revoke_sessions", "delete"] {
            assert!(
                act(&mut visitor, action, id, &[("reason", "x")])
                    .await
                    .contains("Nothing was done"),
                "{action}"
            );
        }
        assert_eq!(
            visitor.get(&format!("/admin/users/{id}/delete")).await.status,
            StatusCode::FORBIDDEN
        );
        assert_eq!(app.user(id).await.status, before.status);
        assert!(app.user(id).await.deleted_at.is_none());
    }
}

#[on_both]
async fn what_is_ticked_and_what_matches_are_not_the_same(db: TestDb) {
    let app = TestApp::start(db).await;
    for number in 0..60 {
        app.add_user(&format!("p{number:02}@example.org"), "Page Filler").await;
    }
    let other = app.add_user("other@example.org", "Other").await;
    let mut boss = app.superuser().await;
    let page = boss.get("/admin/users?q=filler").await;
    assert!(page.has("All 60 users that match"), "{}", page.body);
    let fields = [("action", "deactivate"), ("_all", "yes"), ("_list", "q=filler")];
    let page = boss.post("/admin/users/actions", &fields).await;
    assert!(page.has("Deactivate: 60 users"), "{}", page.body);
    let unseen = boss
        .post(
            "/admin/users/actions",
            &[&fields[..], &[("_confirmed", "yes")]].concat(),
        )
        .await;
    assert!(
        unseen.has("Deactivate: 60 users"),
        "whoever has not seen which they are is asked: {}",
        unseen.body
    );
    let page = confirm(&mut boss, "users", "deactivate", &page, &[]).await;
    assert_eq!(page.location(), "/admin/users?q=filler");
    let users = user::Entity::find().all(&app.context.db).await.unwrap();
    assert_eq!(
        users
            .iter()
            .filter(|user| user.status == UserStatus::Deactivated)
            .count(),
        60
    );
    assert_eq!(app.user(other.id).await.status, UserStatus::Active);
    assert_eq!(
        app.audit()
            .await
            .iter()
            .filter(|entry| entry.action == "deactivate")
            .count(),
        60,
        "each is written down"
    );
    let nothing = boss
        .post(
            "/admin/users/actions",
            &[("action", "deactivate"), ("_list", "q=filler")],
        )
        .await;
    assert!(boss.get(nothing.location()).await.has("Select one or more users first"));
}

#[on_both]
async fn what_was_named_is_what_is_done(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut people = vec![];
    for number in 0..4 {
        people.push(app.add_user(&format!("n{number}@example.org"), "Named Person").await);
    }
    let mut boss = app.superuser().await;
    let list = [
        ("action", "deactivate"),
        ("_all", "yes"),
        ("_list", "q=named&status=active"),
    ];
    let set = async |name: &str, status: UserStatus, id: i64| {
        let row = user::ActiveModel {
            name: Set(name.to_owned()),
            status: Set(status),
            ..app.user(id).await.into()
        };
        row.update(&app.context.db).await.unwrap();
    };
    // Two match when it is asked; one of them leaves before it is confirmed, one comes back, and one is new.
    set("Other Person", UserStatus::Active, people[2].id).await;
    set("Named Person", UserStatus::Locked, people[3].id).await;
    let asked = boss.post("/admin/users/actions", &list).await;
    assert!(asked.has("Deactivate: 2 users"), "{}", asked.body);
    set("Named Person", UserStatus::Active, people[2].id).await;
    set("Named Person", UserStatus::Active, people[3].id).await;
    set("Other Person", UserStatus::Active, people[1].id).await;
    let late = app.add_user("late@example.org", "Named Late").await;
    let page = confirm(&mut boss, "users", "deactivate", &asked, &[]).await;
    let said = boss.get(page.location()).await;
    assert!(
        said.has("1 user deactivated; 1 skipped: it no longer matches the list"),
        "{}",
        said.body
    );
    for (id, status) in [
        (people[0].id, UserStatus::Deactivated),
        (people[1].id, UserStatus::Active),
        (people[2].id, UserStatus::Active),
        (people[3].id, UserStatus::Active),
        (late.id, UserStatus::Active),
    ] {
        assert_eq!(app.user(id).await.status, status, "{id}");
    }
}

#[on_both]
async fn more_than_can_be_named_are_counted_and_asked_about_again(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut boss = app.superuser().await;
    let jobs = |state: JobState, count: usize| {
        (0..count).map(move |_| job::ActiveModel {
            id: Set(uuid::Uuid::now_v7()),
            queue: Set("default".to_owned()),
            kind: Set("noop".to_owned()),
            version: Set(1),
            payload: Set(serde_json::json!({})),
            state: Set(state),
            priority: Set(5),
            run_at: Set(now()),
            next_dispatch_at: Set(now()),
            created_at: Set(now()),
            finished_at: Set((state != JobState::Ready).then(now)),
            ..Default::default()
        })
    };
    job::Entity::insert_many(jobs(JobState::Done, 3))
        .exec_without_returning(&app.context.db)
        .await
        .unwrap();
    job::Entity::insert_many(jobs(JobState::Dead, 600))
        .exec_without_returning(&app.context.db)
        .await
        .unwrap();
    let list = [("action", "delete"), ("_all", "yes"), ("_list", "state=dead")];
    let asked = boss.post("/admin/jobs/actions", &list).await;
    assert!(
        asked.has("Delete: 600 jobs") && asked.input("reason").is_some(),
        "{}",
        asked.body
    );

    // New ones are beyond what was named; older ones that match by now are asked about.
    job::Entity::insert_many(jobs(JobState::Dead, 2))
        .exec_without_returning(&app.context.db)
        .await
        .unwrap();
    let done = Expr::col(job::Column::State).eq("done");
    job::Entity::update_many()
        .col_expr(job::Column::State, Expr::value("dead"))
        .filter(done)
        .exec(&app.context.db)
        .await
        .unwrap();
    let named = asked.input("_named").unwrap();
    let older = asked.hidden();
    let again = confirm(&mut boss, "jobs", "delete", &asked, &[("reason", "old")]).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{}", again.body);
    assert!(
        again.has("Delete: 605 jobs") && again.has("it had 600 jobs before") && again.has("value=\"old\""),
        "{}",
        again.body
    );
    assert!(again.hidden() != older && again.input("_named").unwrap() != named);
    assert_eq!(
        job_item::Entity::find().count(&app.context.db).await.unwrap(),
        0,
        "nothing was ordered"
    );

    job::Entity::insert_many(jobs(JobState::Dead, 7))
        .exec_without_returning(&app.context.db)
        .await
        .unwrap();
    let page = confirm(&mut boss, "jobs", "delete", &again, &[("reason", "old")]).await;
    let ordered = boss.get(page.location()).await;
    assert!(
        ordered.has("a job is processing 605 jobs"),
        "{} {}",
        page.location(),
        ordered.body
    );
    assert_eq!(
        job_item::Entity::find().count(&app.context.db).await.unwrap(),
        605,
        "none of those that came later"
    );
}

#[on_both]
async fn the_list_stays_as_it_was_through_a_delete_and_when_nothing_is_chosen(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.add_user("ada@example.org", "Ada").await;
    let (mut boss, id) = (app.superuser().await, ada.id.to_string());
    let list = "status=active&q=ada&o=name";
    boss.get("/admin/users").await;
    let nothing = boss
        .post("/admin/users/actions", &[("action", ""), ("id", &id), ("_list", list)])
        .await;
    assert_eq!(nothing.location(), "/admin/users?status=active&q=ada&o=name");
    assert!(boss.get(nothing.location()).await.has("Choose an action first"));
    assert_eq!(
        boss.post("/admin/users/actions", &[("id", &id)]).await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        boss.post("/admin/users/actions", &[("action", "no_such"), ("id", &id)])
            .await
            .status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        app.audit()
            .await
            .iter()
            .filter(|entry| entry.object_id.as_deref() == Some(id.as_str()))
            .count(),
        0,
        "nothing was done"
    );
    let page = boss
        .get(&format!("/admin/users/{id}?_list=status%3Dactive%26q%3Dada%26o%3Dname"))
        .await;
    let to_delete = format!("/admin/users/{id}/delete?_list=status%3Dactive%26q%3Dada%26o%3Dname");
    assert!(page.has(&format!("href=\"{to_delete}\"")), "{}", page.body);
    let page = boss.get(&to_delete).await;
    let back = page.input("_list").unwrap();
    assert_eq!(back, list);
    let done = boss
        .post(&format!("/admin/users/{id}/delete"), &[("_list", back.as_str())])
        .await;
    assert_eq!(done.location(), "/admin/users?status=active&q=ada&o=name");
    let list = boss.get(done.location()).await;
    assert!(
        list.has("1 user deleted") && list.has(&format!("<a href=\"/admin/users/{id}\">Undo</a>")),
        "{}",
        list.body
    );
    assert!(boss.get(&format!("/admin/users/{id}")).await.has("Restore"));
}

#[on_both]
async fn more_than_five_hundred_become_a_job(db: TestDb) {
    let app = TestApp::start(db).await;
    let at = now();
    let rows = (0..501).map(|number| user::ActiveModel {
        email: Set(format!("b{number}@example.org")),
        email_key: Set(format!("b{number}@example.org")),
        name: Set("Bulk".to_owned()),
        status: Set(UserStatus::Active),
        is_staff: Set(false),
        is_superuser: Set(false),
        version: Set(1),
        created_at: Set(at),
        updated_at: Set(at),
        ..Default::default()
    });
    user::Entity::insert_many(rows)
        .exec_without_returning(&app.context.db)
        .await
        .unwrap();
    let mut boss = app.superuser().await;
    boss.get("/admin/users").await;
    let fields = [
        ("action", "lock"),
        ("_all", "yes"),
        ("_list", "q=bulk"),
        ("reason", "sweep"),
    ];
    let asked = boss.post("/admin/users/actions", &fields).await;
    assert!(asked.has("Lock: 501 users"), "{}", asked.body);
    let named = asked.input("_named").unwrap();
    let page = boss
        .post(
            "/admin/users/actions",
            &[&fields[..], &[("_confirmed", "yes"), ("_named", &named)]].concat(),
        )
        .await;
    assert!(
        page.location().starts_with("/admin/jobs/"),
        "{} {}",
        page.location(),
        page.body
    );
    let page = boss.get(page.location()).await;
    assert!(
        page.has("a job is processing 501 users") && page.has("0 of 501"),
        "{}",
        page.body
    );
    assert_eq!(job_item::Entity::find().all(&app.context.db).await.unwrap().len(), 501);
    // What has no job of its own is refused before anybody has confirmed it or written down why.
    for action in ["revoke_sessions", "delete"] {
        let fields = [("action", action), ("_all", "yes"), ("_list", "q=bulk")];
        let page = boss.post("/admin/users/actions", &fields).await;
        assert!(
            page.has("works on up to 500 users at once") && page.input("_confirmed").is_none(),
            "{}",
            page.body
        );
        let forced = [&fields[..], &[("_confirmed", "yes"), ("_named", &named)]].concat();
        let page = boss.post("/admin/users/actions", &forced).await;
        assert!(boss.get(page.location()).await.has("Nothing was done"));
    }
}

#[on_both]
async fn an_api_key_is_shown_once_and_revoked(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut boss = app.superuser().await;
    boss.get("/admin/api_keys/new").await;
    let fields = [
        ("name", "billing"),
        ("allowed_cidrs", "10.0.0.0/99"),
        ("requests_per_minute", ""),
        ("expires_at", ""),
    ];
    assert_eq!(
        boss.post("/admin/api_keys/new", &fields).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    let fields = [
        ("name", "billing"),
        ("allowed_cidrs", "10.0.0.0/8"),
        ("requests_per_minute", "60"),
        ("expires_at", ""),
        ("scope", "users:read"),
    ];
    let page = boss.post("/admin/api_keys/new", &fields).await;
    let key = api_key::Entity::find().one(&app.context.db).await.unwrap().unwrap();
    assert_eq!(
        (
            key.scopes.as_str(),
            key.allowed_cidrs.as_deref(),
            key.requests_per_minute
        ),
        ("users:read", Some("10.0.0.0/8"), Some(60))
    );
    assert_eq!(page.location(), format!("/admin/api_keys/{}", key.id));
    let shown = boss.get(page.location()).await;
    assert!(shown.has("uak_") && shown.has("won't be shown again"));
    let again = boss.get(page.location()).await;
    assert!(!again.has("won't be shown again") && again.has(&key.hint) && !again.has("token_hash"));
    let id = key.id.to_string();
    let fields = [
        ("action", "revoke"),
        ("id", id.as_str()),
        ("from_object", &id),
        ("_confirmed", "yes"),
    ];
    boss.post("/admin/api_keys/actions", &fields).await;
    assert!(
        api_key::Entity::find()
            .one(&app.context.db)
            .await
            .unwrap()
            .unwrap()
            .revoked_at
            .is_some()
    );
}

#[on_both]
async fn schedules_run_now_and_change_their_times(db: TestDb) {
    let app = TestApp::start(db).await;
    app.context
        .job_store
        .declare(&[Schedule::new("nightly", "0 3 * * *", &VerifyEmail { user_id: 1 })])
        .await
        .unwrap();
    let mut boss = app.superuser().await;
    let schedule = job_schedule::Entity::find()
        .one(&app.context.db)
        .await
        .unwrap()
        .unwrap();
    let (id, path) = (schedule.id.to_string(), format!("/admin/schedules/{}", schedule.id));
    boss.get(&path).await;
    boss.post(
        "/admin/schedules/actions",
        &[("action", "run_now"), ("id", &id), ("from_object", &id)],
    )
    .await;
    assert_eq!(kinds(&app).await, ["verify_email"]);
    let fields = [
        ("row_version", "1"),
        ("cron", "nonsense"),
        ("time_zone", "UTC"),
        ("catch_up", "one"),
        ("enabled", "true"),
    ];
    assert_eq!(boss.post(&path, &fields).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let fields = [
        ("row_version", "1"),
        ("cron", "30 4 * * *"),
        ("time_zone", "Europe/Paris"),
        ("catch_up", "one"),
        ("enabled", "true"),
    ];
    assert_eq!(boss.post(&path, &fields).await.status, StatusCode::SEE_OTHER);
    let changed = job_schedule::Entity::find()
        .one(&app.context.db)
        .await
        .unwrap()
        .unwrap();
    assert_ne!(
        changed.next_run_at, schedule.next_run_at,
        "the next time follows the pattern"
    );
    boss.post(
        "/admin/schedules/actions",
        &[("action", "disable"), ("id", &id), ("from_object", &id)],
    )
    .await;
    assert!(
        !job_schedule::Entity::find()
            .one(&app.context.db)
            .await
            .unwrap()
            .unwrap()
            .enabled
    );
}

#[on_both]
async fn a_schedule_keeps_its_overdue_tick_and_shows_when_it_comes(db: TestDb) {
    let app = TestApp::start(db).await;
    app.context
        .job_store
        .declare(&[Schedule::new("nightly", "0 3 * * *", &VerifyEmail { user_id: 1 })])
        .await
        .unwrap();
    let mut boss = app.superuser().await;
    let stored = async || {
        job_schedule::Entity::find()
            .one(&app.context.db)
            .await
            .unwrap()
            .unwrap()
    };
    let overdue = now() - chrono::TimeDelta::hours(2);
    let row = job_schedule::ActiveModel {
        next_run_at: Set(overdue),
        ..stored().await.into_active_model()
    };
    row.update(&app.context.db).await.unwrap();
    let path = format!("/admin/schedules/{}", stored().await.id);
    let shown = boss.get(&path).await;
    assert_eq!(shown.body.matches(" 03:00 UTC</li>").count(), 5, "{}", shown.body);

    let save = async |boss: &mut Visitor, cron: &str, zone: &str, catch_up: &str, enabled: &str| {
        let version = stored().await.row_version.to_string();
        let fields = [
            ("row_version", version.as_str()),
            ("cron", cron),
            ("time_zone", zone),
            ("catch_up", catch_up),
            ("enabled", enabled),
        ];
        boss.post(&path, &fields).await
    };
    assert_eq!(
        save(&mut boss, " 0 3 * * * ", "UTC", "all", "true").await.status,
        StatusCode::SEE_OTHER
    );
    assert_eq!(
        (stored().await.next_run_at, stored().await.row_version),
        (overdue, 2),
        "what it follows from is as it was"
    );
    for (cron, words) in [
        ("*/10 * * * * *", "it has 6 fields; write five"),
        ("*/90 * * * *", "steps of 90 do not fit"),
        ("0 0 31 2 *", "would never run"),
    ] {
        let refused = save(&mut boss, cron, "UTC", "all", "true").await;
        assert!(
            refused.status == StatusCode::UNPROCESSABLE_ENTITY && refused.has(words),
            "{cron}: {}",
            refused.body
        );
    }
    let refused = save(&mut boss, "30 4 * * *", "UTC", "never", "true").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        refused.body.matches(" 04:30 UTC</li>").count(),
        5,
        "of what was typed: {}",
        refused.body
    );
    assert_eq!(stored().await.next_run_at, overdue);
    let id = stored().await.id.to_string();
    let turn = async |boss: &mut Visitor, action: &str| {
        boss.get(&path).await;
        boss.post(
            "/admin/schedules/actions",
            &[("action", action), ("id", &id), ("from_object", &id)],
        )
        .await
    };
    turn(&mut boss, "disable").await;
    assert_eq!(
        (stored().await.next_run_at, stored().await.enabled),
        (overdue, false),
        "off"
    );
    assert!(boss.get(&path).await.has("Next runs once enabled:"));
    turn(&mut boss, "enable").await;
    assert!(
        stored().await.next_run_at > now(),
        "times that passed while it was off are not made up for"
    );
}

#[on_both]
async fn queues_are_paused_from_the_overview(db: TestDb) {
    let app = TestApp::start(db).await;
    app.add_user("ada@example.org", "Ada").await;
    let mut boss = app.superuser().await;
    app.take_statements();
    let page = boss.get("/admin/jobs/overview").await;
    assert!(
        page.has("welcome_email") && page.has("No worker has been seen in the last minute"),
        "{}",
        page.body
    );
    assert!(app.take_statements().len() <= 6);
    for range in ["hour", "day", "week", "nonsense"] {
        assert_eq!(
            boss.get(&format!("/admin/jobs/overview?range={range}")).await.status,
            StatusCode::OK
        );
    }
    app.take_statements();
    boss.get("/admin/jobs/overview").await;
    assert!(
        app.take_statements().len() <= 1,
        "who comes within two seconds reads nothing anew"
    );
    boss.post("/admin/jobs/overview", &[("queue", "mail"), ("action", "pause")])
        .await;
    let queue = job_queue::Entity::find().one(&app.context.db).await.unwrap().unwrap();
    assert!(queue.name == "mail" && queue.paused_at.is_some());
    assert!(boss.get("/admin/jobs/overview").await.has("Paused by"));
    boss.post("/admin/jobs/overview", &[("queue", "mail"), ("action", "resume")])
        .await;
    assert!(
        job_queue::Entity::find()
            .one(&app.context.db)
            .await
            .unwrap()
            .unwrap()
            .paused_at
            .is_none()
    );
    let mut viewer = app.staff(&["jobs.view"]).await;
    let page = viewer.get("/admin/jobs/overview").await;
    assert!(page.status == StatusCode::OK && !page.has(">Pause<"));
    assert_eq!(
        viewer
            .post("/admin/jobs/overview", &[("queue", "mail"), ("action", "pause")])
            .await
            .status,
        StatusCode::FORBIDDEN
    );
}

#[on_both]
async fn a_suppressed_address_is_tried_again_once_it_is_deleted(db: TestDb) {
    let app = TestApp::start(db).await;
    mail_suppressions::add(&app.context.db, "gone@example.org", "550 no such user", None)
        .await
        .unwrap();
    let mut boss = app.superuser().await;
    let list = boss.get("/admin/suppressions").await;
    assert!(
        list.has("gone@example.org") && list.has("550 no such user"),
        "{}",
        list.body
    );
    boss.get("/admin/suppressions/gone@example.org/delete").await;
    boss.post("/admin/suppressions/gone@example.org/delete", &[]).await;
    assert!(
        mail_suppression::Entity::find()
            .one(&app.context.db)
            .await
            .unwrap()
            .is_none()
    );
}

#[on_both]
async fn an_owner_changes_their_own_password(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut boss = app.superuser().await;
    let mut elsewhere = app.superuser().await;
    assert!(boss.get("/admin/account").await.has("This browser"));
    let new = "quite another set of words";
    for (present, again, said) in [
        ("wrong", new, "Enter your current password"),
        (PASSWORD, "else", "don't match"),
    ] {
        let page = boss
            .post(
                "/admin/account/password",
                &[("present", present), ("new", new), ("again", again)],
            )
            .await;
        assert!(
            page.status == StatusCode::UNPROCESSABLE_ENTITY && page.has(said),
            "{}",
            page.body
        );
    }
    let page = boss
        .post(
            "/admin/account/password",
            &[("present", PASSWORD), ("new", "short"), ("again", "short")],
        )
        .await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    plant_access(&app.context.db, &app.context.config.secret_key, &app.admin).await;
    boss.post(
        "/admin/account/password",
        &[("present", PASSWORD), ("new", new), ("again", new)],
    )
    .await;
    assert_eq!(
        access_left(&app.context.db, app.admin.id).await,
        [WAY_BACK, "session admin"],
        "as at every other door"
    );
    assert_eq!(boss.get("/admin/").await.status, StatusCode::OK, "this session stays");
    assert!(
        elsewhere.get("/admin/").await.location().starts_with("/admin/login"),
        "the others end"
    );
    assert_eq!(
        app.anonymous().sign_in(crate::app::ADMIN, PASSWORD).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        app.anonymous().sign_in(crate::app::ADMIN, new).await.status,
        StatusCode::SEE_OTHER
    );
}

#[on_both]
async fn an_owner_signs_out_elsewhere(db: TestDb) {
    let app = TestApp::start(db).await;
    let (mut boss, mut elsewhere) = (app.superuser().await, app.superuser().await);
    let mut sam = {
        app.add_staff("sam@example.org", &[]).await;
        app.signed_in("sam@example.org").await
    };
    boss.get("/admin/account").await;
    let foreign = session::Entity::find()
        .all(&app.context.db)
        .await
        .unwrap()
        .into_iter()
        .find(|row| row.user_id != app.admin.id)
        .unwrap();
    boss.post("/admin/account/sessions/revoke", &[("id", &foreign.id.to_string())])
        .await;
    assert_eq!(sam.get("/admin/").await.status, StatusCode::OK, "only one's own");
    boss.post("/admin/account/sessions/revoke", &[]).await;
    assert!(elsewhere.get("/admin/").await.location().starts_with("/admin/login"));
    assert_eq!(boss.get("/admin/").await.status, StatusCode::OK);
}

#[on_both]
async fn a_save_that_cannot_be_written_down_does_not_happen(db: TestDb) {
    use sea_orm::ConnectionTrait;
    let app = TestApp::start(db).await;
    let ada = app.add_user("ada@example.org", "Ada").await;
    let mut boss = app.superuser().await;
    let path = format!("/admin/users/{}", ada.id);
    let page = boss.get(&path).await;
    app.context
        .db
        .execute_unprepared("ALTER TABLE audit_log RENAME TO audit_log_away")
        .await
        .unwrap();
    let version = page.input("version").unwrap();
    let fields = [
        ("version", version.as_str()),
        ("email", "ada@example.org"),
        ("name", "Changed"),
        ("age", ""),
        ("status", "active"),
        ("locked_until", ""),
        ("lock_reason", ""),
    ];
    assert_eq!(
        boss.post(&path, &fields).await.status,
        StatusCode::INTERNAL_SERVER_ERROR
    );
    assert_eq!(
        send(&mut boss, "lock", ada.id, &[("reason", "x")]).await.status,
        StatusCode::INTERNAL_SERVER_ERROR
    );
    app.context
        .db
        .execute_unprepared("ALTER TABLE audit_log_away RENAME TO audit_log")
        .await
        .unwrap();
    let stored = app.user(ada.id).await;
    assert_eq!((stored.name.as_str(), stored.status), ("Ada", UserStatus::Active));
}
