//! Jobs from their transaction to their end: on PostgreSQL with Redis, without Redis, and on SQLite.

mod mails;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde::{Deserialize, Serialize};
use tokio::{sync::Notify, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use usher_migrations::{Migrator, MigratorTrait};
use usher_shared::{
    AppContext,
    foundation::{
        config::{Config, Mode, Source},
        crypto::SecretKey,
    },
    jobs::{Job, enqueue},
};
use usher_testkit::{Postgres, Redis, TestDb};
use usher_worker::{JobContext, JobError, Options, Policy, Registry, Worker};

use crate::{
    chaos::On,
    limit,
    sample::{cpu_ticks, memory, quantile, rate},
    table::{
        Figure,
        Goal::{self, AtLeast, AtMost},
    },
};

#[derive(clap::Args)]
pub struct Args {
    /// A long queue as well; of a million jobs if no number is given
    #[arg(long, value_name = "JOBS", num_args = 0..=1, default_missing_value = "1000000")]
    long: Option<usize>,
    /// Where: all three if none is named
    #[arg(long)]
    on: Vec<On>,
}

impl Args {
    /// What is measured beside everything else.
    pub fn short() -> Self {
        Self {
            long: None,
            on: vec![On::PostgresRedis],
        }
    }
}

const CLIENTS: usize = 32;
const SHORT: usize = 10_000;

/// Does nothing; its number says which one it is.
#[derive(Serialize, Deserialize)]
struct Noop {
    number: usize,
}

impl Job for Noop {
    const KIND: &'static str = "noop";
}

pub async fn figures(args: &Args) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let postgres = Postgres::start_durable().await;
    let redis = Redis::start().await;
    let on_postgres = async |name: &str| -> Result<String> {
        usher_testkit::administer(&postgres.url("postgres"), &format!("CREATE DATABASE {name}")).await?;
        Ok(postgres.url(name))
    };

    let asked = |on| args.on.is_empty() || args.on.contains(&on);

    if asked(On::PostgresRedis) {
        let url = on_postgres("with_redis").await?;
        let bench = Bench::open("PostgreSQL + Redis", &url, Some(&redis.url()), false).await?;
        // In a database of its own, whose dead rows are in nobody's way.
        let beside = on_postgres("pgbench").await?;
        Bench::open("", &beside, None, false).await?;
        let limit = limit::pgbench(&beside, INSERT, CLIENTS)?;
        figures.push(bench.figure("limit: pgbench inserts of the same row", limit, "/s", None));
        // As a job is written: in a transaction, which it shares with what caused it.
        let apart = limit::pgbench(&beside, &format!("BEGIN;\n{INSERT}COMMIT;\n"), CLIENTS)?;
        figures.push(bench.figure("limit: the same between BEGIN and COMMIT", apart, "/s", None));
        bench.all(args, Some(apart), &mut figures).await?;
        mails::run(&bench, &postgres, &redis.url(), &mut figures).await?;
    }
    if asked(On::Postgres) {
        let url = on_postgres("without_redis").await?;
        let bench = Bench::open("PostgreSQL, no Redis", &url, None, false).await?;
        bench.all(args, None, &mut figures).await?;
    }
    if asked(On::Sqlite) {
        let sqlite = TestDb::sqlite().await;
        let bench = Bench::open("SQLite, one process", sqlite.url(), None, true).await?;
        bench.all(args, None, &mut figures).await?;
    }

    Ok(figures)
}

const INSERT: &str =
    "INSERT INTO jobs (id, queue, kind, version, payload, priority, run_at, next_dispatch_at, created_at)
VALUES (gen_random_uuid(), 'limit', 'noop', 1, '{\"number\": 1}', 5, now(), now(), now());\n";

/// An id as the jobs table gives them, by time, for rows that PostgreSQL makes: random ones would spread the oldest
/// jobs over all pages of the table, and measure that.
const UUID_V7: &str = "(lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') \
                       || '7' || substr(md5(random()::text), 1, 3) || '8' || substr(md5(random()::text), 1, 15))::uuid";

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
    context: AppContext,
    seen: Arc<Seen>,
}

impl Bench {
    async fn open(on: &'static str, url: &str, redis: Option<&str>, one_process: bool) -> Result<Self> {
        Self::open_with(on, url, redis, one_process, "").await
    }

