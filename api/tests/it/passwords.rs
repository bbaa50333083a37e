//! A password is replaced: by a mailed link, or by its owner.

use axum::http::StatusCode;
use futures::future::join_all;
use serde_json::json;
use usher_shared::accounts::mail_tokens::{self, LinkPurpose};
use usher_testkit::{TestDb, on_both, run};

use crate::{
    app::{Answer, TestApp},
    people::{PASSWORD, code},
};

const OTHER: &str = "amber-Walrus-44-piano";

#[on_both]
async fn a_reset_ends_every_session_and_every_other_link(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.person("ada@example.com").await;
    let bob = app.person("bob@example.com").await;
    assert_eq!(
        app.elsewhere()
            .post("/auth/password-reset", &json!({"email": "ada@example.com"}))
            .await
            .status,
        StatusCode::ACCEPTED
    );
    assert_eq!(app.kinds_of(ada.id).await, ["password_reset"]);
    let token = app.mailed(ada.id, LinkPurpose::PASSWORD_RESET, &ada.email).await;
    let mut others = Vec::new();
    for purpose in [
        LinkPurpose::VERIFY_EMAIL,
        LinkPurpose::EMAIL_CHANGE_CONFIRM,
        LinkPurpose::SET_PASSWORD,
        LinkPurpose::PASSWORD_RESET,
        LinkPurpose::CANCEL_DELETION,
    ] {
        others.push((app.mailed(ada.id, purpose, &ada.email).await, purpose));
    }
    let undo = app
        .mailed(ada.id, LinkPurpose::EMAIL_CHANGE_UNDO, "old@example.com")
        .await;
    let weak = app
        .elsewhere()
        .post(
            "/auth/password-reset/confirm",
            &json!({"token": token, "password": "ada@example.com"}),
        )
        .await;
    assert_eq!(weak.faults()[0].1, json!(["body", "password"]));
    let body = json!({"token": token, "password": OTHER});
    assert_eq!(
        app.elsewhere().post("/auth/password-reset/confirm", &body).await.status,
        StatusCode::NO_CONTENT
    );
    ada.client.get("/me").await.is(401, "invalid_credential");
    app.anonymous()
        .post("/auth/refresh", &json!({"refresh_token": ada.refresh}))
        .await
        .is(401, "invalid_credential");
    assert_eq!(bob.client.get("/me").await.status, StatusCode::OK);
    app.log_in(&ada.email, PASSWORD).await.is(401, "login_failed");
    assert_eq!(app.log_in(&ada.email, OTHER).await.status, StatusCode::OK);
    assert_eq!(app.kinds_of(ada.id).await, ["password_reset", "password_changed"]);
    let noted = app.noted("reset_password").await;
    assert_eq!((noted.len(), noted[0].actor_id), (1, Some(ada.id)));
    for (token, purpose) in others {
        assert!(
            mail_tokens::peek(&app.context.db, &token, purpose).await.is_err(),
            "{purpose:?}"
        );
    }
    assert!(
        mail_tokens::peek(&app.context.db, &undo, LinkPurpose::EMAIL_CHANGE_UNDO)
            .await
            .is_ok(),
        "the way back stays open"
    );
}

#[on_both]
async fn reset_token_reuse_is_refused(db: TestDb) {
    let app = TestApp::start(db).await;
    let user = app.member("ada@example.com").await;
    let token = app.mailed(user.id, LinkPurpose::PASSWORD_RESET, &user.email).await;
    let send = async |password: &str| {
        app.elsewhere()
            .post(
                "/auth/password-reset/confirm",
                &json!({"token": token, "password": password}),
            )
            .await
    };
    let (one, other) = tokio::join!(send(OTHER), send("velvet-Falcon-19-quarry"));
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 400], "of two at once one sets the password");
    send(PASSWORD).await.is(400, "token_invalid");
    app.log_in(&user.email, PASSWORD).await.is(401, "login_failed");
}

#[on_both]
async fn a_reset_token_after_a_password_change_is_refused(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.person("ada@example.com").await;
    let token = app.mailed(ada.id, LinkPurpose::PASSWORD_RESET, &ada.email).await;
    let body = json!({"current_password": PASSWORD, "new_password": OTHER});
    assert_eq!(
        ada.client.post("/me/password", &body).await.status,
        StatusCode::NO_CONTENT
    );
    app.elsewhere()
        .post(
            "/auth/password-reset/confirm",
            &json!({"token": token, "password": PASSWORD}),
        )
        .await
        .is(400, "token_invalid");
    assert_eq!(
        app.elsewhere()
            .get(&format!("/reset-password?token={token}"))
            .await
            .status,
        StatusCode::BAD_REQUEST
    );
}

