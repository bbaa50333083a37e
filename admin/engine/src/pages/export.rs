//! A list as a file: all that matches its filters, streamed page by page, so that a million rows take no memory.

use axum::{
    body::{Body, Bytes},
    extract::{Path, RawQuery, State},
    http::header::{CONTENT_DISPOSITION, CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use futures::stream;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbErr, Value,
    sea_query::{Condition, Expr, ExprTrait, Order},
};
use serde_json::{Map, Value as Json};
use usher_shared::{
    audit::{self, Entry},
    foundation::{csv, time::now},
};

use crate::context::AdminContext;
use crate::declare::spec::{Kind, Spec};
use crate::declare::{meta::Operation, model::Model};
use crate::error::AdminError;
use crate::lists::{query::ListQuery, search};
use crate::request::{sent::Fields, staff::Staff, visit::Visit};
use crate::rows::{row::Row, storage::text_of};

/// Rows that are in memory at once.
pub(super) const CHUNK: u64 = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Csv,
    Json,
}

/// `GET {models}/export.csv`
pub(crate) async fn as_csv(
    State(context): State<AdminContext>,
    visit: Visit,
    staff: Staff,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, AdminError> {
    export(context, visit, staff, &name, query, Format::Csv).await
}

/// `GET {models}/export.json`
pub(crate) async fn as_json(
    State(context): State<AdminContext>,
    visit: Visit,
    staff: Staff,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, AdminError> {
    export(context, visit, staff, &name, query, Format::Json).await
}

/// Exports need a recent password confirmation, and are audited before the first row is sent.
async fn export(
    context: AdminContext,
    visit: Visit,
    staff: Staff,
    name: &str,
    query: Option<String>,
    format: Format,
) -> Result<Response, AdminError> {
    let model = context.site.model(name).ok_or(AdminError::NotFound)?;
    staff.require(&model.meta.permission(Operation::View))?;
    staff.require(&model.meta.permission(Operation::Export))?;
    staff.require_fresh(&visit, None)?;
    let query = query.unwrap_or_default();
    let list = ListQuery::parse(model, &Fields::parse(query.as_bytes()))
        .map_err(|_| AdminError::BadRequest("This list can't be filtered that way".to_owned()))?;
    list.require(model, &staff)?;
    let condition = list
        .condition(model)
        .add(search::condition(&context.db, model, &list.search).await?);
    let (extension, media_type) = match format {
        Format::Csv => ("csv", "text/csv; charset=utf-8"),
        Format::Json => ("json", "application/json"),
    };
    let entry = Entry {
        action: "export",
        object_type: model.meta.object_type(),
        object_label: Some(format!("{} as {extension}", model.meta.plural)),
        changes: Some(serde_json::json!({ "filter": [null, query] })),
        ..Entry::default()
    };
    audit::record(&context.db, &staff.actor(&visit), entry).await?;
    let file = format!("{}-{}.{extension}", model.meta.name, now().format("%Y%m%d-%H%M%S"));
    let headers = [
        (CONTENT_TYPE, media_type.to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{file}\"")),
    ];
    let body = Body::from_stream(stream::try_unfold(Position::Start, {
        let (context, model) = (context.clone(), model.meta.name);
        move |place| chunk(context.clone(), model, condition.clone(), format, place)
    }));
    Ok((headers, body).into_response())
}

/// How far the file is written.
enum Position {
    Start,
    After(Value),
    End,
}

async fn chunk(
    context: AdminContext,
    model: &'static str,
    condition: Condition,
    format: Format,
    place: Position,
) -> Result<Option<(Bytes, Position)>, DbErr> {
    let Some(model) = context.site.model(model) else {
        return Ok(None);
    };
    let mut text = String::new();
    let after = match place {
        Position::End => return Ok(None),
        Position::Start => {
            text.push_str(&opening(model, format));
            None
        }
        Position::After(id) => Some(id),
    };
    let is_first = after.is_none();
    let rows = read(&context.db, model, condition, after).await?;
    for (number, row) in rows.iter().enumerate() {
        match format {
            Format::Csv => csv_line(&mut text, model, row),
            Format::Json => {
                text.push_str(if is_first && number == 0 { "\n" } else { ",\n" });
                text.push_str(&json_object(model, row).to_string());
            }
        }
    }
    let next = match rows.last().and_then(|row| row.get(model.id)) {
        Some(id) if rows.len() as u64 == CHUNK => Position::After(id.clone()),
        _ => {
            if format == Format::Json {
                text.push_str("\n]\n");
            }
            Position::End
        }
    };
    Ok(Some((Bytes::from(text), next)))
}

async fn read(
    db: &DatabaseConnection,
    model: &Model,
    condition: Condition,
    after: Option<Value>,
) -> Result<Vec<Row>, DbErr> {
    let beyond = after.map(|id| Expr::col(model.id).gt(id));
    let select = model
        .select()
        .cond_where(condition.add_option(beyond))
        .order_by(model.id, Order::Asc)
        .limit(CHUNK)
        .to_owned();
    let results = db.query_all(&select).await?;
    results.iter().map(|result| Row::read(&model.fields, result)).collect()
}

/// The exported columns: what staff see of an object, and nothing internal.
fn exported(model: &Model) -> impl Iterator<Item = &Spec> {
    let is_seen = |spec: &&Spec| {
        let own = matches!(spec.kind, Kind::Internal | Kind::Secret | Kind::Bytes);
        !own && (spec.listed || spec.in_form || spec.name == model.id)
    };
    model.fields.iter().filter(is_seen)
}

fn opening(model: &Model, format: Format) -> String {
    match format {
        Format::Json => "[".to_owned(),
        Format::Csv => {
            let mut head = String::new();
            csv::write_head(&mut head, exported(model).map(|spec| spec.name));
            head
        }
    }
}

fn csv_line(text: &mut String, model: &Model, row: &Row) {
    let value = |spec: &Spec| match row.get(spec.name) {
        Some(Value::Json(Some(json))) => json.to_string(),
        Some(value) => text_of(value).unwrap_or_default(),
        None => String::new(),
    };
    let fields: Vec<String> = exported(model).map(value).collect();
    csv::write_record(text, fields.iter().map(String::as_str));
}

/// The export of one object.
pub(super) fn json_object(model: &Model, row: &Row) -> Json {
    let value = |spec: &Spec| match row.get(spec.name) {
        None => Json::Null,
        Some(Value::Json(Some(json))) => (**json).clone(),
        Some(Value::Bool(Some(truth))) => Json::Bool(*truth),
        Some(Value::SmallInt(Some(number))) => (*number).into(),
        Some(Value::Int(Some(number))) => (*number).into(),
        Some(Value::BigInt(Some(number))) => (*number).into(),
        Some(value) => text_of(value).map_or(Json::Null, Json::String),
    };
    let pairs = exported(model).map(|spec| (spec.name.to_owned(), value(spec)));
    Json::Object(pairs.collect::<Map<_, _>>())
}
