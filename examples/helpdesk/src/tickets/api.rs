//! The API of tickets: services see all of them with a scope, people see their own.

use std::collections::HashMap;

use axum::extract::State;
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QueryOrder,
};
use serde::Serialize;
use serde_json::{Value, json};
use usher::{
    accounts::users::export_rows,
    api::{
        ApiError, AppState, Body, Code, Context, Created, FromFields, IfMatch, IfNoneMatch, KeyOrUser, Lines, ListOut,
        ListQuery, Listed, OpenApiRouter, Patch, PathId, Query, Scope, Text, Versioned, Violation, access, in_body,
        operation, operations, rfc3339,
    },
    db::update_row,
    entity::user,
};
use utoipa::ToSchema;

use super::{
    rules, tag,
    ticket::{ActiveModel, Column, Entity, Model, Priority, TicketState},
    ticket_tag,
};

pub const READ: Scope = Scope::new("tickets:read", &["tickets.view"]);
pub const WRITE: Scope = Scope::new("tickets:write", &["tickets.view", "tickets.change"]);

access! {
    pub TicketsRead = [READ];
    pub TicketsWrite = [WRITE];
}

pub const TICKET_CLOSED: Code = Code::new(
    "ticket_closed",
    409,
    "Ticket closed",
    "The ticket is closed",
    "A closed ticket doesn't change. Open another one.",
);

pub fn router() -> OpenApiRouter<AppState> {
    operations![list_tickets, create_ticket, get_ticket, update_ticket]
}

/// What clients see of a ticket.
#[derive(Serialize, ToSchema, Listed)]
#[schema(as = Ticket)]
#[listed(entity = Entity, sorts(id, due_at), filters(state, requester_id, assignee_id))]
pub struct TicketOut {
    #[schema(example = 1)]
    id: i64,
    /// The id of the user who asks.
    requester_id: i64,
    /// The id of the user who answers.
    assignee_id: Option<i64>,
    #[schema(example = "My engine is stuck")]
    subject: String,
    body: String,
    state: TicketState,
    priority: Priority,
    is_overdue: bool,
    #[serde(serialize_with = "rfc3339")]
    due_at: Option<DateTime<Utc>>,
    #[listed(skip)]
    tags: Vec<String>,
}

/// A new ticket.
#[derive(FromFields)]
pub struct NewTicketIn {
    #[schema(example = "My engine is stuck")]
    subject: Text<1, 200>,
    body: Lines<1, 20_000>,
    /// `normal` unless you say otherwise.
    priority: Option<Priority>,
    /// The id of the user who asks. An API key names one; people ask for themselves.
    requester_id: Option<i64>,
}

/// What can be changed of a ticket.
#[derive(FromFields)]
#[schema(entity = Entity)]
pub struct TicketPatchIn {
    subject: Patch<Text<1, 200>>,
    body: Patch<Lines<1, 20_000>>,
    priority: Patch<Priority>,
    state: Patch<TicketState>,
}

/// List tickets
#[operation(get, "/tickets", ok = "A page of tickets")]
async fn list_tickets(
    State(state): State<AppState>,
    caller: KeyOrUser<TicketsRead>,
    Query(query): Query<ListQuery<TicketOut>>,
) -> Result<ListOut<TicketOut>, ApiError> {
    let mut page = query.list(&state, caller.filter(Column::RequesterId)).await?;
    let mut tags = tags_of(&state.db, page.data.iter().map(|ticket| ticket.id)).await?;
    for ticket in &mut page.data {
        ticket.tags = tags.remove(&ticket.id).unwrap_or_default();
    }
    Ok(page)
}

