//! Files of products, in the database and in a folder: nothing that is referred to is lost, and nothing else stays.

use std::os::unix::fs::PermissionsExt;

use chrono::TimeDelta;
use futures::TryStreamExt;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, PaginatorTrait,
    QueryFilter,
};
use usher_shared::foundation::{
    crypto::sha256,
    db,
    entity::{
        stored_file::{self, Place},
        stored_file_chunk,
    },
    file_store::{Backend, FileError, FileStore, Uploaded},
    time::now,
};
use usher_testkit::{TestDb, create_tables, on_both};

/// A product's table that refers to files.
mod picture {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "pictures")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub file_id: Uuid,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// One that does so without a foreign key.
mod loose {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "loose_pictures")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub file_id: Uuid,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Longer than two chunks in the database, and than one part in a store.
const LONG: usize = 5 * 1024 * 1024 + 700_000;

struct Setting {
    db: DatabaseConnection,
    stores: [FileStore; 2],
    folder: tempfile::TempDir,
}

impl Setting {
    async fn open(test: &TestDb) -> Self {
        let db = test.connect().await;
        let tables = "CREATE TABLE pictures (id {id}, file_id {uuid} NOT NULL REFERENCES stored_files (id));
                      CREATE TABLE loose_pictures (id {id}, file_id {uuid} NOT NULL);";
        create_tables(&db, tables).await;
        let folder = tempfile::tempdir().unwrap();
        let in_folder = format!("file://{}/files", folder.path().display());
        let backends = [Backend::Database, Backend::parse(&in_folder).unwrap()];
        Self {
            stores: backends.map(|backend| FileStore::new(backend, db.clone())),
            folder,
            db,
        }
    }

    async fn keep(&self, file: Uploaded) -> stored_file::Model {
        let tx = db::begin(&self.db).await.unwrap();
        let file = file.keep::<picture::Entity>(&tx).await.unwrap();
        let row = picture::ActiveModel {
            file_id: Set(file.id),
            ..Default::default()
        };
        row.insert(&*tx).await.unwrap();
        tx.commit().await.unwrap();
        file
    }

    /// As if all files were written so long ago.
    async fn age(&self, by: TimeDelta) {
        let older = stored_file::Entity::update_many().col_expr(
            stored_file::Column::CreatedAt,
            sea_orm::sea_query::Expr::value(now() - by),
        );
        older.exec(&self.db).await.unwrap();
    }

    async fn rows(&self) -> u64 {
        stored_file::Entity::find().count(&self.db).await.unwrap()
    }

    /// Files in the folder, with those that are being written.
    fn in_folder(&self) -> usize {
        fn count(folder: &std::path::Path) -> usize {
            let Ok(entries) = std::fs::read_dir(folder) else {
                return 0;
            };
            let paths = entries.map(|entry| entry.unwrap().path());
            paths.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
        }
        count(self.folder.path())
    }
}

async fn write(store: &FileStore, name: &str, bytes: &[u8]) -> Uploaded {
    let mut writer = store.create(name).await.unwrap();
    for piece in bytes.chunks(100_000) {
        writer.write(piece.to_vec().into()).await.unwrap();
    }
    assert_eq!(writer.size(), bytes.len() as u64);
    writer.finish("image/png").await.unwrap()
}

#[on_both]
async fn a_file_is_read_as_it_was_written(db: TestDb) {
    let setting = Setting::open(&db).await;
    let long: Vec<u8> = (0..LONG).map(|at| u8::try_from(at % 251).unwrap()).collect();
    for (store, place) in setting.stores.iter().zip([Place::Database, Place::Objects]) {
        for bytes in [&long[..], &long[..262_144], &long[..1], &[]] {
            let file = setting.keep(write(store, "../plan.png", bytes).await).await;
            assert_eq!((file.name.as_str(), file.place), ("plan.png", place));
            assert_eq!((file.size, &file.sha256[..]), (bytes.len() as i64, &sha256(bytes)[..]));
            assert!(
                store.read_whole(&file).await.unwrap() == bytes,
                "{place:?}, {} bytes",
                bytes.len()
            );
        }
    }
    // What was written into the database is read although new files go elsewhere.
    let first = stored_file::Entity::find().filter(stored_file::Column::Place.eq(Place::Database));
    let first = first.one(&setting.db).await.unwrap().unwrap();
    assert_eq!(
        setting.stores[1].read_whole(&first).await.unwrap().len() as i64,
        first.size
    );
}

