//! What every answer carries.

use axum::http::{StatusCode, header};
use usher_testkit::on_both;

use crate::app::TestApp;

on_both! {
    async fn every_page_carries_the_policy_and_nothing_inline(db: TestDb) {
        let app = TestApp::start(db).await;
        let mut visitor = app.superuser().await;
        let user = format!("/admin/users/{}", app.admin.id);
        let history = format!("{user}/history");
        let paths = [
            "/admin/", "/admin/users", "/admin/users/new", &user, &history, "/admin/jobs", "/admin/mails", "/admin/audit",
            "/admin/nothing", "/admin/users/999999", "/nothing",
        ];
        for path in paths {
            let page = visitor.get(path).await;
            check(path, &page);
        }
        let mut stranger = app.anonymous();
        for path in ["/admin/login", "/nothing", "/admin/logout"] {
            let page = stranger.get(path).await;
            check(path, &page);
        }
    }

    async fn a_request_id_is_kept_or_made(db: TestDb) {
        let app = TestApp::start(db).await;
        let mut visitor = app.anonymous();
        let made = visitor.get("/admin/login").await;
        assert!(made.headers["x-request-id"].len() >= 16);
        let sent = [("x-request-id", "abc-123")];
        let page = visitor.post_with_headers("/admin/login", &[], &sent).await;
        assert_eq!(page.headers["x-request-id"], "abc-123");
        let page = visitor.post_with_headers("/admin/login", &[], &[("x-request-id", "<script>")]).await;
        assert_ne!(page.headers["x-request-id"], "<script>");
    }

    async fn assets_are_kept_for_ever_under_hashed_names(db: TestDb) {
        let app = TestApp::start(db).await;
        let mut visitor = app.anonymous();
        let page = visitor.get("/admin/login").await;
        let links = page.body.split('"').filter(|text| text.starts_with("/admin/assets/"));
        let links: Vec<_> = links.map(str::to_owned).collect();
        assert_eq!(links.len(), 3, "style, script and icon");
        for link in links {
            let asset = visitor.get(&link).await;
            assert_eq!(asset.status, StatusCode::OK, "{link}");
            assert!(asset.headers[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
        }
        assert_eq!(visitor.get("/admin/assets/admin.css").await.status, StatusCode::NOT_FOUND);
    }

    async fn health_and_the_front_door_answer(db: TestDb) {
        let app = TestApp::start(db).await;
        let mut visitor = app.anonymous();
        assert_eq!(visitor.get("/health/live").await.status, StatusCode::OK);
        assert_eq!(visitor.get("/health/ready").await.status, StatusCode::OK);
        for path in ["/", "/admin"] {
            assert_eq!(visitor.get(path).await.location(), "/admin/");
        }
        let mut staff = app.superuser().await;
        assert_eq!(staff.get("/admin/users/").await.location(), "/admin/users");
    }
}

fn check(path: &str, page: &crate::app::Page) {
    let policy = page.policy();
    for rule in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ] {
        assert!(policy.contains(rule), "{path}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{path}: {policy}");
    assert_eq!(page.headers[header::CACHE_CONTROL], "no-store", "{path}");
    assert_eq!(page.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
    assert!(page.has("<html"), "{path} is a page: {}", page.body);
    for inline in ["<style", " style=", "<script>", " onclick=", " onload=", "javascript:"] {
        assert!(!page.has(inline), "{path} holds {inline}");
    }
    assert!(
        page.body.matches("<script").count() == 1,
        "{path}: one script, from a file"
    );
}
