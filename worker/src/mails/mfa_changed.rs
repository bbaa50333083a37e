//! `mfa_changed`: the second factor of an account is not what it was.

use usher_shared::jobs::{MfaChange, MfaChanged};

use crate::{JobContext, JobError, Letter, letter::moment};

pub(super) async fn send(job: MfaChanged, context: JobContext) -> Result<(), JobError> {
    let Some(user) = context.account(job.user_id).await? else {
        return Ok(());
    };
    let (subject, line) = match job.change {
        MfaChange::Added => (
            "Two-step sign-in was turned on",
            "From now on a code of your authenticator app is asked for when you sign in.",
        ),
        MfaChange::Removed => (
            "Two-step sign-in was turned off",
            "From now on your password alone is enough to sign in.",
        ),
        MfaChange::RecoveryCodesMade => (
            "You have new recovery codes",
            "New recovery codes were made; the ones before them no longer work.",
        ),
        MfaChange::RecoveryCodeUsed => (
            "A recovery code was used",
            "Somebody signed in with one of your recovery codes; it does not work again.",
        ),
    };
    let (house, app) = (context.house(), &context.config.app_url);
    let letter = Letter::new(subject)
        .line(line)
        .line(format!(
            "If it was not you, somebody else knows your password: ask for a new one at {app} now."
        ))
        .fact("When", moment(context.job.created_at))
        .why(format!(
            "You receive this mail because it is about the safety of your account at {house}."
        ));
    context.post(&user, letter).await
}
