//! Hours of everything at once: people sign up, clients read, staff look, while processes are killed and servers
//! restart. What was accepted must be there in the end, once; and who lives through it must not have grown.

mod crowd;
mod system;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::Result;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::table::{Figure, Goal};

use crowd::{Crowd, Tally};
use system::{AppContext, FAULTS, Sample};

#[derive(clap::Args)]
pub struct Args {
    /// How long, in seconds
    #[arg(long, default_value_t = 3_600)]
    seconds: u64,
    /// Users who are there already
    #[arg(long, default_value_t = 10_000)]
    users: u64,
    /// Sign-ups a second; there are five times as many other requests
    #[arg(long, default_value_t = 10)]
    rate: u32,
    /// The time between two faults, in seconds
    #[arg(long, default_value_t = 30)]
    pause: u64,
    /// The faults' order; printed with the figures
    #[arg(long)]
    seed: Option<u64>,
}

/// What caches and pools may still take after the first samples, in MiB.
const GROWTH: f64 = 20.0;
/// By then everything has been asked for once.
const WARM: f64 = 0.1;
/// What was accepted is done by then.
const DRAINED_WITHIN: Duration = Duration::from_secs(180);

pub async fn figures(args: &Args) -> Result<Vec<Figure>> {
    let seed = args.seed.unwrap_or_else(rand::random);
    let mut random = StdRng::seed_from_u64(seed);
    let mut context = AppContext::open(args.users).await?;
    let over = CancellationToken::new();
    let crowd = Crowd::new(&context, args.rate);
    let tally = tokio::spawn(crowd.go(over.clone()));

    let (began, time) = (Instant::now(), Duration::from_secs(args.seconds));
    let (mut first, mut struck) = (None, BTreeMap::new());
    while began.elapsed() < time {
        sleep(Duration::from_secs(args.pause)).await;
        let fault = FAULTS[random.random_range(0..FAULTS.len())];
        context.strike(fault).await?;
        *struck.entry(fault).or_insert(0) += 1;
        if first.is_none() && began.elapsed() >= time.mul_f64(WARM) {
            first = Some(context.sample().await?);
        }
    }
    over.cancel();
    let tally = tally.await??;
    let drained = context.drained(DRAINED_WITHIN).await?;
    let last = context.sample().await?;
    let first = first.unwrap_or_else(|| last.clone());

    let faults: u32 = struck.values().sum();
    let told: Vec<_> = struck
        .iter()
        .map(|(fault, count)| format!("{fault:?} {count}"))
        .collect();
    let mut all = vec![figure(
        "faults",
        f64::from(faults),
        "",
        None,
        format!("seed {seed}: {}", told.join(", ")),
    )];
    all.extend(of_requests(&tally));
    all.extend(of_ends(&context, &tally, drained).await?);
    all.extend(of_samples(&first, &last));
    Ok(all)
}

/// What the crowd was answered.
fn of_requests(tally: &Tally) -> Vec<Figure> {
    let counts = |filter: fn(&u16) -> bool| {
        let counts = tally.answers.iter().filter(|(status, _)| filter(status));
        counts.map(|(_, count)| *count).sum::<usize>()
    };
    let each: Vec<_> = tally
        .answers
        .iter()
        .map(|(status, count)| format!("{status}: {count}"))
        .collect();
    vec![
        note("requests answered", counts(|_| true), each.join(", ")),
        Figure {
            beside: tally.odd.first().cloned().unwrap_or_default(),
            ..none("answers that no fault excuses", tally.odd.len())
        },
        note(
            "answers 503",
            counts(|status| *status == 503),
            "a server was away".to_owned(),
        ),
        note(
            "requests without an answer",
            tally.unanswered,
            "the process was killed; tried again".to_owned(),
        ),
    ]
}

/// Whether all that was accepted happened.
async fn of_ends(context: &AppContext, tally: &Tally, drained: bool) -> Result<Vec<Figure>> {
    let (missing, doubled) = context.compare(&tally.signed_up).await?;
    let repeated = context.mails_of(&tally.signed_up);
    Ok(vec![
        note("sign-ups accepted", tally.signed_up.len(), String::new()),
        none("of them without their row", missing),
        none("of them with two", doubled),
        none("of them without their mail", repeated.missing),
        note(
            "mails that came again",
            repeated.doubled,
            "at most what was being sent at a kill".to_owned(),
        ),
        none("jobs left when nobody came any more", usize::from(!drained)),
    ])
}

/// How those have changed who lived through it.
fn of_samples(first: &Sample, last: &Sample) -> Vec<Figure> {
    let mut figures = vec![];
    for ((name, before), (_, after)) in first.memory.iter().zip(&last.memory) {
        let beside = format!("{before:.1} MiB after the first tenth, {after:.1} at the end");
        figures.push(figure(
            &format!("{name} grown by"),
            after - before,
            "MiB",
            Some(Goal::AtMost(GROWTH)),
            beside,
        ));
    }
    let beside = format!("{} after the first tenth", first.connections);
    figures.push(figure(
        "connections to PostgreSQL",
        last.connections as f64,
        "",
        None,
        beside,
    ));
    let sizes: Vec<_> = last
        .tables
        .iter()
        .map(|(name, mebibytes)| format!("{name} {mebibytes:.0}"))
        .collect();
    let size = |sample: &Sample| sample.tables.iter().map(|(_, mebibytes)| mebibytes).sum::<f64>();
    let beside = format!("{:.0} after the first tenth; {}", size(first), sizes.join(", "));
    figures.push(figure("tables and indexes", size(last), "MiB", None, beside));
    figures
}

fn figure(what: &str, value: f64, unit: &'static str, goal: Option<Goal>, beside: String) -> Figure {
    Figure {
        on: "everything".to_owned(),
        what: what.to_owned().into(),
        value,
        unit,
        beside,
        goal,
    }
}

fn note(what: &str, count: usize, beside: String) -> Figure {
    figure(what, count as f64, "", None, beside)
}

fn none(what: &str, count: usize) -> Figure {
    figure(what, count as f64, "", Some(Goal::AtMost(0.0)), String::new())
}
