//! Whoever proves a mailbox is the only owner of its account, and one link of a kind is alive.

use axum::http::StatusCode;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel};
use serde_json::{Value, json};
use usher_shared::{
    accounts::{api_keys::Scope, mail_tokens::LinkPurpose, mfa, users},
    foundation::entity::{
        recovery_code,
        user::{self, UserStatus},
    },
    jobs::{EnqueueOptions, enqueue, mail_suppressions},
};
use usher_testkit::{TestDb, WAY_BACK, access_left, on_both, plant_access};

use crate::{app::TestApp, people::PASSWORD};

const OPEN: [(&str, &str); 2] = [("SIGN_UP", "open"), ("RATE_LIMITS", "off")];
const STRANGERS: &str = "amber-Walrus-44-piano";
const THIRD: &str = "velvet-Falcon-19-quarry";

fn sign_up(name: &str, password: &str) -> Value {
    json!({"name": name, "email": "vera@example.com", "password": password, "age": 36})
}

async fn vera(app: &TestApp) -> user::Model {
    let found = users::find_by_email_key(&app.context.db, "vera@example.com")
        .await
        .unwrap();
    found.expect("the account")
}

/// What keeps somebody out or lets them in.
async fn opens(app: &TestApp, password: &str) -> bool {
    app.log_in("vera@example.com", password).await.status == StatusCode::OK
}

#[on_both]
async fn a_stranger_who_signs_up_first_or_last_has_no_password_in_the_account(db: TestDb) {
    let app = TestApp::with(db, &OPEN).await;
    for round in [["Mallory", "Vera"], ["Vera", "Mallory"]] {
        let mut mails = Vec::new();
        for name in round {
            let password = if name == "Vera" { PASSWORD } else { STRANGERS };
            assert_eq!(
                app.elsewhere()
                    .post("/auth/sign-up", &sign_up(name, password))
                    .await
                    .status,
                StatusCode::ACCEPTED
            );
            mails.push(
                app.sent_link(vera(&app).await.id, LinkPurpose::VERIFY_EMAIL)
                    .await
                    .expect("a link"),
            );
        }
        let user = vera(&app).await;
        assert_eq!(
            app.kinds_of(user.id).await,
            ["verify_email", "verify_email"],
            "nobody is told that they asked for a password"
        );
        assert_eq!(
            (user.name.as_str(), user.age),
            ("vera", Some(36)),
            "what they do not agree on is nobody's"
        );
        let noted = app.noted("sign_up_again").await;
        assert_eq!(noted.last().unwrap().changes, Some(json!({"name": [round[0], "vera"]})));
        // The first mail's link ended with the second request.
        app.elsewhere()
            .post("/auth/verify-email", &json!({"token": mails[0]}))
            .await
            .is(400, "token_invalid");
        let page = app.elsewhere().get(&format!("/verify-email?token={}", mails[1])).await;
        assert!(
            page.status == StatusCode::OK && page.text().contains("<h1>Choose a password</h1>"),
            "{}",
            page.text()
        );
        assert_eq!(
            app.elsewhere()
                .post("/auth/verify-email", &json!({"token": mails[1]}))
                .await
                .status,
            StatusCode::NO_CONTENT
        );
        assert!(vera(&app).await.email_verified_at.is_some());
        assert!(!opens(&app, STRANGERS).await && !opens(&app, PASSWORD).await);
        // The link that she gets without asking.
        assert_eq!(app.kinds_of(user.id).await.last().unwrap(), "password_reset");
        let reset = app
            .sent_link(user.id, LinkPurpose::PASSWORD_RESET)
            .await
            .expect("a link");
        let body = json!({"token": reset, "password": PASSWORD});
        assert_eq!(
            app.elsewhere().post("/auth/password-reset/confirm", &body).await.status,
            StatusCode::NO_CONTENT
        );
        assert!(opens(&app, PASSWORD).await && !opens(&app, STRANGERS).await);
        app.sql(&format!("DELETE FROM users WHERE id = {}", user.id)).await;
    }
}

#[on_both]
async fn the_page_of_a_contested_sign_up_takes_the_owners_password(db: TestDb) {
    let app = TestApp::with(db, &OPEN).await;
    app.elsewhere()
        .post("/auth/sign-up", &sign_up("Mallory", STRANGERS))
        .await;
    app.elsewhere().post("/auth/sign-up", &sign_up("Vera", PASSWORD)).await;
    let id = vera(&app).await.id;
    let token = app.sent_link(id, LinkPurpose::VERIFY_EMAIL).await.unwrap();
    let refused = app.elsewhere().submit("/verify-email", &[("token", &token)]).await;
    assert_eq!(
        refused.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "a click alone is not enough"
    );
    let done = app
        .elsewhere()
        .submit(
            "/verify-email",
            &[("token", &token), ("password", PASSWORD), ("password_again", PASSWORD)],
        )
        .await;
    assert!(
        done.status == StatusCode::OK && done.text().contains("Your email address is confirmed as well"),
        "{}",
        done.text()
    );
    assert!(opens(&app, PASSWORD).await && !opens(&app, STRANGERS).await);
    assert_eq!(app.noted("verify_email").await.len(), 1);
}

