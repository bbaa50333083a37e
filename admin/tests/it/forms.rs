//! No form is taken without its token, or from elsewhere.

use axum::http::StatusCode;
use usher_testkit::{TestDb, on_both};

use crate::app::TestApp;

#[on_both]
async fn every_post_needs_the_sessions_token(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut visitor = app.superuser().await;
    app.add_staff("other@example.org", &[]).await;
    let mut other = app.signed_in("other@example.org").await;
    other.get("/admin/").await;
    let foreign = other.token();
    let user = format!("/admin/users/{}", app.admin.id);
    for path in [
        "/admin/login",
        "/admin/logout",
        "/admin/mfa/enrol",
        "/admin/theme",
        "/admin/users/new",
        "/admin/jobs/actions",
        &user,
    ] {
        for token in ["", "nonsense", "AAAA", &foreign] {
            let page = visitor
                .post_without_token(path, &[("csrf_token", token), ("name", "x")])
                .await;
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{path} with {token:?}");
        }
        let page = visitor.post_without_token(path, &[]).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{path} without a token");
    }
    let page = visitor
        .post_without_token("/admin/mfa", &[("csrf_token", foreign.as_str()), ("code", "x")])
        .await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "who is signed in goes on");
    assert_eq!(visitor.get("/admin/").await.status, StatusCode::OK, "still signed in");
}

#[on_both]
async fn the_sign_in_form_is_bound_to_its_visitor(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut one = app.anonymous();
    one.get("/admin/login").await;
    let mut other = app.anonymous();
    other.get("/admin/login").await;
    let fields = [("csrf_token", one.token()), ("email", crate::app::ADMIN.to_owned())];
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(
        other.post_without_token("/admin/login", &fields).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        one.post_without_token("/admin/login", &fields).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[on_both]
async fn what_the_browser_says_comes_from_elsewhere_is_refused(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut visitor = app.superuser().await;
    visitor.get("/admin/").await;
    let token = visitor.token();
    let fields = [("csrf_token", token.as_str()), ("theme", "dark")];
    for (header, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", "http://127.0.0.1:9999"),
    ] {
        let page = visitor
            .post_with_headers("/admin/theme", &fields, &[(header, value)])
            .await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{header}: {value}");
    }
    let own = [("origin", "http://127.0.0.1:8001"), ("sec-fetch-site", "same-origin")];
    let page = visitor.post_with_headers("/admin/theme", &fields, &own).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    assert!(visitor.get("/admin/").await.has("data-theme=\"dark\""));
}

#[on_both]
async fn a_form_has_a_size(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut visitor = app.superuser().await;
    visitor.get("/admin/").await;
    let large = "x".repeat(1_100_000);
    let page = visitor.post("/admin/theme", &[("theme", &large)]).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
}
