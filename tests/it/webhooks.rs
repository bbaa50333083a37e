//! Webhooks while processes die.

use std::time::Duration;

use sea_orm::{ConnectionTrait, TransactionTrait};
use serde_json::{Value, json};
use usher_testkit::{Receiver, Reply, TestDb, eventually, on_both};

use crate::services::Production;

/// How long the receiver thinks, and the test keeps others from writing what it answered.
const THINKING: Duration = Duration::from_secs(2);

#[on_both]
async fn a_worker_that_is_killed_between_the_answer_and_its_record_sends_the_same_again(db: TestDb) {
    let production = Production::start(db, None).await;
    let production = production.with(vec![("WEBHOOK_NETWORKS", "127.0.0.0/8".to_owned())]);
    let (_api, receiver) = tokio::join!(production.start_api(), Receiver::start());
    let scopes = "users:read,users:write,webhooks:read,webhooks:write";
    let key = ["key", "create", "--name", "hooks", "--scopes", scopes];
    let (client, key) = (reqwest::Client::new(), production.command(&key).await.trim().to_owned());
    let post = async |path: &str, body: Value| {
        let request = client.post(format!("http://{}{path}", production.api));
        let request = request.bearer_auth(&key).json(&body);
        let answer = request.send().await.expect("the API answers");
        assert_eq!(answer.status(), 201);
        answer.json::<Value>().await.expect("JSON")
    };
    let types = json!(["user.created"]);
    let endpoint = post("/webhooks", json!({"url": receiver.url(), "types": types})).await;
    let worker = production.start_worker().await;

    receiver.reply([Reply::Hang(THINKING)]);
    post("/users", json!({"name": "Ada", "email": "ada@example.com"})).await;
    receiver.wait_for(1, Duration::from_secs(20)).await;
    // Holds back the record, not the answer.
    let connection = production.db.connect().await;
    let lock = connection.begin().await.expect("a transaction");
    let statement = match production.db.is_postgres() {
        true => "LOCK TABLE webhook_deliveries IN EXCLUSIVE MODE",
        false => "UPDATE webhook_deliveries SET id = id",
    };
    lock.execute_unprepared(statement).await.expect("the lock");
    tokio::time::sleep(THINKING + Duration::from_millis(500)).await;
    worker.kill();
    lock.rollback().await.expect("the lock is given back");

    let _worker = production.start_worker().await;
    let webhooks = receiver.wait_for(2, Duration::from_secs(60)).await;
    let [first, second] = &*webhooks else {
        panic!("{webhooks:?}")
    };
    assert_eq!(first.header("webhook-id"), second.header("webhook-id"));
    assert_eq!(first.body, second.body);
    let path = format!("http://{}/webhooks/{}/deliveries", production.api, endpoint["id"]);
    let delivery = eventually(Duration::from_secs(20), "the record", async || {
        let answer = client.get(&path).bearer_auth(&key).send().await.ok()?;
        let deliveries: Value = answer.json().await.ok()?;
        Some(deliveries["data"][0].clone()).filter(|delivery| delivery["state"] == "delivered")
    })
    .await;
    assert_eq!(delivery["last_status"], 204, "{delivery}");
    assert_eq!(receiver.webhooks().len(), 2, "and no more");
}
