//! People sign up by themselves and prove their address, and nobody learns who has an account.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};
use usher_shared::{
    accounts::{mail_tokens::LinkPurpose, password_hash},
    foundation::entity::{job, user},
};
use usher_testkit::{TestDb, on_both, run};

use crate::{
    app::{Answer, TestApp},
    people::PASSWORD,
};

const OPEN: [(&str, &str); 1] = [("SIGN_UP", "open")];

fn ada() -> Value {
    json!({"name": "Ada Lovelace", "email": "Ada@example.com", "password": PASSWORD, "age": 36})
}

/// What anybody can see of an answer.
fn seen(answer: &Answer) -> (StatusCode, Value, Vec<String>) {
    let mut body = answer.json();
    if let Some(id) = body.get_mut("request_id") {
        id.take();
    }
    let mut names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
    names.sort();
    (answer.status, body, names)
}

#[on_both]
async fn sign_up_confirm_log_in(db: TestDb) {
    let app = TestApp::with(db, &OPEN).await;
    let answer = app.elsewhere().post("/auth/sign-up", &ada()).await;
    assert_eq!(
        (answer.status, answer.header("ratelimit-policy")),
        (StatusCode::ACCEPTED, "\"sign-up\";q=10;w=3600")
    );
    let made = user::Entity::find().one(&app.context.db).await.unwrap().unwrap();
    assert_eq!(
        (made.email.as_str(), made.age, made.email_verified_at),
        ("Ada@example.com", Some(36), None)
    );
    assert!(password_hash::verify(PASSWORD, made.password_hash.as_deref()).await);
    assert_eq!(app.kinds_of(made.id).await, ["verify_email"]);
    assert_eq!(app.noted("sign_up").await.len(), 1);
    app.log_in("ada@example.com", PASSWORD)
        .await
        .is(403, "email_not_verified");

    let token = app.mailed(made.id, LinkPurpose::VERIFY_EMAIL, "Ada@example.com").await;
    let older = app.mailed(made.id, LinkPurpose::VERIFY_EMAIL, "Ada@example.com").await;
    assert_eq!(
        app.elsewhere()
            .post("/auth/verify-email", &json!({"token": token}))
            .await
            .status,
        StatusCode::NO_CONTENT
    );
    assert!(app.stored(made.id).await.email_verified_at.is_some());
    let noted = app.noted("verify_email").await;
    assert_eq!((noted.len(), noted[0].actor_id), (1, Some(made.id)));
    for used in [token, older] {
        app.elsewhere()
            .post("/auth/verify-email", &json!({"token": used}))
            .await
            .is(400, "token_invalid");
    }
    assert_eq!(app.log_in("ada@example.com", PASSWORD).await.status, StatusCode::OK);
}

#[on_both]
async fn account_enumeration_by_sign_up_resend_and_reset_learns_nothing(db: TestDb) {
    let app = TestApp::with(db, &OPEN).await;
    let proved = app.member("proved@example.com").await;
    let unproved = app.member("unproved@example.com").await;
    app.sql(&format!(
        "UPDATE users SET email_verified_at = NULL WHERE id = {}",
        unproved.id
    ))
    .await;
    let gone = app.member("gone@example.com").await;
    app.sql(&format!(
        "UPDATE users SET deleted_at = created_at WHERE id = {}",
        gone.id
    ))
    .await;
    for path in ["/auth/password-reset", "/auth/verify-email/resend", "/auth/sign-up"] {
        let emails = [
            "proved@example.com",
            "unproved@example.com",
            "gone@example.com",
            "nobody@example.com",
        ];
        let mut answers = Vec::new();
        for email in emails {
            let mut body = ada();
            body["email"] = email.into();
            let before = job::Entity::find().count(&app.context.db).await.unwrap();
            answers.push(seen(&app.elsewhere().post(path, &body).await));
            assert_eq!(
                job::Entity::find().count(&app.context.db).await.unwrap(),
                before + 1,
                "{path} {email}: the same work"
            );
        }
        assert_eq!(answers[0].0, StatusCode::ACCEPTED);
        assert!(
            answers.iter().all(|answer| *answer == answers[0]),
            "{path}: {answers:?}"
        );
    }
    assert_eq!(
        app.kinds_of(proved.id).await,
        ["password_reset", "verify_email", "someone_tried_to_sign_up"]
    );
    assert_eq!(
        app.kinds_of(unproved.id).await,
        ["password_reset", "verify_email", "verify_email"]
    );
    assert_eq!(app.kinds_of(gone.id).await, ["address_of_deleted_account"; 3]);
    let (before, after) = (proved.clone(), app.stored(proved.id).await);
    assert_eq!(before, after, "nothing of the account was changed");
}

