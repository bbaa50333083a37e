//! The pages in a real browser that can reach nobody but this server.

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use usher_shared::accounts::{
    api_keys::{self, Scope},
    mail_tokens::{self, LinkPurpose},
};
use usher_testkit::{Browser, TestDb, run};

use crate::{app::TestApp, people::PASSWORD};

/// Serves a fresh API and opens a browser beside it.
async fn open() -> (TestApp, String, Browser, CancellationToken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let app = TestApp::with(TestDb::sqlite().await, &[("API_URL", &url)]).await;
    let (context, stop) = (app.context.clone(), CancellationToken::new());
    let stopping = stop.clone();
    tokio::spawn(async move { usher_api::serve(&context, listener, stopping).await });
    (app, url, Browser::open().await, stop)
}

async fn nothing_foreign_or_broken(browser: &Browser, page: &str) {
    assert_eq!(browser.foreign_requests().await, Vec::<String>::new(), "{page}");
    assert_eq!(browser.console_errors().await, Vec::<String>::new(), "{page}");
}

#[test]
fn a_person_authorizes_and_tries_an_operation_in_swagger_ui() {
    run(async {
        let (app, url, browser, stop) = open().await;
        let (_, token) = api_keys::create(&app.context.db, "t", &Scope::BUILT_IN, None, None)
            .await
            .unwrap();
        browser.goto(&format!("{url}/docs")).await;
        browser.click(".auth-wrapper .authorize").await;
        browser.fill("#auth-bearer-value", token.as_str()).await;
        browser.click("form:has(#auth-bearer-value) .authorize").await;
        browser.click(".btn-done").await;
        browser
            .click("#operations-Users-createUser .opblock-summary-control")
            .await;
        browser.click("#operations-Users-createUser .try-out__btn").await;
        browser.click("#operations-Users-createUser .execute").await;
        let status = browser
            .text("#operations-Users-createUser .live-responses-table .response-col_status")
            .await;
        // The table's head has the same class.
        let all = browser
            .texts("#operations-Users-createUser .live-responses-table .response-col_status")
            .await;
        assert!(all.iter().any(|text| text.starts_with("201")), "{status} {all:?}");
        assert_eq!(app.count_users().await, 1);
        nothing_foreign_or_broken(&browser, "/docs").await;
        stop.cancel();
    });
}

#[test]
fn a_person_authorizes_with_email_and_password_in_swagger_ui() {
    run(async {
        let (app, url, browser, stop) = open().await;
        app.member("ada@example.com").await;
        browser.goto(&format!("{url}/docs")).await;
        browser.click(".auth-wrapper .authorize").await;
        browser.fill("#oauth_username", "ada@example.com").await;
        browser.fill("#oauth_password", PASSWORD).await;
        browser.click(".auth-container:has(#oauth_username) .authorize").await;
        // It is there once the tokens are.
        browser.text(".auth-container h6").await;
        browser.click(".btn-done").await;
        browser.click("#operations-Me-getMe .opblock-summary-control").await;
        browser.click("#operations-Me-getMe .try-out__btn").await;
        browser.click("#operations-Me-getMe .execute").await;
        let shown = browser
            .text("#operations-Me-getMe .live-responses-table .microlight")
            .await;
        assert!(shown.contains("\"email\": \"ada@example.com\""), "{shown}");
        nothing_foreign_or_broken(&browser, "/docs").await;
        stop.cancel();
    });
}

#[test]
fn redoc_and_the_front_page_draw_themselves() {
    run(async {
        let (_app, url, browser, stop) = open().await;
        browser.goto(&format!("{url}/redoc")).await;
        assert_eq!(browser.text("h1").await, "Usher (0.1.0)");
        assert!(browser.page_text().await.contains("Sign a person up"));
        nothing_foreign_or_broken(&browser, "/redoc").await;
        browser.goto(&url).await;
        browser.follow("Error codes\nWhat each one means and what to do").await;
        assert!(browser.page_text().await.contains("email_exists"));
        nothing_foreign_or_broken(&browser, "/problems").await;
        stop.cancel();
    });
}

#[test]
fn a_password_is_chosen_on_a_phone_without_scripts() {
    run(async {
        let (app, url, browser, stop) = open().await;
        let id = app.all_scopes().await.sign_up("ada@example.com").await;
        let lifetime = chrono::Duration::hours(1);
        let token = mail_tokens::issue(&app.context.db, id, LinkPurpose::SET_PASSWORD, lifetime)
            .await
            .unwrap();
        browser.javascript(false).await;
        browser.size(360, 640).await;
        browser
            .goto(&format!("{url}/set-password?token={}", token.as_str()))
            .await;
        browser.fill("#password", "passwordpassword").await;
        browser.fill("#password_again", "passwordpassword").await;
        browser.click("button").await;
        assert!(browser.text(".faults").await.contains("easy to guess"));
        browser.fill("#password", "velvet-Otter-72-canyon").await;
        browser.fill("#password_again", "velvet-Otter-72-canyon").await;
        browser.click("button").await;
        assert_eq!(browser.text("h1").await, "Your password is set");
        assert_eq!(browser.foreign_requests().await, Vec::<String>::new());
        stop.cancel();
    });
}
