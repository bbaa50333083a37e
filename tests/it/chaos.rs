//! Nothing is lost while everything fails: the short form of `bench/chaos`, and the whole application killed over and
//! over.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use sea_orm::{ConnectionTrait, Statement};
use serde_json::Value;
use usher_shared::foundation::db::{PoolOptions, connect};
use usher_testkit::{Folder, Program, eventually, free_port, run};

use crate::greeting::Greeting;

/// A storm that takes longer hangs; one minute is usual.
const LIMIT: Duration = Duration::from_secs(1_200);

/// The figures of a short storm, by their names; the exit code says that every goal is met.
async fn storm(on: &str) {
    let folder = Folder::new();
    let bench = Program::named("usher-bench")
        .arg("chaos")
        .arg("--part=storm")
        .arg(format!("--on={on}"))
        .arg("--jobs=3000")
        .arg("--seconds=15")
        .arg("--lease=3")
        .arg("--json")
        .env("TMPDIR", folder.path().display().to_string());
    let (code, log) = bench.finish(&folder, LIMIT).await;
    assert_eq!(code, 0, "{log}");
    let figures: Vec<Value> = serde_json::from_str(&log).unwrap_or_else(|error| panic!("{error}: {log}"));
    let value = |name: &str| {
        let figure = figures.iter().find(|figure| figure["figure"] == name);
        figure
            .and_then(|figure| figure["value"].as_f64())
            .unwrap_or_else(|| panic!("no {name}: {log}"))
    };
    assert!(value("jobs committed") >= 3_000.0 && value("faults") >= 5.0, "{log}");
    assert!(
        value("starts repeated") > 0.0,
        "a worker was killed while it ran a job: {log}"
    );
}

#[test]
fn no_job_is_lost_or_has_its_effect_twice_on_postgres_and_redis() {
    run(storm("postgres-redis"));
}

#[test]
fn no_job_is_lost_or_has_its_effect_twice_on_postgres_without_redis() {
    run(storm("postgres"));
}

#[test]
fn no_job_is_lost_or_has_its_effect_twice_on_sqlite() {
    run(storm("sqlite"));
}

#[test]
fn what_the_whole_application_in_one_process_acknowledged_survives_its_kills() {
    run(async {
        let (folder, api) = (Folder::new(), format!("127.0.0.1:{}", free_port()));
        let usher = Program::named("usher")
            .env("API_ADDR", &api)
            .env("ADMIN_ADDR", format!("127.0.0.1:{}", free_port()))
            .env("RATE_LIMITS", "off")
            .ready_at(&api);
        let mut running = usher.start(&folder).await;
        let key = Greeting::read(&running.log()).key;
        let acknowledged = Arc::new(Mutex::new(Vec::new()));
        let signing_up = tokio::spawn(sign_up_for_ever(api, key, Arc::clone(&acknowledged)));
        let count = || acknowledged.lock().expect("no panic").len();
        for kill in 1..=4 {
            eventually(Duration::from_secs(30), "sign-ups go on", async || {
                (count() >= kill * 30).then_some(())
            })
            .await;
            running.kill();
            running = usher.start(&folder).await;
        }
        signing_up.abort();

        let database = format!("sqlite://{}", folder.join("data/usher.db"));
        let db = connect(&database, &PoolOptions::default())
            .await
            .expect("the file opens");
        let number = async |sql: &str| -> i64 {
            let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql));
            let row = row.await.expect("the job store answers").expect("one row");
            row.try_get("", "n").expect("a number")
        };
        const WELCOMES: &str = "SELECT count(*) AS n FROM jobs WHERE kind = 'welcome_email'";
        // The jobs of a killed process come back when their lease of 15 s has ended.
        eventually(Duration::from_secs(90), "everybody is welcomed", async || {
            let open = number(&format!("{WELCOMES} AND state <> 'done'")).await;
            (open == 0).then_some(())
        })
        .await;
        let mails = number("SELECT count(*) AS n FROM mails WHERE kind = 'welcome_email' AND state = 'kept'").await;
        assert_eq!(number(WELCOMES).await, mails, "each job has kept one mail");
        let people = "SELECT count(DISTINCT u.id) AS n FROM users u JOIN mails m ON m.user_id = u.id WHERE u.email = ";
        let acknowledged = acknowledged.lock().expect("no panic").clone();
        for email in &acknowledged {
            assert_eq!(
                number(&format!("{people}'{email}'")).await,
                1,
                "{email} was promised an account and a mail"
            );
        }
        assert_eq!(running.terminate().await, 0);
    });
}

/// Notes the addresses whose sign-up was answered with 201.
async fn sign_up_for_ever(api: String, key: String, acknowledged: Arc<Mutex<Vec<String>>>) {
    let client = reqwest::Client::new();
    for number in 0.. {
        let email = format!("person.{number}@example.org");
        let body = serde_json::json!({"name": "Grace Hopper", "email": email}).to_string();
        let request = client.post(format!("http://{api}/users")).bearer_auth(&key);
        let answer = request
            .header("Content-Type", "application/json")
            .body(body)
            .send()
            .await;
        if answer.is_ok_and(|answer| answer.status() == 201) {
            acknowledged.lock().expect("no panic").push(email);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
