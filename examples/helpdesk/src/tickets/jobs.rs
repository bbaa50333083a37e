//! Jobs and mails of tickets.

use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter, sea_query::Expr};
use serde::{Deserialize, Serialize};
use serde_json::json;
use usher::{
    jobs::Job,
    time::now,
    worker::{JobContext, JobError, MailMessage},
};

use super::ticket::{Column, Entity, TicketState};

/// Tells the requester that the ticket arrived.
#[derive(Serialize, Deserialize)]
pub struct TicketOpened {
    pub ticket_id: i64,
}

impl Job for TicketOpened {
    const KIND: &'static str = "ticket_opened";
    const QUEUE: &'static str = usher::jobs::MAIL_QUEUE;
}

/// Sends nothing if the ticket or the requester is gone.
pub async fn ticket_opened(job: TicketOpened, context: JobContext) -> Result<(), JobError> {
    let Some(ticket) = Entity::find_by_id(job.ticket_id).one(&context.db).await? else {
        return Ok(());
    };
    let Some(requester) = context.account(ticket.requester_id).await? else {
        return Ok(());
    };
    let message = MailMessage::new(format!("We received your ticket #{}", ticket.id))
        .line(format!(
            "\"{}\" is with our team. We'll answer as soon as we can.",
            ticket.subject
        ))
        .why("You're receiving this email because you opened a ticket.");
    context.post(&requester, message).await
}

/// Marks the tickets whose time has passed.
#[derive(Serialize, Deserialize)]
pub struct MarkOverdue {}

impl Job for MarkOverdue {
    const KIND: &'static str = "mark_overdue";
}

pub async fn mark_overdue(_: MarkOverdue, context: JobContext) -> Result<(), JobError> {
    let tx = context.begin().await?;
    let marked = Entity::update_many()
        .col_expr(Column::IsOverdue, Expr::value(true))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .col_expr(Column::UpdatedAt, Expr::value(now()))
        .filter(Column::IsOverdue.eq(false))
        .filter(Column::State.ne(TicketState::Closed))
        .filter(Column::DueAt.lt(now()))
        .exec(&*tx)
        .await?;
    let result = json!({ "marked": marked.rows_affected });
    context.complete_with(tx, result).await
}
