//! Schedules: when they run, whether they are enabled, and an action to run one now.

use super::registered::Schedules;
use crate::texts;
use sea_orm::{DbErr, EntityTrait, IdenStatic};
use usher_shared::{
    foundation::{
        config::Config,
        entity::job_schedule::{COLUMN as C, Column, Entity},
        time::now,
    },
    jobs::{self, ScheduleError, check_pattern, next_occurrence, next_occurrences},
};

use usher_admin_engine::{Action, ActionContext, AdminModel, Draft, Field, Meta, Ordering, Outcome, Row, Search, Tone};

/// Upcoming runs listed beside the pattern.
const RUNS_SHOWN: usize = 5;

impl AdminModel for Schedules {
    type Entity = Entity;

    const META: Meta = Meta::new("schedules", "schedule", "schedules")
        .few()
        .section("Work")
        .icon("schedules")
        .about("Recurring jobs. Built in; you set the times.")
        .changeable();

    const ACTIONS: &'static [Action] = &[
        Action::new("run_now", "Run now", |acting, row| Box::pin(run_now(acting, row))).done("started"),
        Action::new("enable", "Enable", |acting, row| Box::pin(enable(acting, row, true)))
            .done("enabled")
            .fits(|row| !row.is_true("enabled"), "already enabled"),
        Action::new("disable", "Disable", |acting, row| Box::pin(enable(acting, row, false)))
            .done("disabled")
            .fits(|row| row.is_true("enabled"), "already disabled"),
    ];

    fn ordering() -> Ordering<Entity> {
        Ordering::ascending(Column::Name)
    }

    fn field(column: Column) -> Field<Entity> {
        use Column::*;
        match column {
            Id => Field::id(C.id),
            Name => Field::text(C.name).link().sort().search(Search::Words).readonly(),
            Queue => Field::text(C.queue).list().readonly(),
            Kind => Field::text(C.kind).list().readonly(),
            Version => Field::internal(Version),
            Payload => Field::json(C.payload).readonly(),
            Priority => Field::int(C.priority).readonly(),
            Cron => Field::text(C.cron)
                .list()
                .form()
                .help("A cron pattern with five fields, such as 0 7 * * 1-5"),
            TimeZone => Field::text(C.time_zone).form().help("Such as UTC or Europe/Paris"),
            CatchUp => Field::choice(
                C.catch_up,
                |_: &usher_shared::foundation::entity::job_schedule::CatchUp| Tone::Quiet,
            )
            .form()
            .help("What to do about runs missed while no worker was online"),
            Enabled => Field::bool(C.enabled).list().filter().readonly(),
            NextRunAt => Field::time(C.next_run_at).label("Next run").list().readonly(),
            LastRunAt => Field::time(C.last_run_at).label("Last run").list().readonly(),
            RowVersion => Field::row_version(C.row_version),
            CreatedAt => Field::time(C.created_at).readonly(),
            UpdatedAt => Field::touched(C.updated_at),
        }
    }

    /// The next run is set anew only when it follows from something else than before: one that is overdue would be
    /// lost.
    fn clean(draft: &mut Draft, before: Option<&Row>, _: &Config) {
        let is_new = |column: Column| {
            let stored = before.and_then(|row| row.text(column.as_str()));
            draft.text(column) != stored
        };
        let has_new_times = is_new(Column::Cron) || is_new(Column::TimeZone);
        let comes_again = is_new(Column::Enabled) && draft.text(Column::Enabled).as_deref() == Some("true");
        if !has_new_times && !comes_again {
            return;
        }
        let next = match has_new_times {
            true => check_pattern(draft.typed(Column::Cron), draft.typed(Column::TimeZone), now()),
            false => next_occurrence(draft.typed(Column::Cron), draft.typed(Column::TimeZone), now()),
        };
        match next {
            Ok(next) => draft.set(Column::NextRunAt, next),
            Err(error @ ScheduleError::TimeZone(_)) => draft.refuse(Column::TimeZone, error.to_string()),
            Err(error) => draft.refuse(Column::Cron, error.to_string()),
        }
    }

    fn notes(column: Column, shown: &dyn Fn(Column) -> String) -> Vec<String> {
        if !matches!(column, Column::Cron) {
            return vec![];
        }
        let (cron, zone) = (shown(Column::Cron), shown(Column::TimeZone));
        let Ok(times) = next_occurrences(&cron, &zone, now(), RUNS_SHOWN) else {
            return vec![];
        };
        let times = times.iter().map(|at| at.format("%a %Y-%m-%d %H:%M %Z").to_string());
        let head = match shown(Column::Enabled).as_str() {
            "true" => "Next runs:",
            _ => "Next runs once enabled:",
        };
        std::iter::once(head.to_owned()).chain(times).collect()
    }
}

fn id_of(row: &Row) -> i64 {
    row.parse("id").unwrap_or_default()
}

async fn run_now(acting: &ActionContext<'_>, row: &Row) -> Result<Outcome, DbErr> {
    let schedule = Entity::find_by_id(id_of(row)).one(&**acting.saving.tx).await?;
    let Some(schedule) = schedule else {
        return Ok(Outcome::Skipped(texts::refusals::GONE.into()));
    };
    match jobs::run_schedule(acting.saving.tx, &schedule, acting.saving.actor.to_string()).await {
        Ok(_) => {
            if jobs::is_paused(&**acting.saving.tx, &schedule.queue).await? {
                acting
                    .saving
                    .remark(texts::queues::paused(&schedule.queue, "the job waits"));
            }
            Ok(Outcome::Done)
        }
        Err(ScheduleError::Db(error)) => Err(error),
        Err(error) => Ok(Outcome::Skipped(error.to_string().into())),
    }
}

async fn enable(acting: &ActionContext<'_>, row: &Row, enabled: bool) -> Result<Outcome, DbErr> {
    match jobs::enable_schedule(acting.saving.tx, id_of(row), enabled).await {
        Ok(()) => Ok(Outcome::Done),
        Err(ScheduleError::Db(error)) => Err(error),
        Err(error) => Ok(Outcome::Skipped(error.to_string().into())),
    }
}
