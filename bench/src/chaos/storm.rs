//! Jobs under random faults: are all of them done, and nothing twice that must be once?

use std::{
    collections::BTreeMap,
    io::Write,
    time::{Duration, Instant},
};

use anyhow::Result;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use sea_orm::{
    ColumnTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, Select,
    sea_query::{Expr, SimpleExpr},
};
use usher_shared::{
    AppContext,
    foundation::{
        entity::job::{self, JobState},
        time::now,
    },
    jobs::{Job, WelcomeEmail},
};

use super::{
    faults::Fault,
    intent,
    measured::Measured,
    recovery::{add, started},
    scene::{Crew, On, Scene},
    verdict::Verdict,
    worker::{Chaos, Deed},
};

/// Jobs that have not become fewer for this long are lost: longer than a worker takes to come back and a lease to end.
const STANDSTILL: Duration = Duration::from_secs(90);

/// How much of it.
#[derive(Clone, Copy)]
pub struct Storm {
    pub jobs: usize,
    pub time: Duration,
    pub crew: Crew,
    pub seed: u64,
}

impl Storm {
    pub async fn rage(self, on: On) -> Result<Vec<Measured>> {
        let mut crew = self.crew;
        if on == On::Sqlite {
            crew.workers = 1; // SQLite is for one process
        }
        let mut scene = Scene::open(on, crew).await?;
        let makers = intent::make(scene.context.clone(), self.jobs, self.time, self.seed);
        let making = tokio::spawn(makers);
        let mut random = StdRng::seed_from_u64(self.seed);
        let (began, mut struck, mut stricken) = (Instant::now(), BTreeMap::<Fault, usize>::new(), 0);
        let (all, mut unhappened) = (Fault::all(on), Vec::new());
        // One job certainly runs while its worker is killed, whatever chance makes of the others.
        let witness = add(&scene.context, Deed::NapOnce(600_000)).await?;
        started(&scene.diary, witness, 1).await?;
        stricken += Fault::KillAllWorkers.strike(&mut scene, &mut random).await?;
        while began.elapsed() < self.time || !making.is_finished() || struck.len() < all.len() {
            tokio::time::sleep(Duration::from_millis(random.random_range(0..1_000))).await;
            // Each kind once before any of them again.
            if unhappened.is_empty() {
                unhappened.clone_from(&all);
            }
            let fault = unhappened.swap_remove(random.random_range(0..unhappened.len()));
            stricken += fault.strike(&mut scene, &mut random).await?;
            *struck.entry(fault).or_default() += 1;
        }
        let intent = making.await??;
        scene.start_all().await;
        let waiting = left(&scene.context).await?;
        let suspects = suspects(&scene.context).await?;
        let settled = settle(&scene).await?;
        let verdict = Verdict::of(&scene, &intent).await?;
        for example in &verdict.examples {
            writeln!(std::io::stderr(), "{}: {example}", on.name())?;
        }
        if settled.left > 0 {
            let post = &scene.posts[0];
            writeln!(
                std::io::stderr(),
                "{} jobs are left; a worker's log:\n{}",
                settled.left,
                tail(&post.log())
            )?;
        }
        for number in 0..scene.posts.len() {
            scene.posts[number].roll().await?;
        }
        let in_hand = stricken * (crew.concurrency + 1);
        let faults: usize = struck.values().sum();
        let told = struck
            .iter()
            .map(|(fault, count)| format!("{fault:?} {count}"))
            .collect::<Vec<_>>()
            .join(", ");
        let seed = self.seed;
        Ok(vec![
            Measured::note(on, "faults", faults, format!("seed {seed}: {told}")),
            Measured::note(
                on,
                "jobs committed",
                intent.jobs(),
                format!("{} commits without an answer", intent.unknown),
            ),
            Measured::note(on, "done", verdict.done, format!("{} dead with a reason", verdict.dead)),
            Measured::none(on, "lost", verdict.lost),
            Measured::none(on, "dead without a reason", verdict.unexplained),
            Measured::none(on, "ran though rolled back", verdict.ghosts),
            Measured::none(on, "database effects doubled", verdict.effects_doubled),
            Measured::none(on, "database effects amiss", verdict.effects_amiss),
            Measured::none(on, "done mails that never arrived", verdict.mails_missing),
            Measured::none(on, "mails that no job explains", verdict.mails_foreign),
            Measured::none(on, "starts the job store does not explain", verdict.runs_unexplained),
            Measured::at_most(on, "mails that came again", verdict.mails_repeated, in_hand),
            Measured::at_most(on, "starts repeated", verdict.runs_repeated, in_hand),
            Measured::note(
                on,
                "jobs left at the last fault",
                waiting,
                format!("{suspects} of them had lost their worker before"),
            ),
            Measured::note(
                on,
                "seconds until all was done",
                settled.all.as_secs(),
                format!(
                    "after the last fault; {} s until all that had never lost a worker were",
                    settled.unsuspected.as_secs()
                ),
            ),
        ])
    }
}

/// How a storm's jobs came to rest.
pub struct Settled {
    /// Jobs that stood still.
    pub left: u64,
    /// Until all were done.
    pub all: Duration,
    /// Until all were that had never lost a worker: the others run apart.
    pub unsuspected: Duration,
}

/// Waits until no job is ready or running, for as long as they become fewer; what was put off is let go, as staff may
/// do.
pub async fn settle(scene: &Scene) -> Result<Settled> {
    let began = Instant::now();
    let (mut fewest, mut since, mut unsuspected) = (u64::MAX, began, None);
    loop {
        let left = left(&scene.context).await?;
        if left < fewest {
            (fewest, since) = (left, Instant::now());
        }
        if unsuspected.is_none() && left == suspects(&scene.context).await? {
            unsuspected = Some(began.elapsed());
        }
        if left == 0 || since.elapsed() > STANDSTILL {
            return Ok(Settled {
                left,
                all: began.elapsed(),
                unsuspected: unsuspected.unwrap_or(began.elapsed()),
            });
        }
        job::Entity::update_many()
            .col_expr(job::Column::RunAt, Expr::value(now()))
            .col_expr(job::Column::NextDispatchAt, Expr::value(now()))
            .filter(job::Column::State.eq(JobState::Ready))
            .filter(job::Column::RunAt.gt(now()))
            .filter(of_chaos())
            .exec(&scene.context.db)
            .await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Jobs that are ready or running.
pub async fn left(context: &AppContext) -> Result<u64, DbErr> {
    unfinished().count(&context.db).await
}

/// Those of them that lost their worker since they last ended.
async fn suspects(context: &AppContext) -> Result<u64, DbErr> {
    unfinished().filter(job::Column::Crashes.gt(0)).count(&context.db).await
}

fn unfinished() -> Select<job::Entity> {
    job::Entity::find()
        .filter(job::Column::State.is_in([JobState::Ready, JobState::Running]))
        .filter(of_chaos())
}

fn of_chaos() -> SimpleExpr {
    job::Column::Kind.is_in([Chaos::KIND, WelcomeEmail::KIND])
}

fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().rev().take(30).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
