//! Guessing passwords and codes: how often at once, from where, and whom it locks out.

use axum::http::StatusCode;
use futures::future::join_all;
use serde_json::json;
use usher_shared::{
    accounts::{
        mfa,
        sessions::{self, Device},
    },
    foundation::rate_limit::{Guesser, bucket},
};
use usher_testkit::{Redis, TestDb, on_both};

use crate::{
    app::{Answer, TestApp},
    people::{PASSWORD, Person, code},
};

/// As many as come at once.
const AT_ONCE: usize = 100;

fn with(answers: &[Answer], status: StatusCode) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

/// A hundred wrong passwords at once, each from another address.
async fn twenty_of_a_hundred_log_ins_are_looked_at(db: TestDb, settings: &[(&str, &str)]) {
    let app = TestApp::with(db, settings).await;
    app.member("ada@example.com").await;
    let answers = join_all((0..AT_ONCE).map(|_| app.log_in("ada@example.com", "wrong"))).await;
    assert_eq!(with(&answers, StatusCode::UNAUTHORIZED), 20);
    assert_eq!(with(&answers, StatusCode::TOO_MANY_REQUESTS), AT_ONCE - 20);
    assert_eq!(app.noted("login_failed").await.len(), 20);
    app.log_in("ada@example.com", PASSWORD).await.is(429, "rate_limited");
}

/// A hundred wrong codes at once, over challenges enough for all of them.
async fn twenty_of_a_hundred_codes_are_looked_at(db: TestDb, settings: &[(&str, &str)]) {
    let app = TestApp::with(db, settings).await;
    let ada = app.member("ada@example.com").await;
    app.with_app(ada.id).await;
    let mut tokens = Vec::new();
    for _ in 0..AT_ONCE / 4 {
        tokens.push(mfa::challenge(&app.context.db, ada.id).await.unwrap());
    }
    let answers = join_all((0..AT_ONCE).map(|number| {
        let body = match number % 2 {
            0 => json!({"mfa_token": tokens[number / 4].as_str(), "code": "000000"}),
            _ => json!({"mfa_token": tokens[number / 4].as_str(), "recovery_code": "0000-0000-0000"}),
        };
        let client = app.elsewhere();
        async move { client.post("/auth/mfa", &body).await }
    }))
    .await;
    assert_eq!(with(&answers, StatusCode::UNAUTHORIZED), 20);
    assert_eq!(with(&answers, StatusCode::TOO_MANY_REQUESTS), AT_ONCE - 20);
}

/// Of a session that is open already.
async fn tokens_of_a_session(app: &TestApp, user_id: i64) -> serde_json::Value {
    let tx = app.context.job_store.begin().await.unwrap();
    let (_, pair) = sessions::start(&**tx, user_id, Device::default(), false).await.unwrap();
    tx.commit().await.unwrap();
    json!({"access_token": pair.access.as_str(), "refresh_token": pair.refresh.as_str()})
}

async fn confirm(ada: &Person) -> Answer {
    ada.client
        .post("/auth/reauthenticate", &json!({"password": "wrong"}))
        .await
}

#[on_both]
async fn of_a_hundred_log_ins_at_once_the_limit_passes(db: TestDb) {
    twenty_of_a_hundred_log_ins_are_looked_at(db, &[]).await;
}

#[on_both]
async fn of_a_hundred_log_ins_at_once_the_limit_passes_through_redis(db: TestDb) {
    let redis = Redis::start().await;
    twenty_of_a_hundred_log_ins_are_looked_at(db, &[("REDIS_URL", &redis.url())]).await;
}

#[on_both]
async fn of_a_hundred_codes_at_once_the_limit_passes(db: TestDb) {
    twenty_of_a_hundred_codes_are_looked_at(db, &[]).await;
}

#[on_both]
async fn of_a_hundred_codes_at_once_the_limit_passes_through_redis(db: TestDb) {
    let redis = Redis::start().await;
    twenty_of_a_hundred_codes_are_looked_at(db, &[("REDIS_URL", &redis.url())]).await;
}

#[on_both]
async fn of_a_hundred_codes_of_one_log_in_five_are_looked_at(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.member("ada@example.com").await;
    app.with_app(ada.id).await;
    let token = mfa::challenge(&app.context.db, ada.id).await.unwrap();
    let body = json!({"mfa_token": token.as_str(), "code": "000000"});
    let answers = join_all((0..AT_ONCE).map(|_| async { app.elsewhere().post("/auth/mfa", &body).await })).await;
    assert_eq!(with(&answers, StatusCode::UNAUTHORIZED), 5);
}

#[on_both]
async fn of_a_hundred_confirmations_at_once_the_limit_passes(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.person("ada@example.com").await;
    let wrong = json!({"current_password": "wrong", "new_password": "amber-Walrus-44-piano"});
    let (confirmed, changed) = tokio::join!(
        join_all((0..AT_ONCE / 2).map(|_| confirm(&ada))),
        join_all((0..AT_ONCE / 2).map(|_| ada.client.post("/me/password", &wrong))),
    );
    let answers: Vec<_> = confirmed.into_iter().chain(changed).collect();
    assert_eq!(with(&answers, StatusCode::FORBIDDEN), 20);
    assert_eq!(with(&answers, StatusCode::TOO_MANY_REQUESTS), AT_ONCE - 20);
}

