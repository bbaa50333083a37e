//! Jobs: looked at, and run again.

use axum::http::StatusCode;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel};
use usher_shared::{
    foundation::{
        entity::{
            job::{self, JobState},
            job_attempt::{self, AttemptOutcome},
            job_queue, job_schedule,
            mail::{self, MailState},
        },
        time::now,
    },
    jobs::{self, Schedule, VerifyEmail},
};
use usher_testkit::{TestDb, on_both};

use crate::app::TestApp;

/// A user's welcome job in this state.
async fn job(app: &TestApp, email: &str, state: JobState) -> job::Model {
    let user = app.add_user(email, "Ada").await;
    let jobs = job::Entity::find().all(&app.context.db).await.unwrap();
    let job = jobs.into_iter().find(|job| job.user_id == Some(user.id)).unwrap();
    let finished = (!matches!(state, JobState::Ready | JobState::Running)).then(now);
    let row = job::ActiveModel {
        state: Set(state),
        finished_at: Set(finished),
        attempt: Set(3),
        ..job.into_active_model()
    };
    row.update(&app.context.db).await.unwrap()
}

async fn state(app: &TestApp, job: &job::Model) -> JobState {
    job::Entity::find_by_id(job.id)
        .one(&app.context.db)
        .await
        .unwrap()
        .unwrap()
        .state
}

#[on_both]
async fn a_jobs_page_tells_its_story(db: TestDb) {
    let app = TestApp::start(db).await;
    let job = job(&app, "ada@example.org", JobState::Dead).await;
    let attempt = job_attempt::ActiveModel {
        job_id: Set(job.id),
        attempt: Set(3),
        outcome: Set(AttemptOutcome::GaveUp),
        error: Set("550 <no> such mailbox".to_owned()),
        worker: Set(None),
        finished_at: Set(now()),
        ..Default::default()
    };
    attempt.insert(&app.context.db).await.unwrap();
    let parent = crate::jobs::job(&app, "parent@example.org", JobState::Ready).await;
    let row = job::ActiveModel {
        parent_id: Set(Some(parent.id)),
        ..job.clone().into_active_model()
    };
    row.update(&app.context.db).await.unwrap();
    let mut visitor = app.superuser().await;
    app.take_statements();
    let page = visitor.get(&format!("/admin/jobs/{}", job.id)).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(app.take_statements().len() <= 4);
    for text in [
        "Dead",
        "user_id",
        "550 &#60;no&#62; such mailbox",
        "Gave up",
        "ada@example.org",
        "Retry",
    ] {
        assert!(page.has(text), "{text}: {}", page.body);
    }
    assert!(page.has(&format!("href=\"/admin/users/{}\"", job.user_id.unwrap())));
    assert!(page.has(&format!(
        "<a href=\"/admin/jobs/{}\" title=\"{0}\">welcome_email</a>",
        parent.id
    )));
    assert!(!page.has("lease_token") && !page.has("Lease token"));
}

#[on_both]
async fn jobs_are_filtered_by_state_kind_queue_and_user(db: TestDb) {
    let app = TestApp::start(db).await;
    let dead = job(&app, "dead@example.org", JobState::Dead).await;
    job(&app, "done@example.org", JobState::Done).await;
    let mut visitor = app.superuser().await;
    for (query, count) in [
        ("state=dead", 1),
        ("state=done", 1),
        ("kind=welcome_email", 2),
        ("kind=nothing", 0),
        ("queue=mail", 2),
        ("queue=default", 0),
        ("q=welcome_email", 2),
        ("q=state%3Adead", 1),
    ] {
        assert_eq!(
            visitor.get(&format!("/admin/jobs?{query}")).await.objects().len(),
            count,
            "{query}"
        );
    }
    let of_user = format!("/admin/jobs?user_id={}", dead.user_id.unwrap());
    assert_eq!(visitor.get(&of_user).await.objects().len(), 1);
    let by_id = format!("/admin/jobs?q={}", dead.id);
    assert_eq!(visitor.get(&by_id).await.objects().len(), 1);
}

