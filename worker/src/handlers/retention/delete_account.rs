//! `delete_account`: deletes an account whose owner asked for it a week ago and did not change their mind.

use usher_shared::{
    accounts::users::{self, ChangeError},
    jobs::DeleteAccount,
};

use crate::{foundation::JobError, runtime::JobContext};

pub(super) async fn delete(job: DeleteAccount, context: JobContext) -> Result<(), JobError> {
    let tx = context.begin().await?;
    match users::delete_if_due(&tx, job.user_id).await {
        Ok(deleted) => tracing::info!(
            user_id = job.user_id,
            deleted,
            "checked an account that was to be deleted"
        ),
        Err(ChangeError::Db(error)) => return Err(error.into()),
        Err(other) => return Err(JobError::give_up(other.to_string())),
    }
    context.complete(tx).await
}
