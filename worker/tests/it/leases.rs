//! Who may finish a job: its lease, its loss, and the wish to cancel.

use std::time::Duration;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use usher_shared::{
    foundation::entity::{
        job::{self, JobState},
        job_attempt::AttemptOutcome,
        user,
    },
    jobs,
};
use usher_testkit::{TestDb, eventually, on_both};
use usher_worker::{JobContext, JobError, Options, Registry};

use crate::test_worker::{Notes, PATIENCE, Probe, QUICK, TestWorker};

fn short_lease() -> Options {
    Options {
        lease: Duration::from_secs(3),
        ..Options::default()
    }
}

#[on_both]
async fn a_job_that_outlasts_its_lease_keeps_it_by_the_heartbeat(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    let registry = Registry::new().register::<Probe>(QUICK, async |_, _: JobContext| {
        tokio::time::sleep(Duration::from_secs(6)).await;
        Ok(())
    });
    let workers = [
        test.start_with(registry.clone(), short_lease()),
        test.start_with(registry, short_lease()),
    ];
    let id = test.enqueue(Probe { number: 1 }).await;
    let job = test.reaches(id, JobState::Done).await;
    assert_eq!((job.attempt, job.crashes), (1, 0));
    for worker in workers {
        worker.stop().await;
    }
}

#[on_both]
async fn a_lost_lease_stops_the_handler_and_its_late_end_changes_nothing(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    let notes = Notes::default();
    let seen = notes.clone();
    let worker = test.start_with(
        Registry::new().register::<Probe>(QUICK, move |_, _| {
            let guard = OnDrop(seen.clone());
            async move {
                std::future::pending::<()>().await;
                drop(guard);
                Ok(())
            }
        }),
        Options {
            lease: Duration::from_secs(18),
            ..Options::default()
        },
    );
    let id = test.enqueue(Probe { number: 1 }).await;
    test.reaches(id, JobState::Running).await;
    // Another machine takes it over.
    let other = uuid::Uuid::new_v4();
    take_over(&test, id, other).await;
    // The next heartbeat comes after six seconds, the lease's own end after eighteen.
    eventually(Duration::from_secs(15), "the handler is dropped", async || {
        (notes.count() > 0).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let job = test.job(id).await;
    assert_eq!((job.state, job.lease_token), (JobState::Running, Some(other)));
    assert!(test.attempts(id).await.is_empty());
    worker.stop().await;
    assert_eq!(
        test.job(id).await.lease_token,
        Some(other),
        "it was not given back either"
    );
}

#[on_both]
async fn effects_of_a_handler_that_lost_its_lease_are_rolled_back(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    let user = test.sign_up("Ada Lovelace", "ada@example.org").await;
    test.sql("DELETE FROM jobs").await;
    let (notes, user_id) = (Notes::default(), user.id);
    let seen = notes.clone();
    let worker = test.start(Registry::new().register::<Probe>(QUICK, move |_, context: JobContext| {
        let notes = seen.clone();
        async move {
            let stolen = job::Entity::update_many()
                .col_expr(job::Column::LeaseToken, Expr::value(uuid::Uuid::new_v4()))
                .filter(job::Column::Id.eq(context.job.id));
            stolen.exec(&context.db).await?;
            let tx = context.begin().await?;
            user::Entity::update_many()
                .col_expr(user::Column::Name, Expr::value("Mallory"))
                .filter(user::Column::Id.eq(user_id))
                .exec(&*tx)
                .await?;
            let ended = context.complete(tx).await;
            notes.add(ended.is_err());
            ended
        }
    }));
    test.enqueue(Probe { number: 1 }).await;
    eventually(PATIENCE, "the handler ends", async || {
        (notes.all() == [true]).then_some(())
    })
    .await;
    worker.stop().await;
    assert_eq!(test.user(user_id).await.name, "Ada Lovelace");
}

#[on_both]
async fn effects_and_completion_commit_together_once(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    let worker = test.start(
        Registry::new().register::<Probe>(QUICK, async |job: Probe, context: JobContext| {
            let tx = context.begin().await?;
            if job.number > 0 {
                jobs::enqueue(&tx, Probe { number: job.number - 1 }).await?;
            }
            if job.number == 2 && context.job.attempt == 1 {
                return Err(JobError::retry("after the insert: it must be rolled back"));
            }
            context.complete(tx).await
        }),
    );
    test.enqueue(Probe { number: 3 }).await;
    eventually(PATIENCE, "all are done", async || {
        let jobs = job::Entity::find().all(&test.context.db).await.unwrap();
        (jobs.len() >= 4 && jobs.iter().all(|job| job.state == JobState::Done)).then_some(())
    })
    .await;
    worker.stop().await;
    assert_eq!(job::Entity::find().all(&test.context.db).await.unwrap().len(), 4);
}

#[on_both]
async fn a_running_job_is_cancelled_on_request(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    let worker = test.start_with(
        Registry::new().register::<Probe>(QUICK, async |_, _: JobContext| {
            std::future::pending::<()>().await;
            Ok(())
        }),
        short_lease(),
    );
    let id = test.enqueue(Probe { number: 1 }).await;
    test.reaches(id, JobState::Running).await;
    let tx = test.context.job_store.begin().await.unwrap();
    jobs::cancel(&tx, id).await.unwrap();
    tx.commit().await.unwrap();
    test.reaches(id, JobState::Cancelled).await;
    assert_eq!(test.attempts(id).await[0].outcome, AttemptOutcome::Cancelled);
    worker.stop().await;
}

#[on_both]
async fn a_job_of_a_worker_that_vanished_is_taken_over(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    let id = test.enqueue(Probe { number: 1 }).await;
    let wake_up = jobs::WakeUp::of(&test.job(id).await);
    let claimed = test
        .context
        .job_store
        .claim(&[wake_up], "a-machine-that-burnt", Duration::from_secs(1))
        .await
        .unwrap();
    assert_eq!(claimed.len(), 1);
    let worker = test.start(Registry::new().register::<Probe>(QUICK, async |_, _: JobContext| Ok(())));
    let job = test.reaches(id, JobState::Done).await;
    worker.stop().await;
    assert_eq!((job.attempt, job.crashes), (2, 1));
    assert_eq!(test.attempts(id).await[0].outcome, AttemptOutcome::Crashed);
}

async fn take_over(test: &TestWorker, id: uuid::Uuid, token: uuid::Uuid) {
    job::Entity::update_many()
        .col_expr(job::Column::LeaseToken, Expr::value(token))
        .col_expr(job::Column::Worker, Expr::value("another-machine"))
        .col_expr(
            job::Column::LeaseUntil,
            Expr::value(usher_shared::foundation::time::now() + chrono::Duration::hours(1)),
        )
        .filter(job::Column::Id.eq(id))
        .exec(&test.context.db)
        .await
        .unwrap();
}

struct OnDrop(Notes<()>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.add(());
    }
}
