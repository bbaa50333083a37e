//! What `/metrics` says of each process: true, readable, and with labels that nobody outside can make more of.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use usher_testkit::{Folder, Program, Running, TestDb, eventually, free_port, on_both, run};

use crate::{
    greeting::Greeting,
    services::{EMAIL, PASSWORD, Production},
};

const PATIENCE: Duration = Duration::from_secs(30);

/// Everything that one `/metrics` says, by name and labels.
pub struct Scrape {
    pub text: String,
    values: BTreeMap<String, f64>,
}

impl Scrape {
    /// Reads it and insists on the rules of the text form: each name is explained once, in front of its lines, and no
    /// line stands twice.
    pub async fn of(address: &str) -> Self {
        let answer = reqwest::get(format!("http://{address}/metrics"))
            .await
            .expect("it is served");
        let form = answer.headers()["content-type"].to_str().expect("text").to_owned();
        assert_eq!(form, "text/plain; version=0.0.4; charset=utf-8");
        let text = answer.text().await.expect("text");
        let (mut values, mut explained) = (BTreeMap::new(), BTreeSet::new());
        let mut family = String::new();
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                family = help.split(' ').next().expect("a name").to_owned();
                assert!(explained.insert(family.clone()), "{family} is explained twice\n{text}");
            } else if !line.starts_with("# TYPE ") {
                let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line:?} is no sample"));
                assert!(series.starts_with(&family), "{line} stands under {family}");
                let value = value.parse().unwrap_or_else(|_| panic!("{line:?} has no number"));
                assert!(
                    values.insert(series.to_owned(), value).is_none(),
                    "{series} stands twice"
                );
            }
        }
        Self { text, values }
    }

    pub fn value(&self, series: &str) -> f64 {
        *self
            .values
            .get(series)
            .unwrap_or_else(|| panic!("{series} is not in\n{}", self.text))
    }
}

async fn ask(method: Method, url: String, key: &str, body: Value) -> Response {
    let request = Client::new().request(method, url).bearer_auth(key).json(&body);
    request.send().await.expect("it answers")
}

fn served(room: &str, method: &str, route: &str, status: &str) -> String {
    format!("usher_http_requests_total{{room=\"{room}\",method=\"{method}\",route=\"{route}\",status=\"{status}\"}}")
}

#[on_both]
async fn each_process_tells_what_it_served(db: TestDb) {
    let production = Production::start(db, None).await;
    let services = tokio::join!(
        production.start_api(),
        production.start_admin(),
        production.start_worker()
    );
    let (api, admin, key) = (&production.api, &production.admin, &production.key);
    let ada = ask(
        Method::POST,
        format!("http://{api}/users"),
        key,
        json!({"name": "Ada Lovelace", "email": "ada@example.org"}),
    );
    let ada: Value = ada.await.json().await.expect("a user");
    let path = ada["id"].as_str().map_or_else(|| ada["id"].to_string(), str::to_owned);
    for _ in 0..3 {
        ask(Method::GET, format!("http://{api}/users/{path}/"), key, json!(null)).await;
    }
    ask(Method::GET, format!("http://{api}/marker-{key}"), key, json!(null)).await;
    ask(
        Method::from_bytes(b"BREW").unwrap(),
        format!("http://{api}/marker"),
        key,
        json!(null),
    )
    .await;
    let wrong = json!({"email": EMAIL, "password": "not the one at all"});
    assert_eq!(
        ask(Method::POST, format!("http://{api}/auth/login"), key, wrong)
            .await
            .status(),
        401
    );
    ask(Method::GET, format!("http://{admin}/admin/login"), key, json!(null)).await;
    ask(Method::GET, format!("http://{admin}/marker-{key}"), key, json!(null)).await;

    let scrape = Scrape::of(&production.api_metrics).await;
    for (series, value) in [
        (served("api", "POST", "/users", "201"), 1.0),
        (served("api", "GET", "/users/{id}", "200"), 3.0),
        (served("api", "GET", "none", "404"), 1.0),
        (served("api", "other", "none", "404"), 1.0),
        (served("api", "POST", "/auth/login", "401"), 1.0),
        (
            "usher_http_request_seconds_count{room=\"api\",method=\"GET\",route=\"/users/{id}\"}".to_owned(),
            3.0,
        ),
        (
            "usher_http_request_seconds_bucket{room=\"api\",method=\"GET\",route=\"/users/{id}\",le=\"+Inf\"}"
                .to_owned(),
            3.0,
        ),
        ("usher_http_in_flight{room=\"api\"}".to_owned(), 0.0),
        ("usher_log_in_failures_total{room=\"api\"}".to_owned(), 1.0),
        ("usher_db_connections_max{pool=\"house\"}".to_owned(), 16.0),
    ] {
        assert_eq!(scrape.value(&series), value, "{series} in\n{}", scrape.text);
    }
    let of_pool = |state| scrape.value(&format!("usher_db_connections{{pool=\"house\",state=\"{state}\"}}"));
    assert!(
        (1.0..=16.0).contains(&(of_pool("busy") + of_pool("idle"))),
        "{}",
        scrape.text
    );
    assert!(scrape.value("process_resident_memory_bytes") > 1_000_000.0);
    assert!(scrape.value("process_cpu_seconds_total") >= 0.0 && scrape.value("process_open_fds") > 3.0);
    assert!(
        !scrape.text.contains("marker"),
        "a path as it was sent: {}",
        scrape.text
    );

    let scrape = Scrape::of(&production.admin_metrics).await;
    assert_eq!(scrape.value(&served("admin", "GET", "/admin/login", "200")), 1.0);
    assert_eq!(scrape.value(&served("admin", "GET", "none", "404")), 1.0);
    assert!(
        !scrape.text.contains("marker") && !scrape.text.contains("room=\"api\""),
        "{}",
        scrape.text
    );

    production.smtp.wait_for(1, PATIENCE).await;
    eventually(PATIENCE, "the worker has sent it", async || {
        let scrape = Scrape::of(&production.worker).await;
        let pools = scrape.values.contains_key("usher_db_connections_max{pool=\"worker\"}");
        (pools && scrape.values.get("usher_mails_total{outcome=\"sent\"}") == Some(&1.0)).then_some(())
    })
    .await;
    for service in [services.0, services.1, services.2] {
        assert_eq!(service.terminate().await, 0);
    }
}

