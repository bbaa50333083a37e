//! What a body may be, for whichever operation: what is not understood is refused, and the answer says what is.

use axum::{
    body::Body,
    http::{Method, StatusCode},
};
use serde_json::{Value, json};
use usher_testkit::{TestDb, on_both};
use uuid::Uuid;

use crate::app::{Answer, Client, TestApp};

/// Every documented operation that takes a body: method, path with made-up ids, and whether a key calls it.
fn with_bodies() -> Vec<(Method, String, bool)> {
    let document = serde_json::to_value(usher_api::openapi()).expect("JSON");
    let mut operations = vec![];
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            if operation.get("requestBody").is_some() {
                let path = path.replace("{id}", if path.contains("/mfa/") { "x" } else { "1" });
                let by_key = operation["security"].to_string().contains("apiKey");
                operations.push((method.to_uppercase().parse().expect("a method"), path, by_key));
            }
        }
    }
    operations
}

const PAGES: [&str; 6] = [
    "/set-password",
    "/reset-password",
    "/verify-email",
    "/confirm-email-change",
    "/undo-email-change",
    "/keep-account",
];

async fn send(client: &Client, method: &Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let client = headers
        .iter()
        .fold(client.clone(), |client, (name, value)| client.with(name, value));
    client.call(method.clone(), path, Body::from(body.to_owned())).await
}

#[on_both]
async fn a_body_in_a_coding_is_refused_by_every_operation(db: TestDb) {
    let app = TestApp::with(
        db,
        &[("RATE_LIMITS", "off"), ("SIGN_UP", "open"), ("STAFF_MFA", "optional")],
    )
    .await;
    let (service, person) = (app.all_scopes().await, app.superuser().await.client);
    let operations = with_bodies();
    assert!(operations.len() > 20, "{operations:?}");
    for (method, path, by_key) in &operations {
        let client = if *by_key { &service } else { &person };
        for coding in ["gzip", "br", "identity, gzip", "made-up", "\u{fc}"] {
            let headers = [("content-type", "application/json"), ("content-encoding", coding)];
            let answer = send(client, method, path, &headers, "{}").await;
            answer.is(415, "unsupported_content_coding");
            assert_eq!(answer.header("accept-encoding"), "identity", "{method} {path} {coding}");
        }
        for plain in ["identity", "IDENTITY", " , identity,"] {
            let headers = [("content-type", "application/json"), ("content-encoding", plain)];
            let answer = send(client, method, path, &headers, "[]").await;
            assert_ne!(
                answer.status,
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "{method} {path} {plain}"
            );
        }
    }
    for page in PAGES {
        let form = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("content-encoding", "gzip"),
        ];
        send(&app.anonymous(), &Method::POST, page, &form, "token=x")
            .await
            .is(415, "unsupported_content_coding");
        let json = [("content-type", "application/json")];
        let answer = send(&app.anonymous(), &Method::POST, page, &json, "{\"token\": \"x\"}").await;
        answer.is(415, "unsupported_media_type");
        assert_eq!(
            answer.header("accept-post"),
            "application/x-www-form-urlencoded",
            "{page}"
        );
    }
}

#[on_both]
async fn a_patch_of_another_kind_is_refused_and_the_kinds_are_named(db: TestDb) {
    let app = TestApp::with(db, &[("RATE_LIMITS", "off"), ("STAFF_MFA", "optional")]).await;
    let (service, person) = (app.all_scopes().await, app.superuser().await.client);
    let at = format!("/users/{}", service.sign_up("ada@example.com").await);
    for (method, path, by_key) in with_bodies() {
        if method != Method::PATCH {
            continue;
        }
        let client = if by_key { &service } else { &person };
        for kind in [
            "application/json-patch+json",
            "Application/JSON-Patch+JSON; charset=utf-8",
            "application/vnd.api+json",
            "text/plain",
            "application/x-www-form-urlencoded",
        ] {
            let answer = send(client, &method, &path, &[("content-type", kind)], "{\"name\": \"Eve\"}").await;
            answer.is(415, "unsupported_media_type");
            assert_eq!(
                answer.header("accept-patch"),
                "application/merge-patch+json, application/json",
                "{path} {kind}"
            );
        }
    }
    for kind in [
        "application/merge-patch+json",
        "application/json",
        "Application/JSON ; charset=utf-8",
    ] {
        let answer = send(
            &service,
            &Method::PATCH,
            &at,
            &[("content-type", kind)],
            "{\"name\": \"Lin\"}",
        )
        .await;
        assert_eq!(
            (answer.status, &answer.json()["name"]),
            (StatusCode::OK, &json!("Lin")),
            "{kind}"
        );
    }
    // No kind at all is no JSON, as for every body.
    assert_eq!(
        send(&service, &Method::PATCH, &at, &[], "{}").await.faults()[0].0,
        "model_attributes_type"
    );
    let patch = "[{\"op\": \"replace\", \"path\": \"/name\", \"value\": \"Eve\"}]";
    let post = send(
        &service,
        &Method::POST,
        "/users",
        &[("content-type", "application/json-patch+json")],
        patch,
    )
    .await;
    assert_eq!(post.faults()[0].0, "model_attributes_type");
    assert_eq!(service.get(&at).await.json()["name"], "Lin");
}

