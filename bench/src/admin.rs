//! The admin's pages, one request after the other as a person makes them: a real process over a database with people,
//! jobs and audit rows in it.

mod browser;

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use usher_testkit::{Postgres, free_port};

use crate::{
    programs::{EMAIL, PASSWORD, Programs},
    sample::{cpu_ticks_of, memory_of, quantile},
    table::{Figure, Goal::AtMost},
};

pub use browser::Browser;

/// The kernel counts CPU time in hundredths of a second.
const MS_OF_A_TICK: f64 = 10.0;

#[derive(clap::Args)]
pub struct Args {
    /// How many users there are, each with sessions, jobs, mails and audit rows
    #[arg(long, value_delimiter = ',', default_value = "10000,1000000")]
    users: Vec<u64>,
    /// Requests of each page
    #[arg(long, default_value_t = 300)]
    requests: usize,
}

impl Args {
    /// What is measured beside everything else.
    pub fn short(users: u64) -> Self {
        Self {
            users: vec![users],
            requests: 100,
        }
    }
}

pub async fn figures(args: &Args) -> Result<Vec<Figure>> {
    let mut figures = vec![];
    let postgres = Postgres::start_durable().await;
    for users in &args.users {
        let name = format!("bench_{users}");
        usher_testkit::administer(&postgres.url("postgres"), &format!("CREATE DATABASE {name}")).await?;
        figures.extend(measure(&postgres.url(&name), *users, args.requests).await?);
    }
    Ok(figures)
}

/// A page, and the goals for its 50th and 99th hundredth, in ms.
pub struct Page {
    pub name: &'static str,
    pub path: String,
    p50: Option<f64>,
    p99: Option<f64>,
}

const BY_ID: &str = "list by id";
const DEEPEST: &str = "list by id, deepest page";
/// How much longer the deepest page of a list may take than the first.
const DEEPEST_TIMES: f64 = 1.5;
/// MiB by which an export may make the process grow.
const EXPORT_GROWTH: f64 = 20.0;