    async fn open_with(
        on: &'static str,
        url: &str,
        redis: Option<&str>,
        one_process: bool,
        smtp: &str,
    ) -> Result<Self> {
        let key = SecretKey::generate_base64();
        let source = Source::of([
            ("DATABASE_URL", url),
            ("SECRET_KEY", &key),
            ("REDIS_URL", redis.unwrap_or_default()),
            ("SMTP_URL", smtp),
        ]);
        let config = Config::read(Mode::Service, &source)?;
        let db =
            usher_shared::foundation::db::connect(url, &usher_shared::foundation::db::PoolOptions::default()).await?;
        Migrator::up(&db, None).await?;
        Ok(Self {
            on,
            context: AppContext::with(config, db, one_process),
            seen: Arc::default(),
        })
    }

    /// Everything; `limit` is how many inserts a second the database takes.
    async fn all(&self, args: &Args, limit: Option<f64>, figures: &mut Vec<Figure>) -> Result<()> {
        let enqueued = rate(SHORT, self.enqueue(SHORT).await?);
        figures.push(self.figure("enqueued, one a transaction, 32 clients", enqueued, "/s", None));
        if let Some(limit) = limit {
            figures.push(self.figure("  of pgbench's limit, BEGIN and COMMIT", enqueued / limit, "", None));
        }
        let before = self.transactions().await?;
        let short = rate(SHORT, self.drain(SHORT).await?);
        let spent = self.transactions().await? - before;
        let postgres = self.is_postgres();
        figures.push(self.figure(
            "drained, queue of 10,000",
            short,
            "/s",
            postgres.then_some(AtLeast(4_000.0)),
        ));
        if postgres {
            let each = spent / (SHORT as f64);
            figures.push(self.figure("transactions a no-op job, drained", each, "", Some(AtMost(0.5))));
        }
        if let Some(count) = args.long.filter(|_| postgres) {
            self.long(count, short, figures).await?;
        }
        self.latency(50, figures).await?;
        self.latency(200, figures).await?;
        self.idle(figures).await?;
        Ok(())
    }

    /// A queue of many jobs, beside one of few that is drained at the rate `short`.
    async fn long(&self, count: usize, short: f64, figures: &mut Vec<Figure>) -> Result<()> {
        self.fill(count).await?;
        let (took, most) = self.drain_watched(count).await?;
        let long = rate(count, took);
        let about = format!("queue of {count}");
        figures.push(Figure {
            beside: about,
            ..self.figure("drained, long queue", long, "/s", None)
        });
        figures.push(self.figure("  of the rate of 10,000", long / short, "", Some(AtLeast(0.9))));
        if self.context.job_store.transport().carries_wake_ups() {
            figures.push(self.figure("  ids in Redis at most", most as f64, "", Some(AtMost(30_000.0))));
        }
        Ok(())
    }

    fn is_postgres(&self) -> bool {
        self.context.db.get_database_backend() == DbBackend::Postgres
    }

    /// Transactions that the database has ended so far; none are counted on SQLite.
    async fn transactions(&self) -> Result<f64> {
        if !self.is_postgres() {
            return Ok(0.0);
        }
        // Each backend tells its count about once a second.
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        let sql = "SELECT xact_commit::float8 AS count FROM pg_stat_database WHERE datname = current_database()";
        let row = self
            .context
            .db
            .query_one_raw(Statement::from_string(DbBackend::Postgres, sql))
            .await?;
        Ok(row.map_or(Ok(0.0), |row| row.try_get("", "count"))?)
    }

    fn figure(&self, what: &'static str, value: f64, unit: &'static str, goal: Option<Goal>) -> Figure {
        Figure {
            on: self.on.to_owned(),
            what: what.into(),
            value,
            unit,
            beside: String::new(),
            goal,
        }
    }

    /// Writes this many due jobs by one statement, unannounced: what an outage leaves.
    async fn fill(&self, count: usize) -> Result<()> {
        self.context.db.execute_unprepared("DELETE FROM jobs").await?;
        let fill = format!(
            "INSERT INTO jobs (id, queue, kind, payload, run_at, next_dispatch_at, created_at)
             SELECT {UUID_V7}, 'default', 'noop', jsonb_build_object('number', n), now(), now(), now()
             FROM generate_series(0, {count} - 1) n"
        );
        self.context.db.execute_unprepared(&fill).await?;
        Ok(())
    }

