//! Webhooks: what is sent where, signed how, and what follows from each answer.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel, QueryOrder};
use serde_json::json;
use usher_shared::{
    audit::Actor,
    events::{self, Event, EventType},
    foundation::{
        entity::{
            webhook_delivery::{self, DeliveryState},
            webhook_endpoint::{self, WebhookStatus},
        },
        time::now,
    },
    webhooks::{self, EndpointEdit, Keys, Networks, NewEndpoint, WebhookUrl},
};
use usher_testkit::{Receiver, Reply, Smtp, TestDb, Webhook, eventually, on_both};
use usher_worker::registry;

use crate::test_worker::{PATIENCE, TestWorker};

const HERE: (&str, &str) = ("WEBHOOK_NETWORKS", "127.0.0.0/8");

/// An application that may send to this machine.
pub async fn open(db: TestDb) -> TestWorker {
    TestWorker::with(db, &[HERE], true).await
}

fn here() -> Networks {
    Networks::from(vec!["127.0.0.0/8".parse().unwrap()])
}

pub async fn endpoint(test: &TestWorker, url: &str) -> (webhook_endpoint::Model, Keys) {
    endpoint_of(test, url, None).await
}

async fn endpoint_of(test: &TestWorker, url: &str, created_by: Option<i64>) -> (webhook_endpoint::Model, Keys) {
    let new = NewEndpoint {
        url: WebhookUrl::parse(url, &here()).unwrap(),
        description: String::new(),
        types: EventType::BUILT_IN.to_vec(),
    };
    let after = test.context.events.newest().await.unwrap();
    let tx = test.context.job_store.begin().await.unwrap();
    let key = &test.context.config.secret_key;
    let made = webhooks::create(&tx, new, after, created_by, key, &Actor::system())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    made
}

async fn deliveries(test: &TestWorker) -> Vec<webhook_delivery::Model> {
    let all = webhook_delivery::Entity::find().order_by_asc(webhook_delivery::Column::Id);
    all.all(&test.context.db).await.unwrap()
}

async fn reread(test: &TestWorker, endpoint: &webhook_endpoint::Model) -> webhook_endpoint::Model {
    let row = webhook_endpoint::Entity::find_by_id(endpoint.id)
        .one(&test.context.db)
        .await;
    row.unwrap().unwrap()
}

/// The first delivery once it was tried so often.
async fn tried(test: &TestWorker, attempts: i32) -> webhook_delivery::Model {
    eventually(PATIENCE, "the delivery was tried", async || {
        let first = deliveries(test).await.into_iter().next();
        first.filter(|delivery| delivery.attempts >= attempts)
    })
    .await
}

/// Makes everything due that waits.
async fn hurry(test: &TestWorker) {
    for delivery in deliveries(test).await {
        let mut row = delivery.into_active_model();
        row.next_attempt_at = Set(now());
        row.update(&test.context.db).await.unwrap();
    }
    for endpoint in webhook_endpoint::Entity::find().all(&test.context.db).await.unwrap() {
        let mut row = endpoint.into_active_model();
        row.paused_until = Set(None);
        row.update(&test.context.db).await.unwrap();
    }
}

fn is_signed_by(webhook: &Webhook, keys: &Keys) -> bool {
    let (id, timestamp) = (webhook.header("webhook-id"), webhook.header("webhook-timestamp"));
    let expected = keys.sign(id, timestamp.parse().unwrap(), &webhook.body);
    webhook.header("webhook-signature").contains(&expected)
}

