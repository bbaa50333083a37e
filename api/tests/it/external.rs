//! Users by another system's id.

use axum::{
    body::Body,
    http::{Method, StatusCode},
};
use futures::future::join_all;
use serde_json::{Value, json};
use usher_shared::accounts::api_keys::Scope;
use usher_testkit::{TestDb, on_both};

use crate::app::{Answer, Client, TestApp};

const AT: &str = "/users/by-external-id/crm-4711";

fn ada() -> Value {
    json!({"name": "Ada", "email": "ada@example.com", "age": 36})
}

impl Client {
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        let json = self.clone().with("content-type", "application/json");
        json.call(Method::PUT, path, Body::from(body.to_string())).await
    }
}

#[on_both]
async fn what_is_put_twice_is_there_once(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    client.get(AT).await.is(404, "user_not_found");
    let made = client.put(AT, &ada()).await;
    assert_eq!(
        (made.status, made.header("etag")),
        (StatusCode::CREATED, "\"1\""),
        "{}",
        made.text()
    );
    let id = made.json()["id"].as_i64().unwrap();
    assert_eq!(
        (made.header("location"), &made.json()["external_id"]),
        (&*format!("/users/{id}"), &json!("crm-4711"))
    );
    let same = client.put(AT, &ada()).await;
    assert_eq!((same.status, same.header("etag")), (StatusCode::OK, "\"1\""));
    let changed = client
        .put(AT, &json!({"name": "Ada King", "email": "ada@example.com"}))
        .await;
    assert_eq!(
        (changed.header("etag"), &changed.json()["age"]),
        ("\"2\"", &json!(null))
    );
    let shown = client.get(AT).await;
    assert_eq!(
        (&shown.json()["id"], &shown.json()["name"]),
        (&json!(id), &json!("Ada King"))
    );
    assert_eq!(
        client.clone().with("if-none-match", "\"2\"").get(AT).await.status,
        StatusCode::NOT_MODIFIED
    );
    assert_eq!((app.count_users().await, app.jobs_of(id).await.len()), (1, 1));
    let noted = app.noted("create").await;
    assert_eq!(
        (noted.len(), noted[0].object_id.as_deref()),
        (1, Some(&*id.to_string()))
    );
}

#[on_both]
async fn preconditions_of_a_put_hold(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    client
        .clone()
        .with("if-match", "*")
        .put(AT, &ada())
        .await
        .is(412, "precondition_failed");
    let only_new = client.clone().with("if-none-match", "*");
    assert_eq!(only_new.put(AT, &ada()).await.status, StatusCode::CREATED);
    only_new.put(AT, &ada()).await.is(412, "precondition_failed");
    client
        .clone()
        .with("if-none-match", ",\"1\",")
        .put(AT, &ada())
        .await
        .is(412, "precondition_failed");
    assert_eq!(
        client.clone().with("if-none-match", "1").put(AT, &ada()).await.faults()[0].1,
        json!(["header", "If-None-Match"])
    );
    client
        .clone()
        .with("if-match", "\"7\"")
        .put(AT, &ada())
        .await
        .is(412, "precondition_failed");
    assert_eq!(
        client
            .clone()
            .with("if-match", "\"1\"")
            .put(AT, &json!({"name": "A", "email": "ada@example.com"}))
            .await
            .status,
        StatusCode::OK
    );
}

#[on_both]
async fn a_put_is_refused_where_a_change_would_be(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    client.sign_up("taken@example.com").await;
    client
        .put(AT, &json!({"name": "A", "email": "Taken@example.com"}))
        .await
        .is(409, "email_exists");
    client.put(AT, &json!({"name": ""})).await.is(422, "invalid_request");
    let id = client.put(AT, &ada()).await.json()["id"].clone();
    app.sql(&format!("UPDATE users SET is_staff = true WHERE id = {id}"))
        .await;
    client
        .put(AT, &json!({"name": "Eve", "email": "eve@example.com"}))
        .await
        .is(403, "staff_protected");
    app.sql(&format!("UPDATE users SET is_staff = false WHERE id = {id}"))
        .await;
    assert_eq!(
        client.delete(&format!("/users/{id}")).await.status,
        StatusCode::NO_CONTENT
    );
    client.get(AT).await.is(404, "user_not_found");
    client.put(AT, &ada()).await.is(409, "status_conflict");
    app.key(&[Scope::USERS_READ])
        .await
        .put(AT, &ada())
        .await
        .is(403, "insufficient_scope");
    app.anonymous().put(AT, &ada()).await.is(401, "authentication_required");
}

#[on_both]
async fn odd_ids_are_ids_and_impossible_ones_are_told(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    for (number, id) in ["1", "%27%3B--", "a%2Fb", "%C3%A9", "a%20b", "current"]
        .iter()
        .enumerate()
    {
        let body = json!({"name": "A", "email": format!("a{number}@example.com")});
        let at = format!("/users/by-external-id/{id}");
        assert_eq!(client.put(&at, &body).await.status, StatusCode::CREATED, "{id}");
        assert_eq!(client.get(&at).await.json()["email"], body["email"], "{id}");
    }
    for id in ["%00", "%ff", "a%0Ab", "%20", &"x".repeat(256)] {
        let answer = client.put(&format!("/users/by-external-id/{id}"), &ada()).await;
        assert_eq!(answer.faults()[0].1, json!(["path", "id"]), "{id}");
    }
}

#[on_both]
async fn one_id_put_a_hundred_times_at_once_makes_one_user(db: TestDb) {
    let app = TestApp::with(db, &[("RATE_LIMITS", "off")]).await;
    let client = app.all_scopes().await;
    let body = ada();
    let answers = join_all((0..100).map(|_| client.put(AT, &body))).await;
    let count = |status: StatusCode| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(StatusCode::CREATED), count(StatusCode::OK)), (1, 99));
    assert_eq!(app.count_users().await, 1);
}

#[on_both]
async fn if_match_races_lose_no_update(db: TestDb) {
    let app = TestApp::with(db, &[("RATE_LIMITS", "off")]).await;
    let client = app.all_scopes().await;
    let at = format!("/users/{}", client.sign_up("ada@example.com").await);
    client.patch(&at, &json!({"age": 0})).await;
    // Each adds one to what it has read, until nobody was in between.
    let add_one = async || loop {
        let read = client.get(&at).await;
        let age = read.json()["age"].as_i64().unwrap() + 1;
        let written = client
            .clone()
            .with("if-match", read.header("etag"))
            .patch(&at, &json!({"age": age}))
            .await;
        if written.status == StatusCode::OK {
            return;
        }
        written.is(412, "precondition_failed");
    };
    join_all((0..40).map(|_| add_one())).await;
    assert_eq!(client.get(&at).await.json()["age"], 40);
}
