//! The first page: the cards of all apps, what needs attention, recent activity. Four statements, none of them
//! unbounded, unless a card reads figures of its own.

use askama::Template;
use axum::{extract::State, response::Response};
use chrono::{DateTime, Days, TimeDelta, Utc};
use sea_orm::{DbErr, EntityTrait, QueryOrder, QuerySelect};
use usher_shared::{audit::present_word, foundation::entity::audit_log};

use crate::pages::plot::{Plot, Point};
use crate::pages::series::{self, Counted, Series};
use crate::state::AppState;
use usher_admin_engine::{
    AdminError, Cell, DrawnCard, Operation, Shell, Staff, Visit, cards, page, readable, short_time,
};

const RECENT: u64 = 10;
/// Seconds between the page's looks for what no event tells of.
const EVERY: u16 = 5;

#[derive(Template)]
#[template(path = "dashboard.html")]
struct DashboardPage {
    shell: Shell,
    cards: Vec<DrawnCard>,
    plots: Vec<Plot>,
    /// None for staff who may not see the audit log.
    recent: Option<Vec<Recent>>,
    name: String,
}

struct Recent {
    at: Cell,
    actor: String,
    action: String,
    object: Option<Cell>,
}

/// `GET /admin/`
pub(crate) async fn show(State(state): State<AppState>, visit: Visit, staff: Staff) -> Result<Response, AdminError> {
    let cards = cards(&state, &staff).await?;
    let mut plots = vec![];
    if ["users.view", "sessions.view", "jobs.view"]
        .iter()
        .any(|one| staff.may(one))
    {
        let series = state.series.read(&state.db).await?;
        plots.extend(staff.may("users.view").then(|| signups(&series)));
        plots.extend(staff.may("sessions.view").then(|| log_ins(&series)));
        plots.extend(staff.may("jobs.view").then(|| jobs_done(&series)));
    }
    let recent = if staff.may("audit.view") {
        Some(recent(&state, &staff).await?)
    } else {
        None
    };
    page::show(&DashboardPage {
        shell: Shell::new(&state, &visit, &staff, "Dashboard")
            .here("Dashboard")
            .live(EVERY)
            .told_of(&state, "*", None),
        cards,
        plots,
        recent,
        name: staff.name().to_owned(),
    })
}

fn signups(series: &Series) -> Plot {
    Plot::new(
        "Sign-ups per day",
        ["sign-up in the last 14 days", "sign-ups in the last 14 days"],
        by_day(series, Counted::SignUps),
    )
}

fn log_ins(series: &Series) -> Plot {
    Plot::new(
        "Sign-ins per day",
        ["sign-in in the last 14 days", "sign-ins in the last 14 days"],
        by_day(series, Counted::LogIns),
    )
}

fn by_day(series: &Series, what: Counted) -> Vec<Point> {
    let point = |day: DateTime<Utc>| Point {
        tick: day.format("%-d %b").to_string(),
        label: day.format("%Y-%m-%d").to_string(),
        value: series.number(what, day),
    };
    (0..series::DAYS)
        .map(|day| point(series::first_day() + Days::new(day)))
        .collect()
}

fn jobs_done(series: &Series) -> Plot {
    let hours = (0..series::HOURS).map(|hour| series::first_hour() + TimeDelta::hours(hour));
    let points = hours.map(|hour| Point {
        tick: hour.format("%H:00").to_string(),
        label: hour.format("%Y-%m-%d %H:00 UTC").to_string(),
        value: series.number(Counted::JobsDone, hour),
    });
    Plot::new(
        "Jobs done per hour",
        ["job in the last 24 hours", "jobs in the last 24 hours"],
        points.collect(),
    )
}

async fn recent(state: &AppState, staff: &Staff) -> Result<Vec<Recent>, DbErr> {
    let query = audit_log::Entity::find()
        .order_by_desc(audit_log::Column::Id)
        .limit(RECENT);
    let rows = query.all(&state.db).await?;
    let recent = rows.into_iter().map(|row| {
        let model = state
            .site
            .models
            .iter()
            .find(|model| model.meta.object_type() == present_word(&row.object_type));
        let label = row.object_label.clone().or_else(|| row.object_id.clone());
        let object = label.map(|label| match (model, &row.object_id) {
            (Some(model), Some(id)) if model.allows(staff, Operation::View) => {
                Cell::link(label, format!("{}/{id}", model.href()))
            }
            _ => Cell::text(label),
        });
        Recent {
            at: Cell {
                text: short_time(row.at),
                ..Cell::time(row.at)
            },
            actor: row.actor_label,
            action: readable(&row.action),
            object,
        }
    });
    Ok(recent.collect())
}