#[on_both]
async fn a_member_that_is_changed_elsewhere_is_refused_and_its_operation_named(db: TestDb) {
    let app = TestApp::with(db, &[("RATE_LIMITS", "off"), ("STAFF_MFA", "optional")]).await;
    let service = app.all_scopes().await;
    let at = format!("/users/{}", service.sign_up("ada@example.com").await);
    let user = service.get(&at).await.json();
    let person = app.person("lin@example.com").await.client;
    let me = person.get("/me").await.json();
    let root = app.superuser().await.client;
    let made = root
        .post("/api-keys", &json!({"name": "billing", "scopes": ["users:read"]}))
        .await;
    let key_at = made.header("location").to_owned();
    let key = root.get(&key_at).await.json();
    for (client, at, row, changes) in [
        (
            &service,
            &*at,
            &user,
            &[
                ("id", json!(99), "Ids never change"),
                ("id", json!("1"), "Ids never change"),
                ("status", json!("locked"), "/users/{id}/lock"),
                ("status", Value::Null, "/users/{id}/lock"),
                ("verified", json!(true), "link"),
                ("external_id", json!("crm-1"), "by-external-id"),
                ("created_at", json!("2020-01-01T00:00:00Z"), "never changes"),
                ("updated_at", json!("2020-01-01T00:00:00Z"), "Usher sets this time"),
                ("updated_at", json!("2100-01-01T00:00:00Z"), "Usher sets this time"),
                ("password", json!("velvet-Otter-72-canyon"), "/auth/password-reset"),
            ][..],
        ),
        (
            &person,
            "/me",
            &me,
            &[
                ("id", json!(99), "Ids never change"),
                ("email", json!("eve@example.com"), "/me/email-change"),
                ("verified", json!(false), "link"),
                ("password", json!("velvet-Otter-72-canyon"), "/me/password"),
                ("status", json!("active"), "staff"),
                ("delete_at", json!("2100-01-01T00:00:00Z"), "DELETE /me"),
                ("created_at", Value::Null, "never changes"),
                ("external_id", json!("x"), "service"),
                (
                    "password_changed_at",
                    json!("2100-01-01T00:00:00Z"),
                    "Usher sets this time",
                ),
            ][..],
        ),
        (
            &root,
            &*key_at,
            &key,
            &[
                ("id", json!(99), "Ids never change"),
                ("state", json!("revoked"), "DELETE"),
                ("key", json!("uak_x"), "rotate"),
                ("hint", json!("uak_x"), "rotate"),
                ("created_by", json!(99), "never changes"),
                ("revoked_at", json!("2020-01-01T00:00:00Z"), "DELETE"),
                ("last_used_at", json!("2100-01-01T00:00:00Z"), "Usher sets this time"),
            ][..],
        ),
    ] {
        for (member, value, told) in changes {
            let refused = client.patch(at, &json!({"name": "Eve", *member: value})).await;
            assert_eq!(
                refused.faults(),
                [("frozen_field".to_owned(), json!(["body", member]))],
                "{at} {value}"
            );
            let message = refused.json()["detail"][0]["msg"].as_str().unwrap().to_owned();
            assert!(message.contains(told) && message.contains(member), "{message}");
        }
        // What was read may be sent back, and what nobody knows is still ignored.
        let mut whole = row.clone();
        (whole["name"], whole["unheard_of"]) = (json!("Grace"), json!({"x": 1}));
        let answer = client.patch(at, &whole).await;
        assert_eq!(
            (answer.status, &answer.json()["name"]),
            (StatusCode::OK, &json!("Grace")),
            "{}",
            answer.text()
        );
        // Somebody's change since then does not make it stale by itself.
        assert_eq!(client.patch(at, &whole).await.status, StatusCode::OK);
        assert_eq!(client.get(at).await.json()["id"], row["id"]);
    }
    let sent = json!({"status": "deactivated", "verified": true, "id": 7.0});
    let places: Vec<_> = service
        .patch(&at, &sent)
        .await
        .faults()
        .into_iter()
        .map(|(_, at)| at[1].clone())
        .collect();
    assert_eq!(places, [json!("id"), json!("status"), json!("verified")]);
}

