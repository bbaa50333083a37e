//! The stream of events: is it whole when everything around it fails, how soon is it there, and how many can listen?

mod figures;
mod follower;
mod latency;
mod listeners;
mod receiver;
mod scene;
mod storm;
mod verdict;
mod writers;

use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::table::Figure;

use storm::Storm;

#[derive(clap::Args)]
pub struct Args {
    /// What to measure: all if none is named
    #[arg(long)]
    part: Vec<Part>,
    /// Changes under random faults
    #[arg(long, default_value_t = 100_000)]
    changes: usize,
    /// Clients that make them
    #[arg(long, default_value_t = 32)]
    writers: usize,
    /// The time between two faults, in seconds
    #[arg(long, default_value_t = 5)]
    pause: u64,
    /// The faults' order; printed with the figures
    #[arg(long)]
    seed: Option<u64>,
    /// Changes a second whose events are waited for
    #[arg(long, default_value_t = 50)]
    rate: u32,
    /// How long they are made, in seconds
    #[arg(long, default_value_t = 20)]
    seconds: u32,
    /// Streams that one API process holds open
    #[arg(long, default_value_t = 10_000)]
    listeners: usize,
    /// Events that all of them get at once
    #[arg(long, default_value_t = 50)]
    burst: usize,
}

impl Args {
    /// What is tried beside everything else.
    pub fn short() -> Self {
        Self {
            part: Vec::new(),
            changes: 5_000,
            writers: 32,
            pause: 2,
            seed: None,
            rate: 50,
            seconds: 10,
            listeners: 10_000,
            burst: 50,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Changes under random faults, and who learned of them
    Storm,
    /// From the commit of a change to whoever follows
    Latency,
    /// Many streams at one process
    Listeners,
}

pub async fn figures(args: &Args) -> Result<Vec<Figure>> {
    let asked = |part| args.part.is_empty() || args.part.contains(&part);
    let mut figures = Vec::new();
    if asked(Part::Storm) {
        let storm = Storm {
            changes: args.changes,
            writers: args.writers,
            pause: Duration::from_secs(args.pause),
            seed: args.seed.unwrap_or_else(rand::random),
        };
        let stormed = storm.rage().await;
        figures.extend(stormed.with_context(|| format!("the storm of seed {}", storm.seed))?);
    }
    if asked(Part::Latency) {
        figures.extend(latency::of_changes(args.rate, args.seconds).await?);
    }
    if asked(Part::Listeners) {
        figures.extend(listeners::many(args.listeners, args.burst).await?);
    }
    Ok(figures)
}
