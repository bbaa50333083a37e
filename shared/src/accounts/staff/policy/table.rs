//! The table itself.

use strum::VariantArray;

use crate::{accounts::api_keys::Scope, audit::ObjectType};

/// An act on one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, VariantArray)]
pub enum Act {
    AddUser,
    ChangeUser,
    LockUser,
    UnlockUser,
    DeactivateUser,
    ReactivateUser,
    ResendVerification,
    SendPasswordReset,
    SetRoles,
    RevokeSessions,
    ResetMfa,
    Impersonate,
    ClearFailures,
    DeleteUser,
    RestoreUser,
    EndSession,
    AddKey,
    ChangeKey,
    RotateKey,
    RevokeKey,
    AddRole,
    ChangeRole,
    DeleteRole,
    RetryJob,
    RunJobNow,
    CancelJob,
    DeleteJob,
    DeleteSuppression,
}

/// Whether an act needs a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReasonRule {
    /// It isn't asked for.
    None,
    Optional,
    /// Required of people; API keys may omit it.
    Required,
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    pub object: ObjectType,
    /// The action in the audit log, such as `lock`.
    pub word: &'static str,
    /// The permission a person needs, such as `users.lock`.
    pub permission: &'static str,
    /// The scope an API key needs; none if keys cannot do this.
    pub scope: Option<Scope>,
    pub reason: ReasonRule,
    /// Whether the password must have been confirmed within the last minutes.
    pub fresh: bool,
    /// Whether people may do it to their own account.
    pub on_self: bool,
    /// Whether it ends access to the account, so that it must not be the last superuser's.
    pub shuts_out: bool,
    /// Whether superusers can do it to staff.
    pub on_staff: bool,
}

impl Rule {
    const fn new(object: ObjectType, word: &'static str, permission: &'static str) -> Self {
        Self {
            object,
            word,
            permission,
            scope: None,
            reason: ReasonRule::None,
            fresh: false,
            on_self: true,
            shuts_out: false,
            on_staff: true,
        }
    }

    const fn key(self, scope: Scope) -> Self {
        Self {
            scope: Some(scope),
            ..self
        }
    }

    const fn reason(self, reason: ReasonRule) -> Self {
        Self { reason, ..self }
    }

    const fn fresh(self) -> Self {
        Self { fresh: true, ..self }
    }

    const fn not_oneself(self) -> Self {
        Self { on_self: false, ..self }
    }

    const fn shuts_out(self) -> Self {
        Self {
            shuts_out: true,
            on_self: false,
            ..self
        }
    }

    const fn never_staff(self) -> Self {
        Self {
            on_staff: false,
            ..self
        }
    }
}

impl Act {
    pub const ALL: [Self; Self::VARIANTS.len()] = *Self::VARIANTS.first_chunk().expect("of this length");

    /// The table.
    #[must_use]
    pub const fn rule(self) -> Rule {
        use ObjectType::{ApiKey, Job, Role, Session, SuppressedAddress, User};
        use ReasonRule::{Optional, Required};
        match self {
            Self::AddUser => Rule::new(User, "create", "users.add").key(Scope::USERS_WRITE),
            Self::ChangeUser => Rule::new(User, "update", "users.change").key(Scope::USERS_WRITE),
            Self::LockUser => Rule::new(User, "lock", "users.lock")
                .key(Scope::USERS_WRITE)
                .reason(Required)
                .shuts_out(),
            Self::UnlockUser => Rule::new(User, "unlock", "users.unlock").key(Scope::USERS_WRITE),
            Self::DeactivateUser => Rule::new(User, "deactivate", "users.deactivate")
                .key(Scope::USERS_WRITE)
                .reason(Optional)
                .shuts_out(),
            Self::ReactivateUser => Rule::new(User, "reactivate", "users.reactivate").key(Scope::USERS_WRITE),
            Self::ResendVerification => Rule::new(User, "resend_verification", "users.resend_verification"),
            Self::SendPasswordReset => Rule::new(User, "send_password_reset", "users.send_password_reset"),
            Self::SetRoles => Rule::new(User, "set_roles", "users.set_roles")
                .reason(Optional)
                .fresh()
                .not_oneself(),
            Self::RevokeSessions => Rule::new(User, "revoke_sessions", "users.revoke_sessions"),
            Self::ResetMfa => Rule::new(User, "reset_mfa", "users.reset_mfa")
                .reason(Required)
                .fresh()
                .not_oneself(),
            Self::Impersonate => Rule::new(User, "impersonate", "users.impersonate")
                .reason(Required)
                .fresh()
                .not_oneself()
                .never_staff(),
            // The failure count limits guesses by somebody who finds an open session.
            Self::ClearFailures => Rule::new(User, "clear_failures", "users.clear_failures").not_oneself(),
            Self::DeleteUser => Rule::new(User, "delete", "users.delete")
                .key(Scope::USERS_DELETE)
                .reason(Optional)
                .shuts_out(),
            Self::RestoreUser => Rule::new(User, "restore", "users.restore"),
            Self::EndSession => Rule::new(Session, "revoke", "sessions.revoke").key(Scope::SESSIONS_WRITE),
            Self::AddKey => Rule::new(ApiKey, "create", "api_keys.add").fresh(),
            Self::ChangeKey => Rule::new(ApiKey, "update", "api_keys.change").fresh(),
            Self::RotateKey => Rule::new(ApiKey, "rotate", "api_keys.rotate").fresh(),
            Self::RevokeKey => Rule::new(ApiKey, "revoke", "api_keys.revoke").reason(Optional),
            Self::AddRole => Rule::new(Role, "create", "roles.add").fresh(),
            Self::ChangeRole => Rule::new(Role, "update", "roles.change").fresh(),
            Self::DeleteRole => Rule::new(Role, "delete", "roles.delete").reason(Optional),
            Self::RetryJob => Rule::new(Job, "retry", "jobs.retry"),
            Self::RunJobNow => Rule::new(Job, "run_now", "jobs.run_now"),
            Self::CancelJob => Rule::new(Job, "cancel", "jobs.cancel").reason(Optional),
            Self::DeleteJob => Rule::new(Job, "delete", "jobs.delete").reason(Optional),
            Self::DeleteSuppression => Rule::new(SuppressedAddress, "delete", "suppressions.delete").reason(Optional),
        }
    }

    /// The act that needs this permission.
    #[must_use]
    pub fn by_permission(permission: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.rule().permission == permission)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::Act;

    #[test]
    fn each_act_has_a_permission_of_its_own_and_a_word_of_its_object() {
        let permissions: HashSet<_> = Act::ALL.map(|act| act.rule().permission).into();
        assert_eq!(permissions.len(), Act::ALL.len());
        let words: HashSet<_> = Act::ALL.map(|act| (act.rule().object, act.rule().word)).into();
        assert_eq!(words.len(), Act::ALL.len());
        for act in Act::ALL {
            assert_eq!(Act::by_permission(act.rule().permission), Some(act));
        }
    }
}
