//! Keys that superusers make, and what is tried to get more out of one.

use axum::http::StatusCode;
use chrono::TimeDelta;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel};
use serde_json::{Value, json};
use usher_shared::{
    accounts::api_keys::Scope,
    foundation::{
        entity::{api_key, user},
        time::now,
    },
};
use usher_testkit::{TestDb, on_both};

use crate::{
    app::{Answer, Client, TestApp},
    people::Person,
};

fn billing() -> Value {
    json!({"name": "billing", "scopes": ["users:read", "users:write"]})
}

impl TestApp {
    /// A superuser who is signed in.
    pub async fn superuser(&self) -> Person {
        let person = self.person("root@example.com").await;
        self.sql(&format!(
            "UPDATE users SET is_superuser = true, is_staff = true WHERE id = {}",
            person.id
        ))
        .await;
        person
    }

    async fn key_by_id(&self, id: &Value) -> api_key::Model {
        let id = id.as_i64().expect("an id");
        api_key::Entity::find_by_id(id)
            .one(&self.context.db)
            .await
            .unwrap()
            .expect("a key")
    }
}

/// Where superusers need no second factor, as in `usher up`.
async fn start(db: TestDb) -> TestApp {
    TestApp::with(db, &[("STAFF_MFA", "optional")]).await
}