    /// [`Self::drain`], and the most wake-ups that were waiting meanwhile.
    async fn drain_watched(&self, count: usize) -> Result<(Duration, usize)> {
        let mut most = 0;
        let drain = self.drain(count);
        tokio::pin!(drain);
        loop {
            tokio::select! {
                took = &mut drain => return Ok((took?, most)),
                () = tokio::time::sleep(Duration::from_millis(200)) => {
                    most = most.max(self.context.job_store.transport().waiting("default").await.unwrap_or_default());
                }
            }
        }
    }

    /// Enqueues this many from 32 tasks, each in a transaction of its own.
    async fn enqueue(&self, count: usize) -> Result<Duration> {
        self.context.db.execute_unprepared("DELETE FROM jobs").await?;
        let began = Instant::now();
        let share = count / CLIENTS;
        let clients = (0..CLIENTS).map(|client| {
            let job_store = self.context.job_store.clone();
            let (first, last) = (
                client * share,
                if client + 1 == CLIENTS {
                    count
                } else {
                    (client + 1) * share
                },
            );
            tokio::spawn(async move {
                for number in first..last {
                    let tx = job_store.begin().await?;
                    enqueue(&tx, Noop { number }).await?;
                    tx.commit().await?;
                }
                anyhow::Ok(())
            })
        });
        for client in futures::future::try_join_all(clients).await? {
            client?;
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

    /// So many jobs a second for ten seconds.
    async fn latency(&self, a_second: u32, figures: &mut Vec<Figure>) -> Result<()> {
        let count = a_second as usize * 10;
        let (worker, stop) = self.worker();
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.seen.expect(count);
        let mut clock = tokio::time::interval(Duration::from_secs(1) / a_second);
        clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut committed = Vec::with_capacity(count);
        for number in 0..count {
            clock.tick().await;
            let tx = self.context.job_store.begin().await?;
            enqueue(&tx, Noop { number }).await?;
            tx.commit().await?;
            committed.push(Instant::now());
        }
        self.seen.reached.notified().await;
        stop.cancel();
        worker.await??;
        let started = self.seen.started.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = |(n, at): (usize, &Instant)| started[&n].saturating_duration_since(*at);
        let mut waits: Vec<_> = committed.iter().enumerate().map(wait).collect();
        let announced = self.context.job_store.transport().carries_wake_ups();
        let (names, goals) = match (a_second, announced) {
            (50, true) => (["commit to start, 50/s, p50", "commit to start, 50/s, p99"], [2.0, 8.0]),
            (50, false) => (
                ["commit to start, 50/s, p50", "commit to start, 50/s, p99"],
                [1_000.0, 1_500.0],
            ),
            (_, true) => (
                ["commit to start, 200/s, p50", "commit to start, 200/s, p99"],
                [5.0, 25.0],
            ),
            (_, false) => (
                ["commit to start, 200/s, p50", "commit to start, 200/s, p99"],
                [1_000.0, 1_500.0],
            ),
        };
        for ((name, goal), q) in names.into_iter().zip(goals).zip([0.5, 0.99]) {
            figures.push(self.figure(name, quantile(&mut waits, q), "ms", Some(AtMost(goal))));
        }
        Ok(())
    }

    async fn idle(&self, figures: &mut Vec<Figure>) -> Result<()> {
        let (worker, stop) = self.worker();
        tokio::time::sleep(Duration::from_secs(2)).await;
        let before = cpu_ticks();
        tokio::time::sleep(Duration::from_secs(10)).await;
        figures.push(self.figure(
            "idle, of one core",
            (cpu_ticks() - before) / 10.0,
            "%",
            Some(AtMost(1.0)),
        ));
        figures.push(self.figure("memory after all this", memory(), "MiB", None));
        stop.cancel();
        worker.await??;
        Ok(())
    }

    fn worker(&self) -> (tokio::task::JoinHandle<Result<()>>, CancellationToken) {
        let (context, seen, stop) = (self.context.clone(), Arc::clone(&self.seen), CancellationToken::new());
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
        (tokio::spawn(async move { worker.run(&context, stopped).await }), stop)
    }
}
