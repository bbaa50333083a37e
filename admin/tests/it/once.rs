//! A form does what it asks once: sent twice, ten times at once, after a failure and with other words in it. The routes
//! are the router's own; a new one fails this test until somebody has written down a form of it.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use chrono::TimeDelta;
use futures::future::join_all;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ConnectionTrait, EntityTrait, Statement, sea_query::Expr};
use serde_json::json;
use usher_admin::{AppState, paths};
use usher_shared::{
    accounts::{
        api_keys::{self, Scope},
        staff::imports,
    },
    audit::Actor,
    foundation::{
        entity::{
            job::{self, JobState},
            mail_breaker, session, spent_form_token,
        },
        time::now,
    },
    jobs::{self, Schedule, VerifyEmail, mail_suppressions},
};
use usher_testkit::{TestDb, on_both};

use crate::{
    app::{ADMIN, PASSWORD, Page, TestApp, Visitor, between},
    mfa::code,
};

const FILE: &str = "email,name\r\nfresh@example.org,Fresh\r\n";

/// A form on a page, filled in.
struct Form {
    visitor: Visitor,
    path: String,
    fields: Vec<(&'static str, String)>,
    is_file: bool,
}

impl Form {
    /// Sends it with this token, as a browser that has the same cookies.
    async fn send(&self, token: &str, more: &[(&str, &str)]) -> (Visitor, Page) {
        let mut visitor = self.visitor.clone();
        if self.is_file {
            let part = |head: &str, body: &str| {
                format!("--boundary\r\nContent-Disposition: form-data; {head}\r\n\r\n{body}\r\n")
            };
            let body = [
                part("name=\"csrf_token\"", token),
                part("name=\"file\"; filename=\"people.csv\"\r\nContent-Type: text/csv", FILE),
                "--boundary--\r\n".to_owned(),
            ];
            let page = visitor
                .post_body(&self.path, "multipart/form-data; boundary=boundary", body.concat())
                .await;
            return (visitor, page);
        }
        let own = self.fields.iter().map(|(name, value)| (*name, value.as_str()));
        let fields: Vec<_> = [("csrf_token", token)]
            .into_iter()
            .chain(own)
            .chain(more.iter().copied())
            .collect();
        let page = visitor.post_without_token(&self.path, &fields).await;
        (visitor, page)
    }
}

/// What a test of a route needs: people, and objects that nobody has touched yet.
struct World<'a> {
    app: &'a TestApp,
    number: usize,
}

