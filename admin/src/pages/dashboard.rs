//! The first page: totals, what needs attention, recent activity. Four statements, none of them unbounded.

use askama::Template;
use axum::{extract::State, response::Response};
use chrono::{DateTime, Days, TimeDelta, Utc};
use sea_orm::{
    Condition, ConnectionTrait, DbErr, EntityTrait, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, IntoCondition, Query},
};
use std::collections::HashMap;
use usher_shared::{
    audit::present_word,
    foundation::{
        entity::{audit_log, job::READY, user::UserStatus},
        time::now,
    },
};

use crate::pages::plot::{Plot, Point};
use crate::pages::queue_figures::SEEN;
use crate::pages::series::{self, Counted, Series};
use crate::state::AppState;
use crate::texts;
use usher_admin_engine::{
    AdminError, Cell, Operation, Shell, Staff, Tone, Visit, count_up_to_limit, grouped, page, readable, short_time,
    up_to_limit,
};

const RECENT: u64 = 10;

#[derive(Template)]
#[template(path = "dashboard.html")]
struct DashboardPage {
    shell: Shell,
    groups: Vec<Group>,
    plots: Vec<Plot>,
    /// None for staff who may not see the audit log.
    recent: Option<Vec<Recent>>,
    name: String,
}

/// A card of numbers about one model.
struct Group {
    title: &'static str,
    href: String,
    icon: &'static str,
    figures: Vec<Figure>,
}

struct Figure {
    label: &'static str,
    number: String,
    href: Option<String>,
    /// A CSS class if the number needs attention.
    tone: &'static str,
}

struct Recent {
    at: Cell,
    actor: String,
    action: String,
    object: Option<Cell>,
}

/// `GET /admin/`
pub(crate) async fn show(State(state): State<AppState>, visit: Visit, staff: Staff) -> Result<Response, AdminError> {
    let counts = counts(&state.db).await?;
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
    let groups = groups(&counts)
        .into_iter()
        .filter(|(permission, _)| staff.may(permission));
    page::show(&DashboardPage {
        shell: Shell::new(&state, &visit, &staff, "Dashboard").here("Dashboard"),
        groups: groups.map(|(_, group)| group).collect(),
        plots,
        recent,
        name: staff.name().to_owned(),
    })
}

/// A name, a table and which of its rows are counted.
type Counting = (&'static str, &'static str, Condition);

/// The same rows as in the lists, up to a limit of each.
fn countings() -> [Counting; 12] {
    let at = now();
    let all = |sql: &str| Expr::cust(sql.to_owned()).into_condition();
    let kept = || all("deleted_at IS NULL");
    let status = |status: UserStatus| kept().add(status.of_rows("users", at));
    let worker_seen = Expr::col("seen_at").gt(at - SEEN).into_condition();
    [
        ("users", "users", kept()),
        ("locked", "users", status(UserStatus::Locked)),
        ("deactivated", "users", status(UserStatus::Deactivated)),
        ("staff", "users", kept().add(Expr::cust("is_staff"))),
        ("ready", "jobs", all(READY)),
        ("running", "jobs", all("state = 'running'")),
        ("done", "jobs", all("state = 'done'")),
        ("dead", "jobs", all("state = 'dead'")),
        ("mails", "mails", Condition::all()),
        ("failed", "mails", all("state = 'failed'")),
        ("unknown", "mails", all("state = 'unknown'")),
        ("workers", "workers", worker_seen),
    ]
}

async fn counts(db: &impl ConnectionTrait) -> Result<HashMap<&'static str, i64>, DbErr> {
    let countings = countings();
    let mut select = Query::select();
    for (name, table, which) in &countings {
        select.expr_as(count_up_to_limit(table, which.clone()), *name);
    }
    let row = db.query_one(&select).await?;
    let row = row.ok_or_else(|| DbErr::Custom("a SELECT without FROM has one row".to_owned()))?;
    countings
        .iter()
        .map(|(name, ..)| Ok((*name, row.try_get("", name)?)))
        .collect()
}

/// A figure by the name under which it is counted: its word for one and for many, the list it opens, and its tone above
/// zero.
type Shown = (&'static str, [&'static str; 2], &'static str, Tone);

const USERS: [Shown; 4] = [
    ("users", ["user", "users"], "/admin/users", Tone::Quiet),
    ("staff", ["staff"; 2], "/admin/users?is_staff=true", Tone::Quiet),
    ("locked", ["locked"; 2], "/admin/users?status=locked", Tone::Warning),
    (
        "deactivated",
        ["deactivated"; 2],
        "/admin/users?status=deactivated",
        Tone::Quiet,
    ),
];
const JOBS: [Shown; 4] = [
    ("ready", ["ready"; 2], "/admin/jobs?state=ready", Tone::Quiet),
    ("running", ["running"; 2], "/admin/jobs?state=running", Tone::Busy),
    ("done", ["done"; 2], "/admin/jobs?state=done", Tone::Quiet),
    ("dead", ["dead"; 2], "/admin/jobs?state=dead", Tone::Bad),
];
const MAILS: [Shown; 3] = [
    ("mails", ["email", "emails"], "/admin/mails", Tone::Quiet),
    ("failed", ["failed"; 2], "/admin/mails?state=failed", Tone::Bad),
    ("unknown", ["unknown"; 2], "/admin/mails?state=unknown", Tone::Warning),
];

/// Groups of figures, each with the permission it takes.
fn groups(counts: &HashMap<&'static str, i64>) -> [(&'static str, Group); 4] {
    let figure = |(name, [one, many], href, alarm): &Shown| {
        let count = counts.get(name).copied().unwrap_or(0);
        Figure {
            label: if count == 1 { one } else { many },
            number: up_to_limit(count),
            href: Some((*href).to_owned()),
            tone: if count > 0 { alarm.class() } else { "" },
        }
    };
    let group = |title, href: &str, icon, figures| Group {
        title,
        href: href.to_owned(),
        icon,
        figures,
    };
    let all = |shown: &[Shown]| shown.iter().map(figure).collect();
    let workers = counts.get("workers").copied().unwrap_or(0);
    let online = Figure {
        label: "online",
        number: grouped(workers),
        href: None,
        tone: if workers == 0 { Tone::Warning.class() } else { "" },
    };
    [
        ("users.view", group("Users", "/admin/users", "users", all(&USERS))),
        ("jobs.view", group("Jobs", "/admin/jobs", "jobs", all(&JOBS))),
        (
            "mails.view",
            group(texts::emails::TITLE, "/admin/mails", "mails", all(&MAILS)),
        ),
        ("jobs.view", group("Workers", "/admin/jobs", "workers", vec![online])),
    ]
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
