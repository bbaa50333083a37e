//! `session_reuse`: a device was signed out, because somebody else holds a copy of its sign-in.

use sea_orm::EntityTrait;
use usher_shared::{foundation::entity::session, jobs::SessionReuse};

use super::new_sign_in::device;
use crate::{JobContext, JobError, Letter, letter::moment};

pub(super) async fn send(job: SessionReuse, context: JobContext) -> Result<(), JobError> {
    let session = session::Entity::find_by_id(job.session_id).one(&context.db).await?;
    let (Some(user), Some(session)) = (context.account(job.user_id).await?, session) else {
        return Ok(());
    };
    let (product, app) = (context.product(), &context.config.app_url);
    let letter = Letter::new("We signed one of your devices out")
        .line(format!(
            "A sign-in to your account at {product} was used twice: by the device below and by a copy of it. To be safe we have ended it, on both sides."
        ))
        .line(format!(
            "Sign in again on the device at {app}. If somebody else may have had access to it, also choose a new password there."
        ))
        .fact("When", moment(context.job.created_at))
        .fact("Device", device(session.user_agent.as_deref().unwrap_or_default()))
        .fact("Signed in", moment(session.created_at))
        .why(format!("You receive this mail because it is about the safety of your account at {product}."));
    context.post(&user, letter).await
}
