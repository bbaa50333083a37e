//! `PATCH` and `DELETE /users/{id}`: what changes, what ends with it, and whose change is not lost.

use axum::http::StatusCode;
use chrono::Duration;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter,
    QueryOrder,
};
use serde_json::{Value, json};
use usher_shared::{
    accounts::{
        api_keys::Scope,
        mail_tokens::{self, LinkPurpose, RedeemError},
    },
    foundation::{
        entity::{
            audit_log, session,
            user::{self, UserStatus},
        },
        time::now,
    },
};
use usher_testkit::{TestDb, on_both};
use uuid::Uuid;

use crate::app::TestApp;

async fn row(app: &TestApp, id: i64) -> user::Model {
    user::Entity::find_by_id(id)
        .one(&app.context.db)
        .await
        .unwrap()
        .unwrap()
}

async fn store(app: &TestApp, change: impl FnOnce(&mut user::ActiveModel), id: i64) {
    let mut stored = row(app, id).await.into_active_model();
    change(&mut stored);
    stored.update(&app.context.db).await.unwrap();
}

/// What was told of the user since its sign-up.
async fn audit_rows(app: &TestApp, id: i64) -> Vec<audit_log::Model> {
    let rows = audit_log::Entity::find().filter(audit_log::Column::ObjectId.eq(id.to_string()));
    let rows = rows.filter(audit_log::Column::Action.ne("create"));
    rows.order_by_asc(audit_log::Column::Id)
        .all(&app.context.db)
        .await
        .unwrap()
}

async fn sign_in(app: &TestApp, user_id: i64) -> Uuid {
    let session = session::ActiveModel {
        id: Set(Uuid::now_v7()),
        user_id: Set(user_id),
        kind: Set(session::SessionKind::Api),
        token_hash: Set(Uuid::now_v7().as_bytes().to_vec()),
        created_at: Set(now()),
        last_seen_at: Set(now()),
        expires_at: Set(now() + Duration::hours(1)),
        ..Default::default()
    };
    session.insert(&app.context.db).await.unwrap().id
}

#[on_both]
async fn a_patch_changes_what_it_names_and_leaves_the_rest(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    let made = client
        .post("/users", &json!({"name": "Ada", "email": "ada@example.com", "age": 36}))
        .await
        .json();
    let id = made["id"].as_i64().unwrap();
    let at = format!("/users/{id}");
    for (patch, name, age, tag) in [
        (json!({"name": "  Ada King "}), "Ada King", json!(36), "\"2\""),
        (json!({"age": null}), "Ada King", Value::Null, "\"3\""),
        (
            json!({"age": 37, "id": id, "is_staff": true, "status": "active", "version": 7}),
            "Ada King",
            json!(37),
            "\"4\"",
        ),
        (json!({}), "Ada King", json!(37), "\"4\""),
        (json!({"name": "Ada King", "age": 37.0}), "Ada King", json!(37), "\"4\""),
    ] {
        let answer = client.patch(&at, &patch).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        let user = answer.json();
        assert_eq!(
            (&user["name"], &user["age"], answer.header("etag")),
            (&json!(name), &age, tag),
            "{patch}"
        );
        assert_eq!(
            (&user["id"], &user["status"], &user["email"]),
            (&json!(id), &json!("active"), &json!("ada@example.com"))
        );
        assert_eq!(client.get(&at).await.json(), user);
    }
    assert!(!row(&app, id).await.is_staff);
    let rows = audit_rows(&app, id).await;
    let told: Vec<Value> = rows.iter().map(|row| row.changes.clone().unwrap()).collect();
    assert_eq!(
        told,
        [
            json!({"name": ["Ada", "Ada King"]}),
            json!({"age": [36, null]}),
            json!({"age": [null, 37]})
        ]
    );
    assert!(rows.iter().all(|row| row.action == "update"
        && row.actor_kind == audit_log::ActorKind::ApiKey
        && row.request_id.is_some()));
}

