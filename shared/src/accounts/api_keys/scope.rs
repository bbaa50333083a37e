//! What an API key may be allowed to do.

use strum::{EnumString, IntoStaticStr, VariantArray};

use crate::foundation::entity::api_key;

/// A scope of an API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumString, VariantArray, IntoStaticStr)]
#[strum(const_into_str)]
pub enum Scope {
    #[strum(serialize = "users:read")]
    UsersRead,
    #[strum(serialize = "users:write")]
    UsersWrite,
    #[strum(serialize = "users:delete")]
    UsersDelete,
    #[strum(serialize = "sessions:read")]
    SessionsRead,
    #[strum(serialize = "sessions:write")]
    SessionsWrite,
    #[strum(serialize = "audit:read")]
    AuditRead,
    #[strum(serialize = "jobs:read")]
    JobsRead,
}

impl Scope {
    pub const ALL: [Self; Self::VARIANTS.len()] = *Self::VARIANTS.first_chunk().expect("of this length");

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.into_str()
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
        word.parse().ok()
    }
}

/// Whether the key has this scope. A scope of a newer release that this build doesn't know grants nothing.
#[must_use]
pub fn allows(key: &api_key::Model, scope: Scope) -> bool {
    key.scopes.split(' ').any(|word| word == scope.as_str())
}
