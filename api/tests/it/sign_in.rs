//! Getting in: passwords, codes, and what attackers try at that door.

use axum::http::StatusCode;
use serde_json::json;
use usher_shared::{
    accounts::{mfa, users},
    audit::Actor,
};
use usher_testkit::{TestDb, on_both};

use crate::{
    app::TestApp,
    people::{PASSWORD, code},
};

#[on_both]
async fn email_and_password_open_a_session(db: TestDb) {
    let app = TestApp::start(db).await;
    let user = app.member("Ada@example.com").await;
    let client = app.elsewhere().with("user-agent", "Firefox/140.0");
    let answer = client
        .post(
            "/auth/login",
            &json!({"email": " ADA@example.COM", "password": PASSWORD}),
        )
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(
        (answer.header("cache-control"), answer.header("ratelimit-policy")),
        ("no-store", "\"log-in\";q=5;w=60")
    );
    let tokens = answer.json();
    assert_eq!(
        (&tokens["mfa_required"], &tokens["token_type"]),
        (&json!(false), &json!("Bearer"))
    );
    assert!((890..=900).contains(&tokens["expires_in"].as_i64().unwrap()));
    assert_eq!(
        (&tokens["session"]["user_agent"], &tokens["session"]["current"]),
        (&json!("Firefox/140.0"), &json!(true))
    );
    let ada = app.signed_in("ada@example.com", &tokens).await;
    assert!(ada.access.starts_with("uat_") && ada.refresh.starts_with("urt_"));
    let me = ada.client.get("/me").await.json();
    assert_eq!(
        (&me["id"], &me["email"], &me["verified"]),
        (&json!(user.id), &json!("Ada@example.com"), &json!(true))
    );
    assert!(app.stored(user.id).await.last_login_at.is_some());
    let noted = app.noted("login").await;
    assert_eq!((noted.len(), noted[0].actor_id), (1, Some(user.id)));
    assert!(app.kinds_of(user.id).await.is_empty(), "the first sign-in is no news");
}

#[on_both]
async fn a_sign_in_from_a_new_device_is_mailed_to_the_owner(db: TestDb) {
    let app = TestApp::start(db).await;
    let user = app.member("ada@example.com").await;
    let body = json!({"email": "ada@example.com", "password": PASSWORD});
    for agent in ["Firefox/140.0", "Firefox/140.0", "Chrome/150.0", "Firefox/140.0"] {
        assert_eq!(
            app.elsewhere()
                .with("user-agent", agent)
                .post("/auth/login", &body)
                .await
                .status,
            StatusCode::OK
        );
    }
    assert_eq!(app.kinds_of(user.id).await, ["new_sign_in"]);
}

