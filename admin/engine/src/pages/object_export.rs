//! One object as a file, with everything that belongs to it: for a user, what GDPR article 15 gives them access to.
//! Streamed, so that size doesn't matter.

use std::sync::Arc;

use axum::{
    body::{Body, Bytes},
    response::{IntoResponse, Response},
};
use futures::stream;
use sea_orm::{DbErr, Value};
use usher_shared::{audit, foundation::time::now};

use super::export::Exporting;
use super::model_request::ModelRequest;
use crate::declare::{inline::Inline, meta::Operation, model::Model};
use crate::error::AdminError;
use crate::lists::search::nothing;
use crate::shell::page;

/// `GET {models}/{id}/export.json`: the object, then a list for each inline that this person may export.
pub(crate) async fn export(request: ModelRequest) -> Result<Response, AdminError> {
    request.require(Operation::Export)?;
    let ModelRequest {
        context,
        visit,
        staff,
        model,
        ..
    } = &request;
    staff.require_fresh(visit, None)?;
    let row = request.find().await?.ok_or(AdminError::NotFound)?;
    let exporting = |model: &Arc<Model>| Exporting {
        context: context.clone(),
        model: Arc::clone(model),
        staff: staff.clone(),
    };
    let (mut row, own) = ([row], exporting(model));
    own.fill(&mut row).await?;
    let [row] = row;
    audit::record(&context.db, &staff.actor(visit), model.entry(&row, "export")).await?;
    let id = row.text(model.id).unwrap_or_default();
    // Not the name on pages, which is for people and may change.
    let word = model.meta.object_type();
    let file = format!("{word}-{id}-{}.json", now().format("%Y%m%d-%H%M%S"));
    let exported = |inline: &Inline| {
        let model = context.site.visible(inline.model, staff)?;
        let may = model.allows(staff, Operation::Export);
        may.then(|| (inline.clone(), exporting(model)))
    };
    let opening = format!("{{\n{word:?}: {}", own.json_object(&row));
    let writing = Writing {
        id,
        parts: model.inlines.iter().filter_map(exported).collect(),
    };
    let body = Body::from_stream(stream::try_unfold(Position::Opening(opening), move |place| {
        let writing = writing.clone();
        async move { writing.next(place).await }
    }));
    Ok((page::attachment("application/json", &plain(&file)), body).into_response())
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
    id: String,
    parts: Vec<(Inline, Exporting)>,
}

impl Writing {
    /// The next chunk of the file, and the position after it.
    async fn next(&self, place: Position) -> Result<Option<(Bytes, Position)>, DbErr> {
        let (number, after) = match place {
            Position::Opening(text) => return Ok(Some((text.into(), Position::Part(0, None)))),
            Position::Part(number, after) => (number, after),
            Position::End => return Ok(None),
        };
        let Some((inline, exporting)) = self.parts.get(number) else {
            return Ok(Some(("\n}\n".into(), Position::End)));
        };
        let is_first = after.is_none();
        let condition = inline.condition(&exporting.model, &self.id).unwrap_or_else(nothing);
        let (rows, last) = exporting.rows_after(condition, after).await?;
        let mut text = String::new();
        if is_first {
            text = format!(",\n{:?}: [", exporting.model.meta.name);
        }
        exporting.json_objects(&mut text, &rows, is_first);
        let next = if last.is_some() {
            Position::Part(number, last)
        } else {
            text.push_str("\n]");
            Position::Part(number + 1, None)
        };
        Ok(Some((text.into(), next)))
    }
}