#[on_both]
async fn a_finished_job_runs_again_with_an_audit_row(db: TestDb) {
    let app = TestApp::start(db).await;
    let dead = job(&app, "dead@example.org", JobState::Dead).await;
    let mut visitor = app.superuser().await;
    let id = dead.id.to_string();
    visitor.get(&format!("/admin/jobs/{id}")).await;
    let page = visitor
        .post(
            "/admin/jobs/actions",
            &[("action", "retry"), ("id", &id), ("from_object", &id)],
        )
        .await;
    assert_eq!(page.location(), format!("/admin/jobs/{id}"), "{}", page.body);
    assert!(
        visitor
            .get(&format!("/admin/jobs/{id}"))
            .await
            .has("1 job queued for retry")
    );
    assert_eq!(state(&app, &dead).await, JobState::Ready);
    let entry = app.audit().await.pop().unwrap();
    assert_eq!(
        (entry.action.as_str(), entry.object_type.as_str(), entry.object_id),
        ("retry", "job", Some(id))
    );
}

#[on_both]
async fn ticked_jobs_run_again_and_the_unfit_are_left_alone(db: TestDb) {
    let app = TestApp::start(db).await;
    let jobs = [
        job(&app, "a@example.org", JobState::Dead).await,
        job(&app, "b@example.org", JobState::Cancelled).await,
        job(&app, "c@example.org", JobState::Running).await,
    ];
    let ids: Vec<_> = jobs.iter().map(|job| job.id.to_string()).collect();
    let mut visitor = app.superuser().await;
    let list = visitor.get("/admin/jobs?kind=welcome_email").await;
    assert!(ids.iter().all(|id| list.has(&format!("name=\"id\" value=\"{id}\""))));
    let mut fields = vec![("action", "retry"), ("_list", "kind=welcome_email")];
    fields.extend(ids.iter().map(|id| ("id", id.as_str())));
    let asked = visitor.post("/admin/jobs/actions", &fields).await;
    assert!(
        asked.has("Retry: 2 jobs") && asked.has("1 job will be skipped"),
        "{}",
        asked.body
    );
    assert_eq!(
        state(&app, &jobs[0]).await,
        JobState::Dead,
        "nothing is done before it is confirmed"
    );
    fields.push(("_confirmed", "yes"));
    let page = visitor.post("/admin/jobs/actions", &fields).await;
    assert_eq!(page.location(), "/admin/jobs?kind=welcome_email");
    let list = visitor.get(page.location()).await;
    assert!(
        list.has("2 jobs queued for retry; 1 skipped: only finished jobs can be retried"),
        "{}",
        list.body
    );
    assert_eq!(state(&app, &jobs[2]).await, JobState::Running);

    let none = visitor.post("/admin/jobs/actions", &[("action", "retry")]).await;
    assert!(visitor.get(none.location()).await.has("Select one or more jobs"));
    let nothing = visitor
        .post("/admin/jobs/actions", &[("action", ""), ("id", &ids[0])])
        .await;
    assert!(visitor.get(nothing.location()).await.has("Choose an action first"));
    let unknown = visitor
        .post("/admin/jobs/actions", &[("action", "explode"), ("id", &ids[0])])
        .await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
}