#[on_both]
async fn what_happens_is_sent_in_order_and_signed(db: TestDb) {
    let test = open(db).await;
    let receiver = Receiver::start().await;
    test.sign_up("Before", "before@example.org").await;
    eventually(PATIENCE, "the stream is complete", async || {
        let newest = test.context.events.newest().await.unwrap();
        (newest >= test.context.events.newest_taken().await.unwrap()).then_some(())
    })
    .await;
    let (_, keys) = endpoint(&test, receiver.url()).await;
    let worker = test.start(registry());
    for name in ["Ada", "Bob", "Cleo"] {
        test.sign_up(name, &format!("{name}@example.org")).await;
    }
    let webhooks = receiver.wait_for(3, PATIENCE).await;
    let names: Vec<_> = webhooks
        .iter()
        .map(|webhook| webhook.json()["data"]["name"].clone())
        .collect();
    assert_eq!(names, ["Ada", "Bob", "Cleo"], "and nothing from before the endpoint");
    for webhook in &webhooks {
        let event = webhook.json();
        assert_eq!(
            (&event["type"], webhook.header("content-type")),
            (&json!("user.created"), "application/json")
        );
        assert_eq!(webhook.header("webhook-id"), event["id"]);
        assert!(is_signed_by(webhook, &keys) && !is_signed_by(webhook, &Keys::generate()));
        let age = now().timestamp() - webhook.header("webhook-timestamp").parse::<i64>().unwrap();
        assert!((0..60).contains(&age), "{age}");
    }
    eventually(PATIENCE, "all are noted", async || {
        let all = deliveries(&test).await;
        all.iter()
            .all(|delivery| delivery.state == DeliveryState::Delivered && delivery.last_status == Some(204))
            .then_some(())
    })
    .await;
    worker.stop().await;
    assert_eq!(receiver.webhooks().len(), 3);
}

#[on_both]
async fn what_fails_is_tried_again_under_the_same_id(db: TestDb) {
    let test = open(db).await;
    let receiver = Receiver::start().await;
    let (made, _) = endpoint(&test, receiver.url()).await;
    let elsewhere = Receiver::start().await;
    receiver.reply([
        Reply::Status(500, "it broke"),
        Reply::Redirect(307, elsewhere.url().to_owned()),
    ]);
    let worker = test.start(registry());
    test.sign_up("Ada", "ada@example.org").await;
    let delivery = tried(&test, 1).await;
    assert_eq!(
        (delivery.state, delivery.last_status),
        (DeliveryState::Pending, Some(500))
    );
    assert_eq!(delivery.last_response.as_deref(), Some("it broke"));
    let pause = delivery.next_attempt_at - now();
    assert!(pause < TimeDelta::seconds(6), "{pause}");
    hurry(&test).await;
    let delivery = tried(&test, 2).await;
    assert!(
        delivery
            .last_error
            .as_ref()
            .unwrap()
            .contains("redirects are not followed"),
        "{delivery:?}"
    );
    assert!(elsewhere.webhooks().is_empty());
    assert_eq!(reread(&test, &made).await.failures, 2);
    hurry(&test).await;
    let delivery = tried(&test, 3).await;
    assert_eq!((delivery.state, delivery.last_error), (DeliveryState::Delivered, None));
    worker.stop().await;
    let webhooks = receiver.webhooks();
    assert!(
        webhooks
            .iter()
            .all(|webhook| webhook.header("webhook-id") == webhooks[0].header("webhook-id"))
    );
    let after = reread(&test, &made).await;
    assert_eq!(
        (after.failures, after.failing_since, after.paused_until),
        (0, None, None)
    );
}

#[on_both]
async fn an_endpoint_says_when_to_try_again(db: TestDb) {
    let test = open(db).await;
    let receiver = Receiver::start().await;
    let (made, _) = endpoint(&test, receiver.url()).await;
    receiver.reply([Reply::RetryAfter(503, 3_600)]);
    let worker = test.start(registry());
    test.sign_up("Ada", "ada@example.org").await;
    tried(&test, 1).await;
    test.sign_up("Bob", "bob@example.org").await;
    let until = reread(&test, &made).await.paused_until.unwrap() - now();
    assert!(until > TimeDelta::seconds(3_500), "{until}");
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    worker.stop().await;
    assert_eq!(receiver.webhooks().len(), 1, "the whole endpoint rests");
}