#[on_both]
async fn every_fault_of_a_sign_up_is_told_at_once(db: TestDb) {
    let app = TestApp::with(db, &OPEN).await;
    let body = json!({"name": "", "email": "x", "password": "short", "age": -1});
    let faults = app.elsewhere().post("/auth/sign-up", &body).await.faults();
    let fields: Vec<&Value> = faults.iter().map(|(_, loc)| &loc[1]).collect();
    assert_eq!(fields, ["name", "email", "password", "age"]);
    for password in [
        "Ada Lovelace",
        "ada@example.com",
        "password1234",
        "\0velvet-Otter-72",
        "adalovelace1",
    ] {
        let mut body = ada();
        body["password"] = password.into();
        let answer = app.elsewhere().post("/auth/sign-up", &body).await;
        assert!(
            answer
                .faults()
                .iter()
                .all(|(_, loc)| *loc == json!(["body", "password"])),
            "{password}"
        );
        assert!(
            !answer.text().contains(password) || password.contains('\0'),
            "{password} is sent back"
        );
    }
    assert_eq!(app.count_users().await, 0);
}

#[on_both]
async fn closed_sign_up_is_closed(db: TestDb) {
    let app = TestApp::start(db).await;
    app.elsewhere()
        .post("/auth/sign-up", &ada())
        .await
        .is(403, "sign_up_closed");
    app.elsewhere()
        .post_text("/auth/sign-up", "nobody reads this")
        .await
        .is(403, "sign_up_closed");
    assert_eq!(app.count_users().await, 0);
}

#[on_both]
async fn mass_assignment_at_sign_up_changes_nothing(db: TestDb) {
    let app = TestApp::with(db, &OPEN).await;
    let mut body = ada();
    for (name, value) in [
        ("id", json!(77)),
        ("is_staff", json!(true)),
        ("is_superuser", json!(true)),
        ("status", json!("locked")),
        ("email_verified_at", json!("2026-01-01T00:00:00Z")),
        ("verified", json!(true)),
        ("external_id", json!("x")),
    ] {
        body[name] = value;
    }
    app.elsewhere().post("/auth/sign-up", &body).await;
    let made = user::Entity::find().one(&app.context.db).await.unwrap().unwrap();
    assert!(!made.is_staff && !made.is_superuser && made.email_verified_at.is_none() && made.external_id.is_none());
    assert!(made.id != 77 && made.status == user::UserStatus::Active);
}

#[on_both]
async fn a_mailbox_is_not_flooded(db: TestDb) {
    let app = TestApp::with(db, &OPEN).await;
    app.member("ada@example.com").await;
    for email in ["ada@example.com", "nobody@example.com"] {
        let body = json!({"email": email});
        for path in [
            "/auth/password-reset",
            "/auth/verify-email/resend",
            "/auth/password-reset",
        ] {
            assert_eq!(app.elsewhere().post(path, &body).await.status, StatusCode::ACCEPTED);
        }
        let refused = app.elsewhere().post("/auth/password-reset", &body).await;
        refused.is(429, "rate_limited");
        let wait: u64 = refused.header("retry-after").parse().unwrap();
        assert!((3_500..=3_600).contains(&wait), "{wait}");
    }
}

#[on_both]
async fn sign_ups_from_one_address_are_counted(db: TestDb) {
    let app = TestApp::with(db, &OPEN).await;
    let client = app.elsewhere();
    for number in 0..10 {
        let mut body = ada();
        body["email"] = format!("ada{number}@example.com").into();
        assert_eq!(client.post("/auth/sign-up", &body).await.status, StatusCode::ACCEPTED);
    }
    client.post("/auth/sign-up", &ada()).await.is(429, "rate_limited");
    assert_eq!(app.count_users().await, 10);
}

