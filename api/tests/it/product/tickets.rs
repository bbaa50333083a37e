//! A resource of a product, written with the public interface alone.

use axum::extract::State;
use chrono::{DateTime, Utc};
use sea_orm::{Condition, entity::prelude::*};
use serde::Serialize;
use usher_api::{
    ApiEnum, ApiError, ApiExtension, ApiKey, AppState, Body, Code, Context, Created, FromFields, IfMatch, IfNoneMatch,
    KeyOrUser, Lines, ListOut, ListQuery, Listed, OnConstraint, PathId, Query, Relation, Scope, Text, Versioned,
    access, create_row, operation, operations, related, rfc3339, update_row,
};
use utoipa::ToSchema;

pub const READ: Scope = Scope::new("tickets:read", &["tickets.view"]);
pub const WRITE: Scope = Scope::new("tickets:write", &["tickets.change"]);

access! {
    pub TicketsRead = [READ];
    pub TicketsWrite = [WRITE];
}

const TICKET_CLOSED: Code = Code::new(
    "ticket_closed",
    409,
    "Ticket closed",
    "The ticket is closed",
    "A closed ticket can't be changed. Open another.",
);

pub fn extension() -> ApiExtension {
    ApiExtension::new("tickets")
        .title("Helpdesk")
        .tag("Tickets", "What customers ask")
        .codes(&[TICKET_CLOSED])
        .relation(Relation::one("Ticket", "requester", "requester_id", "listUsers"))
        .relation(Relation::many("UserDetails", "tickets", "requester_id", "listTickets"))
        .routes(|| operations![list_tickets, create_ticket, get_ticket, update_ticket])
}

pub mod ticket {
    use super::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "tickets")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub subject: String,
        pub body: String,
        pub state: State,
        pub requester_id: i64,
        pub due_at: Option<DateTimeUtc>,
        pub version: i32,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}

    /// Who has to do something next.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, ApiEnum)]
    #[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
    #[schema(as = TicketState)]
    pub enum State {
        Open,
        WaitingForUser,
        Closed,
    }
}

pub mod tag {
    use super::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "ticket_tags")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub ticket_id: i64,
        pub word: String,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub const SQL: &str = "
CREATE TABLE tickets (
    id           {id},
    subject      text NOT NULL,
    body         text NOT NULL,
    state        text NOT NULL,
    requester_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    due_at       {time},
    version      integer NOT NULL,
    created_at   {time} NOT NULL,
    updated_at   {time} NOT NULL
);
CREATE INDEX tickets_requester_idx ON tickets (requester_id, id);
CREATE INDEX tickets_state_idx ON tickets (state, id);
CREATE INDEX tickets_due_idx ON tickets (due_at, id);
CREATE TABLE ticket_tags (
    id        {id},
    ticket_id bigint NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
    word      text NOT NULL
);
";

/// A question of a customer.
#[derive(Serialize, ToSchema, Listed)]
#[schema(as = Ticket)]
#[listed(entity = ticket::Entity, sorts(id, due_at), filters(requester_id, state))]
struct TicketOut {
    id: i64,
    subject: String,
    body: String,
    state: ticket::State,
    requester_id: i64,
    #[serde(serialize_with = "rfc3339")]
    due_at: Option<DateTime<Utc>>,
    #[listed(skip)]
    tags: Vec<String>,
}

/// A new ticket.
#[derive(FromFields)]
#[schema(entity = ticket::Entity, patch = TicketPatchIn)]
struct NewTicketIn {
    subject: Text<1, 200>,
    body: Lines<1, 10_000>,
    state: ticket::State,
    /// The id of the user who asks.
    #[schema(create_only)]
    requester_id: i64,
    due_at: Option<DateTime<Utc>>,
}

/// List tickets
#[operation(get, "/tickets")]
async fn list_tickets(
    State(state): State<AppState>,
    caller: KeyOrUser<TicketsRead>,
    Query(query): Query<ListQuery<TicketOut>>,
) -> Result<ListOut<TicketOut>, ApiError> {
    let mut list = query.list(&state, caller.filter(ticket::Column::RequesterId)).await?;
    let ids = list.data.iter().map(|ticket| ticket.id);
    let mut tags = related::<tag::Entity>(&state.db, tag::Column::TicketId, ids).await?;
    for ticket in &mut list.data {
        let tags = tags.remove(&ticket.id).unwrap_or_default();
        ticket.tags = tags.into_iter().map(|tag| tag.word).collect();
    }
    Ok(list)
}

/// Create a ticket
#[operation(post, "/tickets")]
async fn create_ticket(
    State(state): State<AppState>,
    Context(context): Context,
    key: ApiKey<TicketsWrite>,
    Body(body): Body<NewTicketIn>,
) -> Result<Created<TicketOut>, ApiError> {
    let tx = state.begin().await?;
    let actor = key.actor(&context);
    let ticket = create_row::<ticket::Entity>(&tx, body.into(), "ticket", &actor).await;
    let ticket = ticket.on_missing("requester_id")?;
    tx.commit().await?;
    Ok(Created::new(&state, "/tickets", ticket.id, ticket).version(1))
}

/// Look a ticket up
#[operation(get, "/tickets/{id}")]
async fn get_ticket(
    State(state): State<AppState>,
    caller: KeyOrUser<TicketsRead>,
    id: PathId,
    known: IfNoneMatch,
) -> Result<Versioned<TicketOut>, ApiError> {
    let rows = caller.rows(ticket::Column::RequesterId);
    let ticket = id.row::<ticket::Entity>(&state.db, rows).await?;
    Ok(known.answer(ticket.version, ticket))
}

/// Change a ticket
#[operation(patch, "/tickets/{id}", errors(TICKET_CLOSED))]
async fn update_ticket(
    State(state): State<AppState>,
    Context(context): Context,
    key: ApiKey<TicketsWrite>,
    id: PathId,
    expected: IfMatch,
    Body(body): Body<TicketPatchIn>,
) -> Result<Versioned<TicketOut>, ApiError> {
    let tx = state.begin().await?;
    let before = id.row_for_change::<ticket::Entity>(&tx, Condition::all()).await?;
    expected.allows(before.version)?;
    if before.state == ticket::State::Closed {
        return Err(TICKET_CLOSED.into());
    }
    let actor = key.actor(&context);
    let ticket = update_row::<ticket::Entity>(&tx, before, body.into(), "ticket", &actor).await?;
    tx.commit().await?;
    Ok(Versioned::new(ticket.version, ticket))
}
