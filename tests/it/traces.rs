//! Traces: one from a request through its statements and its job to the mail, over three processes, with nothing in it
//! that somebody sent; and a collector that is away, refuses or hangs costs nobody an answer.

use std::time::Duration;

use reqwest::{Client, Response};
use serde_json::{Value, json};
use usher_testkit::{Collector, Redis, Span, TestDb, eventually, on_both, run};

use crate::{
    services::{EMAIL, PASSWORD, Production},
    staff::Staff,
};

const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const NOT_SAMPLED: &str = "00-5bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
const ADDRESS: &str = "ada.traced@example.org";

async fn traced(db: TestDb, redis: Option<&Redis>, settings: &[(&'static str, &str)]) -> (Production, Collector) {
    let collector = Collector::start().await;
    let mut all = vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url()),
        // Spans leave at once rather than every five seconds.
        ("OTEL_BSP_SCHEDULE_DELAY", "100".to_owned()),
    ];
    all.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
    (Production::start(db, redis).await.with(all), collector)
}

async fn create(production: &Production, email: &str, traceparent: &str) -> Response {
    Client::new()
        .post(format!("http://{}/users", production.api))
        .bearer_auth(&production.key)
        .header("traceparent", traceparent)
        .json(&json!({"name": "Ada Lovelace", "email": email}))
        .send()
        .await
        .expect("the API answers")
}

fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let mut found = spans.iter().filter(|span| span.name == name);
    let span = found.next().unwrap_or_else(|| panic!("no {name} in {spans:#?}"));
    assert_eq!(found.next(), None, "one {name}");
    span
}

/// Whether a span happened during the other, however many lie between.
fn is_below(spans: &[Span], span: &Span, top: &Span) -> bool {
    let mut at = span;
    while let Some(parent) = spans.iter().find(|other| other.id == at.parent) {
        if parent.id == top.id {
            return true;
        }
        at = parent;
    }
    false
}

#[on_both]
async fn one_trace_goes_from_the_request_through_its_statements_and_its_job_to_the_mail(db: TestDb) {
    let is_postgres = db.is_postgres();
    let redis = if is_postgres { Some(Redis::start().await) } else { None };
    let (production, collector) = traced(
        db,
        redis.as_ref(),
        &[("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=usher%20tests")],
    )
    .await;
    let services = tokio::join!(production.start_api(), production.start_worker());
    assert_eq!(create(&production, ADDRESS, SAMPLED).await.status(), 201);
    production.smtp.wait_for(1, Duration::from_secs(30)).await;

    let spans = collector
        .trace(ID, &["POST /users", "process welcome_email", "send mail"])
        .await;
    let request = named(&spans, "POST /users");
    assert_eq!(
        (&*request.parent, &*request.kind, &*request.service),
        ("00f067aa0ba902b7", "Server", "usher-api")
    );
    assert_eq!(
        (request.get("http.response.status_code"), request.get("http.route")),
        ("201", "/users")
    );
    assert!(!request.is_error && request.took > Duration::ZERO);

    let send = named(&spans, "send welcome_email");
    assert_eq!((&*send.parent, &*send.kind), (&*request.id, "Producer"));
    let attempt = named(&spans, "process welcome_email");
    assert_eq!(
        (&*attempt.parent, &*attempt.kind, &*attempt.service),
        (&*send.id, "Consumer", "usher-worker")
    );
    assert_eq!(
        (
            attempt.get("usher.job.attempt"),
            attempt.get("messaging.destination.name")
        ),
        ("1", "mail")
    );
    let mail = named(&spans, "send mail");
    assert_eq!(
        (&*mail.parent, &*mail.kind, mail.get("network.protocol.name")),
        (&*attempt.id, "Client", "smtp")
    );

    let system = if is_postgres { "postgresql" } else { "sqlite" };
    let statements: Vec<_> = spans
        .iter()
        .filter(|span| !span.get("db.query.text").is_empty())
        .collect();
    assert!(
        statements
            .iter()
            .all(|span| span.get("db.system.name") == system && span.kind == "Client")
    );
    let below = |top: &Span, name: &str| {
        statements
            .iter()
            .any(|span| span.name == name && is_below(&spans, span, top))
    };
    for (top, name) in [(request, "INSERT users"), (request, "COMMIT"), (attempt, "COMMIT")] {
        assert!(below(top, name), "no {name} during {}: {spans:#?}", top.name);
    }
    assert!(
        spans
            .iter()
            .all(|span| span.attributes.values().all(|value| !value.contains("ada.traced")))
    );
    assert_eq!(collector.headers()["x-tenant"], "usher tests");
    drop(services);
}

