//! Where the chaos takes place: real servers, real worker processes, and a network between them that can fail.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail};
use sea_orm::ConnectionTrait;
use usher_migrations::{Migrator, MigratorTrait};
use usher_shared::{
    AppContext,
    foundation::{
        config::{Config, Mode, Source},
        crypto::SecretKey,
        db::{PoolOptions, connect},
    },
};
use usher_testkit::{Folder, Postgres, Program, Proxy, Redis, Running, SmtpSink, TestDb, eventually};

/// What the application stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum On {
    PostgresRedis,
    Postgres,
    Sqlite,
}

impl On {
    pub fn name(self) -> &'static str {
        match self {
            Self::PostgresRedis => "PostgreSQL + Redis",
            Self::Postgres => "PostgreSQL, no Redis",
            Self::Sqlite => "SQLite",
        }
    }
}

/// How workers run.
#[derive(Clone, Copy)]
pub struct Crew {
    pub workers: usize,
    /// Seconds.
    pub lease: u64,
    pub concurrency: usize,
}

/// Servers, workers, and the application of those who make jobs, whose own network never fails.
pub struct Scene {
    pub crew: Crew,
    pub postgres: Option<Postgres>,
    pub redis: Option<Redis>,
    pub sink: SmtpSink,
    pub context: AppContext,
    pub posts: Vec<Post>,
    pub diary: PathBuf,
    folder: Folder,
    _sqlite: Option<TestDb>,
}

/// A worker process with a network of its own.
pub struct Post {
    program: Program,
    running: Option<Running>,
    pub database: Option<Proxy>,
    pub redis: Option<Proxy>,
    pub smtp: Proxy,
}

impl Scene {
    /// Starts the servers, and the workers when `crew` has any.
    pub async fn open(on: On, crew: Crew) -> Result<Self> {
        let (folder, sink) = (Folder::new(), SmtpSink::start().await);
        let (postgres, sqlite) = match on {
            On::Sqlite => (None, Some(TestDb::sqlite().await)),
            _ => (Some(Postgres::start_durable().await), None),
        };
        let redis = match on {
            On::PostgresRedis => Some(Redis::start().await),
            _ => None,
        };
        let database = match (&postgres, &sqlite) {
            (Some(postgres), _) => postgres.url("postgres"),
            (None, Some(sqlite)) => sqlite.url().to_owned(),
            (None, None) => bail!("no database"),
        };
        let key = SecretKey::generate_base64();
        let settings = Source::of([
            ("DATABASE_URL", database.as_str()),
            ("REDIS_URL", &redis.as_ref().map(Redis::url).unwrap_or_default()),
            ("SECRET_KEY", &key),
        ]);
        let db = connect(&database, &PoolOptions::default()).await?;
        Migrator::up(&db, None).await?;
        db.execute_unprepared("CREATE TABLE chaos_effects (job_id text NOT NULL)")
            .await?;
        let mut scene = Self {
            crew,
            context: AppContext::with(Config::read(Mode::Service, &settings)?, db, false),
            diary: folder.path().join("diary"),
            posts: Vec::new(),
            postgres,
            redis,
            sink,
            folder,
            _sqlite: sqlite,
        };
        for _ in 0..crew.workers {
            let post = scene.post(&key)?;
            scene.posts.push(post);
        }
        for number in 0..crew.workers {
            scene.start(number).await;
        }
        Ok(scene)
    }

    fn post(&self, key: &str) -> Result<Post> {
        let usher_bench = std::env::current_exe().context("this program does not know its own file")?;
        let (smtp, smtp_url) = Proxy::instead_of(&self.sink.url());
        let mut program = Program::at(usher_bench)
            .arg("chaos-worker")
            .arg(format!("--diary={}", self.diary.display()))
            .arg(format!("--lease={}", self.crew.lease))
            .arg(format!("--concurrency={}", self.crew.concurrency))
            .env("SMTP_URL", smtp_url)
            .env("SECRET_KEY", key)
            .env("LOG_FORMAT", "json");
        let (mut database, mut redis) = (None, None);
        let mut database_url = self.context.config.database_url.clone();
        if self.postgres.is_some() {
            let (proxy, url) = Proxy::instead_of(&database_url);
            (database, database_url) = (Some(proxy), url);
        }
        program = program.env("DATABASE_URL", database_url);
        if let Some(server) = &self.redis {
            let (proxy, url) = Proxy::instead_of(&server.url());
            redis = Some(proxy);
            program = program.env("REDIS_URL", url);
        }
        Ok(Post {
            program,
            running: None,
            database,
            redis,
            smtp,
        })
    }

    /// Starts a worker, without waiting for it to be ready.
    pub async fn start(&mut self, number: usize) {
        let post = &mut self.posts[number];
        post.running = Some(post.program.start(&self.folder).await);
    }

    /// Starts every worker that does not run.
    pub async fn start_all(&mut self) {
        for number in 0..self.posts.len() {
            if !self.posts[number].is_running() {
                self.start(number).await;
            }
        }
    }
}

impl Post {
    pub fn is_running(&mut self) -> bool {
        self.running.as_mut().is_some_and(Running::is_running)
    }

    /// Ends it with SIGKILL.
    pub fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.kill();
        }
    }

    /// Ends it with SIGTERM; an exit code other than 0, and a stop that takes longer than 40 s, are errors.
    pub async fn roll(&mut self) -> Result<()> {
        let Some(running) = self.running.take() else {
            return Ok(());
        };
        // A process told to stop before main() has begun is ended by the signal. The first line comes after that.
        let first_line = async || (!running.log().is_empty()).then_some(());
        eventually(Duration::from_secs(60), "a worker says its first line", first_line).await;
        match running.terminate().await {
            0 => Ok(()),
            code => bail!("a worker that was told to stop ended with {code}"),
        }
    }

    /// Stands it still for a while.
    pub async fn freeze(&mut self, time: Duration) {
        if let Some(running) = &mut self.running {
            running.freeze();
            tokio::time::sleep(time).await;
            running.thaw();
        }
    }

    /// Its process id while it runs.
    pub fn id(&self) -> Option<u32> {
        self.running.as_ref().map(Running::id)
    }

    /// What it wrote since its last start.
    pub fn log(&self) -> String {
        self.running.as_ref().map(Running::log).unwrap_or_default()
    }
}
