//! The dashboard counts what happened when it happened.

use sea_orm::ConnectionTrait;
use usher_shared::foundation::time::now;
use usher_testkit::{TestDb, on_both};

use crate::app::{TestApp, between};

/// The number that a plot's table has for the row with this name.
fn bar<'a>(page: &'a str, plot: &str, row: &str) -> &'a str {
    let table = between(page, &format!("<caption>{plot}</caption>"), "</table>");
    between(table, &format!("<th scope=\"row\">{row}</th><td>"), "</td>")
}

#[on_both]
async fn sign_ups_and_log_ins_are_counted_by_day_and_jobs_by_hour(db: TestDb) {
    let app = TestApp::start(db).await;
    for number in 0..3 {
        app.add_user(&format!("person{number}@example.com"), "Ada").await;
    }
    let days_ago = |days| now().date_naive() - chrono::Days::new(days);
    let (day, before) = (days_ago(2), days_ago(3));
    for (moment, who) in [
        (format!("{day}T00:00:00+00:00"), "%"),
        (format!("{before}T23:59:59+00:00"), "person0@%"),
    ] {
        let moved = format!("UPDATE users SET created_at = '{moment}' WHERE email LIKE '{who}'");
        app.context.db.execute_unprepared(&moved).await.unwrap();
    }
    let hour = now() - chrono::TimeDelta::hours(2);
    let done = format!(
        "UPDATE jobs SET state = 'done', finished_at = '{}'",
        hour.format("%Y-%m-%dT%H:30:00+00:00")
    );
    app.context.db.execute_unprepared(&done).await.unwrap();

    let page = app.superuser().await.get("/admin/").await;
    assert_eq!(
        bar(&page.body, "Sign-ups per day", &day.to_string()),
        "3",
        "two of them, and the superuser"
    );
    assert_eq!(bar(&page.body, "Sign-ups per day", &before.to_string()), "1");
    let jobs = bar(
        &page.body,
        "Jobs done per hour",
        &hour.format("%Y-%m-%d %H:00 UTC").to_string(),
    )
    .to_owned();
    assert_eq!(jobs, "3");
    let today = now().date_naive().to_string();
    assert_eq!(bar(&page.body, "Sign-ins per day", &today), "1", "one's own");

    // What is over is not counted again, what is not is: the next page knows of today's, not of a row put into the
    // past.
    let sql = format!("UPDATE users SET created_at = '{day}T01:00:00+00:00' WHERE email LIKE 'person0@%'");
    app.context.db.execute_unprepared(&sql).await.unwrap();
    app.add_user("today@example.com", "Grace").await;
    let mut again = app.superuser().await;
    let page = again.get("/admin/").await;
    assert_eq!(bar(&page.body, "Sign-ups per day", &day.to_string()), "3");
    let today = now().date_naive().to_string();
    assert_eq!(bar(&page.body, "Sign-ups per day", &today), "1");
    let sign_ins = bar(&page.body, "Sign-ins per day", &today);
    assert!(
        ["1", "2"].contains(&sign_ins),
        "midnight may lie between the two: {sign_ins}"
    );
    let mut viewer = app.staff(&["users.view"]).await;
    let page = viewer.get("/admin/").await;
    assert!(page.has("Sign-ups per day") && !page.has("Sign-ins per day") && !page.has("Jobs done per hour"));
}
