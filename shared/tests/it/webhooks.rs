//! Spreading events to webhooks: each once, in rounds that stay small, however many endpoints there are.

use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::json;
use usher_shared::{
    audit::Actor,
    events::{self, Event, EventType, Feed},
    foundation::{
        crypto::SecretKey,
        db,
        entity::{job, webhook_delivery},
    },
    webhooks::{self, Networks, NewEndpoint, WebhookUrl},
};
use usher_testkit::{TestDb, eventually, on_both};

use crate::fixtures::job_store;

const ENDPOINTS: u64 = 120;
const EVENTS: u64 = 40;

#[on_both]
async fn rounds_stay_small_where_there_are_many_endpoints(db: TestDb) {
    let job_store = job_store(&db).await;
    let feed = Feed::new(job_store.db().clone(), None);
    let key = SecretKey::from_base64(&SecretKey::generate_base64()).unwrap();
    let tx = job_store.begin().await.unwrap();
    for number in 0..ENDPOINTS {
        let new = NewEndpoint {
            url: WebhookUrl::parse(&format!("https://example.org/{number}"), &Networks::default()).unwrap(),
            description: String::new(),
            types: vec![EventType::USER_CREATED],
        };
        webhooks::create(&tx, new, 0, None, &key, &Actor::system())
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    let connection = db::writing(job_store.db());
    for number in 0..EVENTS {
        let created = Event::new(EventType::USER_CREATED, number, &json!({ "id": number }));
        events::record(&connection, &Actor::system(), created).await.unwrap();
    }
    let taken = feed.newest_taken().await.unwrap();
    eventually(
        std::time::Duration::from_secs(20),
        "the stream is complete",
        async || (feed.newest().await.unwrap() >= taken).then_some(()),
    )
    .await;
    let told = webhooks::written();
    let (mut written, mut rounds) = (0, 0);
    loop {
        let round = webhooks::dispatch(&job_store, &feed).await.unwrap();
        assert!(round.deliveries <= 2_000, "{round:?}");
        written += round.deliveries;
        rounds += 1;
        if !round.has_more {
            break;
        }
    }
    assert!(told.has_changed().unwrap(), "whoever sends is told");
    assert_eq!((written, rounds), (ENDPOINTS * EVENTS, 3), "16 events a round");
    let rows = webhook_delivery::Entity::find().count(job_store.db()).await.unwrap();
    assert_eq!(rows, written);
    let again = webhooks::dispatch(&job_store, &feed).await.unwrap();
    assert_eq!((again.deliveries, again.busy), (0, 120), "their jobs wait already");
    assert_eq!(job::Entity::find().count(job_store.db()).await.unwrap(), ENDPOINTS);
}
