//! A list as a file: all that matches its filters, streamed page by page, so that a million rows take no memory.

use std::sync::Arc;

use axum::{
    body::{Body, Bytes},
    response::{IntoResponse, Response},
};
use futures::stream;
use sea_orm::{
    DbErr, Value,
    sea_query::{Condition, Expr, ExprTrait, Order},
};
use serde_json::{Map, Value as Json};
use usher_shared::{
    audit::{self, Entry},
    foundation::{csv, time::now},
};

use super::model_request::ModelRequest;
use crate::context::AdminContext;
use crate::declare::spec::{Kind, Spec};
use crate::declare::{meta::Operation, model::Model};
use crate::error::AdminError;
use crate::lists::{query::ListQuery, search};
use crate::request::staff::Staff;
use crate::rows::cell::listed;
use crate::rows::related::{fill, is_seen};
use crate::rows::{row::Row, storage::text_of};
use crate::shell::page;

/// Rows that are in memory at once.
const CHUNK: u64 = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Csv,
    Json,
}

/// `GET {models}/export.csv`
pub(crate) async fn as_csv(request: ModelRequest) -> Result<Response, AdminError> {
    export(request, Format::Csv).await
}

/// `GET {models}/export.json`
pub(crate) async fn as_json(request: ModelRequest) -> Result<Response, AdminError> {
    export(request, Format::Json).await
}

/// Exports need a recent password confirmation, and are audited before the first row is sent.
async fn export(request: ModelRequest, format: Format) -> Result<Response, AdminError> {
    request.require(Operation::Export)?;
    let (model, staff, db) = (&request.model, &request.staff, &request.context.db);
    staff.require_fresh(&request.visit, None)?;
    let list = ListQuery::parse(model, &request.parameters())
        .map_err(|_| AdminError::BadRequest("This list can't be filtered that way".to_owned()))?;
    list.require(model, staff)?;
    let condition = list
        .condition(model)
        .add(search::condition(db, model, &list.search).await?);
    let (extension, media_type) = match format {
        Format::Csv => ("csv", "text/csv; charset=utf-8"),
        Format::Json => ("json", "application/json"),
    };
    let entry = Entry {
        action: "export",
        object_type: model.meta.object_type(),
        object_label: Some(format!("{} as {extension}", model.meta.plural)),
        changes: Some(serde_json::json!({ "filter": [null, request.query] })),
        ..Entry::default()
    };
    audit::record(db, &staff.actor(&request.visit), entry).await?;
    let file = format!("{}-{}.{extension}", model.meta.name, now().format("%Y%m%d-%H%M%S"));
    let ModelRequest {
        context, model, staff, ..
    } = request;
    let exporting = Exporting { context, model, staff };
    let body = Body::from_stream(stream::try_unfold(Position::Start, move |place| {
        chunk(exporting.clone(), condition.clone(), format, place)
    }));
    Ok((page::attachment(media_type, &file), body).into_response())
}

/// How far the file is written.
enum Position {
    Start,
    After(Value),
    End,
}

/// What is exported, and to whom.
#[derive(Clone)]
pub(super) struct Exporting {
    pub(super) context: AdminContext,
    pub(super) model: Arc<Model>,
    pub(super) staff: Staff,
}

async fn chunk(
    exporting: Exporting,
    condition: Condition,
    format: Format,
    place: Position,
) -> Result<Option<(Bytes, Position)>, DbErr> {
    let (mut text, after) = match place {
        Position::End => return Ok(None),
        Position::Start => (exporting.opening(format), None),
        Position::After(id) => (String::new(), Some(id)),
    };
    let is_first = after.is_none();
    let (rows, next) = exporting.rows_after(condition, after).await?;
    match format {
        Format::Csv => rows.iter().for_each(|row| exporting.csv_line(&mut text, row)),
        Format::Json => exporting.json_objects(&mut text, &rows, is_first),
    }
    if next.is_none() && format == Format::Json {
        text.push_str("\n]\n");
    }
    Ok(Some((text.into(), next.map_or(Position::End, Position::After))))
}

