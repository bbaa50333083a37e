//! An account moves to another address, and comes back.

use axum::http::StatusCode;
use serde_json::json;
use usher_shared::accounts::mail_tokens::LinkPurpose;
use usher_testkit::{TestDb, on_both};

use crate::{
    app::TestApp,
    people::{PASSWORD, Person},
};

/// Moves the account and returns the token of the way back.
async fn moved(app: &TestApp, person: &Person, from: &str, to: &str) -> String {
    let answer = person.client.post("/me/email-change", &json!({"new_email": to})).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
    let token = app.mailed(person.id, LinkPurpose::EMAIL_CHANGE_CONFIRM, to).await;
    let answer = app
        .elsewhere()
        .post("/auth/email-change/confirm", &json!({"token": token}))
        .await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    app.mailed(person.id, LinkPurpose::EMAIL_CHANGE_UNDO, from).await
}

#[on_both]
async fn the_new_mailbox_confirms_and_the_old_one_can_undo(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.person("ada@example.com").await;
    assert_eq!(
        ada.client
            .post("/me/email-change", &json!({"new_email": "ada@EXAMPLE.com"}))
            .await
            .faults()[0]
            .0,
        "value_error"
    );
    let answer = ada
        .client
        .post("/me/email-change", &json!({"new_email": "Ada@new.example.com"}))
        .await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(
        app.stored(ada.id).await.email,
        "ada@example.com",
        "nothing changes before it is confirmed"
    );
    let mails = app.jobs_of(ada.id).await;
    assert_eq!(
        (mails.len(), &mails[0].payload),
        (1, &json!({"user_id": ada.id, "new_email": "Ada@new.example.com"}))
    );

    let reset = app.mailed(ada.id, LinkPurpose::PASSWORD_RESET, &ada.email).await;
    let token = app
        .mailed(ada.id, LinkPurpose::EMAIL_CHANGE_CONFIRM, "Ada@new.example.com")
        .await;
    let page = app
        .elsewhere()
        .submit("/confirm-email-change", &[("token", &token)])
        .await;
    assert!(
        page.status == StatusCode::OK && page.text().contains("Ada@new.example.com"),
        "{}",
        page.text()
    );
    let after = app.stored(ada.id).await;
    assert_eq!(
        (
            after.email.as_str(),
            after.email_key.as_str(),
            after.email_verified_at.is_some()
        ),
        ("Ada@new.example.com", "ada@new.example.com", true)
    );
    app.elsewhere()
        .post("/auth/email-change/confirm", &json!({"token": token}))
        .await
        .is(400, "token_invalid");
    let body = json!({"token": reset, "password": "amber-Walrus-44-piano"});
    app.elsewhere()
        .post("/auth/password-reset/confirm", &body)
        .await
        .is(400, "token_invalid");
    assert_eq!(ada.client.get("/me").await.status, StatusCode::OK);
    app.log_in("ada@example.com", PASSWORD).await.is(401, "login_failed");
    assert_eq!(app.log_in("ada@new.example.com", PASSWORD).await.status, StatusCode::OK);
    assert_eq!(
        app.kinds_of(ada.id).await,
        ["email_change_confirm", "email_change_undo"]
    );
    let noted = app.noted("change_email").await;
    assert_eq!(
        noted[0].changes.as_ref().unwrap()["email"],
        json!(["ada@example.com", "Ada@new.example.com"])
    );

    let undo = app
        .mailed(ada.id, LinkPurpose::EMAIL_CHANGE_UNDO, "ada@example.com")
        .await;
    let page = app.elsewhere().submit("/undo-email-change", &[("token", &undo)]).await;
    assert!(
        page.status == StatusCode::OK && page.text().contains("Your account is back"),
        "{}",
        page.text()
    );
    let back = app.stored(ada.id).await;
    assert_eq!(
        (back.email.as_str(), back.password_hash.as_deref()),
        ("ada@example.com", None)
    );
    ada.client.get("/me").await.is(401, "invalid_credential");
    app.log_in("ada@example.com", PASSWORD).await.is(401, "login_failed");
    assert_eq!(app.kinds_of(ada.id).await.last().unwrap(), "password_reset");
    assert!(
        !format!("{:?}", app.noted("undo_email_change").await).contains("argon2"),
        "no hash in the log"
    );
}

#[on_both]
async fn a_thief_who_moves_the_account_twice_cannot_close_the_way_back(db: TestDb) {
    let app = TestApp::start(db).await;
    let thief = app.person("ada@example.com").await;
    let owners = moved(&app, &thief, "ada@example.com", "thief1@example.com").await;
    let thiefs = moved(&app, &thief, "thief1@example.com", "thief2@example.com").await;
    let reset = app
        .mailed(thief.id, LinkPurpose::PASSWORD_RESET, "thief2@example.com")
        .await;
    let body = json!({"token": reset, "password": "amber-Walrus-44-piano"});
    assert_eq!(
        app.elsewhere().post("/auth/password-reset/confirm", &body).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        app.elsewhere()
            .post("/auth/email-change/undo", &json!({"token": thiefs}))
            .await
            .status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(app.stored(thief.id).await.email, "thief1@example.com");
    assert_eq!(
        app.elsewhere()
            .post("/auth/email-change/undo", &json!({"token": owners}))
            .await
            .status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(app.stored(thief.id).await.email, "ada@example.com");
}

#[on_both]
async fn the_owner_who_comes_back_closes_the_thiefs_ways(db: TestDb) {
    let app = TestApp::start(db).await;
    let thief = app.person("ada@example.com").await;
    let owners = moved(&app, &thief, "ada@example.com", "thief1@example.com").await;
    let thiefs = moved(&app, &thief, "thief1@example.com", "thief2@example.com").await;
    assert_eq!(
        app.elsewhere()
            .post("/auth/email-change/undo", &json!({"token": owners}))
            .await
            .status,
        StatusCode::NO_CONTENT
    );
    app.elsewhere()
        .post("/auth/email-change/undo", &json!({"token": thiefs}))
        .await
        .is(400, "token_invalid");
    assert_eq!(app.stored(thief.id).await.email, "ada@example.com");
}

#[on_both]
async fn an_address_that_is_taken_is_told_to_its_owner_alone(db: TestDb) {
    let app = TestApp::start(db).await;
    let (ada, bob) = (app.person("ada@example.com").await, app.person("bob@example.com").await);
    let free = ada
        .client
        .post("/me/email-change", &json!({"new_email": "free@example.com"}))
        .await;
    let taken = ada
        .client
        .post("/me/email-change", &json!({"new_email": "BOB@example.com"}))
        .await;
    assert_eq!((free.status, free.json()), (taken.status, taken.json()));
    let token = app
        .mailed(ada.id, LinkPurpose::EMAIL_CHANGE_CONFIRM, "BOB@example.com")
        .await;
    let page = app
        .elsewhere()
        .submit("/confirm-email-change", &[("token", &token)])
        .await;
    assert!(page.status == StatusCode::CONFLICT && page.text().contains("already has an account"));
    app.elsewhere()
        .post("/auth/email-change/confirm", &json!({"token": token}))
        .await
        .is(409, "email_exists");
    assert_eq!(
        (app.stored(ada.id).await.email, app.stored(bob.id).await.email),
        (ada.email, bob.email)
    );
}
