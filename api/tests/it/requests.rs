//! What every answer carries, whatever was asked: ids, safety headers, and what browsers need.

use axum::{
    body::Body,
    http::{Method, StatusCode},
};
use serde_json::json;
use usher_testkit::{TestDb, on_both};

use crate::app::TestApp;

#[on_both]
async fn a_good_request_id_is_kept_and_a_bad_one_replaced(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.anonymous();
    let longest = "x".repeat(128);
    for good in ["a", "trace-7/ü".trim_end_matches('ü'), "{\"odd\":'id'}", &longest] {
        let answer = client.clone().with("x-request-id", good).get("/nowhere").await;
        assert_eq!(
            (answer.header("x-request-id"), &answer.json()["request_id"]),
            (good, &json!(good))
        );
    }
    let too_long = "x".repeat(129);
    for bad in ["", "a b", "tab\there", "ü", &too_long] {
        let answer = client.clone().with("x-request-id", bad).get("/nowhere").await;
        assert_eq!(answer.header("x-request-id").len(), 36, "{bad}");
    }
    let (one, other) = (client.get("/version").await, client.get("/version").await);
    assert_ne!(one.header("x-request-id"), other.header("x-request-id"));
}

#[on_both]
async fn a_request_hands_its_trace_to_the_jobs_it_causes_and_starts_one_where_there_is_none(db: TestDb) {
    let app = TestApp::start(db).await;
    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let client = app.all_scopes().await;
    let traced = client
        .clone()
        .with("traceparent", GIVEN)
        .sign_up("ada@example.org")
        .await;
    let jobs = app.jobs_of(traced).await;
    assert_eq!(jobs[0].trace_context.as_deref(), Some(GIVEN));
    // What runs in a task of its own is no exception.
    let safe = client
        .clone()
        .with("traceparent", GIVEN)
        .with("idempotency-key", "once");
    let safe = safe.sign_up("lin@example.org").await;
    assert_eq!(app.jobs_of(safe).await[0].trace_context.as_deref(), Some(GIVEN));
    let own = client.with("traceparent", "junk").sign_up("grace@example.org").await;
    let made = app.jobs_of(own).await[0].trace_context.clone().unwrap();
    assert!(made.len() == 55 && made != GIVEN, "{made}");
}

#[on_both]
async fn oversized_addresses_and_headers_are_refused(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.anonymous();
    client
        .get(&format!("/users?q={}", "x".repeat(8 * 1024)))
        .await
        .is(414, "uri_too_long");
    client
        .get(&format!("/{}", "x".repeat(8 * 1024 - 1)))
        .await
        .is(404, "not_found");
    let long = "x".repeat(16 * 1024);
    client
        .clone()
        .with("x-long", &long)
        .get("/version")
        .await
        .is(431, "headers_too_large");
    let almost = &long[..16 * 1024 - "x-long".len()];
    assert_eq!(
        client.with("x-long", almost).get("/version").await.status,
        StatusCode::OK
    );
}

#[on_both]
async fn every_answer_is_safe_for_browsers(db: TestDb) {
    let app = TestApp::with(db, &[("API_URL", "https://api.example.org")]).await;
    for path in [
        "/",
        "/users/1",
        "/nowhere",
        "/health/live",
        "/openapi.json",
        "/asyncapi.json",
        "/docs",
        "/set-password",
        "/assets/pages.css",
    ] {
        let answer = app.anonymous().get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(answer.header("strict-transport-security"), "max-age=31536000", "{path}");
        let policy = answer.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        assert_ne!(answer.header("cache-control"), "", "{path}");
    }
}

#[on_both]
async fn only_listed_origins_may_read_answers(db: TestDb) {
    let app = TestApp::with(
        db,
        &[("CORS_ORIGINS", "https://app.example.org,https://www.example.org")],
    )
    .await;
    let ours = app.all_scopes().await.with("origin", "https://app.example.org");
    let answer = ours.get("/users/1").await;
    assert_eq!(answer.header("access-control-allow-origin"), "https://app.example.org");
    for exposed in [
        "etag",
        "location",
        "retry-after",
        "x-request-id",
        "ratelimit",
        "www-authenticate",
    ] {
        assert!(
            answer.header("access-control-expose-headers").contains(exposed),
            "{exposed}"
        );
    }
    let preflight = ours
        .with("access-control-request-method", "POST")
        .with(
            "access-control-request-headers",
            "authorization,content-type,idempotency-key",
        )
        .call(Method::OPTIONS, "/users", Body::empty())
        .await;
    assert_eq!(preflight.status, StatusCode::OK);
    assert!(
        preflight
            .header("access-control-allow-headers")
            .contains("authorization")
    );
    let foreign = app
        .anonymous()
        .with("origin", "https://evil.example")
        .get("/version")
        .await;
    assert_eq!(foreign.header("access-control-allow-origin"), "");
}

