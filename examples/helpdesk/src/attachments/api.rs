//! The API of attachments: who may write a ticket adds files to it, and who may read it reads them.

use axum::{Json, extract::State};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use serde::Serialize;
use usher::{
    api::{
        ApiError, AppState, Code, Context, Created, Download, IfNoneMatch, KeyOrUser, OpenApiRouter, PathId, Upload,
        UploadRule, operation, operations,
    },
    db::create_row,
    entity::stored_file,
};
use utoipa::ToSchema;

use super::attachment::{ActiveModel, Column, Entity};
use crate::tickets::{TicketsRead, TicketsWrite, ticket};

/// What can be attached.
pub struct Attached;

impl UploadRule for Attached {
    const MEDIA_TYPES: &'static [&'static str] = &["image/png", "image/jpeg", "application/pdf", "text/plain"];
}

pub fn router() -> OpenApiRouter<AppState> {
    operations![add_attachment, list_attachments, download_attachment]
}

/// What clients see of an attachment.
#[derive(Serialize, ToSchema)]
#[schema(as = Attachment)]
pub struct AttachmentOut {
    #[schema(example = 1)]
    id: i64,
    #[schema(example = "plan.pdf")]
    name: String,
    #[schema(example = "application/pdf")]
    media_type: String,
    /// In bytes.
    size: i64,
}

impl AttachmentOut {
    fn of(id: i64, file: stored_file::Model) -> Self {
        let stored_file::Model {
            name, media_type, size, ..
        } = file;
        Self {
            id,
            name,
            media_type,
            size,
        }
    }
}

/// Attach a file to a ticket
#[operation(post, "/tickets/{id}/attachments", ok = "The attachment")]
async fn add_attachment(
    State(state): State<AppState>,
    caller: KeyOrUser<TicketsWrite>,
    Context(context): Context,
    id: PathId,
    upload: Upload<Attached>,
) -> Result<Created<AttachmentOut>, ApiError> {
    let own = || caller.rows(ticket::Column::RequesterId);
    id.row::<ticket::Entity>(&state.db, own()).await?;
    let file = upload.receive(&state.files).await?;
    let tx = state.begin().await?;
    caller.hold(&tx).await?;
    let ticket = id.row_for_change::<ticket::Entity>(&tx, own()).await?;
    let file = file.keep::<Entity>(&*tx).await?;
    let row = ActiveModel {
        ticket_id: Set(ticket.id),
        file_id: Set(file.id),
        ..Default::default()
    };
    let attachment = create_row::<Entity>(&tx, row, "attachment", &caller.actor(&context)).await?;
    tx.commit().await?;
    Ok(Created::new(
        &state,
        "/attachments",
        attachment.id,
        AttachmentOut::of(attachment.id, file),
    ))
}

/// List the attachments of a ticket
#[operation(get, "/tickets/{id}/attachments", ok = "The attachments, oldest first")]
async fn list_attachments(
    State(state): State<AppState>,
    caller: KeyOrUser<TicketsRead>,
    id: PathId,
) -> Result<Json<Vec<AttachmentOut>>, ApiError> {
    let own = caller.rows(ticket::Column::RequesterId);
    let ticket = id.row::<ticket::Entity>(&state.db, own).await?;
    let attachments = files_of(&state.db, Column::TicketId.eq(ticket.id).into()).await?;
    Ok(Json(
        attachments
            .into_iter()
            .map(|(id, file)| AttachmentOut::of(id, file))
            .collect(),
    ))
}

/// Download an attachment
#[operation(get, "/attachments/{id}", ok = "The file")]
async fn download_attachment(
    State(state): State<AppState>,
    caller: KeyOrUser<TicketsRead>,
    id: PathId,
    known: IfNoneMatch,
) -> Result<Download, ApiError> {
    let own = caller.rows(ticket::Column::RequesterId).add(Column::Id.eq(id.found()?));
    let file = files_of(&state.db, own).await?.pop().ok_or(Code::NOT_FOUND)?.1;
    Ok(Download::open(&state.files, file, &known).await?)
}

/// Attachments by their ids, with their files.
pub async fn files_of(db: &impl ConnectionTrait, which: Condition) -> Result<Vec<(i64, stored_file::Model)>, DbErr> {
    let attachments = Entity::find()
        .inner_join(ticket::Entity)
        .filter(which)
        .order_by_asc(Column::Id)
        .limit(100);
    let found = attachments.find_also_related(stored_file::Entity).all(db).await?;
    Ok(found
        .into_iter()
        .filter_map(|(attachment, file)| Some((attachment.id, file?)))
        .collect())
}
