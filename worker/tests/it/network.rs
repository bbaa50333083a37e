//! What a worker makes of servers that are not there, do not answer, or answer and do nothing.

use std::{sync::Arc, time::Duration};

use sea_orm::{ConnectionTrait, EntityTrait, QuerySelect};
use usher_migrations::{Migrator, MigratorTrait};
use usher_shared::foundation::{
    db::{PoolOptions, connect},
    entity::{
        job::{self, JobState},
        job_attempt::AttemptOutcome,
        mail::MailState,
    },
};
use usher_testkit::{
    Deed, Flow, Folder, Postgres, Proxy, Redis, SmtpSink, Step, TestDb, eventually, free_port, on_both, run,
};
use usher_worker::{JobContext, Options, Policy, Registry, registry};

use crate::{
    processes::{get, worker},
    test_worker::{Notes, PATIENCE, Probe, QUICK, TestWorker},
};

fn probes() -> Registry {
    Registry::new().register::<Probe>(QUICK, async |_, _: JobContext| Ok(()))
}

#[test]
fn a_worker_whose_connection_falls_silent_before_its_first_question_asks_again() {
    run(async {
        let db = TestDb::postgres().await;
        let (network, url) = Proxy::instead_of(db.url());
        let (test, far) = (TestWorker::with(db, &[], false).await, TestWorker::at(&url).await);
        network.strand();
        let working = far.start(probes());
        let job = test.enqueue(Probe { number: 1 }).await;
        test.reaches(job, JobState::Done).await;
        working.stop().await;
    });
}

#[test]
fn a_worker_whose_connections_fall_silent_over_and_over_opens_new_ones() {
    run(async {
        let db = TestDb::postgres().await;
        let (network, url) = Proxy::instead_of(db.url());
        let (test, far) = (TestWorker::with(db, &[], false).await, TestWorker::at(&url).await);
        let policy = Policy {
            attempts: 100,
            timeout: Duration::from_secs(2),
            ..QUICK
        };
        let kinds = Registry::new().register::<Probe>(policy, async |job: Probe, context: JobContext| {
            if job.number % 2 == 0 {
                return Ok(());
            }
            let tx = context.begin().await?;
            context.complete(tx).await
        });
        let options = Options {
            lease: Duration::from_secs(6),
            ..Options::default()
        };
        let working = far.start_with(kinds, options);
        let mut jobs = Vec::new();
        for number in 0..120 {
            jobs.push(test.enqueue(Probe { number }).await);
            if number % 10 == 0 {
                // Some of its calls are under way, and will never be answered.
                network.strand();
                tokio::time::sleep(Duration::from_millis(700)).await;
            }
        }
        eventually(PATIENCE * 3, "all are done", async || {
            (test.count(&jobs, JobState::Done).await == jobs.len()).then_some(())
        })
        .await;
        working.stop().await;
    });
}

#[test]
fn a_handler_does_not_wait_for_a_silent_connection_until_its_time_limit() {
    run(async {
        let db = TestDb::postgres().await;
        let (network, url) = Proxy::instead_of(db.url());
        let (test, far) = (TestWorker::with(db, &[], false).await, TestWorker::at(&url).await);
        let (within, gate) = (Notes::default(), Arc::new(tokio::sync::Semaphore::new(0)));
        let policy = Policy {
            timeout: Duration::from_secs(3600),
            ..QUICK
        };
        let (noted, passes) = (within.clone(), Arc::clone(&gate));
        let kinds = Registry::new().register::<Probe>(policy, move |job: Probe, context: JobContext| {
            let (noted, passes) = (noted.clone(), Arc::clone(&passes));
            async move {
                let tx = context.begin().await?;
                noted.add(job.number);
                drop(passes.acquire().await?);
                if job.number == 1 {
                    tx.execute_unprepared("SELECT 1").await?;
                }
                context.complete(tx).await
            }
        });
        let working = far.start(kinds);
        let jobs = [
            test.enqueue(Probe { number: 1 }).await,
            test.enqueue(Probe { number: 2 }).await,
        ];
        eventually(PATIENCE, "both are in the middle of their transaction", async || {
            (within.count() == 2).then_some(())
        })
        .await;
        network.strand();
        gate.add_permits(10);
        // PostgreSQL needs 30 s to find the first connection silent, and so does the handler.
        eventually(PATIENCE * 4, "both are done", async || {
            (test.count(&jobs, JobState::Done).await == 2).then_some(())
        })
        .await;
        for id in jobs {
            let attempts = test.attempts(id).await;
            assert!(!attempts.is_empty(), "it was not held up");
            assert!(
                attempts
                    .iter()
                    .all(|attempt| attempt.outcome != AttemptOutcome::TimedOut)
            );
        }
        working.stop().await;
    });
}

