//! The two faces of every error, and that each is explained.

use std::time::Duration;

use axum::{
    body::Body,
    http::{Method, StatusCode},
};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use usher_api::{AppState, Code, router};
use usher_migrations::{Migrator, MigratorTrait};
use usher_shared::{
    AppContext,
    foundation::db::{PoolOptions, connect},
};
use usher_testkit::{Postgres, TestDb, config, eventually, on_both, run};

use crate::app::{Answer, Client, TestApp};

const STRICT: &str = "application/problem+json";

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}

#[on_both]
async fn the_default_face_is_the_examples_with_more(db: TestDb) {
    let app = TestApp::with(db, &[("API_URL", "https://api.example.org")]).await;
    let answer = app
        .all_scopes()
        .await
        .with("x-request-id", "abc-1")
        .get("/users/7")
        .await;
    assert_eq!(
        answer.json(),
        json!({
            "detail": "User not found",
            "type": "https://api.example.org/problems/user_not_found",
            "title": "User not found",
            "status": 404,
            "code": "user_not_found",
            "request_id": "abc-1",
        })
    );
    assert_eq!(
        (answer.header("content-type"), answer.header("vary")),
        ("application/json", "accept")
    );
}

#[on_both]
async fn the_strict_face_is_rfc_9457(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await.with("accept", STRICT);
    let answer = client.post("/users", &json!({"email": 1})).await;
    assert_eq!(answer.header("content-type"), STRICT);
    let body = answer.json();
    assert_eq!(
        keys(&body),
        ["code", "detail", "errors", "request_id", "status", "title", "type"]
    );
    assert!(body["detail"].is_string());
    let places = |body: &Value, key: &str| -> Vec<Value> {
        body["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|fault| fault[key].clone())
            .collect()
    };
    assert_eq!(places(&body, "pointer"), ["#/name", "#/email"]);
    assert_eq!(places(&body, "type"), ["missing", "string_type"]);
    assert_eq!(places(&client.post_text("/users", "").await.json(), "pointer"), ["#"]);
    assert_eq!(places(&client.post_text("/users", "{").await.json(), "pointer"), ["#"]);
    let path = client.get("/users/abc").await.json();
    assert_eq!(
        (places(&path, "parameter"), places(&path, "pointer")),
        (vec![json!("id")], vec![Value::Null])
    );
    let plain = client.get("/users/7").await.json();
    assert_eq!(
        keys(&plain),
        ["code", "detail", "request_id", "status", "title", "type"]
    );
}

#[on_both]
async fn accept_decides_between_the_faces(db: TestDb) {
    let app = TestApp::start(db).await;
    for (accept, strict) in [
        ("*/*", false),
        ("application/json", false),
        ("application/problem+json", true),
        ("Application/Problem+JSON", true),
        ("application/json, application/problem+json", true),
        ("application/json, application/problem+json;q=0.5", false),
        ("application/problem+json;q=0", false),
        ("application/json;q=0.1, application/problem+json; q=0.2", true),
        ("text/html, */*;q=0.1", false),
        (";;;,,,q=;q=x", false),
    ] {
        let answer = app.anonymous().with("accept", accept).get("/nowhere").await;
        let face = if strict { STRICT } else { "application/json" };
        assert_eq!(answer.header("content-type"), face, "{accept}");
    }
}

#[on_both]
async fn unknown_routes_and_wrong_methods_are_problems_everywhere(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.anonymous();
    for path in [
        "/nowhere",
        "/users/1/2/3",
        "/assets/none.js",
        "/problems/none",
        "/problems/%FF",
        "//",
        "/%00",
        "/.env",
    ] {
        client.get(path).await.is(404, "not_found");
    }
    assert_eq!(client.get("/nowhere").await.json()["detail"], "Not Found");
    for (path, allow) in [
        ("/users", "GET,HEAD,POST"),
        ("/users/", "GET,HEAD,POST"),
        ("/users/1", "GET,HEAD,PATCH,DELETE"),
        ("/health/live", "GET,HEAD"),
        ("/health/ready", "GET,HEAD"),
        ("/version", "GET,HEAD"),
        ("/problems", "GET,HEAD"),
        ("/problems/not_found", "GET,HEAD"),
        ("/docs", "GET,HEAD"),
        ("/redoc", "GET,HEAD"),
        ("/openapi.json", "GET,HEAD"),
        ("/asyncapi.json", "GET,HEAD"),
        ("/", "GET,HEAD"),
        ("/favicon.ico", "GET,HEAD"),
        ("/assets/pages.css", "GET,HEAD"),
        ("/set-password", "GET,HEAD,POST"),
    ] {
        for method in [
            Method::PUT,
            Method::DELETE,
            Method::OPTIONS,
            Method::TRACE,
            Method::from_bytes(b"BREW").unwrap(),
        ] {
            if allow.split(',').any(|allowed| allowed == method.as_str()) {
                continue;
            }
            let answer = client.call(method, path, Body::empty()).await;
            answer.is(405, "method_not_allowed");
            assert_eq!(answer.header("allow"), allow, "{path}");
        }
    }
}

#[on_both]
async fn a_failing_database_is_told_without_its_reason(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    app.context
        .db
        .execute_unprepared("DROP TABLE mail_tokens")
        .await
        .unwrap();
    app.context
        .db
        .execute_unprepared("ALTER TABLE jobs RENAME TO secret_name")
        .await
        .unwrap();
    let answer = client
        .post("/users", &json!({"name": "Ada", "email": "ada@example.com"}))
        .await;
    answer.is(500, "internal_error");
    let text = answer.text();
    assert!(
        !text.contains("jobs") && !text.contains("secret_name") && !text.contains("ada@example.com"),
        "{text}"
    );
    assert_eq!(answer.json()["request_id"], answer.header("x-request-id"));
    assert_eq!(app.count_users().await, 0, "the user was rolled back with the job");
}

#[on_both]
async fn every_code_is_explained_at_its_address(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.anonymous();
    let list = client.get("/problems").await.json();
    assert_eq!(list.as_array().unwrap().len(), Code::ALL.len());
    for code in Code::ALL.iter().copied() {
        let one = client.get(&code.path()).await.json();
        assert_eq!(
            (&one["code"], &one["status"]),
            (&json!(code.as_str()), &json!(code.status().as_u16()))
        );
        let page: Answer = client.clone().with("accept", "text/html").get(&code.path()).await;
        assert_eq!(
            (page.status, page.header("content-type")),
            (StatusCode::OK, "text/html; charset=utf-8")
        );
        assert!(page.text().contains(code.title()), "{}", page.text());
    }
}

#[test]
fn a_database_that_is_away_is_503_until_it_is_back() {
    run(async {
        let mut postgres = Postgres::start().await;
        let config = config(&postgres.url("postgres"), &[("SIGN_UP", "open")]);
        let db = connect(&config.database_url, &PoolOptions::default()).await.unwrap();
        Migrator::up(&db, None).await.unwrap();
        let client = Client::of(router(AppState::new(&AppContext::with(config, db, true))));
        client.sign_up("ada@example.com").await;
        postgres.stop();
        for _ in 0..3 {
            let answer = client
                .post("/users", &json!({"name": "Eve", "email": "eve@example.com"}))
                .await;
            answer.is(503, "service_unavailable");
            assert_eq!(answer.header("retry-after"), "5");
            assert!(!answer.text().contains("postgres"), "{}", answer.text());
        }
        assert_eq!(client.get("/health/ready").await.json()["database"], "unreachable");
        assert_eq!(client.get("/health/live").await.status, StatusCode::OK);
        postgres.start_again().await;
        eventually(Duration::from_secs(10), "it works again", async || {
            let answer = client
                .post("/users", &json!({"name": "Eve", "email": "eve@example.com"}))
                .await;
            (answer.status == StatusCode::CREATED).then_some(())
        })
        .await;
    });
}
