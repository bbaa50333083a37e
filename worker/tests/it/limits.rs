//! Queues with limits: over all workers, and of one worker's handlers.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use tokio::sync::{Barrier, Semaphore};
use usher_shared::{
    foundation::entity::{
        job::{self, JobState},
        worker,
    },
    jobs::Job,
};
use usher_testkit::{Folder, Running, TestDb, eventually, on_both};
use usher_worker::{JobContext, Options, Registry};
use uuid::Uuid;

use crate::{
    quarantine::{Rough, rough_jobs},
    test_worker::{Notes, PATIENCE, Probe, QUICK, TestWorker},
};

/// A job of another queue.
#[derive(Serialize, Deserialize)]
struct Errand {}

impl Job for Errand {
    const KIND: &'static str = "errand";
    const QUEUE: &'static str = "errands";
}

#[on_both]
async fn three_workers_together_run_no_more_jobs_at_once_than_their_queue_allows(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    test.sql("INSERT INTO job_queues (name, max_running) VALUES ('default', 2)")
        .await;
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = (Arc::clone(&running), Arc::clone(&most));
    let probe = move |_: Probe, _: JobContext| {
        let (running, most) = seen.clone();
        async move {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(60)).await;
            running.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        }
    };
    let registry = Registry::new().register::<Probe>(QUICK, probe);
    let workers = [0; 3].map(|_| test.start(registry.clone()));
    let mut jobs = Vec::new();
    for number in 0..20 {
        jobs.push(test.enqueue(Probe { number }).await);
    }
    for job in &jobs {
        test.reaches(*job, JobState::Done).await;
    }
    for worker in workers {
        worker.stop().await;
    }
    assert_eq!(most.load(Ordering::SeqCst), 2);
}

#[on_both]
async fn a_queue_with_handlers_of_its_own_is_not_held_up_by_others_and_takes_no_more(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    let (started, gate) = (Notes::default(), Arc::new(Semaphore::new(0)));
    let (noting, waiting) = (started.clone(), Arc::clone(&gate));
    let (pair, running, most) = (
        Arc::new(Barrier::new(2)),
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicUsize::new(0)),
    );
    let seen = Arc::clone(&most);
    let registry = Registry::new()
        .register::<Probe>(QUICK, move |job: Probe, _| {
            let (started, gate) = (noting.clone(), Arc::clone(&waiting));
            async move {
                started.add(job.number);
                gate.acquire().await?.forget();
                Ok(())
            }
        })
        .register::<Errand>(QUICK, move |_, _| {
            let (pair, running, most) = (Arc::clone(&pair), Arc::clone(&running), Arc::clone(&seen));
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                pair.wait().await;
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            }
        });
    let options = Options {
        concurrency: 3,
        own: [("errands".to_owned(), 2)].into(),
        ..Options::default()
    };
    let worker = test.start_with(registry, options);
    let mut probes = Vec::new();
    for number in 0..6 {
        probes.push(test.enqueue(Probe { number }).await);
    }
    eventually(PATIENCE, "the others' handlers are busy", async || {
        (started.count() == 3).then_some(())
    })
    .await;
    let mut errands = Vec::new();
    for _ in 0..8 {
        errands.push(test.enqueue(Errand {}).await);
    }
    for errand in errands {
        test.reaches(errand, JobState::Done).await;
    }
    assert_eq!((most.load(Ordering::SeqCst), started.count()), (2, 3));
    gate.add_permits(6);
    for probe in probes {
        test.reaches(probe, JobState::Done).await;
    }
    worker.stop().await;
}

#[on_both]
async fn processes_together_keep_to_the_limits_of_a_queue(db: TestDb) {
    let (test, folder) = (TestWorker::with(db, &[], false).await, Folder::new());
    test.sql("INSERT INTO job_queues (name, max_running) VALUES ('default', 2)")
        .await;
    let processes = three_processes(&test, &folder).await;
    let mut jobs = Vec::new();
    for _ in 0..24 {
        jobs.push(
            test.enqueue(Rough {
                r#do: serde_json::json!({ "sleep_ms": 150 }),
            })
            .await,
        );
    }
    let ready_or_running = job::Column::State.is_in([JobState::Ready, JobState::Running]);
    while job::Entity::find()
        .filter(ready_or_running.clone())
        .count(&test.context.db)
        .await
        .unwrap()
        > 0
    {
        let running = job::Entity::find().filter(job::Column::State.eq(JobState::Running));
        let running = running.count(&test.context.db).await.unwrap();
        assert!(running <= 2, "{running} at once");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let done = all_done(&test, &jobs).await;
    let workers: HashSet<_> = done.iter().map(|job| &job.worker).collect();
    assert!(workers.len() > 1, "only one process took part");

    // Two a second, of which two may come at once: eight take three seconds at least.
    test.sql("UPDATE job_queues SET max_running = NULL, starts_per_minute = 120")
        .await;
    let mut jobs = Vec::new();
    for _ in 0..8 {
        jobs.push(
            test.enqueue(Rough {
                r#do: serde_json::json!({ "sleep_ms": 0 }),
            })
            .await,
        );
    }
    let starts: Vec<_> = all_done(&test, &jobs)
        .await
        .iter()
        .filter_map(|job| job.started_at)
        .collect();
    let took = *starts.iter().max().unwrap() - *starts.iter().min().unwrap();
    // On SQLite a start is recorded by a later statement, with a later clock, than the one that counted it. Were each
    // process to count for itself, it would be half a second.
    assert!(took > chrono::TimeDelta::seconds(2), "eight starts within {took}");
    for process in processes {
        assert_eq!(process.terminate().await, 0);
    }
}

/// Three workers in processes of their own that have told of themselves.
async fn three_processes(test: &TestWorker, folder: &Folder) -> [Running; 3] {
    let program = rough_jobs(test.url());
    let running = [
        program.start(folder).await,
        program.start(folder).await,
        program.start(folder).await,
    ];
    eventually(PATIENCE, "three workers are there", async || {
        (worker::Entity::find().count(&test.context.db).await.unwrap() == 3).then_some(())
    })
    .await;
    running
}

async fn all_done(test: &TestWorker, jobs: &[Uuid]) -> Vec<job::Model> {
    let mut done = Vec::new();
    for job in jobs {
        done.push(test.reaches(*job, JobState::Done).await);
    }
    done
}
