//! Users: looked at, changed, added.

use axum::http::StatusCode;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ConnectionTrait, EntityTrait, IntoActiveModel};
use usher_shared::foundation::entity::{
    audit_log::ActorKind,
    job,
    user::{self, UserStatus},
};
use usher_testkit::{TestDb, on_both};

use crate::app::{ADMIN, Page, TestApp, Visitor};

/// Opens a user's form, then sends it with these changes and the version it was opened with.
async fn save(visitor: &mut Visitor, user: &user::Model, version: i32, changes: &[(&str, &str)]) -> Page {
    visitor.get(&format!("/admin/users/{}", user.id)).await;
    send(visitor, user, version, changes).await
}

async fn send(visitor: &mut Visitor, user: &user::Model, version: i32, changes: &[(&str, &str)]) -> Page {
    let (version, path) = (version.to_string(), format!("/admin/users/{}", user.id));
    let mut fields = vec![
        ("version", version.as_str()),
        ("email", &user.email),
        ("name", &user.name),
        ("age", ""),
        ("status", "active"),
        ("locked_until", ""),
        ("lock_reason", ""),
        ("_save", "continue"),
    ];
    for (name, value) in changes {
        fields.retain(|(field, _)| field != name);
        fields.push((name, value));
    }
    visitor.post(&path, &fields).await
}

#[on_both]
async fn a_change_is_saved_with_its_audit_row(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.add_user("ada@example.org", "Ada").await;
    let mut visitor = app.superuser().await;
    let changes = [("name", "Ada Lovelace"), ("age", "36")];
    let page = save(&mut visitor, &ada, 1, &changes).await;
    assert_eq!(page.location(), format!("/admin/users/{}", ada.id), "{}", page.body);
    let stored = app.user(ada.id).await;
    assert_eq!(
        (stored.name.as_str(), stored.age, stored.version),
        ("Ada Lovelace", Some(36), 2)
    );
    assert!(stored.updated_at > ada.updated_at);

    let audit = app.audit().await;
    let entry = audit.last().unwrap();
    assert_eq!((entry.action.as_str(), entry.object_type.as_str()), ("update", "user"));
    assert_eq!(
        (entry.actor_kind, entry.actor_id),
        (ActorKind::User, Some(app.admin.id))
    );
    assert_eq!(entry.object_id, Some(ada.id.to_string()));
    let changes = entry.changes.as_ref().unwrap();
    assert_eq!(changes["name"], serde_json::json!(["Ada", "Ada Lovelace"]));
    assert_eq!(changes["age"], serde_json::json!([null, 36]));
    assert!(changes.get("email").is_none(), "only what changed");

    let history = visitor.get(&format!("/admin/users/{}/history", ada.id)).await;
    assert!(history.has("Ada Lovelace") && history.has(ADMIN));
}