#[on_both]
async fn an_own_sign_up_needs_one_click_and_a_stranger_s_can_be_taken_over_by_it(db: TestDb) {
    let app = TestApp::with(db, &OPEN).await;
    for again in 0..2 {
        // Twice the same is a double click, or a mail that got lost.
        app.elsewhere().post("/auth/sign-up", &sign_up("Vera", PASSWORD)).await;
        assert!(vera(&app).await.password_hash.is_some(), "{again}");
    }
    let id = vera(&app).await.id;
    let token = app.sent_link(id, LinkPurpose::VERIFY_EMAIL).await.unwrap();
    let page = app.elsewhere().get(&format!("/verify-email?token={token}")).await;
    assert!(
        page.text().contains("Confirm your email address") && page.text().contains("sign up yourself?"),
        "{}",
        page.text()
    );
    assert_eq!(
        app.elsewhere()
            .submit("/verify-email", &[("token", &token)])
            .await
            .status,
        StatusCode::OK
    );
    assert!(opens(&app, PASSWORD).await);
    app.sql(&format!("DELETE FROM users WHERE id = {id}")).await;

    app.elsewhere()
        .post("/auth/sign-up", &sign_up("Mallory", STRANGERS))
        .await;
    let token = app
        .sent_link(vera(&app).await.id, LinkPurpose::VERIFY_EMAIL)
        .await
        .unwrap();
    let weak = json!({"token": token, "password": "vera@example.com"});
    assert_eq!(
        app.elsewhere().post("/auth/verify-email", &weak).await.faults()[0].1,
        json!(["body", "password"])
    );
    let body = json!({"token": token, "password": PASSWORD});
    assert_eq!(
        app.elsewhere().post("/auth/verify-email", &body).await.status,
        StatusCode::NO_CONTENT
    );
    assert!(opens(&app, PASSWORD).await && !opens(&app, STRANGERS).await);
    assert_eq!(
        (vera(&app).await.name.as_str(), vera(&app).await.age),
        ("vera", None),
        "their name ends as well"
    );
}

#[on_both]
async fn a_reset_before_the_proof_ends_the_sign_up_of_a_stranger(db: TestDb) {
    let app = TestApp::with(db, &OPEN).await;
    app.elsewhere()
        .post("/auth/sign-up", &sign_up("Free prize at evil.example", STRANGERS))
        .await;
    app.elsewhere()
        .post("/auth/password-reset", &json!({"email": "vera@example.com"}))
        .await;
    let user = vera(&app).await;
    let token = app.sent_link(user.id, LinkPurpose::PASSWORD_RESET).await.unwrap();
    let body = json!({"token": token, "password": PASSWORD});
    assert_eq!(
        app.elsewhere().post("/auth/password-reset/confirm", &body).await.status,
        StatusCode::NO_CONTENT
    );
    assert!(opens(&app, PASSWORD).await && !opens(&app, STRANGERS).await);
    assert_eq!((vera(&app).await.name.as_str(), vera(&app).await.age), ("vera", None));
    assert_eq!(access_left(&app.context.db, user.id).await, ["session api"], "hers");
}

#[on_both]
async fn many_sign_ups_at_once_leave_no_password_that_others_did_not_choose(db: TestDb) {
    let app = TestApp::with(db, &OPEN).await;
    let strangers = (0..6).map(|number| {
        let (client, body) = (
            app.elsewhere(),
            sign_up("Mallory", if number % 2 == 0 { STRANGERS } else { THIRD }),
        );
        async move { client.post("/auth/sign-up", &body).await.status }
    });
    assert!(
        futures::future::join_all(strangers)
            .await
            .iter()
            .all(|status| *status == StatusCode::ACCEPTED)
    );
    assert_eq!((vera(&app).await.password_hash, app.count_users().await), (None, 1));
    assert_eq!(
        access_left(&app.context.db, vera(&app).await.id).await,
        ["link verify_email"],
        "one link is alive"
    );
}

