//! `usher-worker` as an operator meets it: its settings, its health, its signals.

use std::{collections::HashSet, time::Duration};

use tokio_util::sync::CancellationToken;
use usher_migrations::{Migrator, MigratorTrait};
use usher_shared::{
    foundation::{
        crypto::SecretKey,
        db::{PoolOptions, connect},
        entity::job::JobState,
    },
    jobs::{EnqueueOptions, PasswordChanged},
};
use usher_testkit::{Folder, Postgres, Program, Redis, Smtp, TestDb, eventually, free_port, on_both};
use usher_worker::{JobContext, Options, Registry, Worker};

use crate::test_worker::{PATIENCE, Probe, QUICK, TestWorker};

pub fn worker(database: &str) -> Program {
    Program::at(env!("CARGO_BIN_EXE_usher-worker"))
        .env("DATABASE_URL", database)
        .env("SECRET_KEY", SecretKey::generate_base64())
        .env("LOG_FORMAT", "json")
}

pub async fn get(address: &str, path: &str) -> Option<(u16, String)> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(5))
        .build()
        .unwrap();
    let answer = client.get(format!("http://{address}{path}")).send().await.ok()?;
    Some((answer.status().as_u16(), answer.text().await.ok()?))
}

#[on_both]
async fn a_process_sends_mail_tells_its_health_and_stops_on_sigterm(db: TestDb) {
    let smtp = Smtp::start().await;
    let test = TestWorker::with(db, &[], false).await;
    let (folder, address) = (Folder::new(), format!("127.0.0.1:{}", free_port()));
    let running = worker(test.url())
        .env("SMTP_URL", smtp.url())
        .env("METRICS_ADDR", &address)
        .arg("--queues")
        .arg("mail:2,default")
        .arg("--concurrency=4")
        .ready_at(&address)
        .start(&folder)
        .await;
    let user = test.sign_up("Ada Lovelace", "ada.secret@example.org").await;
    smtp.wait_for(1, PATIENCE).await;
    test.reaches(test.job_of(&user).await.id, JobState::Done).await;
    let (status, body) = get(&address, "/health/ready").await.unwrap();
    assert_eq!(
        (status, body.as_str()),
        (200, r#"{"status":"ready","database":"ok","redis":"off"}"#)
    );
    assert_eq!(get(&address, "/health/live").await.unwrap().0, 200);
    let (_, metrics) = get(&address, "/metrics").await.unwrap();
    for line in ["usher_jobs_started_total", "usher_jobs_done_total"] {
        assert!(
            metrics.contains(&format!("{line}{{kind=\"welcome_email\"}} 1\n")),
            "{metrics}"
        );
    }
    for line in [
        "usher_jobs_running{kind=\"welcome_email\"} 0\n",
        "usher_job_latency_seconds_count{kind=\"welcome_email\"} 1\n",
        "usher_job_run_seconds_bucket{kind=\"welcome_email\",le=\"30\"} 1\n",
        "usher_queue_ready{queue=\"mail\"} 0\n",
        "usher_queue_oldest_seconds{queue=\"default\"} 0.0\n",
        "usher_mail_breakers_open 0\n",
        "usher_jobs_enqueued_last_minute{kind=\"welcome_email\"} 1\n",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
    let log = running.log();
    assert!(!log.contains("ada.secret"), "an address in the log: {log}");
    let id = test.job_of(&user).await.id.to_string();
    let story: Vec<_> = log.lines().filter(|line| line.contains(&id)).collect();
    for (line, event) in story.iter().zip(["mail sent", "done"]) {
        assert!(line.contains(event) && line.contains("welcome_email"), "{story:?}");
    }
    assert_eq!(story.len(), 2, "{story:?}");
    assert_eq!(running.terminate().await, 0);
}

#[on_both]
async fn what_waits_is_told_by_every_worker(db: TestDb) {
    let test = TestWorker::with(db, &[], false).await;
    test.sign_up("Ada Lovelace", "ada@example.org").await;
    let later = usher_shared::foundation::time::now() + chrono::Duration::hours(1);
    test.enqueue_with(PasswordChanged { user_id: 1 }, EnqueueOptions::at(later))
        .await;
    let (folder, address) = (Folder::new(), format!("127.0.0.1:{}", free_port()));
    let idle = worker(test.url())
        .env("METRICS_ADDR", &address)
        .arg("--queues=default")
        .ready_at(&address)
        .start(&folder)
        .await;
    let metrics = eventually(PATIENCE, "the mail has waited for a second", async || {
        let (_, metrics) = get(&address, "/metrics").await?;
        let oldest = metrics
            .lines()
            .find_map(|line| line.strip_prefix("usher_queue_oldest_seconds{queue=\"mail\"} "))?;
        (oldest.parse::<f64>().unwrap() >= 1.0).then_some(metrics)
    })
    .await;
    assert!(metrics.contains("usher_queue_ready{queue=\"mail\"} 1\n"), "{metrics}");
    assert!(
        metrics.contains("usher_queue_ready{queue=\"default\"} 0\n"),
        "{metrics}"
    );
    assert_eq!(idle.terminate().await, 0);
}

#[on_both]
async fn a_killed_worker_loses_no_mail(db: TestDb) {
    let (smtp, redis, folder) = (Smtp::start().await, Redis::start().await, Folder::new());
    let test = TestWorker::with(db, &[("REDIS_URL", &redis.url())], false).await;
    let program = worker(test.url())
        .env("REDIS_URL", redis.url())
        .env("SMTP_URL", smtp.url());
    let mut jobs = Vec::new();
    for number in 0..120 {
        let user = test.sign_up("Ada Lovelace", &format!("ada{number}@example.org")).await;
        jobs.push(test.job_of(&user).await.id);
    }
    let first = program.start(&folder).await;
    smtp.wait_for(20, PATIENCE).await;
    first.kill();
    let second = program.start(&folder).await;
    for id in &jobs {
        test.reaches(*id, JobState::Done).await;
    }
    assert_eq!(second.terminate().await, 0);
    let ids: HashSet<_> = smtp.mails().into_iter().map(|mail| mail.message_id).collect();
    assert_eq!(ids.len(), 120);
    assert!(
        smtp.mails().len() <= 120 + 24,
        "only what was in hand at the kill may be sent twice"
    );
}

#[test]
fn a_worker_waits_for_a_database_that_is_not_migrated_yet() {
    usher_testkit::run(async {
        let db = TestDb::empty_sqlite();
        let options = PoolOptions {
            create: true,
            ..PoolOptions::default()
        };
        let empty = connect(db.url(), &options).await.unwrap();
        let (folder, address) = (Folder::new(), format!("127.0.0.1:{}", free_port()));
        let running = worker(db.url()).env("METRICS_ADDR", &address).start(&folder).await;
        let ready = || get(&address, "/health/ready");
        let not_migrated = (
            503,
            r#"{"status":"not_ready","database":"not_migrated","redis":"off"}"#.to_owned(),
        );
        eventually(PATIENCE, "it tells why it is not ready", async || {
            (ready().await? == not_migrated).then_some(())
        })
        .await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        let log = running.log();
        assert_eq!(log.matches("waiting for the database").count(), 1, "{log}");

        Migrator::up(&empty, None).await.unwrap();
        eventually(PATIENCE, "it is ready", async || {
            (ready().await?.0 == 200).then_some(())
        })
        .await;
        let test = TestWorker::with(db, &[], false).await;
        let user = test.sign_up("Ada Lovelace", "ada@example.org").await;
        test.reaches(test.job_of(&user).await.id, JobState::Done).await;
        assert_eq!(running.terminate().await, 0);
    });
}

#[test]
fn a_worker_outlives_its_database_and_goes_on_when_it_is_back() {
    usher_testkit::run(async {
        let mut postgres = Postgres::start().await;
        let url = postgres.url("postgres");
        let db = connect(&url, &PoolOptions::default()).await.unwrap();
        Migrator::up(&db, None).await.unwrap();
        let (smtp, address) = (Smtp::start().await, format!("127.0.0.1:{}", free_port()));
        let running = worker(&url)
            .env("SMTP_URL", smtp.url())
            .env("METRICS_ADDR", &address)
            .ready_at(&address)
            .start(&Folder::new())
            .await;
        for round in 1..=3 {
            postgres.stop();
            let ready = || get(&address, "/health/ready");
            eventually(PATIENCE, "it is not ready", async || {
                (ready().await?.0 == 503).then_some(())
            })
            .await;
            assert_eq!(get(&address, "/health/live").await.unwrap().0, 200);
            postgres.start_again().await;
            let test = TestWorker::at(&url).await;
            test.sign_up("Ada Lovelace", &format!("ada{round}@example.org")).await;
            smtp.wait_for(round, PATIENCE).await;
        }
        let log = running.log();
        let lines = log.lines().filter(|line| line.contains("usher_worker")).count();
        assert!(lines < 60, "it says it once an outage, not at each try: {log}");
        assert_eq!(running.terminate().await, 0);
    });
}

#[test]
fn a_worker_stops_on_sigterm_while_it_waits_for_its_database() {
    usher_testkit::run(async {
        let database = format!("postgres://usher@127.0.0.1:{}/usher", free_port());
        let running = worker(&database).start(&Folder::new()).await;
        eventually(PATIENCE, "it waits", async || {
            running.log().contains("waiting for the database").then_some(())
        })
        .await;
        assert_eq!(running.terminate().await, 0);
    });
}

#[test]
fn a_setting_that_cannot_be_used_ends_the_start_with_one_line() {
    usher_testkit::run(async {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = taken.local_addr().unwrap().to_string();
        for (name, value) in [
            ("DATABASE_URL", "mysql://x/y"),
            ("SMTP_URL", "http://mail.example.org"),
            ("SMTP_URL", "smtp://mail.example.org?tls=perhaps"),
            ("MAIL_FROM", "<@>"),
            ("METRICS_ADDR", taken.as_str()),
        ] {
            let program = worker("sqlite:///nowhere/usher.db").env(name, value);
            let (code, log) = program.finish(&Folder::new(), Duration::from_secs(10)).await;
            let lines: Vec<_> = log.lines().filter(|line| !line.starts_with('{')).collect();
            assert_eq!((code, lines.len()), (1, 1), "{name}: {log}");
            assert!(
                lines[0].contains(name) && lines[0].contains("for example") || name == "METRICS_ADDR",
                "{log}"
            );
        }
    });
}

#[test]
fn a_flag_that_cannot_be_used_ends_the_start_and_is_named() {
    usher_testkit::run(async {
        for (flag, value) in [("--concurrency", "0"), ("--queues", ","), ("--queues", "mail:0")] {
            let program = worker("sqlite:///nowhere/usher.db").arg(flag).arg(value);
            let (code, log) = program.finish(&Folder::new(), Duration::from_secs(10)).await;
            assert_eq!(code, 2, "{flag} {value}: {log}");
            assert!(log.contains(flag) && log.contains("--help"), "{log}");
        }
    });
}

#[on_both]
async fn a_worker_with_two_handlers_of_one_kind_does_not_start(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    let add = |registry: Registry| registry.register::<Probe>(QUICK, async |_: Probe, _: JobContext| Ok(()));
    let worker = Worker::new(add(add(Registry::new())), Options::default());
    let refused = worker.run(&test.context, CancellationToken::new()).await;
    assert_eq!(
        refused.unwrap_err().to_string(),
        "the job kind probe is registered twice"
    );
}
