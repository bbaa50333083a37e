//! How long jobs stand still: after their worker was killed, and after a server or the network is back.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::{runtime::Handle, time::sleep};
use usher_shared::{AppContext, foundation::time::now, jobs::enqueue};
use usher_testkit::{Flow, Proxy};
use uuid::Uuid;

use super::{
    diary,
    measured::Measured,
    scene::{Crew, On, Scene},
    worker::{Chaos, Deed},
};
use crate::sample::quantile;

/// Longer than anything here may take before the run is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// From SIGKILL until the last job that the worker had in hand is started by another one.
pub async fn after_kill(on: On, lease: u64, rounds: usize, goal: Duration) -> Result<Measured> {
    let crew = Crew {
        workers: if on == On::Sqlite { 1 } else { 2 },
        lease,
        concurrency: 16,
    };
    let mut scene = Scene::open(on, crew).await?;
    let mut took = Vec::new();
    for round in 0..rounds {
        let mut jobs = Vec::new();
        for _ in 0..16 {
            jobs.push(add(&scene.context, Deed::NapOnce(2_000)).await?);
        }
        for job in &jobs {
            started(&scene.diary, *job, 1).await?;
        }
        let victim = round % crew.workers;
        scene.posts[victim].kill();
        let killed = now();
        scene.start(victim).await;
        let end = Instant::now() + Duration::from_secs(lease + 10);
        while Instant::now() < end && jobs_left(&scene.context).await? > 0 {
            sleep(Duration::from_millis(100)).await;
        }
        let starts = diary::read(&scene.diary);
        let second = jobs.iter().filter_map(|job| starts.get(job)?.get(1));
        took.extend(second.map(|at| (*at - killed).to_std().unwrap_or_default()));
    }
    ensure!(!took.is_empty(), "no kill hit a job that ran");
    let what = match lease {
        15 => "recovery after SIGKILL, default lease, max",
        _ => "recovery after SIGKILL, lease 5 s, max",
    };
    let about = format!("{rounds} kills, {} jobs in hand", took.len());
    Ok(Measured::time(on, what, &mut took, 1.0, goal, about))
}

/// What is away for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Away {
    Redis,
    Database,
    /// The network to it stands still, and then passes on what it held.
    RedisStalled,
    DatabaseStalled,
    /// Connections to it stay silent for ever; new ones work.
    DatabaseStranded,
}

impl Away {
    pub fn all(on: On) -> &'static [Self] {
        const OF_DATABASE: [Away; 3] = [Away::Database, Away::DatabaseStalled, Away::DatabaseStranded];
        const BOTH: [Away; 5] = [
            Away::Redis,
            Away::Database,
            Away::RedisStalled,
            Away::DatabaseStalled,
            Away::DatabaseStranded,
        ];
        match on {
            On::PostgresRedis => &BOTH,
            On::Postgres => &OF_DATABASE,
            On::Sqlite => &[],
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::Redis => "first job: Redis is back, max",
            Self::Database => "first job: PostgreSQL is back, max",
            Self::RedisStalled => "first job: Redis' network is back, max",
            Self::DatabaseStalled => "first job: PostgreSQL's network is, max",
            Self::DatabaseStranded => "first job: connections went silent, max",
        }
    }

    /// How late the first job may be. Nobody can tell a silent connection from a slow answer before a call's time
    /// limit.
    fn goal(self) -> Duration {
        match self {
            Self::DatabaseStranded => Duration::from_secs(10),
            _ => Duration::from_secs(2),
        }
    }

    async fn pass(self, scene: &mut Scene, time: Duration) {
        let post = &scene.posts[0];
        match self {
            Self::Redis => {
                if let Some(redis) = &mut scene.redis {
                    redis.stop();
                    sleep(time).await;
                    redis.start_again().await;
                }
            }
            Self::Database => {
                if let Some(postgres) = &mut scene.postgres {
                    postgres.stop();
                    sleep(time).await;
                    postgres.start_again().await;
                }
            }
            Self::RedisStalled => stand_still(post.redis.as_ref(), time).await,
            Self::DatabaseStalled => stand_still(post.database.as_ref(), time).await,
            Self::DatabaseStranded => {
                // While calls are under way, so that some of them wait for an answer that never comes.
                sleep(time / 4).await;
                post.database.iter().for_each(Proxy::strand);
            }
        }
    }
}

/// All kinds of absence beside each other, each with servers of its own: most of the time they wait.
pub async fn after_absences(on: On, rounds: usize, seed: u64) -> Result<Vec<Measured>> {
    let runs: Vec<_> = Away::all(on)
        .iter()
        .map(|away| {
            let rounds = match away {
                // Each of these rounds waits for a time limit.
                Away::DatabaseStranded => rounds.div_ceil(10),
                _ => rounds,
            };
            let (away, runtime) = (*away, Handle::current());
            // On a thread of its own, because servers are stopped by waiting for their end.
            tokio::task::spawn_blocking(move || runtime.block_on(after_absence(on, away, rounds, seed)))
        })
        .collect();
    let mut measured = Vec::new();
    for run in runs {
        measured.push(run.await??);
    }
    Ok(measured)
}

/// From the moment at which it is back until a job that is added then is started, by the same process.
async fn after_absence(on: On, away: Away, rounds: usize, seed: u64) -> Result<Measured> {
    let crew = Crew {
        workers: 1,
        lease: 15,
        concurrency: 16,
    };
    let mut scene = Scene::open(on, crew).await?;
    started(&scene.diary, add(&scene.context, Deed::Nap(0)).await?, 1).await?;
    let process = scene.posts[0].id();
    let mut random = StdRng::seed_from_u64(seed);
    let mut took = Vec::new();
    for _ in 0..rounds {
        let time = Duration::from_millis(random.random_range(200..2_500));
        away.pass(&mut scene, time).await;
        let back = now();
        let job = loop {
            // Those who make jobs have to find the database again as well.
            match add(&scene.context, Deed::Nap(0)).await {
                Ok(job) => break job,
                Err(_) => sleep(Duration::from_millis(10)).await,
            }
        };
        let at = started(&scene.diary, job, 1).await?;
        took.push((at - back).to_std().unwrap_or_default());
    }
    ensure!(
        scene.posts[0].is_running() && scene.posts[0].id() == process,
        "the worker did not outlive it"
    );
    let limit = away.goal();
    let within = took.iter().filter(|time| **time <= limit).count();
    let median = quantile(&mut took, 0.5);
    let about = format!("{within} of {rounds} within it; median {median:.0} ms; one process");
    Ok(Measured::time(on, away.what(), &mut took, 1.0, limit, about))
}

async fn stand_still(network: Option<&Proxy>, time: Duration) {
    let Some(network) = network else { return };
    network.set(Flow::Stalls);
    sleep(time).await;
    network.set(Flow::Passes);
}

/// Adds one job.
pub async fn add(context: &AppContext, deed: Deed) -> Result<Uuid> {
    let tx = context.job_store.begin().await?;
    let id = enqueue(&tx, Chaos { deed }).await?.id();
    tx.commit().await?;
    Ok(id)
}

/// When the job was started for the `count`-th time.
pub async fn started(diary: &Path, job: Uuid, count: usize) -> Result<DateTime<Utc>> {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(at) = diary::read(diary).get(&job).and_then(|times| times.get(count - 1)) {
            return Ok(*at);
        }
        ensure!(Instant::now() < end, "{job} was not started within {PATIENCE:?}");
        sleep(Duration::from_millis(5)).await;
    }
}

async fn jobs_left(context: &AppContext) -> Result<u64> {
    super::storm::left(context).await.context("the job store answers")
}
