//! Jobs that go through many rows. Each works in small steps that are kept, says how far it is, goes on after a crash
//! where it was, and lets others have its place from time to time.

mod bulk_action;

use std::time::Duration;

use usher_shared::bulk::BulkJob;

use crate::{Policy, Registry};

/// A run ends by itself long before.
const POLICY: Policy = Policy {
    timeout: Duration::from_secs(3600),
    ..Policy::DEFAULT
};

pub(crate) fn register(registry: Registry) -> Registry {
    registry.register::<BulkJob>(POLICY, bulk_action::run)
}
