//! The page behind the link of the welcome mail.

use axum::{
    body::Body,
    http::{Method, StatusCode},
};
use chrono::Duration;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use usher_shared::{
    accounts::{
        api_keys::Scope,
        mail_tokens::{self, LinkPurpose},
        password_hash,
    },
    foundation::entity::{audit_log, user},
};
use usher_testkit::{TestDb, on_both};

use crate::app::{Answer, Client, TestApp};

const GOOD: &str = "velvet-Otter-72-canyon";

async fn invited(app: &TestApp, lifetime: Duration) -> (i64, String) {
    let id = app.key(&[Scope::USERS_WRITE]).await.sign_up("ada@example.com").await;
    let token = mail_tokens::issue(&app.context.db, id, LinkPurpose::SET_PASSWORD, lifetime)
        .await
        .unwrap();
    (id, token.as_str().to_owned())
}

async fn submit(client: &Client, fields: &[(&str, &str)]) -> Answer {
    let form = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    let client = client.clone().with("content-type", "application/x-www-form-urlencoded");
    client.call(Method::POST, "/set-password", Body::from(form)).await
}

async fn stored(app: &TestApp, id: i64) -> user::Model {
    user::Entity::find_by_id(id)
        .one(&app.context.db)
        .await
        .unwrap()
        .unwrap()
}

#[on_both]
async fn the_owner_chooses_a_password_once(db: TestDb) {
    let app = TestApp::start(db).await;
    let (id, token) = invited(&app, Duration::hours(1)).await;
    let client = app.anonymous();
    for _ in 0..2 {
        let form = client.get(&format!("/set-password?token={token}")).await;
        assert_eq!(form.status, StatusCode::OK);
        assert!(form.text().contains("ada@example.com") && form.text().contains("type=\"password\""));
    }
    let done = submit(
        &client,
        &[("token", &token), ("password", GOOD), ("password_again", GOOD)],
    )
    .await;
    assert_eq!(done.status, StatusCode::OK);
    assert!(done.text().contains("Your password is set"), "{}", done.text());
    let user = stored(&app, id).await;
    assert!(password_hash::verify(GOOD, user.password_hash.as_deref()).await);
    assert!(user.email_verified_at.is_some());
    assert_eq!(user.version, 2);
    let seen = app.key(&[Scope::USERS_READ]).await.get(&format!("/users/{id}")).await;
    assert_eq!(
        (seen.json()["verified"].as_bool(), seen.header("etag")),
        (Some(true), "\"2\"")
    );
    let again = submit(&client, &[("token", &token), ("password", "another-Walrus-44-piano")]).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST);
    assert!(again.text().contains("This link is not valid"));
    assert!(password_hash::verify(GOOD, stored(&app, id).await.password_hash.as_deref()).await);
    assert_eq!(
        client.get(&format!("/set-password?token={token}")).await.status,
        StatusCode::BAD_REQUEST
    );
    let noted = audit_log::Entity::find()
        .filter(audit_log::Column::Action.eq("set_password"))
        .all(&app.context.db)
        .await
        .unwrap();
    assert_eq!(noted.len(), 1);
    assert_eq!(
        (noted[0].actor_id, noted[0].object_id.clone()),
        (Some(id), Some(id.to_string()))
    );
}

#[on_both]
async fn a_weak_password_is_refused_with_every_reason_and_not_shown(db: TestDb) {
    let app = TestApp::start(db).await;
    let (id, token) = invited(&app, Duration::hours(1)).await;
    for (typed, repeated, reasons) in [
        (
            "short<1",
            "short<2",
            &["at least 12 characters", "Both passwords must match"][..],
        ),
        ("password1234", "password1234", &["easy to guess"]),
        ("ada@example.com", "ada@example.com", &["your own name or email"]),
        ("", "", &["at least 12 characters"]),
        (GOOD, "something else", &["Both passwords must match"]),
    ] {
        let answer = submit(
            &app.anonymous(),
            &[("token", &token), ("password", typed), ("password_again", repeated)],
        )
        .await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{typed}");
        let html = answer.text();
        for reason in reasons {
            assert!(html.contains(reason), "{typed}: {html}");
        }
        assert!(
            typed.is_empty() || typed.contains('@') || !html.contains(typed),
            "{typed} is sent back"
        );
        assert!(html.contains(&token), "the form can be sent again");
    }
    assert_eq!(stored(&app, id).await.password_hash, None);
    let done = submit(&app.anonymous(), &[("token", &token), ("password", GOOD)]).await;
    assert_eq!(done.status, StatusCode::OK);
}

