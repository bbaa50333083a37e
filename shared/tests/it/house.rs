//! What the tests stand on: a ledger over a test's own database, and a job to put in it.

use std::time::Duration;

use sea_orm::EntityTrait;
use serde::{Deserialize, Serialize};
use usher_shared::{
    entity::job,
    jobs::{self, Due, Enqueued, Hint, Job, Ledger, Options, Place},
};
use usher_testkit::TestDb;
use uuid::Uuid;

pub const LEASE: Duration = Duration::from_secs(15);

#[derive(Serialize, Deserialize)]
pub struct Note {
    pub text: String,
}

impl Job for Note {
    const KIND: &'static str = "note";
    const QUEUE: &'static str = "notes";
}

pub fn note() -> Note {
    Note {
        text: "hello".to_owned(),
    }
}

pub fn queues() -> Vec<String> {
    vec!["notes".to_owned()]
}

/// A ledger whose hints stay in this process.
pub async fn ledger(db: &TestDb) -> Ledger {
    Ledger::new(db.connect().await, jobs::connect(None, true))
}

/// Enqueues in a transaction of its own.
pub async fn add(ledger: &Ledger, options: Options) -> Enqueued {
    let tx = ledger.begin().await.unwrap();
    let added = jobs::enqueue_with(&tx, note(), options).await.unwrap();
    tx.commit().await.unwrap();
    added
}

pub async fn read(ledger: &Ledger, id: Uuid) -> job::Model {
    job::Entity::find_by_id(id)
        .one(ledger.db())
        .await
        .unwrap()
        .expect("the job exists")
}

/// A hint to the job as it stands.
pub async fn hint(ledger: &Ledger, id: Uuid) -> Hint {
    Hint::of(&read(ledger, id).await)
}

/// Claims what is due in the ledger, hinted or not.
pub async fn claim_due(ledger: &Ledger, limit: usize) -> Vec<job::Model> {
    let (queues, place) = (queues(), &mut Place::default());
    let claim = ledger.claim_due(&queues, Due::All, limit, "w", LEASE, place);
    claim.await.unwrap()
}

/// Adds a job and claims it.
pub async fn claimed(ledger: &Ledger, worker: &str, lease: Duration) -> job::Model {
    let id = add(ledger, Options::default()).await.id();
    let hint = hint(ledger, id).await;
    ledger
        .claim(&[hint], worker, lease)
        .await
        .unwrap()
        .pop()
        .expect("the job is free")
}
