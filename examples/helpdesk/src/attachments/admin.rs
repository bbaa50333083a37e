//! Attachments in the admin: beside the form of their ticket.

use axum::{
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::get,
};
use sea_orm::{ColumnTrait, DbErr};
use usher::{
    AppContext,
    admin::{AdminContext, AdminError, Cell, Page, Panel, Row, headings},
    api::{Download, IfNoneMatch},
    entity::stored_file,
};

use super::{api::files_of, attachment::Column};

/// The files of a ticket, beside its form.
pub async fn panel(app: &AppContext, ticket: &Row) -> Result<Vec<Panel>, DbErr> {
    let of_ticket = Column::TicketId.eq(ticket.parse::<i64>("id")).into();
    let line = |(id, file): (i64, stored_file::Model)| {
        vec![
            Cell::link(file.name, format!("/admin/attachments/{id}")),
            Cell::time(file.created_at),
        ]
    };
    let rows = files_of(&app.db, of_ticket).await?.into_iter().map(line);
    Ok(vec![Panel {
        title: "Attachments".to_owned(),
        columns: headings(["File", "Sent"]),
        rows: rows.collect(),
        empty: "No files.",
        ..Panel::default()
    }])
}

pub fn page() -> Page {
    Page::new("/admin/attachments/{id}", "Attachment", "tickets.view", get(show))
}

async fn show(
    State(context): State<AdminContext>,
    Path(id): Path<String>,
    known: IfNoneMatch,
) -> Result<Response, AdminError> {
    let id: i64 = id.parse().map_err(|_| AdminError::NotFound)?;
    let file = files_of(&context.db, Column::Id.eq(id).into()).await?.pop();
    let (_, file) = file.ok_or(AdminError::NotFound)?;
    let download = Download::open(&context.files, file, &known).await;
    Ok(download.map_err(anyhow::Error::from)?.into_response())
}
