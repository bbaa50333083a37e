//! Nobody gets where they do not belong, on any operation: the document says what each one takes, and all else is
//! tried.

use axum::{
    body::Body,
    http::{Method, StatusCode},
};
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use usher_shared::{
    accounts::api_keys::Scope,
    foundation::entity::{api_key, mfa_factor, session, user},
};
use usher_testkit::{TestDb, on_both};

use crate::{
    app::{Answer, Client, TestApp},
    people::PASSWORD,
};

/// Each documented operation and what the document says it takes.
fn operations() -> Vec<(Method, String, Vec<Value>)> {
    let document = serde_json::to_value(usher_api::openapi()).expect("JSON");
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let takes = operation["security"].as_array().expect("security").clone();
            operations.push((method.to_uppercase().parse().expect("a method"), path.clone(), takes));
        }
    }
    operations
}

async fn call(client: &Client, method: &Method, path: &str) -> Answer {
    // What any operation asks for, so that no body is the reason for a refusal.
    let body = json!({
        "name": "Mallory", "email": "mallory@example.com", "code": "123456", "password": PASSWORD,
        "current_password": PASSWORD, "new_password": "another quite uncommon sentence", "scopes": ["users:read"],
    });
    let client = client.clone().with("content-type", "application/json");
    client.call(method.clone(), path, Body::from(body.to_string())).await
}

#[on_both]
async fn a_key_beyond_its_scopes_is_refused_by_every_operation(db: TestDb) {
    let app = TestApp::with(db, &[("RATE_LIMITS", "off")]).await;
    let (service, ada) = (app.all_scopes().await, app.person("ada@example.com").await);
    let mut tried = 0;
    for (method, path, takes) in operations() {
        let at = path
            .replace("{id}", &ada.id.to_string())
            .replace("{sid}", "0198b5a0-6f3a-7c52-9d8e-5b1f0e4c2a77");
        let name = format!("{method} {path}");
        let scopes = takes.iter().find_map(|taken| taken["apiKey"].as_array());
        match scopes {
            Some(needed) if needed.is_empty() => {}
            Some(needed) => {
                tried += 1;
                let mut others = Scope::BUILT_IN.to_vec();
                others.retain(|scope| !needed.contains(&json!(scope.as_str())));
                if method == Method::GET {
                    // Who may write users reads back what they wrote.
                    others.retain(|scope| *scope != Scope::USERS_WRITE);
                }
                let refused = call(&app.key(&others).await, &method, &at).await;
                refused.is(403, "insufficient_scope");
                let challenge = refused.header("www-authenticate");
                assert!(challenge.contains(needed[0].as_str().unwrap()), "{name}: {challenge}");
                call(&ada.client, &method, &at).await.is(403, "insufficient_scope");
            }
            None if takes.iter().any(|taken| taken["accessToken"].is_array()) => {
                tried += 1;
                call(&service, &method, &at).await.is(403, "user_token_required");
                call(&app.anonymous(), &method, &at)
                    .await
                    .is(401, "authentication_required");
            }
            None => {}
        }
    }
    assert!(tried > 30, "only {tried} operations take a credential");
    assert_eq!((app.count_users().await, app.stored(ada.id).await.version), (1, 1));
}

#[on_both]
async fn another_users_id_opens_nothing_on_any_operation(db: TestDb) {
    let app = TestApp::with(db, &[("RATE_LIMITS", "off")]).await;
    let (ada, mallory) = (app.person("ada@example.com").await, app.person("eve@example.com").await);
    app.with_app(ada.id).await;
    let (_, key) = app.key_row(&Scope::BUILT_IN).await;
    let before = everything(&app).await;
    let session = session_of(&app, ada.id).await;
    let factor = mfa_factor::Entity::find().one(&app.context.db).await.unwrap().unwrap();
    let ids = [
        ada.id.to_string(),
        session.clone(),
        factor.id.to_string(),
        key.id.to_string(),
    ];
    let mut tried = 0;
    for (method, path, takes) in operations() {
        if !path.contains('{') || takes == [json!({})] {
            continue;
        }
        for id in &ids {
            let at = path.replace("{id}", id).replace("{sid}", &session);
            let answer = call(&mallory.client, &method, &at).await;
            let is_refused = matches!(answer.status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND);
            assert!(is_refused, "{method} {at}: {} {}", answer.status, answer.text());
            tried += 1;
        }
    }
    assert!(tried > 60, "only {tried} requests");
    assert_eq!(
        everything(&app).await,
        before,
        "something of somebody else's was changed"
    );
    assert_eq!(ada.client.get("/me").await.status, StatusCode::OK);
}

async fn session_of(app: &TestApp, user_id: i64) -> String {
    let all = session::Entity::find().all(&app.context.db).await.expect("sessions");
    let own = all.into_iter().find(|session| session.user_id == user_id);
    own.expect("a session").id.to_string()
}

/// What must stay as it is, but for the times at which sessions were seen.
async fn everything(app: &TestApp) -> String {
    let db = &app.context.db;
    let users = user::Entity::find().all(db).await.expect("users");
    let sessions = session::Entity::find().all(db).await.expect("sessions");
    let sessions: Vec<_> = sessions
        .into_iter()
        .map(|row| (row.id, row.ended_at, row.refresh_hash))
        .collect();
    let factors = mfa_factor::Entity::find().all(db).await.expect("factors");
    let keys = api_key::Entity::find().all(db).await.expect("keys");
    format!("{users:?} {sessions:?} {factors:?} {keys:?}")
}
