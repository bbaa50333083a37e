//! `api_key_changed`: to the person who created the key.

use sea_orm::EntityTrait;
use usher_shared::{
    foundation::entity::api_key,
    jobs::{ApiKeyChanged, KeyChange},
};

use crate::{foundation::JobError, mail::moment, runtime::JobContext, texts};

pub(super) async fn send(job: ApiKeyChanged, context: JobContext) -> Result<(), JobError> {
    let key = api_key::Entity::find_by_id(job.key_id).one(&context.db).await?;
    let (Some(user), Some(key)) = (context.account(job.user_id).await?, key) else {
        return Ok(());
    };
    let words = match job.change {
        KeyChange::Made => &texts::API_KEY_CREATED,
        KeyChange::Changed => &texts::API_KEY_CHANGED,
        KeyChange::Rotated => &texts::API_KEY_ROTATED,
        KeyChange::Revoked => &texts::API_KEY_REVOKED,
    };
    let message = context
        .message(words)
        .fact(texts::KEY, format!("{}…", key.hint))
        .fact(texts::WHEN, moment(context.job.created_at));
    context.post(&user, message).await
}