#[on_both]
async fn a_link_does_nothing_before_its_button_is_clicked(db: TestDb) {
    let app = TestApp::start(db).await;
    let user = app.member("ada@example.com").await;
    app.sql("UPDATE users SET email_verified_at = NULL").await;
    let token = app.mailed(user.id, LinkPurpose::VERIFY_EMAIL, "ada@example.com").await;
    let client = app.elsewhere();
    for _ in 0..2 {
        let page = client.get(&format!("/verify-email?token={token}")).await;
        assert_eq!(
            (page.status, page.header("cache-control")),
            (StatusCode::OK, "no-store")
        );
        assert!(
            page.text().contains("ada@example.com")
                && page.text().contains("<button")
                && !page.text().contains("<script")
        );
    }
    assert!(app.stored(user.id).await.email_verified_at.is_none());
    let done = client.submit("/verify-email", &[("token", &token)]).await;
    assert!(
        done.status == StatusCode::OK && done.text().contains("Your email address is confirmed"),
        "{}",
        done.text()
    );
    assert!(app.stored(user.id).await.email_verified_at.is_some());
    for path in [
        "/verify-email",
        "/confirm-email-change",
        "/undo-email-change",
        "/keep-account",
        "/reset-password",
    ] {
        for query in ["", "?token=", "?token=%FF%00", &format!("?token={token}")] {
            let page = client.get(&format!("{path}{query}")).await;
            assert_eq!(page.status, StatusCode::BAD_REQUEST, "{path}{query}");
            assert!(page.text().contains("This link is not valid"));
        }
        let page = client.submit(path, &[("token", "<script>"), ("token", &token)]).await;
        assert!(
            page.status == StatusCode::BAD_REQUEST && !page.text().contains("<script>"),
            "{path}"
        );
    }
    let late = app.mailed(user.id, LinkPurpose::VERIFY_EMAIL, "ada@example.com").await;
    app.sql("UPDATE mail_tokens SET expires_at = created_at").await;
    assert_eq!(
        client.get(&format!("/verify-email?token={late}")).await.status,
        StatusCode::GONE
    );
    app.elsewhere()
        .post("/auth/verify-email", &json!({"token": late}))
        .await
        .is(410, "token_expired");
}

#[on_both]
async fn a_token_for_an_address_that_was_left_is_worth_nothing(db: TestDb) {
    let app = TestApp::start(db).await;
    let user = app.member("ada@example.com").await;
    app.sql("UPDATE users SET email_verified_at = NULL").await;
    let token = app.mailed(user.id, LinkPurpose::VERIFY_EMAIL, "ada@old.example").await;
    app.elsewhere()
        .post("/auth/verify-email", &json!({"token": token}))
        .await
        .is(400, "token_invalid");
    let token = app
        .mailed(user.id, LinkPurpose::PASSWORD_RESET, "ada@old.example")
        .await;
    let body = json!({"token": token, "password": PASSWORD});
    app.elsewhere()
        .post("/auth/password-reset/confirm", &body)
        .await
        .is(400, "token_invalid");
    assert!(app.stored(user.id).await.email_verified_at.is_none());
}

/// The same statements in the same order, and the same hash: nothing is left that could take longer. That a hash is
/// made at all shows in the least of five times, which no busy machine makes shorter.
#[test]
fn account_enumeration_in_time_learns_nothing() {
    run(async {
        let app = TestApp::with(TestDb::sqlite().await, &[("SIGN_UP", "open"), ("RATE_LIMITS", "off")]).await;
        app.member("ada@example.com").await;
        for (path, hashes) in [
            ("/auth/login", true),
            ("/auth/sign-up", true),
            ("/auth/password-reset", false),
            ("/auth/verify-email/resend", false),
        ] {
            let mut least = [Duration::MAX; 2];
            for round in 0..5 {
                let mut statements = [vec![], vec![]];
                let stranger = format!("nobody{round}@example.com");
                for (side, email) in ["ada@example.com", &*stranger].into_iter().enumerate() {
                    let body = json!({"name": "Ada", "email": email, "password": "velvet-Otter-73-canyon"});
                    app.take_statements();
                    let started = Instant::now();
                    app.elsewhere().post(path, &body).await;
                    least[side] = least[side].min(started.elapsed());
                    statements[side] = app.take_statements();
                }
                let [known, unknown] = statements;
                assert!(!known.is_empty());
                assert_eq!(known, unknown, "{path}");
            }
            let makes_hash = least.map(|time| time > Duration::from_millis(3));
            assert!(!hashes || makes_hash == [true; 2], "{path} does not hash: {least:?}");
        }
    });
}