impl World<'_> {
    fn name(&self, what: &str) -> String {
        format!("{what}{}", self.number)
    }

    async fn user(&self) -> i64 {
        let email = format!("{}@example.org", self.name("person"));
        self.app.add_user(&email, "Some Body").await.id
    }

    async fn boss(&self) -> Visitor {
        self.app.superuser().await
    }

    /// A confirmed second factor of a new member of staff, who has given the password.
    async fn owes_code(&self) -> (Visitor, String) {
        let email = format!("{}@example.org", self.name("coded"));
        let person = self.app.add_staff(&email, &[]).await;
        let (_, secret) = self.app.add_factor_with_secret(person.id).await;
        let mut visitor = self.app.anonymous();
        visitor.sign_in(&email, PASSWORD).await;
        (visitor, secret)
    }

    async fn job(&self, state: JobState) -> String {
        let user = self.user().await;
        let jobs = job::Entity::find().all(&self.app.context.db).await.unwrap();
        let job = jobs.into_iter().find(|job| job.user_id == Some(user)).unwrap();
        let id = job.id.to_string();
        let finished = (state != JobState::Ready).then(now);
        let row = job::ActiveModel {
            state: Set(state),
            finished_at: Set(finished),
            ..job.into()
        };
        row.update(&self.app.context.db).await.unwrap();
        id
    }

    /// A form of this route; nothing where the route takes no form that changes anything.
    async fn form(&self, route: &str, model: &str) -> Option<Form> {
        let db = &self.app.context.db;
        let own = |id: &str| {
            ["action", "id", "from_object", "_confirmed", "reason"]
                .into_iter()
                .zip(["", id, id, "yes", "as asked"].map(str::to_owned))
                .collect::<Vec<_>>()
        };
        let act = |action: &str, id: String| {
            let mut fields = own(&id);
            fields[0].1 = action.to_owned();
            fields
        };
        let none = Vec::new;
        let (mut visitor, path, fields) = match (route, model) {
            ("/admin/theme" | "/admin/mfa/saved" | "/admin/reauthenticate", _) => return None,
            ("/admin/login", _) => {
                let fields = vec![
                    ("email", ADMIN.to_owned()),
                    ("password", PASSWORD.to_owned()),
                    ("next", String::new()),
                ];
                let mut visitor = self.app.anonymous();
                visitor.get("/admin/login").await;
                return Some(Form {
                    visitor,
                    path: route.to_owned(),
                    fields,
                    is_file: false,
                });
            }
            ("/admin/logout", _) => (self.boss().await, route.to_owned(), none()),
            ("/admin/mfa", _) => {
                let (mut visitor, secret) = self.owes_code().await;
                visitor.get("/admin/mfa").await;
                let fields = vec![("code", code(&secret, 0)), ("next", String::new())];
                return Some(Form {
                    visitor,
                    path: route.to_owned(),
                    fields,
                    is_file: false,
                });
            }
            ("/admin/mfa/enrol", _) => {
                let email = format!("{}@example.org", self.name("enrols"));
                self.app.add_staff(&email, &[]).await;
                let mut visitor = self.app.signed_in(&email).await;
                let page = visitor.get("/admin/mfa/enrol").await;
                let secret = between(&page.body, "<dt>Secret</dt><dd><code>", "</code>").replace(' ', "");
                let fields = vec![("code", code(&secret, 0)), ("next", String::new())];
                return Some(Form {
                    visitor,
                    path: route.to_owned(),
                    fields,
                    is_file: false,
                });
            }
            ("/admin/account/password", _) => {
                let email = format!("{}@example.org", self.name("owner"));
                self.app.add_staff(&email, &[]).await;
                let new = "quite another set of words".to_owned();
                let fields = vec![("present", PASSWORD.to_owned()), ("new", new.clone()), ("again", new)];
                (self.app.signed_in(&email).await, route.to_owned(), fields)
            }
            ("/admin/account/factors/{id}/remove" | "/admin/account/recovery-codes", _) => {
                let (mut visitor, secret) = self.owes_code().await;
                visitor.get("/admin/mfa").await;
                let page = visitor
                    .post("/admin/mfa", &[("code", &code(&secret, 0)), ("next", "")])
                    .await;
                assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.body);
                let page = visitor.get("/admin/account").await;
                let id = between(&page.body, "/admin/account/factors/", "/remove").to_owned();
                (visitor, route.replace("{id}", &id), none())
            }
            ("/admin/account/sessions/revoke", _) => {
                let email = format!("{}@example.org", self.name("twice"));
                self.app.add_staff(&email, &[]).await;
                self.app.signed_in(&email).await;
                (self.app.signed_in(&email).await, route.to_owned(), none())
            }
            ("/admin/impersonation/end", _) => {
                let user = self.user().await.to_string();
                let mut boss = self.boss().await;
                boss.get("/admin/").await;
                let fields = act("impersonate", user);
                let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
                assert_eq!(
                    boss.post("/admin/users/actions", &fields).await.status,
                    StatusCode::SEE_OTHER
                );
                (boss, route.to_owned(), none())
            }
            ("/admin/users/import", _) => {
                let mut visitor = self.boss().await;
                visitor.get(route).await;
                return Some(Form {
                    visitor,
                    path: route.to_owned(),
                    fields: none(),
                    is_file: true,
                });
            }
            ("/admin/users/import/{id}", _) => {
                let tx = self.app.context.job_store.begin().await.unwrap();
                let id = imports::check(
                    &tx,
                    "people.csv",
                    FILE.as_bytes(),
                    imports::Blank::Keep,
                    &Actor::system(),
                )
                .await
                .unwrap();
                tx.commit().await.unwrap();
                let dry = job::Entity::find_by_id(id).one(db).await.unwrap().unwrap();
                let result =
                    json!({"rows": 1, "new": 1, "changed": 0, "unchanged": 0, "faulty": 0, "faults": [], "file": id});
                let row = job::ActiveModel {
                    state: Set(JobState::Done),
                    result: Set(Some(result)),
                    finished_at: Set(Some(now())),
                    ..dry.into()
                };
                row.update(db).await.unwrap();
                (self.boss().await, format!("/admin/users/import/{id}"), none())
            }
            ("/admin/jobs/overview", _) => (
                self.boss().await,
                route.to_owned(),
                vec![("queue", self.name("queue")), ("action", "pause".to_owned())],
            ),
            ("/admin/{model}/columns", _) => (
                self.boss().await,
                format!("/admin/{model}/columns"),
                vec![("column", "name".to_owned())],
            ),
            ("/admin/{model}/new", "users") => {
                let fields = vec![
                    ("name", "New One".to_owned()),
                    ("email", format!("{}@example.org", self.name("new"))),
                    ("age", String::new()),
                ];
                (self.boss().await, "/admin/users/new".to_owned(), fields)
            }
            ("/admin/{model}/new", "roles") => {
                let fields = vec![
                    ("name", self.name("role")),
                    ("description", String::new()),
                    ("permission", "users.view".to_owned()),
                ];
                (self.boss().await, "/admin/roles/new".to_owned(), fields)
            }
            ("/admin/{model}/new", "api_keys") => {
                let empty = ["allowed_cidrs", "requests_per_minute", "expires_at"].map(|name| (name, String::new()));
                let fields = [("name", self.name("key")), ("scope", "users:read".to_owned())]
                    .into_iter()
                    .chain(empty);
                (self.boss().await, "/admin/api_keys/new".to_owned(), fields.collect())
            }
            ("/admin/{model}/new", "queues") => {
                let fields = vec![
                    ("name", self.name("queue")),
                    ("max_running", "3".to_owned()),
                    ("starts_per_minute", String::new()),
                ];
                (self.boss().await, "/admin/queues/new".to_owned(), fields)
            }
            ("/admin/{model}/{id}", "users") => {
                let id = self.user().await;
                let person = self.app.user(id).await;
                let fields = vec![
                    ("version", person.version.to_string()),
                    ("email", person.email),
                    ("name", self.name("Renamed ")),
                    ("age", String::new()),
                    ("status", "active".to_owned()),
                ];
                (self.boss().await, format!("/admin/users/{id}"), fields)
            }
            ("/admin/{model}/{id}", "roles") => {
                let mut boss = self.boss().await;
                boss.get("/admin/roles/new").await;
                boss.post("/admin/roles/new", &[("name", &self.name("old")), ("description", "")])
                    .await;
                let roles = usher_shared::foundation::entity::role::Entity::find()
                    .all(db)
                    .await
                    .unwrap();
                let role = roles.into_iter().find(|role| role.name == self.name("old")).unwrap();
                let fields = vec![
                    ("version", role.version.to_string()),
                    ("name", self.name("other")),
                    ("description", String::new()),
                ];
                (boss, format!("/admin/roles/{}", role.id), fields)
            }
            ("/admin/{model}/{id}", "api_keys") => {
                let (key, _) = api_keys::create(db, &self.name("key"), &[Scope::USERS_READ], None, None)
                    .await
                    .unwrap();
                let empty = ["allowed_cidrs", "requests_per_minute", "expires_at"].map(|name| (name, String::new()));
                let own = [
                    ("version", key.version.to_string()),
                    ("name", self.name("renamed")),
                    ("scope", "users:read".to_owned()),
                ];
                (
                    self.boss().await,
                    format!("/admin/api_keys/{}", key.id),
                    own.into_iter().chain(empty).collect(),
                )
            }
            ("/admin/{model}/{id}", "schedules") => {
                let schedule = self.schedule().await;
                let fields = [
                    ("row_version", schedule.row_version.to_string()),
                    ("cron", "30 4 * * *".to_owned()),
                    ("time_zone", "UTC".to_owned()),
                    ("catch_up", "one".to_owned()),
                    ("enabled", "true".to_owned()),
                ];
                (
                    self.boss().await,
                    format!("/admin/schedules/{}", schedule.id),
                    fields.into(),
                )
            }
            ("/admin/{model}/{id}", "queues") => {
                let name = self.name("limited");
                self.pause(&name).await;
                let fields = vec![
                    ("version", "1".to_owned()),
                    ("max_running", "2".to_owned()),
                    ("starts_per_minute", String::new()),
                ];
                (self.boss().await, format!("/admin/queues/{name}"), fields)
            }
            ("/admin/{model}/actions", "users") => (
                self.boss().await,
                "/admin/users/actions".to_owned(),
                act("send_password_reset", self.user().await.to_string()),
            ),
            ("/admin/{model}/actions", "jobs") => (
                self.boss().await,
                "/admin/jobs/actions".to_owned(),
                act("retry", self.job(JobState::Dead).await),
            ),
            ("/admin/{model}/actions", "schedules") => (
                self.boss().await,
                "/admin/schedules/actions".to_owned(),
                act("run_now", self.schedule().await.id.to_string()),
            ),
            ("/admin/{model}/actions", "api_keys") => {
                let (key, _) = api_keys::create(db, &self.name("key"), &[Scope::USERS_READ], None, None)
                    .await
                    .unwrap();
                (
                    self.boss().await,
                    "/admin/api_keys/actions".to_owned(),
                    act("revoke", key.id.to_string()),
                )
            }
            ("/admin/{model}/actions", "sessions") => {
                let email = format!("{}@example.org", self.name("gone"));
                let person = self.app.add_staff(&email, &[]).await;
                self.app.signed_in(&email).await;
                let sessions = session::Entity::find().all(db).await.unwrap();
                let session = sessions
                    .into_iter()
                    .find(|session| session.user_id == person.id)
                    .unwrap();
                (
                    self.boss().await,
                    "/admin/sessions/actions".to_owned(),
                    act("revoke", session.id.to_string()),
                )
            }
            ("/admin/{model}/actions", "queues") => {
                let name = self.name("paused");
                self.pause(&name).await;
                (
                    self.boss().await,
                    "/admin/queues/actions".to_owned(),
                    act("resume", name),
                )
            }
            ("/admin/{model}/{id}/delete", "users") => (
                self.boss().await,
                format!("/admin/users/{}/delete", self.user().await),
                none(),
            ),
            ("/admin/{model}/{id}/restore", "users") => {
                let id = self.user().await;
                let mut boss = self.boss().await;
                let path = format!("/admin/users/{id}");
                boss.get(&path).await;
                boss.post(&format!("{path}/delete"), &[]).await;
                (boss, format!("{path}/restore"), none())
            }
            ("/admin/{model}/{id}/delete", "roles") => {
                let mut boss = self.boss().await;
                boss.get("/admin/roles/new").await;
                boss.post("/admin/roles/new", &[("name", &self.name("gone")), ("description", "")])
                    .await;
                let roles = usher_shared::foundation::entity::role::Entity::find()
                    .all(db)
                    .await
                    .unwrap();
                let role = roles.into_iter().find(|role| role.name == self.name("gone")).unwrap();
                (boss, format!("/admin/roles/{}/delete", role.id), none())
            }
            ("/admin/{model}/{id}/delete", "jobs") => (
                self.boss().await,
                format!("/admin/jobs/{}/delete", self.job(JobState::Dead).await),
                none(),
            ),
            ("/admin/{model}/{id}/delete", "suppressions") => {
                let address = format!("{}@example.org", self.name("dead"));
                mail_suppressions::add(db, &address, "550 no such user", None)
                    .await
                    .unwrap();
                (
                    self.boss().await,
                    format!("/admin/suppressions/{address}/delete"),
                    none(),
                )
            }
            ("/admin/{model}/{id}/delete", "breakers") => {
                let server = self.name("server");
                let row = mail_breaker::ActiveModel {
                    server: Set(server.clone()),
                    reason: Set("535".to_owned()),
                    refusals: Set(1),
                    opened_at: Set(now()),
                    probe_at: Set(now()),
                };
                mail_breaker::Entity::insert(row)
                    .exec_without_returning(db)
                    .await
                    .unwrap();
                (self.boss().await, format!("/admin/breakers/{server}/delete"), none())
            }
            // The model has no such page.
            (
                "/admin/{model}/new"
                | "/admin/{model}/{id}"
                | "/admin/{model}/{id}/delete"
                | "/admin/{model}/{id}/restore"
                | "/admin/{model}/actions",
                _,
            ) => return None,
            _ => panic!("nobody has written a form of {route}"),
        };
        visitor.get("/admin/account").await;
        Some(Form {
            visitor,
            path,
            fields,
            is_file: false,
        })
    }

    async fn schedule(&self) -> usher_shared::foundation::entity::job_schedule::Model {
        let schedule = Schedule::new("nightly", "0 3 * * *", &VerifyEmail { user_id: 1 });
        self.app.context.job_store.declare(&[schedule]).await.unwrap();
        let all = usher_shared::foundation::entity::job_schedule::Entity::find()
            .all(&self.app.context.db)
            .await
            .unwrap();
        let mut row: usher_shared::foundation::entity::job_schedule::ActiveModel = all[0].clone().into();
        // As it was, so that a save changes it.
        row.cron = Set("0 3 * * *".to_owned());
        row.update(&self.app.context.db).await.unwrap()
    }

    async fn pause(&self, queue: &str) {
        let tx = self.app.context.job_store.begin().await.unwrap();
        jobs::pause_queue(&tx, queue, Some("a test".to_owned())).await.unwrap();
        tx.commit().await.unwrap();
    }
}