#[test]
fn a_claim_whose_answer_got_lost_is_no_crash() {
    run(async {
        let (db, redis) = (TestDb::postgres().await, Redis::start().await);
        let (network, url) = Proxy::instead_of(db.url());
        let settings = [("REDIS_URL", redis.url())];
        let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
        let (test, far) = (
            TestWorker::with(db, &settings, false).await,
            TestWorker::at_with(&url, &settings).await,
        );
        let working = far.start(probes());
        let job = loop {
            // A connection that has just been used is not tried before the claim.
            let before = test.enqueue(Probe { number: 1 }).await;
            test.reaches(before, JobState::Done).await;
            network.set(Flow::StallsAnswers);
            let id = test.enqueue(Probe { number: 2 }).await;
            tokio::time::sleep(Duration::from_millis(500)).await;
            network.cut();
            network.set(Flow::Passes);
            if test.job(id).await.state == JobState::Running {
                break test.reaches(id, JobState::Done).await;
            }
            test.reaches(id, JobState::Done).await;
        };
        assert_eq!((job.attempt, job.crashes, job.epoch), (1, 0, 1), "{job:?}");
        assert!(test.attempts(job.id).await.is_empty());
        working.stop().await;
    });
}

#[test]
fn a_worker_that_is_cut_off_stops_its_handler_and_another_one_runs_the_job() {
    run(async {
        let db = TestDb::postgres().await;
        let (network, url) = Proxy::instead_of(db.url());
        let (test, far) = (TestWorker::with(db, &[], false).await, TestWorker::at(&url).await);
        let (started, ended) = (Notes::default(), Notes::default());
        let kinds = |place: &'static str| {
            let (started, ended) = (started.clone(), ended.clone());
            Registry::new().register::<Probe>(QUICK, move |_, _: JobContext| {
                let (started, ended) = (started.clone(), ended.clone());
                async move {
                    started.add(place);
                    tokio::time::sleep(Duration::from_secs(8)).await;
                    ended.add(place);
                    Ok(())
                }
            })
        };
        let options = Options {
            lease: Duration::from_secs(3),
            ..Options::default()
        };
        let cut_off = far.start_with(kinds("far"), options.clone());
        let id = test.enqueue(Probe { number: 1 }).await;
        eventually(PATIENCE, "it runs", async || (started.count() == 1).then_some(())).await;
        network.set(Flow::Stalls);
        let near = test.start_with(kinds("near"), options);
        let job = test.reaches(id, JobState::Done).await;
        assert_eq!((started.all(), ended.all()), (vec!["far", "near"], vec!["near"]));
        assert_eq!((job.attempt, job.crashes), (2, 1));
        network.set(Flow::Passes);
        for worker in [near, cut_off] {
            worker.stop().await;
        }
        assert_eq!(test.job(id).await.finished_at, job.finished_at);
    });
}

#[test]
fn a_row_that_a_vanished_worker_has_locked_is_free_again() {
    run(async {
        let db = TestDb::postgres().await;
        let (network, url) = Proxy::instead_of(db.url());
        let (test, far) = (TestWorker::with(db, &[], false).await, TestWorker::at(&url).await);
        let locked = Notes::default();
        let noting = locked.clone();
        let locks_and_hangs = Registry::new().register::<Probe>(QUICK, move |_, context: JobContext| {
            let locked = noting.clone();
            async move {
                let tx = context.begin().await?;
                let row = job::Entity::find_by_id(context.job.id).lock_exclusive();
                row.one(&*tx).await?;
                locked.add(());
                std::future::pending().await
            }
        });
        let options = Options {
            lease: Duration::from_secs(3),
            ..Options::default()
        };
        let vanished = far.start_with(locks_and_hangs, options.clone());
        let id = test.enqueue(Probe { number: 1 }).await;
        eventually(PATIENCE, "the row is locked", async || {
            (locked.count() == 1).then_some(())
        })
        .await;
        // Its transaction is open, and neither its end nor that of the connection will ever reach the database.
        network.strand();
        network.set(Flow::Refuses);
        let near = test.start_with(probes(), options);
        eventually(PATIENCE * 3, "somebody else does the job", async || {
            (test.job(id).await.state == JobState::Done).then_some(())
        })
        .await;
        near.stop().await;
        vanished.stop().await;
    });
}

#[on_both]
async fn a_redis_that_answers_and_takes_nothing_holds_no_job_up(db: TestDb) {
    let redis = Redis::start().await;
    let test = TestWorker::with(db, &[("REDIS_URL", &redis.url())], false).await;
    let working = test.start(probes());
    let first = test.enqueue(Probe { number: 1 }).await;
    test.reaches(first, JobState::Done).await;
    redis.configure("maxmemory", "1").await;
    for number in 2..5 {
        let id = test.enqueue(Probe { number }).await;
        test.reaches(id, JobState::Done).await;
    }
    redis.configure("maxmemory", "0").await;
    let last = test.enqueue(Probe { number: 5 }).await;
    test.reaches(last, JobState::Done).await;
    working.stop().await;
}

