//! An application with one worker, for one test.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use usher_shared::{
    AppContext,
    foundation::{
        db::{self, PoolOptions},
        entity::{
            job::{self, JobState},
            job_attempt, mail, user,
        },
    },
    jobs::{self, Job, WelcomeEmail},
};
use usher_testkit::{TestDb, config};
use usher_worker::{Backoff, Options, Policy, Registry, Worker};
use uuid::Uuid;

/// Longer than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The job of these tests; what it does is the registered handler's business.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    pub number: i64,
}

impl Job for Probe {
    const KIND: &'static str = "probe";
}

/// Fast enough to watch.
pub const QUICK: Policy = Policy {
    attempts: 3,
    backoff: Backoff {
        first: Duration::from_millis(50),
        cap: Duration::from_millis(50),
    },
    timeout: Duration::from_secs(20),
};

/// What handlers noted, in order.
#[derive(Clone)]
pub struct Notes<T>(Arc<Mutex<Vec<T>>>);

impl<T> Default for Notes<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Clone> Notes<T> {
    pub fn add(&self, note: T) {
        self.0.lock().unwrap().push(note);
    }

    pub fn all(&self) -> Vec<T> {
        self.0.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

pub struct TestWorker {
    pub context: AppContext,
    /// Dropped with this.
    _db: Option<TestDb>,
}

impl TestWorker {
    /// All services in one process: wake-ups go through memory.
    pub async fn embedded(db: TestDb) -> Self {
        Self::with(db, &[], true).await
    }

    /// A process of its own, with these settings besides the database.
    pub async fn with(db: TestDb, settings: &[(&str, &str)], one_process: bool) -> Self {
        Self {
            context: context(db.url(), settings, one_process).await,
            _db: Some(db),
        }
    }

    /// A process of its own over a database that the test looks after itself.
    pub async fn at(url: &str) -> Self {
        Self::at_with(url, &[]).await
    }

    pub async fn at_with(url: &str, settings: &[(&str, &str)]) -> Self {
        Self {
            context: context(url, settings, false).await,
            _db: None,
        }
    }

    pub fn url(&self) -> &str {
        &self.context.config.database_url
    }

    pub fn start(&self, registry: Registry) -> Running {
        self.start_with(registry, Options::default())
    }

    pub fn start_with(&self, registry: Registry, options: Options) -> Running {
        let (context, stop) = (self.context.clone(), CancellationToken::new());
        let shutdown = stop.clone();
        let worker = Worker::new(registry, options);
        Running {
            stop,
            ended: tokio::spawn(async move { worker.run(&context, shutdown).await }),
        }
    }

    pub async fn enqueue(&self, job: impl Job) -> Uuid {
        self.enqueue_with(job, jobs::EnqueueOptions::default()).await
    }

    pub async fn enqueue_with(&self, job: impl Job, options: jobs::EnqueueOptions) -> Uuid {
        let tx = self.context.job_store.begin().await.unwrap();
        let id = jobs::enqueue_with(&tx, job, options).await.unwrap().id();
        tx.commit().await.unwrap();
        id
    }

    /// A user and the job that welcomes them, as a sign-up leaves them.
    pub async fn sign_up(&self, name: &str, email: &str) -> user::Model {
        usher_testkit::sign_up(&self.context.job_store, name, email).await
    }

    pub async fn job(&self, id: Uuid) -> job::Model {
        job::Entity::find_by_id(id)
            .one(&self.context.db)
            .await
            .unwrap()
            .unwrap()
    }

    /// The job once it is in this state.
    pub async fn reaches(&self, id: Uuid, state: JobState) -> job::Model {
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            let job = self.job(id).await;
            if job.state == state {
                return job;
            }
            assert!(tokio::time::Instant::now() < end, "never {state:?}: {job:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// How many of these jobs are in this state.
    pub async fn count(&self, ids: &[Uuid], state: JobState) -> usize {
        let mut count = 0;
        for id in ids {
            count += usize::from(self.job(*id).await.state == state);
        }
        count
    }

    pub async fn jobs_of_kind(&self, kind: &str) -> Vec<job::Model> {
        let query = job::Entity::find().filter(job::Column::Kind.eq(kind));
        query.all(&self.context.db).await.unwrap()
    }

    /// The job that welcomes this user.
    pub async fn job_of(&self, user: &user::Model) -> job::Model {
        let query = job::Entity::find()
            .filter(job::Column::UserId.eq(user.id))
            .filter(job::Column::Kind.eq(WelcomeEmail::KIND));
        query.one(&self.context.db).await.unwrap().unwrap()
    }

    pub async fn user(&self, id: i64) -> user::Model {
        user::Entity::find_by_id(id)
            .one(&self.context.db)
            .await
            .unwrap()
            .unwrap()
    }

    pub async fn mails(&self) -> Vec<mail::Model> {
        mail::Entity::find()
            .order_by_asc(mail::Column::Id)
            .all(&self.context.db)
            .await
            .unwrap()
    }

    pub async fn attempts(&self, id: Uuid) -> Vec<job_attempt::Model> {
        let query = job_attempt::Entity::find().filter(job_attempt::Column::JobId.eq(id));
        query
            .order_by_asc(job_attempt::Column::Id)
            .all(&self.context.db)
            .await
            .unwrap()
    }

    /// Statements that no part of the product offers, such as what a second machine would do.
    pub async fn sql(&self, statement: &str) {
        self.context.db.execute_unprepared(statement).await.unwrap();
    }
}

async fn context(url: &str, settings: &[(&str, &str)], one_process: bool) -> AppContext {
    let config = config(url, &[&[("APP_URL", "https://app.example.org")], settings].concat());
    let options = PoolOptions {
        test_on_release: true,
        ..PoolOptions::default()
    };
    let connection = db::connect(url, &options).await.unwrap();
    AppContext::with(config, connection, one_process)
}

/// A worker in this process.
pub struct Running {
    pub stop: CancellationToken,
    ended: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// Stops it as SIGTERM does.
    pub async fn stop(self) {
        self.stop.cancel();
        self.ended.await.unwrap().unwrap();
    }

    pub fn is_over(&self) -> bool {
        self.ended.is_finished()
    }
}
