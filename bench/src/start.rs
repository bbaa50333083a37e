//! What it costs to be there: the time from the start of a process to its first answers, and its memory when nobody
//! asks.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use usher_shared::foundation::crypto::SecretKey;
use usher_testkit::{Folder, Postgres, Program, Redis, Running, free_port};

use crate::{
    sample::{proportional_memory, quantile},
    table::{Figure, Goal::AtMost},
};

/// MiB of all processes together.
const IDLE: f64 = 40.0;
/// Milliseconds until the API and the admin are ready.
const COLD: f64 = 200.0;
const STARTS: usize = 9;
/// After this nothing of the start is under way any more.
const SETTLED: Duration = Duration::from_secs(10);

pub async fn figures() -> Result<Vec<Figure>> {
    let mut figures = embedded().await?;
    figures.extend(three_processes(&ONE_PROGRAM).await?);
    figures.extend(three_processes(&PROGRAMS).await?);
    Ok(figures)
}

/// Three services, each a process of its own.
struct Services {
    on: &'static str,
    /// Program and arguments of API, admin and worker.
    start: [(&'static str, &'static [&'static str]); 3],
}

/// As the image and `docker-compose.yml` start them: they share the pages of one program.
const ONE_PROGRAM: Services = Services {
    on: "PostgreSQL + Redis, one program",
    start: [("usher", &["api"]), ("usher", &["admin"]), ("usher", &["worker"])],
};
/// Each with a program that knows nothing of the others.
const PROGRAMS: Services = Services {
    on: "PostgreSQL + Redis, three programs",
    start: [("usher-api", &[]), ("usher-admin", &[]), ("usher-worker", &[])],
};

/// `usher up`, as `cargo run` starts it.
async fn embedded() -> Result<Vec<Figure>> {
    let folder = Folder::new();
    let (api, admin) = (address(), address());
    let up = Program::named("usher").env("API_ADDR", &api).env("ADMIN_ADDR", &admin);
    let up = up.ready_at(&api).ready_at(&admin);
    // The first start of all makes the database.
    let first = Instant::now();
    let running = up.start(&folder).await;
    let mut figures = vec![figure(
        "usher up, SQLite",
        "first start, with migrations, to answers",
        first.elapsed().as_secs_f64() * 1_000.0,
        "ms",
        None,
    )];
    ensure!(running.terminate().await == 0, "a stop that failed");
    let mut times = vec![];
    for _ in 0..STARTS {
        let started = Instant::now();
        let running = up.start(&folder).await;
        times.push(started.elapsed());
        ensure!(running.terminate().await == 0, "a stop that failed");
    }
    let cold = quantile(&mut times, 0.5);
    figures.push(figure(
        "usher up, SQLite",
        "start to answers, median of 9",
        cold,
        "ms",
        Some(COLD),
    ));
    let running = up.start(&folder).await;
    tokio::time::sleep(SETTLED).await;
    let idle = proportional_memory(running.id())?;
    figures.push(figure("usher up, SQLite", "memory idle (PSS)", idle, "MiB", Some(IDLE)));
    Ok(figures)
}

/// API, admin and worker as processes of their own, on PostgreSQL with Redis.
async fn three_processes(services: &Services) -> Result<Vec<Figure>> {
    let (folder, secret_key) = (Folder::new(), SecretKey::generate_base64());
    let (postgres, redis) = (Postgres::start_durable().await, Redis::start().await);
    usher_testkit::administer(&postgres.url("postgres"), "CREATE DATABASE bench").await?;
    let (api, admin, worker) = (address(), address(), address());
    let program = |(name, args): (&str, &[&str])| {
        args.iter()
            .fold(Program::named(name), |program, arg| program.arg(*arg))
            .env("DATABASE_URL", postgres.url("bench"))
            .env("REDIS_URL", redis.url())
            .env("SECRET_KEY", &secret_key)
            .env("API_ADDR", &api)
            .env("ADMIN_ADDR", &admin)
    };
    let migrate = program(("usher", &["migrate", "up"]));
    let (code, text) = migrate.finish(&folder, SETTLED * 6).await;
    ensure!(code == 0, "usher migrate up: {text}");
    let started = Instant::now();
    let [one, other, third] = services.start.map(program);
    let third = third.env("METRICS_ADDR", &worker);
    let (one, other, third) = (one.ready_at(&api), other.ready_at(&admin), third.ready_at(&worker));
    let (api, admin, worker) = tokio::join!(one.start(&folder), other.start(&folder), third.start(&folder));
    let took = started.elapsed().as_secs_f64() * 1_000.0;
    tokio::time::sleep(SETTLED).await;
    let mut figures = vec![figure(
        services.on,
        "three processes, start to answers",
        took,
        "ms",
        Some(COLD),
    )];
    let all = [("api", &api), ("admin", &admin), ("worker", &worker)];
    let each = all.map(|(name, running): (_, &Running)| Ok((name, proportional_memory(running.id())?)));
    let each = each.into_iter().collect::<Result<Vec<_>>>()?;
    let names = each.iter().map(|(name, memory)| format!("{name} {memory:.1}"));
    let beside = names.collect::<Vec<_>>().join(", ");
    let sum = each.iter().map(|(_, memory)| memory).sum();
    figures.push(Figure {
        beside,
        ..figure(
            services.on,
            "memory idle, three processes (PSS)",
            sum,
            "MiB",
            Some(IDLE),
        )
    });
    Ok(figures)
}

fn address() -> String {
    format!("127.0.0.1:{}", free_port())
}

fn figure(on: &str, what: &'static str, value: f64, unit: &'static str, goal: Option<f64>) -> Figure {
    Figure {
        on: on.to_owned(),
        what: what.into(),
        value,
        unit,
        beside: String::new(),
        goal: goal.map(AtMost),
    }
}
