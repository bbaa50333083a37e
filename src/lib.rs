//! Usher as a base for products: a [`Project`] is what a product's `main` builds, an [`App`] one of its domains.
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use usher::{App, Project};
//!
//! fn main() -> ExitCode {
//!     Project::new("helpdesk").app(App::new("tickets")).run()
//! }
//! ```
//!
//! The program that results has all of Usher's services and commands, and what the apps add to them. Modules by what
//! one works on: [`api`] for resources, [`admin`] for models and pages, [`worker`] and [`jobs`] for jobs and mails,
//! [`accounts`] for users, keys and scopes, [`db`] and [`entity`] for the database.

mod api_keys;
mod app;
mod bootstrap;
#[cfg(feature = "admin")]
mod bulk;
mod cli;
mod database;
mod dev;
mod doctor;
#[cfg(all(feature = "api", feature = "admin", feature = "worker"))]
mod generate;
#[cfg(feature = "admin")]
mod import;
mod migrate;
mod output;
mod parts;
mod project;
mod reseal;
mod schema_check;
mod seed;
mod staff;
mod up;
mod users;
mod welcome;

pub use app::App;
#[cfg(feature = "admin")]
pub use bulk::Bulk;
pub use doctor::Finding;
#[cfg(feature = "admin")]
pub use import::Import;
pub use parts::Parts;
pub use project::Project;
pub use usher_migrations::SqlMigration;
pub use usher_shared::{
    AppContext,
    accounts::staff::{
        bulk::{Applied, BulkRow},
        imports::{ImportFault, ImportRow, Imported},
    },
    foundation::program::BuiltIn,
};

/// Resources of the public API.
#[cfg(feature = "api")]
pub mod api {
    pub use usher_api::*;
}

/// Models, pages and cards of the staff admin.
#[cfg(feature = "admin")]
pub mod admin {
    pub use usher_admin::*;
    pub use usher_admin_engine::*;
}

/// Handlers of jobs, and mail.
#[cfg(feature = "worker")]
pub mod worker {
    pub use usher_worker::{
        Backoff, Delivery, Handler, JobContext, JobError, Link, MailMessage, Mailer, Options, Policy, Recipient,
        Registry, Worker,
    };
}

/// Kinds of job, and how they are enqueued.
pub mod jobs {
    pub use usher_shared::jobs::*;
}

/// Users and how they sign in, API keys and their scopes, roles and what they allow.
pub mod accounts {
    pub use usher_shared::accounts::*;
}

/// The audit log.
pub mod audit {
    pub use usher_shared::audit::*;
}

/// What happened, as a stream: the types of a product's events, and writing them.
pub mod events {
    pub use usher_shared::events::*;
}

/// The database: transactions, time limits, SQL for both kinds.
pub mod db {
    #[cfg(feature = "api")]
    pub use usher_api::{create_row, update_row};
    pub use usher_shared::foundation::db::*;
}

/// The entities of Usher's own tables.
pub mod entity {
    pub use usher_shared::foundation::entity::*;
}

/// Files that are uploaded: where they are, and how a row keeps one.
pub mod files {
    pub use usher_shared::foundation::file_store::*;
}

/// Types that parse: names, addresses and other bounded values.
pub mod rules {
    pub use usher_shared::foundation::rules::*;
}

/// A cache in memory or in Redis, which `AppContext`, the API's `AppState` and `JobContext` have as `cache`.
pub mod cache {
    pub use usher_shared::foundation::cache::*;
}

/// Settings.
pub mod config {
    pub use usher_shared::foundation::config::*;
}

/// What a product counts and measures; see [`App::metric`].
pub mod metrics {
    pub use usher_shared::foundation::metrics::{
        Counter, Counters, Durations, Family, Gauge, Histogram, Labels, Metric, Metrics,
    };
}

/// Times in whole microseconds and ids, as rows have them. Tests move both.
pub mod time {
    pub use usher_shared::foundation::time::{first_id, new_id, now, rfc3339};
}

#[cfg(feature = "allocator")]
mod allocator {
    use mimalloc::MiMalloc;

    /// A list takes a quarter less time with it than with the C library's, and an idle process is about as large.
    #[global_allocator]
    static ALLOCATOR: MiMalloc = MiMalloc;
}