#[test]
fn a_caller_decides_what_is_sampled_and_the_ratio_decides_for_the_rest() {
    run(async {
        let (production, collector) = traced(TestDb::sqlite().await, None, &[("OTEL_TRACES_SAMPLER_ARG", "0")]).await;
        let api = production.start_api().await;
        let probe = Client::new().get(format!("http://{}/health/ready", production.api));
        assert_eq!(
            probe
                .header("traceparent", SAMPLED)
                .send()
                .await
                .expect("it answers")
                .status(),
            200
        );
        for (email, header) in [
            ("a@example.org", NOT_SAMPLED),
            ("b@example.org", "junk"),
            ("c@example.org", SAMPLED),
        ] {
            assert_eq!(create(&production, email, header).await.status(), 201);
        }
        let lost = Client::new().get(format!("http://{}/somewhere/ada@example.org", production.api));
        assert_eq!(
            lost.header("traceparent", SAMPLED)
                .send()
                .await
                .expect("it answers")
                .status(),
            404
        );
        let spans = collector.trace(ID, &["POST /users", "send welcome_email", "GET"]).await;
        assert_eq!(
            named(&spans, "GET").get("http.route"),
            "",
            "a path of no route is not told"
        );
        let requests = spans.iter().filter(|span| span.kind == "Server").count();
        assert_eq!(requests, 2, "a probe is no request: {spans:#?}");
        api.terminate().await;
        let others: Vec<_> = collector.spans().into_iter().filter(|span| span.trace != ID).collect();
        assert_eq!(others, [], "only one of the three is sampled");
    });
}

#[test]
fn requests_that_share_a_transaction_are_linked() {
    run(async {
        let (production, collector) = traced(TestDb::postgres().await, None, &[]).await;
        let _api = production.start_api().await;
        let mut waiting = tokio::task::JoinSet::new();
        for number in 0..200_u32 {
            let (url, key) = (format!("http://{}/users", production.api), production.key.clone());
            waiting.spawn(async move {
                let trace = format!("00-{:032x}-00f067aa0ba902b7-01", number + 1);
                let body = json!({"name": "Ada", "email": format!("ada.{number}@example.org")});
                let request = Client::new()
                    .post(url)
                    .bearer_auth(key)
                    .header("traceparent", trace)
                    .json(&body);
                request.send().await.expect("the API answers").status().as_u16()
            });
        }
        let answers = waiting.join_all().await;
        assert!(answers.iter().all(|status| *status == 201), "{answers:?}");
        let batch = eventually(Duration::from_secs(30), "requests done at once", async || {
            collector.spans().into_iter().find(|span| span.name == "batch")
        })
        .await;
        let size = 1 + batch.links.len();
        assert_eq!(batch.get("usher.batch.size"), size.to_string());
        assert!(!batch.links.contains(&batch.trace), "it links to the others: {batch:?}");
    });
}

#[test]
fn what_fails_is_marked_without_the_text_of_the_error() {
    run(async {
        let (production, collector) = traced(TestDb::sqlite().await, None, &[]).await;
        let _rooms = tokio::join!(
            production.start_api(),
            production.start_worker_with(&[("SMTP_URL", "smtp://127.0.0.1:1")])
        );
        assert_eq!(create(&production, ADDRESS, SAMPLED).await.status(), 201);
        let spans = collector.trace(ID, &["process welcome_email", "send mail"]).await;
        for (name, reason) in [("process welcome_email", "failed"), ("send mail", "connect")] {
            let span = spans.iter().find(|span| span.name == name).expect("it is there");
            assert_eq!((span.is_error, span.get("error.type")), (true, reason), "{span:?}");
        }
        // A client's mistake is no failure.
        assert_eq!(
            create(&production, ADDRESS, &SAMPLED.replace("4bf9", "6bf9"))
                .await
                .status(),
            409
        );
        let spans = collector.trace(&ID.replace("4bf9", "6bf9"), &["POST /users"]).await;
        assert!(!named(&spans, "POST /users").is_error);
    });
}