/// Rows of every table that a form can add to.
async fn rows(app: &TestApp) -> BTreeMap<&'static str, i64> {
    let db = &app.context.db;
    let mut counted = BTreeMap::new();
    for table in [
        "audit_log",
        "users",
        "roles",
        "role_permissions",
        "sessions",
        "api_keys",
        "jobs",
        "job_items",
        "job_files",
        "job_queues",
        "mails",
        "mail_tokens",
        "mail_suppressions",
        "mail_breakers",
        "mfa_factors",
        "recovery_codes",
        "spent_form_tokens",
    ] {
        let sql = format!("SELECT count(*) AS counted FROM {table}");
        let statement = Statement::from_string(db.get_database_backend(), sql);
        let row = db.query_one_raw(statement).await.unwrap().unwrap();
        counted.insert(table, row.try_get("", "counted").unwrap());
    }
    counted
}

/// What came between two counts.
fn added(before: &BTreeMap<&'static str, i64>, after: &BTreeMap<&'static str, i64>) -> Vec<(&'static str, i64)> {
    let grown = after.iter().map(|(table, count)| (*table, count - before[table]));
    grown.filter(|(_, count)| *count != 0).collect()
}

const MODELS: [&str; 11] = [
    "users",
    "roles",
    "sessions",
    "api_keys",
    "jobs",
    "schedules",
    "queues",
    "mails",
    "suppressions",
    "breakers",
    "audit",
];

