//! How often a caller may call, and how it is told.

use axum::http::StatusCode;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, IntoActiveModel};
use serde_json::json;
use usher_shared::accounts::api_keys::Scope;
use usher_testkit::{Redis, TestDb, on_both};

use crate::app::{Answer, Client, TestApp};

async fn key_with_limit(app: &TestApp, limit: i32) -> Client {
    let (client, row) = app.key_row(&Scope::BUILT_IN).await;
    let mut row = row.into_active_model();
    row.requests_per_minute = Set(Some(limit));
    row.update(&app.context.db).await.unwrap();
    client
}

async fn three_are_allowed(app: &TestApp) {
    let client = key_with_limit(app, 3).await;
    for left in [2, 1, 0] {
        let answer = client.get("/users/1").await;
        answer.is(404, "user_not_found");
        assert_eq!(answer.header("ratelimit-policy"), "\"key\";q=3;w=60");
        assert!(
            answer.header("ratelimit").starts_with(&format!("\"key\";r={left};t=")),
            "{}",
            answer.header("ratelimit")
        );
    }
    let refused = client.get("/users/1").await;
    refused.is(429, "rate_limited");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=20).contains(&wait), "{wait}");
    assert!(refused.header("ratelimit").starts_with("\"key\";r=0;t="));
    app.all_scopes().await.get("/users/1").await.is(404, "user_not_found");
}

#[on_both]
async fn a_person_has_one_limit_for_all_sessions(db: TestDb) {
    let app = TestApp::start(db).await;
    let first = app.person("ada@example.com").await;
    let second = app.sign_in("ada@example.com").await;
    let (a, b) = (first.client.get("/me").await, second.client.get("/me").await);
    assert_eq!(a.header("ratelimit-policy"), "\"user\";q=600;w=60");
    let left = |answer: &Answer| {
        let line = answer.header("ratelimit").to_owned();
        let left = line
            .split_once("r=")
            .and_then(|(_, rest)| rest.split(';').next().map(str::to_owned));
        left.and_then(|left| left.parse::<u32>().ok()).expect("what is left")
    };
    assert!(left(&b) <= left(&a), "{} then {}", left(&a), left(&b));
    let other = app.person("bob@example.com").await;
    for _ in 0..700 {
        if first.client.get("/me").await.status == StatusCode::TOO_MANY_REQUESTS {
            second.client.get("/me").await.is(429, "rate_limited");
            assert_eq!(other.client.get("/me").await.status, StatusCode::OK);
            return;
        }
    }
    panic!("never limited");
}

#[on_both]
async fn a_key_has_a_limit_of_its_own(db: TestDb) {
    three_are_allowed(&TestApp::start(db).await).await;
}

#[on_both]
async fn the_limit_is_shared_through_redis(db: TestDb) {
    let redis = Redis::start().await;
    three_are_allowed(&TestApp::with(db, &[("REDIS_URL", &redis.url())]).await).await;
}

#[on_both]
async fn other_keys_have_six_hundred_a_minute(db: TestDb) {
    let app = TestApp::start(db).await;
    let answer = app.all_scopes().await.get("/users/1").await;
    assert_eq!(answer.header("ratelimit-policy"), "\"key\";q=600;w=60");
    assert!(answer.header("ratelimit").starts_with("\"key\";r=599;t="));
}

#[on_both]
async fn an_installation_sets_its_own_limits(db: TestDb) {
    let app = TestApp::with(db, &[("RATE_LIMITS", "key=2/30s")]).await;
    let client = app.all_scopes().await;
    let answer = client.get("/users/1").await;
    assert_eq!(answer.header("ratelimit-policy"), "\"key\";q=2;w=30");
    client.get("/users/1").await;
    client.get("/users/1").await.is(429, "rate_limited");
    let own = key_with_limit(&app, 3).await.get("/users/1").await;
    assert_eq!(
        own.header("ratelimit-policy"),
        "\"key\";q=3;w=60",
        "a key's own limit comes first"
    );
}

#[on_both]
async fn ten_strangers_an_hour_sign_up_from_one_address(db: TestDb) {
    let app = TestApp::with(db, &[("SIGN_UP", "open"), ("TRUSTED_PROXIES", "10.0.0.0/8")]).await;
    let client = app.anonymous();
    for number in 0..10 {
        client
            .post("/users", &json!({"name": ""}))
            .await
            .is(422, "invalid_request");
        client.sign_up(&format!("ada{number}@example.com")).await;
    }
    let body = json!({"name": "Ada", "email": "ada@example.com"});
    let refused = client.post("/users", &body).await;
    refused.is(429, "rate_limited");
    assert_eq!(refused.header("ratelimit-policy"), "\"sign-up\";q=10;w=3600");
    let lie = client.clone().with("x-forwarded-for", "198.51.100.1");
    lie.post("/users", &body).await.is(429, "rate_limited");
    let proxied = lie.from("10.0.0.1").post("/users", &body).await;
    assert_eq!(proxied.status, StatusCode::CREATED);
    app.all_scopes().await.sign_up("eve@example.com").await;
    assert_eq!(app.count_users().await, 12);
}

