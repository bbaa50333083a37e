//! An upgrade without a pause: the schema goes first, by steps that only add, while processes of the release before run
//! on. Here the present programs are that release, and the step is one that no release of theirs knows.

use std::time::Duration;

use reqwest::Client;
use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde_json::Value;
use usher_testkit::{TestDb, eventually, on_both};

use crate::{
    services::{EMAIL, PASSWORD, Production},
    staff::Staff,
};

const PATIENCE: Duration = Duration::from_secs(30);

/// Whatever a step that only adds may do: columns with and without a default, a table that refers to ours, indexes.
const NEXT_STEP: &str = "
ALTER TABLE users ADD COLUMN nickname text;
ALTER TABLE users ADD COLUMN points integer NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN country text;
ALTER TABLE api_keys ADD COLUMN note text NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN cost integer;
ALTER TABLE job_attempts ADD COLUMN cost integer;
ALTER TABLE mails ADD COLUMN opened integer NOT NULL DEFAULT 0;
ALTER TABLE audit_log ADD COLUMN region text;
ALTER TABLE workers ADD COLUMN region text;
CREATE TABLE badges (id bigint PRIMARY KEY, user_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE);
CREATE INDEX users_nickname ON users (nickname);
CREATE INDEX jobs_cost ON jobs (cost) WHERE cost IS NOT NULL;
INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29990101_000001_next', 1);
";

/// Each statement by itself, as migrations that must not hold locks for long do it. One that finds the file of SQLite
/// locked is tried again.
async fn expand(db: &DatabaseConnection) {
    let statements = NEXT_STEP.split(';').map(str::trim);
    for statement in statements.filter(|statement| !statement.is_empty()) {
        eventually(PATIENCE, statement, async || {
            match db.execute_unprepared(statement).await {
                Err(error) if error.to_string().contains("locked") => None,
                done => Some(done.unwrap_or_else(|error| panic!("{statement}: {error}"))),
            }
        })
        .await;
    }
}

fn people(from: usize, count: usize) -> Vec<String> {
    (from..from + count)
        .map(|number| format!("person.{number}@example.org"))
        .collect()
}

async fn is_ready(address: &str) -> bool {
    let answer = Client::new().get(format!("http://{address}/health/ready")).send().await;
    answer.expect("it answers").status() == 200
}

/// A sign-up through the API, its mail, and what staff see of it.
async fn journey(production: &Production, from: usize) {
    let someone = people(from, 1);
    let before = production.smtp.mails().len();
    production.create(&someone).await;
    let mails = production.smtp.wait_for(before + 1, PATIENCE).await;
    assert!(mails.iter().any(|mail| mail.to == someone[0]));
    let staff = Staff::sign_in(&production.admin, EMAIL, PASSWORD).await;
    assert_eq!(staff.find("users", &someone[0]).await.len(), 1);
    assert!(staff.open_first().await.contains(&someone[0]));
    for list in ["jobs", "mails", "audit", "sessions", "api_keys"] {
        let page = format!("{}/{list}", staff.admin);
        staff.browser.goto(&page).await;
        let text = staff.browser.page_text().await;
        assert!(
            !text.contains("went wrong") && !text.contains("no such page"),
            "{list}: {text}"
        );
    }
    staff.expect_clean_pages().await;
}

#[on_both]
async fn programs_run_on_beside_a_schema_that_is_newer_than_they_are(db: TestDb) {
    let production = Production::start(db, None).await;
    let services = tokio::join!(
        production.start_api(),
        production.start_admin(),
        production.start_worker()
    );
    let schema = production.db.connect().await;

    // The step goes in while sign-ups go on: each of them is answered with 201.
    let (before, meanwhile) = (people(0, 16), people(16, 160));
    production.create(&before).await;
    tokio::join!(production.create(&meanwhile), expand(&schema));
    production.smtp.wait_for(176, PATIENCE).await;
    for service in [&production.api, &production.admin, &production.worker] {
        assert!(
            is_ready(service).await,
            "{service} takes requests beside a newer schema"
        );
    }
    journey(&production, 200).await;

    // A process of the old release that starts only now, such as one that crashed, is as good.
    for service in [services.0, services.1, services.2] {
        assert_eq!(service.terminate().await, 0);
    }
    let _rooms = tokio::join!(
        production.start_api(),
        production.start_admin(),
        production.start_worker()
    );
    journey(&production, 201).await;

    // Its commands, too: an operator who rolls back a release runs them.
    let said = production.command(&["migrate", "up"]).await;
    assert!(said.contains("newer than this program"), "{said}");
    let said = production.command(&["migrate", "status", "--json"]).await;
    let steps: Vec<Value> = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert_eq!(steps.last().expect("a step")["status"], "Unknown", "{said}");
    let (code, said) = production.command_with(&["migrate", "down"], &[]).await;
    assert!(
        code == 1 && said.contains("m29990101_000001_next"),
        "what is newer is not taken back: {said}"
    );
    let said = production.command(&["key", "create", "--name", "after"]).await;
    assert!(said.trim().starts_with("uak_"), "{said}");
    let said = production.command(&["seed", "--users", "50"]).await;
    assert!(!said.contains("rror"), "{said}");
}
