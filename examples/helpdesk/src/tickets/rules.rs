//! What may happen to a ticket: the same for the API, the admin, jobs and commands.

use chrono::TimeDelta;
use sea_orm::{ActiveValue::Set, DbErr};
use usher::{
    audit::Actor,
    config::Config,
    db::{create_row, update_row},
    jobs::{EnqueueError, Tx, enqueue},
    time::now,
};

use super::{
    jobs::TicketOpened,
    settings::Settings,
    ticket::{ActiveModel, Entity, Model, TicketState},
};

/// Writes the ticket, its audit entry, and the job that tells the requester: all of it, or nothing.
pub async fn open(tx: &Tx, config: &Config, new: ActiveModel, actor: &Actor) -> Result<Model, EnqueueError> {
    let hours = config.own.get::<Settings>().ticket_due_hours;
    let row = ActiveModel {
        state: Set(TicketState::Open),
        is_overdue: Set(false),
        due_at: Set(Some(now() + TimeDelta::hours(hours.into()))),
        ..new
    };
    let ticket = create_row::<Entity>(tx, row, "ticket", actor).await?;
    enqueue(tx, TicketOpened { ticket_id: ticket.id }).await?;
    Ok(ticket)
}

/// Closes a ticket.
pub async fn close(tx: &Tx, ticket: Model, actor: &Actor) -> Result<Model, DbErr> {
    let row = ActiveModel {
        state: Set(TicketState::Closed),
        ..Default::default()
    };
    update_row::<Entity>(tx, ticket, row, "ticket", actor).await
}