#[on_both]
async fn clients_behind_a_proxy_have_limits_of_their_own_however_it_writes_them(db: TestDb) {
    let settings = [
        ("SIGN_UP", "open"),
        ("TRUSTED_PROXIES", "10.0.0.0/8"),
        ("RATE_LIMITS", "sign-up=1/h"),
    ];
    let app = TestApp::with(db, &settings).await;
    let proxy = app.anonymous().from("10.0.0.1");
    let sign_up = async |name: &str, value: &str| {
        let email = format!("ada{}@example.com", uuid::Uuid::now_v7().simple());
        let body = json!({"name": "Ada", "email": email});
        proxy
            .clone()
            .with(name, value)
            .post("/users", &body)
            .await
            .status
            .as_u16()
    };
    for (number, (name, value)) in [
        ("x-forwarded-for", "203.0.113.1:51234"),
        ("x-forwarded-for", "\"[2001:db8:0:1::1]:443\""),
        ("x-forwarded-for", "6.6.6.6,, 203.0.113.2 ,"),
        ("forwarded", "for=203.0.113.3"),
        ("forwarded", "for=6.6.6.6, For=\"[2001:db8:0:2::1]:443\";proto=https"),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(sign_up(name, value).await, 201, "{value}");
        assert_eq!(
            sign_up(name, &value.replace("6.6.6.6", &format!("6.6.6.{number}"))).await,
            429,
            "{value}"
        );
    }
    // What nobody can read counts as the proxy's, and does not choose whose limit it is.
    assert_eq!(sign_up("x-forwarded-for", "unknown").await, 201);
    assert_eq!(sign_up("x-forwarded-for", "_hidden").await, 429);
    assert_eq!(sign_up("forwarded", "for=6.6.6.7;by=\", for=203.0.113.9").await, 429);
    let torn = proxy
        .clone()
        .with("x-forwarded-for", "203.0.113.9")
        .with("forwarded", "for=6.6.6.8");
    torn.post("/users", &json!({"name": "Ada", "email": "eve@example.com"}))
        .await
        .is(429, "rate_limited");
    let metrics = app.context.render_metrics();
    for line in [
        "{room=\"api\",header=\"x-forwarded-for\"} 2",
        "{room=\"api\",header=\"forwarded\"} 1",
        "{room=\"api\",header=\"both\"} 1",
    ] {
        assert!(
            metrics.contains(&format!("usher_client_addresses_unread_total{line}")),
            "{line}: {metrics}"
        );
    }
}

#[on_both]
async fn strangers_are_counted_before_their_bodies_are_read(db: TestDb) {
    let app = TestApp::with(db, &[("SIGN_UP", "open"), ("RATE_LIMITS", "anonymous=12/h")]).await;
    let stranger = app.anonymous();
    let nonsense = app.anonymous().with("authorization", "Bearer uat_nonsense");
    for path in [
        "/users",
        "/auth/sign-up",
        "/auth/login",
        "/auth/mfa",
        "/auth/refresh",
        "/auth/verify-email",
    ] {
        stranger.post_text(path, "no JSON").await.is(422, "invalid_request");
    }
    for path in ["/auth/sign-up", "/auth/login", "/auth/mfa"] {
        nonsense.post_text(path, "no JSON").await.is(422, "invalid_request");
    }
    for path in ["/oauth/token", "/set-password", "/verify-email"] {
        assert_ne!(
            stranger.submit(path, &[]).await.status,
            StatusCode::TOO_MANY_REQUESTS,
            "{path}"
        );
    }
    let refused = stranger.post_text("/auth/login", "no JSON").await;
    refused.is(429, "rate_limited");
    assert_eq!(refused.header("ratelimit-policy"), "\"anonymous\";q=12;w=3600");
    nonsense
        .post_text("/auth/sign-up", &"x".repeat(300_000))
        .await
        .is(429, "rate_limited");
    assert_eq!(stranger.get("/health/live").await.status, StatusCode::OK);
    app.all_scopes().await.sign_up("ada@example.com").await;
    app.anonymous().from("198.51.100.7").sign_up("eve@example.com").await;
}

#[on_both]
async fn a_body_of_too_many_values_is_not_built(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    let body = |values: usize| {
        format!(
            r#"{{"name": "Ada", "email": "ada@example.com", "x": [{}0]}}"#,
            "0,".repeat(values)
        )
    };
    for wide in [
        body(10_000),
        format!(r#"{{"x": [{}[]]}}"#, "[],".repeat(10_000)),
        format!("[{}", "{},".repeat(10_000)),
    ] {
        let faults = client.post_text("/users", &wide).await.faults();
        assert_eq!(faults[0].0, "json_invalid");
    }
    let answer = client.post_text("/users", &body(9_000)).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    // Commas in texts are no values.
    let text = format!(r#"{{"name": "{}"}}"#, ",[{".repeat(20_000));
    assert_eq!(client.post_text("/users", &text).await.faults()[0].0, "string_too_long");
}

#[on_both]
async fn one_network_is_one_address_in_ipv6(db: TestDb) {
    let app = TestApp::with(db, &[("SIGN_UP", "open")]).await;
    for number in 0..10 {
        app.anonymous()
            .from(&format!("2001:db8:1:2::{number}"))
            .sign_up(&format!("ada{number}@example.com"))
            .await;
    }
    let body = json!({"name": "Ada", "email": "ada@example.com"});
    app.anonymous()
        .from("2001:db8:1:2:ffff::1")
        .post("/users", &body)
        .await
        .is(429, "rate_limited");
    assert_eq!(
        app.anonymous()
            .from("2001:db8:1:3::1")
            .post("/users", &body)
            .await
            .status,
        StatusCode::CREATED
    );
}

#[on_both]
async fn switched_off_nothing_is_limited_or_told(db: TestDb) {
    let app = TestApp::with(db, &[("RATE_LIMITS", "off")]).await;
    let client = key_with_limit(&app, 1).await;
    for _ in 0..5 {
        let answer = client.get("/users/1").await;
        answer.is(404, "user_not_found");
        assert_eq!(answer.header("ratelimit"), "");
    }
}
