//! A bulk action over many users, as a member of staff sees the worker carry it out.

use std::time::Duration;

use sea_orm::ConnectionTrait;
use usher_testkit::{TestDb, eventually, on_both};

use crate::{
    services::{EMAIL, PASSWORD, Production},
    staff::Staff,
};

const USERS: usize = 2_000;

#[on_both]
async fn the_progress_of_a_bulk_action_moves_by_itself(db: TestDb) {
    let production = Production::start(db, None).await;
    let connection = production.db.connect().await;
    // As many as the job needs some seconds for.
    let users = format!(
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {USERS})
         INSERT INTO users (email, email_key, name, search_text, created_at, updated_at)
         SELECT 'p' || n || '@example.com', 'p' || n || '@example.com', 'Person ' || n, 'person ' || n, {now}, {now}
           FROM numbers",
        now = if production.db.is_postgres() {
            "now()"
        } else {
            "'2026-01-01T00:00:00.000000+00:00'"
        },
    );
    connection.execute_unprepared(&users).await.expect("users");
    let (_api, _admin) = tokio::join!(production.start_api(), production.start_admin());
    let staff = Staff::sign_in(&production.admin, EMAIL, PASSWORD).await;
    let browser = &staff.browser;
    browser.goto(&format!("{}/users?q=person", staff.admin)).await;
    browser.click("[data-all]").await;
    browser.script("document.querySelector('#action').value = 'lock'").await;
    browser.click("#actions button").await;
    browser.fill("#ask-reason", "A leak").await;
    browser.click(".confirm-buttons .primary").await;
    browser.text("progress").await; // the job's page has come
    browser.script("window.isTheSame = true").await;

    let _worker = production.start_worker().await;
    let mut seen = vec![];
    let look = "return [document.querySelector('progress').value, document.querySelector('.title .badge').textContent]";
    eventually(Duration::from_secs(60), "the job is done", async || {
        let now = browser.script(look).await;
        let percent = now[0].as_i64().expect("a number");
        if seen.last() != Some(&percent) {
            seen.push(percent);
        }
        (now[1] == "Done").then_some(())
    })
    .await;
    assert!(
        seen.len() >= 4 && seen.is_sorted() && seen.last() == Some(&100),
        "{seen:?}"
    );
    let same = browser.script("return window.isTheSame === true").await;
    assert_eq!(same, true, "the page was never loaded again");
    assert!(browser.page_text().await.contains("2,000 of 2,000"));
    staff.expect_clean_pages().await;
}