#[on_both]
async fn without_listed_origins_no_other_site_reads_answers(db: TestDb) {
    let app = TestApp::start(db).await;
    let answer = app
        .anonymous()
        .with("origin", "https://app.example.org")
        .get("/version")
        .await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
}

#[on_both]
async fn large_answers_are_compressed_and_small_ones_not(db: TestDb) {
    let app = TestApp::start(db).await;
    for (accepted, sent) in [
        ("gzip", "gzip"),
        ("br", "br"),
        ("gzip, br", "br"),
        ("identity", ""),
        ("zstd", ""),
    ] {
        let client = app.anonymous().with("accept-encoding", accepted);
        assert_eq!(
            client.get("/problems").await.header("content-encoding"),
            sent,
            "{accepted}"
        );
        assert_eq!(
            client.get("/version").await.header("content-encoding"),
            "",
            "{accepted}"
        );
    }
}

#[on_both]
async fn an_answer_is_never_refused_for_its_coding(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    let refusals = [
        "identity;q=0",
        "*;q=0",
        "identity;q=0, *;q=0",
        "zstd, identity;q=0",
        "br;q=0, gzip;q=0.000, *; Q=0",
        ", identity;q=0 ,",
    ];
    for (number, refusal) in refusals.into_iter().enumerate() {
        let client = client.clone().with("accept-encoding", refusal);
        let made = client
            .post(
                "/users",
                &json!({"name": "Ada", "email": format!("ada{number}@example.com")}),
            )
            .await;
        assert_eq!(
            (made.status, made.header("content-encoding")),
            (StatusCode::CREATED, ""),
            "{refusal}"
        );
        client.get("/users/999").await.is(404, "user_not_found");
        client.delete("/users/999").await.is(404, "user_not_found");
        let long = client.get("/problems").await;
        assert_eq!(
            (long.status, long.header("content-encoding")),
            (StatusCode::OK, ""),
            "{refusal}"
        );
        let script = client.get("/assets/redoc.standalone.js").await;
        assert_eq!(
            (script.status, script.header("content-encoding")),
            (StatusCode::OK, ""),
            "{refusal}"
        );
    }
    for (accepted, sent) in [
        ("identity;q=0, gzip", "gzip"),
        ("*;q=0, br", "br"),
        ("gzip;q=0, *", "br"),
        ("gzip, br;q=0.1", "gzip"),
        ("identity, gzip;q=0.5", ""),
        ("GZIP;q=1.0,, ", "gzip"),
        ("gzip;q=nonsense", ""),
    ] {
        let client = app.anonymous().with("accept-encoding", accepted);
        assert_eq!(
            client.get("/problems").await.header("content-encoding"),
            sent,
            "{accepted}"
        );
    }
}

#[on_both]
async fn instrumented_front_ends_pass_the_preflight(db: TestDb) {
    let app = TestApp::with(db, &[("CORS_ORIGINS", "https://app.example.org")]).await;
    let preflight = app
        .anonymous()
        .with("origin", "https://app.example.org")
        .with("access-control-request-method", "GET")
        .with(
            "access-control-request-headers",
            "authorization,baggage,traceparent,tracestate",
        )
        .call(Method::OPTIONS, "/users", Body::empty())
        .await;
    let allowed: Vec<_> = preflight.header("access-control-allow-headers").split(',').collect();
    for name in ["authorization", "baggage", "traceparent", "tracestate"] {
        assert!(allowed.contains(&name), "{name} is not in {allowed:?}");
    }
}

#[on_both]
async fn behind_a_proxy_with_a_path_links_lead_back_through_it(db: TestDb) {
    let app = TestApp::with(db, &[("API_URL", "https://example.org/api/v1")]).await;
    let made = app
        .all_scopes()
        .await
        .post("/users", &json!({"name": "Ada", "email": "ada@example.com"}))
        .await;
    assert_eq!(made.header("location"), format!("/api/v1/users/{}", made.json()["id"]));
    let docs = app.anonymous().get("/docs").await.text();
    assert!(docs.contains("src=\"/api/v1/assets/swagger-ui-bundle.js?v="), "{docs}");
    assert_eq!(
        app.anonymous().get("/openapi.json").await.json()["servers"],
        json!([{"url": "https://example.org/api/v1"}])
    );
}
