//! Retention jobs: they remove what is no longer needed, and keep the tables tidy. With their schedules.

mod delete_account;
mod fill_search_texts;
mod prune;
mod purge_deleted_users;
mod purge_expired;

use std::time::Duration;

use usher_shared::jobs::{DeleteAccount, Schedule};

use crate::runtime::{Policy, Registry};

pub(crate) use fill_search_texts::FillSearchTexts;
pub(crate) use prune::Prune;
pub(crate) use purge_deleted_users::PurgeDeletedUsers;
pub(crate) use purge_expired::PurgeExpired;

/// They commit in batches, so a run that is stopped loses little.
const POLICY: Policy = Policy {
    timeout: Duration::from_secs(3600),
    ..Policy::DEFAULT
};

pub(crate) fn register(registry: Registry) -> Registry {
    registry
        .register::<Prune>(POLICY, prune::prune)
        .register::<PurgeExpired>(POLICY, purge_expired::purge)
        .register::<DeleteAccount>(Policy::DEFAULT, delete_account::delete)
        .register::<PurgeDeletedUsers>(POLICY, purge_deleted_users::purge)
        .register::<FillSearchTexts>(POLICY, fill_search_texts::fill)
        .schedule(Schedule::new("prune", "7 * * * *", &Prune {}))
        .schedule(Schedule::new("fill_search_texts", "*/5 * * * *", &FillSearchTexts {}))
        .schedule(Schedule::new("purge_expired", "17 3 * * *", &PurgeExpired {}))
        .schedule(Schedule::new(
            "purge_deleted_users",
            "37 3 * * *",
            &PurgeDeletedUsers {},
        ))
}
