//! Removing files that nothing refers to.

use chrono::TimeDelta;
use object_store::ObjectStoreExt;
use sea_orm::{
    ColumnTrait, Condition, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait},
};

use super::{FileError, FileStore};
use crate::foundation::{
    db::{self, ForeignKeys},
    entity::stored_file::{self, Column, Entity, Place},
    file_backend::{Backend, path_of},
    time::now,
};

/// Files that are looked at together.
const BATCH: u64 = 100;
/// How long a file waits to be kept.
const WAITS: TimeDelta = TimeDelta::days(1);

impl FileStore {
    /// Removes files that were not kept within a day, and kept ones whose row is gone. Those of a table without a
    /// foreign key to `stored_files` stay: nothing tells whether they are in use. Returns how many were removed; safe to
    /// run twice at once.
    ///
    /// # Errors
    ///
    /// Those of the database. What a store refuses to remove is logged, and tried again by the next sweep.
    pub async fn sweep(&self) -> Result<u64, FileError> {
        let keys = ForeignKeys::read(&self.db).await?;
        let holders: Vec<String> = keys.refusing(&["stored_files"]).map(db::ForeignKey::table).collect();
        let unheld = Expr::cust(keys.unheld("stored_files"));
        let forgotten = Column::HeldBy.is_null().and(Column::CreatedAt.lt(now() - WAITS));
        let abandoned = Column::HeldBy.is_in(holders);
        let unused = Condition::all().add(forgotten.or(abandoned)).add(unheld);
        let (mut removed, mut last) = (0, None);
        loop {
            let after = last.map(|last| Column::Id.gt(last));
            let unused = Entity::find().filter(unused.clone().add_option(after));
            let batch = unused.order_by_asc(Column::Id).limit(BATCH).all(&self.db).await?;
            for file in &batch {
                match self.remove(file).await {
                    Ok(gone) => removed += u64::from(gone),
                    Err(error) => tracing::warn!(file_id = %file.id, %error, "an unused file could not be removed"),
                }
            }
            last = batch.last().map(|file| file.id);
            if (batch.len() as u64) < BATCH {
                return Ok(removed);
            }
        }
    }

    /// The row goes in a transaction that commits once the bytes are gone: a row that refers to the file by then
    /// prevents it, and a crash in between leaves a row that is swept again.
    async fn remove(&self, file: &stored_file::Model) -> Result<bool, FileError> {
        let tx = db::begin(&self.db).await?;
        let same = match &file.held_by {
            Some(table) => Column::HeldBy.eq(table),
            None => Column::HeldBy.is_null(),
        };
        let row = Entity::delete_many().filter(Column::Id.eq(file.id)).filter(same);
        match row.exec(&*tx).await {
            Ok(gone) if gone.rows_affected > 0 => {}
            Ok(_) => return Ok(false),
            Err(error) if is_referred_to(&error) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        if file.place == Place::Objects {
            let Backend::Objects { store, folder, .. } = &self.backend else {
                return Err(FileError::NoStore);
            };
            match store.delete(&path_of(folder, file.id)).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            self.backend.remove_parts(file.id).await?;
        }
        tx.commit().await?;
        Ok(true)
    }
}

fn is_referred_to(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(sea_orm::SqlErr::ForeignKeyConstraintViolation(_)))
}