#[on_both]
async fn every_form_does_what_it_asks_once_however_often_it_is_sent(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut tried = 0;
    let mut number = 0;
    for route in paths(&AppState::new(&app.context)) {
        let mut probe = app.anonymous();
        if probe
            .post_without_token(&route.replace("{model}", "users").replace("{id}", "1"), &[])
            .await
            .status
            == StatusCode::METHOD_NOT_ALLOWED
        {
            continue;
        }
        let models = if route.contains("{model}") { &MODELS[..] } else { &[""] };
        for model in models {
            number += 1;
            let Some(form) = (World { app: &app, number }).form(&route, model).await else {
                continue;
            };
            let (what, token) = (format!("POST {}", form.path), form.visitor.token());
            let before = rows(&app).await;
            let (_, first) = form.send(&token, &[]).await;
            assert!(
                first.status.is_redirection() || first.status == StatusCode::OK,
                "{what}: {} {}",
                first.status,
                first.body
            );
            let once = rows(&app).await;
            let (mut visitor, second) = form.send(&token, &[]).await;
            assert_eq!(
                (second.status, second.location()),
                (first.status, first.location()),
                "{what}: {}",
                second.body
            );
            if first.status == StatusCode::OK {
                assert!(first.body == second.body, "{what}: the page of the first time");
            }
            assert_eq!(added(&once, &rows(&app).await), [], "{what} had a second effect");
            if first
                .headers
                .get_all("set-cookie")
                .iter()
                .any(|cookie| cookie.to_str().unwrap().starts_with("usher_flash"))
            {
                assert!(
                    visitor.get(second.location()).await.has("role=\"status\""),
                    "{what}: the message of the first time"
                );
            }
            let one = added(&before, &once);
            assert!(
                one.contains(&("spent_form_tokens", 1)),
                "{what} spends no token: {one:?}"
            );

            number += 1;
            let form = (World { app: &app, number })
                .form(&route, model)
                .await
                .expect("another");
            let before = rows(&app).await;
            let token = form.visitor.token();
            let answers = join_all((0..10).map(|_| form.send(&token, &[]))).await;
            for (_, page) in &answers {
                assert_eq!(
                    (page.status, page.location()),
                    (answers[0].1.status, answers[0].1.location()),
                    "{what}: {}",
                    page.body
                );
            }
            assert!(
                answers[0].1.status.is_redirection() || answers[0].1.status == StatusCode::OK,
                "{what}"
            );
            assert_eq!(added(&before, &rows(&app).await), one, "{what}, ten at once");
            tried += 1;
        }
    }
    assert!(tried >= 28, "{tried}");
}

