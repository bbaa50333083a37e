//! A copy that was made under load is complete: restored into a new database, everything goes on.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use reqwest::Client;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use serde_json::json;
use usher_testkit::{Folder, TestDb, eventually, on_both};

use crate::services::Production;

const PATIENCE: Duration = Duration::from_secs(60);

async fn count(db: &DatabaseConnection, from: &str) -> i64 {
    let query = format!("SELECT count(*) AS n FROM {from}");
    let row = db
        .query_one_raw(Statement::from_string(db.get_database_backend(), query))
        .await;
    row.expect("it answers")
        .expect("a row")
        .try_get("", "n")
        .expect("a number")
}

/// Signs people up until it is told to stop; answers how many.
async fn sign_ups(api: String, key: String, stop: Arc<AtomicBool>) -> i64 {
    let (client, mut made) = (Client::new(), 0);
    while !stop.load(Ordering::Relaxed) {
        let person = json!({"name": "Grace Hopper", "email": format!("person.{made}@example.org")});
        let request = client
            .post(format!("http://{api}/users"))
            .bearer_auth(&key)
            .json(&person);
        assert_eq!(request.send().await.expect("the API answers").status(), 201);
        made += 1;
    }
    made
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
}

/// What docs/operating/backup.md says, step by step.
async fn copy(from: &TestDb, to: &TestDb, folder: &Folder) {
    let (from, to) = tokio::join!(from.server_url(), to.server_url());
    let file = folder.join("usher.dump");
    let copied =
        tokio::task::spawn_blocking(
            move || match (from.strip_prefix("sqlite://"), to.strip_prefix("sqlite://")) {
                (Some(from), Some(to)) => run("sqlite3", &[from, ".timeout 10000", &format!("VACUUM INTO '{to}'")]),
                _ => {
                    run("pg_dump", &["--format=custom", &format!("--file={file}"), &from]);
                    run(
                        "pg_restore",
                        &["--no-owner", "--exit-on-error", &format!("--dbname={to}"), &file],
                    );
                }
            },
        );
    copied.await.expect("it is copied");
}

#[on_both]
async fn a_copy_made_under_load_goes_on_where_it_was_made(db: TestDb) {
    let restored = if db.is_postgres() {
        TestDb::empty_postgres().await
    } else {
        TestDb::empty_sqlite()
    };
    let (production, folder) = (Production::start(db, None).await, Folder::new());
    let services = tokio::join!(production.start_api(), production.start_worker());
    let stop = Arc::new(AtomicBool::new(false));
    let load = tokio::spawn(sign_ups(
        production.api.clone(),
        production.key.clone(),
        Arc::clone(&stop),
    ));
    let source = production.db.connect().await;
    eventually(PATIENCE, "people sign up", async || {
        (count(&source, "users").await >= 50).then_some(())
    })
    .await;
    copy(&production.db, &restored, &folder).await;
    let at_the_copy = count(&source, "users").await;
    eventually(PATIENCE, "people still sign up", async || {
        (count(&source, "users").await > at_the_copy).then_some(())
    })
    .await;
    stop.store(true, Ordering::Relaxed);
    let made = load.await.expect("nobody was turned away while it was copied");
    assert_eq!((services.0.terminate().await, services.1.terminate().await), (0, 0));

    // Nothing is half there: each user of the copy has the job that welcomes them.
    let production = production.on(restored);
    let copy = production.db.connect().await;
    let users = count(&copy, "users").await;
    assert!(
        users >= 50 && users <= made + 1,
        "{users} of {made} users are in the copy"
    );
    assert_eq!(
        count(&copy, "jobs WHERE kind = 'welcome_email'").await,
        users - 1,
        "all but the first superuser"
    );

    let _rooms = tokio::join!(
        production.start_api(),
        production.start_admin(),
        production.start_worker()
    );
    production.create(&["afterwards@example.org".to_owned()]).await;
    eventually(PATIENCE, "what was under way is done", async || {
        let done = count(&copy, "jobs WHERE kind = 'welcome_email' AND state = 'done'").await;
        (done == users).then_some(())
    })
    .await;
    let sent = "mails WHERE kind = 'welcome_email' AND state = 'sent'";
    assert_eq!(count(&copy, sent).await, users, "everybody of the copy has their mail");
    let mails = production.smtp.mails();
    assert!(mails.iter().any(|mail| mail.to == "afterwards@example.org"));
    let said = production.command(&["doctor"]).await;
    assert!(
        said.contains("ok     audit log") && said.contains("ok     workers"),
        "{said}"
    );
}
