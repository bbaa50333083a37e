//! Two of each service and four workers at once over one PostgreSQL and one Redis. With `USHER_TEST_POOLER=1` they go
//! through a pooler in transaction mode, as all tests on PostgreSQL then do.

use std::{collections::HashSet, time::Duration};

use futures::future::{join_all, try_join_all};
use reqwest::Client;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use serde_json::json;
use usher_shared::foundation::db::{PoolOptions, connect};
use usher_testkit::{Pooler, Redis, TestDb, eventually, run};

use crate::{
    services::{EMAIL, PASSWORD, Production},
    staff::Staff,
};

const PEOPLE: usize = 120;
/// Of them have an account of their own, with a password.
const SIGNED_UP: usize = 16;
const OWN_PASSWORD: &str = "velvet-Otter-72-canyon";

#[test]
fn two_apis_two_admins_and_four_workers_lose_and_double_nothing() {
    run(async {
        let (db, redis) = tokio::join!(TestDb::empty_postgres(), Redis::start());
        let production = Production::start(db, Some(&redis)).await;
        let services = [("usher-api", "API_ADDR"); 2]
            .into_iter()
            .chain([("usher-admin", "ADMIN_ADDR"); 2])
            .chain([("usher-worker", "METRICS_ADDR"); 4]);
        let services = join_all(services.map(|(name, address)| production.start_another(name, address))).await;
        let addresses: Vec<_> = services.iter().map(|(address, _)| address.clone()).collect();
        let db = production.db.connect().await;

        let (mut most, load) = (0, load(&production.key, &addresses[..2], &addresses[2..4]));
        let mut load = Box::pin(load);
        while tokio::time::timeout(Duration::from_millis(50), &mut load)
            .await
            .is_err()
        {
            most = most.max(number(&db, CONNECTIONS).await);
        }
        let all = i64::try_from(PEOPLE + SIGNED_UP).expect("few");
        eventually(Duration::from_secs(60), "every job is done", async || {
            (number(&db, UNFINISHED).await == 0).then_some(())
        })
        .await;

        let mails = production.smtp.mails();
        let to_people: Vec<_> = mails
            .iter()
            .map(|mail| mail.to.as_str())
            .filter(|to| *to != EMAIL)
            .collect();
        let people: HashSet<_> = to_people.iter().collect();
        assert_eq!(
            (to_people.len(), people.len()),
            (PEOPLE + SIGNED_UP, PEOPLE + SIGNED_UP)
        );
        assert_eq!(
            number(&db, "SELECT count(*) FROM users WHERE name = 'Grace Hopper'").await,
            all - 2
        );
        assert_eq!(
            number(&db, "SELECT count(*) FROM users WHERE name LIKE 'Edited %'").await,
            2
        );
        assert_eq!(number(&db, TRIED_AGAIN).await, 0);
        if Pooler::is_wanted() {
            assert!(most <= i64::from(Pooler::CONNECTIONS), "{most} connections at once");
        }
        for (_, service) in services {
            let log = service.log();
            assert_eq!(service.terminate().await, 0);
            let complaints = log
                .lines()
                .filter(|line| line.contains("ERROR") || line.contains("WARN"));
            // Rate limits are off in these tests, of which each service warns.
            let complaints: Vec<_> = complaints.filter(|line| !line.contains("RATE_LIMITS")).collect();
            assert_eq!(complaints, Vec::<&str>::new());
        }
    });
}

#[test]
fn a_pooler_that_mixes_up_prepared_statements_is_refused() {
    run(async {
        let pooler = Pooler::start(&usher_testkit::Postgres::shared_url("postgres").await, 0).await;
        let refused = connect(&pooler.url("postgres"), &PoolOptions::default()).await;
        let reason = refused.expect_err("it is refused").to_string();
        assert!(reason.contains("max_prepared_statements = 200"), "{reason}");
    });
}

const CONNECTIONS: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'";
const UNFINISHED: &str = "SELECT count(*) FROM jobs WHERE state <> 'done' AND kind LIKE '%email%'";
const TRIED_AGAIN: &str = "SELECT count(*) FROM jobs WHERE (attempt <> 1 OR crashes <> 0) AND kind LIKE '%email%'";

/// Sign-ups and log-ins at both APIs, and an edit at each admin, at the same time.
async fn load(key: &str, apis: &[String], admins: &[String]) {
    let client = Client::new();
    let post = async |index: usize, path: &str, body: serde_json::Value| {
        let url = format!("http://{}{path}", apis[index % 2]);
        let answer = client.post(url).bearer_auth(key).json(&body).send().await?;
        Ok::<_, reqwest::Error>(answer.status().as_u16())
    };
    let create = async |index: usize| {
        let email = format!("person.{index}@example.org");
        post(index, "/users", json!({"name": "Grace Hopper", "email": email})).await
    };
    let sign_up = async |index: usize| {
        let email = format!("member.{index}@example.org");
        let body = json!({"name": "Grace Hopper", "email": email, "password": OWN_PASSWORD});
        let signed_up = post(index, "/auth/sign-up", body).await?;
        // Those who have just come must confirm their address first.
        let body = json!({"email": EMAIL, "password": PASSWORD});
        let logged_in = post(index + 1, "/auth/login", body).await?;
        Ok::<_, reqwest::Error>((signed_up, logged_in))
    };
    let (created, signed_up) = tokio::try_join!(
        try_join_all((0..PEOPLE).map(create)),
        try_join_all((0..SIGNED_UP).map(sign_up)),
    )
    .expect("the APIs answer");
    assert!(created.iter().all(|status| *status == 201), "{created:?}");
    assert!(
        signed_up.iter().all(|statuses| *statuses == (202, 200)),
        "{signed_up:?}"
    );
    join_all(admins.iter().enumerate().map(|(index, admin)| edit(admin, index))).await;
}

/// A member of staff opens a user and changes the name.
async fn edit(admin: &str, index: usize) {
    let staff = Staff::sign_in(admin, EMAIL, PASSWORD).await;
    staff.find("users", &format!("person.{index}@example.org")).await;
    staff.open_first().await;
    staff.browser.fill("input[name=name]", &format!("Edited {index}")).await;
    staff.browser.click("button[name=_save][value=list]").await;
    assert!(staff.browser.page_text().await.contains(&format!("Edited {index}")));
    staff.expect_clean_pages().await;
}

async fn number(db: &DatabaseConnection, sql: &str) -> i64 {
    let row = db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await;
    row.expect("the database answers")
        .expect("one row")
        .try_get_by_index(0)
        .expect("a number")
}
