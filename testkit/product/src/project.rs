//! A product under test.

use std::time::Duration;

use axum::Router;
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, ExprTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QueryOrder,
};
use tokio_util::sync::CancellationToken;
use usher::{AppContext, Parts, Project};
use usher_shared::{
    accounts::{
        api_keys::{self, Scope},
        sessions::{self, Device},
    },
    audit::Actor,
    foundation::{
        entity::{
            job::{self, JobState},
            job_schedule, mail, session,
            session::SessionKind,
            user,
        },
        time::{Clock, new_id, now},
        token::{Token, TokenKind},
    },
    jobs::{Job, enqueue, run_schedule},
};
use usher_testkit::{TestDb, config, eventually, sign_up, superuser};
use usher_worker::{Options, Worker};
use uuid::Uuid;

use crate::{
    browser::Browser,
    client::{Client, Person},
    staff::Staff,
};

/// Longer than any job of a test takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A product over a test's database: its API, its admin and its jobs. No server listens, and no worker runs but in
/// [`TestProject::run_jobs`].
pub struct TestProject {
    pub app: AppContext,
    parts: Parts,
    api: Router,
    admin: Router,
    #[expect(dead_code, reason = "the database is dropped with it")]
    db: TestDb,
}

impl TestProject {
    /// The product with open sign-up, without rate limits, and with second factors optional.
    pub async fn open(project: Project, db: TestDb) -> Self {
        Self::with(project, db, &[]).await
    }

    /// The same with these settings, by their names.
    ///
    /// # Panics
    /// If the product doesn't start: two apps register the same, a setting is refused, or a migration fails.
    pub async fn with(project: Project, db: TestDb, settings: &[(&str, &str)]) -> Self {
        let defaults = [("RATE_LIMITS", "off"), ("STAFF_MFA", "optional"), ("SIGN_UP", "open")];
        let settings = [&defaults, settings].concat();
        let parts = project.assemble().expect("a product that starts");
        let connection = db.connect().await;
        parts.migrate(&connection).await.expect("the migrations run");
        let app = AppContext::with(config(db.url(), &settings), connection, true);
        let declared = app.job_store.declare(parts.registry.schedules()).await;
        declared.expect("schedules");
        Self {
            api: parts.api(&app),
            admin: parts.admin(&app),
            app,
            parts,
            db,
        }
    }

    /// A client of the API without a credential.
    #[must_use]
    pub fn anonymous(&self) -> Client {
        Client::new(self.api.clone())
    }

    /// Another service, with a new API key of these scopes.
    pub async fn key(&self, scopes: &[Scope]) -> Client {
        let key = api_keys::create(&self.app.db, "test", scopes, None, None).await;
        let (_, token) = key.expect("a key");
        self.anonymous().bearer(token.as_str())
    }

    /// A new person with a verified address, who is signed in.
    pub async fn person(&self, name: &str, email: &str) -> Person {
        let user = sign_up(&self.app.job_store, name, email).await;
        let verified = user::ActiveModel {
            email_verified_at: Set(Some(now())),
            ..user.into_active_model()
        };
        let user = verified.update(&self.app.db).await.expect("an update");
        let tx = self.app.job_store.begin().await.expect("a transaction");
        let started = sessions::start(&**tx, user.id, Device::default(), false).await;
        tx.commit().await.expect("a commit");
        let (_, tokens) = started.expect("a session");
        Person {
            client: self.anonymous().bearer(tokens.access.as_str()),
            user,
        }
    }

    /// A superuser who is signed in to the admin.
    pub async fn superuser(&self) -> Staff {
        let email = format!("staff-{}@example.org", Uuid::new_v4().simple());
        let user = superuser(&self.app.db, "Ines Oduya", &email, "none").await;
        let (at, token) = (now(), Token::generate(TokenKind::AdminSession));
        let row = session::ActiveModel {
            id: Set(new_id()),
            user_id: Set(user.id),
            kind: Set(SessionKind::Admin),
            token_hash: Set(token.hash()),
            reauthenticated_at: Set(Some(at)),
            created_at: Set(at),
            last_seen_at: Set(at),
            expires_at: Set(at + TimeDelta::hours(1)),
            ..Default::default()
        };
        let inserted = session::Entity::insert(row).exec_without_returning(&self.app.db).await;
        inserted.expect("a session");
        Staff::new(self.admin.clone(), user, token.as_str())
    }

    /// A browser in which this member of staff is signed in to the admin. It needs the programs chromium and
    /// chromedriver, and costs a second or two; [`Staff::get`] and [`Staff::submit`] do without.
    ///
    /// # Panics
    /// If the browser doesn't start.
    pub async fn browser(&self, staff: &Staff) -> Browser {
        Browser::of(staff, self.admin.clone()).await
    }

