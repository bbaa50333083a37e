//! `send_webhooks`: sends what is due at one endpoint, in the order of the stream.

use std::time::{Duration, Instant};

use sea_orm::EntityTrait;
use usher_shared::{
    foundation::{
        entity::{webhook_delivery, webhook_endpoint},
        time::now,
    },
    webhooks::{self, Attempt, Keys, Networks, Recorded, SendWebhooks},
};

use super::sender::Sender;
use crate::{foundation::JobError, runtime::JobContext};

/// Deliveries that are read at once.
const BATCH: u64 = 20;
/// A run ends after this, so that others get their turn; what is left starts another one.
const TURN: Duration = Duration::from_secs(30);
/// How long a run waits for more.
const LINGER: Duration = Duration::from_millis(100);
/// How often it looks meanwhile: another process may have written deliveries.
const LOOK: Duration = Duration::from_millis(20);

pub(super) async fn send(job: SendWebhooks, context: JobContext) -> Result<(), JobError> {
    let Some(endpoint) = webhook_endpoint::Entity::find_by_id(job.endpoint_id)
        .one(&context.db)
        .await?
    else {
        return Ok(());
    };
    let is_resting = endpoint.paused_until.is_some_and(|until| now() < until);
    if endpoint.status == webhook_endpoint::WebhookStatus::Disabled || is_resting {
        return Ok(());
    }
    let keys = webhooks::keys_of(&endpoint, &context.config.secret_key);
    if keys.is_empty() {
        // Perhaps this worker alone has the wrong key, so the endpoint only rests.
        webhooks::rest(&context.db.writing(), endpoint.id).await?;
        return Err(JobError::give_up(format!(
            "neither SECRET_KEY nor SECRET_KEY_OLD opens the keys of webhook {}: correct the setting, or rotate the keys",
            endpoint.id
        )));
    }
    let networks = Networks::from(context.config.webhook_networks.clone());
    let (scheme, _) = endpoint.url.split_once(':').unwrap_or_default();
    let sender = Sender::new(networks, scheme)?;
    let (begin, mut sent, mut last_sent) = (Instant::now(), 0, Instant::now());
    let mut written = webhooks::written();
    loop {
        written.mark_unchanged();
        let due = webhooks::due(&context.db, endpoint.id, BATCH).await?;
        if due.is_empty() {
            // One job for what comes one after the other.
            if last_sent.elapsed() > LINGER || begin.elapsed() > TURN {
                break;
            }
            // It ends either way.
            let _ = tokio::time::timeout(LOOK, written.changed()).await;
            continue;
        }
        // What was changed since applies to all that is still to be sent: another run reads it.
        let now = webhook_endpoint::Entity::find_by_id(endpoint.id)
            .one(&context.db)
            .await?;
        let Some(now) = now.filter(|now| now.version == endpoint.version) else {
            return Ok(());
        };
        // The previous keys may have come to their end.
        let keys = webhooks::keys_of(&now, &context.config.secret_key);
        for delivery in &due {
            let attempt = attempt(&context, &sender, &endpoint, &keys, delivery).await?;
            sent += 1;
            last_sent = Instant::now();
            let tx = context.begin().await?;
            let recorded = webhooks::record(&tx, &endpoint, delivery, &attempt).await?;
            tx.commit().await?;
            if recorded == Recorded::Stop || begin.elapsed() > TURN {
                tracing::debug!(
                    endpoint = endpoint.id,
                    sent,
                    "the endpoint rests, or others have their turn"
                );
                return Ok(());
            }
        }
    }
    tracing::debug!(endpoint = endpoint.id, sent, "sent what was due");
    Ok(())
}

async fn attempt(
    context: &JobContext,
    sender: &Sender,
    endpoint: &webhook_endpoint::Model,
    keys: &[Keys],
    delivery: &webhook_delivery::Model,
) -> Result<Attempt, JobError> {
    let Some(event) = webhooks::event_of(&context.db, delivery).await? else {
        return Ok(Attempt {
            error: Some("the event was removed, because of its age or with its account".to_owned()),
            is_lost: true,
            ..Attempt::default()
        });
    };
    Ok(sender.send(&endpoint.url, keys, &event).await)
}
