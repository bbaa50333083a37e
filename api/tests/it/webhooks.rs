//! `/webhooks`: who may decide where events go, what is shown once, and what is refused.

use axum::http::{Method, StatusCode};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel};
use serde_json::{Value, json};
use usher_shared::{
    accounts::api_keys::Scope,
    audit::Actor,
    foundation::entity::{audit_log, webhook_delivery, webhook_endpoint},
    webhooks,
};
use usher_testkit::{TestDb, eventually, on_both};

use crate::app::{Client, TestApp};

const URL: &str = "https://example.org/webhooks";

fn new() -> Value {
    json!({"url": URL, "types": ["user.*"], "description": "Newsletter"})
}

async fn manager(app: &TestApp) -> Client {
    app.key(&[Scope::USERS_READ, Scope::WEBHOOKS_READ, Scope::WEBHOOKS_WRITE])
        .await
}

async fn post(client: &Client, path: &str) -> crate::app::Answer {
    client.call(Method::POST, path, axum::body::Body::empty()).await
}

#[on_both]
async fn a_webhook_is_created_changed_and_deleted(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = manager(&app).await;
    let answer = client.post("/webhooks", &new()).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), "no-store");
    let mut made = answer.json();
    let secret = made.as_object_mut().unwrap().remove("secret").unwrap();
    assert!(secret.as_str().unwrap().starts_with("whsec_"));
    let at = format!("/webhooks/{}", made["id"]);
    assert_eq!(answer.header("location"), at);
    let types = made["types"].as_array().unwrap();
    assert_eq!((types.len(), &made["status"]), (5, &json!("enabled")));
    let shown = client.get(&at).await;
    assert_eq!(shown.json(), made, "without the secret");
    assert_eq!(client.get("/webhooks").await.json()["data"], json!([made]));
    let changed = client
        .patch(&at, &json!({"types": ["user.created"], "description": "News"}))
        .await
        .json();
    assert_eq!(
        (&changed["types"], &changed["description"]),
        (&json!(["user.created"]), &json!("News"))
    );
    client
        .patch(&at, &json!({"status": "disabled"}))
        .await
        .is(422, "invalid_request");
    client
        .clone()
        .with("if-match", shown.header("etag"))
        .patch(&at, &json!({"description": "x"}))
        .await
        .is(412, "precondition_failed");

    let rotated = post(&client, &format!("{at}/rotate")).await.json();
    assert!(rotated["secret"] != secret && rotated["public_key"] != made["public_key"]);
    let disabled = post(&client, &format!("{at}/disable")).await.json();
    assert_eq!(disabled["status"], "disabled");
    post(&client, &format!("{at}/test")).await.is(409, "webhook_disabled");
    client
        .post(&format!("{at}/replay"), &json!({"after": 0}))
        .await
        .is(409, "webhook_disabled");
    assert_eq!(post(&client, &format!("{at}/enable")).await.json()["status"], "enabled");
    assert_eq!(client.delete(&at).await.status, StatusCode::NO_CONTENT);
    client.get(&at).await.is(404, "not_found");
    let told = audit_log::Entity::find().all(&app.context.db).await.unwrap();
    let actions: Vec<_> = told
        .iter()
        .map(|row| (row.object_type.as_str(), row.action.as_str()))
        .collect();
    let expected = ["create", "update", "rotate", "disable", "enable", "delete"].map(|action| ("webhook", action));
    assert_eq!(actions, expected);
    assert!(
        told.iter()
            .all(|row| !row.changes.clone().unwrap_or_default().to_string().contains("sealed"))
    );
}

#[on_both]
async fn addresses_inside_and_odd_ones_are_refused(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = manager(&app).await;
    for (url, words) in [
        ("http://example.org/", "Use https"),
        ("ftp://example.org/", "must begin with https://"),
        ("javascript:alert(1)", "Write a URL"),
        ("example.org", "Write a URL"),
        ("", "Write a URL"),
        ("https://user:secret@example.org/", "Leave out user and password"),
        ("https://example.org/#a", "Leave out the part after #"),
        ("https://127.0.0.1/", "127.0.0.1 is not a public address"),
        ("https://169.254.169.254/latest/meta-data", "is not a public address"),
        ("https://[::1]/", "is not a public address"),
        ("https://[::ffff:10.0.0.1]/", "10.0.0.1 is not a public address"),
        ("https://2130706433/", "127.0.0.1 is not a public address"),
        ("https://0x7f.1/", "127.0.0.1 is not a public address"),
    ] {
        let answer = client.post("/webhooks", &json!({"url": url, "types": ["*"]})).await;
        answer.is(422, "invalid_request");
        assert!(answer.text().contains(words), "{url}: {}", answer.text());
    }
    for types in [
        json!([]),
        json!(["nothing"]),
        json!("user.created"),
        json!([""]),
        json!([7]),
    ] {
        client
            .post("/webhooks", &json!({"url": URL, "types": types}))
            .await
            .is(422, "invalid_request");
    }
}