    /// Stops time at `at`, for this test alone: `usher::time::now()`, ids from `usher::time::new_id()` and all that
    /// Usher does with times follow, among them expiries, jobs, retries, schedules and one-time codes.
    ///
    /// What measures how long something takes goes on in real time: timeouts, rate limits, what a process keeps in
    /// memory for seconds, and the browser. A queue with `starts_per_minute` starts no more jobs than one minute
    /// allows while time stands still.
    ///
    /// # Panics
    /// In a test that `#[on_both]` or `TestDb::run` doesn't run.
    pub fn freeze(&self, at: DateTime<Utc>) {
        clock().stop(at);
    }

    /// Moves time forward by `by`, or back by a negative one, as [`TestProject::freeze`] says. It goes on from there,
    /// unless it was frozen. The next [`TestProject::run_jobs`] runs what has become due.
    ///
    /// # Panics
    /// As [`TestProject::freeze`].
    pub fn travel(&self, by: TimeDelta) {
        clock().advance(by);
    }

    /// Back to the real time.
    ///
    /// # Panics
    /// As [`TestProject::freeze`].
    pub fn travel_back(&self) {
        clock().reset();
    }

    /// Enqueues a job, as a handler would.
    pub async fn enqueue(&self, job: impl Job) {
        let tx = self.app.job_store.begin().await.expect("a transaction");
        enqueue(&tx, job).await.expect("a job");
        tx.commit().await.expect("a commit");
    }

    /// Enqueues the job of a schedule, as its next tick would.
    ///
    /// # Panics
    /// If the product has no schedule of this name.
    pub async fn tick(&self, schedule: &str) {
        let named = job_schedule::Entity::find().filter(job_schedule::Column::Name.eq(schedule));
        let row = named.one(&self.app.db).await.expect("a query");
        let row = row.unwrap_or_else(|| panic!("there is no schedule {schedule}"));
        let tx = self.app.job_store.begin().await.expect("a transaction");
        let actor = Actor::system().label;
        run_schedule(&tx, &row, actor).await.expect("a job");
        tx.commit().await.expect("a commit");
    }

    /// Runs a worker until no job is due: those that are, those of schedules whose time has come since the project was
    /// opened, those that they enqueue, and retries that have come. Where time has passed several ticks of a schedule,
    /// it runs as after an outage: once, unless it catches up.
    ///
    /// # Panics
    /// If a job fails for good, with its error; or if one is still due after a minute.
    pub async fn run_jobs(&self) {
        self.app.job_store.tick().await.expect("jobs of schedules");
        let stop = CancellationToken::new();
        let worker = Worker::new(self.parts.registry.clone(), Options::default());
        let (app, stopped) = (self.app.clone(), stop.clone());
        let running = tokio::spawn(async move { worker.run(&app, stopped).await });
        eventually(PATIENCE, "all jobs are done", async || {
            (self.due_jobs().await == 0).then_some(())
        })
        .await;
        stop.cancel();
        running.await.expect("no panic").expect("a worker that ends well");
        let dead = job::Entity::find().filter(job::Column::State.eq(JobState::Dead));
        if let Some(job) = dead.one(&self.app.db).await.expect("a query") {
            panic!("the job {} failed: {}", job.kind, job.last_error.unwrap_or_default());
        }
    }

    /// Jobs that run, or are due.
    async fn due_jobs(&self) -> u64 {
        let is_running = job::Column::State.eq(JobState::Running);
        let is_due = job::Column::State
            .eq(JobState::Ready)
            .and(job::Column::RunAt.lte(now()));
        let due = job::Entity::find().filter(is_running.or(is_due));
        due.count(&self.app.db).await.expect("a count")
    }

    /// Runs a command of the product with these arguments, such as `&["--days", "90"]`.
    ///
    /// # Panics
    /// If there is no such command, if it refuses the arguments, or if it fails.
    pub async fn command(&self, name: &str, arguments: &[&str]) {
        let run = self.parts.run_command(&self.app, name, arguments).await;
        run.unwrap_or_else(|error| panic!("{name} {}: {error:#}", arguments.join(" ")));
    }

    /// The mails to an address, oldest first. They are kept in the database, with their text.
    pub async fn mails(&self, address: &str) -> Vec<mail::Model> {
        let to = mail::Entity::find().filter(mail::Column::ToAddress.eq(address));
        let to = to.order_by_asc(mail::Column::Id);
        to.all(&self.app.db).await.expect("mails")
    }

    /// Where the migrated schema is not what the entities expect; `migrate check` prints the same.
    pub async fn schema_differences(&self) -> Vec<String> {
        let differences = self.parts.schema_differences(&self.app.db).await;
        differences.expect("a schema that can be read")
    }
}

fn clock() -> &'static Clock {
    Clock::of_this_thread().expect("time can be moved in a test that #[on_both] runs")
}