#[on_both]
async fn saving_what_is_there_changes_nothing(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.add_user("ada@example.org", "Ada").await;
    let mut visitor = app.superuser().await;
    let before = app.audit().await.len();
    let page = save(&mut visitor, &ada, 1, &[]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    assert_eq!(app.user(ada.id).await, ada);
    assert_eq!(app.audit().await.len(), before);
}

#[on_both]
async fn errors_stand_beside_their_fields_and_the_input_is_kept(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.add_user("ada@example.org", "Ada").await;
    app.add_user("taken@example.org", "Somebody").await;
    let mut visitor = app.superuser().await;
    let bad = [("name", " "), ("email", "not-an-address"), ("age", "abc")];
    let page = save(&mut visitor, &ada, 1, &bad).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    for field in ["name", "email", "age"] {
        assert!(
            page.has(&format!("href=\"#field-{field}\"")),
            "the summary links to {field}"
        );
        assert!(page.has(&format!("id=\"error-{field}\"")), "{field} has its error");
        assert!(
            page.has(&format!("aria-describedby=\"error-{field}")),
            "{field} is described by it"
        );
    }
    assert_eq!(page.input("email").as_deref(), Some("not-an-address"));
    assert!(page.has("Enter a name"), "the API's own words");

    for (field, value, words) in [
        ("age", "151", "Enter an age of 150 or less"),
        ("age", "-1", "Enter an age of 0 or more"),
        ("age", "99999999999999999999", "whole number"),
        ("email", "TAKEN@example.org", "Email already registered"),
        ("name", "a\0b", "control character"),
    ] {
        let page = save(&mut visitor, &ada, 1, &[(field, value)]).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{field}={value:?}");
        assert!(page.has(words), "{field}={value:?}: {}", page.body);
    }
    assert_eq!(app.user(ada.id).await, app.user(ada.id).await);
    assert_eq!(app.user(ada.id).await.version, 1);
}

#[on_both]
async fn a_stale_save_shows_both_versions_and_keeps_the_input(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.add_user("ada@example.org", "Ada").await;
    let (mut one, mut other) = (app.superuser().await, app.superuser().await);
    assert_eq!(
        save(&mut one, &ada, 1, &[("name", "Ada First")]).await.status,
        StatusCode::SEE_OTHER
    );
    let page = save(&mut other, &ada, 1, &[("name", "Ada Second")]).await;
    assert_eq!(page.status, StatusCode::CONFLICT);
    assert!(page.has("Ada First") && page.has("Ada Second"));
    assert_eq!(page.input("name").as_deref(), Some("Ada Second"));
    assert_eq!(app.user(ada.id).await.name, "Ada First");
    let version: i32 = page.input("version").unwrap().parse().unwrap();
    assert_eq!(version, 2, "saving again is meant");
    assert_eq!(
        save(&mut other, &ada, version, &[("name", "Ada Second")]).await.status,
        StatusCode::SEE_OTHER
    );
    assert_eq!(app.user(ada.id).await.name, "Ada Second");
    assert_eq!(
        save(&mut other, &ada, 7, &[("name", "From the future")]).await.status,
        StatusCode::CONFLICT
    );
}

#[on_both]
async fn a_new_address_is_unverified_and_found_by_its_key(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut visitor = app.superuser().await;
    let page = save(&mut visitor, &app.admin, 1, &[("email", "Ines@Example.org")]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.body);
    let stored = app.user(app.admin.id).await;
    assert_eq!(
        (stored.email.as_str(), stored.email_key.as_str()),
        ("Ines@example.org", "ines@example.org")
    );
    assert_eq!(stored.email_verified_at, None);
    let changes = app.audit().await.last().unwrap().changes.clone().unwrap();
    assert!(changes.get("email_key").is_none(), "{changes}");
}

#[on_both]
async fn an_added_user_is_welcomed(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut visitor = app.superuser().await;
    let page = visitor.get("/admin/users/new?name=Grace+Hopper").await;
    assert_eq!(
        page.input("name").as_deref(),
        Some("Grace Hopper"),
        "prefilled from the address"
    );
    assert!(page.input("locked_until").is_none());
    let fields = [
        ("name", "Grace Hopper"),
        ("email", "grace@example.org"),
        ("age", "37"),
        ("_save", "list"),
    ];
    let page = visitor.post("/admin/users/new", &fields).await;
    assert_eq!(page.location(), "/admin/users", "{}", page.body);
    let users = user::Entity::find().all(&app.context.db).await.unwrap();
    let grace = users.iter().find(|user| user.email == "grace@example.org").unwrap();
    assert_eq!(grace.age, Some(37));
    let jobs = job::Entity::find().all(&app.context.db).await.unwrap();
    assert_eq!(
        jobs.iter()
            .filter(|job| job.user_id == Some(grace.id) && job.kind == "welcome_email")
            .count(),
        1
    );
    let entry = app.audit().await.pop().unwrap();
    assert_eq!(
        (entry.action.as_str(), entry.object_id),
        ("create", Some(grace.id.to_string()))
    );

    let again = visitor.post("/admin/users/new", &fields).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(again.has("Email already registered"));
    assert_eq!(again.input("email").as_deref(), Some("grace@example.org"));
}

#[on_both]
async fn the_form_changes_no_status_whatever_it_posts(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.add_user("ada@example.org", "Ada").await;
    let mut visitor = app.superuser().await;
    let page = visitor.get(&format!("/admin/users/{}", ada.id)).await;
    for field in ["status", "locked_until", "lock_reason"] {
        assert!(!page.has(&format!("name=\"{field}\"")), "{field} is an action's");
    }
    for user in [&ada, &app.admin] {
        let changes = [
            ("status", "deactivated"),
            ("lock_reason", "x"),
            ("locked_until", "2099-01-01T00:00"),
        ];
        assert_eq!(
            save(&mut visitor, user, 1, &changes).await.status,
            StatusCode::SEE_OTHER
        );
        let stored = app.user(user.id).await;
        assert_eq!(
            (stored.status, stored.locked_until, stored.lock_reason, stored.version),
            (UserStatus::Active, None, None, 1)
        );
    }
}

#[on_both]
async fn a_page_takes_four_statements_and_shows_no_secret(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.add_user("ada@example.org", "Ada").await;
    let mut visitor = app.superuser().await;
    for path in [
        format!("/admin/users/{}", ada.id),
        format!("/admin/users/{}/history", ada.id),
    ] {
        app.take_statements();
        let page = visitor.get(&path).await;
        assert_eq!(page.status, StatusCode::OK);
        let statements = app.take_statements();
        assert!(statements.len() <= 4, "{path}: {statements:#?}");
        assert!(!page.has("argon2") && !page.has("password_hash"), "{path}");
    }
    let page = visitor.get(&format!("/admin/users/{}", ada.id)).await;
    assert!(page.has("welcome_email"), "the user's jobs stand beside the form");
}

#[on_both]
async fn a_change_without_its_audit_row_does_not_happen(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.add_user("ada@example.org", "Ada").await;
    let mut visitor = app.superuser().await;
    app.context
        .db
        .execute_unprepared("ALTER TABLE audit_log RENAME TO elsewhere")
        .await
        .unwrap();
    let page = save(&mut visitor, &ada, 1, &[("name", "Ada Lovelace")]).await;
    assert_eq!(page.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(
        page.has("Something went wrong") && page.has("Request ID"),
        "{}",
        page.body
    );
    assert!(
        !page.has("audit_log") && !page.has("elsewhere"),
        "the cause is logged, not shown"
    );
    assert_eq!(app.user(ada.id).await.name, "Ada");
    let fields = [("name", "Grace"), ("email", "grace@example.org"), ("age", "")];
    assert_eq!(
        visitor.post("/admin/users/new", &fields).await.status,
        StatusCode::INTERNAL_SERVER_ERROR
    );
    assert_eq!(user::Entity::find().all(&app.context.db).await.unwrap().len(), 2);
    assert_eq!(job::Entity::find().all(&app.context.db).await.unwrap().len(), 1);

    app.context
        .db
        .execute_unprepared("ALTER TABLE sessions RENAME TO gone")
        .await
        .unwrap();
    let page = visitor.get("/admin/").await;
    assert!(page.status == StatusCode::INTERNAL_SERVER_ERROR && page.has("Something went wrong"));
}

/// A thousand saves, always eight from the same version: whichever wins is the next version, and all others are told.
#[on_both]
async fn of_racing_saves_one_wins_and_none_is_lost(db: TestDb) {
    const ROUNDS: i32 = 125;
    let app = TestApp::start(db).await;
    let ada = app.add_user("ada@example.org", "Ada").await;
    let mut visitor = app.superuser().await;
    visitor.get("/admin/").await;
    for version in 1..=ROUNDS {
        let names: Vec<_> = (0..8).map(|racer| format!("Ada {version} {racer}")).collect();
        let racers = names.iter().map(|name| {
            let (mut visitor, ada) = (visitor.clone(), ada.clone());
            async move {
                // Each has a form of their own.
                visitor.get("/admin/no-such-page").await;
                send(&mut visitor, &ada, version, &[("name", name)]).await.status
            }
        });
        let statuses = futures::future::join_all(racers).await;
        let winner = statuses
            .iter()
            .position(|status| *status == StatusCode::SEE_OTHER)
            .expect("one wins");
        let lost = statuses
            .iter()
            .filter(|status| **status == StatusCode::CONFLICT)
            .count();
        assert_eq!(lost, 7, "{statuses:?}");
        let stored = app.user(ada.id).await;
        assert_eq!(
            (stored.version, &stored.name),
            (version + 1, &names[winner]),
            "what was said to be saved is"
        );
    }
    assert_eq!(
        app.audit().await.iter().filter(|row| row.action == "update").count(),
        ROUNDS as usize
    );
}

#[on_both]
async fn stored_markup_is_text(db: TestDb) {
    let app = TestApp::start(db).await;
    let markup = "<script>alert(1)</script>\"'&";
    let eve = app.add_user("eve@example.org", markup).await;
    let mut visitor = app.superuser().await;
    let locked = user::ActiveModel {
        status: Set(UserStatus::Locked),
        lock_reason: Set(Some("<img src=x onerror=alert(1)>".to_owned())),
        ..eve.clone().into_active_model()
    };
    locked.update(&app.context.db).await.unwrap();
    for path in [
        "/admin/users".to_owned(),
        format!("/admin/users/{}", eve.id),
        format!("/admin/users/{}/history", eve.id),
        "/admin/users?q=%3Cscript%3Ealert(2)%3C/script%3E".to_owned(),
        "/admin/".to_owned(),
    ] {
        let page = visitor.get(&path).await;
        assert!(!page.has("<script>alert") && !page.has("<img src=x"), "{path}");
    }
}
