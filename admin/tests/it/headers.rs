//! What every answer carries.

use axum::http::{StatusCode, header};
use usher_testkit::{TestDb, on_both};

use crate::app::TestApp;

#[on_both]
async fn every_page_carries_the_policy_and_nothing_inline(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut visitor = app.superuser().await;
    let user = format!("/admin/users/{}", app.admin.id);
    let history = format!("{user}/history");
    let paths = [
        "/admin/",
        "/admin/users",
        "/admin/users/new",
        &user,
        &history,
        "/admin/jobs",
        "/admin/mails",
        "/admin/audit",
        "/admin/nothing",
        "/admin/users/999999",
        "/nothing",
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

#[on_both]
async fn behind_https_browsers_are_told_to_stay_there(db: TestDb) {
    let app = TestApp::with(db, &[("ADMIN_URL", "https://admin.example.org")]).await;
    let mut visitor = app.anonymous();
    for path in ["/", "/admin/login", "/admin/", "/nothing", "/health/live"] {
        assert_eq!(
            visitor.get(path).await.headers[header::STRICT_TRANSPORT_SECURITY],
            "max-age=31536000",
            "{path}"
        );
    }
}

#[on_both]
async fn a_request_id_is_kept_or_made(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut visitor = app.anonymous();
    assert!(
        !visitor
            .get("/admin/login")
            .await
            .headers
            .contains_key(header::STRICT_TRANSPORT_SECURITY),
        "not over HTTP"
    );
    let made = visitor.get("/admin/login").await;
    assert!(made.headers["x-request-id"].len() >= 16);
    let sent = [("x-request-id", "abc-123")];
    let page = visitor.post_with_headers("/admin/login", &[], &sent).await;
    assert_eq!(page.headers["x-request-id"], "abc-123");
    let page = visitor
        .post_with_headers("/admin/login", &[], &[("x-request-id", "<script>")])
        .await;
    assert_ne!(page.headers["x-request-id"], "<script>");
}

#[on_both]
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
        assert!(
            asset.headers[header::CACHE_CONTROL]
                .to_str()
                .unwrap()
                .contains("immutable")
        );
    }
    assert_eq!(
        visitor.get("/admin/assets/admin.css").await.status,
        StatusCode::NOT_FOUND
    );
}

#[on_both]
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

#[on_both]
async fn a_form_in_a_coding_is_refused_and_no_answer_is_refused_for_its_coding(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut visitor = app.superuser().await;
    visitor.get("/admin/").await;
    let token = visitor.token();
    let form = [("csrf_token", &*token), ("theme", "dark")];
    for coding in ["gzip", "br", "identity, deflate"] {
        let refused = visitor
            .post_with_headers("/admin/theme", &form, &[("content-encoding", coding)])
            .await;
        assert_eq!(refused.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{coding}");
        assert_eq!(refused.headers["accept-encoding"], "identity", "{coding}");
    }
    let json = visitor
        .post_body("/admin/theme", "application/json", "{}".to_owned())
        .await;
    assert_eq!(json.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    for accepted in ["identity;q=0", "*;q=0", "zstd, identity;q=0"] {
        let headers = [("accept-encoding", accepted), ("content-encoding", "identity")];
        let done = visitor.post_with_headers("/admin/theme", &form, &headers).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{accepted}");
    }
}

#[on_both]
async fn an_object_has_one_address(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut visitor = app.superuser().await;
    let id = app.admin.id;
    assert_eq!(visitor.get(&format!("/admin/users/{id}")).await.status, StatusCode::OK);
    for other in [
        format!("0{id}"),
        format!("+{id}"),
        format!("%20{id}"),
        format!("{id}%20"),
    ] {
        for page in ["", "/history", "/delete", "/export.json"] {
            assert_eq!(
                visitor.get(&format!("/admin/users/{other}{page}")).await.status,
                StatusCode::NOT_FOUND,
                "{other}{page}"
            );
        }
        assert_eq!(
            visitor
                .post(&format!("/admin/users/{other}"), &[("name", "Eve")])
                .await
                .status,
            StatusCode::NOT_FOUND,
            "{other}"
        );
    }
}

#[on_both]
async fn a_visitor_behind_a_proxy_is_known_however_it_writes_them(db: TestDb) {
    let app = TestApp::with(db, &[("TRUSTED_PROXIES", "127.0.0.0/8")]).await;
    let mut visitor = app.anonymous();
    visitor.get("/admin/login").await;
    for (name, value, address) in [
        ("x-forwarded-for", "6.6.6.6, 203.0.113.8:51234", "203.0.113.8"),
        ("forwarded", "for=6.6.6.6, for=\"[2001:db8::1]:443\"", "2001:db8::1"),
        ("forwarded", "for=6.6.6.6;by=\", for=203.0.113.9", "127.0.0.1"),
    ] {
        let token = visitor.token();
        let form = [
            ("csrf_token", &*token),
            ("email", "nobody@example.com"),
            ("password", "wrong"),
            ("next", ""),
        ];
        visitor.post_with_headers("/admin/login", &form, &[(name, value)]).await;
        let rows = app.audit().await;
        let newest = rows.iter().max_by_key(|row| row.id).expect("a failed log-in");
        assert_eq!(newest.address.as_deref(), Some(address), "{value}");
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
