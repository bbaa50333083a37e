//! Jobs of webhooks: they send what is due at an endpoint, and tell its creator when it is disabled.

mod disabled;
mod send;
mod sender;

use std::time::Duration;

use usher_shared::webhooks::{SendWebhooks, WebhookDisabled};

use super::mails::FOR_DAYS;
use crate::{
    foundation::Backoff,
    runtime::{Policy, Registry},
};

/// Deliveries have retries of their own. What fails here is our part, and whatever is still due then starts another
/// job.
const POLICY: Policy = Policy {
    attempts: 3,
    backoff: Backoff {
        first: Duration::from_secs(1),
        cap: Duration::from_secs(10),
    },
    timeout: Duration::from_secs(90),
};

pub(crate) fn register(registry: Registry) -> Registry {
    registry
        .register::<SendWebhooks>(POLICY, send::send)
        .register::<WebhookDisabled>(FOR_DAYS, disabled::send)
}