#[on_both]
async fn every_fault_of_a_patch_is_told_and_null_is_not_absent(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    let at = format!("/users/{}", client.sign_up("ada@example.com").await);
    let faults = client
        .patch(&at, &json!({"name": null, "email": "nobody", "age": "5"}))
        .await
        .faults();
    let faults: Vec<_> = faults
        .iter()
        .map(|(kind, loc)| (&**kind, loc[1].as_str().unwrap()))
        .collect();
    assert_eq!(
        faults,
        [("string_type", "name"), ("value_error", "email"), ("int_type", "age")]
    );
    client.patch(&at, &json!([])).await.faults();
    assert_eq!(client.get(&at).await.header("etag"), "\"1\"");
}

#[on_both]
async fn another_address_is_unverified_and_old_links_are_dead(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    let (id, _) = (
        client.sign_up("ada@example.com").await,
        client.sign_up("bob@example.com").await,
    );
    let at = format!("/users/{id}");
    store(&app, |user| user.email_verified_at = Set(Some(now())), id).await;
    let link = mail_tokens::issue(&app.context.db, id, LinkPurpose::SET_PASSWORD, Duration::days(1))
        .await
        .unwrap();
    // The same address in other letters is the same person's.
    assert_eq!(
        client.patch(&at, &json!({"email": "Ada@example.com"})).await.json()["verified"],
        true
    );
    assert!(
        mail_tokens::peek(&app.context.db, link.as_str(), LinkPurpose::SET_PASSWORD)
            .await
            .is_ok()
    );
    client
        .patch(&at, &json!({"email": "BOB@example.com"}))
        .await
        .is(409, "email_exists");
    assert_eq!(client.get(&at).await.json()["verified"], true);
    let moved = client.patch(&at, &json!({"email": "ada@example.org"})).await.json();
    assert_eq!(
        (&moved["email"], &moved["verified"]),
        (&json!("ada@example.org"), &json!(false))
    );
    let dead = mail_tokens::peek(&app.context.db, link.as_str(), LinkPurpose::SET_PASSWORD).await;
    assert!(matches!(dead, Err(RedeemError::Invalid)));
    client.sign_up("ada@example.com").await;
}

#[on_both]
async fn a_change_for_a_version_that_has_passed_is_refused(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    let at = format!("/users/{}", client.sign_up("ada@example.com").await);
    for (tag, name, fits) in [
        ("\"2\"", "X", false),
        ("W/\"1\"", "X", false),
        ("\"7\", \"x\"", "X", false),
        ("\"1\"", "One", true),
        ("\"1\"", "X", false),
        (",\"1\",, \"2\" ,", "Two", true),
        (", * ,", "Three", true),
    ] {
        let answer = client
            .clone()
            .with("if-match", tag)
            .patch(&at, &json!({"name": name}))
            .await;
        if fits {
            assert_eq!(
                (answer.status, &answer.json()["name"]),
                (StatusCode::OK, &json!(name)),
                "{tag}"
            );
        } else {
            answer.is(412, "precondition_failed");
        }
    }
    client
        .clone()
        .with("if-match", "\"1\"")
        .delete(&at)
        .await
        .is(412, "precondition_failed");
    client
        .clone()
        .with("if-match", "W/\"2\"")
        .delete(&at)
        .await
        .is(412, "precondition_failed");
    // Several lines are one list.
    let lines = client
        .clone()
        .with("if-match", "\"7\",")
        .with("if-match", "")
        .with("if-match", ", \"4\"");
    assert_eq!(lines.patch(&at, &json!({"name": "Three"})).await.status, StatusCode::OK);
    for malformed in ["", "2", "\"2", ",", "\"4\", *"] {
        let faults = client.clone().with("if-match", malformed).delete(&at).await.faults();
        assert_eq!(
            faults,
            [("value_error".to_owned(), json!(["header", "If-Match"]))],
            "{malformed:?}"
        );
    }
    assert_eq!(client.get(&at).await.json()["name"], "Three");
}

