//! Whatever comes in, nothing ends in a 500.

use axum::http::StatusCode;
use usher_shared::foundation::db::PoolOptions;
use usher_testkit::{Proxy, TestDb, on_both, run};

use crate::app::TestApp;

const ODD: [&str; 16] = [
    "0",
    "-1",
    "9223372036854775807",
    "9223372036854775808",
    "1e9",
    "1.5",
    "abc",
    "%00",
    "%FF%FE",
    "..%2F..%2Fetc%2Fpasswd",
    "%27%20OR%201%3D1--",
    "%3Cscript%3E",
    "00000000-0000-0000-0000-000000000000",
    "%E2%80%AE",
    "null",
    "%0d%0aSet-Cookie:%20x=1",
];

#[on_both]
async fn odd_ids_are_not_found(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut visitor = app.superuser().await;
    visitor.get("/admin/").await;
    for model in ["users", "jobs", "mails", "audit"] {
        for id in ODD {
            for path in [format!("/admin/{model}/{id}"), format!("/admin/{model}/{id}/history")] {
                let page = visitor.get(&path).await;
                assert!(
                    [StatusCode::NOT_FOUND, StatusCode::BAD_REQUEST].contains(&page.status),
                    "{path}: {}",
                    page.status
                );
            }
        }
    }
    for id in ODD {
        let page = visitor.post(&format!("/admin/users/{id}"), &[("version", "1")]).await;
        assert!(
            [StatusCode::NOT_FOUND, StatusCode::BAD_REQUEST].contains(&page.status),
            "{id}: {}",
            page.status
        );
        let page = visitor.get(&format!("/admin/mails/{id}/body")).await;
        assert!(
            [StatusCode::NOT_FOUND, StatusCode::BAD_REQUEST].contains(&page.status),
            "{id}: {}",
            page.status
        );
        let page = visitor
            .post(
                "/admin/jobs/actions",
                &[("action", "retry"), ("id", id), ("from_object", id)],
            )
            .await;
        assert!(
            page.status == StatusCode::SEE_OTHER && page.location().starts_with("/admin/jobs/"),
            "{id}"
        );
        assert!(!page.headers.contains_key("x"), "{id}");
    }
}

#[on_both]
async fn odd_queries_are_no_error(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut visitor = app.superuser().await;
    let long = "a".repeat(5_000);
    let odd = ODD.into_iter().chain([
        long.as_str(),
        "%22",
        "%22%22",
        ":",
        "id:",
        "email:",
        "a:b:c",
        "%5C",
        "%25%25%25",
        "id%3A%22",
    ]);
    for text in odd {
        for name in [
            "q", "o", "after", "before", "status", "is_staff", "user_id", "kind", "state", "_list", "%00", text,
        ] {
            for model in ["users", "jobs", "mails", "audit"] {
                let path = format!("/admin/{model}?{name}={text}");
                let page = visitor.get(&path).await;
                let fine = [StatusCode::OK, StatusCode::SEE_OTHER, StatusCode::BAD_REQUEST].contains(&page.status);
                assert!(fine, "{path}: {}", page.status);
            }
        }
        let page = visitor
            .get(&format!(
                "/admin/users/new?name={text}&email={text}&age={text}&status={text}"
            ))
            .await;
        assert_eq!(page.status, StatusCode::OK, "{text}");
        let page = visitor
            .get(&format!("/admin/users/{}?_list={text}", app.admin.id))
            .await;
        assert_eq!(page.status, StatusCode::OK, "{text}");
        let page = app.anonymous().get(&format!("/admin/login?next={text}")).await;
        assert_eq!(page.status, StatusCode::OK, "{text}");
    }
}

#[on_both]
async fn odd_cookies_are_nobodys(db: TestDb) {
    let app = TestApp::start(db).await;
    for value in [
        "",
        "x",
        "uas_",
        "uas_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa_aaaaaa",
        "\"quoted\"",
        "a%00b",
    ] {
        let mut visitor = app.anonymous();
        for name in ["usher_admin", "usher_visitor", "usher_flash", "usher_theme"] {
            visitor.set_cookie(name, value);
        }
        assert!(
            visitor.get("/admin/").await.location().starts_with("/admin/login"),
            "{value:?}"
        );
        assert_eq!(visitor.get("/admin/login").await.status, StatusCode::OK, "{value:?}");
    }
}

#[on_both]
async fn odd_fields_are_no_error(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.add_user("ada@example.org", "Ada").await;
    let mut visitor = app.superuser().await;
    visitor.get("/admin/").await;
    let path = format!("/admin/users/{}", ada.id);
    for value in [
        "",
        "\0",
        "\u{202e}",
        "9".repeat(400).as_str(),
        "x".repeat(100_000).as_str(),
        "-",
        "2026-13-99T99:99",
        "\r\n",
    ] {
        for field in [
            "version",
            "email",
            "name",
            "age",
            "status",
            "locked_until",
            "lock_reason",
            "_list",
            "_save",
        ] {
            let mut fields = vec![
                ("version", "1"),
                ("email", "ada@example.org"),
                ("name", "Ada"),
                ("age", ""),
                ("status", "active"),
                ("locked_until", ""),
                ("lock_reason", ""),
            ];
            fields.retain(|(name, _)| *name != field);
            fields.push((field, value));
            let page = visitor.post(&path, &fields).await;
            let fine = [
                StatusCode::SEE_OTHER,
                StatusCode::UNPROCESSABLE_ENTITY,
                StatusCode::CONFLICT,
            ]
            .contains(&page.status);
            assert!(fine, "{field}={value:?}: {}", page.status);
        }
    }
    assert_eq!(
        visitor.post(&path, &[]).await.status,
        StatusCode::CONFLICT,
        "an empty form has no version"
    );
}

/// Whoever was in the middle of something is told what to do, not that a fault is logged.
#[test]
fn while_the_database_is_away_every_page_says_so() {
    run(async {
        let app = TestApp::start(TestDb::postgres().await).await;
        let (network, url) = Proxy::instead_of(&app.context.config.database_url);
        let app = app.over(&url, &PoolOptions::default()).await;
        let mut visitor = app.superuser().await;
        assert_eq!(visitor.get("/admin/users").await.status, StatusCode::OK);
        drop(network);
        for path in [
            "/admin/",
            "/admin/users?q=ada",
            "/admin/users/1",
            "/admin/jobs/overview",
            "/admin/users/export.csv",
        ] {
            let page = visitor.get(path).await;
            assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{path}: {}", page.body);
            assert_eq!(page.headers["retry-after"], "5");
            assert!(page.has("The database isn't responding"), "{path}: {}", page.body);
        }
        let page = visitor.post("/admin/users/1", &[("name", "Ada")]).await;
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    });
}
