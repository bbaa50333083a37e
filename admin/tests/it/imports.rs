//! Importing users: who may, what is taken in, and what the pages say of a job at each of its stages. That the worker
//! does what they order is shown by the journey of the whole house.

use axum::http::StatusCode;
use futures::TryStreamExt;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel};
use serde_json::{Value, json};
use usher_shared::{
    accounts::staff::imports::{Blank, ImportUsers},
    foundation::{
        entity::{
            job::{self, JobState},
            job_item::{self, ItemOutcome},
        },
        time::now,
    },
    jobs::{Job, files},
};
use usher_testkit::{TestDb, on_both};

use crate::app::{Page, TestApp, Visitor};

const HERE: &str = "/admin/users/import";
const FILE: &str = "email,name\r\nada@example.org,Ada\r\nnobody,\r\n";

/// Sends a file as a browser does.
async fn upload(visitor: &mut Visitor, token: &str, file: &str) -> Page {
    let boundary = "----boundary";
    let part =
        |head: &str, body: &str| format!("--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n{body}\r\n");
    let body = [
        part("name=\"csrf_token\"", token),
        part("name=\"blank\"", "clear"),
        part("name=\"file\"; filename=\"people.csv\"\r\nContent-Type: text/csv", file),
        format!("--{boundary}--\r\n"),
    ];
    let media_type = format!("multipart/form-data; boundary={boundary}");
    visitor.post_body(HERE, &media_type, body.concat()).await
}

async fn jobs(app: &TestApp) -> Vec<job::Model> {
    let mut jobs = job::Entity::find().all(&app.context.db).await.unwrap();
    jobs.retain(|job| job.kind == ImportUsers::KIND);
    jobs.sort_by_key(|job| job.id);
    jobs
}

/// Ends a job as the worker does.
async fn end(app: &TestApp, job: &job::Model, state: JobState, result: Value) {
    let row = job::ActiveModel {
        state: Set(state),
        result: Set(Some(result)),
        finished_at: Set(Some(now())),
        last_error: Set(Some("the disk is <full>".to_owned())),
        ..job.clone().into_active_model()
    };
    row.update(&app.context.db).await.unwrap();
}

#[on_both]
async fn a_file_is_kept_looked_at_and_then_imported(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut boss = app.superuser().await;
    assert!(boss.get("/admin/users").await.has("href=\"/admin/users/import\""));
    boss.get(HERE).await;
    let token = boss.token();
    let page = upload(&mut boss, &token, FILE).await;
    let dry = jobs(&app).await.pop().expect("a job");
    assert_eq!(
        (page.status, page.location()),
        (StatusCode::SEE_OTHER, format!("{HERE}/{}", dry.id).as_str())
    );
    let payload: ImportUsers = serde_json::from_value(dry.payload.clone()).unwrap();
    assert!(payload.dry_run && payload.actor.id == Some(app.admin.id) && payload.blank == Blank::Clear);
    let kept: Vec<Vec<u8>> = files::read(app.context.db.clone(), payload.file_id)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(kept.concat(), FILE.as_bytes());

    let at = page.location().to_owned();
    let waiting = boss.get(&at).await;
    assert!(
        waiting.has("This doesn't change anything yet") && waiting.has("data-live"),
        "{}",
        waiting.body
    );
    let early = boss.post(&at, &[]).await;
    assert!(
        early.status == StatusCode::BAD_REQUEST && early.has("Preview the file first"),
        "{}",
        early.body
    );

    let tx = app.context.job_store.begin().await.unwrap();
    let mut faults = files::Writer::create(&*tx, dry.id, files::Direction::Out, "faults.csv", "text/csv")
        .await
        .unwrap();
    faults.write(b"line,fault\r\n3,\"no address\"\r\n").await.unwrap();
    let (file, _) = faults.finish().await.unwrap();
    let mut changes = files::Writer::create(&*tx, dry.id, files::Direction::Out, "changes.csv", "text/csv")
        .await
        .unwrap();
    let changed = "\u{feff}line,email,field,before,after\r\n4,<ada>@example.org,age,36,\r\n";
    changes.write(changed.as_bytes()).await.unwrap();
    let (changes, _) = changes.finish().await.unwrap();
    tx.commit().await.unwrap();
    let faulty = json!([{"line": 3, "fault": "no <address>"}]);
    let result = json!({"rows": 2, "new": 1, "changed": 0, "unchanged": 0, "faulty": 1, "faults": faulty, "file": file, "changes": changes, "ignored": ["status"]});
    end(&app, &dry, JobState::Done, result).await;
    let checked = boss.get(&at).await;
    assert!(
        checked.has("Import 1 user</button>") && checked.has("no &#60;address&#62;"),
        "{}",
        checked.body
    );
    assert!(
        checked.has("&#60;ada&#62;@example.org</td><td>age</td><td>36</td>") && checked.has("Ignored columns: status"),
        "{}",
        checked.body
    );
    assert_eq!(boss.get(&format!("{at}/changes.csv")).await.body, changed);
    let faults = boss.get(&format!("{at}/faults.csv")).await;
    assert_eq!(
        (faults.status, faults.body.as_str()),
        (StatusCode::OK, "line,fault\r\n3,\"no address\"\r\n")
    );

    app.let_freshness_pass().await;
    assert_eq!(
        boss.post(&at, &[("welcome", "yes")]).await.status,
        StatusCode::UNAUTHORIZED,
        "the password again"
    );
    let mut boss = app.superuser().await;
    boss.get(&at).await;
    let page = boss.post(&at, &[("welcome", "yes")]).await;
    let second = boss.post(&at, &[("welcome", "yes")]).await;
    assert_eq!(page.location(), second.location(), "a second click meets the first");
    let import = jobs(&app).await.pop().expect("a job");
    let payload: ImportUsers = serde_json::from_value(import.payload.clone()).unwrap();
    assert!(!payload.dry_run && payload.welcome);
    assert!(
        app.audit()
            .await
            .iter()
            .any(|row| row.action == "import" && row.object_id == Some(import.id.to_string()))
    );

    for (line, outcome) in [("2", ItemOutcome::Done), ("3", ItemOutcome::Failed)] {
        let row = job_item::ActiveModel {
            job_id: Set(import.id),
            object_id: Set(line.to_owned()),
            outcome: Set(Some(outcome)),
            error: Set((outcome == ItemOutcome::Failed).then(|| "=no address".to_owned())),
        };
        job_item::Entity::insert(row)
            .exec_without_returning(&app.context.db)
            .await
            .unwrap();
    }
    end(
        &app,
        &import,
        JobState::Done,
        json!({"done": 1, "skipped": 0, "failed": 1}),
    )
    .await;
    let at = page.location().to_owned();
    let done = boss.get(&at).await;
    assert!(
        done.has("Import complete") && done.has("<strong>1</strong>Imported") && done.has("=no address"),
        "{}",
        done.body
    );
    assert_eq!(
        boss.get(&format!("{at}/faults.csv")).await.body,
        "\u{feff}line,fault\r\n3,'=no address\r\n"
    );
}