#[on_both]
async fn changes_at_once_lose_none(db: TestDb) {
    let app = TestApp::with(db, &[("RATE_LIMITS", "off")]).await;
    let client = app.all_scopes().await;
    let id = client.sign_up("ada@example.com").await;
    let at = format!("/users/{id}");
    let guarded = client.clone().with("if-match", "\"1\"");
    let racing = (0..40).map(|n| {
        let (guarded, at) = (guarded.clone(), at.clone());
        tokio::spawn(async move {
            guarded
                .patch(&at, &json!({"name": format!("Guarded {n}")}))
                .await
                .status
        })
    });
    let mut won = 0;
    for answer in racing.collect::<Vec<_>>() {
        match answer.await.unwrap() {
            StatusCode::OK => won += 1,
            status => assert_eq!(status, StatusCode::PRECONDITION_FAILED),
        }
    }
    assert_eq!(won, 1);
    let racing = (0..40).map(|n| {
        let (client, at) = (client.clone(), at.clone());
        tokio::spawn(async move { client.patch(&at, &json!({"name": format!("Free {n}")})).await.status })
    });
    for answer in racing.collect::<Vec<_>>() {
        assert_eq!(answer.await.unwrap(), StatusCode::OK);
    }
    assert_eq!(row(&app, id).await.version, 42);
    let rows = audit_rows(&app, id).await;
    assert_eq!(rows.len(), 41);
    // Each audit row goes on where the one before ended.
    let names = |row: &audit_log::Model| row.changes.clone().unwrap()["name"].clone();
    assert!(rows.windows(2).all(|pair| names(&pair[0])[1] == names(&pair[1])[0]));
}

#[on_both]
async fn who_is_deleted_is_gone_with_sessions_and_links(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    let (id, other) = (
        client.sign_up("ada@example.com").await,
        client.sign_up("bob@example.com").await,
    );
    let at = format!("/users/{id}");
    let (ended, kept) = (sign_in(&app, id).await, sign_in(&app, other).await);
    let link = mail_tokens::issue(&app.context.db, id, LinkPurpose::SET_PASSWORD, Duration::days(1))
        .await
        .unwrap();
    let gone = client.delete(&at).await;
    assert_eq!((gone.status, gone.body.len()), (StatusCode::NO_CONTENT, 0));
    for answer in [
        client.get(&at).await,
        client.delete(&at).await,
        client.patch(&at, &json!({"name": "X"})).await,
    ] {
        answer.is(404, "user_not_found");
    }
    let listed = client.get("/users").await.json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
    let session = |id| session::Entity::find_by_id(id).one(&app.context.db);
    let ended = session(ended).await.unwrap().unwrap();
    assert!(ended.ended_at.is_some());
    assert_eq!(ended.end_reason.as_deref(), Some("user_deleted"));
    assert!(session(kept).await.unwrap().unwrap().ended_at.is_none());
    let dead = mail_tokens::peek(&app.context.db, link.as_str(), LinkPurpose::SET_PASSWORD).await;
    assert!(matches!(dead, Err(RedeemError::Invalid)));
    let rows = audit_rows(&app, id).await;
    assert_eq!(rows.iter().map(|row| &*row.action).collect::<Vec<_>>(), ["delete"]);
    client
        .post("/users", &json!({"name": "Ada", "email": "ada@example.com"}))
        .await
        .is(409, "email_exists");
}

