//! All services as processes of their own, two of those that clients and jobs depend on: one of the two is killed now
//! and then, the other lives through everything.

use std::{collections::HashMap, time::Duration};

use anyhow::{Result, ensure};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use tokio::time::sleep;
use usher_shared::foundation::db::{PoolOptions, connect};
use usher_testkit::{Postgres, Redis, Running, SmtpSink, free_port};

use crate::{
    programs::{Mortal, Programs},
    sample::memory_of,
};

/// How long a server stays away.
const AWAY: Duration = Duration::from_secs(2);

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    KillWorker,
    RollWorker,
    KillApi,
    RollApi,
    RestartRedis,
    FlushRedis,
    RestartPostgres,
}

pub const FAULTS: [Fault; 7] = [
    Fault::KillWorker,
    Fault::RollWorker,
    Fault::KillApi,
    Fault::RollApi,
    Fault::RestartRedis,
    Fault::FlushRedis,
    Fault::RestartPostgres,
];

pub struct AppContext {
    pub apis: [String; 2],
    pub admin: String,
    pub key: String,
    postgres: Postgres,
    redis: Redis,
    sink: SmtpSink,
    db: DatabaseConnection,
    /// Those that live through everything, by their names.
    steady: Vec<(&'static str, Running)>,
    api: Mortal,
    worker: Mortal,
    programs: Programs,
}

/// What the application holds at a moment.
#[derive(Clone)]
pub struct Sample {
    /// MiB of each process that lives through everything.
    pub memory: Vec<(&'static str, f64)>,
    pub connections: i64,
    /// MiB of each table with its indexes.
    pub tables: Vec<(String, f64)>,
}

/// Mails of those who signed up.
pub struct Mails {
    pub missing: usize,
    pub doubled: usize,
}

impl AppContext {
    pub async fn open(users: u64) -> Result<Self> {
        let (postgres, redis, sink) = (
            Postgres::start_durable().await,
            Redis::start().await,
            SmtpSink::start().await,
        );
        usher_testkit::administer(&postgres.url("postgres"), "CREATE DATABASE soak").await?;
        let url = postgres.url("soak");
        let address = || format!("127.0.0.1:{}", free_port());
        let programs = Programs::over(&url)
            .with("REDIS_URL", redis.url())
            .with("SMTP_URL", sink.url())
            .with("LOG_FORMAT", "json");
        programs.seed(users).await?;
        let key = programs.key().await?;
        let apis = [address(), address()];
        let (admin, health) = (address(), [address(), address()]);
        let api = |at: &String| programs.named("usher-api").env("API_ADDR", at).ready_at(at);
        let worker = |at: &String| programs.named("usher-worker").env("METRICS_ADDR", at).ready_at(at);
        let steady = vec![
            ("api", api(&apis[0]).start(&programs.folder).await),
            ("worker", worker(&health[0]).start(&programs.folder).await),
            (
                "admin",
                programs
                    .named("usher-admin")
                    .env("ADMIN_ADDR", &admin)
                    .ready_at(&admin)
                    .start(&programs.folder)
                    .await,
            ),
        ];
        let mut context = Self {
            api: Mortal::of(api(&apis[1])),
            worker: Mortal::of(worker(&health[1])),
            db: connect(&url, &PoolOptions::default()).await?,
            apis,
            admin,
            key,
            postgres,
            redis,
            sink,
            steady,
            programs,
        };
        context.api.start(&context.programs.folder).await;
        context.worker.start(&context.programs.folder).await;
        Ok(context)
    }

    /// Lets it happen, and be over.
    pub async fn strike(&mut self, fault: Fault) -> Result<()> {
        match fault {
            Fault::KillWorker => self.worker.kill(),
            Fault::KillApi => {
                self.api.kill();
                sleep(AWAY).await;
            }
            Fault::RollWorker => self.worker.roll().await?,
            Fault::RollApi => self.api.roll().await?,
            Fault::FlushRedis => self.redis.flush().await,
            Fault::RestartRedis => {
                self.redis.stop();
                sleep(AWAY).await;
                self.redis.start_again().await;
            }
            Fault::RestartPostgres => {
                self.postgres.stop();
                sleep(AWAY).await;
                self.postgres.start_again().await;
            }
        }
        self.worker.start(&self.programs.folder).await;
        self.api.start(&self.programs.folder).await;
        for (name, running) in &mut self.steady {
            ensure!(running.is_running(), "{name} ended:\n{}", running.log());
        }
        Ok(())
    }

    pub async fn sample(&self) -> Result<Sample> {
        let memory = self
            .steady
            .iter()
            .map(|(name, running)| (*name, memory_of(running.id())));
        let connections = "SELECT count(*) AS number FROM pg_stat_activity WHERE datname = current_database()";
        let tables = "SELECT relname::text AS name, pg_total_relation_size(relid) / 1048576.0::float8 AS size
                        FROM pg_stat_user_tables WHERE pg_total_relation_size(relid) > 1048576 ORDER BY 2 DESC";
        let rows = self.query(tables).await?;
        let tables = rows
            .iter()
            .map(|row| Ok((row.try_get("", "name")?, row.try_get("", "size")?)));
        Ok(Sample {
            memory: memory.collect(),
            connections: self.query(connections).await?[0].try_get("", "number")?,
            tables: tables.collect::<Result<_>>()?,
        })
    }

    /// Waits until no job is due or runs; false when that takes too long.
    pub async fn drained(&self, within: Duration) -> Result<bool> {
        let left = "SELECT count(*) AS number FROM jobs WHERE state IN ('ready', 'running') AND kind = 'welcome_email'";
        for _ in 0..within.as_secs() {
            if self.query(left).await?[0].try_get::<i64>("", "number")? == 0 {
                return Ok(true);
            }
            sleep(Duration::from_secs(1)).await;
        }
        Ok(false)
    }

    /// How many of these addresses have no row, and how many two.
    pub async fn compare(&self, addresses: &[String]) -> Result<(usize, usize)> {
        let rows = self
            .query("SELECT email AS address FROM users WHERE email LIKE 'soak-%'")
            .await?;
        let mut found = HashMap::<String, usize>::new();
        for row in rows {
            *found.entry(row.try_get("", "address")?).or_default() += 1;
        }
        let missing = addresses.iter().filter(|address| !found.contains_key(*address));
        Ok((missing.count(), found.values().filter(|count| **count > 1).count()))
    }

    pub fn mails_of(&self, addresses: &[String]) -> Mails {
        let mut found = HashMap::<String, usize>::new();
        for mail in self.sink.accepted() {
            *found.entry(mail.to).or_default() += 1;
        }
        Mails {
            missing: addresses.iter().filter(|address| !found.contains_key(*address)).count(),
            doubled: found.values().map(|count| count - 1).sum(),
        }
    }

    async fn query(&self, sql: &str) -> Result<Vec<sea_orm::QueryResult>> {
        Ok(self
            .db
            .query_all_raw(Statement::from_string(DbBackend::Postgres, sql))
            .await?)
    }
}
