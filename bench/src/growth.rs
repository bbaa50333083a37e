//! What each operation asks of PostgreSQL as the tables grow: real processes are asked one thing after the other, and
//! PostgreSQL counts the pages that its statements look at. Pages are the same on a busy machine; times are not.

mod system;

use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use reqwest::Method;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use serde_json::{Value, json};
use usher_shared::foundation::db::{PoolOptions, connect};
use usher_testkit::{Postgres, administer};

use crate::{
    admin,
    programs::{EMAIL, PASSWORD},
    sample::quantile,
    table::Figure,
};

use system::System;

#[derive(clap::Args)]
pub struct Args {
    /// Numbers of users, each with a job, a mail, an audit row and sessions
    #[arg(long, value_delimiter = ',', default_value = "10000,100000,1000000")]
    users: Vec<u64>,
    /// Requests of each operation
    #[arg(long, default_value_t = 100)]
    requests: u64,
    /// A server with `pg_stat_statements` that runs already: its databases `growth_<users>` stay, and are used again
    #[arg(long)]
    server: Option<String>,
}

/// What PostgreSQL has counted of one operation.
struct Cost {
    what: String,
    pages: f64,
    statements: f64,
    /// Milliseconds of one answer, where there is one.
    times: Option<(f64, f64)>,
    /// The statement that looked at most of the pages.
    heaviest: String,
}

pub async fn figures(args: &Args) -> Result<Vec<Figure>> {
    let own = match &args.server {
        None => Some(Postgres::start_counting().await),
        Some(_) => None,
    };
    let (mut figures, mut before): (_, Option<(u64, Vec<Cost>)>) = (vec![], None);
    for &users in &args.users {
        let name = format!("growth_{users}");
        let url = |name: &str| match (&own, &args.server) {
            (Some(own), _) => own.url(name),
            (None, server) => format!("{}/{name}", server.as_deref().unwrap_or_default()),
        };
        let is_new = administer(&url("postgres"), &format!("CREATE DATABASE {name}"))
            .await
            .is_ok();
        let costs = measure(&url(&name), users, is_new, args.requests).await?;
        figures.extend(costs.iter().map(|cost| figure(users, cost)));
        if let Some((fewer, few)) = &before {
            figures.extend(
                few.iter()
                    .zip(&costs)
                    .map(|(few, many)| growth(*fewer, users, few, many)),
            );
        }
        before.get_or_insert((users, costs));
    }
    Ok(figures)
}

fn figure(users: u64, cost: &Cost) -> Figure {
    let times = cost
        .times
        .map(|(p50, p99)| format!("p50 {p50:.1} ms, p99 {p99:.1} ms, "));
    Figure {
        on: format!("{users} users"),
        what: cost.what.clone().into(),
        value: cost.pages,
        unit: "pages",
        goal: None,
        beside: format!(
            "{}{:.1} statements; most: {}",
            times.unwrap_or_default(),
            cost.statements,
            cost.heaviest
        ),
    }
}

/// A search in a tree grows with the logarithm: by half from ten thousand rows to a million.
fn growth(fewer: u64, users: u64, few: &Cost, many: &Cost) -> Figure {
    Figure {
        on: format!("{fewer} to {users}"),
        what: many.what.clone().into(),
        value: many.pages / few.pages,
        unit: "times",
        goal: None,
        beside: format!("logarithm: {:.2}", (users as f64).ln() / (fewer as f64).ln()),
    }
}

async fn measure(url: &str, users: u64, is_new: bool, requests: u64) -> Result<Vec<Cost>> {
    let context = System::open(url, if is_new { users } else { 0 }).await?;
    let mut counts = Counts::start(url, requests).await?;
    for (what, path) in api_reads(&context).await? {
        let mut nth = 0..;
        counts
            .count(format!("API: {what}"), async || {
                let path = path.replace("{id}", &spread(nth.next(), users).to_string());
                context.ask(Method::GET, &path, &Value::Null).await.map(drop)
            })
            .await?;
    }
    let login = json!({"email": EMAIL, "password": PASSWORD});
    counts
        .count("API: log-in".to_owned(), async || {
            context.ask(Method::POST, "/auth/login", &login).await.map(drop)
        })
        .await?;
    let mut nth = 0..;
    counts
        .count("API: change".to_owned(), async || {
            let path = format!("/users/{}", spread(nth.next(), users));
            context.ask(Method::PATCH, &path, &json!({"age": 40})).await.map(drop)
        })
        .await?;
    let mut browser = admin::Browser::new(&context.admin);
    browser.sign_in(EMAIL, PASSWORD).await?;
    for page in admin::pages(users) {
        counts
            .count(format!("admin: {}", page.name), async || {
                let (status, _) = browser.get(&page.path).await?;
                ensure!(status == 200, "{}: {status}", page.path);
                Ok(())
            })
            .await?;
    }
    // What adds rows comes last.
    counts
        .count("API: create".to_owned(), async || context.create().await)
        .await?;
    let jobs = counts.requests + WARM_UP;
    let db = counts.db.clone();
    let worker = async || context.work(&db).await;
    counts.once(format!("worker: a job, of {jobs}"), jobs, worker).await?;
    Ok(counts.costs)
}