#[on_both]
async fn a_redis_that_hangs_holds_no_job_up(db: TestDb) {
    let redis = Redis::start().await;
    let (network, url) = Proxy::instead_of(&redis.url());
    let test = TestWorker::with(db, &[("REDIS_URL", &url)], false).await;
    let working = test.start(probes());
    for flow in [
        Flow::Passes,
        Flow::Stalls,
        Flow::StallsAnswers,
        Flow::Refuses,
        Flow::Passes,
    ] {
        network.set(flow);
        let id = test.enqueue(Probe { number: 1 }).await;
        test.reaches(id, JobState::Done).await;
    }
    network.strand();
    let id = test.enqueue(Probe { number: 2 }).await;
    test.reaches(id, JobState::Done).await;
    working.stop().await;
}

#[on_both]
async fn a_late_failure_does_not_hide_that_another_worker_sent_the_mail(db: TestDb) {
    let sink = SmtpSink::start().await;
    let (network, url) = Proxy::instead_of(&sink.url());
    let test = TestWorker::with(db, &[("SMTP_URL", &url)], true).await;
    sink.misbehave(Step::Recipient, Deed::Says("451 4.3.0 Later"));
    network.set(Flow::StallsAnswers);
    let user = test.sign_up("Ada Lovelace", "ada@example.org").await;
    let working = test.start(registry());
    eventually(PATIENCE, "the mail is under way", async || {
        (sink.connections() == 1).then_some(())
    })
    .await;
    // Another worker takes the job over and sends the mail.
    let id = test.job_of(&user).await.id;
    test.sql("UPDATE mails SET state = 'sent', answer = '250 accepted'")
        .await;
    test.sql("UPDATE jobs SET state = 'done', lease_token = NULL, lease_until = NULL")
        .await;
    network.set(Flow::Passes);
    working.stop().await;
    let [mail] = <[_; 1]>::try_from(test.mails().await).unwrap();
    assert_eq!(
        (mail.state, mail.answer.as_deref()),
        (MailState::Sent, Some("250 accepted"))
    );
    assert_eq!(test.job(id).await.state, JobState::Done);
}

#[test]
fn a_worker_waits_for_a_database_that_is_not_there_and_says_so_once() {
    run(async {
        let mut postgres = Postgres::start().await;
        let url = postgres.url("postgres");
        let db = connect(&url, &PoolOptions::default()).await.unwrap();
        Migrator::up(&db, None).await.unwrap();
        db.close().await.unwrap();
        postgres.stop();
        let (sink, address) = (SmtpSink::start().await, format!("127.0.0.1:{}", free_port()));
        let running = worker(&url)
            .env("SMTP_URL", sink.url())
            .env("METRICS_ADDR", &address)
            .start(&Folder::new())
            .await;
        let unreachable = (
            503,
            r#"{"status":"not_ready","database":"unreachable","redis":"off"}"#.to_owned(),
        );
        eventually(PATIENCE, "it says why it is not ready", async || {
            (get(&address, "/health/ready").await? == unreachable).then_some(())
        })
        .await;
        assert_eq!(get(&address, "/health/live").await.unwrap().0, 200);
        tokio::time::sleep(Duration::from_secs(8)).await;
        let log = running.log();
        assert_eq!(log.matches("waiting for the database").count(), 1, "{log}");
        assert_eq!(
            log.lines().filter(|line| line.contains("\"WARN\"")).count(),
            1,
            "nothing else is said: {log}"
        );

        postgres.start_again().await;
        let test = TestWorker::at(&url).await;
        test.sign_up("Ada Lovelace", "ada@example.org").await;
        sink.wait_for(1, PATIENCE).await;
        assert_eq!(get(&address, "/health/ready").await.unwrap().0, 200);
        assert_eq!(running.terminate().await, 0);
    });
}

#[on_both]
async fn a_worker_works_without_the_redis_it_was_promised_says_so_once_and_takes_it_when_it_comes(db: TestDb) {
    let mut redis = Redis::start().await;
    redis.stop();
    let (sink, address) = (SmtpSink::start().await, format!("127.0.0.1:{}", free_port()));
    let running = worker(db.url())
        .env("REDIS_URL", redis.url())
        .env("SMTP_URL", sink.url())
        .env("METRICS_ADDR", &address)
        .ready_at(&address)
        .start(&Folder::new())
        .await;
    let test = TestWorker::with(db, &[], false).await;
    let health = async |redis: &str| {
        let expected = format!(r#"{{"status":"ready","database":"ok","redis":"{redis}"}}"#);
        eventually(PATIENCE, &expected, async || {
            (get(&address, "/health/ready").await? == (200, expected.clone())).then_some(())
        })
        .await;
    };
    health("unreachable").await;
    for round in 1..=3 {
        test.sign_up("Ada Lovelace", &format!("ada{round}@example.org")).await;
        sink.wait_for(round, PATIENCE).await;
    }
    let log = running.log();
    assert_eq!(log.matches("polling the jobs table until it does").count(), 1, "{log}");
    redis.start_again().await;
    health("ok").await;
    eventually(PATIENCE, "it says that Redis is there", async || {
        running.log().contains("Redis answers again").then_some(())
    })
    .await;
    assert_eq!(running.terminate().await, 0);
}
