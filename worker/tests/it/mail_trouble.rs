//! What holds mail back: a server that refuses us, and addresses that do not exist.

use sea_orm::{EntityTrait, sea_query::Expr};
use usher_shared::{
    foundation::{
        entity::{
            job::{self, JobState},
            mail::MailState,
            mail_breaker, mail_suppression,
        },
        time::now,
    },
    jobs::{self, PasswordChanged, mail_suppressions},
};
use usher_testkit::{Smtp, TestDb, eventually, on_both};
use usher_worker::registry;

use crate::test_worker::{PATIENCE, TestWorker};

#[on_both]
async fn a_server_that_refuses_us_holds_all_mail_back_until_one_mail_gets_through(db: TestDb) {
    let smtp = Smtp::start().await;
    let test = TestWorker::with(db, &[("SMTP_URL", &smtp.url())], true).await;
    smtp.refuse_senders(true);
    for number in 0..40 {
        test.sign_up("Ada Lovelace", &format!("ada{number}@example.org")).await;
    }
    let worker = test.start(registry());
    let held = async |count: usize| {
        let jobs = job::Entity::find().all(&test.context.db).await.unwrap();
        let waits = |job: &&job::Model| {
            job.state == JobState::Ready
                && job.run_at > now()
                && job.last_error.as_deref().is_some_and(|error| error.contains("on hold"))
        };
        (jobs.iter().filter(waits).count() == count && jobs.iter().all(|job| job.attempt == 0)).then_some(jobs)
    };
    eventually(PATIENCE, "all wait", async || held(40).await).await;
    let [open] = <[mail_breaker::Model; 1]>::try_from(breakers(&test).await).unwrap();
    assert!(open.server.ends_with("as usher@localhost"), "{open:?}");
    assert!(open.reason.contains("550 5.7.1") && open.refusals == 1, "{open:?}");
    let tried = test.mails().await.iter().filter(|mail| mail.answer.is_some()).count();
    assert!(
        (1..=24).contains(&tried),
        "{tried} were tried, of 24 at most that were in hand"
    );

    // A mail that comes now is not even tried.
    let late = test.sign_up("Bob Late", "bob@example.org").await;
    eventually(PATIENCE, "it waits as well", async || held(41).await).await;
    assert_eq!(
        test.mails()
            .await
            .iter()
            .find(|mail| mail.user_id == Some(late.id))
            .unwrap()
            .answer,
        None
    );

    // Still refused: it waits longer.
    ask_now(&test).await;
    eventually(PATIENCE, "the second refusal", async || {
        (breakers(&test).await[0].refusals == 2).then_some(())
    })
    .await;
    let pause = breakers(&test).await[0].probe_at - now();
    assert!((40..75).contains(&pause.num_seconds()), "{pause}");

    smtp.refuse_senders(false);
    ask_now(&test).await;
    smtp.wait_for(41, PATIENCE).await;
    eventually(PATIENCE, "all are done", async || {
        let jobs = job::Entity::find().all(&test.context.db).await.unwrap();
        jobs.iter()
            .all(|job| (job.state, job.attempt) == (JobState::Done, 1))
            .then_some(())
    })
    .await;
    worker.stop().await;
    assert!(breakers(&test).await.is_empty());
    assert_eq!(smtp.mails().len(), 41);
}

#[on_both]
async fn one_mail_that_is_refused_for_what_it_says_holds_nothing_back_but_a_second_one_does(db: TestDb) {
    let smtp = Smtp::start().await;
    let test = TestWorker::with(db, &[("SMTP_URL", &smtp.url())], true).await;
    let worker = test.start(registry());
    let first = test.sign_up("Cid Refused", "policy@example.org").await;
    let id = test.job_of(&first).await.id;
    eventually(PATIENCE, "it is put off", async || {
        (test.job(id).await.epoch == 1).then_some(())
    })
    .await;
    assert!(breakers(&test).await.is_empty());
    let fine = test.sign_up("Dee Fine", "dee@example.org").await;
    test.reaches(test.job_of(&fine).await.id, JobState::Done).await;

    test.sign_up("Eve Refused", "policy+eve@example.org").await;
    test.sign_up("Fay Refused", "policy+fay@example.org").await;
    eventually(PATIENCE, "the breaker opens", async || {
        (breakers(&test).await.len() == 1).then_some(())
    })
    .await;
    worker.stop().await;
}

#[on_both]
async fn an_address_that_does_not_exist_is_not_tried_again_until_it_is_cleared(db: TestDb) {
    let smtp = Smtp::start().await;
    let test = TestWorker::with(db, &[("SMTP_URL", &smtp.url())], true).await;
    let worker = test.start(registry());
    let user = test.sign_up("Ada Lovelace", "No-Such-User@example.org").await;
    let full = test.sign_up("Bob Full", "mailbox-full@example.org").await;
    for user in [&user, &full] {
        test.reaches(test.job_of(user).await.id, JobState::Dead).await;
    }
    let [dead] =
        <[mail_suppression::Model; 1]>::try_from(mail_suppression::Entity::find().all(&test.context.db).await.unwrap())
            .unwrap();
    assert_eq!(
        (dead.address_key.as_str(), dead.user_id),
        ("no-such-user@example.org", Some(user.id))
    );
    assert!(dead.answer.starts_with("550 5.1.1"), "{dead:?}");

    let id = test.enqueue(PasswordChanged { user_id: user.id }).await;
    let job = test.reaches(id, JobState::Dead).await;
    assert!(
        job.last_error
            .as_deref()
            .is_some_and(|error| error.contains("suppression list")),
        "{job:?}"
    );
    let row = test
        .mails()
        .await
        .into_iter()
        .find(|mail| mail.job_id == Some(id))
        .unwrap();
    assert_eq!(row.state, MailState::Failed);
    assert!(
        row.answer
            .as_deref()
            .is_some_and(|answer| answer.starts_with("not sent: ")),
        "{row:?}"
    );

    assert!(
        mail_suppressions::clear(&test.context.db, "no-such-USER@example.org")
            .await
            .unwrap()
    );
    let tx = test.context.job_store.begin().await.unwrap();
    jobs::retry(&tx, id).await.unwrap();
    tx.commit().await.unwrap();
    eventually(PATIENCE, "it is tried", async || {
        let row = test
            .mails()
            .await
            .into_iter()
            .find(|mail| mail.job_id == Some(id))
            .unwrap();
        row.answer.is_some_and(|answer| answer.starts_with("550")).then_some(())
    })
    .await;
    worker.stop().await;
}

async fn breakers(test: &TestWorker) -> Vec<mail_breaker::Model> {
    mail_breaker::Entity::find().all(&test.context.db).await.unwrap()
}

/// Lets the breaker's pause be over: one mail asks now.
async fn ask_now(test: &TestWorker) {
    let before = Expr::value(now() - chrono::Duration::seconds(1));
    mail_breaker::Entity::update_many()
        .col_expr(mail_breaker::Column::ProbeAt, before)
        .exec(&test.context.db)
        .await
        .unwrap();
    let waiting = job::Entity::find().all(&test.context.db).await.unwrap();
    let first = waiting
        .iter()
        .filter(|job| job.state == JobState::Ready)
        .min_by_key(|job| job.run_at)
        .unwrap();
    let tx = test.context.job_store.begin().await.unwrap();
    jobs::run_now(&tx, first.id).await.unwrap();
    tx.commit().await.unwrap();
}
