//! The schema of PostgreSQL and SQLite, step by step. It imports no entity, so an old step never changes its meaning.

mod app;
mod dialect;
mod m20261122_000001_accounts;
mod m20261122_000002_jobs_and_mails;
mod m20261122_000003_audit_and_idempotency;
mod m20261122_000004_mail_delivery;
mod m20261122_000005_identity;
mod m20261122_000006_long_jobs;
mod m20261122_000007_audit_chain;
mod m20261122_000008_staff;
mod m20261122_000009_counted_lists;
mod m20261129_000030_what_ends_with_a_session;
mod m20261129_000050_search;
mod m20261129_000060_form_tokens;
mod m20261129_000080_lock_ends;
mod m20261130_000010_link_subjects;
mod m20261130_000020_stored_files;
mod m20261130_000030_events;
mod m20261130_000040_webhooks;
mod run;

pub use app::{AppMigrations, Schema, SqlMigration};
pub use run::{apply, undo};
pub use sea_orm_migration::{MigratorTrait, MigratorTraitSelf};

/// Every migration, oldest first.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn sea_orm_migration::MigrationTrait>> {
        vec![
            Box::new(m20261122_000001_accounts::Migration),
            Box::new(m20261122_000002_jobs_and_mails::Migration),
            Box::new(m20261122_000003_audit_and_idempotency::Migration),
            Box::new(m20261122_000004_mail_delivery::Migration),
            Box::new(m20261122_000005_identity::Migration),
            Box::new(m20261122_000006_long_jobs::Migration),
            Box::new(m20261122_000007_audit_chain::Migration),
            Box::new(m20261122_000008_staff::Migration),
            Box::new(m20261122_000009_counted_lists::Migration),
            Box::new(m20261129_000030_what_ends_with_a_session::Migration),
            Box::new(m20261129_000050_search::Migration),
            Box::new(m20261129_000060_form_tokens::Migration),
            Box::new(m20261129_000080_lock_ends::Migration),
            Box::new(m20261130_000010_link_subjects::Migration),
            Box::new(m20261130_000020_stored_files::Migration),
            Box::new(m20261130_000030_events::Migration),
            Box::new(m20261130_000040_webhooks::Migration),
        ]
    }
}
