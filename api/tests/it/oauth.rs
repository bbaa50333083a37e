//! RFC 6749 for clients that speak nothing else.

use axum::http::StatusCode;
use serde_json::json;
use usher_testkit::on_both;

use crate::{
    app::TestApp,
    people::{PASSWORD, code},
};

on_both! {
    async fn password_and_refresh_grants_give_tokens(db: TestDb) {
        let app = TestApp::start(db).await;
        app.member("ada@example.com").await;
        let form = [("grant_type", "password"), ("username", "ada@example.com"), ("password", PASSWORD), ("scope", ""), ("client_id", "x")];
        let answer = app.elsewhere().with("authorization", "Basic Og==").submit("/oauth/token", &form).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
        let tokens = answer.json();
        assert_eq!(tokens.as_object().unwrap().keys().collect::<Vec<_>>(), ["access_token", "expires_in", "refresh_token", "token_type"]);
        let ada = app.signed_in("ada@example.com", &tokens).await;
        assert_eq!(ada.client.get("/me").await.status, StatusCode::OK);
        let next = app.anonymous().submit("/oauth/token", &[("grant_type", "refresh_token"), ("refresh_token", &ada.refresh)]).await;
        let next = app.signed_in("ada@example.com", &next.json()).await;
        assert_eq!(next.client.get("/me").await.status, StatusCode::OK);
        ada.client.get("/me").await.is(401, "invalid_credential");
    }

    async fn errors_have_the_form_of_the_rfc(db: TestDb) {
        let app = TestApp::start(db).await;
        app.member("ada@example.com").await;
        for (form, error) in [
            (&[][..], "invalid_request"),
            (&[("grant_type", "")], "invalid_request"),
            (&[("grant_type", "password"), ("grant_type", "password")], "invalid_request"),
            (&[("grant_type", "client_credentials")], "unsupported_grant_type"),
            (&[("grant_type", "password"), ("username", "ada@example.com")], "invalid_request"),
            (&[("grant_type", "refresh_token")], "invalid_request"),
            (&[("grant_type", "refresh_token"), ("refresh_token", "urt_x")], "invalid_grant"),
            (&[("grant_type", "password"), ("username", "ada@example.com"), ("password", "wrong")], "invalid_grant"),
            (&[("grant_type", "password"), ("username", "nobody@example.com\0"), ("password", PASSWORD)], "invalid_grant"),
        ] {
            let answer = app.elsewhere().submit("/oauth/token", form).await;
            assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!(error)), "{form:?}");
            assert!(answer.json()["error_description"].is_string());
            assert_eq!(answer.header("cache-control"), "no-store");
        }
        let answer = app.elsewhere().post("/oauth/token", &json!({"grant_type": "password"})).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!("invalid_request")));
    }

    async fn a_second_factor_is_owed_here_too(db: TestDb) {
        let app = TestApp::start(db).await;
        let user = app.member("ada@example.com").await;
        let secret = app.with_app(user.id).await;
        let form = [("grant_type", "password"), ("username", "ada@example.com"), ("password", PASSWORD)];
        let answer = app.elsewhere().submit("/oauth/token", &form).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!("mfa_required")));
        let body = json!({"mfa_token": answer.json()["mfa_token"], "code": code(&secret, 0)});
        assert_eq!(app.anonymous().post("/auth/mfa", &body).await.status, StatusCode::OK);
    }
}
