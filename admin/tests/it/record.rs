//! What the audit log tells of acts, in one vocabulary, and to whom.

use axum::http::StatusCode;
use sea_orm::ConnectionTrait;
use usher_shared::{
    accounts::api_keys::{self, Scope},
    foundation::entity::audit_log,
    jobs::mail_suppressions,
};
use usher_testkit::{TestDb, on_both};

use crate::app::TestApp;

async fn last(app: &TestApp, action: &str) -> audit_log::Model {
    let rows = app.audit().await.into_iter().rev();
    rows.into_iter().find(|row| row.action == action).unwrap()
}

#[on_both]
async fn what_was_given_is_in_the_record(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut boss = app.superuser().await;
    boss.get("/admin/roles/new").await;
    let fields = [
        ("name", "Support"),
        ("description", ""),
        ("permission", "users.view"),
        ("permission", "users.lock"),
    ];
    let page = boss.post("/admin/roles/new", &fields).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.body);
    let row = last(&app, "create").await;
    assert_eq!(
        (row.object_type.as_str(), &row.changes.unwrap()["permissions"]),
        ("role", &serde_json::json!([null, "users.lock users.view"]))
    );
    let path = format!("/admin/roles/{}", row.object_id.unwrap());
    let version = boss.get(&path).await.input("version").unwrap();
    let fields = [
        ("version", version.as_str()),
        ("name", "Support"),
        ("description", ""),
        ("permission", "users.view"),
    ];
    assert_eq!(boss.post(&path, &fields).await.status, StatusCode::SEE_OTHER);
    let row = last(&app, "update").await;
    assert_eq!(
        row.changes.unwrap(),
        serde_json::json!({"permissions": ["users.lock users.view", "users.view"]})
    );
    boss.get(&path).await;
    let version = (version.parse::<i32>().unwrap() + 1).to_string();
    let fields = [
        ("version", version.as_str()),
        ("name", "Support"),
        ("description", ""),
        ("permission", "users.view"),
    ];
    let before = app.audit().await.len();
    assert_eq!(boss.post(&path, &fields).await.status, StatusCode::SEE_OTHER);
    assert_eq!(app.audit().await.len(), before, "nothing was changed");

    boss.get("/admin/api_keys/new").await;
    let fields = [
        ("name", "billing"),
        ("allowed_cidrs", "10.0.0.0/8"),
        ("requests_per_minute", ""),
        ("expires_at", ""),
        ("scope", "users:read"),
    ];
    boss.post("/admin/api_keys/new", &fields).await;
    let row = last(&app, "create").await;
    assert_eq!(
        (row.object_type.as_str(), &row.changes.as_ref().unwrap()["scopes"]),
        ("api_key", &serde_json::json!([null, "users:read"]))
    );
    assert_eq!(
        row.changes.unwrap()["allowed_cidrs"],
        serde_json::json!([null, "10.0.0.0/8"])
    );
    let path = format!("/admin/api_keys/{}", row.object_id.unwrap());
    let version = boss.get(&path).await.input("version").unwrap();
    let fields = [
        ("version", version.as_str()),
        ("name", "billing"),
        ("allowed_cidrs", "10.0.0.0/8"),
        ("requests_per_minute", ""),
        ("expires_at", ""),
        ("scope", "jobs:read"),
    ];
    assert_eq!(boss.post(&path, &fields).await.status, StatusCode::SEE_OTHER);
    let row = last(&app, "update").await;
    assert_eq!(
        (row.object_type.as_str(), row.changes.unwrap()),
        ("api_key", serde_json::json!({"scopes": ["users:read", "jobs:read"]}))
    );
}

#[on_both]
async fn rows_of_before_are_found_by_the_word_of_today(db: TestDb) {
    let app = TestApp::start(db).await;
    let (key, _) = api_keys::create(&app.context.db, "billing", &[Scope::USERS_READ], None, None)
        .await
        .unwrap();
    let sql = format!(
        "INSERT INTO audit_log (at, actor_kind, actor_label, action, object_type, object_id, object_label)
         VALUES ('2026-01-01T00:00:00+00:00', 'user', 'Old Hand', 'create', 'API key', '{}', 'billing')",
        key.id
    );
    app.context.db.execute_unprepared(&sql).await.unwrap();
    mail_suppressions::add(&app.context.db, "gone@example.org", "550", None)
        .await
        .unwrap();
    let mut boss = app.superuser().await;
    assert!(
        boss.get(&format!("/admin/api_keys/{}/history", key.id))
            .await
            .has("Old Hand")
    );
    for word in ["api_key", "API+key"] {
        let list = boss
            .get(&format!("/admin/audit?object_type={word}&object_id={}", key.id))
            .await;
        assert!(
            list.has("Old Hand") && !list.has("<span>API key</span>"),
            "{word}: {}",
            list.body
        );
    }
    assert!(boss.get("/admin/audit?q=object_type%3Aapi_key").await.has("Old Hand"));
    assert!(
        boss.get("/admin/")
            .await
            .has(&format!("href=\"/admin/api_keys/{}\"", key.id)),
        "the dashboard knows the object"
    );
    boss.get("/admin/suppressions/gone@example.org/delete").await;
    boss.post("/admin/suppressions/gone@example.org/delete", &[]).await;
    assert_eq!(last(&app, "delete").await.object_type, "suppressed_address");
}