#[on_both]
async fn of_dead_jobs_with_one_unique_key_one_runs_again(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut ids = vec![];
    for number in 0..5 {
        let dead = job(&app, &format!("k{number}@example.org"), JobState::Dead).await;
        ids.push(dead.id.to_string());
        let row = job::ActiveModel {
            unique_key: Set(Some("one".to_owned())),
            ..dead.into_active_model()
        };
        row.update(&app.context.db).await.unwrap();
    }
    let other = job(&app, "other@example.org", JobState::Dead).await;
    ids.push(other.id.to_string());
    let mut visitor = app.superuser().await;
    visitor.get("/admin/jobs").await;
    let mut fields = vec![("action", "retry"), ("_confirmed", "yes")];
    fields.extend(ids.iter().map(|id| ("id", id.as_str())));
    let page = visitor.post("/admin/jobs/actions", &fields).await;
    let said = visitor.get(page.location()).await;
    assert!(
        said.has("2 jobs queued for retry; 4 skipped: another job with the same unique key"),
        "{} {}",
        page.status,
        said.body
    );
    assert_eq!(
        state(&app, &other).await,
        JobState::Ready,
        "what comes behind a refusal is done"
    );
}

#[on_both]
async fn a_job_whose_mail_is_out_does_not_run_again(db: TestDb) {
    let app = TestApp::start(db).await;
    for (number, (sent, said)) in [
        (MailState::Sent, true),
        (MailState::Kept, true),
        (MailState::Failed, false),
        (MailState::Unknown, false),
    ]
    .into_iter()
    .enumerate()
    {
        let done = job(&app, &format!("m{number}@example.org"), JobState::Done).await;
        let row = mail::ActiveModel {
            id: Set(uuid::Uuid::now_v7()),
            job_id: Set(Some(done.id)),
            kind: Set(done.kind.clone()),
            user_id: Set(done.user_id),
            to_address: Set(format!("m{number}@example.org")),
            subject: Set("Welcome".to_owned()),
            state: Set(sent),
            message_id: Set(format!("{number}@example.org")),
            created_at: Set(now()),
            ..Default::default()
        };
        mail::Entity::insert(row)
            .exec_without_returning(&app.context.db)
            .await
            .unwrap();
        let (mut visitor, id) = (app.superuser().await, done.id.to_string());
        visitor.get(&format!("/admin/jobs/{id}")).await;
        let page = visitor
            .post(
                "/admin/jobs/actions",
                &[("action", "retry"), ("id", &id), ("from_object", &id)],
            )
            .await;
        let page = visitor.get(page.location()).await;
        assert_eq!(
            page.has("its email was already sent. Send a new one"),
            said,
            "{sent:?}: {}",
            page.body
        );
        assert_eq!(
            state(&app, &done).await,
            if said { JobState::Done } else { JobState::Ready }
        );
    }
}

#[on_both]
async fn what_is_started_in_a_paused_queue_is_said_to_wait(db: TestDb) {
    let app = TestApp::start(db).await;
    let ready = job(&app, "ready@example.org", JobState::Ready).await;
    let dead = job(&app, "dead@example.org", JobState::Dead).await;
    app.context
        .job_store
        .declare(&[Schedule::new("nightly", "0 3 * * *", &VerifyEmail { user_id: 1 })])
        .await
        .unwrap();
    let schedule = job_schedule::Entity::find()
        .one(&app.context.db)
        .await
        .unwrap()
        .unwrap();
    let tx = app.context.job_store.begin().await.unwrap();
    jobs::pause_queue(&tx, "mail", Some("a test".to_owned())).await.unwrap();
    tx.commit().await.unwrap();
    let mut visitor = app.superuser().await;
    for (model, action, id, said) in [
        (
            "jobs",
            "run_now",
            ready.id.to_string(),
            "Nothing was done: its queue mail is paused",
        ),
        (
            "jobs",
            "retry",
            dead.id.to_string(),
            "1 job queued for retry; the queue mail is paused",
        ),
        (
            "schedules",
            "run_now",
            schedule.id.to_string(),
            "1 schedule started; the queue mail is paused",
        ),
    ] {
        visitor.get(&format!("/admin/{model}/{id}")).await;
        let page = visitor
            .post(
                &format!("/admin/{model}/actions"),
                &[("action", action), ("id", &id), ("from_object", &id)],
            )
            .await;
        let page = visitor.get(page.location()).await;
        assert!(page.has(said), "{model} {action}: {}", page.body);
    }
}

