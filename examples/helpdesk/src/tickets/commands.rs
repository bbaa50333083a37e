//! Commands of tickets.

use chrono::TimeDelta;
use clap::Args;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use usher::{AppContext, audit::Actor, entity::user, time::now};

use super::{
    rules,
    ticket::{ActiveModel, Column, Entity, Priority, TicketState},
};

/// Close tickets that nobody has touched for long
#[derive(Args)]
pub struct CloseOld {
    /// For how many days
    #[arg(long, default_value_t = 90)]
    days: u16,
}

pub async fn close_old(arguments: CloseOld, app: AppContext) -> anyhow::Result<()> {
    let old = Entity::find()
        .filter(Column::State.ne(TicketState::Closed))
        .filter(Column::UpdatedAt.lt(now() - TimeDelta::days(arguments.days.into())));
    let mut closed = 0;
    for ticket in old.clone().all(&app.db).await? {
        let tx = app.job_store.begin().await?;
        // It may have changed since: its row is locked, and closed only if it is still old.
        let still_old = old.clone().filter(Column::Id.eq(ticket.id)).lock_exclusive();
        if let Some(ticket) = still_old.one(&*tx).await? {
            rules::close(&tx, ticket, &Actor::system()).await?;
            tx.commit().await?;
            closed += 1;
        }
    }
    println!("Tickets closed: {closed}");
    Ok(())
}

/// A ticket for each of the newest users, for `helpdesk seed`.
pub async fn seed(users: u64, app: AppContext) -> anyhow::Result<()> {
    let newest = user::Entity::find()
        .order_by_desc(user::Column::Id)
        .limit(users.min(1_000));
    let ticket = |user: user::Model| ActiveModel {
        requester_id: Set(user.id),
        subject: Set(format!("A question of {}", user.name)),
        body: Set("How does it work?".to_owned()),
        state: Set(TicketState::Open),
        priority: Set(Priority::Normal),
        is_overdue: Set(false),
        version: Set(1),
        created_at: Set(now()),
        updated_at: Set(now()),
        ..Default::default()
    };
    let tickets = newest.all(&app.db).await?.into_iter().map(ticket);
    Entity::insert_many(tickets).exec(&app.db).await?;
    Ok(())
}
