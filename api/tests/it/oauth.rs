//! RFC 6749 for clients that speak nothing else.

use axum::http::StatusCode;
use serde_json::json;
use usher_testkit::{TestDb, on_both};

use crate::{
    app::{Client, TestApp},
    people::{PASSWORD, code},
};

#[on_both]
async fn password_and_refresh_grants_give_tokens(db: TestDb) {
    let app = TestApp::start(db).await;
    app.member("ada@example.com").await;
    let form = [
        ("grant_type", "password"),
        ("username", "ada@example.com"),
        ("password", PASSWORD),
        ("scope", ""),
        ("client_id", "x"),
    ];
    let answer = app
        .elsewhere()
        .with("authorization", "Basic Og==")
        .submit("/oauth/token", &form)
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(
        (answer.header("cache-control"), answer.header("pragma")),
        ("no-store", "no-cache")
    );
    let tokens = answer.json();
    assert_eq!(
        tokens.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["access_token", "expires_in", "refresh_token", "token_type"]
    );
    let ada = app.signed_in("ada@example.com", &tokens).await;
    assert_eq!(ada.client.get("/me").await.status, StatusCode::OK);
    let next = app
        .anonymous()
        .submit(
            "/oauth/token",
            &[("grant_type", "refresh_token"), ("refresh_token", &ada.refresh)],
        )
        .await;
    let next = app.signed_in("ada@example.com", &next.json()).await;
    assert_eq!(next.client.get("/me").await.status, StatusCode::OK);
    ada.client.get("/me").await.is(401, "invalid_credential");
}

#[on_both]
async fn errors_have_the_form_of_the_rfc(db: TestDb) {
    let app = TestApp::start(db).await;
    app.member("ada@example.com").await;
    for (form, error) in [
        (&[][..], "invalid_request"),
        (&[("grant_type", "")], "invalid_request"),
        (
            &[("grant_type", "password"), ("grant_type", "password")],
            "invalid_request",
        ),
        (&[("grant_type", "client_credentials")], "unsupported_grant_type"),
        (
            &[("grant_type", "password"), ("username", "ada@example.com")],
            "invalid_request",
        ),
        (&[("grant_type", "refresh_token")], "invalid_request"),
        (
            &[("grant_type", "refresh_token"), ("refresh_token", "urt_x")],
            "invalid_grant",
        ),
        (
            &[
                ("grant_type", "password"),
                ("username", "ada@example.com"),
                ("password", "wrong"),
            ],
            "invalid_grant",
        ),
        (
            &[
                ("grant_type", "password"),
                ("username", "nobody@example.com\0"),
                ("password", PASSWORD),
            ],
            "invalid_grant",
        ),
    ] {
        let answer = app.elsewhere().submit("/oauth/token", form).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["error"]),
            (400, &json!(error)),
            "{form:?}"
        );
        assert!(answer.json()["error_description"].is_string());
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    let answer = app
        .elsewhere()
        .post("/oauth/token", &json!({"grant_type": "password"}))
        .await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["error"]),
        (400, &json!("invalid_request"))
    );
}

