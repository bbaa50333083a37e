//! What mails cost the database.

use sea_orm::{ConnectionTrait, DbBackend, Statement};
use usher_shared::foundation::entity::job::JobState;
use usher_testkit::{SmtpSink, TestDb, run};
use usher_worker::{Options, registry};

use crate::test_worker::{PATIENCE, TestWorker};

async fn commits(test: &TestWorker) -> i64 {
    test.sql("SELECT pg_stat_force_next_flush()").await;
    let sql = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()";
    let row = test
        .context
        .db
        .query_one_raw(Statement::from_string(DbBackend::Postgres, sql))
        .await
        .unwrap();
    row.unwrap().try_get("", "xact_commit").unwrap()
}

#[test]
fn mails_that_are_sent_at_the_same_time_are_written_together() {
    run(async {
        const MAILS: usize = 400;
        let smtp = SmtpSink::start().await;
        let url = smtp.url();
        let test = TestWorker::with(TestDb::postgres().await, &[("SMTP_URL", url.as_str())], true).await;
        let mut jobs = Vec::new();
        for number in 0..MAILS {
            let user = test.sign_up("Ada Lovelace", &format!("ada{number}@example.org")).await;
            jobs.push(test.job_of(&user).await.id);
        }
        let before = commits(&test).await;
        let worker = test.start_with(
            registry(),
            Options {
                concurrency: 64,
                ..Options::default()
            },
        );
        smtp.wait_for(MAILS, PATIENCE).await;
        worker.stop().await;
        let spent = commits(&test).await - before;
        assert_eq!(test.count(&jobs, JobState::Done).await, MAILS);
        let mails = i64::try_from(MAILS).unwrap();
        assert!(
            spent < 4 * mails,
            "{spent} transactions for {mails} mails: each for itself takes seven"
        );
    });
}
