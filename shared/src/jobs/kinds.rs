//! Payloads that two services must agree on. The worker has their handlers.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::job::{Job, Priority};

/// The queue of all mails.
pub const MAIL_QUEUE: &str = "mail";

/// The queue of jobs that take minutes over many rows.
pub const LONG_QUEUE: &str = "long";

/// What happened to the second factor of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MfaChange {
    Added,
    Removed,
    RecoveryCodesMade,
    RecoveryCodeUsed,
}

/// What happened to an API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyChange {
    Made,
    Changed,
    Rotated,
    Revoked,
}

/// Declares jobs that concern one user: the payload's fields besides `user_id`, then kind, queue and priority.
macro_rules! jobs_of_users {
    ($(
        $(#[$of_job:meta])* $job:ident { $($(#[$of_field:meta])* $field:ident: $type:ty,)* }
        = $kind:literal, $queue:expr, $priority:ident;
    )*) => {$(
        $(#[$of_job])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub struct $job {
            pub user_id: i64,
            $($(#[$of_field])* pub $field: $type,)*
        }

        impl Job for $job {
            const KIND: &'static str = $kind;
            const QUEUE: &'static str = $queue;
            const PRIORITY: Priority = Priority::$priority;

            fn user_id(&self) -> Option<i64> {
                Some(self.user_id)
            }
        }
    )*};
}

jobs_of_users! {
    /// Welcomes a new account with a link to set a password. Safe to run twice.
    WelcomeEmail {} = "welcome_email", MAIL_QUEUE, Normal;

    /// Asks the owner of a new address to verify it. Does nothing if it is verified already.
    VerifyEmail {} = "verify_email", MAIL_QUEUE, High;

    /// Tells an owner that somebody tried to sign up with their address, which the answer to the sign-up doesn't
    /// reveal.
    SomeoneTriedToSignUp {} = "someone_tried_to_sign_up", MAIL_QUEUE, Normal;

    /// Tells the owner of an address that its account is deleted, because somebody signed up with it or asked for a
    /// link: the address is free once the account is purged.
    AddressOfDeletedAccount {} = "address_of_deleted_account", MAIL_QUEUE, Normal;

    /// Sends the link that replaces a forgotten password.
    PasswordReset {} = "password_reset", MAIL_QUEUE, High;

    /// Tells an owner that the password was changed, at the time the job was enqueued.
    PasswordChanged {} = "password_changed", MAIL_QUEUE, Normal;

    /// Asks the owner of a new address to confirm it.
    EmailChangeConfirm {
        /// The requested address, which is not the account's yet.
        new_email: String,
    } = "email_change_confirm", MAIL_QUEUE, High;

    /// Tells the old address that the account has a new one, and how to undo that.
    EmailChangeUndo {
        /// The account's previous address.
        old_email: String,
    } = "email_change_undo", MAIL_QUEUE, Normal;

    /// Tells an owner about a sign-in from a new device.
    NewSignIn {
        /// Has the time, address and device. No mail is sent if the session is gone.
        session_id: Uuid,
    } = "new_sign_in", MAIL_QUEUE, Normal;

    /// Tells an owner that a session was ended because a refresh token was used again after its successor: somebody has
    /// a copy.
    SessionReuse {
        session_id: Uuid,
    } = "session_reuse", MAIL_QUEUE, Normal;

    /// Tells an owner that the second factor was changed, at the time the job was enqueued.
    MfaChanged {
        change: MfaChange,
    } = "mfa_changed", MAIL_QUEUE, Normal;

    /// Tells the creator of an API key that it was created, changed, rotated or revoked, no matter by whom.
    ApiKeyChanged {
        key_id: i64,
        change: KeyChange,
    } = "api_key_changed", MAIL_QUEUE, Normal;

    /// Tells an owner when the account will be deleted, and how to keep it.
    DeletionScheduled {
        /// The link that keeps the account works until then.
        delete_at: DateTime<Utc>,
    } = "deletion_scheduled", MAIL_QUEUE, Normal;

    /// Deletes an account at the announced time, unless its owner has cancelled that.
    DeleteAccount {} = "delete_account", "default", Normal;
}
