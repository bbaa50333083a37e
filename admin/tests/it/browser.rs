//! The admin in a real browser: with the network cut, without JavaScript, narrow and dark.

use tokio_util::sync::CancellationToken;
use usher_testkit::{Browser, ColorScheme, TestDb};

use crate::app::{ADMIN, PASSWORD, TestApp};

async fn serve(app: &TestApp) -> (String, CancellationToken) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let (house, stop) = (app.house.clone(), CancellationToken::new());
    let stopped = stop.clone();
    tokio::spawn(async move { usher_admin::serve(&house, listener, stopped).await });
    (base, stop)
}

async fn sign_in(browser: &Browser, base: &str) {
    browser.goto(&format!("{base}/admin/")).await;
    browser.fill("#email", ADMIN).await;
    browser.fill("#password", PASSWORD).await;
    browser.click(".gate-card button.primary").await;
}

#[test]
fn every_page_loads_alone_without_complaint_and_fits_a_phone() {
    usher_testkit::run(async {
        let app = TestApp::start(TestDb::sqlite().await).await;
        let ada = app
            .add_user(
                "ada.with.a.rather.long.address@department.university.example.org",
                "Ada Lovelace",
            )
            .await;
        let (base, stop) = serve(&app).await;
        let browser = Browser::open().await;
        sign_in(&browser, &base).await;
        let user = format!("/admin/users/{}", ada.id);
        let history = format!("{user}/history");
        for scheme in [ColorScheme::Light, ColorScheme::Dark] {
            browser.color_scheme(scheme).await;
            for width in [320, 768, 1440] {
                browser.size(width, 900).await;
                for path in [
                    "/admin/",
                    "/admin/users",
                    "/admin/users/new",
                    &user,
                    &history,
                    "/admin/jobs",
                    "/admin/mails",
                    "/admin/audit",
                ] {
                    browser.goto(&format!("{base}{path}")).await;
                    let wider = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
                    assert_eq!(
                        browser.script(wider).await,
                        0,
                        "{path} at {width} is wider than its window"
                    );
                }
            }
        }
        assert_eq!(browser.console_errors().await, Vec::<String>::new());
        assert_eq!(browser.foreign_requests().await, Vec::<String>::new());
        stop.cancel();
    });
}

#[test]
fn everything_works_without_javascript() {
    usher_testkit::run(async {
        let app = TestApp::start(TestDb::sqlite().await).await;
        let ada = app.add_user("ada@example.org", "Ada").await;
        let (base, stop) = serve(&app).await;
        let browser = Browser::open().await;
        browser.javascript(false).await;
        sign_in(&browser, &base).await;
        browser.goto(&format!("{base}/admin/users?q=ada")).await;
        browser.click("a.object").await;
        browser.fill("#field-name", "Ada Lovelace").await;
        browser.click(".save .primary").await;
        assert!(browser.page_text().await.contains("The user was saved"));
        assert!(
            browser.url().await.ends_with("/admin/users?q=ada"),
            "{}",
            browser.url().await
        );
        assert_eq!(app.user(ada.id).await.name, "Ada Lovelace");
        browser.click("button[value=dark]").await;
        assert_eq!(browser.attribute("html", "data-theme").await.as_deref(), Some("dark"));
        stop.cancel();
    });
}