/// What the API answers without a change, by its name.
async fn api_reads(context: &System) -> Result<Vec<(&'static str, String)>> {
    let deepest = context.deepest_cursor().await?;
    let reads = [
        ("get by id", "/users/{id}"),
        ("list of 50", "/users?limit=50"),
        ("sorted by name", "/users?limit=50&sort=name"),
        ("filtered by status", "/users?limit=50&status=locked"),
        ("search by a word", "/users?limit=50&q=martin"),
        ("search by two words", "/users?limit=50&q=elena+martin"),
    ];
    let deepest = ("its deepest page", format!("/users?limit=50&cursor={deepest}"));
    let reads = reads.into_iter().map(|(what, path)| (what, path.to_owned()));
    Ok(reads.chain([deepest]).collect())
}

/// The id of somebody, far from the one before.
fn spread(nth: Option<u64>, users: u64) -> u64 {
    2 + nth.unwrap_or(0).wrapping_mul(7_919 * 1_009) % (users - 2)
}

/// After five runs PostgreSQL may keep one plan for all values of a prepared statement.
const WARM_UP: u64 = 8;

/// Asks and counts.
struct Counts {
    db: DatabaseConnection,
    requests: u64,
    costs: Vec<Cost>,
}

impl Counts {
    async fn start(url: &str, requests: u64) -> Result<Self> {
        let db = connect(url, &PoolOptions::default()).await?;
        let install = "CREATE EXTENSION IF NOT EXISTS pg_stat_statements";
        db.execute_unprepared(install)
            .await
            .context("the server needs shared_preload_libraries = pg_stat_statements")?;
        Ok(Self {
            db,
            requests,
            costs: vec![],
        })
    }

    async fn count(&mut self, what: String, mut ask: impl AsyncFnMut() -> Result<()>) -> Result<()> {
        for _ in 0..WARM_UP {
            ask().await?;
        }
        self.forget().await?;
        let mut times = vec![];
        for _ in 0..self.requests {
            let started = Instant::now();
            ask().await?;
            times.push(started.elapsed());
        }
        let times = (quantile(&mut times, 0.5), quantile(&mut times, 0.99));
        let cost = self.cost(what, self.requests, Some(times)).await?;
        self.costs.push(cost);
        Ok(())
    }

    /// The same for something that does as many at once.
    async fn once(&mut self, what: String, many: u64, ask: impl AsyncFnOnce() -> Result<()>) -> Result<()> {
        self.forget().await?;
        ask().await?;
        let cost = self.cost(what, many, None).await?;
        self.costs.push(cost);
        Ok(())
    }

    async fn forget(&self) -> Result<()> {
        self.db.execute_unprepared("SELECT pg_stat_statements_reset()").await?;
        Ok(())
    }

    async fn cost(&self, what: String, requests: u64, times: Option<(f64, f64)>) -> Result<Cost> {
        let rows = Statement::from_string(DbBackend::Postgres, COUNTED);
        let rows = self.db.query_all_raw(rows).await?;
        let (mut pages, mut statements, mut heaviest) = (0, 0, None);
        for row in rows {
            let (text, calls, looked): (String, i64, i64) = (
                row.try_get("", "query")?,
                row.try_get("", "calls")?,
                row.try_get("", "pages")?,
            );
            (pages, statements) = (pages + looked, statements + calls);
            heaviest.get_or_insert((text, looked)); // they come in this order
        }
        let Some((text, most)) = heaviest else {
            bail!("{what} asked nothing")
        };
        let text: Vec<_> = text.split_whitespace().collect();
        let heaviest = format!(
            "{most} of {pages} {}",
            text.join(" ").chars().take(LEGIBLE).collect::<String>()
        );
        Ok(Cost {
            what,
            pages: pages as f64 / requests as f64,
            statements: statements as f64 / requests as f64,
            times,
            heaviest,
        })
    }
}

/// Characters of a statement that are shown.
const LEGIBLE: usize = 160;
/// Everything but what this program asks itself.
const COUNTED: &str = "SELECT query, calls, shared_blks_hit + shared_blks_read AS pages FROM pg_stat_statements \
    WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \
    AND query NOT LIKE '%pg_stat_statements%' ORDER BY pages DESC";
