//! Tickets in the admin: two models, a page and a card.

use askama::Template;
use axum::{extract::State, response::Response, routing::get};
use sea_orm::{
    ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Condition, IntoCondition},
};
use usher::{
    Applied, Bulk, BulkRow,
    admin::{
        AdminContext, AdminError, AdminModel, Card, Cell, Field, Figure, ManyToMany, Meta, Page, Panel, Search, Shell,
        Staff, Tone, Visit, headings, models::Users, page,
    },
};

use super::{
    rules, tag,
    ticket::{COLUMN as C, Column, Entity, Priority, TicketState},
    ticket_tag,
};

impl AdminModel for Entity {
    type Entity = Self;

    const META: Meta = Meta::new("tickets", "ticket", "tickets")
        .section("Support")
        .changeable()
        .deletable();

    fn field(column: Column) -> Field<Self> {
        match column {
            Column::Id => Field::id(C.id),
            Column::Subject => Field::text(C.subject).link().form(),
            Column::Body => Field::long_text(C.body).form(),
            Column::State => Field::choice(C.state, state_tone).list().filter().form(),
            Column::Priority => Field::choice(C.priority, priority_tone).list().form(),
            Column::RequesterId => Field::foreign_key::<Users>(C.requester_id).list().filter().form(),
            Column::AssigneeId => Field::foreign_key::<Users>(C.assignee_id).list().filter().form(),
            Column::IsOverdue => Field::bool(C.is_overdue).list().readonly(),
            Column::DueAt => Field::time(C.due_at).list().form().sort(),
            Column::Version => Field::row_version(C.version),
            Column::CreatedAt => Field::created(C.created_at),
            Column::UpdatedAt => Field::touched(C.updated_at),
        }
    }

    fn many_to_many() -> Vec<ManyToMany> {
        vec![
            ManyToMany::to::<tag::Entity, _>(ticket_tag::Column::TicketId, ticket_tag::Column::TagId)
                .list()
                .form(),
        ]
    }
}

impl AdminModel for tag::Entity {
    type Entity = Self;

    const META: Meta = Meta::new("tags", "tag", "tags").section("Support").editable().few();

    fn field(column: tag::Column) -> Field<Self> {
        match column {
            tag::Column::Id => Field::id(tag::COLUMN.id),
            tag::Column::Name => Field::text(tag::COLUMN.name).link().form().search(Search::Words),
        }
    }
}

fn state_tone(state: &TicketState) -> Tone {
    match state {
        TicketState::Open => Tone::Warning,
        TicketState::Pending => Tone::Busy,
        TicketState::Closed => Tone::Quiet,
    }
}

fn priority_tone(priority: &Priority) -> Tone {
    match priority {
        Priority::High => Tone::Bad,
        Priority::Normal | Priority::Low => Tone::Quiet,
    }
}

/// Closes tickets that are not closed yet.
pub struct Close;

impl Bulk for Close {
    type Model = Entity;
    const NAME: &'static str = "close";
    const LABEL: &'static str = "Close";
    const DONE: &'static str = "closed";

    async fn apply(row: BulkRow<'_>) -> Result<Applied, DbErr> {
        let id: i64 = row.id.parse().unwrap_or_default();
        match Entity::find_by_id(id).lock_exclusive().one(&**row.tx).await? {
            Some(ticket) if ticket.state != TicketState::Closed => {
                rules::close(row.tx, ticket, row.actor).await?;
                Ok(Applied::Audited)
            }
            _ => Ok(Applied::Skipped("it is closed already")),
        }
    }
}

pub fn card() -> Card {
    let open = || Column::State.ne(TicketState::Closed).into_condition();
    let overdue = || Condition::all().add(Column::IsOverdue.eq(true));
    Card::new("Tickets", "/admin/tickets", "tickets.view")
        .figure(Figure::count::<Entity>(["open"; 2], open).link("/admin/tickets?state=open"))
        .figure(Figure::count::<Entity>(["overdue"; 2], overdue).tone(Tone::Bad))
}

pub fn board() -> Page {
    Page::new("/admin/tickets/board", "Board", "tickets.view", get(show_board)).section("Support")
}

#[derive(Template)]
#[template(ext = "html", source = r#"<div class="head"><h1>Board</h1></div>{{ waiting }}"#)]
struct Board {
    /// The open tickets that have waited longest.
    waiting: Panel,
}

async fn show_board(State(context): State<AdminContext>, visit: Visit, staff: Staff) -> Result<Response, AdminError> {
    let open = Entity::find()
        .filter(Column::State.eq(TicketState::Open))
        .order_by_asc(Column::Id)
        .limit(20);
    let line = |ticket: super::ticket::Model| {
        let link = Cell::link(ticket.subject, format!("/admin/tickets/{}", ticket.id));
        vec![link, Cell::time(ticket.created_at)]
    };
    let waiting = Panel {
        title: "Waiting longest".to_owned(),
        columns: headings(["Ticket", "Opened"]),
        rows: open.all(&context.db).await?.into_iter().map(line).collect(),
        ..Panel::default()
    };
    page::framed(
        Shell::new(&context, &visit, &staff, "Board").here("Board"),
        &Board { waiting },
    )
}