#[on_both]
async fn what_a_client_asks_for_in_vain_is_refused(db: TestDb) {
    let app = TestApp::with(db, &[("RATE_LIMITS", "off")]).await;
    app.member("ada@example.com").await;
    let good = [
        ("grant_type", "password"),
        ("username", "ada@example.com"),
        ("password", PASSWORD),
    ];
    let ask = async |client: Client, more: &[(&str, &str)]| {
        let answer = client.submit("/oauth/token", &[&good[..], more].concat()).await;
        assert_eq!(answer.header("pragma"), "no-cache");
        (
            answer.status.as_u16(),
            answer.json()["error"].as_str().unwrap_or_default().to_owned(),
            answer.header("www-authenticate").to_owned(),
        )
    };
    let refused = |error: &str| (400, error.to_owned(), String::new());
    for scope in ["admin", "users:read users:write", " ", "ü"] {
        assert_eq!(
            ask(app.anonymous(), &[("scope", scope)]).await,
            refused("invalid_scope"),
            "{scope}"
        );
    }
    for twice in [
        [("scope", ""); 2],
        [("username", "ada@example.com"), ("x", "y")],
        [("client_id", "a"), ("client_id", "a")],
        [("state", "1"), ("state", "2")],
    ] {
        assert_eq!(
            ask(app.anonymous(), &twice).await,
            refused("invalid_request"),
            "{twice:?}"
        );
    }
    let basic = |credentials: &str| app.anonymous().with("authorization", &format!("bAsIc {credentials}"));
    let unknown = (
        401,
        "invalid_client".to_owned(),
        "Basic realm=\"usher\", charset=\"UTF-8\"".to_owned(),
    );
    for credentials in ["d3Jvbmc6Y3JlZGVudGlhbHM=", "eDo=", "%%%", ""] {
        assert_eq!(ask(basic(credentials), &[]).await, unknown, "{credentials}");
    }
    assert_eq!(
        ask(app.anonymous(), &[("client_id", "x"), ("client_secret", "y")]).await,
        unknown
    );
    assert_eq!(
        ask(basic("d3Jvbmc6Y3JlZGVudGlhbHM="), &[("client_secret", "y")]).await,
        refused("invalid_request")
    );
    assert_eq!(
        ask(basic("Og==").with("authorization", "Basic Og=="), &[]).await,
        refused("invalid_request")
    );
    // Those that clients send with everything, and what Swagger UI sends.
    assert_eq!(
        ask(app.bearer("uat_old"), &[("client_secret", ""), ("unheard_of", "x")])
            .await
            .0,
        200
    );
    assert_eq!(ask(basic("Og=="), &[("client_id", "x")]).await.0, 200);
}

#[on_both]
async fn errors_that_every_operation_has_are_oauths_here(db: TestDb) {
    let app = TestApp::with(db, &[("RATE_LIMITS", "log-in=1/h")]).await;
    app.member("ada@example.com").await;
    let form = [
        ("grant_type", "password"),
        ("username", "ada@example.com"),
        ("password", "wrong"),
    ];
    let client = app.anonymous();
    client.submit("/oauth/token", &form).await;
    let name = "x".repeat(300 * 1024);
    let long = [("grant_type", "password"), ("username", &*name), ("password", "x")];
    let coded = client.clone().with("content-encoding", "gzip");
    for (answer, status, error, code) in [
        (
            client.submit("/oauth/token", &form).await,
            429,
            "temporarily_unavailable",
            "rate_limited",
        ),
        (
            client
                .clone()
                .with("accept", "application/problem+json")
                .submit("/oauth/token/", &form)
                .await,
            429,
            "temporarily_unavailable",
            "rate_limited",
        ),
        (
            client.submit("/oauth/token", &long).await,
            413,
            "invalid_request",
            "body_too_large",
        ),
        (
            coded.submit("/oauth/token", &form).await,
            415,
            "invalid_request",
            "unsupported_content_coding",
        ),
        (
            client.get("/oauth/token").await,
            405,
            "invalid_request",
            "method_not_allowed",
        ),
    ] {
        answer.is(status, code);
        assert_eq!(answer.json()["error"], error, "{}", answer.text());
        assert!(
            answer.json()["error_description"]
                .as_str()
                .is_some_and(|why| why.is_ascii() && !why.is_empty())
        );
        assert_eq!(
            (answer.header("cache-control"), answer.header("pragma")),
            ("no-store", "no-cache")
        );
    }
}

#[on_both]
async fn a_second_factor_is_owed_here_too(db: TestDb) {
    let app = TestApp::start(db).await;
    let user = app.member("ada@example.com").await;
    let secret = app.with_app(user.id).await;
    let form = [
        ("grant_type", "password"),
        ("username", "ada@example.com"),
        ("password", PASSWORD),
    ];
    let answer = app.elsewhere().submit("/oauth/token", &form).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["error"]),
        (400, &json!("mfa_required"))
    );
    let body = json!({"mfa_token": answer.json()["mfa_token"], "code": code(&secret, 0)});
    assert_eq!(app.anonymous().post("/auth/mfa", &body).await.status, StatusCode::OK);
}
