//! Five workers that all look at the same schedules, and are killed: is every tick written once?

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use anyhow::Result;
use chrono::{DateTime, Utc};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use tokio::time::sleep;
use usher_shared::{
    foundation::{
        entity::{
            job,
            job_schedule::{self, CatchUp},
        },
        time::now,
    },
    jobs::{Job, next_occurrence},
};

use super::{
    diary,
    measured::Measured,
    scene::{Crew, On, Scene},
    storm,
    worker::{Chaos, Deed},
};

const SCHEDULES: usize = 20;
const EVERY_SECOND: &str = "* * * * * *";

/// Twenty schedules tick each second until there are `ticks`, while a worker is killed every second or so.
pub async fn under_kills(on: On, ticks: usize, seed: u64) -> Result<Vec<Measured>> {
    let crew = Crew {
        workers: if on == On::Sqlite { 1 } else { 5 },
        lease: 5,
        concurrency: 4,
    };
    let mut scene = Scene::open(on, crew).await?;
    declare(&scene).await?;
    let (mut random, mut kills) = (StdRng::seed_from_u64(seed), 0);
    let end = Instant::now() + Duration::from_secs((ticks / SCHEDULES) as u64 + 3);
    while Instant::now() < end {
        sleep(Duration::from_millis(random.random_range(300..1_500))).await;
        let victim = random.random_range(0..crew.workers);
        scene.posts[victim].kill();
        kills += 1;
        sleep(Duration::from_millis(random.random_range(0..1_000))).await;
        scene.start(victim).await;
    }
    // The last ticks come; then no more of them.
    sleep(Duration::from_secs(2)).await;
    job_schedule::Entity::update_many()
        .col_expr(job_schedule::Column::Enabled, Expr::value(false))
        .exec(&scene.context.db)
        .await?;
    let left = storm::settle(&scene).await?.left;
    count(&scene, on, kills, left).await
}

async fn declare(scene: &Scene) -> Result<()> {
    let at = now();
    let rows = (0..SCHEDULES).map(|number| {
        Ok(job_schedule::ActiveModel {
            name: Set(format!("chaos_{number}")),
            queue: Set(Chaos::QUEUE.to_owned()),
            kind: Set(Chaos::KIND.to_owned()),
            version: Set(Chaos::VERSION),
            payload: Set(serde_json::to_value(Chaos { deed: Deed::Effect(0) })?),
            priority: Set(Chaos::PRIORITY.number()),
            cron: Set(EVERY_SECOND.to_owned()),
            time_zone: Set("UTC".to_owned()),
            catch_up: Set(CatchUp::All),
            enabled: Set(true),
            next_run_at: Set(next_occurrence(EVERY_SECOND, "UTC", at)?),
            row_version: Set(1),
            created_at: Set(at),
            updated_at: Set(at),
            ..Default::default()
        })
    });
    let rows: Vec<_> = rows.collect::<Result<_>>()?;
    job_schedule::Entity::insert_many(rows).exec(&scene.context.db).await?;
    Ok(())
}

/// A tick's job has the tick's time in its unique key; the seconds between the first and the last are all there once.
async fn count(scene: &Scene, on: On, kills: usize, left: u64) -> Result<Vec<Measured>> {
    let jobs = job::Entity::find()
        .filter(job::Column::Kind.eq(Chaos::KIND))
        .all(&scene.context.db)
        .await?;
    let mut seconds: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    let mut doubled = 0;
    for job in &jobs {
        let tick = job
            .unique_key
            .as_deref()
            .and_then(|key| key.rsplit(' ').next()?.parse::<DateTime<Utc>>().ok());
        let second = tick
            .and_then(|at| u64::try_from(at.timestamp()).ok())
            .unwrap_or_default();
        let fresh = seconds
            .entry(job.actor.clone().unwrap_or_default())
            .or_default()
            .insert(second);
        doubled += usize::from(!fresh);
    }
    let missed: u64 = seconds
        .values()
        .map(|seconds| {
            let span = seconds
                .last()
                .zip(seconds.first())
                .map_or(0, |(last, first)| last - first + 1);
            span - seconds.len() as u64
        })
        .sum();
    let effects = super::verdict::effects(scene).await?;
    let twice = effects.values().filter(|count| **count > 1).count();
    let starts = diary::read(&scene.diary);
    let never = jobs.iter().filter(|job| !starts.contains_key(&job.id)).count();
    let about = format!(
        "{} schedules, {} workers, {kills} kills",
        seconds.len(),
        scene.posts.len()
    );
    Ok(vec![
        Measured::note(on, "ticks", jobs.len(), about),
        Measured::none(on, "ticks doubled", doubled),
        Measured::none(on, "ticks missed", usize::try_from(missed)?),
        Measured::none(on, "ticks whose job never ran", never + usize::try_from(left)?),
        Measured::none(on, "ticks whose effect came twice", twice),
    ])
}