#[on_both]
async fn limits_of_a_queue_are_set_and_taken_away(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut boss = app.superuser().await;
    boss.get("/admin/queues/new").await;
    for (field, value, said) in [
        ("name", "no such/queue", "Use letters"),
        ("max_running", "0", "Enter a number from 1"),
        ("starts_per_minute", "many", "Enter a whole number"),
    ] {
        let mut fields = vec![("name", "mail"), ("max_running", "2"), ("starts_per_minute", "")];
        fields.retain(|(name, _)| *name != field);
        fields.push((field, value));
        let page = boss.post("/admin/queues/new", &fields).await;
        assert!(
            page.status == StatusCode::UNPROCESSABLE_ENTITY && page.has(said),
            "{field}={value}: {}",
            page.body
        );
    }
    let page = boss
        .post(
            "/admin/queues/new",
            &[
                ("name", "mail"),
                ("max_running", "2"),
                ("starts_per_minute", ""),
                ("_save", "continue"),
            ],
        )
        .await;
    assert_eq!(page.location(), "/admin/queues/mail", "{}", page.body);
    assert_eq!(
        app.context.job_store.limited(&["mail".to_owned()]).await.unwrap(),
        ["mail"]
    );
    let taken = boss
        .post(
            "/admin/queues/new",
            &[("name", "mail"), ("max_running", ""), ("starts_per_minute", "9")],
        )
        .await;
    assert!(
        taken.status == StatusCode::UNPROCESSABLE_ENTITY && taken.has("already listed"),
        "{}",
        taken.body
    );
    let page = boss.get("/admin/queues/mail").await;
    let version = page.input("version").unwrap();
    let fields = [
        ("version", version.as_str()),
        ("max_running", ""),
        ("starts_per_minute", "600"),
    ];
    assert_eq!(
        boss.post("/admin/queues/mail", &fields).await.status,
        StatusCode::SEE_OTHER
    );
    assert_eq!(
        boss.post(
            "/admin/queues/mail",
            &[
                ("version", version.as_str()),
                ("max_running", "1"),
                ("starts_per_minute", "")
            ]
        )
        .await
        .status,
        StatusCode::CONFLICT
    );
    let queue = job_queue::Entity::find().one(&app.context.db).await.unwrap().unwrap();
    assert_eq!((queue.max_running, queue.starts_per_minute), (None, Some(600)));
    let actions: Vec<_> = app
        .audit()
        .await
        .into_iter()
        .filter(|row| row.object_type == "queue")
        .map(|row| row.action)
        .collect();
    assert_eq!(actions, ["create", "update"]);
    assert!(
        boss.get("/admin/jobs/overview")
            .await
            .has("href=\"/admin/queues/mail\""),
        "limits are a click away from the overview"
    );
}

#[on_both]
async fn running_again_takes_its_own_permission(db: TestDb) {
    let app = TestApp::start(db).await;
    let dead = job(&app, "dead@example.org", JobState::Dead).await;
    let id = dead.id.to_string();
    let mut viewer = app.staff(&["jobs.view"]).await;
    assert!(!viewer.get(&format!("/admin/jobs/{id}")).await.has("Retry"));
    assert!(!viewer.get("/admin/jobs").await.has("Retry"));
    let page = viewer
        .post("/admin/jobs/actions", &[("action", "retry"), ("id", &id)])
        .await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert_eq!(state(&app, &dead).await, JobState::Dead);
    let mut runner = app.staff(&["jobs.view", "jobs.retry"]).await;
    runner.get("/admin/jobs").await;
    runner
        .post(
            "/admin/jobs/actions",
            &[("action", "retry"), ("id", &id), ("_confirmed", "yes")],
        )
        .await;
    assert_eq!(state(&app, &dead).await, JobState::Ready);
}