#[on_both]
async fn a_form_that_was_refused_can_be_sent_again_and_one_that_was_taken_with_other_words_is_refused(db: TestDb) {
    let app = TestApp::start(db).await;
    let form = (World { app: &app, number: 1 })
        .form("/admin/{model}/new", "roles")
        .await
        .unwrap();
    let token = form.visitor.token();
    let (_, wrong) = form.send(&token, &[("permission", "no.such")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", wrong.body);
    let (_, taken) = form.send(&token, &[]).await;
    assert_eq!(
        taken.status,
        StatusCode::SEE_OTHER,
        "what was refused is not spent: {}",
        taken.body
    );
    let before = rows(&app).await;
    let (_, other) = form.send(&token, &[("permission", "users.add")]).await;
    assert!(
        other.status == StatusCode::CONFLICT && other.has("already submitted"),
        "{}: {}",
        other.status,
        other.body
    );
    assert_eq!(added(&before, &rows(&app).await), []);
}

#[on_both]
async fn a_form_that_waited_for_the_password_is_done_once(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut form = (World { app: &app, number: 1 })
        .form("/admin/{model}/new", "api_keys")
        .await
        .unwrap();
    app.let_freshness_pass().await;
    let (_, asked) = form.send(&form.visitor.token(), &[]).await;
    assert_eq!(asked.status, StatusCode::UNAUTHORIZED, "{}", asked.body);
    let token = asked.input("csrf_token").unwrap();
    for (name, value) in [
        ("_next", "/admin/api_keys/new"),
        ("_method", "post"),
        ("_password", PASSWORD),
    ] {
        form.fields.push((name, value.to_owned()));
    }
    let to = std::mem::replace(&mut form.path, "/admin/reauthenticate".to_owned());
    let (_, on) = form.send(&token, &[]).await;
    assert_eq!(
        (on.status, on.location()),
        (StatusCode::TEMPORARY_REDIRECT, to.as_str()),
        "{}",
        on.body
    );
    form.path = to;
    let before = rows(&app).await;
    let (mut visitor, made) = form.send(&token, &[]).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.body);
    let shown = visitor.get(made.location()).await;
    let key = between(&shown.body, "be shown again: ", "<").to_owned();
    assert!(key.starts_with("uak_"), "{}", shown.body);
    let one = added(&before, &rows(&app).await);
    assert!(one.contains(&("api_keys", 1)), "{one:?}");
    // A second click on either page leads to the same key.
    for path in ["/admin/reauthenticate", "/admin/api_keys/new"] {
        form.path = path.to_owned();
        let (mut visitor, again) = form.send(&token, &[]).await;
        assert_eq!(
            (again.status, again.location()),
            (StatusCode::SEE_OTHER, made.location()),
            "{path}: {}",
            again.body
        );
        assert!(visitor.get(again.location()).await.has(&key));
    }
    assert_eq!(added(&before, &rows(&app).await), one);
}

#[on_both]
async fn nobody_else_learns_what_a_form_was_answered(db: TestDb) {
    let app = TestApp::start(db).await;
    let form = (World { app: &app, number: 1 })
        .form("/admin/{model}/new", "api_keys")
        .await
        .unwrap();
    let token = form.visitor.token();
    let (mut owner, made) = form.send(&token, &[]).await;
    let shown = owner.get(made.location()).await;
    let key = between(&shown.body, "be shown again: ", "<").to_owned();
    let kept = spent_form_token::Entity::find()
        .one(&app.context.db)
        .await
        .unwrap()
        .unwrap();
    let plain = String::from_utf8_lossy(kept.answer.as_deref().unwrap()).into_owned();
    assert!(
        !key.is_empty() && !plain.contains(&key) && !plain.contains("location"),
        "the answer is sealed"
    );
    let stranger = Form {
        visitor: app.superuser().await,
        path: form.path.clone(),
        fields: form.fields.clone(),
        is_file: false,
    };
    let (mut stranger, refused) = stranger.send(&token, &[]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.body);
    assert!(!stranger.get(made.location()).await.has(&key));
    // Later it is known to have been sent, and no longer what was shown once.
    let long_ago = Expr::value(now() - TimeDelta::minutes(11));
    spent_form_token::Entity::update_many()
        .col_expr(spent_form_token::Column::SpentAt, long_ago)
        .exec(&app.context.db)
        .await
        .unwrap();
    let (mut owner, late) = form.send(&token, &[]).await;
    assert!(
        late.status == StatusCode::CONFLICT && !owner.get(made.location()).await.has(&key),
        "{}",
        late.body
    );
}
