//! A form that is sent after its session has ended is kept for whoever sent it, and for nobody else.

use axum::http::StatusCode;
use sea_orm::{EntityTrait, sea_query::Expr};
use usher_shared::foundation::{entity::session, time::now};
use usher_testkit::{TestDb, on_both};

use crate::{
    app::{ADMIN, PASSWORD, Page, TestApp, Visitor},
    mfa::code,
};

/// Ends every session, as a log-out elsewhere or an hour without a request does.
async fn end_sessions(app: &TestApp) {
    session::Entity::update_many()
        .col_expr(session::Column::EndedAt, Expr::value(now()))
        .exec(&app.context.db)
        .await
        .unwrap();
}

/// The hidden fields of a page, to be sent on.
fn hidden(page: &Page) -> Vec<(String, String)> {
    let names = page.body.split("type=\"hidden\" name=\"").skip(1);
    let names = names.filter_map(|rest| rest.split('"').next());
    let fields = names.filter(|name| !matches!(*name, "csrf_token" | "theme"));
    fields
        .map(|name| (name.to_owned(), page.input(name).unwrap_or_default()))
        .collect()
}

async fn sign_in_on(visitor: &mut Visitor, page: &Page, email: &str) -> Page {
    let kept = page.input("_kept").expect("the form is kept");
    let fields = [("email", email), ("password", PASSWORD), ("next", ""), ("_kept", &kept)];
    visitor.post("/admin/login", &fields).await
}

async fn send_on(visitor: &mut Visitor, page: &Page) -> Page {
    let action = page
        .body
        .split("<form method=\"post\" action=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    let action = action.expect("a form").to_owned();
    let fields = hidden(page);
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    visitor.post(&action, &fields).await
}

#[on_both]
async fn a_save_after_the_session_is_given_back_and_done_once(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.add_user("ada@example.org", "Ada").await;
    let mut boss = app.superuser().await;
    let path = format!("/admin/users/{}", ada.id);
    let version = boss.get(&path).await.input("version").unwrap();
    end_sessions(&app).await;
    let fields = [
        ("version", version.as_str()),
        ("email", "ada@example.org"),
        ("name", "Ada \"King\" Lovelace"),
        ("age", "36"),
        ("status", "active"),
    ];
    let page = boss.post(&path, &fields).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    assert!(
        page.has("name=\"password\"") && !page.has("Lovelace"),
        "what was typed is sealed: {}",
        page.body
    );
    assert!(
        boss.cookie("usher_flash")
            .is_none_or(|cookie| !cookie.contains("Lovelace"))
    );

    let kept = page.input("_kept").unwrap();
    let wrong = [
        ("email", ADMIN),
        ("password", "wrong"),
        ("next", ""),
        ("_kept", kept.as_str()),
    ];
    let page = boss.post("/admin/login", &wrong).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED, "a wrong password loses nothing");
    let page = sign_in_on(&mut boss, &page, ADMIN).await;
    assert_eq!(page.status, StatusCode::OK);
    assert_eq!(
        page.input("name").as_deref(),
        Some("Ada \"King\" Lovelace"),
        "{}",
        page.body
    );
    assert_eq!(app.user(ada.id).await.name, "Ada", "nothing is done without the person");
    let sent = send_on(&mut boss, &page).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.body);
    let saved = app.user(ada.id).await;
    assert_eq!((saved.name.as_str(), saved.age), ("Ada \"King\" Lovelace", Some(36)));
    assert_eq!(
        send_on(&mut boss, &page).await.status,
        StatusCode::CONFLICT,
        "it is stale by then"
    );
    assert_eq!(app.audit().await.iter().filter(|row| row.action == "update").count(), 1);
}