#[on_both]
async fn a_lock_keeps_sessions_and_deactivation_ends_them(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    let id = client.sign_up("ada@example.com").await;
    let session = sign_in(&app, id).await;
    let ended = async || {
        session::Entity::find_by_id(session)
            .one(&app.context.db)
            .await
            .unwrap()
            .unwrap()
            .end_reason
    };
    let (until, mut over) = ("2099-01-01T00:00:00Z", false);
    for (step, body, status, code) in [
        ("unlock", json!({}), "active", ""),
        ("reactivate", json!({}), "active", ""),
        ("lock", json!({"reason": " fraud? ", "until": until}), "locked", ""),
        ("reactivate", json!({}), "locked", "status_conflict"),
        ("lock", json!({"reason": "fraud"}), "locked", ""),
        ("unlock", json!({"reason": "a mistake"}), "active", ""),
        ("lock", json!({"until": until}), "locked", ""),
        ("deactivate", json!({"reason": "left"}), "deactivated", ""),
        ("lock", json!({}), "deactivated", "status_conflict"),
        ("unlock", json!({}), "deactivated", "status_conflict"),
        ("reactivate", json!({}), "active", ""),
    ] {
        let answer = client.post(&format!("/users/{id}/{step}"), &body).await;
        if code.is_empty() {
            assert_eq!(
                (answer.status, &answer.json()["status"]),
                (StatusCode::OK, &json!(status)),
                "{step}"
            );
        } else {
            answer.is(409, code);
        }
        let user = row(&app, id).await;
        assert_eq!(client.get(&format!("/users/{id}")).await.json()["status"], status);
        let locked_with = |field: &str| {
            (status == "locked")
                .then(|| body[field].as_str().map(|text| text.trim().to_owned()))
                .flatten()
        };
        if code.is_empty() {
            assert_eq!(user.lock_reason, locked_with("reason"), "{step}");
            assert_eq!(user.locked_until.is_some(), locked_with("until").is_some(), "{step}");
        }
        over |= step == "deactivate";
        assert_eq!(ended().await.is_some(), over, "{step}");
    }
    assert_eq!(ended().await.as_deref(), Some("user_deactivated"));
    let told: Vec<_> = audit_rows(&app, id)
        .await
        .into_iter()
        .map(|row| (row.action, row.reason))
        .collect();
    let reason = |text: &str| Some(text.to_owned());
    let expected = [
        ("lock", reason("fraud?")),
        ("lock", reason("fraud")),
        ("unlock", reason("a mistake")),
        ("lock", None),
        ("deactivate", reason("left")),
        ("reactivate", None),
    ];
    assert_eq!(told, expected.map(|(action, reason)| (action.to_owned(), reason)));
}

