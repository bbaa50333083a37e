//! What may happen to a ticket: the same for the API, the admin, jobs and commands.

use chrono::TimeDelta;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, DbErr};
use usher::{
    audit::{self, Actor, Entry},
    config::Config,
    jobs::{EnqueueError, Tx, enqueue},
    time::now,
};

use super::{
    jobs::TicketOpened,
    settings::Settings,
    ticket::{ActiveModel, Model, Priority, TicketState},
};

pub struct NewTicket {
    pub requester_id: i64,
    pub subject: String,
    pub body: String,
    pub priority: Priority,
}

/// Writes the ticket, its audit entry, and the job that tells the requester: all of it, or nothing.
pub async fn open(tx: &Tx, config: &Config, new: NewTicket, actor: &Actor) -> Result<Model, EnqueueError> {
    let (at, hours) = (now(), config.own.get::<Settings>().ticket_due_hours);
    let row = ActiveModel {
        requester_id: Set(new.requester_id),
        subject: Set(new.subject),
        body: Set(new.body),
        state: Set(TicketState::Open),
        priority: Set(new.priority),
        is_overdue: Set(false),
        due_at: Set(Some(at + TimeDelta::hours(hours.into()))),
        version: Set(1),
        created_at: Set(at),
        updated_at: Set(at),
        ..Default::default()
    };
    let ticket = row.insert(&**tx).await?;
    let entry = Entry {
        action: "open",
        object_type: "ticket",
        object_id: Some(ticket.id.to_string()),
        object_label: Some(ticket.subject.clone()),
        ..Entry::default()
    };
    audit::record(&**tx, actor, entry).await?;
    enqueue(tx, TicketOpened { ticket_id: ticket.id }).await?;
    Ok(ticket)
}

/// Closes a ticket.
pub async fn close(tx: &Tx, ticket: Model) -> Result<Model, DbErr> {
    let row = ActiveModel {
        id: Set(ticket.id),
        state: Set(TicketState::Closed),
        version: Set(ticket.version + 1),
        updated_at: Set(now()),
        ..Default::default()
    };
    row.update(&**tx).await
}
