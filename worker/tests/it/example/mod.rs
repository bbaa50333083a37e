//! `docs/adding-a-job.md`, done: the files beside this one are the document's own code, compiled and run. A document
//! that says anything else fails here. What differs are imports, because this is not the place that the document names.

mod deactivate_unused;
mod deactivated;
mod payload;

use chrono::TimeDelta;
use usher_shared::{
    foundation::{
        entity::{job::JobState, user},
        time::now,
    },
    jobs::{EnqueueError, EnqueueOptions, Tx, enqueue_with},
};
use usher_testkit::{TestDb, on_both};
use usher_worker::Registry;

use crate::test_worker::TestWorker;
use payload::DeactivateUnused;

const DOCUMENT: &str = include_str!("../../../../docs/adding-a-job.md");

fn registry() -> Registry {
    usher_worker::registry().register::<DeactivateUnused>(deactivate_unused::POLICY, deactivate_unused::deactivate)
}

async fn plan(tx: &Tx, user: &user::Model) -> Result<(), EnqueueError> {
    let month_later = now() + chrono::Duration::days(30);
    enqueue_with(
        tx,
        DeactivateUnused { user_id: user.id },
        EnqueueOptions::at(month_later),
    )
    .await?;
    Ok(())
}

/// The code of the document's blocks, without its imports and indents.
fn said() -> Vec<String> {
    let parts: Vec<_> = DOCUMENT.split("\n```").collect();
    let code = parts.chunks(2).filter_map(|part| part.get(1)?.strip_prefix("rust\n"));
    code.map(bare).collect()
}

/// Code without imports and indents: they depend on where it stands.
fn bare(code: &str) -> String {
    let mut importing = false;
    let mut lines = Vec::new();
    for line in code.lines() {
        importing |= line.starts_with("use ");
        if !importing && !line.trim().is_empty() {
            lines.push(line.trim());
        }
        importing &= !line.ends_with(';');
    }
    lines.join("\n")
}

#[test]
fn the_document_holds_the_code_that_is_compiled_here() {
    let said = said();
    let payload = bare(include_str!("payload.rs"));
    assert!(payload.ends_with(&said[0]), "{payload}");
    assert_eq!(said[1], bare(include_str!("deactivate_unused.rs")));
    let here = bare(include_str!("mod.rs"));
    assert!(here.contains(said[3].lines().last().unwrap_or_default()), "{}", said[3]);
    let registered = said[3]
        .lines()
        .find(|line| line.starts_with(".register"))
        .unwrap_or_default();
    assert!(!registered.is_empty() && here.contains(registered), "{registered}");
    assert!(here.contains(&said[5]), "{}", said[5]);
    assert_eq!(said[6], bare(include_str!("deactivated.rs")));
}

#[on_both]
async fn what_the_document_plans_waits_a_month(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    let user = test.sign_up("Ada Lovelace", "ada@example.org").await;
    let tx = test.context.job_store.begin().await.unwrap();
    plan(&tx, &user).await.unwrap();
    tx.commit().await.unwrap();
    let jobs = test.jobs_of_kind("deactivate_unused").await;
    assert!(jobs.len() == 1 && jobs[0].state == JobState::Ready, "{jobs:?}");
    assert!(jobs[0].run_at > now() + TimeDelta::days(29), "{jobs:?}");
}