#[on_both]
async fn account_enumeration_in_the_body_learns_nothing(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.member("ada@example.com").await;
    for (email, sql) in [
        ("locked@example.com", "UPDATE users SET status = 'locked' WHERE id = "),
        (
            "deactivated@example.com",
            "UPDATE users SET status = 'deactivated' WHERE id = ",
        ),
        (
            "deleted@example.com",
            "UPDATE users SET deleted_at = created_at WHERE id = ",
        ),
        ("empty@example.com", "UPDATE users SET password_hash = NULL WHERE id = "),
    ] {
        let user = app.member(email).await;
        app.sql(&format!("{sql}{}", user.id)).await;
    }
    let mut bodies = Vec::new();
    for (email, password) in [
        ("ada@example.com", "wrong-Otter-72-canyon"),
        ("nobody@example.com", PASSWORD),
        ("locked@example.com", PASSWORD),
        ("deactivated@example.com", PASSWORD),
        ("deleted@example.com", PASSWORD),
        ("empty@example.com", PASSWORD),
        ("empty@example.com", ""),
        ("not an address", PASSWORD),
        ("ada@example.com\0", "x"),
        ("", ""),
    ] {
        let answer = app.log_in(email, password).await;
        answer.is(401, "login_failed");
        assert_eq!(answer.header("www-authenticate"), r#"Bearer realm="usher""#);
        let mut body = answer.json();
        body["request_id"].take();
        bodies.push(body);
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    let noted = app.noted("login_failed").await;
    assert_eq!(noted.len(), bodies.len());
    assert!(noted.iter().any(|row| row.object_id == Some(ada.id.to_string())));
    assert!(
        noted.iter().all(|row| !format!("{row:?}").contains("nobody@")),
        "what was typed is not kept"
    );
}

#[on_both]
async fn an_unconfirmed_address_opens_nothing_and_only_the_owner_learns_why(db: TestDb) {
    let app = TestApp::start(db).await;
    app.member("ada@example.com").await;
    app.sql("UPDATE users SET email_verified_at = NULL").await;
    app.log_in("ada@example.com", PASSWORD)
        .await
        .is(403, "email_not_verified");
    app.log_in("ada@example.com", "wrong-Otter-72-canyon")
        .await
        .is(401, "login_failed");
}

#[on_both]
async fn what_is_missing_or_no_text_is_said_at_once(db: TestDb) {
    let app = TestApp::start(db).await;
    let faults = app.anonymous().post("/auth/login", &json!({"email": 5})).await.faults();
    assert_eq!(
        faults,
        [
            ("string_type".to_owned(), json!(["body", "email"])),
            ("missing".to_owned(), json!(["body", "password"]))
        ]
    );
    let faults = app.anonymous().post("/auth/mfa", &json!({})).await.faults();
    assert_eq!(
        faults,
        [
            ("missing".to_owned(), json!(["body", "mfa_token"])),
            ("missing".to_owned(), json!(["body", "code"]))
        ]
    );
    app.anonymous()
        .post("/auth/mfa", &json!({"mfa_token": "x", "code": "1"}))
        .await
        .is(400, "token_invalid");
}

#[on_both]
async fn brute_force_through_forwarded_addresses_of_an_untrusted_proxy_is_stopped(db: TestDb) {
    let app = TestApp::start(db).await;
    app.member("ada@example.com").await;
    let client = app.elsewhere();
    for attempt in 0..8 {
        let body = json!({"email": format!("user{attempt}@example.com"), "password": "wrong"});
        let answer = client
            .clone()
            .with("x-forwarded-for", &format!("192.0.2.{attempt}"))
            .post("/auth/login", &body)
            .await;
        if attempt < 5 {
            answer.is(401, "login_failed");
        } else {
            answer.is(429, "rate_limited");
            assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
        }
    }
    let noted = app.noted("attempt_refused").await;
    assert_eq!(noted.len(), 3, "what is refused leaves a trace");
    assert_eq!(
        (noted[0].object_type.as_str(), noted[0].object_label.as_deref()),
        ("request", Some("POST /auth/login"))
    );
    for _ in 0..20 {
        client
            .post("/auth/login", &json!({"email": "ada@example.com", "password": "wrong"}))
            .await
            .is(429, "rate_limited");
    }
    assert!(app.noted("attempt_refused").await.len() <= 7, "and fills no log");
}

#[on_both]
async fn brute_force_of_one_account_from_many_addresses_is_stopped(db: TestDb) {
    let app = TestApp::start(db).await;
    app.member("ada@example.com").await;
    for _ in 0..20 {
        app.log_in("ada@example.com", "wrong").await.is(401, "login_failed");
    }
    app.log_in("ADA@example.com", PASSWORD).await.is(429, "rate_limited");
    assert_eq!(
        app.noted("login_failed").await.len(),
        20,
        "what is refused is not tried"
    );
}

#[on_both]
async fn switched_off_limits_stop_nobody(db: TestDb) {
    let app = TestApp::with(db, &[("RATE_LIMITS", "off")]).await;
    let client = app.elsewhere();
    for _ in 0..7 {
        let answer = client
            .post("/auth/login", &json!({"email": "ada@example.com", "password": "x"}))
            .await;
        answer.is(401, "login_failed");
        assert_eq!(answer.header("ratelimit"), "");
    }
}

#[on_both]
async fn an_old_hash_becomes_a_new_one_at_the_next_log_in(db: TestDb) {
    let app = TestApp::start(db).await;
    let user = app.member("ada@example.com").await;
    let old = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQxMjM0NTY3OA$3yTT2y5y4PZyUwVEjqSDgXUXTJLdGMXSYwXtIvDUbZc";
    app.sql(&format!("UPDATE users SET password_hash = '{old}'")).await;
    app.log_in("ada@example.com", PASSWORD).await.is(401, "login_failed");
    let weak = weak_hash(PASSWORD);
    app.sql(&format!("UPDATE users SET password_hash = '{weak}'")).await;
    assert_eq!(app.log_in("ada@example.com", PASSWORD).await.status, StatusCode::OK);
    let now = app.stored(user.id).await;
    assert!(
        now.password_hash
            .as_deref()
            .is_some_and(|hash| hash.contains("m=19456,t=2,p=1")),
        "{:?}",
        now.password_hash
    );
    assert_eq!(
        (now.version, now.password_changed_at),
        (1, user.password_changed_at),
        "the account is as it was"
    );
    assert_eq!(app.log_in("ada@example.com", PASSWORD).await.status, StatusCode::OK);
}

#[on_both]
async fn with_a_second_factor_the_password_is_half_the_way(db: TestDb) {
    let app = TestApp::start(db).await;
    let user = app.member("ada@example.com").await;
    let secret = app.with_app(user.id).await;
    let half = app.log_in("ada@example.com", PASSWORD).await.json();
    assert_eq!(
        (&half["mfa_required"], &half["methods"]),
        (&json!(true), &json!(["totp", "recovery_code"]))
    );
    assert!(half.get("access_token").is_none());
    let token = half["mfa_token"].as_str().unwrap();
    app.bearer(token).get("/me").await.is(401, "invalid_credential");
    assert!(app.noted("login").await.is_empty());
    let whole = app
        .anonymous()
        .post("/auth/mfa", &json!({"mfa_token": token, "code": code(&secret, 0)}))
        .await;
    assert_eq!(whole.status, StatusCode::OK, "{}", whole.text());
    let ada = app.signed_in("ada@example.com", &whole.json()).await;
    assert_eq!(ada.client.get("/me/sessions").await.json()["data"][0]["mfa"], true);
    assert_eq!(app.noted("login").await.len(), 1);
    app.anonymous()
        .post("/auth/mfa", &json!({"mfa_token": token, "code": code(&secret, 1)}))
        .await
        .is(400, "token_invalid");
}

#[on_both]
async fn totp_replay_is_refused(db: TestDb) {
    let app = TestApp::start(db).await;
    let user = app.member("ada@example.com").await;
    let secret = app.with_app(user.id).await;
    let code = code(&secret, 0);
    let token = async || app.log_in("ada@example.com", PASSWORD).await.json()["mfa_token"].clone();
    let (first, second) = (token().await, token().await);
    assert_eq!(
        app.anonymous()
            .post("/auth/mfa", &json!({"mfa_token": first, "code": code}))
            .await
            .status,
        StatusCode::OK
    );
    app.anonymous()
        .post("/auth/mfa", &json!({"mfa_token": second, "code": code}))
        .await
        .is(401, "mfa_code_invalid");
}

#[on_both]
async fn recovery_code_replay_is_refused(db: TestDb) {
    let app = TestApp::start(db).await;
    let user = app.member("ada@example.com").await;
    app.with_app(user.id).await;
    let codes = mfa::make_recovery_codes(&app.context.db, &app.context.config.secret_key, user.id)
        .await
        .unwrap();
    let mut statuses = Vec::new();
    for typed in [
        codes[0].clone(),
        codes[0].clone(),
        codes[1].to_uppercase().replace('-', " "),
    ] {
        let token = app.log_in("ada@example.com", PASSWORD).await.json()["mfa_token"].clone();
        let answer = app
            .anonymous()
            .post("/auth/mfa", &json!({"mfa_token": token, "recovery_code": typed}))
            .await;
        statuses.push(answer.status.as_u16());
    }
    assert_eq!(statuses, [200, 401, 200]);
    assert_eq!(app.kinds_of(user.id).await, ["mfa_changed", "mfa_changed"]);
}

#[on_both]
async fn code_guessing_ends_after_five_codes_and_counts_for_the_account(db: TestDb) {
    let app = TestApp::start(db).await;
    let user = app.member("ada@example.com").await;
    let secret = app.with_app(user.id).await;
    for round in 0..4 {
        let token = app.log_in("ada@example.com", PASSWORD).await.json()["mfa_token"].clone();
        for _ in 0..5 {
            app.anonymous()
                .post("/auth/mfa", &json!({"mfa_token": token, "code": "000000"}))
                .await
                .is(401, "mfa_code_invalid");
        }
        let late = app
            .anonymous()
            .post("/auth/mfa", &json!({"mfa_token": token, "code": code(&secret, 0)}))
            .await;
        late.is(400, "token_invalid");
        assert_eq!(app.noted("login_failed").await.len(), (round + 1) * 5);
    }
    app.log_in("ada@example.com", PASSWORD).await.is(429, "rate_limited");
}

#[on_both]
async fn a_password_that_changes_between_password_and_code_ends_the_log_in(db: TestDb) {
    let app = TestApp::start(db).await;
    let user = app.member("ada@example.com").await;
    let secret = app.with_app(user.id).await;
    let token = app.log_in("ada@example.com", PASSWORD).await.json()["mfa_token"].clone();
    let tx = app.context.job_store.begin().await.unwrap();
    users::replace_password(
        &tx,
        &app.stored(user.id).await,
        weak_hash("another"),
        None,
        &Actor::system(),
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    app.anonymous()
        .post("/auth/mfa", &json!({"mfa_token": token, "code": code(&secret, 0)}))
        .await
        .is(400, "token_invalid");
}

/// As a release with weaker parameters would have stored it.
pub fn weak_hash(password: &str) -> String {
    use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
    let params = Params::new(64, 1, 1, None).expect("parameters");
    let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    weak.hash_password(password.as_bytes()).expect("a hash").to_string()
}

#[on_both]
async fn staff_read_whether_a_password_was_wrong(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.member("ada@example.com").await;
    app.log_in("ada@example.com", "wrong").await.is(401, "login_failed");
    app.sql(&format!(
        "UPDATE users SET status = 'deactivated' WHERE id = {}",
        ada.id
    ))
    .await;
    app.log_in("ada@example.com", PASSWORD).await.is(401, "login_failed");
    let noted = app.noted("login_failed").await;
    let mut reasons: Vec<_> = noted.iter().filter_map(|entry| entry.reason.as_deref()).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ["an account that can't sign in", "wrong password"]);
}