#[on_both]
async fn a_sign_up_gives_no_password_to_an_account_that_a_service_made(db: TestDb) {
    let app = TestApp::with(db, &OPEN).await;
    let id = app.key(&[Scope::USERS_WRITE]).await.sign_up("vera@example.com").await;
    let name = vera(&app).await.name;
    app.elsewhere()
        .post("/auth/sign-up", &sign_up("Mallory", STRANGERS))
        .await;
    assert_eq!((vera(&app).await.password_hash, vera(&app).await.name), (None, name));
    let token = app.sent_link(id, LinkPurpose::VERIFY_EMAIL).await.unwrap();
    let form = [("token", token.as_str()), ("password", PASSWORD)];
    assert_eq!(
        app.elsewhere().submit("/verify-email", &form).await.status,
        StatusCode::OK
    );
    assert!(opens(&app, PASSWORD).await && !opens(&app, STRANGERS).await);
}

#[on_both]
async fn a_sign_up_takes_no_password_from_accounts_that_are_more_than_a_sign_up(db: TestDb) {
    let app = TestApp::with(db, &OPEN).await;
    let user = app.member("vera@example.com").await;
    for state in [
        "is_staff = true, email_verified_at = NULL",
        "is_staff = false, last_login_at = created_at",
        "last_login_at = NULL, email_verified_at = created_at",
        "email_verified_at = NULL, deleted_at = created_at",
    ] {
        app.sql(&format!("UPDATE users SET {state}")).await;
        app.elsewhere()
            .post("/auth/sign-up", &sign_up("Mallory", STRANGERS))
            .await;
        assert_eq!(app.stored(user.id).await.password_hash, user.password_hash, "{state}");
    }
}

#[on_both]
async fn every_proof_of_a_mailbox_ends_what_a_stranger_left_in_an_unproved_account(db: TestDb) {
    let app = TestApp::with(db, &OPEN).await;
    for (number, door) in [
        "verify",
        "verify with password",
        "reset",
        "reset page",
        "welcome",
        "keep account",
        "email change",
    ]
    .into_iter()
    .enumerate()
    {
        let email = format!("vera{number}@example.com");
        let user = app.member(&email).await;
        app.sql(&format!(
            "UPDATE users SET email_verified_at = NULL, delete_at = created_at WHERE id = {}",
            user.id
        ))
        .await;
        app.with_app(user.id).await;
        mfa::make_recovery_codes(&app.context.db, &app.context.config.secret_key, user.id)
            .await
            .unwrap();
        plant_access(&app.context.db, &app.context.config.secret_key, &user).await;
        if door == "welcome" {
            app.sql(&format!("UPDATE users SET password_hash = NULL WHERE id = {}", user.id))
                .await;
        }
        let link = async |purpose| app.mailed(user.id, purpose, &email).await;
        let (path, body) = match door {
            "verify" => (
                "/auth/verify-email",
                json!({"token": link(LinkPurpose::VERIFY_EMAIL).await}),
            ),
            "verify with password" => (
                "/auth/verify-email",
                json!({"token": link(LinkPurpose::VERIFY_EMAIL).await, "password": THIRD}),
            ),
            "reset" => (
                "/auth/password-reset/confirm",
                json!({"token": link(LinkPurpose::PASSWORD_RESET).await, "password": THIRD}),
            ),
            "reset page" => (
                "/reset-password",
                json!({"token": link(LinkPurpose::PASSWORD_RESET).await, "password": THIRD}),
            ),
            "welcome" => (
                "/set-password",
                json!({"token": link(LinkPurpose::SET_PASSWORD).await, "password": THIRD}),
            ),
            "keep account" => (
                "/auth/keep-account",
                json!({"token": link(LinkPurpose::CANCEL_DELETION).await}),
            ),
            _ => (
                "/auth/email-change/confirm",
                json!({"token": app.mailed(user.id, LinkPurpose::EMAIL_CHANGE_CONFIRM, &format!("new-{email}")).await}),
            ),
        };
        let answer = if path.starts_with("/auth") {
            app.elsewhere().post(path, &body).await
        } else {
            app.elsewhere()
                .submit(path, &[("token", body["token"].as_str().unwrap()), ("password", THIRD)])
                .await
        };
        assert!(answer.status.is_success(), "{door}: {}", answer.text());
        assert_eq!(access_left(&app.context.db, user.id).await, [WAY_BACK], "{door}");
        assert!(
            mfa::factors(&app.context.db, user.id).await.unwrap().is_empty(),
            "{door}"
        );
        assert!(app.stored(user.id).await.email_verified_at.is_some(), "{door}");
    }
    assert!(
        recovery_code::Entity::find()
            .one(&app.context.db)
            .await
            .unwrap()
            .is_none()
    );
}

#[on_both]
async fn a_mailbox_alone_takes_no_second_factor_from_somebody_who_has_signed_in(db: TestDb) {
    let app = TestApp::with(db, &OPEN).await;
    let person = app.person("vera@example.com").await;
    app.with_app(person.id).await;
    let key = app.key(&[Scope::USERS_WRITE]).await;
    assert_eq!(
        key.patch(&format!("/users/{}", person.id), &json!({"email": "thief@example.com"}))
            .await
            .status,
        StatusCode::OK
    );
    let token = app.sent_link(person.id, LinkPurpose::VERIFY_EMAIL).await.unwrap();
    let body = json!({"token": token, "password": THIRD});
    assert_eq!(
        app.elsewhere().post("/auth/verify-email", &body).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        app.log_in("thief@example.com", THIRD).await.json()["mfa_required"],
        true
    );
}

