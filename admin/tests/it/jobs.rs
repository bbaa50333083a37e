//! Jobs: looked at, and run again.

use axum::http::StatusCode;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel};
use usher_shared::{
    entity::{
        job::{self, JobState},
        job_attempt::{self, AttemptOutcome},
    },
    time::now,
};
use usher_testkit::on_both;

use crate::app::TestApp;

/// A user's welcome job in this state.
async fn job(app: &TestApp, email: &str, state: JobState) -> job::Model {
    let user = app.add_user(email, "Ada").await;
    let jobs = job::Entity::find().all(&app.house.db).await.unwrap();
    let job = jobs.into_iter().find(|job| job.user_id == Some(user.id)).unwrap();
    let finished = (!matches!(state, JobState::Ready | JobState::Running)).then(now);
    let row = job::ActiveModel {
        state: Set(state),
        finished_at: Set(finished),
        attempt: Set(3),
        ..job.into_active_model()
    };
    row.update(&app.house.db).await.unwrap()
}

async fn state(app: &TestApp, job: &job::Model) -> JobState {
    job::Entity::find_by_id(job.id)
        .one(&app.house.db)
        .await
        .unwrap()
        .unwrap()
        .state
}

on_both! {
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
        attempt.insert(&app.house.db).await.unwrap();
        let parent = crate::jobs::job(&app, "parent@example.org", JobState::Ready).await;
        let row = job::ActiveModel { parent_id: Set(Some(parent.id)), ..job.clone().into_active_model() };
        row.update(&app.house.db).await.unwrap();
        let mut visitor = app.superuser().await;
        app.take_statements();
        let page = visitor.get(&format!("/admin/jobs/{}", job.id)).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(app.take_statements().len() <= 4);
        for text in ["Dead", "user_id", "550 &#60;no&#62; such mailbox", "Gave up", "ada@example.org", "Run again"] {
            assert!(page.has(text), "{text}: {}", page.body);
        }
        assert!(page.has(&format!("href=\"/admin/users/{}\"", job.user_id.unwrap())));
        assert!(page.has(&format!("<a href=\"/admin/jobs/{}\" title=\"{0}\">welcome_email</a>", parent.id)));
        assert!(!page.has("lease_token") && !page.has("Lease token"));
    }

    async fn jobs_are_filtered_by_state_kind_queue_and_user(db: TestDb) {
        let app = TestApp::start(db).await;
        let dead = job(&app, "dead@example.org", JobState::Dead).await;
        job(&app, "done@example.org", JobState::Done).await;
        let mut visitor = app.superuser().await;
        for (query, count) in [("state=dead", 1), ("state=done", 1), ("kind=welcome_email", 2), ("kind=nothing", 0), ("queue=mail", 2),
                               ("queue=default", 0), ("q=welcome_email", 2), ("q=state%3Adead", 1)] {
            assert_eq!(visitor.get(&format!("/admin/jobs?{query}")).await.objects().len(), count, "{query}");
        }
        let of_user = format!("/admin/jobs?user_id={}", dead.user_id.unwrap());
        assert_eq!(visitor.get(&of_user).await.objects().len(), 1);
        let by_id = format!("/admin/jobs?q={}", dead.id);
        assert_eq!(visitor.get(&by_id).await.objects().len(), 1);
    }

    async fn a_finished_job_runs_again_with_an_audit_row(db: TestDb) {
        let app = TestApp::start(db).await;
        let dead = job(&app, "dead@example.org", JobState::Dead).await;
        let mut visitor = app.superuser().await;
        let id = dead.id.to_string();
        visitor.get(&format!("/admin/jobs/{id}")).await;
        let page = visitor.post("/admin/jobs/actions", &[("action", "retry"), ("id", &id), ("from_object", &id)]).await;
        assert_eq!(page.location(), format!("/admin/jobs/{id}"), "{}", page.body);
        assert!(visitor.get(&format!("/admin/jobs/{id}")).await.has("1 job will run again"));
        assert_eq!(state(&app, &dead).await, JobState::Ready);
        let entry = app.audit().await.pop().unwrap();
        assert_eq!((entry.action.as_str(), entry.object_type.as_str(), entry.object_id), ("retry", "job", Some(id)));
    }

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
        assert!(asked.has("Run again: 2 jobs") && asked.has("1 job will be left alone"), "{}", asked.body);
        assert_eq!(state(&app, &jobs[0]).await, JobState::Dead, "nothing is done before it is confirmed");
        fields.push(("_confirmed", "yes"));
        let page = visitor.post("/admin/jobs/actions", &fields).await;
        assert_eq!(page.location(), "/admin/jobs?kind=welcome_email");
        let list = visitor.get(page.location()).await;
        assert!(list.has("2 jobs will run again; 1 left alone: only finished jobs can run again"), "{}", list.body);
        assert_eq!(state(&app, &jobs[2]).await, JobState::Running);

        let none = visitor.post("/admin/jobs/actions", &[("action", "retry")]).await;
        assert!(visitor.get(none.location()).await.has("Tick the jobs"));
        let nothing = visitor.post("/admin/jobs/actions", &[("action", ""), ("id", &ids[0])]).await;
        assert!(visitor.get(nothing.location()).await.has("Choose an action first"));
        let unknown = visitor.post("/admin/jobs/actions", &[("action", "explode"), ("id", &ids[0])]).await;
        assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
    }

    async fn running_again_takes_its_own_permission(db: TestDb) {
        let app = TestApp::start(db).await;
        let dead = job(&app, "dead@example.org", JobState::Dead).await;
        let id = dead.id.to_string();
        let mut viewer = app.staff(&["jobs.view"]).await;
        assert!(!viewer.get(&format!("/admin/jobs/{id}")).await.has("Run again"));
        assert!(!viewer.get("/admin/jobs").await.has("Run again"));
        let page = viewer.post("/admin/jobs/actions", &[("action", "retry"), ("id", &id)]).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        assert_eq!(state(&app, &dead).await, JobState::Dead);
        let mut runner = app.staff(&["jobs.view", "jobs.retry"]).await;
        runner.get("/admin/jobs").await;
        runner.post("/admin/jobs/actions", &[("action", "retry"), ("id", &id), ("_confirmed", "yes")]).await;
        assert_eq!(state(&app, &dead).await, JobState::Ready);
    }
}
