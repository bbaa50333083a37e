//! Nothing is lost while everything fails: the short form of `bench/chaos`, and the whole house killed over and over.

use std::time::Duration;

use serde_json::Value;
use usher_testkit::{Folder, Program, run};

/// Longer than it takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(240);

/// The figures of a short storm, by their names; the exit code says that every goal is met.
async fn storm(on: &str) {
    let folder = Folder::new();
    let bench = Program::named("usher-bench")
        .arg("chaos")
        .arg("--part=storm")
        .arg(format!("--on={on}"))
        .arg("--jobs=3000")
        .arg("--seconds=15")
        .arg("--lease=3")
        .arg("--json")
        .env("TMPDIR", folder.path().display().to_string());
    let (code, log) = bench.finish(&folder, LIMIT).await;
    assert_eq!(code, 0, "{log}");
    let figures: Vec<Value> = serde_json::from_str(&log).unwrap_or_else(|error| panic!("{error}: {log}"));
    let value = |name: &str| {
        let figure = figures.iter().find(|figure| figure["figure"] == name);
        figure
            .and_then(|figure| figure["value"].as_f64())
            .unwrap_or_else(|| panic!("no {name}: {log}"))
    };
    assert!(value("jobs committed") >= 3_000.0 && value("faults") >= 5.0, "{log}");
    assert!(value("starts repeated") > 0.0, "no fault hit a job that ran: {log}");
}

#[test]
fn no_job_is_lost_or_has_its_effect_twice_on_postgres_and_redis() {
    run(storm("postgres-redis"));
}

#[test]
fn no_job_is_lost_or_has_its_effect_twice_on_postgres_without_redis() {
    run(storm("postgres"));
}

#[test]
fn no_job_is_lost_or_has_its_effect_twice_on_sqlite() {
    run(storm("sqlite"));
}
