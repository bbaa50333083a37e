//! Guessing passwords and codes at the admin, together with the API.

use axum::http::StatusCode;
use futures::future::join_all;
use sea_orm::ConnectionTrait;
use usher_shared::{
    accounts::mfa::{self, totp},
    foundation::rate_limit::{Guesser, RateLimits, bucket},
};
use usher_testkit::{Redis, TestDb, on_both};
use uuid::Uuid;

use crate::app::{ADMIN, PASSWORD, Page, TestApp, Visitor};

const AT_ONCE: usize = 100;
/// Each address on its own, so that the account's limit is what is met.
const LIMITED: [(&str, &str); 2] = [("RATE_LIMITS", "log-in=1000/min"), ("TRUSTED_PROXIES", "127.0.0.0/8")];

fn with(pages: &[Page], status: StatusCode) -> usize {
    pages.iter().filter(|page| page.status == status).count()
}

/// The same form, sent by so many tabs at once.
async fn at_once(visitor: &Visitor, path: &str, fields: &[(&str, &str)]) -> Vec<Page> {
    join_all((0..AT_ONCE).map(|_| {
        let mut tab = visitor.clone();
        async move { tab.post(path, fields).await }
    }))
    .await
}

async fn twenty_log_ins_are_looked_at(db: TestDb, more: &[(&str, &str)]) {
    let settings: Vec<_> = LIMITED.iter().chain(more).copied().collect();
    let app = TestApp::with(db, &settings).await;
    let mut visitor = app.anonymous();
    visitor.get("/admin/login").await;
    let pages = at_once(
        &visitor,
        "/admin/login",
        &[("email", ADMIN), ("password", "wrong"), ("next", "")],
    )
    .await;
    assert_eq!(with(&pages, StatusCode::UNAUTHORIZED), 20);
    assert_eq!(with(&pages, StatusCode::TOO_MANY_REQUESTS), AT_ONCE - 20);
}

#[on_both]
async fn of_a_hundred_sign_ins_at_once_the_limit_passes(db: TestDb) {
    twenty_log_ins_are_looked_at(db, &[]).await;
}

#[on_both]
async fn of_a_hundred_sign_ins_at_once_the_limit_passes_through_redis(db: TestDb) {
    let redis = Redis::start().await;
    twenty_log_ins_are_looked_at(db, &[("REDIS_URL", &redis.url())]).await;
}

#[on_both]
async fn of_a_hundred_confirmations_at_once_the_limit_passes(db: TestDb) {
    let app = TestApp::with(db, &LIMITED).await;
    let mut boss = app.superuser().await;
    boss.get("/admin/account").await;
    let asked = at_once(
        &boss,
        "/admin/reauthenticate",
        &[("_password", "wrong"), ("_next", "/admin/")],
    )
    .await;
    assert_eq!(with(&asked, StatusCode::UNAUTHORIZED), 20);
    let fields = [
        ("present", PASSWORD),
        ("new", "amber-Walrus-44-piano"),
        ("again", "amber-Walrus-44-piano"),
    ];
    let page = boss.post("/admin/account/password", &fields).await;
    assert_eq!(
        page.status,
        StatusCode::TOO_MANY_REQUESTS,
        "it is the same password: {}",
        page.body
    );
}

#[on_both]
async fn of_a_hundred_codes_at_once_the_limit_passes(db: TestDb) {
    let app = TestApp::with(db, &LIMITED).await;
    let factor = mfa::enrol(
        &app.context.db,
        &app.context.config.secret_key,
        app.admin.id,
        Uuid::now_v7(),
        "Phone",
    )
    .await
    .unwrap();
    app.context
        .db
        .execute_unprepared("UPDATE mfa_factors SET confirmed_at = created_at")
        .await
        .unwrap();
    assert!(factor.confirmed_at.is_none());
    let mut visitor = app.anonymous();
    visitor.sign_in(ADMIN, PASSWORD).await;
    visitor.get("/admin/mfa").await;
    let pages = at_once(&visitor, "/admin/mfa", &[("code", "000000"), ("next", "")]).await;
    assert_eq!(with(&pages, StatusCode::UNAUTHORIZED), 5);
    assert_eq!(with(&pages, StatusCode::TOO_MANY_REQUESTS), AT_ONCE - 5);
}

