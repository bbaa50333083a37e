//! A million jobs that are not due: what they cost a worker and Redis. And what an idle worker costs.

use std::time::Duration;

use anyhow::{Result, ensure};
use sea_orm::ConnectionTrait;
use tokio::time::sleep;
use usher_shared::foundation::crypto::SecretKey;
use usher_testkit::{Folder, Program, Redis};

use super::{
    measured::Measured,
    scene::{Crew, On, Scene},
};
use crate::sample::{cpu_ticks_of, memory_of};

const JOBS: usize = 1_000_000;
/// CPU time is counted over this time.
const WATCH: Duration = Duration::from_secs(20);

const AHEAD_ON_POSTGRES: &str =
    "INSERT INTO jobs (id, queue, kind, version, payload, priority, run_at, next_dispatch_at, created_at)
     SELECT gen_random_uuid(), 'default', 'chaos', 1, '{\"deed\": {\"nap\": 0}}', 5, at, at, now()
     FROM (SELECT now() + interval '1 day' + n * interval '1 second' AS at FROM generate_series(1, 1000000) n) times";
const AHEAD_ON_SQLITE: &str =
    "INSERT INTO jobs (id, queue, kind, version, payload, priority, run_at, next_dispatch_at, created_at)
     WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1000000)
     SELECT randomblob(16), 'default', 'chaos', 1, '{\"deed\": {\"nap\": 0}}', 5, at, at, at
     FROM (SELECT strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now', '1 day') AS at FROM n)";

/// One idle worker, before and after.
pub async fn ahead(on: On) -> Result<Vec<Measured>> {
    let crew = Crew {
        workers: 0,
        lease: 15,
        concurrency: 16,
    };
    let (scene, folder) = (Scene::open(on, crew).await?, Folder::new());
    let running = usher_worker(&scene)?.start(&folder).await;
    sleep(Duration::from_secs(5)).await;
    let worker = running.id();
    let (memory, redis, cpu) = cost(&scene, worker).await;
    let insert = if on == On::Sqlite {
        AHEAD_ON_SQLITE
    } else {
        AHEAD_ON_POSTGRES
    };
    scene.context.db.execute_unprepared(insert).await?;
    if on != On::Sqlite {
        scene.context.db.execute_unprepared("ANALYZE jobs").await?;
    }
    let (memory_then, redis_then, cpu_then) = cost(&scene, worker).await;
    let about = |before: f64, after: f64| format!("{before:.2} before, {after:.2} with {JOBS} jobs ahead");
    let mut measured = vec![
        Measured::size(on, "idle worker, memory", memory, 20.0, String::new()),
        Measured::share(on, "idle worker, of one core", cpu, 1.0),
        Measured::share(on, "the same with 1,000,000 jobs ahead", cpu_then, 1.0),
        Measured::size(
            on,
            "1,000,000 jobs ahead, worker's growth",
            memory_then - memory,
            1.0,
            about(memory, memory_then),
        ),
    ];
    if scene.redis.is_some() {
        let growth = redis_then - redis;
        measured.push(Measured::size(
            on,
            "1,000,000 jobs ahead, Redis' growth",
            growth,
            0.5,
            about(redis, redis_then),
        ));
    }
    Ok(measured)
}

/// Usher's own worker, because this program is larger.
fn usher_worker(scene: &Scene) -> Result<Program> {
    let binary = std::env::current_exe()?.with_file_name("usher-worker");
    ensure!(binary.is_file(), "no {}: build usher-worker first", binary.display());
    let redis_url = scene.redis.as_ref().map(Redis::url).unwrap_or_default();
    Ok(Program::at(binary)
        .env("DATABASE_URL", &scene.context.config.database_url)
        .env("REDIS_URL", redis_url)
        .env("SMTP_URL", scene.sink.url())
        .env("SECRET_KEY", SecretKey::generate_base64()))
}

/// The worker's memory and Redis' in MiB, and the worker's share of one core in percent.
async fn cost(scene: &Scene, worker: u32) -> (f64, f64, f64) {
    let before = cpu_ticks_of(worker);
    sleep(WATCH).await;
    let cpu = (cpu_ticks_of(worker) - before) / WATCH.as_secs_f64();
    let redis = match &scene.redis {
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        Some(redis) => redis.memory().await as f64 / 1_048_576.0,
        None => 0.0,
    };
    (memory_of(worker), redis, cpu)
}