#[on_both]
async fn a_reset_does_not_get_past_the_second_factor(db: TestDb) {
    let app = TestApp::start(db).await;
    let user = app.member("ada@example.com").await;
    let secret = app.with_app(user.id).await;
    let half = app.log_in(&user.email, PASSWORD).await.json()["mfa_token"].clone();
    let token = app.mailed(user.id, LinkPurpose::PASSWORD_RESET, &user.email).await;
    let page = app
        .elsewhere()
        .submit(
            "/reset-password",
            &[("token", &token), ("password", OTHER), ("password_again", OTHER)],
        )
        .await;
    assert!(
        page.status == StatusCode::OK && page.text().contains("All your devices are signed out"),
        "{}",
        page.text()
    );
    app.anonymous()
        .post("/auth/mfa", &json!({"mfa_token": half, "code": code(&secret, 0)}))
        .await
        .is(400, "token_invalid");
    assert_eq!(app.log_in(&user.email, OTHER).await.json()["mfa_required"], true);
}

#[on_both]
async fn the_owner_changes_the_password_and_only_this_device_stays(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.person("ada@example.com").await;
    let other = app.sign_in("ada@example.com").await;
    let change = async |current: &str, new: &str| {
        ada.client
            .post(
                "/me/password",
                &json!({"current_password": current, "new_password": new}),
            )
            .await
    };
    change("wrong", OTHER).await.is(403, "password_wrong");
    assert_eq!(
        change(PASSWORD, "short").await.faults()[0].1,
        json!(["body", "new_password"])
    );
    assert_eq!(change(PASSWORD, OTHER).await.status, StatusCode::NO_CONTENT);
    assert_eq!(ada.client.get("/me").await.status, StatusCode::OK);
    other.client.get("/me").await.is(401, "invalid_credential");
    app.log_in(&ada.email, PASSWORD).await.is(401, "login_failed");
    assert_eq!(app.log_in(&ada.email, OTHER).await.status, StatusCode::OK);
    assert_eq!(app.kinds_of(ada.id).await, ["password_changed"]);
    assert_eq!(app.noted("change_password").await.len(), 1);
}

#[on_both]
async fn guessing_the_password_of_a_borrowed_session_is_stopped(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.person("ada@example.com").await;
    app.no_longer_fresh(ada.id).await;
    for attempt in 0..20 {
        let answer = match attempt % 2 {
            0 => {
                ada.client
                    .post("/auth/reauthenticate", &json!({"password": "wrong"}))
                    .await
            }
            _ => {
                ada.client
                    .post(
                        "/me/password",
                        &json!({"current_password": "wrong", "new_password": OTHER}),
                    )
                    .await
            }
        };
        answer.is(403, "password_wrong");
    }
    ada.client
        .post("/auth/reauthenticate", &json!({"password": PASSWORD}))
        .await
        .is(429, "rate_limited");
}

#[on_both]
async fn what_everybody_guesses_is_refused_at_every_door(db: TestDb) {
    let settings = [
        ("SIGN_UP", "open"),
        ("PRODUCT_NAME", "Acme Rocket"),
        ("RATE_LIMITS", "off"),
    ];
    let app = TestApp::with(db, &settings).await;
    let ada = app.person("ada@example.com").await;
    let token = app.mailed(ada.id, LinkPurpose::PASSWORD_RESET, "ada@example.com").await;
    for bad in [
        "acme-rocket-2026!",
        "R0cket.4cme.R0cket",
        "letmein-letmein",
        "Summer2026!!!!",
        "usher-usher-1",
        "Lovelace_Ada_99",
    ] {
        let easy = |answer: &Answer| {
            assert_eq!(
                answer.status,
                StatusCode::UNPROCESSABLE_ENTITY,
                "{bad}: {}",
                answer.text()
            );
            assert!(answer.text().contains("easy to guess"), "{bad}: {}", answer.text());
        };
        let body = json!({"name": "Ada Lovelace", "email": "new@example.com", "password": bad});
        easy(&app.elsewhere().post("/auth/sign-up", &body).await);
        easy(
            &ada.client
                .post(
                    "/me/password",
                    &json!({"current_password": PASSWORD, "new_password": bad}),
                )
                .await,
        );
        easy(
            &app.elsewhere()
                .post(
                    "/auth/password-reset/confirm",
                    &json!({"token": token, "password": bad}),
                )
                .await,
        );
        easy(
            &app.elsewhere()
                .submit("/reset-password", &[("token", &token), ("password", bad)])
                .await,
        );
    }
}