#[on_both]
async fn what_no_row_refers_to_is_removed(db: TestDb) {
    let setting = Setting::open(&db).await;
    for store in &setting.stores {
        let kept = setting.keep(write(store, "kept", b"kept").await).await;
        let abandoned = setting.keep(write(store, "abandoned", b"abandoned").await).await;
        drop(write(store, "new", b"new").await);
        assert_eq!(store.sweep().await.unwrap(), 0, "all of them may still be in use");

        let row = picture::Entity::delete_many().filter(picture::Column::FileId.eq(abandoned.id));
        row.exec(&setting.db).await.unwrap();
        assert_eq!(store.sweep().await.unwrap(), 1);
        setting.age(TimeDelta::hours(23)).await;
        assert_eq!(store.sweep().await.unwrap(), 0);
        setting.age(TimeDelta::hours(25)).await;
        assert_eq!(store.sweep().await.unwrap(), 1);
        assert_eq!(store.read_whole(&kept).await.unwrap(), b"kept");
        let read = store.read_whole(&abandoned).await;
        assert!(
            matches!(read, Err(FileError::Incomplete | FileError::Store(_))),
            "{read:?}"
        );
    }
    assert_eq!((setting.rows().await, setting.in_folder()), (2, 1));
    assert_eq!(stored_file_chunk::Entity::find().count(&setting.db).await.unwrap(), 1);
}

#[on_both]
async fn a_file_is_kept_by_a_transaction_that_commits(db: TestDb) {
    let setting = Setting::open(&db).await;
    let store = &setting.stores[0];
    let file = write(store, "new", b"new").await;
    let tx = db::begin(&setting.db).await.unwrap();
    drop(file.keep::<picture::Entity>(&tx).await.unwrap());
    tx.rollback().await.unwrap();
    setting.age(TimeDelta::hours(25)).await;
    assert_eq!(store.sweep().await.unwrap(), 1);

    let gone = write(store, "gone", b"gone").await;
    setting.age(TimeDelta::hours(25)).await;
    assert_eq!(store.sweep().await.unwrap(), 1);
    let tx = db::begin(&setting.db).await.unwrap();
    let kept = gone.keep::<picture::Entity>(&tx).await;
    assert!(matches!(kept, Err(sea_orm::DbErr::RecordNotUpdated)), "{kept:?}");
}

#[on_both]
async fn files_without_a_foreign_key_stay(db: TestDb) {
    let setting = Setting::open(&db).await;
    let store = &setting.stores[0];
    let file = write(store, "loose", b"loose").await;
    let tx = db::begin(&setting.db).await.unwrap();
    file.keep::<loose::Entity>(&tx).await.unwrap();
    tx.commit().await.unwrap();
    setting.age(TimeDelta::days(400)).await;
    assert_eq!(store.sweep().await.unwrap(), 0);
}

#[on_both]
async fn an_upload_that_breaks_off_leaves_nothing(db: TestDb) {
    let setting = Setting::open(&db).await;
    for store in &setting.stores {
        let mut writer = store.create("half").await.unwrap();
        writer.write(vec![7; LONG].into()).await.unwrap();
        writer.abort().await;
    }
    assert_eq!((setting.rows().await, setting.in_folder()), (0, 0));

    // A process that dies in between leaves a row, which is swept.
    for store in &setting.stores {
        let mut writer = store.create("half").await.unwrap();
        writer.write(vec![7; LONG].into()).await.unwrap();
        drop(writer);
    }
    assert_eq!(setting.rows().await, 2);
    let in_folder = stored_file::Entity::find().filter(stored_file::Column::Place.eq(Place::Objects));
    let id = in_folder
        .one(&setting.db)
        .await
        .unwrap()
        .unwrap()
        .id
        .simple()
        .to_string();
    let left = setting.folder.path().join("files").join(&id[30..]);
    std::fs::create_dir_all(&left).unwrap();
    std::fs::write(left.join(format!("{id}#1")), "half").unwrap();
    setting.age(TimeDelta::hours(25)).await;
    for store in &setting.stores[1..] {
        assert_eq!(store.sweep().await.unwrap(), 2);
    }
    assert_eq!((setting.rows().await, setting.in_folder()), (0, 0));
    let mode = std::fs::metadata(setting.folder.path().join("files"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700, "only its owner reads what others sent");
}

#[on_both]
async fn a_file_that_ends_early_is_an_error(db: TestDb) {
    let setting = Setting::open(&db).await;
    let store = &setting.stores[0];
    let file = setting.keep(write(store, "long", &vec![1; 600_000]).await).await;
    let last = stored_file_chunk::Entity::delete_by_id((file.id, 2));
    last.exec(&setting.db).await.unwrap();
    let read = store
        .read(&file)
        .try_fold(0, async |size, chunk| Ok(size + chunk.len()))
        .await;
    assert!(matches!(read, Err(FileError::Incomplete)), "{read:?}");
    // The same where the store that has the file is not the one that is configured.
    let elsewhere = setting.keep(write(&setting.stores[1], "there", b"there").await).await;
    assert!(matches!(store.read_whole(&elsewhere).await, Err(FileError::NoStore)));
    assert!(
        setting.db.execute_unprepared("DELETE FROM stored_files").await.is_err(),
        "rows refer to them"
    );
}
