//! Webhooks: events that are sent to other services over HTTP, by the Standard Webhooks specification.
//!
//! [`dispatch`] reads the stream of events and writes a delivery for each endpoint that wants an event, together with
//! how far it has come: nothing is left out or entered twice. A job for each endpoint sends what is due, so that a slow
//! endpoint delays no other one. Sending is at least once: whoever is killed between the answer and its recording sends
//! again, under the same id.

mod deliveries;
mod dispatch;
mod endpoints;
mod keys;
mod networks;
mod reseal;
mod url;

pub use deliveries::{Attempt, Recorded, due, event_of, prune, record, replay, rest, send_test};
pub use dispatch::{Dispatched, dispatch, written};
pub use endpoints::{
    EndpointEdit, NewEndpoint, OLD_KEYS_GRACE, create, delete, disable, edit, enable, find_for_change, keys_of, rotate,
};
pub use keys::Keys;
pub use networks::{Networks, Refused};
pub use reseal::{Resealed, reseal};
pub use url::WebhookUrl;

use serde::{Deserialize, Serialize};

use crate::jobs::{Job, MAIL_QUEUE};

/// The queue of webhooks.
pub const WEBHOOK_QUEUE: &str = "webhooks";

/// Sends what is due at one endpoint. At most one for each endpoint is ready or running.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SendWebhooks {
    pub endpoint_id: i64,
}

impl Job for SendWebhooks {
    const KIND: &'static str = "send_webhooks";
    const QUEUE: &'static str = WEBHOOK_QUEUE;
}

/// Tells the creator of an endpoint that nothing is sent there any more.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WebhookDisabled {
    pub user_id: i64,
    pub endpoint_id: i64,
}

impl Job for WebhookDisabled {
    const KIND: &'static str = "webhook_disabled";
    const QUEUE: &'static str = MAIL_QUEUE;

    fn user_id(&self) -> Option<i64> {
        Some(self.user_id)
    }
}
