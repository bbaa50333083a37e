//! A support desk as a product adds it to the admin: its own models with a relation between them; rows, a panel and an
//! action on the page of a user; a page and a card.

pub(super) mod tag;
mod ticket;

use askama::Template;
use axum::{
    extract::{Path, State},
    response::{Html, Response},
    routing::get,
};
use sea_orm::{
    ColumnTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    sea_query::{Condition, Expr, IntoCondition},
};
use usher_admin_engine::{
    Action, ActionContext, AdminContext, AdminError, AdminModel, Card, Cell, Extension, Field, Figure, Inline,
    ManyToMany, Meta, Outcome, Page, Panel, Posted, Row, Search, Shell, Staff, Tone, Visit, headings, page,
};
use usher_shared::AppContext;

use crate::models::Users;
use tag::of_ticket;
pub(super) use ticket::{ActiveModel, COLUMN as C, Column, Entity, Model as Ticket, TicketState};

impl AdminModel for Entity {
    type Entity = Self;

    const META: Meta = Meta::new("tickets", "ticket", "tickets")
        .section("Support")
        .icon("M3 4h14v9H8l-4 4V4z")
        .editable()
        .deletable();

    fn field(column: Column) -> Field<Self> {
        match column {
            Column::Id => Field::id(C.id),
            Column::Subject => Field::text(C.subject).link().form(),
            Column::Body => Field::long_text(C.body).form(),
            Column::RequesterId => Field::foreign_key::<Users>(C.requester_id).list().filter().form(),
            Column::State => Field::choice(C.state, tone).list().filter().form(),
            Column::Version => Field::row_version(C.version),
            Column::CreatedAt => Field::created(C.created_at),
            Column::UpdatedAt => Field::touched(C.updated_at),
        }
    }

    fn many_to_many() -> Vec<ManyToMany> {
        let tags = ManyToMany::to::<tag::Entity, _>(of_ticket::Column::TicketId, of_ticket::Column::TagId);
        vec![tags.list().form().help("What it is about")]
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

fn tone(state: &TicketState) -> Tone {
    match state {
        TicketState::Open => Tone::Busy,
        TicketState::Closed => Tone::Quiet,
    }
}

pub(super) const LOGO: &[u8] = b"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1 1\"/>";

pub(super) fn extension() -> Extension {
    let open = || Column::State.eq(TicketState::Open).into_condition();
    Extension::new("support")
        .logo("image/svg+xml", LOGO)
        .stylesheet(":root { --accent-fill: #b3261e; }")
        .script("document.documentElement.dataset.desk = '';")
        .model::<Entity>()
        .model::<tag::Entity>()
        .inline::<Users, Entity>(Column::RequesterId)
        .panels::<Users>(|app, row, staff| Box::pin(panels(app, row, staff)))
        .action::<Users>(&CLOSE_ALL)
        .page(Page::new("/admin/tickets/board", "Board", "tickets.board", get(board).post(close)).section("Support"))
        .page(Page::new(
            "/admin/tickets/{id}/print",
            "Print",
            "tickets.view",
            get(print),
        ))
        .page(Page::new("/admin/reports", "Reports", "reports.view", get(reports)).section("Figures"))
        .card(
            Card::new("Tickets", "/admin/tickets", "tickets.view")
                .figure(Figure::count::<Entity>(["ticket", "tickets"], Condition::all).link("/admin/tickets"))
                .figure(Figure::count::<Entity>(["open"; 2], open).tone(Tone::Warning))
                .load(|app| Box::pin(figures(app))),
        )
}

/// An action on users, who are no model of this app.
pub(super) const CLOSE_ALL: Action = Action::new("close_tickets", "Close tickets", |acting, row| {
    Box::pin(close_all(acting, row))
})
.done("done with");

async fn close_all(acting: &ActionContext<'_>, row: &Row) -> Result<Outcome, DbErr> {
    let id: i64 = row.parse("id").unwrap_or_default();
    Entity::update_many()
        .col_expr(Column::State, Expr::value(TicketState::Closed))
        .filter(Column::RequesterId.eq(id))
        .exec(&**acting.saving.tx)
        .await?;
    Ok(Outcome::Done)
}

async fn figures(app: &AppContext) -> Result<Vec<Figure>, DbErr> {
    let closed = Entity::find().filter(Column::State.eq(TicketState::Closed));
    let closed = i64::try_from(closed.count(&app.db).await?).unwrap_or(i64::MAX);
    Ok(vec![Figure::number(["closed"; 2], closed).tone_at_zero(Tone::Bad)])
}

async fn panels(app: &AppContext, row: &Row, staff: &Staff) -> Result<Vec<Panel>, DbErr> {
    if !staff.may("tickets.view") {
        return Ok(vec![]);
    }
    let id: i64 = row.parse("id").unwrap_or_default();
    let own = Entity::find().filter(Column::RequesterId.eq(id));
    Ok(vec![Panel {
        title: "Support plan".to_owned(),
        columns: headings(["Tickets so far"]),
        rows: vec![vec![Cell::text(own.count(&app.db).await?.to_string())]],
        ..Panel::default()
    }])
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<div class="head"><h1>Board</h1></div>
{{ oldest }}
<p>{{ greeting }}</p>
<form method="post">
  <input type="hidden" name="csrf_token" value="{{ csrf }}">
  <button class="primary">Close all</button>
</form>"#
)]
struct Board {
    csrf: String,
    oldest: Panel,
    greeting: String,
}

async fn board(State(context): State<AdminContext>, visit: Visit, staff: Staff) -> Result<Response, AdminError> {
    let tickets = Entity::find().order_by_asc(Column::Id).all(&context.db).await?;
    let line = |ticket: ticket::Model| vec![Cell::link(ticket.subject, format!("/admin/tickets/{}", ticket.id))];
    let shell = Shell::new(&context, &visit, &staff, "Board");
    let board = Board {
        csrf: shell.csrf.to_string(),
        oldest: Panel {
            title: "Oldest tickets".to_owned(),
            columns: headings(["Subject"]),
            rows: tickets.into_iter().map(line).collect(),
            ..Panel::default()
        },
        greeting: format!("Hello <{}>", staff.name()),
    };
    page::framed(shell.crumb("Tickets", "/admin/tickets").here("Board"), &board)
}

/// What the board's form does.
async fn close(
    State(context): State<AdminContext>,
    visit: Visit,
    staff: Staff,
    Posted(form): Posted,
) -> Result<Response, AdminError> {
    staff.require("tickets.change")?;
    let tx = form.begin(&context).await?;
    let closed = Entity::update_many()
        .col_expr(Column::State, Expr::value(TicketState::Closed))
        .filter(Column::State.eq(TicketState::Open))
        .exec(&**tx)
        .await?;
    let words = format!("Closed: {}", closed.rows_affected);
    tx.finish(visit.say(words, "/admin/tickets/board")).await
}

async fn print(Path(id): Path<i64>) -> String {
    format!("Ticket {id}")
}

async fn reports(State(context): State<AdminContext>, visit: Visit, staff: Staff) -> Result<Response, AdminError> {
    let shell = Shell::new(&context, &visit, &staff, "Reports").here("Reports");
    page::framed_html(shell, &Html("<h1>Reports</h1>"))
}

/// The same rows with a condition and columns of their own, beside another model.
pub(super) fn closed_beside_users() -> Inline {
    Inline::of::<Entity, _>(Column::RequesterId, [Column::Subject])
        .only(Column::State, "closed")
        .title("Closed tickets")
}