#[on_both]
async fn an_endpoint_that_is_gone_or_fails_for_days_is_disabled_and_its_creator_told(db: TestDb) {
    let smtp = Smtp::start().await;
    let test = TestWorker::with(db, &[HERE, ("SMTP_URL", &smtp.url())], true).await;
    let receiver = Receiver::start().await;
    let creator = test.sign_up("Grace", "grace@example.org").await;
    let (gone, _) = endpoint_of(&test, receiver.url(), Some(creator.id)).await;
    receiver.reply([Reply::Status(410, "")]);
    let worker = test.start(registry());
    smtp.wait_for(1, PATIENCE).await;
    test.sign_up("Ada", "ada@example.org").await;
    let mails = smtp.wait_for(3, PATIENCE).await;
    let told = mails
        .iter()
        .find(|mail| mail.subject.contains("A webhook was disabled"))
        .expect("a mail");
    assert!(
        told.text.contains(receiver.url()) && told.text.contains("410 Gone"),
        "{}",
        told.text
    );
    let gone = reread(&test, &gone).await;
    assert_eq!(gone.status, WebhookStatus::Disabled);

    let tx = test.context.job_store.begin().await.unwrap();
    let newest = test.context.events.newest().await.unwrap();
    let enabled = webhooks::enable(&tx, gone, newest, &Actor::system()).await.unwrap();
    tx.commit().await.unwrap();
    let mut row = enabled.clone().into_active_model();
    row.failing_since = Set(Some(now() - TimeDelta::days(6)));
    row.update(&test.context.db).await.unwrap();
    receiver.reply([Reply::Status(500, ""), Reply::Status(500, "")]);
    test.sign_up("Bob", "bob@example.org").await;
    hurry(&test).await;
    eventually(PATIENCE, "it is disabled", async || {
        let now = reread(&test, &enabled).await;
        (now.status == WebhookStatus::Disabled && now.disabled_reason.unwrap().contains("five days")).then_some(())
    })
    .await;
    worker.stop().await;
}

#[on_both]
async fn a_slow_endpoint_delays_no_other(db: TestDb) {
    let test = open(db).await;
    let (slow, quick) = (Receiver::start().await, Receiver::start().await);
    slow.reply([Reply::Hang(Duration::from_secs(20))]);
    endpoint(&test, slow.url()).await;
    endpoint(&test, quick.url()).await;
    let worker = test.start(registry());
    let begin = Instant::now();
    for number in 0..5 {
        test.sign_up("Ada", &format!("ada{number}@example.org")).await;
    }
    quick.wait_for(5, PATIENCE).await;
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    assert_eq!(slow.webhooks().len(), 1, "one request at a time");
    worker.stop().await;
}

#[on_both]
async fn nothing_is_sent_to_addresses_inside(db: TestDb) {
    let test = TestWorker::with(db, &[("WEBHOOK_NETWORKS", "192.0.2.0/24")], true).await;
    let receiver = Receiver::start().await;
    let port = receiver
        .url()
        .trim_end_matches('/')
        .rsplit(':')
        .next()
        .unwrap()
        .to_owned();
    let worker = test.start(registry());
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "127.1"] {
        // Written by somebody who could, or allowed when it was written: each sending checks again.
        let (made, _) = endpoint(&test, "http://127.0.0.1/").await;
        let mut row = made.clone().into_active_model();
        row.url = Set(format!("http://{host}:{port}/"));
        row.update(&test.context.db).await.unwrap();
    }
    test.sign_up("Ada", "ada@example.org").await;
    let refused = eventually(PATIENCE, "all were tried", async || {
        let all = deliveries(&test).await;
        (all.len() == 5 && all.iter().all(|delivery| delivery.attempts > 0)).then_some(all)
    })
    .await;
    worker.stop().await;
    for delivery in refused {
        assert!(
            delivery
                .last_error
                .as_ref()
                .unwrap()
                .contains("is not a public address"),
            "{delivery:?}"
        );
        assert_eq!(delivery.last_status, None);
    }
    assert!(receiver.webhooks().is_empty());
}

