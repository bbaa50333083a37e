//! Queues in the admin: those that staff have said something about. The overview of jobs shows all of them.

use sea_orm::DbErr;
use usher_shared::{
    entity::job_queue::{COLUMN as C, Column, Entity},
    jobs,
};

use crate::engine::{Acting, Action, AdminModel, Field, Meta, Ordering, Ran, Row};

impl AdminModel for Entity {
    const META: Meta = Meta::new("queues", "queue", "queues")
        .few()
        .section("Work")
        .icon("workers")
        .about("What staff said about queues. A queue that is not listed runs without limits.");

    const ACTIONS: &'static [Action] = &[
        Action::new("pause", "Pause", |acting, row| Box::pin(pause(acting, row, true)))
            .done("paused")
            .fits(|row| row.get("paused_at").is_none(), "it is paused already"),
        Action::new("resume", "Resume", |acting, row| Box::pin(pause(acting, row, false)))
            .done("resumed")
            .fits(|row| row.get("paused_at").is_some(), "it is not paused"),
    ];

    fn ordering() -> Ordering<Self> {
        Ordering::ascending(Column::Name)
    }

    fn field(column: Column) -> Field<Self> {
        use Column::*;
        match column {
            Name => Field::id(C.name).label("Queue").link(),
            PausedAt => Field::time(C.paused_at).list().readonly(),
            PausedBy => Field::text(C.paused_by).list().readonly(),
            MaxRunning => Field::int(C.max_running).label("Running at most").list().readonly(),
            StartsPerMinute => Field::int(C.starts_per_minute).list().readonly(),
            StartedThrough => Field::internal(StartedThrough),
        }
    }
}

async fn pause(acting: &Acting<'_>, row: &Row, paused: bool) -> Result<Ran, DbErr> {
    let by = paused.then(|| acting.saving.actor.label.clone());
    jobs::pause_queue(acting.saving.tx, &row.text("name").unwrap_or_default(), by).await?;
    Ok(Ran::Done)
}
