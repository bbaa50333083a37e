//! `webhook_disabled`: to the person who created the endpoint.

use sea_orm::EntityTrait;
use usher_shared::{foundation::entity::webhook_endpoint, webhooks::WebhookDisabled};

use crate::{foundation::JobError, mail::moment, runtime::JobContext, texts};

pub(super) async fn send(job: WebhookDisabled, context: JobContext) -> Result<(), JobError> {
    let endpoint = webhook_endpoint::Entity::find_by_id(job.endpoint_id)
        .one(&context.db)
        .await?;
    let (Some(user), Some(endpoint)) = (context.account(job.user_id).await?, endpoint) else {
        return Ok(());
    };
    let reason = endpoint.disabled_reason.unwrap_or_default();
    let message = context
        .message(&texts::WEBHOOK_DISABLED)
        .fact(texts::URL, endpoint.url)
        .fact(texts::REASON, reason)
        .fact(texts::WHEN, moment(context.job.created_at));
    context.post(&user, message).await
}