/// `usher up` with an address for metrics, and its greeting.
async fn up(folder: &Folder, [api, admin, metrics]: &[String; 3]) -> (Running, Greeting) {
    let usher = Program::named("usher")
        .env("API_ADDR", api)
        .env("ADMIN_ADDR", admin)
        .env("METRICS_ADDR", metrics)
        .env("RATE_LIMITS", "log-in=2/min");
    let running = usher
        .ready_at(api)
        .ready_at(admin)
        .ready_at(metrics)
        .start(folder)
        .await;
    let greeting = Greeting::read(&running.log());
    (running, greeting)
}

#[test]
fn one_process_has_one_address_for_all_rooms() {
    run(async {
        let (folder, addresses) = (Folder::new(), [(); 3].map(|()| format!("127.0.0.1:{}", free_port())));
        let (running, greeting) = up(&folder, &addresses).await;
        let [api, admin, metrics] = &addresses;
        assert_eq!(greeting.curl.send().await.status(), 201);
        for status in [401, 401, 429] {
            let log_in = json!({"email": EMAIL, "password": PASSWORD});
            let answer = ask(Method::POST, format!("http://{api}/auth/login"), "", log_in).await;
            assert_eq!(answer.status(), status);
        }
        ask(Method::GET, format!("http://{admin}/admin/login"), "", json!(null)).await;
        let scrape = eventually(PATIENCE, "the mail is kept", async || {
            let scrape = Scrape::of(metrics).await;
            scrape
                .values
                .contains_key("usher_mails_total{outcome=\"kept\"}")
                .then_some(scrape)
        })
        .await;
        for (series, value) in [
            (served("api", "POST", "/users", "201"), 1.0),
            (served("api", "POST", "/auth/login", "429"), 1.0),
            (served("admin", "GET", "/admin/login", "200"), 1.0),
            ("usher_rate_limit_refusals_total{limit=\"log_in\"}".to_owned(), 1.0),
            ("usher_log_in_failures_total{room=\"api\"}".to_owned(), 2.0),
            ("usher_log_in_failures_total{room=\"admin\"}".to_owned(), 0.0),
            ("usher_jobs_started_total{kind=\"welcome_email\"}".to_owned(), 1.0),
        ] {
            assert_eq!(scrape.value(&series), value, "{series} in\n{}", scrape.text);
        }
        assert_eq!(running.terminate().await, 0);
    });
}

/// Every word of a text that is a metric's name.
fn metrics_in(text: &str) -> BTreeSet<&str> {
    let words = text.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
    words
        .filter(|word| word.starts_with("usher_") || word.starts_with("process_"))
        .collect()
}

#[test]
fn alerts_and_dashboard_speak_of_metrics_that_there_are() {
    run(async {
        let (folder, addresses) = (Folder::new(), [(); 3].map(|()| format!("127.0.0.1:{}", free_port())));
        let (_running, greeting) = up(&folder, &addresses).await;
        assert_eq!(greeting.curl.send().await.status(), 201);
        // A metric without a value is left out, so let the limit of log-ins refuse one.
        for _ in 0..3 {
            let log_in = json!({"email": EMAIL, "password": PASSWORD});
            ask(Method::POST, format!("http://{}/auth/login", addresses[0]), "", log_in).await;
        }
        let scrape = eventually(PATIENCE, "the job store is told, and the mail is kept", async || {
            let scrape = Scrape::of(&addresses[2]).await;
            let told = ["usher_jobs_enqueued_last_minute{", "usher_mails_total{"];
            told.iter().all(|each| scrape.text.contains(each)).then_some(scrape)
        })
        .await;
        let (rules, alerts, dashboard) = (
            include_str!("../../docs/operating/usher.rules.yml"),
            include_str!("../../docs/operating/alerts.md"),
            include_str!("../../docs/operating/grafana.json"),
        );
        let told: BTreeSet<&str> = metrics_in(&scrape.text);
        for (file, text) in [("usher.rules.yml", rules), ("grafana.json", dashboard)] {
            let wanted = metrics_in(text);
            assert!(wanted.len() >= 10, "{file} names {wanted:?} only");
            let missing: Vec<_> = wanted.difference(&told).collect();
            assert!(missing.is_empty(), "{file} names what nobody tells: {missing:?}");
        }
        let page = include_str!("../../docs/operating/metrics.md");
        // Spans are told where they are exported, which is tested with the traces.
        let documented: BTreeSet<&str> = metrics_in(page)
            .into_iter()
            .filter(|name| !name.starts_with("usher_spans_"))
            .collect();
        let families: BTreeSet<&str> = scrape
            .text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
            .collect();
        assert_eq!(documented, families, "metrics.md tells every metric, and no other");
        serde_json::from_str::<Value>(dashboard).expect("the dashboard is JSON");
        let names = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
        let names: BTreeSet<&str> = names.collect();
        let explained: BTreeSet<&str> = alerts.lines().filter_map(|line| line.strip_prefix("### ")).collect();
        assert_eq!(names, explained, "each alert is explained, and nothing else is");
    });
}
