//! `export`: writes rows into a file of the job, page by page, so that a million of them take no more memory than one
//! page. An export that is stopped starts over; its result always names a complete file.

use sea_orm::{ColumnTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::{Map, Value, json};
use usher_shared::{
    accounts::staff::exports::{ExportJob, Exported, Format},
    foundation::{
        csv,
        db::InTime,
        entity::{audit_log, job, job_item, mail, user},
    },
    jobs::files::{self, Direction, Writer},
};

use super::{permissions::still_may, sheet::Sheet};
use crate::{foundation::JobError, runtime::JobContext};

/// Rows of one page.
const PAGE: u64 = 1_000;

/// Safe to run twice.
pub(super) async fn run(order: ExportJob, context: JobContext) -> Result<(), JobError> {
    match order.what {
        Exported::Users => write::<user::Entity>(order, context).await,
        Exported::Jobs => write::<job::Entity>(order, context).await,
        Exported::Mails => write::<mail::Entity>(order, context).await,
        Exported::AuditLog => write::<audit_log::Entity>(order, context).await,
    }
}

async fn write<E: Sheet>(order: ExportJob, context: JobContext) -> Result<(), JobError>
where
    for<'a> sea_orm::Select<E>: PaginatorTrait<'a, InTime<sea_orm::DatabaseConnection>>,
{
    let (db, job_id) = (&context.db, context.job.id);
    files::keep_only(db, job_id, None).await?;
    still_may(&context, &order.actor, &order.what.permissions()).await?;
    let (ending, media_type) = match order.format {
        Format::Csv => ("csv", "text/csv"),
        Format::Json => ("json", "application/json"),
    };
    let day = context.job.created_at.format("%Y-%m-%d");
    let name = format!("{}-{day}.{ending}", order.what.as_str());
    let mut file = Writer::create(db, job_id, Direction::Out, &name, media_type).await?;
    let mut pages = Pages::<E>::new(&order, &context).await?;

    file.write(head::<E>(order.format).as_bytes()).await?;
    let (mut rows, mut told) = (0, 0);
    while let Some(page) = pages.next().await? {
        if let Err(refused) = still_may(&context, &order.actor, &order.what.permissions()).await {
            files::keep_only(db, job_id, None).await?;
            return Err(refused);
        }
        file.write(body::<E>(order.format, &page, rows == 0).as_bytes()).await?;
        rows += page.len() as u64;
        // Rows that are added while it runs are exported as well.
        let percent = (rows * 100).checked_div(pages.total).unwrap_or(99).min(99);
        if percent > told {
            told = percent;
            context.progress(i16::try_from(percent).unwrap_or(99)).await?;
        }
    }
    if order.format == Format::Json {
        file.write(if rows == 0 { b"]\n" } else { b"\n]\n" }).await?;
    }
    let (file, bytes) = file.finish().await?;
    tracing::info!(rows, bytes, "exported");
    let tx = context.begin().await?;
    context
        .complete_with(tx, json!({ "file": file, "rows": rows, "bytes": bytes }))
        .await
}

/// Keyset pages of the whole table, or of the chosen rows.
struct Pages<'a, E: Sheet> {
    context: &'a JobContext,
    chosen: bool,
    total: u64,
    last: Option<E::Id>,
    last_item: String,
}

impl<'a, E: Sheet> Pages<'a, E>
where
    for<'b> sea_orm::Select<E>: PaginatorTrait<'b, InTime<sea_orm::DatabaseConnection>>,
{
    async fn new(order: &ExportJob, context: &'a JobContext) -> Result<Self, DbErr> {
        let total = if order.chosen {
            let items = job_item::Entity::find().filter(job_item::Column::JobId.eq(context.job.id));
            items.count(&context.db).await?
        } else {
            E::find().count(&context.db).await?
        };
        Ok(Self {
            context,
            chosen: order.chosen,
            total,
            last: None,
            last_item: String::new(),
        })
    }

    /// None after the last page. A page of chosen rows is empty when all of them are gone.
    async fn next(&mut self) -> Result<Option<Vec<E::Model>>, DbErr> {
        let mut query = E::find().order_by_asc(E::ID);
        if self.chosen {
            let Some(ids) = self.items().await? else {
                return Ok(None);
            };
            query = query.filter(E::ID.is_in(ids));
            return query.all(&self.context.db).await.map(Some);
        }
        if let Some(last) = self.last {
            query = query.filter(E::ID.gt(last));
        }
        let page = query.limit(PAGE).all(&self.context.db).await?;
        self.last = page.last().map(E::id);
        Ok((!page.is_empty()).then_some(page))
    }

    async fn items(&mut self) -> Result<Option<Vec<E::Id>>, DbErr> {
        let items: Vec<String> = job_item::Entity::find()
            .select_only()
            .column(job_item::Column::ObjectId)
            .filter(job_item::Column::JobId.eq(self.context.job.id))
            .filter(job_item::Column::ObjectId.gt(self.last_item.as_str()))
            .order_by_asc(job_item::Column::ObjectId)
            .limit(PAGE)
            .into_tuple()
            .all(&self.context.db)
            .await?;
        let Some(last) = items.last() else { return Ok(None) };
        self.last_item.clone_from(last);
        Ok(Some(items.iter().filter_map(|item| item.parse().ok()).collect()))
    }
}

fn head<E: Sheet>(format: Format) -> String {
    let mut text = String::new();
    match format {
        Format::Csv => csv::write_head(&mut text, E::COLUMNS.iter().map(|(name, _)| *name)),
        Format::Json => text.push('['),
    }
    text
}

fn body<E: Sheet>(format: Format, page: &[E::Model], first: bool) -> String {
    let mut text = String::new();
    for (index, row) in page.iter().enumerate() {
        let values = E::COLUMNS.iter().map(|(name, read)| (*name, read(row)));
        match format {
            Format::Csv => {
                let fields: Vec<String> = values.map(|(_, value)| field(value)).collect();
                csv::write_record(&mut text, fields.iter().map(String::as_str));
            }
            Format::Json => {
                text.push_str(if first && index == 0 { "\n" } else { ",\n" });
                let object: Map<String, Value> = values.map(|(name, value)| (name.to_owned(), value)).collect();
                text.push_str(&Value::Object(object).to_string());
            }
        }
    }
    text
}

fn field(value: Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    }
}
