//! Being in: tokens, their exchange, who is signed in where, and what attackers do with tokens.

use axum::http::StatusCode;
use futures::future::join_all;
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};
use usher_shared::{
    accounts::api_keys::Scope,
    foundation::{
        entity::session,
        token::{Token, TokenKind},
    },
};
use usher_testkit::{TestDb, on_both, run};
use uuid::Uuid;

use crate::{
    app::{Answer, TestApp},
    people::Person,
};

async fn refresh(app: &TestApp, token: &str) -> Answer {
    app.anonymous()
        .post("/auth/refresh", &json!({"refresh_token": token}))
        .await
}

/// The next tokens, used once.
async fn refreshed(app: &TestApp, person: &Person) -> Person {
    let answer = refresh(app, &person.refresh).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let next = app.signed_in(&person.email, &answer.json()).await;
    assert_eq!(next.client.get("/me").await.status, StatusCode::OK);
    next
}

/// As if everything spent had been spent a minute ago.
async fn later(app: &TestApp) {
    app.sql("UPDATE spent_refresh_tokens SET spent_at = '2026-01-01T00:00:00+00:00'")
        .await;
}

#[on_both]
async fn a_refresh_replaces_both_tokens_and_keeps_the_session(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.person("ada@example.com").await;
    let session = ada.client.get("/me/sessions").await.json()["data"][0]["id"].clone();
    let answer = refresh(&app, &ada.refresh).await;
    assert_eq!(
        (answer.header("cache-control"), answer.header("ratelimit-policy")),
        ("no-store", "\"refresh\";q=120;w=60")
    );
    assert_eq!(answer.json()["session"]["id"], session);
    let next = app.signed_in(&ada.email, &answer.json()).await;
    ada.client.get("/me").await.is(401, "invalid_credential");
    assert_eq!(next.client.get("/me").await.status, StatusCode::OK);
    assert_eq!(
        refreshed(&app, &next).await.client.get("/me/sessions").await.json()["data"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[on_both]
async fn a_lost_answer_can_be_asked_for_again(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.person("ada@example.com").await;
    let tokens = |answer: Answer| {
        [
            answer.json()["access_token"].clone(),
            answer.json()["refresh_token"].clone(),
        ]
    };
    let lost = tokens(refresh(&app, &ada.refresh).await);
    later(&app).await;
    assert_eq!(tokens(refresh(&app, &ada.refresh).await), lost);
}

#[on_both]
async fn refresh_reuse_after_the_window_ends_the_session_and_tells_the_owner(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.person("ada@example.com").await;
    let other = app.sign_in("ada@example.com").await;
    let thief = refreshed(&app, &ada).await;
    assert_eq!(
        refresh(&app, &ada.refresh).await.status,
        StatusCode::OK,
        "within ten seconds"
    );
    later(&app).await;
    refresh(&app, &ada.refresh).await.is(401, "invalid_credential");
    thief.client.get("/me").await.is(401, "invalid_credential");
    refresh(&app, &thief.refresh).await.is(401, "invalid_credential");
    assert_eq!(
        other.client.get("/me").await.status,
        StatusCode::OK,
        "other sessions are not touched"
    );
    let noted = app.noted("refresh_token_reused").await;
    assert_eq!(
        (noted.len(), noted[0].object_type.as_str(), noted[0].address.as_deref()),
        (1, "session", Some("203.0.113.7"))
    );
    assert_eq!(app.kinds_of(ada.id).await, ["session_reuse"]);
}

#[on_both]
async fn a_refresh_token_two_generations_old_ends_the_session(db: TestDb) {
    let app = TestApp::start(db).await;
    let first = app.person("ada@example.com").await;
    let second = refreshed(&app, &first).await;
    let third = refreshed(&app, &second).await;
    later(&app).await;
    refresh(&app, &first.refresh).await.is(401, "invalid_credential");
    third.client.get("/me").await.is(401, "invalid_credential");
}

#[on_both]
async fn token_replay_after_logout_is_refused(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.person("ada@example.com").await;
    assert_eq!(
        ada.client.clone().post_text("/auth/logout", "").await.status,
        StatusCode::NO_CONTENT
    );
    for path in ["/me", "/me/sessions"] {
        ada.client.get(path).await.is(401, "invalid_credential");
    }
    refresh(&app, &ada.refresh).await.is(401, "invalid_credential");
    ada.client
        .post("/auth/logout", &json!({}))
        .await
        .is(401, "invalid_credential");
}

#[on_both]
async fn logout_ends_this_session_the_others_or_all(db: TestDb) {
    let app = TestApp::start(db).await;
    let phone = app.person("ada@example.com").await;
    let (laptop, desk) = (app.sign_in(&phone.email).await, app.sign_in(&phone.email).await);
    let bob = app.person("bob@example.com").await;
    let status = async |person: &Person| person.client.get("/me").await.status.as_u16();
    assert_eq!(
        phone
            .client
            .post("/auth/logout", &json!({"sessions": "current"}))
            .await
            .status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        [status(&phone).await, status(&laptop).await, status(&desk).await],
        [401, 200, 200]
    );
    assert_eq!(
        laptop
            .client
            .post("/auth/logout", &json!({"sessions": "others"}))
            .await
            .status,
        StatusCode::NO_CONTENT
    );
    assert_eq!([status(&laptop).await, status(&desk).await], [200, 401]);
    let again = app.sign_in(&phone.email).await;
    assert_eq!(
        laptop
            .client
            .post("/auth/logout", &json!({"sessions": "all"}))
            .await
            .status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        [status(&laptop).await, status(&again).await, status(&bob).await],
        [401, 401, 200]
    );
    assert_eq!(
        bob.client
            .post("/auth/logout", &json!({"sessions": "mine"}))
            .await
            .faults()[0]
            .0,
        "enum"
    );
}

#[on_both]
async fn another_users_sessions_are_not_there(db: TestDb) {
    let app = TestApp::start(db).await;
    let (ada, bob) = (app.person("ada@example.com").await, app.person("bob@example.com").await);
    let of_bob = bob.client.get("/me/sessions").await.json()["data"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    for id in [of_bob.as_str(), &Uuid::now_v7().to_string(), "7", "%FF", "x"] {
        ada.client
            .delete(&format!("/me/sessions/{id}"))
            .await
            .is(404, "session_not_found");
    }
    assert_eq!(bob.client.get("/me").await.status, StatusCode::OK);
    let list = ada.client.get("/me/sessions").await.json();
    assert!(!list.to_string().contains(&of_bob));
    let own = list["data"][0]["id"].as_str().unwrap();
    assert_eq!(
        ada.client.delete(&format!("/me/sessions/{own}")).await.status,
        StatusCode::NO_CONTENT
    );
    ada.client.get("/me").await.is(401, "invalid_credential");
    assert_eq!(app.noted("end_session").await.len(), 1);
    let (one, other) = (
        app.sign_in("ada@example.com").await,
        app.sign_in("ada@example.com").await,
    );
    assert_eq!(one.client.delete("/me/sessions").await.status, StatusCode::NO_CONTENT);
    other.client.get("/me").await.is(401, "invalid_credential");
    assert_eq!(one.client.get("/me").await.status, StatusCode::OK);
}

#[on_both]
async fn access_ends_with_lock_deactivation_and_deletion_at_once(db: TestDb) {
    let app = TestApp::start(db).await;
    let service = app.all_scopes().await;
    for (email, call, after) in [
        ("lock@example.com", "lock", Some("unlock")),
        ("deactivate@example.com", "deactivate", Some("reactivate")),
        ("delete@example.com", "", None),
    ] {
        let person = app.person(email).await;
        let at = format!("/users/{}", person.id);
        let answer = match call {
            "" => service.delete(&at).await,
            call => service.post(&format!("{at}/{call}"), &json!({})).await,
        };
        assert!(answer.status.is_success(), "{}", answer.text());
        person.client.get("/me").await.is(401, "invalid_credential");
        refresh(&app, &person.refresh).await.is(401, "invalid_credential");
        if let Some(undo) = after {
            service.post(&format!("{at}/{undo}"), &json!({})).await;
            let back = person.client.get("/me").await.status.as_u16();
            assert_eq!(back, if call == "lock" { 200 } else { 401 }, "{call}");
        }
    }
}

#[on_both]
async fn services_see_and_end_sessions_with_their_scopes_only(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.person("ada@example.com").await;
    let bob = app.person("bob@example.com").await;
    let at = format!("/users/{}/sessions", ada.id);
    let (read, write) = (
        app.key(&[Scope::SESSIONS_READ]).await,
        app.key(&[Scope::SESSIONS_WRITE]).await,
    );
    write.get(&at).await.is(403, "insufficient_scope");
    app.anonymous().get(&at).await.is(401, "authentication_required");
    ada.client.get(&at).await.is(403, "insufficient_scope");
    let list = read.get(&at).await.json();
    let id = list["data"][0]["id"].as_str().unwrap();
    assert_eq!(list["data"][0]["current"], false);
    read.delete(&format!("{at}/{id}")).await.is(403, "insufficient_scope");
    write
        .delete(&format!("/users/{}/sessions/{id}", bob.id))
        .await
        .is(404, "session_not_found");
    write
        .delete(&format!("/users/99999/sessions/{id}"))
        .await
        .is(404, "user_not_found");
    for odd in ["x", "1"] {
        write.delete(&format!("{at}/{odd}")).await.is(404, "session_not_found");
    }
    assert_eq!(ada.client.get("/me").await.status, StatusCode::OK);
    assert_eq!(write.delete(&format!("{at}/{id}")).await.status, StatusCode::NO_CONTENT);
    ada.client.get("/me").await.is(401, "invalid_credential");
    write.delete(&format!("{at}/{id}")).await.is(404, "session_not_found");
    app.sql(&format!("UPDATE users SET is_staff = true WHERE id = {}", bob.id))
        .await;
    let id = read.get(&format!("/users/{}/sessions", bob.id)).await.json()["data"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    write
        .delete(&format!("/users/{}/sessions/{id}", bob.id))
        .await
        .is(403, "staff_protected");
}

#[on_both]
async fn keys_are_nobody_and_people_have_no_scopes(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.person("ada@example.com").await;
    app.all_scopes().await.get("/me").await.is(403, "user_token_required");
    app.anonymous().get("/me").await.is(401, "authentication_required");
    for (path, scope) in [
        ("/users", "users:read"),
        (&*format!("/users/{}", ada.id), "users:read users:write"),
    ] {
        let answer = ada.client.get(path).await;
        answer.is(403, "insufficient_scope");
        assert!(answer.header("www-authenticate").contains(scope));
    }
    ada.client
        .post("/users", &json!({"name": "x", "email": "x@example.com"}))
        .await
        .is(403, "insufficient_scope");
    let unknown = Token::generate(TokenKind::Access);
    for token in [unknown.as_str(), &ada.refresh, "uat_x", &ada.access[..40]] {
        app.bearer(token).get("/me").await.is(401, "invalid_credential");
    }
    refresh(&app, &ada.access).await.is(401, "invalid_credential");
}

#[on_both]
async fn session_fixation_is_not_possible(db: TestDb) {
    let app = TestApp::start(db).await;
    app.member("ada@example.com").await;
    let (access, refresh_token) = (Token::generate(TokenKind::Access), Token::generate(TokenKind::Refresh));
    let planted = json!({
        "email": "ada@example.com", "password": crate::people::PASSWORD,
        "access_token": access.as_str(), "refresh_token": refresh_token.as_str(), "session": {"id": Uuid::nil()},
    });
    let answer = app.elsewhere().post("/auth/login", &planted).await.json();
    assert!(answer["access_token"] != access.as_str() && answer["session"]["id"] != Uuid::nil().to_string());
    app.bearer(access.as_str())
        .get("/me")
        .await
        .is(401, "invalid_credential");
    refresh(&app, refresh_token.as_str())
        .await
        .is(401, "invalid_credential");
    let with_old_token = app.sign_in("ada@example.com").await;
    let again = with_old_token
        .client
        .post(
            "/auth/login",
            &json!({"email": "ada@example.com", "password": crate::people::PASSWORD}),
        )
        .await;
    assert_ne!(
        again.json()["access_token"],
        with_old_token.access,
        "a log-in always makes a new session"
    );
}

#[on_both]
async fn mass_assignment_changes_nothing_but_name_and_age(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.person("ada@example.com").await;
    let before = app.stored(ada.id).await;
    let refused = json!({
        "name": "Ada King", "id": 77, "email": "x@example.com", "status": "locked", "verified": false, "external_id": "x",
        "delete_at": "2026-01-01T00:00:00Z",
    });
    let faults = ada.client.patch("/me", &refused).await.faults();
    let named: Vec<_> = faults
        .iter()
        .map(|(kind, at)| (&**kind, at[1].as_str().unwrap()))
        .collect();
    assert_eq!(
        named,
        ["id", "email", "verified", "status", "external_id", "delete_at"].map(|name| ("frozen_field", name))
    );
    assert_eq!(app.stored(ada.id).await, before);
    let body = json!({
        "name": "Ada King", "age": 37, "email_key": "x", "is_staff": true, "is_superuser": true, "password_hash": "x",
        "version": 99,
    });
    let answer = ada.client.patch("/me", &body).await;
    assert_eq!((answer.status, answer.header("etag")), (StatusCode::OK, "\"2\""));
    let after = app.stored(ada.id).await;
    let expected = usher_shared::foundation::entity::user::Model {
        name: "Ada King".to_owned(),
        age: Some(37),
        version: 2,
        updated_at: after.updated_at,
        search_text: after.search_text.clone(),
        ..before
    };
    assert_eq!(after, expected);
    ada.client
        .clone()
        .with("if-match", "\"1\"")
        .patch("/me", &json!({"name": "x"}))
        .await
        .is(412, "precondition_failed");
    assert_eq!(
        ada.client
            .patch("/me", &json!({"name": null, "age": "x"}))
            .await
            .faults()
            .len(),
        2
    );
}

#[test]
fn ten_tabs_that_refresh_at_once_keep_the_session() {
    run(async {
        let app = TestApp::start(TestDb::postgres().await).await;
        let mut ada = app.person("ada@example.com").await;
        for round in 0..5 {
            let answers = join_all((0..10).map(|_| refresh(&app, &ada.refresh))).await;
            let tokens: Vec<Value> = answers
                .iter()
                .map(|answer| answer.json()["access_token"].clone())
                .collect();
            assert!(
                tokens.iter().all(|token| token.is_string() && *token == tokens[0]),
                "{round}: {tokens:?}"
            );
            ada = app.signed_in(&ada.email, &answers[9].json()).await;
            let answers = join_all((0..10).map(|_| ada.client.get("/me"))).await;
            assert!(answers.iter().all(|answer| answer.status == StatusCode::OK), "{round}");
        }
        assert_eq!(session::Entity::find().count(&app.context.db).await.unwrap(), 1);
        assert!(app.noted("refresh_token_reused").await.is_empty());
    });
}
