//! `mfa_changed`: the second factor of an account is not what it was.

use usher_shared::{
    accounts::{mfa, sessions},
    jobs::{MfaChange, MfaChanged},
};

use super::new_sign_in::device;
use crate::{JobContext, JobError, Letter, letter::moment};

/// The newest sessions, which the mail lists: whoever else is signed in stays so.
const SESSIONS: usize = 10;

pub(super) async fn send(job: MfaChanged, context: JobContext) -> Result<(), JobError> {
    let Some(user) = context.account(job.user_id).await? else {
        return Ok(());
    };
    let apps = mfa::factors(&context.db, user.id).await?.len();
    let (subject, line) = match job.change {
        MfaChange::Added if apps > 1 => (
            "An authenticator app was added",
            "Codes of one more authenticator app are accepted when you sign in.",
        ),
        MfaChange::Removed if apps > 0 => (
            "An authenticator app was removed",
            "Its codes no longer work. You still need a code from another app to sign in.",
        ),
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
    let (product, app) = (context.product(), &context.config.app_url);
    let letter = Letter::new(subject)
        .line(line)
        .line(format!(
            "If it was not you, somebody else knows your password: ask for a new one at {app} now."
        ))
        .fact("When", moment(context.job.created_at))
        .why(format!(
            "You receive this mail because it is about the safety of your account at {product}."
        ));
    let sessions = sessions::list(&context.db, user.id).await?;
    let letter = sessions.iter().take(SESSIONS).fold(letter, |letter, session| {
        let device = device(session.user_agent.as_deref().unwrap_or_default());
        let address = session.address.as_deref().unwrap_or("an unknown address");
        letter.fact("Signed in", format!("{device}, {address}"))
    });
    context.post(&user, letter).await
}
