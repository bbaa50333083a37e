//! What protects an account is changed by who has just shown the password, and the code where there is a second factor.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use usher_testkit::{TestDb, on_both};

use crate::{
    app::{Answer, TestApp},
    people::{PASSWORD, Person, code},
};

/// Every change of a credential, address or factor of one's own.
fn own_changes() -> Vec<(Method, &'static str, Value)> {
    let id = "/me/mfa/0198b5a0-6f3a-7c52-9d8e-5b1f0e4c2a77";
    vec![
        (
            Method::POST,
            "/me/email-change",
            json!({"new_email": "new@example.com"}),
        ),
        (Method::POST, "/me/mfa/totp", json!({})),
        (
            Method::POST,
            "/me/mfa/totp/0198b5a0-6f3a-7c52-9d8e-5b1f0e4c2a77/verify",
            json!({"code": "000000"}),
        ),
        (Method::DELETE, id, json!({})),
        (Method::POST, "/me/mfa/recovery-codes", json!({})),
        (Method::DELETE, "/me", json!({})),
    ]
}

async fn send(person: &Person, method: &Method, path: &str, body: &Value) -> Answer {
    match *method {
        Method::DELETE => person.client.delete(path).await,
        Method::PATCH => person.client.patch(path, body).await,
        _ => person.client.post(path, body).await,
    }
}

#[on_both]
async fn a_stale_session_changes_nothing_that_protects_the_account(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.person("ada@example.com").await;
    app.no_longer_fresh(ada.id).await;
    for (method, path, body) in own_changes() {
        send(&ada, &method, path, &body)
            .await
            .is(401, "reauthentication_required");
    }
    assert_eq!(app.kinds_of(ada.id).await, Vec::<String>::new());
}

#[on_both]
async fn a_password_alone_is_not_enough_where_there_is_a_second_factor(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.person("ada@example.com").await;
    // Signed in a moment ago, before the account had a factor.
    let secret = app.with_app(ada.id).await;
    for (method, path, body) in own_changes() {
        send(&ada, &method, path, &body)
            .await
            .is(401, "reauthentication_required");
    }
    let change = json!({"current_password": PASSWORD, "new_password": "another four uncommon words"});
    ada.client
        .post("/me/password", &change)
        .await
        .is(401, "reauthentication_required");
    let shown = json!({"password": PASSWORD, "code": code(&secret, 0)});
    assert_eq!(
        ada.client.post("/auth/reauthenticate", &shown).await.status,
        StatusCode::OK
    );
    assert_eq!(
        ada.client.post("/me/mfa/recovery-codes", &json!({})).await.status,
        StatusCode::CREATED
    );
    // A code that was shown long ago is not fresh, though the password is.
    app.sql("UPDATE sessions SET mfa_at = '2026-01-01T00:00:00+00:00'")
        .await;
    ada.client
        .post("/me/mfa/recovery-codes", &json!({}))
        .await
        .is(401, "reauthentication_required");
    ada.client
        .post("/me/password", &change)
        .await
        .is(401, "reauthentication_required");
    app.sql("UPDATE sessions SET mfa_at = reauthenticated_at").await;
    assert_eq!(
        ada.client.post("/me/password", &change).await.status,
        StatusCode::NO_CONTENT
    );
}

#[on_both]
async fn a_stale_superuser_makes_and_changes_no_keys(db: TestDb) {
    let app = TestApp::with(db, &[("STAFF_MFA", "optional")]).await;
    let root = app.superuser().await;
    let body = json!({"name": "billing", "scopes": ["users:read"]});
    let made = root.client.post("/api-keys", &body).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let at = format!("/api-keys/{}", made.json()["id"]);
    let rotate = format!("{at}/rotate");
    let changes = [
        (Method::POST, "/api-keys", body),
        (Method::PATCH, &at, json!({"name": "other"})),
        (Method::POST, &rotate, json!({})),
        (Method::DELETE, &at, json!({})),
    ];
    app.no_longer_fresh(root.id).await;
    for (method, path, body) in &changes {
        send(&root, method, path, body)
            .await
            .is(401, "reauthentication_required");
    }
    assert_eq!(
        root.client.get(&at).await.status,
        StatusCode::OK,
        "looking takes no password"
    );
    // With a second factor the password alone does not do.
    app.sql("UPDATE sessions SET reauthenticated_at = created_at").await;
    app.with_app(root.id).await;
    for (method, path, body) in &changes {
        send(&root, method, path, body)
            .await
            .is(401, "reauthentication_required");
    }
    app.sql("UPDATE sessions SET mfa_at = reauthenticated_at").await;
    assert_eq!(
        root.client.patch(&at, &json!({"name": "other"})).await.status,
        StatusCode::OK
    );
    assert_eq!(root.client.post(&rotate, &json!({})).await.status, StatusCode::OK);
    assert_eq!(root.client.delete(&at).await.status, StatusCode::NO_CONTENT);
    let told = app
        .jobs_of(root.id)
        .await
        .into_iter()
        .filter(|job| job.kind == "api_key_changed");
    let mut told: Vec<_> = told
        .map(|job| job.payload["change"].as_str().unwrap().to_owned())
        .collect();
    told.sort_unstable();
    assert_eq!(
        told,
        ["changed", "made", "revoked", "rotated"],
        "whoever made it is told"
    );
}

#[on_both]
async fn every_change_of_a_factor_is_told(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.person("ada@example.com").await;
    app.with_app(ada.id).await;
    app.with_app(ada.id).await;
    app.sql("UPDATE sessions SET mfa_at = reauthenticated_at").await;
    let factors = ada.client.get("/me/mfa").await.json()["factors"].clone();
    for (removed, factor) in factors.as_array().unwrap().iter().enumerate() {
        let path = format!("/me/mfa/{}", factor["id"].as_str().unwrap());
        assert_eq!(ada.client.delete(&path).await.status, StatusCode::NO_CONTENT);
        assert_eq!(
            app.kinds_of(ada.id).await.len(),
            removed + 1,
            "one of two, and the last"
        );
    }
}
