//! Credentials, addresses, factors, roles and keys are changed by who has just shown the password, and the code where
//! there is a second factor.

use axum::http::StatusCode;
use sea_orm::{EntityTrait, sea_query::Expr};
use usher_shared::foundation::{
    entity::{api_key, job, role, session},
    time::now,
};
use usher_testkit::{TestDb, on_both};

use crate::{
    app::{ADMIN, PASSWORD, Page, TestApp, Visitor},
    mfa::code,
};

fn asks_again(page: &Page) -> bool {
    page.status == StatusCode::UNAUTHORIZED && page.has("Confirm it's you")
}

async fn save(visitor: &mut Visitor, id: i64, email: &str, name: &str) -> Page {
    let path = format!("/admin/users/{id}");
    let version = visitor.get(&path).await.input("version").expect("a form");
    let fields = [
        ("version", version.as_str()),
        ("email", email),
        ("name", name),
        ("age", ""),
        ("status", "active"),
    ];
    visitor.post(&path, &fields).await
}

async fn act(visitor: &mut Visitor, model: &str, action: &str, id: &str) -> Page {
    visitor.get("/admin/").await;
    let fields = [
        ("action", action),
        ("id", id),
        ("from_object", id),
        ("_confirmed", "yes"),
        ("reason", "a test"),
    ];
    visitor.post(&format!("/admin/{model}/actions"), &fields).await
}

#[on_both]
async fn an_address_moves_only_with_a_fresh_password(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.add_user("ada@example.org", "Ada").await;
    let mut boss = app.superuser().await;
    app.let_freshness_pass().await;
    for id in [ada.id, app.admin.id] {
        let before = app.user(id).await.email;
        assert!(asks_again(&save(&mut boss, id, "new@example.org", "Ada").await));
        assert_eq!(app.user(id).await.email, before);
    }
    assert_eq!(
        save(&mut boss, ada.id, "ada@example.org", "Ada King").await.status,
        StatusCode::SEE_OTHER,
        "a name needs none"
    );
    let page = save(&mut boss, ada.id, "new@example.org", "Ada King").await;
    let kept = [
        ("_next", page.input("_next").unwrap()),
        ("_method", "post".to_owned()),
        ("_password", PASSWORD.to_owned()),
        ("email", page.input("email").unwrap()),
    ];
    assert_eq!(kept[3].1, "new@example.org", "what was typed is kept");
    let kept: Vec<_> = kept.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = boss.post("/admin/reauthenticate", &kept).await;
    assert_eq!(answer.status, StatusCode::TEMPORARY_REDIRECT, "{}", answer.body);
    assert_eq!(
        save(&mut boss, ada.id, "new@example.org", "Ada King").await.status,
        StatusCode::SEE_OTHER
    );
    assert_eq!(app.user(ada.id).await.email, "new@example.org");
}

