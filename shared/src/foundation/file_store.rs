//! Files of products: pictures, attachments, documents. A row of `stored_files` describes each; its bytes are in the
//! database, in a folder or in a bucket, as `FILE_STORE` says.
//!
//! A file is written first, and kept by the transaction with the row that refers to it. Files that were not kept within
//! a day, and those whose row is gone, are removed by a job. So a row never refers to bytes that are not there, and no
//! bytes stay behind, whatever is interrupted.

mod sweep;
mod writer;

use bytes::Bytes;
use futures::{FutureExt, Stream, StreamExt, TryFutureExt, TryStreamExt, future, stream::BoxStream};
use object_store::ObjectStoreExt;
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QuerySelect, sea_query::Expr};
use thiserror::Error;
use uuid::Uuid;

use crate::foundation::{
    db::Transactional,
    entity::{
        stored_file::{self, Column, Entity, Place},
        stored_file_chunk,
    },
    file_backend::path_of,
};

pub use super::file_backend::Backend;
pub use writer::FileWriter;

/// Why a file can't be written or read.
#[derive(Debug, Error)]
pub enum FileError {
    #[error(transparent)]
    Db(#[from] DbErr),
    #[error("the file store failed: {0}")]
    Store(#[from] object_store::Error),
    #[error("the folder of files can't be used: {0}")]
    Folder(#[from] std::io::Error),
    #[error("the file is in a folder or bucket, and FILE_STORE names none")]
    NoStore,
    #[error("the file ends before its size")]
    Incomplete,
}

/// Where files are. Cheap to clone.
#[derive(Clone, Debug)]
pub struct FileStore {
    backend: Backend,
    db: DatabaseConnection,
}

impl FileStore {
    #[must_use]
    pub const fn new(backend: Backend, db: DatabaseConnection) -> Self {
        Self { backend, db }
    }

    /// Starts a file of this name. Path and control characters of the name are dropped.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn create(&self, name: &str) -> Result<FileWriter, FileError> {
        FileWriter::create(&self.backend, &self.db, name).await
    }

    /// The bytes of a file, in chunks. Ends with an error if there are fewer than its size.
    pub fn read(&self, file: &stored_file::Model) -> BoxStream<'static, Result<Bytes, FileError>> {
        let chunks = match (file.place, &self.backend) {
            (Place::Database, _) => chunks(self.db.clone(), file.id).boxed(),
            (Place::Objects, Backend::Database) => futures::stream::once(future::err(FileError::NoStore)).boxed(),
            (Place::Objects, Backend::Objects { store, folder, .. }) => {
                let (store, path) = (store.clone(), path_of(folder, file.id));
                let object = async move { store.get(&path).await.map(object_store::GetResult::into_stream) };
                object
                    .map_ok_or_else(|error| future::err(error).into_stream().boxed(), StreamExt::boxed)
                    .flatten_stream()
                    .map_err(FileError::Store)
                    .boxed()
            }
        };
        let id = file.id;
        let noted = move |error: &FileError| tracing::error!(file_id = %id, %error, "a file can't be read");
        let whole = whole(chunks, u64::try_from(file.size).unwrap_or_default());
        whole.inspect_err(noted).boxed()
    }

    /// All bytes of a file, which should be a small one.
    ///
    /// # Errors
    ///
    /// Those of the database or the store.
    pub async fn read_whole(&self, file: &stored_file::Model) -> Result<Vec<u8>, FileError> {
        let all = Vec::with_capacity(usize::try_from(file.size).unwrap_or_default());
        let append = |mut all: Vec<u8>, chunk: Bytes| {
            all.extend_from_slice(&chunk);
            future::ok(all)
        };
        self.read(file).try_fold(all, append).await
    }
}

/// A file that was written and that nothing refers to yet: it is removed after a day unless it is kept.
#[derive(Clone, Debug)]
#[must_use = "it is removed after a day unless it is kept"]
pub struct Uploaded(stored_file::Model);

impl Uploaded {
    /// Keeps the file for as long as a row of this entity refers to it, by a foreign key to `stored_files` without
    /// `ON DELETE`. Insert that row in the same transaction. Once it is deleted, by whatever way, the file is removed
    /// within about a day.
    ///
    /// # Errors
    ///
    /// `RecordNotUpdated` if the file is gone: more than a day has passed. Those of the database.
    pub async fn keep<E: EntityTrait>(self, tx: &impl Transactional) -> Result<stored_file::Model, DbErr> {
        let held_by = E::default().table_name().to_owned();
        let kept = Entity::update_many()
            .col_expr(Column::HeldBy, Expr::value(held_by.clone()))
            .filter(Column::Id.eq(self.0.id))
            .exec(tx)
            .await?;
        match kept.rows_affected {
            0 => Err(DbErr::RecordNotUpdated),
            _ => Ok(stored_file::Model {
                held_by: Some(held_by),
                ..self.0
            }),
        }
    }

    /// What the sender calls it, on one line and without a path.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// What it was recognized as, such as `image/png`.
    #[must_use]
    pub fn media_type(&self) -> &str {
        &self.0.media_type
    }

    /// Its size, in bytes.
    #[must_use]
    pub const fn size(&self) -> i64 {
        self.0.size
    }
}

/// Each chunk is read by one statement when the one before was consumed.
fn chunks(db: DatabaseConnection, id: Uuid) -> impl Stream<Item = Result<Bytes, FileError>> + Send {
    futures::stream::try_unfold(0, move |position| {
        let db = db.clone();
        async move {
            let chunk = stored_file_chunk::Entity::find_by_id((id, position))
                .select_only()
                .column(stored_file_chunk::Column::Bytes)
                .into_tuple::<Vec<u8>>();
            let chunk = chunk.one(&db).await?;
            Ok(chunk.map(|bytes| (Bytes::from(bytes), position + 1)))
        }
    })
}

/// A file that is removed while it is read must not look like a shorter one.
fn whole(
    chunks: impl Stream<Item = Result<Bytes, FileError>> + Send,
    size: u64,
) -> impl Stream<Item = Result<Bytes, FileError>> + Send {
    let end = futures::stream::once(future::ok(None));
    let mut left = size;
    chunks.map_ok(Some).chain(end).try_filter_map(move |chunk| {
        let checked = match chunk {
            Some(chunk) => {
                left = left.saturating_sub(chunk.len() as u64);
                Ok(Some(chunk))
            }
            None if left == 0 => Ok(None),
            None => Err(FileError::Incomplete),
        };
        future::ready(checked)
    })
}
