//! A queue with a limit, and several workers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use usher_shared::entity::job::JobState;
use usher_testkit::on_both;
use usher_worker::{JobContext, Registry};

use crate::yard::{Probe, QUICK, Yard};

on_both! {
    async fn three_workers_together_run_no_more_jobs_at_once_than_their_queue_allows(db: TestDb) {
        let yard = Yard::embedded(db).await;
        yard.sql("INSERT INTO job_queues (name, max_running) VALUES ('default', 2)").await;
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
        let workers = [0; 3].map(|_| yard.start(registry.clone()));
        let mut jobs = Vec::new();
        for number in 0..20 {
            jobs.push(yard.enqueue(Probe { number }).await);
        }
        for job in &jobs {
            yard.reaches(*job, JobState::Done).await;
        }
        for worker in workers {
            worker.stop().await;
        }
        assert_eq!(most.load(Ordering::SeqCst), 2);
    }
}
