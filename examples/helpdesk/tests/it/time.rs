//! Time that a test stops and moves.

use chrono::{DateTime, TimeDelta, Utc};
use helpdesk::{
    project,
    tickets::{MarkOverdue, READ, TicketOpened},
};
use sea_orm::{EntityTrait, QueryOrder};
use serde::{Deserialize, Serialize};
use serde_json::json;
use usher::{
    App,
    entity::job::{self, JobState},
    jobs::{EnqueueOptions, Job, enqueue_with},
    time::{first_id, now},
    worker::{JobContext, JobError, Policy},
};
use usher_test::{TestDb, TestProject, on_both};

#[on_both]
async fn a_ticket_is_overdue_after_two_days(db: TestDb) {
    let helpdesk = TestProject::open(project(), db).await;
    let (ada, desk) = (
        helpdesk.person("Ada Lovelace", "ada@example.org").await,
        helpdesk.key(&[READ]).await,
    );
    let ticket = json!({"subject": "Help", "body": "Now"});
    ada.post("/tickets", &ticket).await.expect(201);

    helpdesk.travel(TimeDelta::hours(47));
    helpdesk.run_jobs().await;
    assert_eq!(desk.get("/tickets/1").await.expect(200)["is_overdue"], false);

    helpdesk.travel(TimeDelta::hours(2));
    helpdesk.run_jobs().await;
    assert_eq!(desk.get("/tickets/1").await.expect(200)["is_overdue"], true);
}

#[on_both]
async fn sessions_end_when_their_time_has_passed(db: TestDb) {
    let helpdesk = TestProject::open(project(), db).await;
    let (ada, staff) = (
        helpdesk.person("Ada Lovelace", "ada@example.org").await,
        helpdesk.superuser().await,
    );
    ada.get("/tickets").await.expect(200);
    staff.get("/admin/tickets").await.expect(200);
    helpdesk.travel(TimeDelta::hours(2));
    ada.get("/tickets").await.expect(401);
    let page = staff.get("/admin/tickets").await.expect(303);
    assert!(page.location.starts_with("/admin/login"), "{}", page.location);
    helpdesk.travel_back();
    ada.get("/tickets").await.expect(200);
}

#[on_both]
async fn a_job_of_tomorrow_runs_tomorrow(db: TestDb) {
    let helpdesk = TestProject::open(project(), db).await;
    let ada = helpdesk.person("Ada Lovelace", "ada@example.org").await;
    let ticket = json!({"subject": "My engine is stuck", "body": "It does not move."});
    ada.post("/tickets", &ticket).await.expect(201);
    let tx = helpdesk.app.job_store.begin().await.expect("a transaction");
    let tomorrow = EnqueueOptions::at(now() + TimeDelta::days(1));
    let job = enqueue_with(&tx, TicketOpened { ticket_id: 1 }, tomorrow).await;
    job.expect("a job");
    tx.commit().await.expect("a commit");

    helpdesk.run_jobs().await;
    let before = helpdesk.mails("ada@example.org").await.len();
    helpdesk.travel(TimeDelta::days(1));
    helpdesk.run_jobs().await;
    assert_eq!(helpdesk.mails("ada@example.org").await.len(), before + 1);
}

#[on_both]
async fn what_happens_while_time_stands_has_one_time(db: TestDb) {
    let helpdesk = TestProject::open(project(), db).await;
    let at: DateTime<Utc> = "2031-05-04T10:00:00Z".parse().expect("a time");
    helpdesk.freeze(at);
    helpdesk.run_jobs().await; // the schedules of the years until then
    for _ in 0..3 {
        helpdesk.enqueue(MarkOverdue {}).await;
    }
    helpdesk.run_jobs().await;
    let newest = job::Entity::find().order_by_desc(job::Column::Id);
    let newest = newest.all(&helpdesk.app.db).await.expect("jobs");
    for job in &newest[..3] {
        assert_eq!((job.kind.as_str(), job.state), ("mark_overdue", JobState::Done));
        assert_eq!(
            (job.created_at, job.started_at, job.finished_at),
            (at, Some(at), Some(at))
        );
        assert!(first_id(at) <= job.id && job.id < first_id(at + TimeDelta::milliseconds(1)));
    }
}

#[on_both]
async fn tickets_are_closed_that_nobody_has_touched_for_long(db: TestDb) {
    let helpdesk = TestProject::open(project(), db).await;
    let ada = helpdesk.person("Ada Lovelace", "ada@example.org").await;
    let (ticket, desk) = (json!({"subject": "Help", "body": "Now"}), helpdesk.key(&[READ]).await);
    ada.post("/tickets", &ticket).await.expect(201);
    helpdesk.travel(TimeDelta::minutes(10));
    ada.post("/tickets", &ticket).await.expect(201);
    helpdesk.travel(TimeDelta::days(90) - TimeDelta::minutes(5));
    helpdesk.command("close-old-tickets", &["--days", "90"]).await;
    let [first, second] = [desk.get("/tickets/1").await, desk.get("/tickets/2").await];
    assert_eq!(first.header("etag"), "\"2\"");
    assert_eq!(
        [&first.expect(200)["state"], &second.expect(200)["state"]],
        [&json!("closed"), &json!("open")]
    );
}

/// Fails at first.
#[derive(Serialize, Deserialize)]
struct Stubborn {}

impl Job for Stubborn {
    const KIND: &'static str = "stubborn";
}

async fn stubborn(_: Stubborn, context: JobContext) -> Result<(), JobError> {
    match context.job.attempt {
        1 => Err(JobError::retry("not yet")),
        _ => Ok(()),
    }
}

#[on_both]
async fn a_retry_comes_when_its_pause_has_passed(db: TestDb) {
    let app = App::new("examples").job::<Stubborn>(Policy::DEFAULT, stubborn);
    let helpdesk = TestProject::open(project().app(app), db).await;
    let of_job = || job::Entity::find().order_by_desc(job::Column::Id);
    helpdesk.freeze(now());
    helpdesk.enqueue(Stubborn {}).await;
    helpdesk.run_jobs().await;
    let job = of_job().one(&helpdesk.app.db).await.expect("a query").expect("a job");
    assert_eq!((job.state, job.attempt), (JobState::Ready, 1));
    assert!(job.run_at > now());
    helpdesk.travel(TimeDelta::minutes(1));
    helpdesk.run_jobs().await;
    let job = job::Entity::find_by_id(job.id).one(&helpdesk.app.db).await;
    let job = job.expect("a query").expect("a job");
    assert_eq!((job.state, job.attempt), (JobState::Done, 2));
}
