//! What an API key may be allowed to do.

use crate::foundation::entity::api_key;

/// A scope of an API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    UsersRead,
    UsersWrite,
    UsersDelete,
    SessionsRead,
    SessionsWrite,
    AuditRead,
    JobsRead,
}

impl Scope {
    pub const ALL: [Self; 7] = [
        Self::UsersRead,
        Self::UsersWrite,
        Self::UsersDelete,
        Self::SessionsRead,
        Self::SessionsWrite,
        Self::AuditRead,
        Self::JobsRead,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UsersRead => "users:read",
            Self::UsersWrite => "users:write",
            Self::UsersDelete => "users:delete",
            Self::SessionsRead => "sessions:read",
            Self::SessionsWrite => "sessions:write",
            Self::AuditRead => "audit:read",
            Self::JobsRead => "jobs:read",
        }
    }

    /// The permissions that a person needs to grant it: everything a key can do with it.
    #[must_use]
    pub const fn permissions(self) -> &'static [&'static str] {
        match self {
            Self::UsersRead => &["users.view"],
            Self::UsersWrite => &[
                "users.view",
                "users.add",
                "users.change",
                "users.lock",
                "users.unlock",
                "users.deactivate",
                "users.reactivate",
            ],
            Self::UsersDelete => &["users.delete"],
            Self::SessionsRead => &["sessions.view"],
            Self::SessionsWrite => &["sessions.revoke"],
            Self::AuditRead => &["audit.view"],
            Self::JobsRead => &["jobs.view"],
        }
    }

    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }
}

/// Whether the key has this scope. A scope of a newer release that this build doesn't know grants nothing.
#[must_use]
pub fn allows(key: &api_key::Model, scope: Scope) -> bool {
    key.scopes.split(' ').any(|word| word == scope.as_str())
}