#[on_both]
async fn another_person_does_not_get_it(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.add_user("ada@example.org", "Ada").await;
    let sam = app.add_staff("sam@example.org", &["users.view", "users.change"]).await;
    let mut boss = app.superuser().await;
    boss.get(&format!("/admin/users/{}", ada.id)).await;
    end_sessions(&app).await;
    let fields = [
        ("version", "1"),
        ("email", "ada@example.org"),
        ("name", "Known to the boss alone"),
        ("status", "active"),
    ];
    let page = boss.post(&format!("/admin/users/{}", ada.id), &fields).await;
    let other = sign_in_on(&mut boss, &page, "sam@example.org").await;
    assert_eq!((other.status, other.location()), (StatusCode::SEE_OTHER, "/admin/"));
    assert!(!other.has("Known to"), "{} signed in", sam.email);
    assert_eq!(app.user(ada.id).await.name, "Ada");
    // Nor does a stranger's form lead anywhere.
    let mut stranger = app.anonymous();
    stranger.get("/admin/login").await;
    let page = stranger.post(&format!("/admin/users/{}", ada.id), &fields).await;
    assert!(page.location().starts_with("/admin/login"), "{}", page.body);
}

#[on_both]
async fn a_form_from_before_another_sign_in_is_sent_on_by_hand(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.add_user("ada@example.org", "Ada").await;
    let mut first = app.superuser().await;
    first.get(&format!("/admin/users/{}", ada.id)).await;
    let old = first.token();
    // The same browser signs out and in again in another tab.
    first.post("/admin/logout", &[]).await;
    first.sign_in(ADMIN, PASSWORD).await;
    let fields = [
        ("csrf_token", old.as_str()),
        ("version", "1"),
        ("email", "ada@example.org"),
        ("name", "Ada King"),
        ("age", ""),
        ("status", "active"),
    ];
    let page = first
        .post_without_token(&format!("/admin/users/{}", ada.id), &fields)
        .await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert_eq!(app.user(ada.id).await.name, "Ada");
    first.get("/admin/").await;
    let kept = page.input("name");
    assert_eq!(kept.as_deref(), Some("Ada King"), "{}", page.body);
    assert_eq!(send_on(&mut first, &page).await.status, StatusCode::SEE_OTHER);
    assert_eq!(app.user(ada.id).await.name, "Ada King");
    // Of somebody else it is worth nothing.
    app.add_staff("sam@example.org", &["users.view", "users.change"]).await;
    let mut sam = app.signed_in("sam@example.org").await;
    let page = sam
        .post_without_token(&format!("/admin/users/{}", ada.id), &fields)
        .await;
    assert!(
        page.status == StatusCode::FORBIDDEN && !page.has("Ada King"),
        "{}",
        page.body
    );
}

#[on_both]
async fn it_goes_through_the_second_factor_and_the_page_that_asks_again(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.add_user("ada@example.org", "Ada").await;
    let (factor, secret) = app.add_factor_with_secret(app.admin.id).await;
    let mut boss = app.anonymous();
    boss.sign_in(ADMIN, PASSWORD).await;
    boss.get("/admin/mfa").await;
    assert_eq!(
        boss.post("/admin/mfa", &[("code", &code(&secret, 0)), ("next", "")])
            .await
            .location(),
        "/admin/"
    );
    app.let_freshness_pass().await;
    let page = save_address(&mut boss, ada.id).await;
    assert!(page.has("Confirm it's you"), "{}", page.body);
    // The session ends while the page asks for the password.
    end_sessions(&app).await;
    let mut fields = hidden(&page);
    fields.push(("_password".to_owned(), "a secret".to_owned()));
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let page = boss.post("/admin/reauthenticate", &fields).await;
    let page = sign_in_on(&mut boss, &page, ADMIN).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED, "a code is owed: {}", page.body);
    let kept = page.input("_kept").unwrap();
    app.forget_steps(factor).await;
    let page = boss
        .post(
            "/admin/mfa",
            &[("code", &code(&secret, 0)), ("next", ""), ("_kept", &kept)],
        )
        .await;
    assert_eq!(
        (page.status, page.input("email").as_deref()),
        (StatusCode::OK, Some("new@example.org")),
        "{}",
        page.body
    );
    assert!(!page.has("a secret"));
    assert_eq!(send_on(&mut boss, &page).await.status, StatusCode::SEE_OTHER);
    assert_eq!(app.user(ada.id).await.email, "new@example.org");
}

