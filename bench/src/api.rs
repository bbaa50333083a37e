//! The public API under load: a real process, asked by wrk, beside what the database itself does with the same
//! statements in the same run.

mod load;
mod scripts;
mod server;

use std::time::Duration;

use anyhow::{Result, bail};
use usher_testkit::{Postgres, TestDb};

use crate::{
    limit,
    sample::memory_of,
    table::{self, Figure},
};

use load::{Load, Wrk};
use scripts::Operation;
use server::Server;

#[derive(clap::Args)]
pub struct Args {
    /// How many users there are
    #[arg(long, default_value_t = 20_000)]
    users: u64,
    /// How long each figure is measured, in seconds
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Connections at once
    #[arg(long, value_delimiter = ',', default_value = "1,32,256")]
    connections: Vec<usize>,
    /// PostgreSQL alone
    #[arg(long)]
    postgres_only: bool,
    #[arg(long)]
    json: bool,
}

/// The connections of the goals.
const CLIENTS: usize = 32;
/// Wrong input answered a second.
const WRONG_INPUT: f64 = 15_000.0;

pub async fn run(args: &Args) -> Result<()> {
    let mut bench = Bench {
        args,
        figures: Vec::new(),
        missed: Vec::new(),
    };
    let postgres = Postgres::start_durable().await;
    usher_testkit::administer(&postgres.url("postgres"), "CREATE DATABASE bench").await?;
    let url = postgres.url("bench");
    bench.measure("PostgreSQL", &url, true).await?;
    if !args.postgres_only {
        let sqlite = TestDb::empty_sqlite();
        bench
            .measure("SQLite", &format!("{}?mode=rwc", sqlite.url()), false)
            .await?;
    }
    table::print(&bench.figures, args.json)?;
    if !bench.missed.is_empty() {
        bail!("goals missed: {}", bench.missed.join("; "));
    }
    Ok(())
}

struct Bench<'a> {
    args: &'a Args,
    figures: Vec<Figure>,
    missed: Vec<String>,
}

impl Bench<'_> {
    async fn measure(&mut self, on: &str, url: &str, has_limit: bool) -> Result<()> {
        let server = Server::start(url, self.args.users).await?;
        let wrk = Wrk::new(&server, Duration::from_secs(self.args.seconds));
        for operation in Operation::ALL {
            for &connections in &self.args.connections {
                if connections != CLIENTS && !operation.is_cheap() {
                    continue;
                }
                let load = wrk.run(operation, connections)?;
                self.note(on, operation, connections, &load);
                if connections == CLIENTS && has_limit {
                    self.compare(on, operation, load.rate, &server)?;
                }
            }
        }
        self.figure(
            on,
            "memory after all this".to_owned(),
            memory_of(server.id()),
            "MiB",
            String::new(),
        );
        Ok(())
    }

    fn note(&mut self, on: &str, operation: Operation, connections: usize, load: &Load) {
        let what = format!("{}, {connections} connections", operation.name());
        let beside = format!(
            "p50 {:.2} ms, p99 {:.2} ms, {:.0} µs of CPU each",
            load.p50, load.p99, load.cpu
        );
        self.figure(on, what, load.rate, "/s", beside);
    }

    /// Holds the rate against what the database does, and against the goal.
    fn compare(&mut self, on: &str, operation: Operation, rate: f64, server: &Server) -> Result<()> {
        if let Some((script, goal)) = operation.limit(server) {
            let limit = limit::pgbench(server.database_url(), &script, CLIENTS)?;
            let ratio = rate / limit;
            let beside = format!("goal {goal}; pgbench does the same statements {limit:.0} times a second");
            self.figure(on, format!("{}, of the limit", operation.name()), ratio, "", beside);
            if ratio < goal {
                self.missed
                    .push(format!("{} {ratio:.2} of the limit, goal {goal}", operation.name()));
            }
        }
        if matches!(operation, Operation::WrongInput) && rate < WRONG_INPUT {
            self.missed.push(format!("wrong input {rate:.0}/s, goal {WRONG_INPUT}"));
        }
        Ok(())
    }

    fn figure(&mut self, on: &str, what: String, value: f64, unit: &'static str, beside: String) {
        self.figures.push(Figure {
            on: format!("{on}, {} users", self.args.users),
            what: what.into(),
            value,
            unit,
            beside,
            goal: None,
        });
    }
}