pub fn pages(users: u64) -> Vec<Page> {
    // The place behind which the last fifty users stand.
    let place = BASE64_URL_SAFE_NO_PAD.encode(r#"["-id","51","51"]"#);
    let page = |name, path: String| Page {
        name,
        path,
        p50: None,
        p99: None,
    };
    let list = |name, path: &str| Page {
        p50: Some(6.0),
        p99: Some(25.0),
        ..page(name, path.to_owned())
    };
    let search = |name, words: String, p99| Page {
        p99: Some(p99),
        ..page(name, format!("/admin/users?q={words}"))
    };
    vec![
        list("list, first page", "/admin/users"),
        page(BY_ID, "/admin/users?o=-id".to_owned()),
        page(DEEPEST, format!("/admin/users?o=-id&after={place}")),
        list("list, sorted by name", "/admin/users?o=name"),
        list("list, filtered by status", "/admin/users?status=locked"),
        search("search by email prefix", "email:a".to_owned(), 15.0),
        search("search by id", format!("id:{}", users / 2), 10.0),
        search("search by word", "name:martin".to_owned(), 60.0),
        page("search everywhere", "/admin/search?q=martin".to_owned()),
        page("form", format!("/admin/users/{}", users / 2)),
        page("jobs", "/admin/jobs".to_owned()),
        page("audit log", "/admin/audit".to_owned()),
        page("audit log of one actor", "/admin/audit?actor_id=7".to_owned()),
        page(
            "audit log of one user",
            format!("/admin/audit?object_type=user&object_id={}", users / 2),
        ),
        page("dashboard", "/admin/".to_owned()),
        page("jobs overview", "/admin/jobs/overview".to_owned()),
    ]
}

/// Four more audit rows for each user, by twenty members of staff. They are not sealed one by one: that is the seal's
/// cost, and no page's.
fn more_audit_rows(users: u64) -> String {
    format!(
        "ALTER TABLE audit_log DISABLE TRIGGER audit_log_to_seal;
         INSERT INTO audit_log (at, actor_kind, actor_id, actor_label, action, object_type, object_id, changes, address)
         SELECT now() - n * interval '1 second', 'user', 1 + n % 20, 'staff', 'update', 'user',
                (1 + n % {users})::text, '{{\"name\": [\"Ada\", \"Ada King\"]}}', '10.0.0.1'
           FROM generate_series(1, 4 * {users}) n;
         ALTER TABLE audit_log ENABLE TRIGGER audit_log_to_seal;
         ANALYZE audit_log;"
    )
}

async fn measure(database_url: &str, users: u64, requests: usize) -> Result<Vec<Figure>> {
    let address = format!("127.0.0.1:{}", free_port());
    let programs = Programs::over(database_url).with("ADMIN_ADDR", &address);
    programs.seed(users).await?;
    usher_testkit::administer(database_url, &more_audit_rows(users)).await?;
    let running = programs
        .named("usher-admin")
        .ready_at(&address)
        .start(&programs.folder)
        .await;
    let mut browser = Browser::new(&address);
    browser.sign_in(EMAIL, PASSWORD).await?;

    let on = format!("PostgreSQL, {users} users");
    let figure = |what: String, value, unit, goal: Option<f64>, beside: String| Figure {
        on: on.clone(),
        what: what.into(),
        value,
        unit,
        goal: goal.map(AtMost),
        beside,
    };
    let (mut figures, mut by_id) = (vec![], f64::NAN);
    for page in pages(users) {
        let (mut times, before) = (vec![], cpu_ticks_of(running.id()));
        for _ in 0..requests {
            let started = Instant::now();
            let (status, _) = browser.get(&page.path).await?;
            times.push(started.elapsed());
            ensure!(status == 200, "{}: {status}", page.path);
        }
        let spent = (cpu_ticks_of(running.id()) - before) * MS_OF_A_TICK / requests as f64;
        let (p50, p99) = (quantile(&mut times, 0.5), quantile(&mut times, 0.99));
        let cpu = format!("{spent:.2} ms of CPU each in the admin");
        figures.push(figure(format!("{}, p50", page.name), p50, "ms", page.p50, cpu));
        figures.push(figure(
            format!("{}, p99", page.name),
            p99,
            "ms",
            page.p99,
            String::new(),
        ));
        match page.name {
            BY_ID => by_id = p50,
            DEEPEST => figures.push(figure(
                "  deepest page, to the first".to_owned(),
                p50 / by_id,
                "",
                Some(DEEPEST_TIMES),
                String::new(),
            )),
            _ => {}
        }
    }
    let mut times = vec![];
    let path = format!("/admin/users/{}", users / 2);
    for number in 0..requests {
        let (_, page) = browser.get(&path).await?;
        let version = browser::value_of(&page, "version").context("no version")?.to_owned();
        let email = browser::value_of(&page, "email").context("no email")?.to_owned();
        let name = format!("Saved {number}");
        let fields = [
            ("version", version.as_str()),
            ("email", &email),
            ("name", &name),
            ("status", "active"),
        ];
        let started = Instant::now();
        let (status, _) = browser.post(&path, &fields).await?;
        times.push(started.elapsed());
        ensure!(status == 303, "a save: {status}");
    }
    figures.push(figure(
        "save, p50".to_owned(),
        quantile(&mut times, 0.5),
        "ms",
        None,
        String::new(),
    ));
    figures.push(figure(
        "save, p99".to_owned(),
        quantile(&mut times, 0.99),
        "ms",
        None,
        String::new(),
    ));

    let (before, started) = (memory_of(running.id()), Instant::now());
    let (status, bytes) = browser.download("/admin/users/export.csv").await?;
    ensure!(status == 200, "the export: {status}");
    let (took, grown) = (started.elapsed().as_secs_f64(), memory_of(running.id()) - before);
    figures.push(figure(
        "export as CSV".to_owned(),
        took,
        "s",
        None,
        format!("{bytes} bytes"),
    ));
    figures.push(figure(
        "  memory grown by".to_owned(),
        grown,
        "MiB",
        Some(EXPORT_GROWTH),
        String::new(),
    ));
    Ok(figures)
}
