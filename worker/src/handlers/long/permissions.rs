//! Whether staff may still do what they enqueued.

use usher_shared::{accounts::staff::policy::Holder, audit::Actor};

use crate::{foundation::JobError, runtime::JobContext};

/// Cancels the job when its actor has lost a permission since.
pub(super) async fn still_may(context: &JobContext, actor: &Actor, permissions: &[&str]) -> Result<Holder, JobError> {
    let holder = Holder::of(&context.db, actor).await?;
    let Some(lost) = permissions.iter().find(|permission| !holder.may(permission)) else {
        return Ok(holder);
    };
    let why = format!("{} no longer has the permission {lost}", actor.label);
    Err(JobError::cancel(why))
}
