//! Payloads that two rooms must agree on. What is done with them stands in the worker.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Job, Priority};

/// The queue of everything that is a mail.
pub const MAIL_QUEUE: &str = "mail";

/// The queue of jobs that go through many rows for minutes.
pub const LONG_QUEUE: &str = "long";

/// Greets a new account and lets its owner set a password. Safe to run twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WelcomeEmail {
    pub user_id: i64,
}

impl Job for WelcomeEmail {
    const KIND: &'static str = "welcome_email";
    const QUEUE: &'static str = MAIL_QUEUE;

    fn user_id(&self) -> Option<i64> {
        Some(self.user_id)
    }
}

/// Asks the owner of a new address to prove it. An address that is verified already is left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyEmail {
    pub user_id: i64,
}

impl Job for VerifyEmail {
    const KIND: &'static str = "verify_email";
    const QUEUE: &'static str = MAIL_QUEUE;
    const PRIORITY: Priority = Priority::High;

    fn user_id(&self) -> Option<i64> {
        Some(self.user_id)
    }
}

/// Tells an owner that somebody signed up with their address, which the sign-up itself does not say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SomeoneTriedToSignUp {
    pub user_id: i64,
}

impl Job for SomeoneTriedToSignUp {
    const KIND: &'static str = "someone_tried_to_sign_up";
    const QUEUE: &'static str = MAIL_QUEUE;

    fn user_id(&self) -> Option<i64> {
        Some(self.user_id)
    }
}

/// Tells the owner of an address that its account was deleted, because somebody has signed up with it or asked for a
/// link: the address is free once the account is purged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressOfDeletedAccount {
    pub user_id: i64,
}

impl Job for AddressOfDeletedAccount {
    const KIND: &'static str = "address_of_deleted_account";
    const QUEUE: &'static str = MAIL_QUEUE;

    fn user_id(&self) -> Option<i64> {
        Some(self.user_id)
    }
}

/// The link that replaces a forgotten password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordReset {
    pub user_id: i64,
}

impl Job for PasswordReset {
    const KIND: &'static str = "password_reset";
    const QUEUE: &'static str = MAIL_QUEUE;
    const PRIORITY: Priority = Priority::High;

    fn user_id(&self) -> Option<i64> {
        Some(self.user_id)
    }
}

/// Tells an owner that the password was changed, at the time the job was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordChanged {
    pub user_id: i64,
}

impl Job for PasswordChanged {
    const KIND: &'static str = "password_changed";
    const QUEUE: &'static str = MAIL_QUEUE;

    fn user_id(&self) -> Option<i64> {
        Some(self.user_id)
    }
}

/// Asks the new mailbox of an account to confirm that it is its owner's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmailChangeConfirm {
    pub user_id: i64,
    /// The wanted address, which is not yet the account's.
    pub new_email: String,
}

impl Job for EmailChangeConfirm {
    const KIND: &'static str = "email_change_confirm";
    const QUEUE: &'static str = MAIL_QUEUE;
    const PRIORITY: Priority = Priority::High;

    fn user_id(&self) -> Option<i64> {
        Some(self.user_id)
    }
}

/// Tells the old mailbox that the account has moved away from it, and how to undo that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmailChangeUndo {
    pub user_id: i64,
    /// The address that the account had.
    pub old_email: String,
}

impl Job for EmailChangeUndo {
    const KIND: &'static str = "email_change_undo";
    const QUEUE: &'static str = MAIL_QUEUE;

    fn user_id(&self) -> Option<i64> {
        Some(self.user_id)
    }
}

/// Tells an owner of a sign-in from a device that was not seen before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewSignIn {
    pub user_id: i64,
    /// Where time, address and device are read; a session that is gone is worth no mail.
    pub session_id: Uuid,
}

impl Job for NewSignIn {
    const KIND: &'static str = "new_sign_in";
    const QUEUE: &'static str = MAIL_QUEUE;

    fn user_id(&self) -> Option<i64> {
        Some(self.user_id)
    }
}

/// Tells an owner that a session was ended because a refresh token came back after its successor was in use: somebody
/// has a copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionReuse {
    pub user_id: i64,
    pub session_id: Uuid,
}

impl Job for SessionReuse {
    const KIND: &'static str = "session_reuse";
    const QUEUE: &'static str = MAIL_QUEUE;

    fn user_id(&self) -> Option<i64> {
        Some(self.user_id)
    }
}

/// What happened to the second factor of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MfaChange {
    Added,
    Removed,
    RecoveryCodesMade,
    RecoveryCodeUsed,
}

/// Tells an owner that the second factor was changed, at the time the job was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MfaChanged {
    pub user_id: i64,
    pub change: MfaChange,
}

impl Job for MfaChanged {
    const KIND: &'static str = "mfa_changed";
    const QUEUE: &'static str = MAIL_QUEUE;

    fn user_id(&self) -> Option<i64> {
        Some(self.user_id)
    }
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

/// Tells whoever made an API key that it was made, changed, rotated or revoked, by whomever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKeyChanged {
    pub user_id: i64,
    pub key_id: i64,
    pub change: KeyChange,
}

impl Job for ApiKeyChanged {
    const KIND: &'static str = "api_key_changed";
    const QUEUE: &'static str = MAIL_QUEUE;

    fn user_id(&self) -> Option<i64> {
        Some(self.user_id)
    }
}

/// Tells an owner when the account will be deleted, and how to keep it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletionScheduled {
    pub user_id: i64,
    /// Until then the link that keeps the account works.
    pub delete_at: DateTime<Utc>,
}

impl Job for DeletionScheduled {
    const KIND: &'static str = "deletion_scheduled";
    const QUEUE: &'static str = MAIL_QUEUE;

    fn user_id(&self) -> Option<i64> {
        Some(self.user_id)
    }
}

/// Deletes an account at the time that its owner was told, unless they have thought better of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteAccount {
    pub user_id: i64,
}

impl Job for DeleteAccount {
    const KIND: &'static str = "delete_account";

    fn user_id(&self) -> Option<i64> {
        Some(self.user_id)
    }
}
