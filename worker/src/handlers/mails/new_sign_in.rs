//! `new_sign_in`: someone signed in from a device that is new to the account.

use sea_orm::EntityTrait;
use usher_shared::{foundation::entity::session, jobs::NewSignIn};

use super::device::device;
use crate::{foundation::JobError, mail::moment, runtime::JobContext, texts};

pub(super) async fn send(job: NewSignIn, context: JobContext) -> Result<(), JobError> {
    let session = session::Entity::find_by_id(job.session_id).one(&context.db).await?;
    let (Some(user), Some(session)) = (context.account(job.user_id).await?, session) else {
        return Ok(());
    };
    let message = context
        .message(&texts::NEW_SIGN_IN)
        .fact(texts::WHEN, moment(session.created_at))
        .fact(texts::DEVICE, device(&session))
        .fact(texts::ADDRESS, session.address.as_deref().unwrap_or(texts::UNKNOWN));
    context.post(&user, message).await
}
