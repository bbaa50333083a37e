//! `api_key_changed`: a key that somebody made is not what it was, or there is a new one in their name.

use sea_orm::EntityTrait;
use usher_shared::{
    foundation::entity::api_key,
    jobs::{ApiKeyChanged, KeyChange},
};

use crate::{JobContext, JobError, Letter, letter::moment};

pub(super) async fn send(job: ApiKeyChanged, context: JobContext) -> Result<(), JobError> {
    let key = api_key::Entity::find_by_id(job.key_id).one(&context.db).await?;
    let (Some(user), Some(key)) = (context.account(job.user_id).await?, key) else {
        return Ok(());
    };
    let (subject, line) = match job.change {
        KeyChange::Made => (
            "A new API key was made",
            "An API key was made with your account. It works without your password.",
        ),
        KeyChange::Changed => (
            "One of your API keys was changed",
            "An API key that you made has another name, scope, address range, limit or end.",
        ),
        KeyChange::Rotated => (
            "One of your API keys has a new secret",
            "An API key that you made was given a new secret. The one before it ends.",
        ),
        KeyChange::Revoked => (
            "One of your API keys was revoked",
            "An API key that you made no longer works.",
        ),
    };
    let (product, app) = (context.product(), &context.config.app_url);
    let letter = Letter::new(subject)
        .line(line)
        .line(format!(
            "If you don't know why, ask a colleague or look at the key's history. If nobody you work with did it, choose a \
             new password at {app} now and revoke the key."
        ))
        .fact("Key", format!("{}…", key.hint))
        .fact("When", moment(context.job.created_at))
        .why(format!(
            "You receive this mail because it is about the safety of your account at {product}."
        ));
    context.post(&user, letter).await
}