#[on_both]
async fn the_api_and_the_admin_count_together(db: TestDb) {
    let app = TestApp::with(db, &LIMITED).await;
    let (limiter, limits) = (&app.context.limiter, &app.context.config.rate_limits);
    let stranger = Guesser::Stranger { email_key: ADMIN };
    for _ in 0..15 {
        let _failed = limiter
            .try_password(limits, stranger)
            .await
            .expect("an attempt at the API");
    }
    let mut visitor = app.anonymous();
    for _ in 0..5 {
        assert_eq!(visitor.sign_in(ADMIN, "wrong").await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(
        visitor.sign_in(ADMIN, PASSWORD).await.status,
        StatusCode::TOO_MANY_REQUESTS
    );
    assert!(limiter.try_password(limits, stranger).await.is_err());
}

#[on_both]
async fn wrong_codes_of_both_end_after_a_hundred_in_a_row(db: TestDb) {
    let app = TestApp::with(db, &LIMITED).await;
    app.superuser().await;
    let factor = mfa::enrol(
        &app.context.db,
        &app.context.config.secret_key,
        app.admin.id,
        Uuid::now_v7(),
        "Phone",
    )
    .await
    .unwrap();
    app.context
        .db
        .execute_unprepared("UPDATE mfa_factors SET confirmed_at = created_at")
        .await
        .unwrap();
    // A hundred at the API, over so many hours that the hourly limit never met them.
    let often = RateLimits::parse("log-in-failures=1000/h").unwrap();
    let guesser = Guesser::Stranger { email_key: ADMIN };
    for _ in 0..100 {
        let _failed = app
            .context
            .limiter
            .try_code(&often, guesser, app.admin.id)
            .await
            .expect("an attempt");
    }
    app.context.limiter.forget_failures(ADMIN, app.admin.id).await;
    let mut visitor = app.anonymous();
    visitor.sign_in(ADMIN, PASSWORD).await;
    visitor.get("/admin/mfa").await;
    let secret = mfa::secret(&app.context.config.secret_key, &factor).unwrap();
    let right = crate::mfa::code(&totp::readable(&secret).replace(' ', ""), 0);
    let page = visitor.post("/admin/mfa", &[("code", &right), ("next", "")]).await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS, "{}", page.body);
}

#[on_both]
async fn strangers_do_not_lock_staff_out_where_they_are_known(db: TestDb) {
    let app = TestApp::with(db, &LIMITED).await;
    let mut boss = app.superuser().await;
    let mut stranger = app.anonymous();
    stranger.get("/admin/login").await;
    let token = stranger.token();
    let fields = [
        ("csrf_token", token.as_str()),
        ("email", ADMIN),
        ("password", "wrong"),
        ("next", ""),
    ];
    for _ in 0..25 {
        stranger
            .post_with_headers("/admin/login", &fields, &[("x-forwarded-for", "203.0.113.9")])
            .await;
    }
    let right = [
        ("csrf_token", token.as_str()),
        ("email", ADMIN),
        ("password", PASSWORD),
        ("next", ""),
    ];
    let refused = stranger
        .post_with_headers("/admin/login", &right, &[("x-forwarded-for", "203.0.113.10")])
        .await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    app.let_freshness_pass().await;
    boss.get("/admin/account").await;
    let again = boss
        .post(
            "/admin/reauthenticate",
            &[("_password", PASSWORD), ("_next", "/admin/account")],
        )
        .await;
    assert_eq!(again.location(), "/admin/account", "{}", again.body);
    assert_eq!(
        app.anonymous().sign_in(ADMIN, PASSWORD).await.location(),
        "/admin/",
        "its address is known"
    );
}

#[on_both]
async fn a_neighbour_does_not_lock_out_a_browser_that_is_known(db: TestDb) {
    let app = TestApp::with(db, &LIMITED).await;
    let mut boss = app.superuser().await;
    let mut neighbour = app.anonymous();
    for _ in 0..20 {
        assert_eq!(neighbour.sign_in(ADMIN, "wrong").await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(
        neighbour.sign_in(ADMIN, PASSWORD).await.status,
        StatusCode::TOO_MANY_REQUESTS
    );
    app.let_freshness_pass().await;
    boss.get("/admin/account").await;
    let again = boss
        .post(
            "/admin/reauthenticate",
            &[("_password", PASSWORD), ("_next", "/admin/account")],
        )
        .await;
    assert_eq!(again.location(), "/admin/account", "{}", again.body);
    boss.get("/admin/account").await;
    boss.post("/admin/logout", &[]).await;
    assert_eq!(boss.sign_in(ADMIN, PASSWORD).await.location(), "/admin/");

    // The cookie is of one account and one password, and has a limit of its own.
    let other = app.add_staff("other@example.com", &[]).await;
    neighbour.set_cookie("usher_device", boss.cookie("usher_device").expect("a cookie"));
    for _ in 0..20 {
        assert_eq!(
            neighbour.sign_in(&other.email, "wrong").await.status,
            StatusCode::UNAUTHORIZED
        );
        assert_eq!(neighbour.sign_in(ADMIN, "wrong").await.status, StatusCode::UNAUTHORIZED);
    }
    for email in [ADMIN, &other.email] {
        assert_eq!(
            neighbour.sign_in(email, PASSWORD).await.status,
            StatusCode::TOO_MANY_REQUESTS
        );
    }
    app.context.limiter.forget(&bucket::known_failures(app.admin.id)).await;
    app.context
        .db
        .execute_unprepared("UPDATE users SET password_changed_at = '2026-01-01 00:00:00.000000+00:00'")
        .await
        .unwrap();
    assert_eq!(
        neighbour.sign_in(ADMIN, PASSWORD).await.status,
        StatusCode::TOO_MANY_REQUESTS
    );
}

#[on_both]
async fn what_strangers_send_is_counted_and_short(db: TestDb) {
    let app = TestApp::with(db, &[("RATE_LIMITS", "anonymous=3/h, log-in=1000/min")]).await;
    let mut visitor = app.anonymous();
    visitor.get("/admin/login").await;
    let long = "x".repeat(20_000);
    let fields = [("email", ADMIN), ("password", PASSWORD), ("next", long.as_str())];
    assert_eq!(
        visitor.post("/admin/login", &fields).await.status,
        StatusCode::BAD_REQUEST
    );
    for _ in 0..2 {
        assert_eq!(visitor.sign_in(ADMIN, "wrong").await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(
        visitor.sign_in(ADMIN, PASSWORD).await.status,
        StatusCode::TOO_MANY_REQUESTS
    );
}