#[on_both]
async fn nobody_sends_events_where_they_could_read_what_they_may_not_see(db: TestDb) {
    let app = TestApp::start(db).await;
    let writer = app.key(&[Scope::WEBHOOKS_READ, Scope::WEBHOOKS_WRITE]).await;
    let answer = writer.post("/webhooks", &new()).await;
    answer.is(422, "invalid_request");
    assert!(
        answer
            .text()
            .contains("The key needs the scope users:read for user.created"),
        "{}",
        answer.text()
    );
    let at = {
        let made = manager(&app).await.post("/webhooks", &new()).await.json();
        format!("/webhooks/{}", made["id"])
    };
    let elsewhere = json!({"url": "https://example.com/"});
    for answer in [
        writer.patch(&at, &elsewhere).await,
        writer
            .patch(&at, &json!({"url": "https://example.com/", "types": ["user.purged"]}))
            .await,
        writer.post(&format!("{at}/replay"), &json!({"after": 0})).await,
        post(&writer, &format!("{at}/rotate")).await,
        post(&writer, &format!("{at}/test")).await,
        post(&writer, &format!("{at}/disable")).await,
        post(&writer, &format!("{at}/enable")).await,
        writer.delete(&at).await,
    ] {
        answer.is(422, "invalid_request");
    }
    for scope in Scope::BUILT_IN
        .into_iter()
        .filter(|scope| *scope != Scope::WEBHOOKS_WRITE)
    {
        let client = app.key(&[scope]).await;
        client.patch(&at, &elsewhere).await.is(403, "insufficient_scope");
        client.post("/webhooks", &new()).await.is(403, "insufficient_scope");
        if scope != Scope::WEBHOOKS_READ {
            client.get(&at).await.is(403, "insufficient_scope");
            client
                .get(&format!("{at}/deliveries"))
                .await
                .is(403, "insufficient_scope");
        }
    }
    app.anonymous()
        .get("/webhooks")
        .await
        .is(401, "authentication_required");
}

#[on_both]
async fn deliveries_are_listed_and_events_sent_again(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    let made = client.post("/webhooks", &new()).await.json();
    let at = format!("/webhooks/{}", made["id"]);
    for email in ["a@example.com", "b@example.com"] {
        client.sign_up(email).await;
    }
    eventually(
        std::time::Duration::from_secs(20),
        "the events are spread",
        async || {
            webhooks::dispatch(&app.context.job_store, &app.context.events)
                .await
                .unwrap();
            let list = client.get(&format!("{at}/deliveries?sort=id")).await.json();
            (list["data"].as_array().unwrap().len() == 2).then_some(())
        },
    )
    .await;
    let list = client.get(&format!("{at}/deliveries?sort=id")).await.json();
    let first = &list["data"][0];
    assert_eq!(
        (&first["type"], &first["state"], &first["attempts"]),
        (&json!("user.created"), &json!("pending"), &json!(0))
    );
    for row in webhook_delivery::Entity::find().all(&app.context.db).await.unwrap() {
        let mut row = row.into_active_model();
        row.state = Set(webhook_delivery::DeliveryState::Failed);
        row.attempts = Set(10);
        row.update(&app.context.db).await.unwrap();
    }
    let answer = client
        .post(&format!("{at}/replay"), &json!({"after": first["position"]}))
        .await
        .json();
    assert_eq!(answer["events"], 1);
    let list = client.get(&format!("{at}/deliveries?sort=id")).await.json();
    assert_eq!(
        (&list["data"][0]["state"], &list["data"][1]["state"]),
        (&json!("failed"), &json!("pending"))
    );
    assert_eq!(post(&client, &format!("{at}/test")).await.status, StatusCode::ACCEPTED);
    let newest = client.get(&format!("{at}/deliveries")).await.json();
    assert_eq!(newest["data"][0]["type"], "webhook.test");
    let other = webhook_endpoint::Entity::find_by_id(made["id"].as_i64().unwrap())
        .one(&app.context.db)
        .await;
    let tx = app.context.job_store.begin().await.unwrap();
    webhooks::delete(&tx, other.unwrap().unwrap(), &Actor::system())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    client.get(&format!("{at}/deliveries")).await.is(404, "not_found");
    assert!(
        webhook_delivery::Entity::find()
            .all(&app.context.db)
            .await
            .unwrap()
            .is_empty()
    );
}