#[on_both]
async fn a_lock_that_has_ended_is_none_and_changes_the_tag(db: TestDb) {
    let app = TestApp::start(db).await;
    let key = app.all_scopes().await;
    let id = key.sign_up("ada@example.org").await;
    let other = key.sign_up("bob@example.org").await;
    let path = format!("/users/{id}");
    for user in [id, other] {
        key.post(
            &format!("/users/{user}/lock"),
            &json!({"until": now() + Duration::days(1)}),
        )
        .await;
    }
    let locked = key.get(&path).await;
    assert_eq!(locked.json()["status"], "locked");
    store(
        &app,
        |row| row.locked_until = Set(Some(now() - Duration::seconds(1))),
        id,
    )
    .await;

    let client = key.clone().with("if-none-match", locked.header("etag"));
    let ended = client.get(&path).await;
    assert_eq!(
        (ended.status, &ended.json()["status"]),
        (StatusCode::OK, &json!("active")),
        "no 304 for what has changed"
    );
    assert_ne!(ended.header("etag"), locked.header("etag"));
    assert_eq!(
        key.clone()
            .with("if-none-match", ended.header("etag"))
            .get(&path)
            .await
            .status,
        StatusCode::NOT_MODIFIED
    );
    let listed = async |status: &str| {
        let list = key.get(&format!("/users?status={status}&sort=id")).await.json();
        list["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|user| {
                (
                    user["id"].as_i64().unwrap(),
                    user["status"].as_str().unwrap().to_owned(),
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(listed("locked").await, [(other, "locked".to_owned())]);
    assert_eq!(listed("active").await, [(id, "active".to_owned())]);
    // As for anybody who is active.
    let stale = key
        .clone()
        .with("if-match", locked.header("etag"))
        .patch(&path, &json!({"name": "Ada"}))
        .await;
    stale.is(412, "precondition_failed");
    let again = key.post(&format!("{path}/reactivate"), &json!({})).await;
    assert_eq!(
        (again.status, &again.json()["status"]),
        (StatusCode::OK, &json!("active"))
    );
    assert_eq!(row(&app, id).await.status, UserStatus::Active);
}

#[on_both]
async fn a_lock_is_checked_like_every_body_and_needs_none(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    let at = format!("/users/{}/lock", client.sign_up("ada@example.com").await);
    for (body, kind, field) in [
        (json!({"until": "2001-01-01T00:00:00Z"}), "value_error", "until"),
        (json!({"until": "tomorrow"}), "datetime_parsing", "until"),
        (json!({"until": 1}), "string_type", "until"),
        (json!({"reason": " "}), "string_too_short", "reason"),
        (json!({"reason": "x".repeat(501)}), "string_too_long", "reason"),
        (json!({"reason": "a\u{0}b"}), "value_error", "reason"),
    ] {
        assert_eq!(
            client.post(&at, &body).await.faults(),
            [(kind.to_owned(), json!(["body", field]))]
        );
    }
    client
        .clone()
        .with("if-match", "\"9\"")
        .post(&at, &json!({}))
        .await
        .is(412, "precondition_failed");
    assert_eq!(
        client
            .call(axum::http::Method::POST, &at, axum::body::Body::empty())
            .await
            .status,
        StatusCode::OK
    );
    assert_eq!(client.post(&at, &Value::Null).await.status, StatusCode::OK);
    for step in ["lock", "unlock", "deactivate", "reactivate"] {
        client
            .post(&format!("/users/0/{step}"), &json!({}))
            .await
            .is(404, "user_not_found");
        let reader = app.key(&[Scope::USERS_READ, Scope::USERS_DELETE]).await;
        reader
            .post(&format!("/users/1/{step}"), &json!({}))
            .await
            .is(403, "insufficient_scope");
    }
}

#[on_both]
async fn staff_and_other_scopes_are_out_of_reach(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    let id = client.sign_up("ada@example.com").await;
    let at = format!("/users/{id}");
    let patch = json!({"email": "mallory@example.com"});
    app.key(&[Scope::USERS_READ, Scope::USERS_DELETE])
        .await
        .patch(&at, &patch)
        .await
        .is(403, "insufficient_scope");
    app.key(&[Scope::USERS_READ, Scope::USERS_WRITE])
        .await
        .delete(&at)
        .await
        .is(403, "insufficient_scope");
    app.anonymous()
        .patch(&at, &patch)
        .await
        .is(401, "authentication_required");
    app.anonymous().delete(&at).await.is(401, "authentication_required");
    let writer = app
        .key(&[Scope::USERS_WRITE])
        .await
        .patch(&at, &json!({"age": 3}))
        .await
        .json();
    assert!(writer.get("age").is_none(), "a writer sees the basics alone: {writer}");
    for superuser in [true, false] {
        store(
            &app,
            |user| (user.is_staff, user.is_superuser) = (Set(true), Set(superuser)),
            id,
        )
        .await;
        client.patch(&at, &patch).await.is(403, "staff_protected");
        client.delete(&at).await.is(403, "staff_protected");
        client
            .post(&format!("{at}/lock"), &json!({}))
            .await
            .is(403, "staff_protected");
        client
            .post(&format!("{at}/deactivate"), &json!({}))
            .await
            .is(403, "staff_protected");
    }
    assert_eq!(row(&app, id).await.email, "ada@example.com");
    for at in ["/users/0", "/users/99999999999999999999"] {
        client.patch(at, &patch).await.is(404, "user_not_found");
        client.delete(at).await.is(404, "user_not_found");
    }
    assert_eq!(
        audit_log::Entity::find()
            .filter(audit_log::Column::Action.eq("delete"))
            .count(&app.context.db)
            .await
            .unwrap(),
        0
    );
}