#[on_both]
async fn what_cannot_be_imported_is_said(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut boss = app.superuser().await;
    boss.get(HERE).await;
    let token = boss.token();
    let empty = upload(&mut boss, &token, "").await;
    assert!(
        empty.status == StatusCode::UNPROCESSABLE_ENTITY && empty.has("Choose a file"),
        "{}",
        empty.body
    );
    let forged = upload(&mut boss, "forged", FILE).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
    let large = upload(&mut boss, &token, &"x".repeat(16 * 1024 * 1024 + 1)).await;
    assert!(
        large.status == StatusCode::BAD_REQUEST && large.has("16 MiB"),
        "{}",
        large.status
    );
    assert!(boss.post(HERE, &[]).await.status == StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert!(jobs(&app).await.is_empty(), "nothing of this was kept");
    upload(&mut boss, &token, FILE).await;
    let job = jobs(&app).await.pop().unwrap();
    let at = format!("{HERE}/{}", job.id);
    end(
        &app,
        &job,
        JobState::Done,
        json!({"refused": "there is no column \"<mail>\""}),
    )
    .await;
    assert!(boss.get(&at).await.has("&#60;mail&#62;"));
    end(&app, &job, JobState::Dead, Value::Null).await;
    assert!(boss.get(&at).await.has("the disk is &#60;full&#62;"));
    end(&app, &job, JobState::Cancelled, Value::Null).await;
    assert!(boss.get(&at).await.has("was cancelled"));
    for hostile in ["1", "'", "00000000-0000-0000-0000-000000000000"] {
        assert_eq!(
            boss.get(&format!("{HERE}/{hostile}")).await.status,
            StatusCode::NOT_FOUND
        );
    }
    let other = job::Entity::find()
        .all(&app.context.db)
        .await
        .unwrap()
        .into_iter()
        .find(|job| job.kind != ImportUsers::KIND);
    if let Some(other) = other {
        assert_eq!(
            boss.get(&format!("{HERE}/{}", other.id)).await.status,
            StatusCode::NOT_FOUND,
            "it is no import"
        );
    }
}

#[on_both]
async fn importing_takes_its_permission(db: TestDb) {
    let app = TestApp::start(db).await;
    let mut plain = app.staff(&["users.view", "users.add", "users.change"]).await;
    assert!(!plain.get("/admin/users").await.has(HERE));
    assert_eq!(plain.get(HERE).await.status, StatusCode::FORBIDDEN);
    let token = plain.token();
    assert_eq!(upload(&mut plain, &token, FILE).await.status, StatusCode::FORBIDDEN);
    let mut allowed = app.staff(&["users.view", "users.import"]).await;
    assert!(allowed.get("/admin/users").await.has(HERE));
    allowed.get(HERE).await;
    let token = allowed.token();
    assert_eq!(upload(&mut allowed, &token, FILE).await.status, StatusCode::SEE_OTHER);
    assert!(
        app.superuser()
            .await
            .get("/admin/roles/new")
            .await
            .has("value=\"users.import\""),
        "roles can give it"
    );
}