#[on_both]
async fn right_passwords_and_codes_do_not_count(db: TestDb) {
    let app = TestApp::with(db, &[("RATE_LIMITS", "log-in-failures=1/h, code-failures=1/h")]).await;
    let ada = app.person("ada@example.com").await;
    for _ in 0..4 {
        assert_eq!(app.log_in("ada@example.com", PASSWORD).await.status, StatusCode::OK);
        let answer = ada
            .client
            .post("/auth/reauthenticate", &json!({"password": PASSWORD}))
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    }
    let secret = app.with_app(ada.id).await;
    let half = async || app.log_in("ada@example.com", PASSWORD).await.json()["mfa_token"].clone();
    for step in [0, 1] {
        let body = json!({"mfa_token": half().await, "code": code(&secret, step)});
        let answer = app.elsewhere().post("/auth/mfa", &body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    }
}

#[on_both]
async fn wrong_codes_in_a_row_are_bounded_whatever_else_is_forgotten(db: TestDb) {
    let app = TestApp::with(db, &[("RATE_LIMITS", "code-failures=6/24h")]).await;
    let ada = app.member("ada@example.com").await;
    let secret = app.with_app(ada.id).await;
    let half = async || app.log_in("ada@example.com", PASSWORD).await.json()["mfa_token"].clone();
    for _ in 0..2 {
        let token = half().await;
        for _ in 0..3 {
            let body = json!({"mfa_token": token, "code": "000000"});
            app.elsewhere()
                .post("/auth/mfa", &body)
                .await
                .is(401, "mfa_code_invalid");
        }
        // As a reset by mail does it: who reads the mailbox is not who has the app.
        app.context.limiter.forget_failures("ada@example.com", ada.id).await;
    }
    let body = json!({"mfa_token": half().await, "code": code(&secret, 0)});
    app.elsewhere().post("/auth/mfa", &body).await.is(429, "rate_limited");
    app.context.limiter.forget(&bucket::code_failures(ada.id)).await;
    let body = json!({"mfa_token": half().await, "code": code(&secret, 0)});
    assert_eq!(app.elsewhere().post("/auth/mfa", &body).await.status, StatusCode::OK);
    for _ in 0..5 {
        let body = json!({"mfa_token": half().await, "code": "000000"});
        app.elsewhere()
            .post("/auth/mfa", &body)
            .await
            .is(401, "mfa_code_invalid");
    }
}

#[on_both]
async fn strangers_do_not_lock_out_who_is_known(db: TestDb) {
    let app = TestApp::start(db).await;
    app.member("ada@example.com").await;
    let home = app.anonymous().from("203.0.113.77");
    let body = json!({"email": "ada@example.com", "password": PASSWORD});
    let tokens = home.post("/auth/login", &body).await.json();
    let ada = app.signed_in("ada@example.com", &tokens).await;
    for _ in 0..20 {
        app.log_in("ada@example.com", "wrong").await.is(401, "login_failed");
    }
    app.log_in("ada@example.com", PASSWORD).await.is(429, "rate_limited");
    // In a session, with its refresh token, and from where the account signed in.
    let confirmed = ada
        .client
        .post("/auth/reauthenticate", &json!({"password": PASSWORD}))
        .await;
    assert_eq!(confirmed.status, StatusCode::OK, "{}", confirmed.text());
    let refreshed = app
        .elsewhere()
        .post("/auth/refresh", &json!({"refresh_token": ada.refresh}))
        .await;
    assert_eq!(refreshed.status, StatusCode::OK);
    assert_eq!(home.post("/auth/login", &body).await.status, StatusCode::OK);
    ada.client.post("/auth/logout", &json!({})).await;
    assert_eq!(
        home.post("/auth/login", &body).await.status,
        StatusCode::OK,
        "who left is still known"
    );
    // What is known is no way around the limit.
    let limits = &app.context.config.rate_limits;
    let mut left = 0;
    while app
        .context
        .limiter
        .try_password(limits, Guesser::Neighbour { user_id: ada.id })
        .await
        .is_ok()
    {
        left += 1;
    }
    assert_eq!(left, 20);
    home.post("/auth/login", &body).await.is(429, "rate_limited");
    let again = app
        .signed_in("ada@example.com", &tokens_of_a_session(&app, ada.id).await)
        .await;
    let confirmed = again
        .client
        .post("/auth/reauthenticate", &json!({"password": PASSWORD}))
        .await;
    assert_eq!(
        confirmed.status,
        StatusCode::OK,
        "whoever fills that does not reach the sessions"
    );
}

#[on_both]
async fn who_lost_the_account_is_a_stranger(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.member("ada@example.com").await;
    let thief = app.anonymous().from("203.0.113.78");
    let body = json!({"email": "ada@example.com", "password": PASSWORD});
    assert_eq!(thief.post("/auth/login", &body).await.status, StatusCode::OK);
    let is_known = async || {
        let address = "203.0.113.78".parse().unwrap();
        sessions::is_known_address(&app.context.db, ada.id, address)
            .await
            .unwrap()
    };
    assert!(is_known().await);
    app.sql("UPDATE sessions SET ended_at = created_at, end_reason = 'password changed'")
        .await;
    assert!(!is_known().await);
}
