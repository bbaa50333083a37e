//! What the tests use: a job store on a test's own database, and a job for it.

use std::time::Duration;

use sea_orm::EntityTrait;
use serde::{Deserialize, Serialize};
use usher_shared::{
    foundation::entity::job,
    jobs::{self, Due, EnqueueOptions, Enqueued, Job, JobStore, QueueCursors, WakeUp},
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

/// A job store whose wake-ups stay in this process.
pub async fn job_store(db: &TestDb) -> JobStore {
    JobStore::new(db.connect().await, jobs::connect(None, true))
}

/// Enqueues in a transaction of its own.
pub async fn add(job_store: &JobStore, options: EnqueueOptions) -> Enqueued {
    let tx = job_store.begin().await.unwrap();
    let added = jobs::enqueue_with(&tx, note(), options).await.unwrap();
    tx.commit().await.unwrap();
    added
}

pub async fn read(job_store: &JobStore, id: Uuid) -> job::Model {
    job::Entity::find_by_id(id)
        .one(job_store.db())
        .await
        .unwrap()
        .expect("the job exists")
}

/// A wake-up to the job as it stands.
pub async fn wake_up(job_store: &JobStore, id: Uuid) -> WakeUp {
    WakeUp::of(&read(job_store, id).await)
}

/// Claims what is due in the jobs table, with or without a wake-up.
pub async fn claim_due(job_store: &JobStore, limit: usize) -> Vec<job::Model> {
    let (queues, place) = (queues(), &mut QueueCursors::default());
    let claim = job_store.claim_due(&queues, Due::All, limit, "w", LEASE, place);
    claim.await.unwrap()
}

/// Adds a job and claims it.
pub async fn claimed(job_store: &JobStore, worker: &str, lease: Duration) -> job::Model {
    let id = add(job_store, EnqueueOptions::default()).await.id();
    let wake_up = wake_up(job_store, id).await;
    job_store
        .claim(&[wake_up], worker, lease)
        .await
        .unwrap()
        .pop()
        .expect("the job is free")
}