#[on_both]
async fn the_newest_request_for_an_email_change_alone_moves_the_account(db: TestDb) {
    let app = TestApp::with(db, &OPEN).await;
    let ada = app.person("ada@example.com").await;
    let ask = async |email: &str| {
        ada.client
            .post("/me/email-change", &json!({"new_email": email}))
            .await
            .status
    };
    let purpose = LinkPurpose::EMAIL_CHANGE_CONFIRM;
    assert_eq!(ask("typo@example.com").await, StatusCode::ACCEPTED);
    let typo = app.sent_link(ada.id, purpose).await.expect("a link");
    assert_eq!(ask("right@example.com").await, StatusCode::ACCEPTED);
    // Before the worker has sent the new one.
    app.elsewhere()
        .post("/auth/email-change/confirm", &json!({"token": typo}))
        .await
        .is(400, "token_invalid");
    assert_eq!(
        app.elsewhere()
            .get(&format!("/confirm-email-change?token={typo}"))
            .await
            .status,
        StatusCode::BAD_REQUEST
    );
    let right = app.sent_link(ada.id, purpose).await.expect("a link");
    assert_eq!(
        app.sent_link(ada.id, purpose).await.as_ref(),
        Some(&right),
        "sent again it is the same link"
    );
    assert_eq!(ask("late@example.com").await, StatusCode::ACCEPTED);
    assert_eq!(ask("last@example.com").await, StatusCode::ACCEPTED);
    let jobs = app.jobs_of(ada.id).await;
    assert_eq!(jobs.len(), 4);
    let mut alive = 0;
    for job in &jobs {
        alive += usize::from(app.link_of(job, purpose).await.is_some());
    }
    assert_eq!(alive, 1, "a mail that was queued for an older request is not sent");
    app.elsewhere()
        .post("/auth/email-change/confirm", &json!({"token": right}))
        .await
        .is(400, "token_invalid");
    let last = app.sent_link(ada.id, purpose).await.expect("a link");
    assert_eq!(
        app.elsewhere()
            .post("/auth/email-change/confirm", &json!({"token": last}))
            .await
            .status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(app.stored(ada.id).await.email, "last@example.com");
}

#[on_both]
async fn the_newest_reset_alone_works_and_a_new_password_ends_those_that_are_queued(db: TestDb) {
    let app = TestApp::with(db, &OPEN).await;
    let ada = app.person("ada@example.com").await;
    let ask = async || {
        app.elsewhere()
            .post("/auth/password-reset", &json!({"email": "ada@example.com"}))
            .await
            .status
    };
    let purpose = LinkPurpose::PASSWORD_RESET;
    assert_eq!(ask().await, StatusCode::ACCEPTED);
    let older = app.sent_link(ada.id, purpose).await.expect("a link");
    assert_eq!(ask().await, StatusCode::ACCEPTED);
    let body = json!({"token": older, "password": THIRD});
    app.elsewhere()
        .post("/auth/password-reset/confirm", &body)
        .await
        .is(400, "token_invalid");
    let at_once = futures::future::join_all((0..4).map(|_| ask())).await;
    assert!(at_once.iter().all(|status| *status == StatusCode::ACCEPTED));
    assert_eq!(
        access_left(&app.context.db, ada.id).await,
        ["link password_reset", "session api"]
    );

    ada.client
        .post("/me/email-change", &json!({"new_email": "new@example.com"}))
        .await;
    let change = json!({"current_password": PASSWORD, "new_password": THIRD});
    assert_eq!(
        ada.client.post("/me/password", &change).await.status,
        StatusCode::NO_CONTENT
    );
    for job in app.jobs_of(ada.id).await {
        for purpose in [purpose, LinkPurpose::EMAIL_CHANGE_CONFIRM] {
            let is_its = (job.kind == "password_reset") == (purpose == LinkPurpose::PASSWORD_RESET);
            assert!(
                !is_its || job.kind == "password_changed" || app.link_of(&job, purpose).await.is_none(),
                "{} after the new password",
                job.kind
            );
        }
    }
}

#[on_both]
async fn a_mail_without_a_request_ends_older_links_as_well(db: TestDb) {
    let app = TestApp::with(db, &OPEN).await;
    let ada = app.member("ada@example.com").await;
    let purpose = LinkPurpose::PASSWORD_RESET;
    let mut links = Vec::new();
    for _ in 0..2 {
        let tx = app.context.job_store.begin().await.unwrap();
        enqueue(&tx, usher_shared::jobs::PasswordReset { user_id: ada.id })
            .await
            .unwrap();
        tx.commit().await.unwrap();
        links.push(app.sent_link(ada.id, purpose).await.expect("a link"));
    }
    for (link, status) in links.iter().zip([400, 204]) {
        let body = json!({"token": link, "password": THIRD});
        assert_eq!(
            app.elsewhere()
                .post("/auth/password-reset/confirm", &body)
                .await
                .status
                .as_u16(),
            status
        );
    }
}

#[on_both]
async fn a_token_is_good_only_for_the_address_that_it_was_mailed_to(db: TestDb) {
    let app = TestApp::with(db, &OPEN).await;
    let user = app.member("ada@example.com").await;
    app.sql("UPDATE users SET email_verified_at = NULL, password_hash = NULL, delete_at = created_at")
        .await;
    for (purpose, path, page) in [
        (LinkPurpose::SET_PASSWORD, None, "/set-password"),
        (LinkPurpose::VERIFY_EMAIL, Some("/auth/verify-email"), "/verify-email"),
        (
            LinkPurpose::PASSWORD_RESET,
            Some("/auth/password-reset/confirm"),
            "/reset-password",
        ),
        (
            LinkPurpose::CANCEL_DELETION,
            Some("/auth/keep-account"),
            "/keep-account",
        ),
    ] {
        let token = app.mailed(user.id, purpose, "ada@old.example").await;
        assert_eq!(
            app.elsewhere().get(&format!("{page}?token={token}")).await.status,
            StatusCode::BAD_REQUEST,
            "{page}"
        );
        let form = [
            ("token", token.as_str()),
            ("password", PASSWORD),
            ("password_again", PASSWORD),
        ];
        assert_eq!(
            app.elsewhere().submit(page, &form).await.status,
            StatusCode::BAD_REQUEST,
            "{page}"
        );
        if let Some(path) = path {
            app.elsewhere()
                .post(path, &json!({"token": token, "password": PASSWORD}))
                .await
                .is(400, "token_invalid");
        }
    }
    let after = app.stored(user.id).await;
    assert_eq!(
        (after.email_verified_at, after.password_hash, after.delete_at.is_some()),
        (None, None, true)
    );
}

#[on_both]
async fn a_change_of_address_by_a_service_is_told_and_can_be_undone(db: TestDb) {
    let app = TestApp::with(db, &OPEN).await;
    let key = app.key(&[Scope::USERS_READ, Scope::USERS_WRITE]).await;
    for (number, door) in ["patch", "upsert"].into_iter().enumerate() {
        let (old, new) = (format!("ada{number}@example.com"), format!("new{number}@example.com"));
        let ada = app.person(&old).await;
        let mut row = app.stored(ada.id).await.into_active_model();
        row.external_id = Set(Some(format!("crm-{number}")));
        let user = row.update(&app.context.db).await.unwrap();
        plant_access(&app.context.db, &app.context.config.secret_key, &user).await;
        let answer = match door {
            "patch" => key.patch(&format!("/users/{}", ada.id), &json!({"email": new})).await,
            _ => {
                key.put(
                    &format!("/users/by-external-id/crm-{number}"),
                    &json!({"name": "Ada", "email": new}),
                )
                .await
            }
        };
        assert!(
            answer.status == StatusCode::OK && answer.json()["verified"] == false,
            "{}",
            answer.text()
        );
        ada.client.get("/me").await.is(401, "invalid_credential");
        assert_eq!(
            app.kinds_of(ada.id).await,
            ["email_change_undo", "verify_email"],
            "{door}"
        );
        assert_eq!(
            access_left(&app.context.db, ada.id).await,
            [WAY_BACK, WAY_BACK, "link verify_email"],
            "{door}"
        );
        let jobs = app.jobs_of(ada.id).await;
        let undo = jobs.iter().find(|job| job.kind == "email_change_undo").unwrap();
        assert_eq!(undo.payload["old_email"], old.as_str());
        let token = app.link_of(undo, LinkPurpose::EMAIL_CHANGE_UNDO).await.expect("a link");
        let page = app.elsewhere().submit("/undo-email-change", &[("token", &token)]).await;
        assert!(
            page.status == StatusCode::OK && page.text().contains(&old),
            "{}",
            page.text()
        );
        let back = app.stored(ada.id).await;
        assert_eq!((back.email, back.email_verified_at.is_some()), (old, true), "{door}");
    }
}

#[on_both]
async fn whoever_is_moved_to_another_address_has_no_password_there(db: TestDb) {
    let app = TestApp::with(db, &OPEN).await;
    let key = app.key(&[Scope::USERS_WRITE]).await;
    let mallory = app.member("mallory@example.com").await;
    let at = format!("/users/{}", mallory.id);
    assert_eq!(
        key.patch(&at, &json!({"email": "vera@example.com"})).await.status,
        StatusCode::OK
    );
    let token = app.sent_link(mallory.id, LinkPurpose::VERIFY_EMAIL).await.unwrap();
    assert_eq!(
        app.elsewhere()
            .post("/auth/verify-email", &json!({"token": token}))
            .await
            .status,
        StatusCode::NO_CONTENT
    );
    assert!(!opens(&app, PASSWORD).await);
    // An address that nobody had proved needs no way back, and gets no second welcome before the first.
    let quiet = key.sign_up("quiet@example.com").await;
    key.patch(&format!("/users/{quiet}"), &json!({"email": "quiet@example.org"}))
        .await;
    assert_eq!(app.kinds_of(quiet).await, ["welcome_email"]);
    app.sql(&format!("UPDATE users SET welcomed_at = created_at WHERE id = {quiet}"))
        .await;
    key.patch(&format!("/users/{quiet}"), &json!({"email": "quiet@example.net"}))
        .await;
    assert_eq!(app.kinds_of(quiet).await, ["welcome_email", "verify_email"]);
}

#[on_both]
async fn proof_wins_over_an_account_that_never_proved_the_address(db: TestDb) {
    let app = TestApp::with(db, &OPEN).await;
    let ada = app.person("ada@example.com").await;
    ada.client
        .post("/me/email-change", &json!({"new_email": "vera@example.com"}))
        .await;
    app.elsewhere()
        .post("/auth/sign-up", &sign_up("Mallory", STRANGERS))
        .await;
    let strangers = vera(&app).await.id;
    let theirs = app.sent_link(strangers, LinkPurpose::VERIFY_EMAIL).await.unwrap();
    let token = app.sent_link(ada.id, LinkPurpose::EMAIL_CHANGE_CONFIRM).await.unwrap();
    assert_eq!(
        app.elsewhere()
            .post("/auth/email-change/confirm", &json!({"token": token}))
            .await
            .status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(vera(&app).await.id, ada.id);
    assert!(opens(&app, PASSWORD).await && !opens(&app, STRANGERS).await);
    app.elsewhere()
        .post("/auth/verify-email", &json!({"token": theirs}))
        .await
        .is(400, "token_invalid");
    let gone = app.stored(strangers).await;
    assert!(
        gone.deleted_at.is_some() && gone.password_hash.is_none() && gone.email.ends_with(".invalid"),
        "{gone:?}"
    );
    assert_eq!(app.noted("release_email").await.len(), 1);

    // Back to an address that a stranger has taken in the meantime.
    let mut again = sign_up("Mallory", STRANGERS);
    again["email"] = "ada@example.com".into();
    app.elsewhere().post("/auth/sign-up", &again).await;
    let undo = app
        .mailed(ada.id, LinkPurpose::EMAIL_CHANGE_UNDO, "ada@example.com")
        .await;
    assert_eq!(
        app.elsewhere()
            .post("/auth/email-change/undo", &json!({"token": undo}))
            .await
            .status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(app.stored(ada.id).await.email, "ada@example.com");
}

#[on_both]
async fn an_account_that_a_service_knows_loses_the_address_and_nothing_else(db: TestDb) {
    let app = TestApp::with(db, &OPEN).await;
    let key = app.key(&[Scope::USERS_READ, Scope::USERS_WRITE]).await;
    let made = key
        .put(
            "/users/by-external-id/crm-1",
            &json!({"name": "Vera", "email": "vera@example.com", "age": 36}),
        )
        .await;
    assert_eq!(made.status, StatusCode::CREATED);
    let ada = app.person("ada@example.com").await;
    let confirm = async |email: &str| {
        let token = app.mailed(ada.id, LinkPurpose::EMAIL_CHANGE_CONFIRM, email).await;
        app.elsewhere()
            .post("/auth/email-change/confirm", &json!({"token": token}))
            .await
    };
    assert_eq!(confirm("vera@example.com").await.status, StatusCode::NO_CONTENT);
    let kept = key.get("/users/by-external-id/crm-1").await;
    assert_eq!(
        (kept.status, &kept.json()["name"], &kept.json()["age"]),
        (StatusCode::OK, &json!("Vera"), &json!(36))
    );
    assert_ne!(kept.json()["email"], "vera@example.com");
    key.put(
        "/users/by-external-id/crm-1",
        &json!({"name": "Vera", "email": "vera@example.com"}),
    )
    .await
    .is(409, "email_exists");
    assert_eq!(
        key.put(
            "/users/by-external-id/crm-1",
            &json!({"name": "Vera", "email": "vera@example.org"})
        )
        .await
        .status,
        StatusCode::OK
    );

    let staff = app.member("staff@example.com").await;
    app.sql(&format!(
        "UPDATE users SET is_staff = true, email_verified_at = NULL WHERE id = {}",
        staff.id
    ))
    .await;
    confirm("staff@example.com").await.is(409, "email_exists");
    app.member("bob@example.com").await;
    confirm("bob@example.com").await.is(409, "email_exists");
}

#[on_both]
async fn the_same_address_in_other_letters_is_a_change(db: TestDb) {
    let app = TestApp::with(db, &OPEN).await;
    let ada = app.person("CaseMe@example.com").await;
    let ask = async |email: &str| ada.client.post("/me/email-change", &json!({"new_email": email})).await;
    assert_eq!(
        ask("CaseMe@example.com").await.faults()[0].1,
        json!(["body", "new_email"]),
        "it is so already"
    );
    assert_eq!(ask("caseme@example.com").await.status, StatusCode::ACCEPTED);
    assert_eq!(
        app.stored(ada.id).await.email,
        "CaseMe@example.com",
        "not before it is confirmed"
    );
    let token = app.sent_link(ada.id, LinkPurpose::EMAIL_CHANGE_CONFIRM).await.unwrap();
    assert_eq!(
        app.elsewhere()
            .post("/auth/email-change/confirm", &json!({"token": token}))
            .await
            .status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(app.stored(ada.id).await.email, "caseme@example.com");
    assert_eq!(ada.client.get("/me").await.json()["email"], "caseme@example.com");
}

#[on_both]
async fn a_deleted_accounts_address_gets_a_mail_that_says_so(db: TestDb) {
    let app = TestApp::with(db, &OPEN).await;
    let user = app.member("vera@example.com").await;
    app.sql("UPDATE users SET deleted_at = created_at").await;
    for (path, body) in [
        ("/auth/sign-up", sign_up("Vera", PASSWORD)),
        ("/auth/password-reset", json!({"email": "vera@example.com"})),
        ("/auth/verify-email/resend", json!({"email": "vera@example.com"})),
    ] {
        assert_eq!(app.elsewhere().post(path, &body).await.status, StatusCode::ACCEPTED);
        assert_eq!(
            app.kinds_of(user.id).await.last().unwrap(),
            "address_of_deleted_account",
            "{path}"
        );
    }
    assert_eq!(app.stored(user.id).await.password_hash, user.password_hash);
}

#[on_both]
async fn proof_of_the_mailbox_clears_the_accounts_failures(db: TestDb) {
    let app = TestApp::with(db, &[("RATE_LIMITS", "log-in-failures=2/h")]).await;
    for (number, door) in ["reset", "reset page", "welcome", "verify", "email change"]
        .into_iter()
        .enumerate()
    {
        let email = format!("ada{number}@example.com");
        let user = app.member(&email).await;
        let limiter = &app.context.limiter;
        for _ in 0..2 {
            app.log_in(&email, "wrong").await.is(401, "login_failed");
            limiter
                .check(
                    &usher_shared::foundation::rate_limit::bucket::known_failures(user.id),
                    usher_shared::foundation::rate_limit::Quota::per_hour(2),
                )
                .await;
        }
        app.log_in(&email, PASSWORD).await.is(429, "rate_limited");
        if door == "welcome" {
            app.sql(&format!("UPDATE users SET password_hash = NULL WHERE id = {}", user.id))
                .await;
        }
        let link = async |purpose| app.mailed(user.id, purpose, &email).await;
        let (path, token, new) = match door {
            "reset" => (
                "/auth/password-reset/confirm",
                link(LinkPurpose::PASSWORD_RESET).await,
                THIRD,
            ),
            "reset page" => ("/reset-password", link(LinkPurpose::PASSWORD_RESET).await, THIRD),
            "welcome" => ("/set-password", link(LinkPurpose::SET_PASSWORD).await, THIRD),
            "verify" => ("/auth/verify-email", link(LinkPurpose::VERIFY_EMAIL).await, PASSWORD),
            _ => (
                "/auth/email-change/confirm",
                link(LinkPurpose::EMAIL_CHANGE_CONFIRM).await,
                PASSWORD,
            ),
        };
        let answer = match path.starts_with("/auth") {
            true if new == THIRD => {
                app.elsewhere()
                    .post(path, &json!({"token": token, "password": new}))
                    .await
            }
            true => app.elsewhere().post(path, &json!({"token": token})).await,
            false => {
                app.elsewhere()
                    .submit(path, &[("token", &token), ("password", new)])
                    .await
            }
        };
        assert!(answer.status.is_success(), "{door}: {}", answer.text());
        assert_eq!(app.log_in(&email, new).await.status, StatusCode::OK, "{door}");
        let admin = limiter
            .peek(
                &usher_shared::foundation::rate_limit::bucket::known_failures(user.id),
                usher_shared::foundation::rate_limit::Quota::per_hour(2),
            )
            .await;
        assert!(admin.allowed, "{door}: where the account is known, too");
    }
}

#[on_both]
async fn asking_for_mail_takes_no_address_off_the_list_of_dead_ones(db: TestDb) {
    let app = TestApp::with(db, &OPEN).await;
    let person = app.person("vera@example.com").await;
    for address in ["vera@example.com", "new@example.com", "nobody@example.com"] {
        mail_suppressions::add(&app.context.db, address, "550 no such user", None)
            .await
            .unwrap();
    }
    let held = async |address: &str| {
        mail_suppressions::find(&app.context.db, address)
            .await
            .unwrap()
            .is_some()
    };
    for email in ["vera@example.com", "nobody@example.com"] {
        for path in ["/auth/password-reset", "/auth/verify-email/resend", "/auth/sign-up"] {
            let mut body = sign_up("Mallory", STRANGERS);
            body["email"] = email.into();
            assert_eq!(app.elsewhere().post(path, &body).await.status, StatusCode::ACCEPTED);
            assert!(held(email).await, "{path} {email}");
        }
    }
    person
        .client
        .post("/me/email-change", &json!({"new_email": "new@example.com"}))
        .await;
    assert!(held("new@example.com").await);
    // A link that was opened proves that mail arrives.
    let token = app
        .sent_link(person.id, LinkPurpose::EMAIL_CHANGE_CONFIRM)
        .await
        .unwrap();
    app.elsewhere()
        .post("/auth/email-change/confirm", &json!({"token": token}))
        .await;
    assert!(!held("new@example.com").await && held("vera@example.com").await);
    let reset = app
        .mailed(person.id, LinkPurpose::PASSWORD_RESET, "new@example.com")
        .await;
    mail_suppressions::add(&app.context.db, "new@example.com", "550 no such user", None)
        .await
        .unwrap();
    app.elsewhere()
        .post(
            "/auth/password-reset/confirm",
            &json!({"token": reset, "password": THIRD}),
        )
        .await;
    assert!(!held("new@example.com").await);
}

#[on_both]
async fn whatever_opens_an_account_ends_with_its_password_at_every_door(db: TestDb) {
    let app = TestApp::with(db, &OPEN).await;
    for (number, door) in ["me", "reset", "reset page", "reset by staff", "welcome", "verify"]
        .into_iter()
        .enumerate()
    {
        let email = format!("ada{number}@example.com");
        let ada = app.person(&email).await;
        let user = app.stored(ada.id).await;
        plant_access(&app.context.db, &app.context.config.secret_key, &user).await;
        let mut kept = vec![WAY_BACK.to_owned()];
        let (path, token) = match door {
            "me" => ("", String::new()),
            "reset" => (
                "/auth/password-reset/confirm",
                app.mailed(ada.id, LinkPurpose::PASSWORD_RESET, &email).await,
            ),
            "reset page" => (
                "/reset-password",
                app.mailed(ada.id, LinkPurpose::PASSWORD_RESET, &email).await,
            ),
            "reset by staff" => {
                let tx = app.context.job_store.begin().await.unwrap();
                users::send_password_reset(&tx, ada.id, EnqueueOptions::default())
                    .await
                    .unwrap();
                tx.commit().await.unwrap();
                (
                    "/reset-password",
                    app.sent_link(ada.id, LinkPurpose::PASSWORD_RESET).await.unwrap(),
                )
            }
            "welcome" => {
                app.sql(&format!("UPDATE users SET password_hash = NULL WHERE id = {}", ada.id))
                    .await;
                (
                    "/set-password",
                    app.mailed(ada.id, LinkPurpose::SET_PASSWORD, &email).await,
                )
            }
            _ => (
                "/auth/verify-email",
                app.mailed(ada.id, LinkPurpose::VERIFY_EMAIL, &email).await,
            ),
        };
        let answer = match door {
            "me" => {
                kept.push("session api".to_owned());
                ada.client
                    .post(
                        "/me/password",
                        &json!({"current_password": PASSWORD, "new_password": THIRD}),
                    )
                    .await
            }
            _ if path.starts_with("/auth") => {
                app.elsewhere()
                    .post(path, &json!({"token": token, "password": THIRD}))
                    .await
            }
            _ => {
                app.elsewhere()
                    .submit(path, &[("token", &token), ("password", THIRD)])
                    .await
            }
        };
        assert!(answer.status.is_success(), "{door}: {}", answer.text());
        assert_eq!(access_left(&app.context.db, ada.id).await, kept, "{door}");
        assert_eq!(app.stored(ada.id).await.status, UserStatus::Active);
        app.log_in(&email, PASSWORD).await.is(401, "login_failed");
        assert_eq!(app.log_in(&email, THIRD).await.status, StatusCode::OK, "{door}");
    }
}
