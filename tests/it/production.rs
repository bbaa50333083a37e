//! The services as three processes, with PostgreSQL, Redis and SMTP, and without Redis.

use std::{collections::HashSet, time::Duration};

use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use usher_testkit::{Mail, Redis, TestDb, eventually, on_both, run};

use crate::{
    services::{EMAIL, PASSWORD, Production},
    staff::Staff,
};

/// How many welcome jobs are in this state.
async fn jobs(db: &DatabaseConnection, state: &str) -> usize {
    let sql = format!("SELECT count(*) AS n FROM jobs WHERE kind = 'welcome_email' AND state = '{state}'");
    let row = db
        .query_one_raw(Statement::from_string(db.get_database_backend(), sql))
        .await;
    let count: i64 = row
        .expect("the job store answers")
        .expect("one row")
        .try_get("", "n")
        .expect("a number");
    usize::try_from(count).expect("not below zero")
}

async fn all_done(db: &DatabaseConnection, count: usize, limit: Duration) {
    eventually(limit, "every job is done", async || {
        (jobs(db, "done").await == count).then_some(())
    })
    .await;
}

fn people(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("person.{index}@example.org")).collect()
}

fn recipients(mails: &[Mail]) -> HashSet<&str> {
    mails.iter().map(|mail| mail.to.as_str()).collect()
}

#[test]
fn three_processes_take_a_sign_up_to_the_mailbox_and_to_staff() {
    run(async {
        let (db, redis) = tokio::join!(TestDb::empty_postgres(), Redis::start());
        let production = Production::start(db, Some(&redis)).await;
        let (api, admin, worker) = tokio::join!(
            production.start_api(),
            production.start_admin(),
            production.start_worker()
        );
        let people = people(48);
        production.create(&people).await;

        let mails = production.smtp.wait_for(people.len(), Duration::from_secs(20)).await;
        let ids: HashSet<&str> = mails.iter().map(|mail| mail.message_id.as_str()).collect();
        assert_eq!(
            (mails.len(), recipients(&mails).len(), ids.len()),
            (48, 48, 48),
            "each has one mail of their own"
        );
        let mail = mails
            .iter()
            .find(|mail| mail.to == people[7])
            .expect("everybody has one");
        // Nobody has proved the address, and the name may be a stranger's words.
        assert!(
            mail.text.contains("/set-password?token=") && !mail.text.contains("Grace") && !mail.html.contains("Grace"),
            "{mail:?}"
        );
        all_done(&production.db.connect().await, people.len(), Duration::from_secs(5)).await;

        let staff = Staff::sign_in(&production.admin, EMAIL, PASSWORD).await;
        assert_eq!(staff.find("users", &people[7]).await.len(), 1);
        assert!(staff.open_first().await.contains(&people[7]));
        let mails = staff.find("mails", &people[7]).await;
        assert!(mails.len() == 1 && mails[0].contains("Sent"), "{mails:?}");
        staff.expect_clean_pages().await;

        for service in [api, admin, worker] {
            assert_eq!(service.terminate().await, 0);
        }
    });
}

#[on_both]
async fn without_redis_the_worker_polls_the_job_store(db: TestDb) {
    let production = Production::start(db, None).await;
    let (_api, _worker) = tokio::join!(production.start_api(), production.start_worker());
    let people = people(32);
    production.create(&people).await;
    let mails = production.smtp.wait_for(people.len(), Duration::from_secs(20)).await;
    assert_eq!((mails.len(), recipients(&mails).len()), (32, 32));
    all_done(&production.db.connect().await, people.len(), Duration::from_secs(5)).await;
}

#[test]
fn no_mail_is_lost_while_a_worker_is_killed_and_redis_is_away() {
    run(async {
        let (db, mut redis) = tokio::join!(TestDb::empty_postgres(), Redis::start());
        let production = Production::start(db, Some(&redis)).await;
        let (_api, worker) = tokio::join!(production.start_api(), production.start_worker());
        let (db, people) = (production.db.connect().await, people(300));

        let ((), _worker) = tokio::join!(production.create(&people), async {
            production.smtp.wait_for(40, Duration::from_secs(20)).await;
            worker.kill();
            redis.stop();
            let piled_up = async || (jobs(&db, "ready").await >= 100).then_some(());
            eventually(
                Duration::from_secs(20),
                "sign-ups go on without Redis and worker",
                piled_up,
            )
            .await;
            redis.start_again().await;
            production.start_worker().await
        });

        // The killed worker's jobs are taken over when its lease of 15 s has ended.
        all_done(&db, people.len(), Duration::from_secs(60)).await;
        let mails = production.smtp.mails();
        assert_eq!(recipients(&mails).len(), people.len(), "everybody has a mail");
        let twice = mails.len() - people.len();
        assert!(
            twice <= 16,
            "{twice} mails came twice; only what was being sent at the kill may"
        );
    });
}
