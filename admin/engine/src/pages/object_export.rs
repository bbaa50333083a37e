//! One object as a file, with everything that belongs to it: for a user, what GDPR article 15 gives them access to.
//! Streamed, so that size doesn't matter.

use axum::{
    body::{Body, Bytes},
    extract::{Path, State},
    http::header::{CONTENT_DISPOSITION, CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use futures::stream;
use sea_orm::{
    ConnectionTrait, DbErr, Value,
    sea_query::{Expr, ExprTrait, Order},
};
use usher_shared::{
    audit::{self, Entry},
    foundation::time::now,
};

use crate::context::AdminContext;
use crate::declare::{inline::Inline, meta::Operation, model::Model};
use crate::error::AdminError;
use crate::pages::export::{CHUNK, json_object};
use crate::request::{staff::Staff, visit::Visit};
use crate::rows::{find::find, row::Row};

/// `GET {models}/{id}/export.json`: the object, then a list for each inline that this person may export.
pub(crate) async fn export(
    State(context): State<AdminContext>,
    visit: Visit,
    staff: Staff,
    Path((name, id)): Path<(String, String)>,
) -> Result<Response, AdminError> {
    let model = context.site.model(&name).ok_or(AdminError::NotFound)?;
    staff.require(&model.meta.permission(Operation::View))?;
    staff.require(&model.meta.permission(Operation::Export))?;
    staff.require_fresh(&visit, None)?;
    let row = find(&context.db, model, &id).await?.ok_or(AdminError::NotFound)?;
    let entry = Entry {
        action: "export",
        object_type: model.meta.object_type(),
        object_id: row.text(model.id),
        object_label: Some(model.label(&row)),
        ..Entry::default()
    };
    audit::record(&context.db, &staff.actor(&visit), entry).await?;
    let id = row.text(model.id).unwrap_or_default();
    // Not the name on pages, which is for people and may change.
    let word = model.meta.object_type();
    let file = format!("{word}-{id}-{}.json", now().format("%Y%m%d-%H%M%S"));
    let headers = [
        (CONTENT_TYPE, "application/json".to_owned()),
        (
            CONTENT_DISPOSITION,
            format!("attachment; filename=\"{}\"", plain(&file)),
        ),
    ];
    let may = |inline: &&Inline| {
        let Some(model) = context.site.model(inline.model) else {
            return false;
        };
        let both = [Operation::View, Operation::Export];
        both.iter()
            .all(|operation| staff.may(&model.meta.permission(*operation)))
    };
    let parts: Vec<Inline> = model.inlines.iter().filter(may).cloned().collect();
    let opening = format!("{{\n{word:?}: {}", json_object(model, &row));
    let writing = Writing {
        context: context.clone(),
        id,
        parts,
    };
    let body = Body::from_stream(stream::try_unfold(Position::Opening(opening), move |place| {
        let writing = writing.clone();
        async move { writing.next(place).await }
    }));
    Ok((headers, body).into_response())
}

/// Replaces what a header's value can't hold.
fn plain(file: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    file.chars().map(|c| if is_plain(c) { c } else { '_' }).collect()
}

/// How far the file is written.
enum Position {
    Opening(String),
    /// In the list of this number, behind the row of this id.
    Part(usize, Option<Value>),
    End,
}

#[derive(Clone)]
struct Writing {
    context: AdminContext,
    id: String,
    parts: Vec<Inline>,
}

impl Writing {
    /// The next chunk of the file, and the position after it.
    async fn next(&self, place: Position) -> Result<Option<(Bytes, Position)>, DbErr> {
        let (number, after) = match place {
            Position::Opening(text) => return Ok(Some((text.into(), Position::Part(0, None)))),
            Position::Part(number, after) => (number, after),
            Position::End => return Ok(None),
        };
        let part = self.parts.get(number);
        let Some((inline, model)) = part.and_then(|inline| Some((inline, self.context.site.model(inline.model)?)))
        else {
            return Ok(Some(("\n}\n".into(), Position::End)));
        };
        let is_first = after.is_none();
        let rows = self.rows(inline, model, after).await?;
        let mut text = if is_first {
            format!(",\n{:?}: [", model.meta.name)
        } else {
            String::new()
        };
        for (place, row) in rows.iter().enumerate() {
            text.push_str(if is_first && place == 0 { "\n" } else { ",\n" });
            text.push_str(&json_object(model, row).to_string());
        }
        let last = rows.last().and_then(|row| row.get(model.id)).cloned();
        let next = match last.filter(|_| rows.len() as u64 == CHUNK) {
            Some(last) => Position::Part(number, Some(last)),
            None => {
                text.push_str("\n]");
                Position::Part(number + 1, None)
            }
        };
        Ok(Some((text.into(), next)))
    }

    async fn rows(&self, inline: &Inline, model: &Model, after: Option<Value>) -> Result<Vec<Row>, DbErr> {
        let Some(mut select) = inline.select(model, &self.id) else {
            return Ok(vec![]);
        };
        if let Some(after) = after {
            select.and_where(Expr::col(model.id).gt(after));
        }
        select.order_by(model.id, Order::Asc).limit(CHUNK);
        let results = self.context.db.query_all(&select).await?;
        results.iter().map(|result| Row::read(&model.fields, result)).collect()
    }
}
