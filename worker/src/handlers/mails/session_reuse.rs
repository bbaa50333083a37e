//! `session_reuse`: a device was signed out, because someone else had a copy of its sign-in.

use sea_orm::EntityTrait;
use usher_shared::{foundation::entity::session, jobs::SessionReuse};

use super::device::device;
use crate::{foundation::JobError, mail::moment, runtime::JobContext, texts};

pub(super) async fn send(job: SessionReuse, context: JobContext) -> Result<(), JobError> {
    let session = session::Entity::find_by_id(job.session_id).one(&context.db).await?;
    let (Some(user), Some(session)) = (context.account(job.user_id).await?, session) else {
        return Ok(());
    };
    let message = context
        .message(&texts::SESSION_REUSE)
        .fact(texts::WHEN, moment(context.job.created_at))
        .fact(texts::DEVICE, device(&session))
        .fact(texts::SIGNED_IN, moment(session.created_at));
    context.post(&user, message).await
}