/// Open a ticket
///
/// The requester gets an email.
#[operation(post, "/tickets", ok = "The ticket")]
async fn create_ticket(
    State(state): State<AppState>,
    caller: KeyOrUser<TicketsWrite>,
    Context(context): Context,
    Body(body): Body<NewTicketIn>,
) -> Result<Created<TicketOut>, ApiError> {
    let requester_id = caller.owner().or(body.requester_id);
    let requester_id = requester_id.ok_or_else(|| requester_at_fault("Name the user who asks"))?;
    let tx = state.begin().await?;
    caller.hold(&tx).await?;
    let requester = user::Entity::find_by_id(requester_id).filter(user::Column::DeletedAt.is_null());
    if requester.one(&*tx).await?.is_none() {
        return Err(requester_at_fault("There is no user with this id"));
    }
    let new = ActiveModel {
        requester_id: Set(requester_id),
        subject: Set(body.subject.into()),
        body: Set(body.body.into()),
        priority: Set(body.priority.unwrap_or(Priority::Normal)),
        ..Default::default()
    };
    let ticket = rules::open(&tx, &state.config, new, &caller.actor(&context)).await?;
    tx.commit().await?;
    Ok(Created::new(&state, "/tickets", ticket.id, ticket).version(1))
}

/// Look a ticket up
#[operation(get, "/tickets/{id}", ok = "The ticket")]
async fn get_ticket(
    State(state): State<AppState>,
    caller: KeyOrUser<TicketsRead>,
    id: PathId,
    known: IfNoneMatch,
) -> Result<Versioned<TicketOut>, ApiError> {
    let ticket = id.row::<Entity>(&state.db, caller.rows(Column::RequesterId)).await?;
    Ok(known.answer(ticket.version, shown(&state, ticket).await?))
}

/// Change a ticket
///
/// Send the `ETag` you have seen as `If-Match`, so that you don't overwrite someone else's change.
#[operation(patch, "/tickets/{id}", ok = "The ticket as it is now", errors(TICKET_CLOSED))]
async fn update_ticket(
    State(state): State<AppState>,
    caller: KeyOrUser<TicketsWrite>,
    Context(context): Context,
    id: PathId,
    expected: IfMatch,
    Body(body): Body<TicketPatchIn>,
) -> Result<Versioned<TicketOut>, ApiError> {
    let tx = state.begin().await?;
    caller.hold(&tx).await?;
    let before = id
        .row_for_change::<Entity>(&tx, caller.rows(Column::RequesterId))
        .await?;
    expected.allows(before.version)?;
    if before.state == TicketState::Closed {
        return Err(TICKET_CLOSED.into());
    }
    let actor = caller.actor(&context);
    let ticket = update_row::<Entity>(&tx, before, body.into(), "ticket", &actor).await?;
    tx.commit().await?;
    Ok(Versioned::new(ticket.version, shown(&state, ticket).await?))
}

fn requester_at_fault(message: &'static str) -> ApiError {
    ApiError::Invalid(vec![in_body("requester_id", Violation::value(message))])
}

async fn shown(state: &AppState, ticket: Model) -> Result<TicketOut, ApiError> {
    let mut tags = tags_of(&state.db, [ticket.id]).await?;
    Ok(TicketOut {
        tags: tags.remove(&ticket.id).unwrap_or_default(),
        ..ticket.into()
    })
}

/// The tags of tickets, in one statement.
async fn tags_of(
    db: &impl ConnectionTrait,
    tickets: impl IntoIterator<Item = i64>,
) -> Result<HashMap<i64, Vec<String>>, DbErr> {
    let of_tickets = ticket_tag::Entity::find().filter(ticket_tag::Column::TicketId.is_in(tickets));
    let mut tags: HashMap<_, Vec<_>> = HashMap::new();
    for (pair, tag) in of_tickets.find_also_related(tag::Entity).all(db).await? {
        tags.entry(pair.ticket_id).or_default().extend(tag.map(|tag| tag.name));
    }
    Ok(tags)
}

/// A person's tickets, for the export of everything that is stored about them.
pub async fn export(db: &DatabaseConnection, user_id: i64) -> Result<Value, DbErr> {
    let own = Entity::find()
        .filter(Column::RequesterId.eq(user_id))
        .order_by_desc(Column::Id);
    export_rows(
        db,
        own,
        |ticket| json!({"id": ticket.id, "subject": ticket.subject, "body": ticket.body}),
    )
    .await
}
