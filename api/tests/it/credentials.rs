//! Who may come in: keys, their scopes, and what is said to those who may not.

use std::time::Duration;

use axum::http::StatusCode;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel};
use serde_json::json;
use usher_shared::{
    accounts::api_keys::Scope,
    foundation::{
        entity::api_key,
        time::now,
        token::{Token, TokenKind},
    },
};
use usher_testkit::{TestDb, eventually, on_both};

use crate::app::TestApp;

#[on_both]
async fn without_a_credential_the_challenge_names_none(db: TestDb) {
    let app = TestApp::start(db).await;
    for answer in [
        app.anonymous().get("/users/1").await,
        app.anonymous().post("/users", &json!({})).await,
    ] {
        answer.is(401, "authentication_required");
        assert_eq!(answer.header("www-authenticate"), r#"Bearer realm="usher""#);
    }
}

#[on_both]
async fn a_bad_credential_is_refused_even_where_none_is_needed(db: TestDb) {
    let app = TestApp::with(db, &[("SIGN_UP", "open")]).await;
    let unknown = Token::generate(TokenKind::ApiKey);
    let other_kind = Token::generate(TokenKind::Access);
    for value in [
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Basic YTpi".to_owned(),
        "uak_x".to_owned(),
        format!("Bearer uak_{}", "x".repeat(36)),
        format!("Bearer {}", unknown.as_str()),
        format!("Bearer {}", other_kind.as_str()),
        format!("Bearer {} {}", unknown.as_str(), unknown.as_str()),
        format!("Bearer {}", "x".repeat(5_000)),
    ] {
        let answer = app
            .anonymous()
            .with("authorization", &value)
            .post("/users", &json!({}))
            .await;
        answer.is(401, "invalid_credential");
        assert_eq!(
            answer.header("www-authenticate"),
            r#"Bearer realm="usher", error="invalid_token""#
        );
        assert!(!answer.text().contains(unknown.as_str()));
    }
}

#[on_both]
async fn the_scheme_is_read_in_any_case_and_the_address_never(db: TestDb) {
    let app = TestApp::start(db).await;
    let (row, token) = usher_shared::accounts::api_keys::create(&app.context.db, "t", &Scope::BUILT_IN, None, None)
        .await
        .unwrap();
    for scheme in ["Bearer", "bearer", "BEARER", "Bearer "] {
        let client = app
            .anonymous()
            .with("authorization", &format!("{scheme} {}", token.as_str()));
        client.get("/users/1").await.is(404, "user_not_found");
    }
    for name in ["token", "access_token", "api_key"] {
        let path = format!("/users/1?{name}={}", token.as_str());
        app.anonymous().get(&path).await.is(401, "authentication_required");
    }
    let twice = app
        .anonymous()
        .with("authorization", &format!("Bearer {}", token.as_str()));
    let twice = twice.with("authorization", &format!("Bearer {}", token.as_str()));
    twice.get("/users/1").await.is(401, "invalid_credential");
    assert_eq!(row.hint, token.hint());
}

#[on_both]
async fn a_key_without_the_scope_is_told_which_it_lacks(db: TestDb) {
    let app = TestApp::with(db, &[("SIGN_UP", "open")]).await;
    let reader = app.key(&[Scope::USERS_READ, Scope::JOBS_READ]).await;
    let refused = reader
        .post("/users", &json!({"name": "Ada", "email": "ada@example.com"}))
        .await;
    refused.is(403, "insufficient_scope");
    let challenge = r#"Bearer realm="usher", error="insufficient_scope", scope="users:write""#;
    assert_eq!(refused.header("www-authenticate"), challenge);
    for scopes in [&[][..], &[Scope::JOBS_READ, Scope::AUDIT_READ, Scope::USERS_DELETE]] {
        let refused = app.key(scopes).await.get("/users/1").await;
        refused.is(403, "insufficient_scope");
        assert!(
            refused
                .header("www-authenticate")
                .ends_with(r#"scope="users:read users:write""#)
        );
    }
}

#[on_both]
async fn revoked_expired_and_foreign_keys_open_nothing(db: TestDb) {
    let app = TestApp::with(db, &[("TRUSTED_PROXIES", "10.0.0.0/8")]).await;
    let changes: [fn(&mut api_key::ActiveModel); 3] = [
        |key| key.revoked_at = Set(Some(now())),
        |key| key.expires_at = Set(Some(now() - Duration::from_secs(1))),
        |key| key.allowed_cidrs = Set(Some("192.0.2.0/24 2001:db8::/32".to_owned())),
    ];
    let mut last = None;
    for change in changes {
        let (client, row) = app.key_row(&Scope::BUILT_IN).await;
        client.get("/users/1").await.is(404, "user_not_found");
        let mut row = row.into_active_model();
        change(&mut row);
        row.update(&app.context.db).await.unwrap();
        client.get("/users/1").await.is(401, "invalid_credential");
        last = Some(client);
    }
    let bound = last.unwrap();
    bound
        .clone()
        .from("192.0.2.9")
        .get("/users/1")
        .await
        .is(404, "user_not_found");
    bound
        .clone()
        .from("2001:db8::7")
        .get("/users/1")
        .await
        .is(404, "user_not_found");
    let forwarded = bound.with("x-forwarded-for", "192.0.2.9");
    forwarded.get("/users/1").await.is(401, "invalid_credential");
    forwarded
        .from("10.0.0.1")
        .get("/users/1")
        .await
        .is(404, "user_not_found");
}

#[on_both]
async fn when_a_key_was_last_used_is_noted_once_a_minute(db: TestDb) {
    let app = TestApp::start(db).await;
    let (client, row) = app.key_row(&Scope::BUILT_IN).await;
    assert_eq!(row.last_used_at, None);
    client.get("/users/1").await;
    let read = async || {
        api_key::Entity::find_by_id(row.id)
            .one(&app.context.db)
            .await
            .unwrap()
            .unwrap()
            .last_used_at
    };
    let first = eventually(Duration::from_secs(5), "the use is noted", read).await;
    for _ in 0..20 {
        client.get("/users/1").await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(read().await, Some(first));
}

#[on_both]
async fn a_key_is_checked_before_the_body_is_read(db: TestDb) {
    let app = TestApp::start(db).await;
    app.anonymous()
        .post_text("/users", "{")
        .await
        .is(401, "authentication_required");
    let answer = app.all_scopes().await.post_text("/users", "{").await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
}
