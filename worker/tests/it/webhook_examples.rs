//! The examples of `docs/events.md` that verify a signature, in other languages, on what a worker has sent.

use std::path::Path;

use serde_json::{Map, Value, json};
use tokio::process::Command;
use usher_shared::{
    audit::Actor,
    foundation::time::now,
    webhooks::{Keys, rotate},
};
use usher_testkit::{Folder, Receiver, TestDb, Webhook, judge};
use usher_worker::registry;

use crate::{
    test_worker::PATIENCE,
    webhooks::{endpoint, open},
};

/// A webhook, the keys that its receiver has, and whether to accept it.
fn case(name: &str, webhook: &Webhook, keys: &Keys, is_valid: bool) -> Value {
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let headers = names.map(|header| (header.to_owned(), Value::from(webhook.header(header))));
    let headers: Map<String, Value> = headers.into_iter().collect();
    json!({
        "name": name, "secret": keys.secret(), "public_key": keys.public_key(), "headers": headers,
        "body": webhook.body, "is_valid": is_valid,
    })
}

/// The same event, sent at another time.
fn sent_at(webhook: &Webhook, timestamp: i64, keys: &Keys) -> Webhook {
    let mut webhook = webhook.clone();
    let signature = keys.sign(webhook.header("webhook-id"), timestamp, &webhook.body);
    let headers = [
        ("webhook-timestamp", timestamp.to_string()),
        ("webhook-signature", signature),
    ];
    for (name, value) in headers {
        webhook.headers.insert(name, value.parse().unwrap());
    }
    webhook
}

/// Without the time limit of other tests, because it may have to install the tools first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documents_examples_accept_what_is_sent_and_nothing_else() {
    let test = open(TestDb::sqlite().await).await;
    let receiver = Receiver::start().await;
    let (made, old) = endpoint(&test, receiver.url()).await;
    let worker = test.start(registry());
    test.sign_up("Zoë", "zoe@example.org").await;
    receiver.wait_for(1, PATIENCE).await;
    worker.stop().await;
    let tx = test.context.job_store.begin().await.unwrap();
    let secret_key = &test.context.config.secret_key;
    let (_, new) = rotate(&tx, made, secret_key, &Actor::system()).await.unwrap();
    tx.commit().await.unwrap();
    let worker = test.start(registry());
    test.sign_up("Šárka", "sarka@example.org").await;
    let webhooks = receiver.wait_for(2, PATIENCE).await;
    worker.stop().await;
    let [first, second] = webhooks.as_slice() else {
        panic!("{webhooks:?}")
    };
    assert!(first.body.contains("Zoë") && second.body.contains("Šárka"));

    let mut changed = first.clone();
    changed.body = changed.body.replace("Zoë", "Zoe");
    let stale = sent_at(first, now().timestamp() - 3_600, &old);
    let mut renewed = stale.clone();
    let this_moment = now().timestamp().to_string().parse().unwrap();
    renewed.headers.insert("webhook-timestamp", this_moment);
    let mut other_id = first.clone();
    let id = second.header("webhook-id").parse().unwrap();
    other_id.headers.insert("webhook-id", id);
    let mut unsigned = first.clone();
    unsigned.headers.remove("webhook-signature");
    let cases = json!([
        case("as sent", first, &old, true),
        case("after a rotation, with the new keys", second, &new, true),
        case("after a rotation, with the old keys", second, &old, true),
        case("before a rotation, with the new keys", first, &new, false),
        case("another endpoint's keys", second, &Keys::generate(), false),
        case("a changed body", &changed, &old, false),
        case("an old timestamp", &stale, &old, false),
        case("an old signature", &renewed, &old, false),
        case("another id", &other_id, &old, false),
        case("no signature", &unsigned, &old, false),
    ]);

    let folder = Folder::new();
    let file = folder.join("cases.json");
    std::fs::write(&file, cases.to_string()).unwrap();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let checked = Command::new(here.join("tests/webhooks/verify"))
        .arg(here.join("../docs/events.md"))
        .arg(file)
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("webhooks"))
        .output()
        .await
        .expect("the script runs");
    judge(&checked);
}
