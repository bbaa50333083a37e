//! Usher's own domains in the admin, each registered as an app of a product is.

use axum::{
    extract::DefaultBodyLimit,
    routing::{MethodRouter, get},
};
use sea_orm::sea_query::{Condition, Expr, ExprTrait, IntoCondition};
use usher_admin_engine::{AdminContext, Card, Extension, Figure, Inline, Page, Site, Tone};
use usher_shared::{
    accounts::staff::imports,
    audit::ObjectType,
    foundation::{
        entity::{
            audit_log, event,
            job::{self, READY},
            mail,
            user::{self, UserStatus},
            worker,
        },
        program::BuiltIn,
        time::now,
    },
};

use crate::models::{
    ApiKeys, AuditLog, Breakers, Deliveries, Events, Jobs, Mails, Queues, Roles, Schedules, Sessions, Suppressions,
    Users, Webhooks,
};
use crate::pages::queue_figures::{self, SEEN};
use crate::pages::{impersonation, jobs_overview, mail_body, user_import};
use crate::texts;

/// What the addresses of the admin begin with.
pub(crate) const BASE: &str = "/admin";
/// Where pages hear of changes.
pub(crate) const LIVE: &str = "/admin/live";

/// The admin of a product: what it adds, then Usher's own.
pub(crate) fn site(product: &Extension) -> Result<Site, String> {
    Site::new(BASE, &product.clone().merge(built_in()))
}

/// The product's extension, without this part of Usher.
pub(crate) fn without(product: Extension, part: BuiltIn) -> Extension {
    match part {
        BuiltIn::UserImport => product.without_page(user_import::HERE),
        BuiltIn::Impersonation => product.without_action::<Users>(impersonation::ACTION),
        // Parts of the API.
        BuiltIn::SelfSignUp | BuiltIn::OAuthToken | BuiltIn::ApiKeyOperations => product,
    }
}

/// In the order of the navigation.
fn built_in() -> Extension {
    accounts().merge(jobs()).merge(mails()).merge(webhooks()).merge(audit())
}

fn accounts() -> Extension {
    Extension::new("accounts")
        .reserve(&[
            "login",
            "logout",
            "mfa",
            "theme",
            "reauthenticate",
            "account",
            "impersonation",
            "live",
        ])
        .tells_at(LIVE)
        .model::<Users>()
        .model::<Roles>()
        .model::<Sessions>()
        .model::<ApiKeys>()
        .page(import(user_import::HERE, import_form()))
        .page(import(
            "/admin/users/import/{id}",
            get(user_import::show).post(user_import::run),
        ))
        .page(import("/admin/users/import/{id}/faults.csv", get(user_import::faults)))
        .page(import(
            "/admin/users/import/{id}/changes.csv",
            get(user_import::changes),
        ))
        .card(users_card())
}

fn import(path: &'static str, methods: MethodRouter<AdminContext>) -> Page {
    Page::new(path, "Import", imports::PERMISSION, methods)
}

fn import_form() -> MethodRouter<AdminContext> {
    let methods = get(user_import::form).post(user_import::check);
    methods.layer(DefaultBodyLimit::disable())
}

fn users_card() -> Card {
    let count = Figure::count::<user::Entity>;
    Card::new("Users", "/admin/users", "users.view")
        .icon("users")
        .figure(count(["user", "users"], kept).link("/admin/users"))
        .figure(count(["staff"; 2], || kept().add(Expr::cust("is_staff"))).link("/admin/users?is_staff=true"))
        .figure(
            count(["locked"; 2], || with_status(UserStatus::Locked))
                .link("/admin/users?status=locked")
                .tone(Tone::Warning),
        )
        .figure(
            count(["deactivated"; 2], || with_status(UserStatus::Deactivated)).link("/admin/users?status=deactivated"),
        )
}

/// Users that are not deleted.
fn kept() -> Condition {
    where_sql("deleted_at IS NULL")
}