async fn made(root: &Client, body: &Value) -> (Value, String, String) {
    let answer = root.post("/api-keys", body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    let key = answer.json();
    let at = format!("/api-keys/{}", key["id"]);
    assert_eq!(answer.header("location"), at);
    let secret = key["key"].as_str().expect("the key itself").to_owned();
    (key, secret, at)
}

fn opens(answer: &Answer) -> bool {
    answer.status == StatusCode::OK
}

#[on_both]
async fn a_superuser_makes_a_key_and_sees_it_once(db: TestDb) {
    let app = start(db).await;
    let root = app.superuser().await;
    let body = json!({
        "name": " billing ", "scopes": ["users:read", "users:read"], "allowed_cidrs": ["203.0.113.9/24", "2001:db8::1"],
        "requests_per_minute": 5, "expires_at": "2100-01-01T00:00:00Z",
    });
    let (key, secret, at) = made(&root.client, &body).await;
    assert!(secret.starts_with(key["hint"].as_str().unwrap()));
    assert_eq!(
        (&key["name"], &key["scopes"], &key["state"]),
        (&json!("billing"), &json!(["users:read"]), &json!("active"))
    );
    assert_eq!(key["allowed_cidrs"], json!(["203.0.113.0/24", "2001:db8::1/128"]));
    assert_eq!(key["created_by"], root.id);
    let shown = root.client.get(&at).await;
    assert_eq!((shown.status, shown.header("etag")), (StatusCode::OK, "\"1\""));
    for place in [shown.text(), root.client.get("/api-keys").await.text()] {
        assert!(place.contains("billing") && !place.contains(&secret) && !place.contains("\"key\""));
    }
    let caller = app.bearer(&secret);
    let current = caller.get("/api-keys/current").await;
    assert_eq!(
        (
            current.status,
            &current.json()["id"],
            current.header("ratelimit-policy")
        ),
        (StatusCode::OK, &key["id"], "\"key\";q=5;w=60")
    );
    let noted = app.noted("create").await;
    let entry = noted.iter().find(|entry| entry.object_type == "api_key").unwrap();
    assert_eq!(entry.actor_id, Some(root.id));
    assert!(!format!("{entry:?}").contains(&secret));
}

#[on_both]
async fn every_fault_of_a_new_key_is_told(db: TestDb) {
    let app = start(db).await;
    let root = app.superuser().await.client;
    let body = json!({
        "name": "\u{0}", "scopes": ["users:read", "keys:write"], "allowed_cidrs": ["everywhere"],
        "requests_per_minute": 0, "expires_at": "2001-01-01T00:00:00Z",
    });
    let faults = root.post("/api-keys", &body).await.faults();
    let words: Vec<_> = faults
        .iter()
        .map(|(word, at)| (word.as_str(), at[1].as_str().unwrap()))
        .collect();
    assert_eq!(
        words,
        [
            ("value_error", "name"),
            ("enum", "scopes"),
            ("value_error", "allowed_cidrs"),
            ("greater_than_equal", "requests_per_minute"),
            ("value_error", "expires_at"),
        ]
    );
    for (field, value, word) in [
        ("scopes", json!([]), "too_short"),
        ("scopes", json!("users:read"), "list_type"),
        ("scopes", json!([1]), "string_type"),
        ("allowed_cidrs", json!(vec!["10.0.0.0/8"; 33]), "too_long"),
        ("requests_per_minute", json!(1_000_001), "less_than_equal"),
    ] {
        let mut body = billing();
        body[field] = value;
        let at = if word == "string_type" {
            json!(["body", field, 0])
        } else {
            json!(["body", field])
        };
        assert_eq!(root.post("/api-keys", &body).await.faults(), [(word.to_owned(), at)]);
    }
}

#[on_both]
async fn a_key_making_keys_is_refused(db: TestDb) {
    let app = start(db).await;
    let key = app.all_scopes().await;
    let own = key.get("/api-keys/current").await.json();
    let at = format!("/api-keys/{}", own["id"]);
    key.post("/api-keys", &billing()).await.is(403, "user_token_required");
    key.patch(&at, &json!({"requests_per_minute": null}))
        .await
        .is(403, "user_token_required");
    key.post(&format!("{at}/rotate"), &json!({}))
        .await
        .is(403, "user_token_required");
    key.delete(&at).await.is(403, "user_token_required");
    key.get(&at).await.is(403, "user_token_required");
    key.get("/api-keys").await.is(403, "user_token_required");
    assert_eq!(api_key::Entity::find().all(&app.context.db).await.unwrap().len(), 1);
}

#[on_both]
async fn a_person_who_is_no_superuser_making_keys_is_refused(db: TestDb) {
    let app = start(db).await;
    let eve = app.person("eve@example.com").await;
    app.sql(&format!("UPDATE users SET is_staff = true WHERE id = {}", eve.id))
        .await;
    let (_, row) = app.key_row(&[Scope::USERS_READ]).await;
    let at = format!("/api-keys/{}", row.id);
    eve.client
        .post("/api-keys", &billing())
        .await
        .is(403, "superuser_required");
    eve.client.get("/api-keys").await.is(403, "superuser_required");
    eve.client.get(&at).await.is(403, "superuser_required");
    eve.client
        .patch(&at, &json!({"scopes": ["audit:read"]}))
        .await
        .is(403, "superuser_required");
    eve.client
        .post(&format!("{at}/rotate"), &json!({}))
        .await
        .is(403, "superuser_required");
    eve.client.delete(&at).await.is(403, "superuser_required");
    eve.client.get("/api-keys/current").await.is(404, "api_key_not_found");
    app.anonymous()
        .post("/api-keys", &billing())
        .await
        .is(401, "authentication_required");
}

#[on_both]
async fn a_superuser_without_the_second_factor_is_refused_where_it_is_required(db: TestDb) {
    let app = TestApp::with(db, &[("STAFF_MFA", "required")]).await;
    let root = app.superuser().await;
    root.client
        .post("/api-keys", &billing())
        .await
        .is(403, "superuser_required");
    app.sql(&format!(
        "UPDATE sessions SET mfa_at = created_at WHERE user_id = {}",
        root.id
    ))
    .await;
    assert_eq!(
        root.client.post("/api-keys", &billing()).await.status,
        StatusCode::CREATED
    );
    app.sql(&format!(
        "UPDATE sessions SET impersonator_id = 1 WHERE user_id = {}",
        root.id
    ))
    .await;
    root.client
        .post("/api-keys", &billing())
        .await
        .is(401, "invalid_credential");
}

#[on_both]
async fn a_change_holds_from_the_next_request_on(db: TestDb) {
    let app = start(db).await;
    let root = app.superuser().await.client;
    let (_, secret, at) = made(&root, &billing()).await;
    let caller = app.bearer(&secret);
    assert!(opens(&caller.get("/users").await));
    let patched = root
        .clone()
        .with("if-match", "\"1\"")
        .patch(&at, &json!({"scopes": ["audit:read"]}))
        .await;
    assert_eq!(
        (patched.status, patched.header("etag"), &patched.json()["name"]),
        (StatusCode::OK, "\"2\"", &json!("billing"))
    );
    caller.get("/users").await.is(403, "insufficient_scope");
    root.clone()
        .with("if-match", "\"1\"")
        .patch(&at, &json!({"name": "late"}))
        .await
        .is(412, "precondition_failed");
    root.patch(&at, &json!({"name": null})).await.is(422, "invalid_request");
    root.patch(&at, &json!({"allowed_cidrs": ["10.0.0.0/8"], "requests_per_minute": 7}))
        .await;
    caller.get("/api-keys/current").await.is(401, "invalid_credential");
    let cleared = root
        .patch(&at, &json!({"allowed_cidrs": null, "requests_per_minute": null}))
        .await
        .json();
    assert_eq!(
        (&cleared["allowed_cidrs"], &cleared["requests_per_minute"]),
        (&json!([]), &json!(null))
    );
    assert!(opens(&caller.get("/api-keys/current").await));
}

#[on_both]
async fn a_rotated_key_works_for_its_grace_and_no_longer(db: TestDb) {
    let app = start(db).await;
    let root = app.superuser().await.client;
    let (key, old, at) = made(&root, &billing()).await;
    let rotated = root
        .post(&format!("{at}/rotate"), &json!({"grace_seconds": 3600}))
        .await;
    assert_eq!(
        (rotated.status, rotated.header("cache-control")),
        (StatusCode::OK, "no-store")
    );
    let new = rotated.json()["key"].as_str().unwrap().to_owned();
    assert!(new != old && rotated.json()["previous_until"].is_string());
    for secret in [&old, &new] {
        assert_eq!(
            app.bearer(secret).get("/api-keys/current").await.json()["id"],
            key["id"]
        );
    }
    let mut row = app.key_by_id(&key["id"]).await.into_active_model();
    row.previous_until = Set(Some(now() - TimeDelta::seconds(1)));
    row.update(&app.context.db).await.unwrap();
    app.bearer(&old)
        .get("/api-keys/current")
        .await
        .is(401, "invalid_credential");
    assert!(opens(&app.bearer(&new).get("/api-keys/current").await));
    let leaked = root
        .post(&format!("{at}/rotate"), &json!({"grace_seconds": 0}))
        .await
        .json();
    app.bearer(&new)
        .get("/api-keys/current")
        .await
        .is(401, "invalid_credential");
    assert!(opens(
        &app.bearer(leaked["key"].as_str().unwrap())
            .get("/api-keys/current")
            .await
    ));
    root.post(&format!("{at}/rotate"), &json!({"grace_seconds": 604_801}))
        .await
        .is(422, "invalid_request");
    let twice = root.clone().with("idempotency-key", "r");
    assert_eq!(
        twice.post(&format!("{at}/rotate"), &json!({})).await.status,
        StatusCode::OK
    );
    twice
        .post(&format!("{at}/rotate"), &json!({}))
        .await
        .is(409, "answer_not_kept");
}

#[on_both]
async fn a_revoked_key_opens_nothing_nor_does_its_predecessor(db: TestDb) {
    let app = start(db).await;
    let root = app.superuser().await.client;
    let (key, old, at) = made(&root, &billing()).await;
    let new = root.post(&format!("{at}/rotate"), &json!({})).await.json()["key"]
        .as_str()
        .unwrap()
        .to_owned();
    for _ in 0..2 {
        assert_eq!(root.delete(&at).await.status, StatusCode::NO_CONTENT);
    }
    for secret in [&old, &new] {
        app.bearer(secret)
            .get("/api-keys/current")
            .await
            .is(401, "invalid_credential");
    }
    root.patch(&at, &json!({"name": "again"}))
        .await
        .is(409, "api_key_revoked");
    root.post(&format!("{at}/rotate"), &json!({}))
        .await
        .is(409, "api_key_revoked");
    assert_eq!(root.get(&at).await.json()["state"], "revoked");
    assert_eq!(app.noted("revoke").await.len(), 1);
    assert!(app.key_by_id(&key["id"]).await.previous_hash.is_none());
    root.get("/api-keys/99999").await.is(404, "api_key_not_found");
    root.delete("/api-keys/99999999999999999999")
        .await
        .is(404, "api_key_not_found");
}

#[on_both]
async fn an_expired_key_opens_nothing(db: TestDb) {
    let app = start(db).await;
    let root = app.superuser().await.client;
    let (key, secret, at) = made(&root, &billing()).await;
    let mut row = app.key_by_id(&key["id"]).await.into_active_model();
    row.expires_at = Set(Some(now()));
    row.update(&app.context.db).await.unwrap();
    app.bearer(&secret)
        .get("/api-keys/current")
        .await
        .is(401, "invalid_credential");
    assert_eq!(root.get(&at).await.json()["state"], "expired");
}

#[on_both]
async fn a_key_at_an_address_that_is_not_its_own_is_refused(db: TestDb) {
    let app = start(db).await;
    let root = app.superuser().await.client;
    let mut body = billing();
    body["allowed_cidrs"] = json!(["203.0.113.0/28", "2001:db8::/32"]);
    let (_, secret, _) = made(&root, &body).await;
    let caller = app.bearer(&secret);
    for (address, is_allowed) in [
        ("203.0.113.7", true),
        ("203.0.113.15", true),
        ("203.0.113.16", false),
        ("2001:db8::7", true),
        ("2001:db9::7", false),
        ("::ffff:203.0.113.7", true),
    ] {
        let answer = caller.clone().from(address).get("/api-keys/current").await;
        assert_eq!(opens(&answer), is_allowed, "{address}");
    }
    let lie = caller.from("198.51.100.1").with("x-forwarded-for", "203.0.113.7");
    lie.get("/api-keys/current").await.is(401, "invalid_credential");
}

#[on_both]
async fn keys_are_listed_in_pages(db: TestDb) {
    let app = start(db).await;
    let root = app.superuser().await.client;
    for name in ["a", "b", "c"] {
        made(&root, &json!({"name": name, "scopes": ["users:read"]})).await;
    }
    let first = root.get("/api-keys?limit=2&count=true").await.json();
    assert_eq!(
        (&first["data"][0]["name"], &first["has_more"], &first["count"]),
        (&json!("c"), &json!(true), &json!(3))
    );
    let next = root
        .get(&format!(
            "/api-keys?limit=2&cursor={}",
            first["next_cursor"].as_str().unwrap()
        ))
        .await
        .json();
    assert_eq!(
        (next["data"].as_array().unwrap().len(), &next["data"][0]["name"]),
        (1, &json!("a"))
    );
    root.get("/api-keys?sort=name").await.is(422, "invalid_request");
}

#[on_both]
async fn mass_assignment_to_a_key_changes_nothing_else(db: TestDb) {
    let app = start(db).await;
    let root = app.superuser().await.client;
    let more = json!({
        "id": 77, "token_hash": "x", "hint": "uak_evil", "created_by": 99, "version": 9, "revoked_at": null, "last_used_at": "2100-01-01T00:00:00Z",
        "key": "uak_mine", "previous_hash": "x", "state": "active", "created_at": "2001-01-01T00:00:00Z",
    });
    let mut body = billing();
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let (key, secret, at) = made(&root, &body).await;
    assert!(key["id"] != 77 && secret != "uak_mine" && key["hint"] != "uak_evil" && key["last_used_at"].is_null());
    let before = app.key_by_id(&key["id"]).await;
    let faults = root.patch(&at, &more).await.faults();
    let named: Vec<_> = faults.iter().map(|(_, at)| at[1].as_str().unwrap()).collect();
    assert_eq!(named, ["id", "hint", "key", "created_by", "created_at", "last_used_at"]);
    let unknown = json!({"token_hash": "x", "version": 9, "previous_hash": "x"});
    assert_eq!(root.patch(&at, &unknown).await.status, StatusCode::OK);
    assert_eq!(app.key_by_id(&key["id"]).await, before);
    let user = user::Entity::find_by_id(before.created_by.unwrap())
        .one(&app.context.db)
        .await
        .unwrap();
    assert!(user.unwrap().is_superuser);
}
