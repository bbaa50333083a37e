//! `mfa_changed`: two-factor authentication of an account was changed.

use usher_shared::{
    accounts::{mfa, sessions},
    jobs::{MfaChange, MfaChanged},
};

use super::device::device;
use crate::{foundation::JobError, mail::moment, runtime::JobContext, texts};

/// The newest sessions, which the mail lists: they stay signed in.
const SESSIONS: usize = 10;

pub(super) async fn send(job: MfaChanged, context: JobContext) -> Result<(), JobError> {
    let Some(user) = context.account(job.user_id).await? else {
        return Ok(());
    };
    let apps = mfa::factors(&context.db, user.id).await?.len();
    let words = match job.change {
        MfaChange::Added if apps > 1 => &texts::MFA_APP_ADDED,
        MfaChange::Removed if apps > 0 => &texts::MFA_APP_REMOVED,
        MfaChange::Added => &texts::MFA_TURNED_ON,
        MfaChange::Removed => &texts::MFA_TURNED_OFF,
        MfaChange::RecoveryCodesMade => &texts::RECOVERY_CODES_MADE,
        MfaChange::RecoveryCodeUsed => &texts::RECOVERY_CODE_USED,
    };
    let message = context.message(words).fact(texts::WHEN, moment(context.job.created_at));
    let sessions = sessions::list(&context.db, user.id).await?;
    let message = sessions.iter().take(SESSIONS).fold(message, |message, session| {
        let address = session.address.as_deref().unwrap_or(texts::UNKNOWN_ADDRESS);
        message.fact(texts::SIGNED_IN, format!("{}, {address}", device(session)))
    });
    context.post(&user, message).await
}