fn with_status(status: UserStatus) -> Condition {
    kept().add(status.of_rows("users", now()))
}

fn where_sql(sql: &'static str) -> Condition {
    Expr::cust(sql).into_condition()
}

fn jobs() -> Extension {
    let overview = get(jobs_overview::show).post(jobs_overview::change);
    let overview = overview.layer(axum::Extension(queue_figures::Cache::default()));
    let of_user = Inline::of::<Jobs, _>(
        job::Column::UserId,
        [job::Column::Kind, job::Column::State, job::Column::CreatedAt],
    );
    Extension::new("jobs")
        .model::<Jobs>()
        .model::<Schedules>()
        .model::<Queues>()
        .inline_of::<Users>(of_user.empty("No jobs yet."))
        .page(Page::new("/admin/jobs/overview", "Overview", "jobs.view", overview))
        .card(jobs_card())
        .card(
            Card::new("Workers", "/admin/jobs", "jobs.view").icon("workers").figure(
                Figure::count::<worker::Entity>(["online"; 2], || {
                    Expr::col("seen_at").gt(now() - SEEN).into_condition()
                })
                .tone_at_zero(Tone::Warning),
            ),
        )
}

fn jobs_card() -> Card {
    let count = Figure::count::<job::Entity>;
    Card::new("Jobs", "/admin/jobs", "jobs.view")
        .icon("jobs")
        .figure(count(["ready"; 2], || where_sql(READY)).link("/admin/jobs?state=ready"))
        .figure(
            count(["running"; 2], || where_sql("state = 'running'"))
                .link("/admin/jobs?state=running")
                .tone(Tone::Busy),
        )
        .figure(count(["done"; 2], || where_sql("state = 'done'")).link("/admin/jobs?state=done"))
        .figure(
            count(["dead"; 2], || where_sql("state = 'dead'"))
                .link("/admin/jobs?state=dead")
                .tone(Tone::Bad),
        )
}

fn mails() -> Extension {
    let of_user = Inline::of::<Mails, _>(
        mail::Column::UserId,
        [mail::Column::Subject, mail::Column::State, mail::Column::CreatedAt],
    );
    let page = |path, label, methods| Page::new(path, label, "mails.view", methods);
    Extension::new("mails")
        .model::<Mails>()
        .model::<Suppressions>()
        .model::<Breakers>()
        .inline_of::<Users>(of_user.empty("No emails yet."))
        .page(page("/admin/mails/{id}/body", "Content", get(mail_body::show)))
        .page(page("/admin/mails/{id}/links", "Links", get(mail_body::links)))
        .card(mails_card())
}

fn mails_card() -> Card {
    let count = Figure::count::<mail::Entity>;
    Card::new(texts::emails::TITLE, "/admin/mails", "mails.view")
        .icon("mails")
        .figure(count(["email", "emails"], Condition::all).link("/admin/mails"))
        .figure(
            count(["failed"; 2], || where_sql("state = 'failed'"))
                .link("/admin/mails?state=failed")
                .tone(Tone::Bad),
        )
        .figure(
            count(["unknown"; 2], || where_sql("state = 'unknown'"))
                .link("/admin/mails?state=unknown")
                .tone(Tone::Warning),
        )
}

fn webhooks() -> Extension {
    Extension::new("webhooks").model::<Webhooks>().model::<Deliveries>()
}

fn audit() -> Extension {
    use audit_log::Column;
    let of_user = Inline::of::<AuditLog, _>(Column::ObjectId, [Column::Action, Column::ActorLabel, Column::At])
        .only(Column::ObjectType, ObjectType::User.as_str())
        .title("Audit log")
        .empty("No activity yet.");
    let events_of_user = Inline::of::<Events, _>(
        event::Column::UserId,
        [event::Column::Id, event::Column::Kind, event::Column::At],
    );
    Extension::new("audit")
        .model::<AuditLog>()
        .model::<Events>()
        .inline_of::<Users>(of_user)
        .inline_of::<Users>(events_of_user.empty("No events."))
}