#[on_both]
async fn passwords_are_not_kept_and_a_file_is_asked_for_again(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut boss = app.superuser().await;
    boss.get("/admin/account").await;
    end_sessions(&app).await;
    let new = "another four uncommon words";
    let page = boss
        .post(
            "/admin/account/password",
            &[("present", PASSWORD), ("new", new), ("again", new)],
        )
        .await;
    let page = sign_in_on(&mut boss, &page, ADMIN).await;
    assert_eq!(page.location(), "/admin/account");
    let token = boss.get("/admin/users/import").await.input("csrf_token").unwrap();
    end_sessions(&app).await;
    let file = format!(
        "--b\r\nContent-Disposition: form-data; name=\"csrf_token\"\r\n\r\n{token}\r\n--b\r\nContent-Disposition: form-data; \
         name=\"file\"; filename=\"users.csv\"\r\n\r\nname,email\r\n--b--\r\n"
    );
    let page = boss
        .post_body("/admin/users/import", "multipart/form-data; boundary=b", file)
        .await;
    assert_eq!(page.location(), "/admin/login?next=%2Fadmin%2Fusers%2Fimport");
    assert!(boss.get(page.location()).await.has("choose the file again"));
    let large = "x".repeat(600 * 1024);
    boss.sign_in(ADMIN, PASSWORD).await;
    boss.get("/admin/roles/new").await;
    end_sessions(&app).await;
    let page = boss.post("/admin/roles/new", &[("name", &large)]).await;
    assert!(boss.get(page.location()).await.has("too large to keep"));
}

#[on_both]
async fn a_log_in_tab_goes_on_when_another_was_faster(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut browser = app.anonymous();
    browser.get("/admin/login?next=%2Fadmin%2Fusers").await;
    let second = browser.token();
    assert_eq!(browser.sign_in(ADMIN, PASSWORD).await.location(), "/admin/");
    let fields = [
        ("csrf_token", second.as_str()),
        ("email", ADMIN),
        ("password", PASSWORD),
        ("next", "/admin/users"),
    ];
    assert_eq!(
        browser.post_without_token("/admin/login", &fields).await.location(),
        "/admin/users"
    );
    assert_eq!(
        browser.get("/admin/login?next=%2Fadmin%2Fjobs").await.location(),
        "/admin/jobs"
    );
    // Two tabs of a browser without a cookie: the newer cookie wins, and the older tab still works.
    let mut browser = app.anonymous();
    browser.get("/admin/login").await;
    let older = browser.token();
    browser.set_cookie("usher_visitor", "another");
    let fields = [
        ("csrf_token", older.as_str()),
        ("email", ADMIN),
        ("password", PASSWORD),
        ("next", "/admin/users"),
    ];
    let own = [("sec-fetch-site", "same-origin")];
    assert_eq!(
        browser
            .clone()
            .post_with_headers("/admin/login", &fields, &own)
            .await
            .location(),
        "/admin/users"
    );
    let page = browser.post_without_token("/admin/login", &fields).await;
    assert!(
        page.status == StatusCode::FORBIDDEN && page.input("email").as_deref() == Some(ADMIN),
        "{}",
        page.body
    );
    assert_eq!(
        browser.post("/admin/login", &fields[1..]).await.location(),
        "/admin/users"
    );
    let foreign = [("sec-fetch-site", "cross-site")];
    let page = browser.post_with_headers("/admin/login", &fields, &foreign).await;
    assert!(page.status == StatusCode::FORBIDDEN && page.input("email").is_none());
}

async fn save_address(visitor: &mut Visitor, id: i64) -> Page {
    let path = format!("/admin/users/{id}");
    let version = visitor.get(&path).await.input("version").expect("a form");
    let fields = [
        ("version", version.as_str()),
        ("email", "new@example.org"),
        ("name", "Ada"),
        ("age", ""),
        ("status", "active"),
    ];
    visitor.post(&path, &fields).await
}
