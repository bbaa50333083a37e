//! One request is followed from its job to the mail, and to the jobs that follow from it.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use usher_shared::{
    foundation::{
        entity::job::{self, JobState},
        trace::Trace,
    },
    jobs::enqueue,
};
use usher_testkit::{Smtp, TestDb, on_both};
use usher_worker::{JobContext, JobError, Registry, registry};

use crate::test_worker::{Probe, QUICK, TestWorker};

/// A job that causes another one.
async fn cause(probe: Probe, context: JobContext) -> Result<(), JobError> {
    let tx = context.begin().await?;
    if probe.number < 2 {
        enqueue(
            &tx,
            Probe {
                number: probe.number + 1,
            },
        )
        .await?;
    }
    context.complete(tx).await
}

#[on_both]
async fn a_mail_names_the_trace_of_the_request_that_caused_it(db: TestDb) {
    let smtp = Smtp::start().await;
    let url = smtp.url();
    let test = TestWorker::with(db, &[("SMTP_URL", url.as_str())], true).await;
    let trace = Trace::generate();
    let user = trace.scope(test.sign_up("Ada Lovelace", "ada@example.org")).await;
    let job = test.job_of(&user).await;
    assert_eq!(job.trace_context.as_deref(), Some(&*trace.to_string()));
    let worker = test.start(registry());
    test.reaches(job.id, JobState::Done).await;
    worker.stop().await;
    let mail = smtp.mails().pop().unwrap();
    assert_eq!(mail.header("Traceparent"), Some(&*trace.to_string()));
}

#[on_both]
async fn a_job_hands_its_trace_to_the_jobs_it_causes(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    let trace = Trace::generate();
    let first = trace.scope(test.enqueue(Probe { number: 1 })).await;
    let worker = test.start(Registry::new().register::<Probe>(QUICK, cause));
    test.reaches(first, JobState::Done).await;
    worker.stop().await;
    let second = job::Entity::find()
        .filter(job::Column::Id.ne(first))
        .one(&test.context.db)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(second.trace_context.as_deref(), Some(&*trace.to_string()));
}