#[on_both]
async fn a_password_is_the_same_however_a_keyboard_composes_it(db: TestDb) {
    const COMPOSED: &str = "crème-brûlée-72-otter";
    let decomposed = COMPOSED
        .replace('è', "e\u{300}")
        .replace('û', "u\u{302}")
        .replace('é', "e\u{301}");
    let app = TestApp::start(db).await;
    let ada = app.person("ada@example.com").await;
    // Set in one form and sent in the other, at every place that takes one.
    let body = json!({"current_password": PASSWORD, "new_password": decomposed});
    assert_eq!(
        ada.client.post("/me/password", &body).await.status,
        StatusCode::NO_CONTENT
    );
    for sent in [COMPOSED, &decomposed] {
        assert_eq!(
            app.log_in("ada@example.com", sent).await.status,
            StatusCode::OK,
            "{sent:?}"
        );
        let answer = ada
            .client
            .post("/auth/reauthenticate", &json!({"password": sent}))
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{sent:?}");
    }
    let token = app.mailed(ada.id, LinkPurpose::PASSWORD_RESET, "ada@example.com").await;
    let reset = app
        .elsewhere()
        .post(
            "/auth/password-reset/confirm",
            &json!({"token": token, "password": COMPOSED}),
        )
        .await;
    assert_eq!(reset.status, StatusCode::NO_CONTENT);
    assert_eq!(app.log_in("ada@example.com", &decomposed).await.status, StatusCode::OK);
    app.log_in("ada@example.com", "creme-brulee-72-otter")
        .await
        .is(401, "login_failed");

    // A hash from before passwords were normalised, of what was typed then.
    let raw = crate::sign_in::weak_hash(&decomposed);
    app.sql(&format!("UPDATE users SET password_hash = '{raw}'")).await;
    app.log_in("ada@example.com", COMPOSED).await.is(401, "login_failed");
    assert_eq!(app.log_in("ada@example.com", &decomposed).await.status, StatusCode::OK);
    assert_eq!(
        app.log_in("ada@example.com", COMPOSED).await.status,
        StatusCode::OK,
        "the normal form is kept since"
    );
}

#[on_both]
async fn what_needs_a_fresh_password_is_open_for_five_minutes(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.person("ada@example.com").await;
    app.no_longer_fresh(ada.id).await;
    let change = async || {
        ada.client
            .post("/me/email-change", &json!({"new_email": "ada@new.example.com"}))
            .await
    };
    let refused = change().await;
    refused.is(401, "reauthentication_required");
    assert!(
        refused
            .header("www-authenticate")
            .contains("insufficient_user_authentication")
    );
    for (method, path) in [
        ("DELETE", "/me"),
        ("POST", "/me/mfa/totp"),
        ("POST", "/me/mfa/recovery-codes"),
        ("DELETE", "/me/mfa/0198b5a0-6f3a-7c52-9d8e-5b1f0e4c2a77"),
    ] {
        let method = method.parse().unwrap();
        ada.client
            .call(method, path, axum::body::Body::empty())
            .await
            .is(401, "reauthentication_required");
    }
    ada.client
        .post("/auth/reauthenticate", &json!({"password": "wrong"}))
        .await
        .is(403, "password_wrong");
    let open = ada
        .client
        .post("/auth/reauthenticate", &json!({"password": PASSWORD}))
        .await;
    assert_eq!((open.status, &open.json()["expires_in"]), (StatusCode::OK, &json!(300)));
    assert_eq!(change().await.status, StatusCode::ACCEPTED);
    let secret = app.with_app(ada.id).await;
    ada.client
        .post("/auth/reauthenticate", &json!({"password": PASSWORD}))
        .await
        .is(401, "mfa_code_invalid");
    let body = json!({"password": PASSWORD, "code": code(&secret, 0)});
    assert_eq!(
        ada.client.post("/auth/reauthenticate", &body).await.status,
        StatusCode::OK
    );
}

#[test]
fn a_log_in_with_the_old_password_cannot_slip_past_the_new_one() {
    run(async {
        let app = TestApp::with(TestDb::postgres().await, &[("RATE_LIMITS", "off")]).await;
        let user = app.member("ada@example.com").await;
        let (mut old, mut late) = (PASSWORD, 0);
        for round in 0..10 {
            let new = if round % 2 == 0 { OTHER } else { PASSWORD };
            let token = app.mailed(user.id, LinkPurpose::PASSWORD_RESET, &user.email).await;
            let body = json!({"token": token, "password": new});
            let client = app.elsewhere();
            let reset = client.post("/auth/password-reset/confirm", &body);
            let log_ins = join_all((0..6).map(|_| app.log_in(&user.email, old)));
            let (reset, log_ins) = tokio::join!(reset, log_ins);
            assert_eq!(reset.status, StatusCode::NO_CONTENT);
            for log_in in log_ins.iter().filter(|answer| answer.status == StatusCode::OK) {
                let access = log_in.json()["access_token"].as_str().unwrap().to_owned();
                app.bearer(&access).get("/me").await.is(401, "invalid_credential");
            }
            late += log_ins.iter().filter(|answer| answer.status != StatusCode::OK).count();
            old = new;
        }
        assert!(late > 0, "no log-in met the reset");
    });
}
