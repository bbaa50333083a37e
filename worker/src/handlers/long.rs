//! Jobs over many rows. They commit in small steps, report progress, continue after a crash, and from time to time go
//! to the end of their queue.

mod bulk_action;
mod csv_file;
mod export;
mod import;
mod import_users;
mod permissions;
mod sheet;

use std::time::Duration;

use usher_shared::accounts::staff::{
    bulk::BulkJob,
    exports::ExportJob,
    imports::{ImportJob, ImportUsers},
};

use crate::runtime::{Policy, Registry};

/// A run ends long before.
const POLICY: Policy = Policy {
    timeout: Duration::from_secs(3600),
    ..Policy::DEFAULT
};

pub(crate) fn register(registry: Registry) -> Registry {
    registry
        .register::<BulkJob>(POLICY, bulk_action::run)
        .register::<ExportJob>(POLICY, export::run)
        .register::<ImportUsers>(POLICY, import_users::run)
        .register::<ImportJob>(POLICY, import::run)
}
