//! `usher doctor` finds what an operator has to know of.

use std::{collections::BTreeMap, time::Duration};

use sea_orm::ConnectionTrait;
use serde_json::Value;
use usher_testkit::{Folder, Program, Redis, Smtp, SmtpSink, TestDb, eventually, free_port, on_both, run};

const SECRET_KEY: &str = "1Z0zMuuvEfT2N5xwV8CyWNlx0+IE5rQbtSLZ4b1xTqAMeFjAyW6rjhCTSJ7cKxYk";
const LIMIT: Duration = Duration::from_secs(30);

fn usher(db: &TestDb) -> Program {
    Program::named("usher")
        .env("SECRET_KEY", SECRET_KEY)
        .env("DATABASE_URL", db.url())
}

#[on_both]
async fn a_worker_seals_the_audit_log_and_doctor_sees_who_tampers_with_it(db: TestDb) {
    let folder = Folder::new();
    let make_key = ["key", "create", "--name", "billing", "--scopes", "users:read"];
    let make_key = make_key.into_iter().fold(usher(&db), Program::arg);
    assert_eq!(make_key.finish(&folder, LIMIT).await.0, 0);
    let doctor = usher(&db).arg("doctor");
    let (code, text) = doctor.finish(&folder, LIMIT).await;
    assert!(code == 0 && text.contains("1 entry, 0 sealed"), "{text}");

    let _worker = usher(&db).arg("worker").start(&folder).await;
    eventually(LIMIT, "a sealed audit log", async || {
        let (code, text) = doctor.finish(&folder, LIMIT).await;
        (code == 0 && text.contains("1 entry, 1 sealed")).then_some(())
    })
    .await;

    let forced = if db.is_postgres() {
        "ALTER TABLE audit_log DISABLE TRIGGER ALL; UPDATE audit_log SET actor_label = 'somebody else';"
    } else {
        "DROP TRIGGER audit_log_no_update; UPDATE audit_log SET actor_label = 'somebody else';"
    };
    db.connect().await.execute_unprepared(forced).await.unwrap();
    let (code, text) = doctor.finish(&folder, LIMIT).await;
    assert!(
        code != 0 && text.contains("WRONG  audit log") && text.contains("row 1 was changed"),
        "{text}"
    );
}

/// The state and text of each part, by its name.
async fn examine(usher: Program, folder: &Folder) -> (i32, BTreeMap<String, (String, String)>) {
    let (code, text) = usher.arg("doctor").arg("--json").finish(folder, LIMIT).await;
    // The line of a failure follows the document.
    let (json, _) = text.rsplit_once('}').expect("a document");
    let report: Value = serde_json::from_str(&format!("{json}}}")).expect("JSON");
    assert_eq!(report["ok"], code == 0, "{text}");
    let word = |part: &Value, name: &str| part[name].as_str().expect("text").to_owned();
    let parts = report["parts"].as_array().expect("parts").iter();
    let parts = parts.map(|part| (word(part, "part"), (word(part, "state"), word(part, "text"))));
    (code, parts.collect())
}

#[on_both]
async fn a_healthy_installation_is_reported_part_by_part(db: TestDb) {
    let (folder, redis, smtp) = (Folder::new(), Redis::start().await, Smtp::start().await);
    let usher = || usher(&db).env("REDIS_URL", redis.url()).env("SMTP_URL", smtp.url());
    let _worker = usher().arg("worker").start(&folder).await;
    let (code, parts) = eventually(LIMIT, "the worker is in the list", async || {
        let (code, parts) = examine(usher(), &folder).await;
        (parts["workers"].1 == "1 online, no job is due").then_some((code, parts))
    })
    .await;
    assert_eq!(code, 0, "{parts:?}");
    let wanted = [
        "audit log",
        "breaker",
        "clock",
        "database",
        "dead jobs",
        "files",
        "folder",
        "foreign keys",
        "mail",
        "personal data",
        "purge",
        "redis",
        "schema",
        "secret key",
        "settings",
        "staff",
        "traces",
        "workers",
    ];
    assert_eq!(parts.keys().collect::<Vec<_>>(), wanted);
    for (part, (state, text)) in &parts {
        // Nobody was made staff, and everybody may look into the folder of the tests.
        let good = match part.as_str() {
            "staff" => "warning",
            "folder" if !db.is_postgres() => "warning",
            _ => "ok",
        };
        assert_eq!(state, good, "{part}: {text}");
    }
    assert!(
        parts["mail"].1.ends_with("greets, not encrypted, without a log-in"),
        "{parts:?}"
    );
}

