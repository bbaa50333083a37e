//! Files that jobs read and write, stored as rows because the services may not share a disk. They are written and read
//! in chunks, so that their size costs no memory, and are deleted with their job.

use futures::{Stream, TryStreamExt};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use crate::foundation::{
    entity::{job_file, job_file_chunk},
    time::{new_id, now},
};

pub use crate::foundation::entity::job_file::Direction;

/// Bytes of one chunk.
const CHUNK: usize = 256 * 1024;

/// Writes one file. It is complete once [`Writer::finish`] returns.
#[derive(Debug)]
pub struct Writer<'a, C> {
    conn: &'a C,
    file_id: Uuid,
    position: i32,
    size: u64,
    buffer: Vec<u8>,
}

impl<'a, C: ConnectionTrait> Writer<'a, C> {
    /// Starts a file of this job, which must exist. The name is the one it is downloaded as.
    pub async fn create(
        conn: &'a C,
        job_id: Uuid,
        direction: Direction,
        name: &str,
        media_type: &str,
    ) -> Result<Self, DbErr> {
        Self::create_as(conn, new_id(), job_id, direction, name, media_type).await
    }

    /// [`Writer::create`], with the id that the job's payload has.
    pub(crate) async fn create_as(
        conn: &'a C,
        file_id: Uuid,
        job_id: Uuid,
        direction: Direction,
        name: &str,
        media_type: &str,
    ) -> Result<Self, DbErr> {
        let row = job_file::ActiveModel {
            id: Set(file_id),
            job_id: Set(job_id),
            direction: Set(direction),
            name: Set(name.to_owned()),
            media_type: Set(media_type.to_owned()),
            created_at: Set(now()),
        };
        job_file::Entity::insert(row).exec_without_returning(conn).await?;
        Ok(Self {
            conn,
            file_id,
            position: 0,
            size: 0,
            buffer: Vec::with_capacity(CHUNK),
        })
    }

    /// Appends bytes; one statement for each 256 KiB.
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<(), DbErr> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() == CHUNK {
                self.flush().await?;
            }
        }
        Ok(())
    }

    /// Writes the rest; returns the file's id and size in bytes.
    pub async fn finish(mut self) -> Result<(Uuid, u64), DbErr> {
        if !self.buffer.is_empty() {
            self.flush().await?;
        }
        Ok((self.file_id, self.size))
    }

    async fn flush(&mut self) -> Result<(), DbErr> {
        let bytes = std::mem::replace(&mut self.buffer, Vec::with_capacity(CHUNK));
        self.size += bytes.len() as u64;
        let row = job_file_chunk::ActiveModel {
            file_id: Set(self.file_id),
            position: Set(self.position),
            bytes: Set(bytes),
        };
        job_file_chunk::Entity::insert(row)
            .exec_without_returning(self.conn)
            .await?;
        self.position += 1;
        Ok(())
    }
}

/// The file's description, without its bytes.
pub async fn find(conn: &impl ConnectionTrait, file_id: Uuid) -> Result<Option<job_file::Model>, DbErr> {
    job_file::Entity::find_by_id(file_id).one(conn).await
}

/// The files of a job, oldest first.
pub async fn of_job(conn: &impl ConnectionTrait, job_id: Uuid) -> Result<Vec<job_file::Model>, DbErr> {
    use sea_orm::QueryOrder;
    job_file::Entity::find()
        .filter(job_file::Column::JobId.eq(job_id))
        .order_by_asc(job_file::Column::Id)
        .all(conn)
        .await
}

/// The bytes of a file in chunks, each read by one statement when the one before was consumed.
pub fn read<C>(db: C, file_id: Uuid) -> impl Stream<Item = Result<Vec<u8>, DbErr>> + Send
where
    C: ConnectionTrait + Clone + Send,
{
    futures::stream::try_unfold(0, move |position| {
        let db = db.clone();
        async move {
            let bytes: Option<Vec<u8>> = job_file_chunk::Entity::find_by_id((file_id, position))
                .select_only()
                .column(job_file_chunk::Column::Bytes)
                .into_tuple()
                .one(&db)
                .await?;
            Ok(bytes.map(|bytes| (bytes, position + 1)))
        }
    })
    .into_stream()
}

/// Removes the files that this job has made, except one: what an earlier run left unfinished.
pub async fn keep_only(conn: &impl ConnectionTrait, job_id: Uuid, file_id: Option<Uuid>) -> Result<(), DbErr> {
    let mut others = job_file::Entity::delete_many()
        .filter(job_file::Column::JobId.eq(job_id))
        .filter(job_file::Column::Direction.eq(Direction::Out));
    if let Some(file_id) = file_id {
        others = others.filter(job_file::Column::Id.ne(file_id));
    }
    others.exec(conn).await.map(drop)
}
