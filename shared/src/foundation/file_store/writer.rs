//! Writing one file.

use bytes::Bytes;
use object_store::buffered::BufWriter;
use ring::digest;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, DatabaseConnection, DbErr, EntityTrait};
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use super::{FileError, Uploaded};
use crate::foundation::{
    db::writing,
    entity::{
        stored_file::{self, Place},
        stored_file_chunk,
    },
    file_backend::{Backend, path_of},
    rules::text,
    time::{new_id, now},
};

/// Bytes of one chunk in the database.
const CHUNK: usize = 256 * 1024;
/// Characters of a name, and of its ending.
const MAX_NAME: usize = 120;
const MAX_ENDING: usize = 12;
/// Writes one file. It is there once [`FileWriter::finish`] returns, and stays once [`Uploaded::keep`] has
/// committed.
pub struct FileWriter {
    db: DatabaseConnection,
    id: Uuid,
    size: u64,
    digest: digest::Context,
    sink: Sink,
}

enum Sink {
    Database { position: i32, buffer: Vec<u8> },
    Objects(BufWriter),
}

impl FileWriter {
    /// Writes the row first, so that whatever happens to its bytes, the sweep finds them.
    pub(super) async fn create(backend: &Backend, db: &DatabaseConnection, name: &str) -> Result<Self, FileError> {
        let id = new_id();
        let (place, sink) = match backend {
            Backend::Database => {
                let buffer = Vec::with_capacity(CHUNK);
                (Place::Database, Sink::Database { position: 0, buffer })
            }
            Backend::Objects {
                store, folder, part, ..
            } => {
                backend.prepare().await?;
                let writer = BufWriter::with_capacity(store.clone(), path_of(folder, id), *part);
                (Place::Objects, Sink::Objects(writer.with_max_concurrency(2)))
            }
        };
        let row = stored_file::ActiveModel {
            id: Set(id),
            name: Set(plain_name(name)),
            media_type: Set(UNKNOWN.to_owned()),
            size: Set(0),
            sha256: Set(vec![]),
            place: Set(place),
            created_at: Set(now()),
            held_by: Set(None),
        };
        stored_file::Entity::insert(row)
            .exec_without_returning(&writing(db))
            .await?;
        Ok(Self {
            db: db.clone(),
            id,
            size: 0,
            digest: digest::Context::new(&digest::SHA256),
            sink,
        })
    }

    /// Bytes that were written so far.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends bytes.
    ///
    /// # Errors
    ///
    /// Those of the database or the store.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), FileError> {
        self.digest.update(&bytes);
        self.size += bytes.len() as u64;
        match &mut self.sink {
            Sink::Objects(writer) => writer.put(bytes).await?,
            Sink::Database { position, buffer } => {
                let mut rest = &*bytes;
                while !rest.is_empty() {
                    let (now, later) = rest.split_at(rest.len().min(CHUNK - buffer.len()));
                    buffer.extend_from_slice(now);
                    rest = later;
                    if buffer.len() == CHUNK {
                        flush(&self.db, self.id, position, buffer).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Writes the rest. `media_type` is what it was recognized as.
    ///
    /// # Errors
    ///
    /// Those of the database or the store.
    pub async fn finish(mut self, media_type: &str) -> Result<Uploaded, FileError> {
        match &mut self.sink {
            Sink::Objects(writer) => writer.shutdown().await.map_err(store_error)?,
            Sink::Database { buffer, .. } if buffer.is_empty() => {}
            Sink::Database { position, buffer } => flush(&self.db, self.id, position, buffer).await?,
        }
        let row = stored_file::ActiveModel {
            id: Set(self.id),
            media_type: Set(media_type.to_owned()),
            size: Set(i64::try_from(self.size).unwrap_or(i64::MAX)),
            sha256: Set(self.digest.finish().as_ref().to_vec()),
            ..Default::default()
        };
        Ok(Uploaded(row.update(&writing(&self.db)).await?))
    }

    /// Gives the file up. What can't be removed now is removed after a day.
    pub async fn abort(mut self) {
        if let Sink::Objects(writer) = &mut self.sink
            && let Err(error) = writer.abort().await
        {
            tracing::debug!(%error, "an unfinished file stays until the sweep");
            return;
        }
        let removed = stored_file::Entity::delete_by_id(self.id)
            .exec(&writing(&self.db))
            .await;
        if let Err(error) = removed {
            tracing::debug!(%error, "an unfinished file stays until the sweep");
        }
    }
}

/// Until it is known.
const UNKNOWN: &str = "application/octet-stream";

async fn flush(db: &DatabaseConnection, id: Uuid, position: &mut i32, buffer: &mut Vec<u8>) -> Result<(), DbErr> {
    let row = stored_file_chunk::ActiveModel {
        file_id: Set(id),
        position: Set(*position),
        bytes: Set(std::mem::replace(buffer, Vec::with_capacity(CHUNK))),
    };
    stored_file_chunk::Entity::insert(row)
        .exec_without_returning(&writing(db))
        .await?;
    *position += 1;
    Ok(())
}

fn store_error(error: std::io::Error) -> FileError {
    let source = Box::new(error);
    FileError::Store(object_store::Error::Generic {
        store: "file store",
        source,
    })
}

/// The last part of a path, as a line of visible text: browsers send what the sender calls the file, and it is shown to
/// others.
fn plain_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let visible: String = match text::visible("", last) {
        Ok(()) => last.to_owned(),
        Err(_) => last.chars().filter(|char| is_plain(*char)).collect(),
    };
    let edges = |char: char| char == '.' || char.is_whitespace();
    let name = shortened(visible.trim_matches(edges));
    if text::visible("", &name).is_ok() {
        name
    } else {
        "file".to_owned()
    }
}

/// A space, or what can be seen by itself.
fn is_plain(char: char) -> bool {
    char == ' ' || text::visible("", char.encode_utf8(&mut [0; 4])).is_ok()
}

/// At most so many characters, of which the ending stays.
fn shortened(name: &str) -> String {
    let length = name.chars().count();
    if length <= MAX_NAME {
        return name.to_owned();
    }
    let ending = name.rfind('.').map(|at| &name[at..]);
    let ending = ending
        .filter(|ending| ending.chars().count() <= MAX_ENDING)
        .unwrap_or_default();
    let kept = MAX_NAME - ending.chars().count();
    name.chars().take(kept).chain(ending.chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_without_a_path() {
        for (sent, kept) in [
            ("plan.pdf", "plan.pdf"),
            ("../../etc/passwd", "passwd"),
            (r"C:\Users\ada\plan.pdf", "plan.pdf"),
            ("a\r\nSet-Cookie: x", "aSet-Cookie: x"),
            ("invoice\u{202e}fdp.exe", "invoicefdp.exe"),
            ("..", "file"),
            ("", "file"),
            ("Übersicht 完.pdf", "Übersicht 完.pdf"),
            (". .", "file"),
            ("\u{200b}\u{feff}", "file"),
            ("a\u{61c}b.pdf", "ab.pdf"),
            ("re\u{301}sume\u{301}.pdf", "re\u{301}sume\u{301}.pdf"),
        ] {
            assert_eq!(plain_name(sent), kept);
        }
        let long = plain_name(&format!("{}.pdf", "x".repeat(500)));
        assert!(long.len() == MAX_NAME && long.ends_with("x.pdf"), "{long}");
    }
}
