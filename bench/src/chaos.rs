//! Whether jobs are lost when everything around them fails: real processes, real servers, and a network that is cut.

mod crowd;
mod diary;
mod faults;
mod intent;
mod killer;
mod measured;
mod recovery;
mod scene;
mod storm;
mod ticks;
mod verdict;
pub mod worker;

use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::table::Figure;

use measured::Measured;
use scene::Crew;
use storm::Storm;

pub use scene::On;

#[derive(clap::Args)]
pub struct Args {
    /// Jobs under random faults
    #[arg(long, default_value_t = 100_000)]
    jobs: usize,
    /// How long the faults go on, in seconds
    #[arg(long, default_value_t = 420)]
    seconds: u64,
    /// The faults' order; printed with the figures
    #[arg(long)]
    seed: Option<u64>,
    /// Where: all three if none is named
    #[arg(long)]
    on: Vec<On>,
    /// What to measure: all if none is named
    #[arg(long)]
    part: Vec<Part>,
    /// Worker processes
    #[arg(long, default_value_t = 3)]
    workers: usize,
    /// Seconds a job is left to a worker that gives no sign of life, under random faults
    #[arg(long, default_value_t = 5)]
    lease: u64,
    /// How often each server goes away and comes back
    #[arg(long, default_value_t = 100)]
    rounds: usize,
    #[arg(long, default_value_t = 1_000)]
    ticks: usize,
}

impl Args {
    /// What is tried beside everything else.
    pub fn short() -> Self {
        Self {
            jobs: 5_000,
            seconds: 30,
            seed: None,
            on: vec![On::PostgresRedis],
            part: vec![Part::Storm, Part::Kill, Part::Killer],
            workers: 3,
            lease: 5,
            rounds: 1,
            ticks: 100,
        }
    }

    fn storm(&self, seed: u64) -> Storm {
        Storm {
            jobs: self.jobs,
            time: Duration::from_secs(self.seconds),
            crew: Crew {
                workers: self.workers,
                lease: self.lease,
                concurrency: 16,
            },
            seed,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Jobs under random faults
    Storm,
    /// How long jobs stand still after their worker was killed
    Kill,
    /// How long until the first job after a server or the network is back
    Back,
    /// Schedules, while the workers that look at them are killed
    Ticks,
    /// A job that kills its process
    Killer,
    /// A million jobs that are not due, and an idle worker
    Crowd,
}

pub async fn figures(args: &Args) -> Result<Vec<Figure>> {
    let everywhere = || On::value_variants().to_vec();
    let on = if args.on.is_empty() {
        everywhere()
    } else {
        args.on.clone()
    };
    let asked = |part| args.part.is_empty() || args.part.contains(&part);
    let seed = args.seed.unwrap_or_else(rand::random);
    let mut measured = Vec::new();
    for on in on {
        if asked(Part::Storm) {
            let stormed = args.storm(seed).rage(on).await;
            measured.extend(stormed.with_context(|| format!("the storm of seed {seed}"))?);
        }
        if asked(Part::Kill) {
            let (by_default, quickly) = (Duration::from_secs(20), Duration::from_secs(7));
            measured.push(recovery::after_kill(on, 15, 5, by_default).await?);
            measured.push(recovery::after_kill(on, 5, 20, quickly).await?);
        }
        if asked(Part::Back) {
            measured.extend(recovery::after_absences(on, args.rounds, seed).await?);
        }
        if asked(Part::Ticks) {
            measured.extend(ticks::under_kills(on, args.ticks, seed).await?);
        }
        if asked(Part::Killer) {
            measured.extend(killer::among_others(on).await?);
        }
        if asked(Part::Crowd) {
            measured.extend(crowd::ahead(on).await?);
        }
    }
    Ok(measured.iter().map(Measured::figure).collect())
}
