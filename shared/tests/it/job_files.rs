//! Files of jobs.

use futures::TryStreamExt;
use sea_orm::EntityTrait;
use usher_shared::{
    foundation::entity::job,
    jobs::{
        EnqueueOptions,
        files::{self, Direction, Writer},
    },
};
use usher_testkit::{TestDb, on_both};

use crate::fixtures::{add, job_store};

#[on_both]
async fn a_file_of_many_pieces_is_read_as_it_was_written(db: TestDb) {
    let job_store = job_store(&db).await;
    let job_id = add(&job_store, EnqueueOptions::default()).await.id();
    let bytes: Vec<u8> = (0_u32..700_000).map(|n| (n % 251) as u8).collect();
    let mut writer = Writer::create(job_store.db(), job_id, Direction::Out, "users.csv", "text/csv")
        .await
        .unwrap();
    for piece in bytes.chunks(1_999) {
        writer.write(piece).await.unwrap();
    }
    let (file, size) = writer.finish().await.unwrap();
    assert_eq!(size, 700_000);
    let pieces: Vec<Vec<u8>> = files::read(job_store.db().clone(), file).try_collect().await.unwrap();
    assert_eq!(pieces.len(), 3);
    assert!(pieces.concat() == bytes);
    assert_eq!(
        files::find(job_store.db(), file).await.unwrap().unwrap().name,
        "users.csv"
    );
}

#[on_both]
async fn files_go_with_their_job_and_what_a_run_left_unfinished_goes_too(db: TestDb) {
    let job_store = job_store(&db).await;
    let job_id = add(&job_store, EnqueueOptions::default()).await.id();
    let mut files = Vec::new();
    for direction in [Direction::In, Direction::Out, Direction::Out] {
        let mut writer = Writer::create(job_store.db(), job_id, direction, "x", "text/plain")
            .await
            .unwrap();
        writer.write(b"x").await.unwrap();
        files.push(writer.finish().await.unwrap().0);
    }
    files::keep_only(job_store.db(), job_id, Some(files[2])).await.unwrap();
    let kept: Vec<_> = files::of_job(job_store.db(), job_id)
        .await
        .unwrap()
        .iter()
        .map(|file| file.id)
        .collect();
    assert_eq!(kept, [files[0], files[2]]);
    let gone: Vec<Vec<u8>> = files::read(job_store.db().clone(), files[1])
        .try_collect()
        .await
        .unwrap();
    assert!(gone.is_empty());
    job::Entity::delete_by_id(job_id).exec(job_store.db()).await.unwrap();
    assert!(files::of_job(job_store.db(), job_id).await.unwrap().is_empty());
}
