//! A file of a product. A row of the product refers to it; its bytes are where `place` says.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "stored_files")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// What it is called when it is downloaded: one line, without a path.
    pub name: String,
    /// What its bytes were recognized as, such as `image/png`.
    pub media_type: String,
    /// Bytes.
    pub size: i64,
    pub sha256: Vec<u8>,
    pub place: Place,
    pub created_at: DateTimeUtc,
    /// The table with the row that refers to it; none while nothing does.
    pub held_by: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}

/// Where the bytes of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Place {
    /// In `stored_file_chunks`.
    Database,
    /// In the folder or bucket of `FILE_STORE`.
    Objects,
}