#[on_both]
async fn links_that_open_nothing_say_what_to_do(db: TestDb) {
    let app = TestApp::start(db).await;
    let (id, expired) = invited(&app, Duration::seconds(-1)).await;
    let client = app.anonymous();
    let answer = client.get(&format!("/set-password?token={expired}")).await;
    assert_eq!(answer.status, StatusCode::GONE);
    assert!(answer.text().contains("expired") && answer.text().contains("Ask"));
    assert_eq!(
        submit(&client, &[("token", &expired), ("password", GOOD)]).await.status,
        StatusCode::GONE
    );
    let unknown = usher_shared::foundation::token::Token::generate(usher_shared::foundation::token::TokenKind::Mail);
    for query in [
        "",
        "?token=",
        "?token=umt_x",
        "?token=%FF%00",
        "?other=1",
        &format!("?token={}", unknown.as_str()),
    ] {
        let answer = client.get(&format!("/set-password{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        assert!(answer.text().contains("This link is not valid"));
    }
    for fields in [
        &[][..],
        &[("password", GOOD)],
        &[("token", "<script>"), ("password", GOOD)],
    ] {
        let answer = submit(&client, fields).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(!answer.text().contains("<script>"));
    }
    assert_eq!(stored(&app, id).await.password_hash, None);
}

#[on_both]
async fn the_page_lets_nothing_out(db: TestDb) {
    let app = TestApp::start(db).await;
    let (_, token) = invited(&app, Duration::hours(1)).await;
    let answer = app.anonymous().get(&format!("/set-password?token={token}")).await;
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    assert_eq!(answer.header("cache-control"), "no-store");
    let policy = answer.header("content-security-policy");
    assert!(
        policy.contains("default-src 'none'") && policy.contains("form-action 'self'") && !policy.contains("script")
    );
    assert!(!answer.text().contains("<script") && !answer.text().contains("style="));
}

#[on_both]
async fn of_two_at_once_one_sets_the_password(db: TestDb) {
    let app = TestApp::start(db).await;
    let (_, token) = invited(&app, Duration::hours(1)).await;
    let client = app.anonymous();
    let (first, second) = (
        [("token", token.as_str()), ("password", GOOD)],
        [("token", token.as_str()), ("password", "another-Walrus-44-piano")],
    );
    let (one, other) = tokio::join!(submit(&client, &first), submit(&client, &second));
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400]);
}

#[on_both]
async fn guessing_is_slowed_down(db: TestDb) {
    let app = TestApp::start(db).await;
    let (_, token) = invited(&app, Duration::hours(1)).await;
    for _ in 0..20 {
        assert_eq!(
            submit(&app.anonymous(), &[("token", &token), ("password", "x")])
                .await
                .status,
            StatusCode::UNPROCESSABLE_ENTITY
        );
    }
    let refused = submit(&app.anonymous(), &[("token", &token), ("password", GOOD)]).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.text().contains("Wait a few minutes"), "{}", refused.text());
    assert_ne!(refused.header("retry-after"), "");
    assert_eq!(
        submit(
            &app.anonymous().from("192.0.2.1"),
            &[("token", &token), ("password", GOOD)]
        )
        .await
        .status,
        StatusCode::OK
    );
}

#[on_both]
async fn a_form_too_large_is_a_problem(db: TestDb) {
    let app = TestApp::start(db).await;
    let answer = submit(
        &app.anonymous(),
        &[("token", "x"), ("password", &"x".repeat(300 * 1024))],
    )
    .await;
    answer.is(413, "body_too_large");
}