#[test]
fn the_admin_is_traced_by_its_routes() {
    run(async {
        let (production, collector) = traced(TestDb::sqlite().await, None, &[]).await;
        let _admin = production.start_admin().await;
        let staff = Staff::sign_in(&production.admin, EMAIL, PASSWORD).await;
        staff.find("users", "nobody").await;
        let span = eventually(Duration::from_secs(30), "the page's span", async || {
            collector
                .spans()
                .into_iter()
                .find(|span| span.get("http.route") == "/admin/{model}")
        })
        .await;
        assert_eq!(
            (&*span.name, &*span.service, &*span.parent),
            ("GET /admin/{model}", "usher-admin", "")
        );
        assert!(
            collector
                .spans()
                .iter()
                .any(|other| other.trace == span.trace && other.name == "SELECT users")
        );
    });
}

#[test]
fn a_collector_that_is_away_refuses_or_hangs_costs_no_answer_and_is_told() {
    run(async {
        let (production, collector) = traced(TestDb::sqlite().await, None, &[]).await;
        let api = production.start_api().await;
        let count = async |name: &str| {
            let metrics = reqwest::get(format!("http://{}/metrics", production.api_metrics)).await;
            let metrics = metrics.expect("metrics").text().await.expect("text");
            let line = metrics.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name} in {metrics}"))
                .trim()
                .parse::<u64>()
                .expect("a number")
        };
        collector.answers(503);
        assert_eq!(create(&production, "a@example.org", SAMPLED).await.status(), 201);
        eventually(Duration::from_secs(30), "the refusal is counted", async || {
            (count("usher_spans_failed_total ").await > 0).then_some(())
        })
        .await;
        collector.answers(0);
        assert_eq!(create(&production, "b@example.org", SAMPLED).await.status(), 201);
        collector.answers(200);
        assert_eq!(create(&production, "c@example.org", SAMPLED).await.status(), 201);
        eventually(Duration::from_secs(30), "spans are taken again", async || {
            (count("usher_spans_exported_total ").await > 0).then_some(())
        })
        .await;
        assert!(count("usher_spans_ended_total ").await >= count("usher_spans_exported_total ").await);
        let log = api.log();
        assert!(
            log.contains("accepts no spans") && log.contains("accepts spans again"),
            "{log}"
        );
        collector.answers(0);
        assert_eq!(create(&production, "d@example.org", SAMPLED).await.status(), 201);
        assert_eq!(api.terminate().await, 0, "a stop does not wait for it");
    });
}

#[test]
fn what_is_left_is_sent_before_a_process_ends() {
    run(async {
        let (production, collector) =
            traced(TestDb::sqlite().await, None, &[("OTEL_BSP_SCHEDULE_DELAY", "600000")]).await;
        let api = production.start_api().await;
        assert_eq!(create(&production, ADDRESS, SAMPLED).await.status(), 201);
        assert_eq!(collector.spans(), [], "nothing is due yet");
        api.terminate().await;
        let names: Vec<_> = collector.spans().into_iter().map(|span| span.name).collect();
        assert!(names.iter().any(|name| name == "POST /users"), "{names:?}");
    });
}

#[test]
fn the_doctor_asks_the_collector() {
    run(async {
        let (production, collector) = traced(TestDb::sqlite().await, None, &[]).await;
        let finding = async |settings: &[(&str, &str)]| {
            let (_, text) = production.command_with(&["doctor", "--json"], settings).await;
            let start = text.find("{\n").or_else(|| text.find('{')).expect("JSON");
            let all: Value = serde_json::Deserializer::from_str(&text[start..])
                .into_iter()
                .next()
                .expect("JSON")
                .expect("JSON");
            let parts = all["parts"].as_array().expect("parts");
            parts
                .iter()
                .find(|part| part["part"] == "traces")
                .expect("it is there")
                .clone()
        };
        assert_eq!(finding(&[]).await["ok"], true);
        collector.answers(401);
        let refused = finding(&[]).await;
        assert_eq!(refused["ok"], false, "{refused}");
        assert!(refused["text"].as_str().expect("text").contains("401"), "{refused}");
        let nobody = finding(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")]).await;
        assert_eq!(nobody["ok"], false, "{nobody}");
        let none = finding(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")]).await;
        assert_eq!(none["ok"], true, "{none}");
    });
}
