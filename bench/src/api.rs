//! The public API under load: a real process, asked by wrk, beside what the database itself does with the same
//! statements in the same run.

mod load;
mod scripts;
mod server;

use std::{collections::HashMap, time::Duration};

use anyhow::Result;
use usher_testkit::{Postgres, TestDb};

use crate::{
    limit,
    sample::memory_of,
    table::{
        Figure,
        Goal::{self, AtLeast, AtMost},
    },
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
    /// Databases
    #[arg(long, value_enum, value_delimiter = ',', default_value = "postgres,sqlite")]
    on: Vec<Engine>,
}

impl Args {
    /// What is measured beside everything else.
    pub fn short(users: u64) -> Self {
        Self {
            users,
            seconds: 4,
            connections: vec![CLIENTS],
            on: vec![Engine::Postgres],
        }
    }
}

#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum Engine {
    Postgres,
    Sqlite,
}

/// The connections of the goals.
const CLIENTS: usize = 32;
/// Wrong input answered a second.
const WRONG_INPUT: f64 = 15_000.0;
/// How much longer the deepest page of a list may take than the first.
const DEEPEST: f64 = 1.5;

pub async fn figures(args: &Args) -> Result<Vec<Figure>> {
    let mut bench = Bench {
        args,
        figures: Vec::new(),
    };
    if args.on.contains(&Engine::Postgres) {
        let postgres = Postgres::start_durable().await;
        usher_testkit::administer(&postgres.url("postgres"), "CREATE DATABASE bench").await?;
        bench.measure("PostgreSQL", &postgres.url("bench"), true).await?;
    }
    if args.on.contains(&Engine::Sqlite) {
        let sqlite = TestDb::empty_sqlite();
        let url = format!("{}?mode=rwc", sqlite.url());
        bench.measure("SQLite", &url, false).await?;
    }
    Ok(bench.figures)
}

struct Bench<'a> {
    args: &'a Args,
    figures: Vec<Figure>,
}

impl Bench<'_> {
    async fn measure(&mut self, on: &str, url: &str, has_limit: bool) -> Result<()> {
        // wrk tries a script once before it starts.
        let sessions = CLIENTS + 1;
        let server = Server::start(url, self.args.users, sessions).await?;
        let wrk = Wrk::new(&server, Duration::from_secs(self.args.seconds));
        let mut first_pages = HashMap::new();
        for operation in Operation::ALL {
            for &connections in &self.args.connections {
                if connections != CLIENTS && !operation.is_cheap() {
                    continue;
                }
                let load = wrk.run(operation, connections)?;
                self.note(on, operation, connections, &load);
                match operation {
                    Operation::List => drop(first_pages.insert(connections, load.rate)),
                    Operation::DeepList => self.compare_depth(on, connections, first_pages[&connections] / load.rate),
                    _ => {}
                }
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
            None,
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
        let goal =
            (matches!(operation, Operation::WrongInput) && connections == CLIENTS).then_some(AtLeast(WRONG_INPUT));
        self.figure(on, what, load.rate, "/s", goal, beside);
    }

    /// Holds the deepest page against the first: times as long.
    fn compare_depth(&mut self, on: &str, connections: usize, times: f64) {
        let what = format!("deepest page, to the first, {connections} connections");
        self.figure(on, what, times, "", Some(AtMost(DEEPEST)), String::new());
    }

    /// Holds the rate against what the database does.
    fn compare(&mut self, on: &str, operation: Operation, rate: f64, server: &Server) -> Result<()> {
        if let Some((script, goal)) = operation.limit(server) {
            let limit = limit::pgbench(server.database_url(), &script, CLIENTS)?;
            let ratio = rate / limit;
            let beside = format!("pgbench does the same statements {limit:.0} times a second");
            let what = format!("{}, of the limit", operation.name());
            self.figure(on, what, ratio, "", Some(AtLeast(goal)), beside);
        }
        Ok(())
    }

    fn figure(&mut self, on: &str, what: String, value: f64, unit: &'static str, goal: Option<Goal>, beside: String) {
        self.figures.push(Figure {
            on: format!("{on}, {} users", self.args.users),
            what: what.into(),
            value,
            unit,
            beside,
            goal,
        });
    }
}
