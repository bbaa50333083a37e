//! Jobs that go through many rows. Each works in small steps that are kept, says how far it is, goes on after a crash
//! where it was, and lets others have its place from time to time.

mod bulk_action;
mod export;
mod import_users;
mod sheet;

use std::time::Duration;

use usher_shared::{
    accounts::staff::{bulk::BulkJob, exports::ExportJob, imports::ImportUsers, policy::Holder},
    audit::Actor,
};

use crate::{JobContext, JobError, Policy, Registry};

/// A run ends by itself long before.
const POLICY: Policy = Policy {
    timeout: Duration::from_secs(3600),
    ..Policy::DEFAULT
};

/// Whoever lost their rights since they ordered this gets no more of it.
async fn still_may(context: &JobContext, actor: &Actor, permissions: &[&str]) -> Result<Holder, JobError> {
    let holder = Holder::of(&context.db, actor).await?;
    let Some(lost) = permissions.iter().find(|permission| !holder.may(permission)) else {
        return Ok(holder);
    };
    let why = format!("{} ordered this and may not any more: {lost}", actor.label);
    Err(JobError::cancel(why))
}

pub(crate) fn register(registry: Registry) -> Registry {
    registry
        .register::<BulkJob>(POLICY, bulk_action::run)
        .register::<ExportJob>(POLICY, export::run)
        .register::<ImportUsers>(POLICY, import_users::run)
}
