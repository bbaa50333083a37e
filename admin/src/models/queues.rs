//! Pauses and limits of queues. The jobs overview also shows queues without a row here.

use super::registered::Queues;
use crate::texts;
use sea_orm::{ActiveValue::Set, DbErr, EntityTrait, Value};
use usher_shared::{
    audit::{self, Entry, ObjectType},
    foundation::{
        config::Config,
        entity::job_queue::{ActiveModel, COLUMN as C, Column, Entity},
    },
    jobs,
};

use usher_admin_engine::{
    Action, ActionContext, AdminModel, Draft, Field, HookFuture, Meta, Ordering, Outcome, Row, SaveContext,
};

impl AdminModel for Queues {
    type Entity = Entity;

    const META: Meta = Meta::new("queues", "queue", "queues")
        .few()
        .section("Work")
        .icon("workers")
        .about("Pauses and limits. Queues that aren't listed have none.")
        .empty("No queue has been paused or limited")
        .editable();

    const ACTIONS: &'static [Action] = &[
        Action::new("pause", "Pause", |acting, row| Box::pin(pause(acting, row, true)))
            .done("paused")
            .fits(|row| row.get("paused_at").is_none(), "already paused"),
        Action::new("resume", "Resume", |acting, row| Box::pin(pause(acting, row, false)))
            .done("resumed")
            .fits(|row| row.get("paused_at").is_some(), "not paused"),
    ];

    fn ordering() -> Ordering<Entity> {
        Ordering::ascending(Column::Name)
    }

    fn field(column: Column) -> Field<Entity> {
        use Column::*;
        match column {
            Name => Field::id(C.name)
                .label("Queue")
                .link()
                .chosen()
                .help("The name that jobs use, such as mail. The queue doesn't need to have jobs yet"),
            PausedAt => Field::time(C.paused_at).list().readonly().not_new(),
            PausedBy => Field::text(C.paused_by).list().readonly().not_new(),
            MaxRunning => Field::int(C.max_running)
                .label("Concurrency limit")
                .list()
                .form()
                .help("Jobs that run at once, across all workers. Leave empty for no limit"),
            StartsPerMinute => Field::int(C.starts_per_minute)
                .label("Rate limit")
                .list()
                .form()
                .help("Jobs started per minute, across all workers. Leave empty for no limit"),
            StartedThrough => Field::internal(StartedThrough),
            Version => Field::row_version(C.version),
        }
    }

    fn clean(draft: &mut Draft, before: Option<&Row>, _: &Config) {
        if before.is_none() && !jobs::is_queue_name(draft.typed(Column::Name)) {
            draft.refuse(Column::Name, texts::queues::NAME_RULE);
        }
        for column in [Column::MaxRunning, Column::StartsPerMinute] {
            if let Some(Value::Int(Some(limit))) = draft.get(column)
                && !(1..=1_000_000).contains(limit)
            {
                draft.refuse(column, texts::queues::LIMIT_RANGE);
            }
        }
    }

    fn create<'a>(saving: &'a SaveContext<'a>, draft: &'a mut Draft) -> HookFuture<'a, Option<String>> {
        Box::pin(create(saving, draft))
    }

    fn taken(violated: &str) -> Option<(Column, &'static str)> {
        let words = texts::queues::ALREADY_LISTED;
        violated.contains("job_queues").then_some((Column::Name, words))
    }
}

async fn create(saving: &SaveContext<'_>, draft: &mut Draft) -> Result<Option<String>, DbErr> {
    let limit = |column| match draft.get(column) {
        Some(Value::Int(limit)) => *limit,
        _ => None,
    };
    let name = draft.typed(Column::Name).to_owned();
    let (max_running, starts_per_minute) = (limit(Column::MaxRunning), limit(Column::StartsPerMinute));
    let row = ActiveModel {
        name: Set(name.clone()),
        max_running: Set(max_running),
        starts_per_minute: Set(starts_per_minute),
        ..Default::default()
    };
    Entity::insert(row).exec_without_returning(&**saving.tx).await?;
    let entry = Entry {
        changes: Some(serde_json::json!({
            "max_running": [null, max_running],
            "starts_per_minute": [null, starts_per_minute],
        })),
        ..Entry::about(ObjectType::Queue, &name, &name, "create")
    };
    audit::record(&**saving.tx, saving.actor, entry).await?;
    Ok(Some(name))
}

async fn pause(acting: &ActionContext<'_>, row: &Row, paused: bool) -> Result<Outcome, DbErr> {
    let by = paused.then(|| acting.saving.actor.label.clone());
    jobs::pause_queue(acting.saving.tx, &row.text("name").unwrap_or_default(), by).await?;
    Ok(Outcome::Done)
}
