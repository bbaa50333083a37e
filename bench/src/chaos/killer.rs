//! A job that kills its process: it is dead after three, and the others go on.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use usher_shared::{
    AppContext,
    foundation::entity::job::{self, JobState},
    jobs::Job,
};
use uuid::Uuid;

use super::{
    measured::Measured,
    recovery::add,
    scene::{Crew, On, Scene},
    worker::{Chaos, Deed},
};

const OTHERS: usize = 300;

/// Workers are started again whenever they are down, as an orchestrator does.
pub async fn among_others(on: On) -> Result<Vec<Measured>> {
    let crew = Crew {
        workers: if on == On::Sqlite { 1 } else { 2 },
        lease: 3,
        concurrency: 16,
    };
    let mut scene = Scene::open(on, crew).await?;
    let mut others = Vec::new();
    for _ in 0..OTHERS / 2 {
        others.push(add(&scene.context, Deed::Effect(300)).await?);
    }
    let killer = add(&scene.context, Deed::Kill).await?;
    for _ in 0..OTHERS / 2 {
        others.push(add(&scene.context, Deed::Effect(300)).await?);
    }
    let (end, mut starts) = (Instant::now() + Duration::from_secs(120), 0);
    while Instant::now() < end {
        for number in 0..scene.posts.len() {
            if !scene.posts[number].is_running() {
                scene.start(number).await;
                starts += 1;
            }
        }
        if ended(&scene.context).await? == OTHERS as u64 + 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let dead = find(&scene.context, killer).await?;
    let (mut done, mut crashes) = (0, 0);
    for id in &others {
        let other = find(&scene.context, *id).await?;
        done += usize::from(other.state == JobState::Done);
        crashes = crashes.max(usize::try_from(other.crashes)?);
    }
    let about = format!("{:?} after {} crashes; {starts} restarts", dead.state, dead.crashes);
    let wrong = dead.state != JobState::Dead || dead.crashes != 3;
    Ok(vec![
        Measured::none(on, "a job that kills: not dead after three", usize::from(wrong)).about(about),
        Measured::none(on, "jobs beside it that are not done", OTHERS - done),
        Measured::at_most(on, "crashes of a job beside it, max", crashes, 1),
    ])
}

async fn ended(context: &AppContext) -> Result<u64> {
    let ended = job::Entity::find()
        .filter(job::Column::Kind.eq(Chaos::KIND))
        .filter(job::Column::State.is_not_in([JobState::Ready, JobState::Running]));
    Ok(ended.count(&context.db).await?)
}

async fn find(context: &AppContext, id: Uuid) -> Result<job::Model> {
    let found = job::Entity::find_by_id(id).one(&context.db).await?;
    found.with_context(|| format!("{id} is in the job store"))
}
