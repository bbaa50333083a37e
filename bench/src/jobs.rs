//! Jobs from their transaction to their end: on PostgreSQL with Redis, without Redis, and on SQLite.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use sea_orm::{ConnectionTrait, DbBackend};
use serde::{Deserialize, Serialize};
use tokio::{sync::Notify, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use usher_migrations::{Migrator, MigratorTrait};
use usher_shared::{
    Config, House, SecretKey,
    config::{Mode, Source},
    jobs::{Job, enqueue},
};
use usher_testkit::{Postgres, Redis, TestDb};
use usher_worker::{JobContext, JobError, Options, Policy, Registry, Worker};

use crate::{
    limit,
    sample::{cpu_ticks, memory, quantile, rate},
    table::{self, Figure},
};

#[derive(clap::Args)]
pub struct Args {
    /// A queue of a million jobs as well
    #[arg(long)]
    long: bool,
    #[arg(long)]
    json: bool,
}

const CLIENTS: usize = 32;
const SHORT: usize = 10_000;
const LONG: usize = 1_000_000;

/// Does nothing; its number says which one it is.
#[derive(Serialize, Deserialize)]
struct Noop {
    number: usize,
}

impl Job for Noop {
    const KIND: &'static str = "noop";
}

pub async fn run(args: &Args) -> Result<()> {
    let mut figures = Vec::new();
    let postgres = Postgres::start_durable().await;
    let redis = Redis::start().await;
    let on_postgres = async |name: &str| -> Result<String> {
        usher_testkit::administer(&postgres.url("postgres"), &format!("CREATE DATABASE {name}")).await?;
        Ok(postgres.url(name))
    };

    let url = on_postgres("with_redis").await?;
    let bench = Bench::open("PostgreSQL + Redis", &url, Some(&redis.url()), false).await?;
    bench.all(args, &mut figures).await?;
    let limit = limit::pgbench(&url, INSERT, CLIENTS)?;
    figures.push(bench.figure(
        "limit: pgbench inserts of the same row",
        limit,
        "/s",
        "the enqueue rate above",
    ));

    let url = on_postgres("without_redis").await?;
    Bench::open("PostgreSQL, no Redis", &url, None, false)
        .await?
        .all(args, &mut figures)
        .await?;

    let sqlite = TestDb::sqlite().await;
    Bench::open("SQLite, one process", sqlite.url(), None, true)
        .await?
        .all(args, &mut figures)
        .await?;

    table::print(&figures, args.json)?;
    Ok(())
}

const INSERT: &str =
    "INSERT INTO jobs (id, queue, kind, version, payload, priority, run_at, next_dispatch_at, created_at)
VALUES (gen_random_uuid(), 'limit', 'noop', 1, '{\"number\": 1}', 5, now(), now(), now());\n";

/// What the handlers note.
#[derive(Default)]
struct Seen {
    started: Mutex<HashMap<usize, Instant>>,
    count: AtomicUsize,
    target: AtomicUsize,
    reached: Notify,
}

impl Seen {
    fn note(&self, number: usize) {
        self.started
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(number, Instant::now());
        if self.count.fetch_add(1, Ordering::AcqRel) + 1 == self.target.load(Ordering::Acquire) {
            self.reached.notify_one();
        }
    }

    fn expect(&self, count: usize) {
        self.started.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.count.store(0, Ordering::Release);
        self.target.store(count, Ordering::Release);
    }
}

struct Bench {
    on: &'static str,
    house: House,
    seen: Arc<Seen>,
}

impl Bench {
    async fn open(on: &'static str, url: &str, redis: Option<&str>, one_process: bool) -> Result<Self> {
        let key = SecretKey::generate_base64();
        let source = Source::of([
            ("DATABASE_URL", url),
            ("SECRET_KEY", &key),
            ("REDIS_URL", redis.unwrap_or_default()),
        ]);
        let config = Config::read(Mode::Room, &source)?;
        let db = usher_shared::db::connect(url, &usher_shared::db::PoolOptions::default()).await?;
        Migrator::up(&db, None).await?;
        Ok(Self {
            on,
            house: House::with(config, db, one_process),
            seen: Arc::default(),
        })
    }

    async fn all(&self, args: &Args, figures: &mut Vec<Figure>) -> Result<()> {
        let took = self.enqueue(SHORT, 1).await?;
        figures.push(self.figure("enqueued, one a transaction, 32 clients", rate(SHORT, took), "/s", ""));
        let short = self.drain(SHORT).await?;
        figures.push(self.figure(
            "drained, queue of 10,000",
            rate(SHORT, short),
            "/s",
            "goal 4,000 on PostgreSQL",
        ));
        if args.long {
            self.enqueue(LONG, 500).await?;
            let long = self.drain(LONG).await?;
            let ratio = format!(
                "{:.2} of the short queue, goal 0.90",
                rate(LONG, long) / rate(SHORT, short)
            );
            figures.push(self.figure("drained, queue of 1,000,000", rate(LONG, long), "/s", &ratio));
        }
        self.latency(figures).await?;
        self.idle(figures).await?;
        Ok(())
    }

    fn figure(&self, what: &'static str, value: f64, unit: &'static str, beside: &str) -> Figure {
        Figure {
            on: self.on.to_owned(),
            what: what.into(),
            value,
            unit,
            beside: beside.to_owned(),
        }
    }

    /// Enqueues this many from 32 tasks.
    async fn enqueue(&self, count: usize, in_one: usize) -> Result<Duration> {
        self.house.db.execute_unprepared("DELETE FROM jobs").await?;
        let began = Instant::now();
        let share = count / CLIENTS;
        let clients = (0..CLIENTS).map(|client| {
            let ledger = self.house.ledger.clone();
            let (first, last) = (
                client * share,
                if client + 1 == CLIENTS {
                    count
                } else {
                    (client + 1) * share
                },
            );
            tokio::spawn(async move {
                for batch in (first..last).step_by(in_one) {
                    let tx = ledger.begin().await?;
                    for number in batch..(batch + in_one).min(last) {
                        enqueue(&tx, Noop { number }).await?;
                    }
                    tx.commit().await?;
                }
                anyhow::Ok(())
            })
        });
        for client in futures::future::try_join_all(clients).await? {
            client?;
        }
        if in_one > 1 && self.house.db.get_database_backend() == DbBackend::Postgres {
            self.house.db.execute_unprepared("ANALYZE jobs").await?;
        }
        Ok(began.elapsed())
    }

    /// From the worker's start to the last job's start.
    async fn drain(&self, count: usize) -> Result<Duration> {
        self.seen.expect(count);
        let began = Instant::now();
        let (worker, stop) = self.worker();
        self.seen.reached.notified().await;
        let took = began.elapsed();
        stop.cancel();
        worker.await??;
        Ok(took)
    }

    /// 200 jobs a second for ten seconds.
    async fn latency(&self, figures: &mut Vec<Figure>) -> Result<()> {
        const COUNT: usize = 2_000;
        let (worker, stop) = self.worker();
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.seen.expect(COUNT);
        let mut clock = tokio::time::interval(Duration::from_millis(5));
        clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut committed = Vec::with_capacity(COUNT);
        for number in 0..COUNT {
            clock.tick().await;
            let tx = self.house.ledger.begin().await?;
            enqueue(&tx, Noop { number }).await?;
            tx.commit().await?;
            committed.push(Instant::now());
        }
        self.seen.reached.notified().await;
        stop.cancel();
        worker.await??;
        let started = self.seen.started.lock().unwrap_or_else(PoisonError::into_inner);
        let mut waits: Vec<_> = committed
            .iter()
            .enumerate()
            .map(|(n, at)| started[&n].saturating_duration_since(*at))
            .collect();
        figures.push(self.figure("commit to start, 200/s, p50", quantile(&mut waits, 0.5), "ms", "goal 5"));
        let goal = if self.house.ledger.transport().carries_hints() {
            "goal 25"
        } else {
            "goal 1,500"
        };
        figures.push(self.figure("commit to start, 200/s, p99", quantile(&mut waits, 0.99), "ms", goal));
        Ok(())
    }

    async fn idle(&self, figures: &mut Vec<Figure>) -> Result<()> {
        let (worker, stop) = self.worker();
        tokio::time::sleep(Duration::from_secs(2)).await;
        let before = cpu_ticks();
        tokio::time::sleep(Duration::from_secs(10)).await;
        figures.push(self.figure("idle, of one core", (cpu_ticks() - before) / 10.0, "%", "goal 1"));
        figures.push(self.figure("memory after all this", memory(), "MiB", "the bench itself included"));
        stop.cancel();
        worker.await??;
        Ok(())
    }

    fn worker(&self) -> (tokio::task::JoinHandle<Result<()>>, CancellationToken) {
        let (house, seen, stop) = (self.house.clone(), Arc::clone(&self.seen), CancellationToken::new());
        let registry = Registry::new().register::<Noop>(Policy::DEFAULT, move |job: Noop, _: JobContext| {
            let seen = Arc::clone(&seen);
            async move {
                seen.note(job.number);
                Ok::<(), JobError>(())
            }
        });
        let stopped = stop.clone();
        let worker = Worker::new(
            registry,
            Options {
                concurrency: CLIENTS,
                ..Options::default()
            },
        );
        (tokio::spawn(async move { worker.run(&house, stopped).await }), stop)
    }
}