#[on_both]
async fn keys_and_roles_take_a_fresh_password_from_their_making_to_their_end(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut boss = app.superuser().await;
    boss.get("/admin/api_keys/new").await;
    let made = boss
        .post("/admin/api_keys/new", &[("name", "billing"), ("scope", "users:read")])
        .await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.body);
    boss.get("/admin/roles/new").await;
    boss.post(
        "/admin/roles/new",
        &[("name", "Support"), ("description", ""), ("permission", "users.view")],
    )
    .await;
    let key = api_key::Entity::find().one(&app.context.db).await.unwrap().unwrap();
    let role = role::Entity::find().one(&app.context.db).await.unwrap().unwrap();
    let (key_id, role_id) = (key.id.to_string(), role.id.to_string());
    app.let_freshness_pass().await;
    assert!(asks_again(&boss.get("/admin/api_keys/new").await) && asks_again(&boss.get("/admin/roles/new").await));
    boss.get("/admin/").await;
    for (path, fields) in [
        (
            "/admin/api_keys/new".to_owned(),
            [("name", "other"), ("scope", "users:read")],
        ),
        (
            format!("/admin/api_keys/{key_id}"),
            [("name", "other"), ("version", "1")],
        ),
        ("/admin/roles/new".to_owned(), [("name", "Other"), ("description", "")]),
        (format!("/admin/roles/{role_id}"), [("name", "Other"), ("version", "1")]),
    ] {
        assert!(asks_again(&boss.post(&path, &fields).await), "{path}");
    }
    assert!(asks_again(&act(&mut boss, "api_keys", "revoke", &key_id).await));
    assert!(asks_again(&act(&mut boss, "roles", "delete", &role_id).await));
    let sam = app.add_user("sam@example.org", "Sam").await.id.to_string();
    for action in ["set_roles", "reset_mfa", "impersonate"] {
        assert!(asks_again(&act(&mut boss, "users", action, &sam).await), "{action}");
    }
    let key = api_key::Entity::find().one(&app.context.db).await.unwrap().unwrap();
    assert!(key.revoked_at.is_none() && key.name == "billing");
    assert_eq!(
        role::Entity::find()
            .one(&app.context.db)
            .await
            .unwrap()
            .map(|role| role.name),
        Some("Support".to_owned())
    );
    let mut boss = app.superuser().await;
    assert_eq!(
        act(&mut boss, "api_keys", "revoke", &key_id).await.status,
        StatusCode::SEE_OTHER
    );
    let told = job::Entity::find().all(&app.context.db).await.unwrap();
    let told: Vec<_> = told
        .into_iter()
        .filter(|job| job.kind == "api_key_changed")
        .map(|job| job.payload["change"].clone())
        .collect();
    assert_eq!(told, ["made", "revoked"], "whoever made the key is told");
}

#[on_both]
async fn with_a_second_factor_a_code_is_shown_too(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.add_user("ada@example.org", "Ada").await;
    let (factor, secret) = app.add_factor_with_secret(app.admin.id).await;
    let mut boss = app.anonymous();
    boss.sign_in(ADMIN, PASSWORD).await;
    boss.get("/admin/mfa").await;
    assert_eq!(
        boss.post("/admin/mfa", &[("code", &code(&secret, 0)), ("next", "")])
            .await
            .location(),
        "/admin/"
    );
    assert_eq!(
        save(&mut boss, ada.id, "one@example.org", "Ada").await.status,
        StatusCode::SEE_OTHER,
        "signed in a moment ago"
    );
    // The password is fresh, the code is not.
    let long_ago = now() - chrono::TimeDelta::hours(1);
    session::Entity::update_many()
        .col_expr(session::Column::MfaAt, Expr::value(long_ago))
        .exec(&app.context.db)
        .await
        .unwrap();
    let page = save(&mut boss, ada.id, "two@example.org", "Ada").await;
    assert!(asks_again(&page) && page.has("name=\"_code\""), "{}", page.body);
    let account = boss.get("/admin/account").await;
    assert!(!account.has("name=\"present\"") && account.has("Confirm it's you"));
    let new = "another four uncommon words";
    let refused = boss
        .post(
            "/admin/account/password",
            &[("present", PASSWORD), ("new", new), ("again", new)],
        )
        .await;
    assert!(asks_again(&refused) && !refused.has(new), "{}", refused.body);
    let next = [
        ("_next", "/admin/account"),
        ("_method", "get"),
        ("_password", PASSWORD),
        ("_code", ""),
    ];
    assert_eq!(
        boss.post("/admin/reauthenticate", &next).await.status,
        StatusCode::UNAUTHORIZED
    );
    app.forget_steps(factor).await;
    let shown = code(&secret, 0);
    let next = [
        ("_next", "/admin/account"),
        ("_method", "get"),
        ("_password", PASSWORD),
        ("_code", shown.as_str()),
    ];
    assert_eq!(
        boss.post("/admin/reauthenticate", &next).await.location(),
        "/admin/account"
    );
    boss.get("/admin/account").await;
    let changed = boss
        .post(
            "/admin/account/password",
            &[("present", PASSWORD), ("new", new), ("again", new)],
        )
        .await;
    assert_eq!(
        (changed.status, changed.location()),
        (StatusCode::SEE_OTHER, "/admin/account")
    );
}
