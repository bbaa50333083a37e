//! Jobs that send mail. Their texts are in `texts.rs`.

mod api_key_changed;
mod deletion_scheduled;
mod device;
mod email_change;
mod mfa_changed;
mod new_sign_in;
mod password;
mod session_reuse;
mod sign_up;
mod staff_digest;
mod welcome_email;

use std::time::Duration;

use usher_shared::jobs::{
    AddressOfDeletedAccount, ApiKeyChanged, DeletionScheduled, EmailChangeConfirm, EmailChangeUndo, MfaChanged,
    NewSignIn, PasswordChanged, PasswordReset, Schedule, SessionReuse, SomeoneTriedToSignUp, VerifyEmail, WelcomeEmail,
};

use self::staff_digest::{StaffDigest, StaffDigestMail};
use crate::{
    foundation::Backoff,
    runtime::{Policy, Registry},
};

/// For three days, up to an hour between attempts: as long as a link works, or the news matters.
pub(super) const FOR_DAYS: Policy = Policy {
    attempts: 80,
    backoff: Backoff {
        first: Duration::from_secs(15),
        cap: Duration::from_secs(3600),
    },
    timeout: Duration::from_secs(60),
};

/// For half an hour: people wait no longer for a link that they requested, and it works no longer.
const FOR_MINUTES: Policy = Policy {
    attempts: 12,
    backoff: Backoff {
        first: Duration::from_secs(15),
        cap: Duration::from_secs(240),
    },
    ..FOR_DAYS
};

pub(crate) fn register(registry: Registry) -> Registry {
    registry
        .register::<WelcomeEmail>(FOR_DAYS, welcome_email::send)
        .register::<VerifyEmail>(FOR_DAYS, sign_up::verify_email)
        .register::<SomeoneTriedToSignUp>(FOR_DAYS, sign_up::someone_tried)
        .register::<AddressOfDeletedAccount>(FOR_DAYS, sign_up::deleted)
        .register::<PasswordReset>(FOR_MINUTES, password::reset)
        .register::<PasswordChanged>(FOR_DAYS, password::changed)
        .register::<EmailChangeConfirm>(FOR_DAYS, email_change::confirm)
        .register::<EmailChangeUndo>(FOR_DAYS, email_change::undo)
        .register::<NewSignIn>(FOR_DAYS, new_sign_in::send)
        .register::<SessionReuse>(FOR_DAYS, session_reuse::send)
        .register::<MfaChanged>(FOR_DAYS, mfa_changed::send)
        .register::<ApiKeyChanged>(FOR_DAYS, api_key_changed::send)
        .register::<DeletionScheduled>(FOR_DAYS, deletion_scheduled::send)
        .register::<StaffDigest>(Policy::DEFAULT, staff_digest::gather)
        .register::<StaffDigestMail>(FOR_DAYS, staff_digest::send)
        .schedule(Schedule::new("staff_digest", "0 6 * * *", &StaffDigest {}))
}