#[on_both]
async fn whatever_is_wrong_is_named(db: TestDb) {
    let (folder, sink) = (Folder::new(), SmtpSink::start().await);
    let make_staff = ["staff", "create", "ada@example.org", "--name", "Ada", "--superuser"];
    let make_staff = make_staff.into_iter().fold(usher(&db), Program::arg);
    let (code, text) = make_staff.finish(&folder, LIMIT).await;
    assert_eq!(code, 0, "{text}");
    let at = "'2026-01-02T03:04:05+00:00'";
    for (number, state) in [(1, "ready"), (2, "dead")] {
        let id = format!("0193{number:028}");
        let id = if db.is_postgres() {
            format!("'{id}'")
        } else {
            format!("x'{id}'")
        };
        let job = format!(
            "INSERT INTO jobs (id, queue, kind, payload, state, run_at, next_dispatch_at, created_at) \
             VALUES ({id}, 'mail', 'welcome_email', '{{}}', '{state}', {at}, {at}, {at})"
        );
        db.connect().await.execute_unprepared(&job).await.unwrap();
    }
    let breaker = format!(
        "INSERT INTO mail_breakers (server, reason, refusals, opened_at, probe_at) \
         VALUES ('mail.example.org:25 as us@example.org', 'it said 535', 3, {at}, {at})"
    );
    db.connect().await.execute_unprepared(&breaker).await.unwrap();
    let closed = format!("127.0.0.1:{}", free_port());
    let usher = usher(&db)
        .env("SECRET_KEY", "b25seSBmb3IgdGVzdHMsIG5ldmVyIGluIHByb2R1Y3Rpb24=")
        .env("REDIS_URL", format!("redis://{closed}"))
        .env(
            "SMTP_URL",
            format!("smtp://usher:hunter2@{}", sink.url().trim_start_matches("smtp://")),
        );
    let (code, parts) = examine(usher, &folder).await;
    assert_eq!(code, 1);
    for (part, state, text) in [
        ("secret key", "wrong", "it is text, not random bytes"),
        (
            "staff",
            "warning",
            "1 of 1 lacks two-factor authentication, 1 is a superuser",
        ),
        ("workers", "wrong", "none online, and the oldest due job has waited"),
        ("dead jobs", "warning", "1: retry or delete"),
        (
            "breaker",
            "wrong",
            "mail.example.org:25 as us@example.org since 2026-01-02 03:04 UTC: it said 535",
        ),
        ("redis", "wrong", ""),
        ("mail", "wrong", ""),
        ("schema", "ok", "up to date"),
    ] {
        let (is, said) = &parts[part];
        assert!(is == state && said.contains(text), "{part} is {is}: {said}");
        assert!(!said.contains("hunter2"), "a password is shown: {said}");
    }
}

#[test]
fn a_machine_whose_clock_is_wrong_is_named() {
    run(async {
        let (db, folder) = (TestDb::postgres().await, Folder::new());
        for (offset, databases_is_ahead_by) in [("-2m", 120.0), ("+2m", -120.0)] {
            let (code, parts) = examine(usher(&db).at_another_time(offset), &folder).await;
            let wrong = parts.iter().filter(|(_, (state, _))| state == "wrong");
            assert_eq!(
                (code, wrong.map(|(part, _)| part.as_str()).collect()),
                (1, vec!["clock"]),
                "{parts:?}"
            );
            let (seconds, advice) = parts["clock"].1.split_once(" s from").expect("seconds");
            assert!(advice.contains("set both by NTP"), "{advice}");
            let apart: f64 = seconds.parse().expect("a number");
            assert!((apart - databases_is_ahead_by).abs() < 60.0, "{offset}: {apart}");
        }
    });
}

#[on_both]
async fn a_foreign_key_without_a_decision_is_named(db: TestDb) {
    let folder = Folder::new();
    let conn = db.connect().await;
    let (_, parts) = examine(usher(&db), &folder).await;
    assert_eq!(
        (&*parts["foreign keys"].0, &*parts["purge"].0),
        ("ok", "ok"),
        "{parts:?}"
    );
    for (table, rule) in [
        ("articles", ""),
        ("drafts", "ON DELETE RESTRICT"),
        ("notes", "ON DELETE CASCADE"),
        ("likes", "ON DELETE SET NULL"),
    ] {
        let sql =
            format!("CREATE TABLE {table} (id bigint PRIMARY KEY, author_id bigint REFERENCES users (id) {rule})");
        conn.execute_unprepared(&sql).await.unwrap();
    }
    conn.execute_unprepared(
        "INSERT INTO users (email, email_key, name, created_at, updated_at, deleted_at) VALUES \
         ('a@example.org', 'a@example.org', 'A', '2020-01-01T00:00:00+00:00', '2020-01-01T00:00:00+00:00', '2020-01-01T00:00:00+00:00'); \
         INSERT INTO articles SELECT 1, id FROM users",
    ).await.unwrap();
    let (_, parts) = examine(usher(&db), &folder).await;
    let (state, text) = &parts["foreign keys"];
    assert!(
        state == "warning" && text.starts_with("articles.author_id, drafts.author_id:"),
        "{text}"
    );
    let (state, text) = &parts["purge"];
    assert!(
        state == "warning" && text.contains("referenced by articles.author_id"),
        "{text}"
    );
}