impl Exporting {
    /// The next rows in the order of their ids, and the id to go on from if there may be more.
    pub(super) async fn rows_after(
        &self,
        condition: Condition,
        after: Option<Value>,
    ) -> Result<(Vec<Row>, Option<Value>), DbErr> {
        let (db, model) = (&self.context.db, &self.model);
        let beyond = after.map(|id| Expr::col(model.id).gt(id));
        let select = model
            .select()
            .cond_where(condition.add_option(beyond))
            .order_by(model.id, Order::Asc)
            .limit(CHUNK)
            .to_owned();
        let mut rows = model.read(db, &select).await?;
        self.fill(&mut rows).await?;
        let last = rows.last().filter(|_| rows.len() as u64 == CHUNK);
        let next = last.and_then(|row| row.get(model.id).cloned());
        Ok((rows, next))
    }

    /// Adds the names of related objects.
    pub(super) async fn fill(&self, rows: &mut [Row]) -> Result<(), DbErr> {
        let (db, site) = (&self.context.db, &self.context.site);
        let columns: Vec<_> = self.exported().collect();
        fill(db, site, &self.model, &columns, rows, None).await
    }

    /// The exported columns: what this person sees of an object, and nothing internal.
    fn exported(&self) -> impl Iterator<Item = &Spec> {
        let is_exported = |spec: &&Spec| {
            let own = matches!(spec.kind, Kind::Internal | Kind::Secret | Kind::Bytes);
            !own && (spec.listed || spec.in_form || spec.name == self.model.id)
        };
        let seen = |spec: &&Spec| is_seen(spec, &self.context.site, &self.staff);
        self.model.fields.iter().filter(is_exported).filter(seen)
    }

    fn opening(&self, format: Format) -> String {
        match format {
            Format::Json => "[".to_owned(),
            Format::Csv => {
                let mut head = String::new();
                csv::write_head(&mut head, self.exported().map(|spec| spec.name));
                head
            }
        }
    }

    fn csv_line(&self, text: &mut String, row: &Row) {
        let value = |spec: &Spec| match row.get(spec.name) {
            Some(Value::Json(Some(names))) if matches!(spec.kind, Kind::ManyToMany(_)) => {
                listed(names).collect::<Vec<_>>().join(", ")
            }
            Some(Value::Json(Some(json))) => json.to_string(),
            Some(value) => text_of(value).unwrap_or_default(),
            None => String::new(),
        };
        let fields: Vec<String> = self.exported().map(value).collect();
        csv::write_record(text, fields.iter().map(String::as_str));
    }

    /// The members of a list, which may have begun before.
    pub(super) fn json_objects(&self, text: &mut String, rows: &[Row], is_first: bool) {
        for (place, row) in rows.iter().enumerate() {
            text.push_str(if is_first && place == 0 { "\n" } else { ",\n" });
            text.push_str(&self.json_object(row).to_string());
        }
    }

    /// The export of one object.
    pub(super) fn json_object(&self, row: &Row) -> Json {
        let value = |spec: &Spec| match row.get(spec.name) {
            None if matches!(spec.kind, Kind::ManyToMany(_)) => Json::Array(vec![]),
            None => Json::Null,
            Some(Value::Json(Some(json))) => (**json).clone(),
            Some(Value::Bool(Some(truth))) => Json::Bool(*truth),
            Some(Value::SmallInt(Some(number))) => (*number).into(),
            Some(Value::Int(Some(number))) => (*number).into(),
            Some(Value::BigInt(Some(number))) => (*number).into(),
            Some(value) => text_of(value).map_or(Json::Null, Json::String),
        };
        let pairs = self.exported().map(|spec| (spec.name.to_owned(), value(spec)));
        Json::Object(pairs.collect::<Map<_, _>>())
    }
}