#[on_both]
async fn a_history_takes_the_sight_of_the_audit_log(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.add_user("ada@example.org", "Ada").await;
    let path = format!("/admin/users/{}", ada.id);
    let mut viewer = app.staff(&["users.view"]).await;
    assert_eq!(
        viewer.get(&format!("{path}/history")).await.status,
        StatusCode::FORBIDDEN
    );
    assert!(!viewer.get(&path).await.has("/history"), "no link to what is refused");
    let mut auditor = app.staff(&["users.view", "audit.view"]).await;
    assert!(auditor.get(&path).await.has("/history"));
    assert_eq!(auditor.get(&format!("{path}/history")).await.status, StatusCode::OK);
    let mut other = app.staff(&["audit.view"]).await;
    assert_eq!(
        other.get(&format!("{path}/history")).await.status,
        StatusCode::FORBIDDEN
    );
}

#[on_both]
async fn objects_of_models_that_one_may_not_see_stay_numbers(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.add_user("ada@example.org", "Ada").await;
    let link = format!("href=\"/admin/users/{}\"", ada.id);
    for (permissions, page) in [(&["jobs.view"][..], "jobs"), (&["sessions.view"], "sessions")] {
        app.signed_in("admin@example.com").await;
        let list = app.staff(permissions).await.get(&format!("/admin/{page}")).await;
        assert!(
            !list.has("ada@example.org") && !list.has("admin@example.com") && !list.has("href=\"/admin/users/"),
            "{}",
            list.body
        );
    }
    let list = app.staff(&["jobs.view", "users.view"]).await.get("/admin/jobs").await;
    assert!(list.has("ada@example.org") && list.has(&link));

    // What goes with a deletion is counted for everybody and named to who may see it.
    app.add_staff("sam@example.org", &["mails.view"]).await;
    let role = usher_shared::accounts::staff::roles::all(&app.context.db)
        .await
        .unwrap();
    let role = role
        .iter()
        .find(|(_, permissions)| permissions.contains("mails.view"))
        .unwrap()
        .0
        .id;
    let page = app
        .staff(&["roles.view", "roles.delete"])
        .await
        .get(&format!("/admin/roles/{role}/delete"))
        .await;
    assert!(
        page.has("still used by 1 user") && !page.has("sam@example.org"),
        "{}",
        page.body
    );
}

#[on_both]
async fn what_was_refused_leaves_a_trace_and_fills_no_log(db: TestDb) {
    let app = TestApp::with(db, &[("RATE_LIMITS", "on")]).await;
    let sam = app.add_staff("sam@example.org", &["users.view"]).await;
    let mut visitor = app.signed_in("sam@example.org").await;
    let before = app.audit().await.len();
    assert_eq!(visitor.get("/admin/audit?q=secret").await.status, StatusCode::FORBIDDEN);
    let row = app.audit().await.pop().unwrap();
    assert_eq!(
        (row.action.as_str(), row.object_type.as_str(), row.actor_id),
        ("access_refused", "request", Some(sam.id))
    );
    assert_eq!(
        row.object_label.as_deref(),
        Some("GET /admin/audit"),
        "without what was typed"
    );
    assert!(row.reason.unwrap().contains("audit.view"));
    for _ in 0..30 {
        visitor.post("/admin/users/1", &[("name", "x")]).await;
        visitor.post_without_token("/admin/theme", &[("theme", "dark")]).await;
    }
    let refused = app.audit().await.len() - before;
    assert!((4..=12).contains(&refused), "{refused}");

    let mut stranger = app.anonymous();
    let mut last = StatusCode::OK;
    for _ in 0..12 {
        last = stranger.sign_in("sam@example.org", "wrong").await.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    let rows = app.audit().await;
    let refused: Vec<_> = rows.iter().filter(|row| row.action == "attempt_refused").collect();
    assert!(!refused.is_empty() && refused.len() <= 7, "{}", refused.len());
    assert_eq!(refused[0].object_label.as_deref(), Some("POST /admin/login"));
    assert!(refused[0].address.is_some());
}