#[on_both]
async fn a_key_that_may_not_see_a_member_learns_nothing_of_it(db: TestDb) {
    let app = TestApp::start(db).await;
    let all = app.all_scopes().await;
    let at = format!("/users/{}", all.sign_up("ada@example.com").await);
    let writer = app.key(&[usher_shared::accounts::api_keys::Scope::USERS_WRITE]).await;
    for (member, value) in [
        ("status", json!("active")),
        ("external_id", Value::Null),
        ("verified", json!(false)),
    ] {
        assert_eq!(
            writer.patch(&at, &json!({member: value})).await.faults().len(),
            1,
            "{member}"
        );
        assert_eq!(
            all.patch(&at, &json!({member: value})).await.status,
            StatusCode::OK,
            "{member}"
        );
    }
}

#[on_both]
async fn a_put_ignores_no_member_either(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await.with("content-type", "application/json");
    let put = async |more: Value| {
        let mut body = json!({"name": "Ada", "email": "ada@example.com"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        client
            .call(Method::PUT, "/users/by-external-id/crm-1", Body::from(body.to_string()))
            .await
    };
    for wrong in [
        json!({"external_id": "crm-2"}),
        json!({"status": "locked"}),
        json!({"verified": true}),
        json!({"id": 7}),
        json!({"password": "x"}),
    ] {
        assert_eq!(put(wrong.clone()).await.faults()[0].0, "frozen_field", "{wrong}");
    }
    let made = put(json!({"external_id": "crm-1", "status": "active"})).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    assert_eq!(put(made.json()).await.status, StatusCode::OK);
    assert_eq!(put(json!({"status": "locked"})).await.faults()[0].0, "frozen_field");
}

#[on_both]
async fn a_row_has_one_address(db: TestDb) {
    let app = TestApp::with(db, &[("RATE_LIMITS", "off"), ("STAFF_MFA", "optional")]).await;
    let service = app.all_scopes().await;
    let id = service.sign_up("ada@example.com").await;
    let person = app.person("lin@example.com").await;
    let root = app.superuser().await.client;
    for other in [
        format!("0{id}"),
        format!("00{id}"),
        format!("+{id}"),
        format!("%2B{id}"),
        format!("%20{id}"),
        format!("{id}%20"),
        format!("%09{id}"),
        "-0".to_owned(),
    ] {
        for path in [format!("/users/{other}"), format!("/users/{other}/sessions")] {
            service.get(&path).await.is(404, "user_not_found");
        }
        service
            .patch(&format!("/users/{other}"), &json!({}))
            .await
            .is(404, "user_not_found");
        service
            .delete(&format!("/users/{other}"))
            .await
            .is(404, "user_not_found");
        for change in ["lock", "unlock", "deactivate", "reactivate"] {
            service
                .post(&format!("/users/{other}/{change}"), &json!({}))
                .await
                .is(404, "user_not_found");
        }
        root.get(&format!("/api-keys/{other}"))
            .await
            .is(404, "api_key_not_found");
        root.post(&format!("/api-keys/{other}/rotate"), &json!({}))
            .await
            .is(404, "api_key_not_found");
    }
    assert_eq!(service.get(&format!("/users/{id}")).await.status, StatusCode::OK);
    let session = person.client.get("/me/sessions").await.json()["data"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let id: Uuid = session.parse().unwrap();
    for other in [
        id.simple().to_string(),
        id.braced().to_string(),
        id.urn().to_string(),
        format!("%20{session}"),
    ] {
        let other = other.replace('{', "%7B").replace('}', "%7D");
        person
            .client
            .delete(&format!("/me/sessions/{other}"))
            .await
            .is(404, "session_not_found");
        let at = format!("/users/{}/sessions/{other}", person.id);
        service.delete(&at).await.is(404, "session_not_found");
    }
    assert_eq!(
        person
            .client
            .delete(&format!("/me/sessions/{}", session.to_uppercase()))
            .await
            .status,
        StatusCode::NO_CONTENT
    );
}
