//! The admin's pages, one request after the other as a person makes them: a real process over a database with people,
//! jobs and audit rows in it.

mod browser;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use usher_shared::SecretKey;
use usher_testkit::{Folder, Postgres, Program, free_port};

use crate::{
    sample::{memory_of, quantile},
    table::{self, Figure},
};

use browser::Browser;

/// A million users take minutes.
const SEEDED_WITHIN: Duration = Duration::from_secs(3_600);
const EMAIL: &str = "bench@example.com";
const PASSWORD: &str = "four uncommon words together";

#[derive(clap::Args)]
pub struct Args {
    /// How many users there are, each with sessions, jobs, mails and audit rows
    #[arg(long, value_delimiter = ',', default_value = "10000,1000000")]
    users: Vec<u64>,
    /// Requests of each page
    #[arg(long, default_value_t = 300)]
    requests: usize,
    #[arg(long)]
    json: bool,
}

pub async fn run(args: &Args) -> Result<()> {
    let mut figures = vec![];
    let postgres = Postgres::start_durable().await;
    for users in &args.users {
        let name = format!("bench_{users}");
        usher_testkit::administer(&postgres.url("postgres"), &format!("CREATE DATABASE {name}")).await?;
        figures.extend(measure(&postgres.url(&name), *users, args.requests).await?);
    }
    table::print(&figures, args.json)?;
    Ok(())
}

/// What is asked for: its name, its address, and the goal for its 50th and 99th hundredth, in ms.
fn pages(users: u64) -> Vec<(&'static str, String, &'static str)> {
    // The place behind which the last fifty users stand.
    let place = BASE64_URL_SAFE_NO_PAD.encode(r#"["-id","51","51"]"#);
    vec![
        ("list, first page", "/admin/users".to_owned(), "p50 6, p99 25"),
        ("list by id", "/admin/users?o=-id".to_owned(), ""),
        (
            "list by id, deepest page",
            format!("/admin/users?o=-id&after={place}"),
            "1.5 × the first",
        ),
        (
            "list, sorted by name",
            "/admin/users?o=name".to_owned(),
            "p50 6, p99 25",
        ),
        (
            "list, filtered by status",
            "/admin/users?status=locked".to_owned(),
            "p50 6, p99 25",
        ),
        ("search by email prefix", "/admin/users?q=email:a".to_owned(), "p99 15"),
        ("search by id", format!("/admin/users?q=id:{}", users / 2), "p99 10"),
        ("search by word", "/admin/users?q=name:martin".to_owned(), "p99 60"),
        ("search everywhere", "/admin/search?q=martin".to_owned(), ""),
        ("form", format!("/admin/users/{}", users / 2), ""),
        ("jobs", "/admin/jobs".to_owned(), ""),
        ("audit log", "/admin/audit".to_owned(), ""),
        ("audit log of one actor", "/admin/audit?actor_id=7".to_owned(), ""),
        (
            "audit log of one user",
            format!("/admin/audit?object_type=user&object_id={}", users / 2),
            "",
        ),
        ("dashboard", "/admin/".to_owned(), ""),
        ("jobs overview", "/admin/jobs/overview".to_owned(), ""),
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
    let (folder, secret_key) = (Folder::new(), SecretKey::generate_base64());
    let address = format!("127.0.0.1:{}", free_port());
    let program = |name: &str| {
        Program::named(name)
            .env("DATABASE_URL", database_url)
            .env("SECRET_KEY", &secret_key)
            .env("ADMIN_ADDR", &address)
            .env("RATE_LIMITS", "off")
            .env("STAFF_MFA", "optional")
            .env("USHER_SUPERUSER_EMAIL", EMAIL)
            .env("USHER_SUPERUSER_PASSWORD", PASSWORD)
    };
    for arguments in ["migrate up".to_owned(), format!("seed --users {users}")] {
        let command = arguments.split(' ').fold(program("usher"), Program::arg);
        let (code, text) = command.finish(&folder, SEEDED_WITHIN).await;
        ensure!(code == 0, "usher {arguments}: {text}");
    }
    usher_testkit::administer(database_url, &more_audit_rows(users)).await?;
    let running = program("usher-admin").ready_at(&address).start(&folder).await;
    let mut browser = Browser::new(&address);
    browser.sign_in(EMAIL, PASSWORD).await?;

    let on = format!("PostgreSQL, {users} users");
    let figure = |what: &str, value, unit, beside: String| Figure {
        on: on.clone(),
        what: what.to_owned().into(),
        value,
        unit,
        goal: None,
        beside,
    };
    let mut figures = vec![];
    for (name, path, goal) in pages(users) {
        let mut times = vec![];
        for _ in 0..requests {
            let started = Instant::now();
            let (status, _) = browser.get(&path).await?;
            times.push(started.elapsed());
            ensure!(status == 200, "{path}: {status}");
        }
        let goal = if goal.is_empty() {
            String::new()
        } else {
            format!(", goal {goal}")
        };
        let beside = format!("p99 {:.2} ms{goal}", quantile(&mut times, 0.99));
        figures.push(figure(name, quantile(&mut times, 0.5), "ms", beside));
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
    let beside = format!("p99 {:.2} ms", quantile(&mut times, 0.99));
    figures.push(figure("save", quantile(&mut times, 0.5), "ms", beside));

    let (before, started) = (memory_of(running.id()), Instant::now());
    let (status, bytes) = browser.download("/admin/users/export.csv").await?;
    ensure!(status == 200, "the export: {status}");
    let grown = memory_of(running.id()) - before;
    let beside = format!("{bytes} bytes; memory grew by {grown:.1} MiB, goal 20");
    figures.push(figure("export as CSV", started.elapsed().as_secs_f64(), "s", beside));
    Ok(figures)
}