#[on_both]
async fn tests_and_replays_are_sent_on_demand_and_old_keys_sign_for_a_day(db: TestDb) {
    let test = open(db).await;
    let receiver = Receiver::start().await;
    let (made, old) = endpoint(&test, receiver.url()).await;
    let begin = made.after_position;
    let worker = test.start(registry());
    test.sign_up("Ada", "ada@example.org").await;
    test.sign_up("Bob", "bob@example.org").await;
    receiver.wait_for(2, PATIENCE).await;
    let tx = test.context.job_store.begin().await.unwrap();
    let (made, new) = webhooks::rotate(&tx, made, &test.context.config.secret_key, &Actor::system())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    eventually(PATIENCE, "both are noted", async || {
        deliveries(&test)
            .await
            .iter()
            .all(|delivery| delivery.state == DeliveryState::Delivered)
            .then_some(())
    })
    .await;
    let tx = test.context.job_store.begin().await.unwrap();
    let (count, _) = webhooks::replay(&tx, &made, begin, i64::MAX, &Actor::system())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(count, 2);
    let webhooks = receiver.wait_for(4, PATIENCE).await;
    assert_eq!(
        webhooks[2].header("webhook-id"),
        webhooks[0].header("webhook-id"),
        "the same ids again"
    );
    assert!(is_signed_by(&webhooks[2], &new) && is_signed_by(&webhooks[2], &old) && !is_signed_by(&webhooks[0], &new));

    let mut row = made.clone().into_active_model();
    row.previous_until = Set(Some(now()));
    let made = row.update(&test.context.db).await.unwrap();
    let tx = test.context.job_store.begin().await.unwrap();
    webhooks::send_test(&tx, &made, &Actor::system()).await.unwrap();
    tx.commit().await.unwrap();
    let webhooks = receiver.wait_for(5, PATIENCE).await;
    assert_eq!(webhooks[4].json()["type"], "webhook.test");
    assert!(is_signed_by(&webhooks[4], &new) && !is_signed_by(&webhooks[4], &old));
    worker.stop().await;
}

#[on_both]
async fn an_endpoint_gets_the_types_it_asks_for(db: TestDb) {
    let test = open(db).await;
    let receiver = Receiver::start().await;
    let (made, _) = endpoint(&test, receiver.url()).await;
    let tx = test.context.job_store.begin().await.unwrap();
    let edit = EndpointEdit {
        types: Some(vec![EventType::USER_DELETED]),
        ..EndpointEdit::default()
    };
    webhooks::edit(&tx, made, edit, &Actor::system()).await.unwrap();
    tx.commit().await.unwrap();
    let worker = test.start(registry());
    test.sign_up("Ada", "ada@example.org").await;
    let deleted = Event::new(EventType::USER_DELETED, 7, &json!({"id": 7}));
    let db = usher_shared::foundation::db::writing(&test.context.db);
    events::record(&db, &Actor::system(), deleted).await.unwrap();
    let webhooks = receiver.wait_for(1, PATIENCE).await;
    worker.stop().await;
    assert_eq!(
        (webhooks.len(), &webhooks[0].json()["type"]),
        (1, &json!("user.deleted"))
    );
}

#[on_both]
async fn many_workers_send_each_event_once(db: TestDb) {
    let test = open(db).await;
    let receiver = Receiver::start().await;
    endpoint(&test, receiver.url()).await;
    let workers = [test.start(registry()), test.start(registry()), test.start(registry())];
    for number in 0..60 {
        test.sign_up("Ada", &format!("ada{number}@example.org")).await;
    }
    let webhooks = receiver.wait_for(60, PATIENCE).await;
    for worker in workers {
        worker.stop().await;
    }
    let mut ids: Vec<_> = webhooks
        .iter()
        .map(|webhook| webhook.header("webhook-id").to_owned())
        .collect();
    let positions: Vec<_> = webhooks
        .iter()
        .map(|webhook| webhook.json()["position"].as_i64().unwrap())
        .collect();
    assert!(positions.is_sorted(), "{positions:?}");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), receiver.webhooks().len()), (60, 60));
}
