//! Welcome mails over SMTP: how many a second, how long from the sign-up to the server, and what each costs.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use usher_shared::{
    accounts::users::{self, NewUser},
    audit::Actor,
    foundation::rules::{Email, EmailPolicy, Name},
    jobs::JobStore,
};
use usher_testkit::{Postgres, SmtpSink};
use usher_worker::{Options, Worker, registry};

use super::Bench;
use crate::{
    sample::{quantile, rate},
    table::{
        Figure,
        Goal::{AtLeast, AtMost},
    },
};

const MAILS: usize = 10_000;
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) async fn run(like: &Bench, postgres: &Postgres, redis: &str, figures: &mut Vec<Figure>) -> Result<()> {
    usher_testkit::administer(&postgres.url("postgres"), "CREATE DATABASE mails").await?;
    let sink = SmtpSink::start().await;
    let bench = Bench::open_with(like.on, &postgres.url("mails"), Some(redis), false, &sink.url()).await?;
    let job_store = &bench.context.job_store;

    for first in (0..MAILS).step_by(500) {
        sign_up(job_store, first..first + 500).await?;
    }
    let before = bench.transactions().await?;
    let began = Instant::now();
    let (worker, stop) = start(&bench);
    sink.wait_for(MAILS, PATIENCE).await;
    let took = began.elapsed();
    stop.cancel();
    worker.await??;
    let spent = bench.transactions().await? - before;
    figures.push(bench.figure(
        "welcome mails, 64 at once",
        rate(MAILS, took),
        "/s",
        Some(AtLeast(2_000.0)),
    ));
    let each = spent / (MAILS as f64);
    figures.push(bench.figure("transactions a mail", each, "", Some(AtMost(1.0))));
    let doubled = sink.accepted().len() - MAILS;
    ensure!(doubled == 0, "{doubled} mails were sent twice");

    one_by_one(&bench, figures).await
}

/// 50 sign-ups a second for ten seconds; from the begin of the transaction to the note of the server's answer, by the
/// database's clock.
async fn one_by_one(bench: &Bench, figures: &mut Vec<Figure>) -> Result<()> {
    const COUNT: usize = 500;
    let (worker, stop) = start(bench);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut clock = tokio::time::interval(Duration::from_millis(20));
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for number in MAILS..MAILS + COUNT {
        clock.tick().await;
        sign_up(&bench.context.job_store, number..number + 1).await?;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    stop.cancel();
    worker.await??;
    let sql = format!(
        "SELECT extract(epoch FROM mails.sent_at - jobs.created_at)::float8 AS took FROM jobs \
         JOIN mails ON mails.job_id = jobs.id WHERE mails.state = 'sent' ORDER BY jobs.id DESC LIMIT {COUNT}"
    );
    let rows = bench
        .context
        .db
        .query_all_raw(Statement::from_string(DbBackend::Postgres, sql))
        .await?;
    let took = rows.iter().map(|row| row.try_get::<f64>("", "took"));
    let mut took = took
        .map(|took| took.map(|took| Duration::from_secs_f64(took.max(0.0))))
        .collect::<Result<Vec<_>, _>>()?;
    ensure!(took.len() == COUNT, "{} of {COUNT} mails are out", took.len());
    for (name, q, goal) in [
        ("sign-up to mail, 50/s, p50", 0.5, 8.0),
        ("sign-up to mail, 50/s, p99", 0.99, 25.0),
    ] {
        figures.push(bench.figure(name, quantile(&mut took, q), "ms", Some(AtMost(goal))));
    }
    Ok(())
}

async fn sign_up(job_store: &JobStore, numbers: std::ops::Range<usize>) -> Result<()> {
    let tx = job_store.begin().await?;
    for number in numbers {
        let new = NewUser {
            name: Name::parse("Ada Lovelace").map_err(|fault| anyhow::anyhow!(fault.message))?,
            email: Email::parse(&format!("ada{number}@example.org"), EmailPolicy::default())
                .map_err(|fault| anyhow::anyhow!(fault.message))?,
            age: None,
        };
        users::create(&tx, &new, &Actor::system()).await?;
    }
    tx.commit().await?;
    Ok(())
}

fn start(bench: &Bench) -> (tokio::task::JoinHandle<Result<()>>, CancellationToken) {
    let (context, stop) = (bench.context.clone(), CancellationToken::new());
    let options = Options {
        concurrency: 64,
        ..Options::default()
    };
    let worker = Worker::new(registry(), options);
    let stopped = stop.clone();
    (tokio::spawn(async move { worker.run(&context, stopped).await }), stop)
}
