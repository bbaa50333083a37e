//! What an API key may be allowed to do.

use std::fmt;

use crate::foundation::{Registered, entity::api_key};

/// The product's scopes.
pub(in crate::accounts) static SCOPES: Registered<Vec<Scope>> = Registered::new();

/// A scope of an API key. Two scopes with the same word are the same.
///
/// ```
/// use usher_shared::accounts::api_keys::Scope;
///
/// const TICKETS_READ: Scope = Scope::new("tickets:read", &["tickets.view"]);
/// assert_eq!(TICKETS_READ.as_str(), "tickets:read");
/// ```
#[derive(Clone, Copy)]
pub struct Scope {
    word: &'static str,
    permissions: &'static [&'static str],
}

impl Scope {
    pub const USERS_READ: Self = Self::new("users:read", &["users.view"]);
    pub const USERS_WRITE: Self = Self::new(
        "users:write",
        &[
            "users.view",
            "users.add",
            "users.change",
            "users.lock",
            "users.unlock",
            "users.deactivate",
            "users.reactivate",
        ],
    );
    pub const USERS_DELETE: Self = Self::new("users:delete", &["users.delete"]);
    pub const SESSIONS_READ: Self = Self::new("sessions:read", &["sessions.view"]);
    pub const SESSIONS_WRITE: Self = Self::new("sessions:write", &["sessions.revoke"]);
    pub const AUDIT_READ: Self = Self::new("audit:read", &["audit.view"]);
    pub const WEBHOOKS_READ: Self = Self::new("webhooks:read", &["webhooks.view"]);
    pub const WEBHOOKS_WRITE: Self = Self::new("webhooks:write", &["webhooks.view", "webhooks.change"]);
    pub const JOBS_READ: Self = Self::new("jobs:read", &["jobs.view"]);

    /// Those that Usher brings.
    pub const BUILT_IN: [Self; 9] = [
        Self::USERS_READ,
        Self::USERS_WRITE,
        Self::USERS_DELETE,
        Self::SESSIONS_READ,
        Self::SESSIONS_WRITE,
        Self::AUDIT_READ,
        Self::JOBS_READ,
        Self::WEBHOOKS_READ,
        Self::WEBHOOKS_WRITE,
    ];

    /// A scope of a product, such as `tickets:read`. `permissions` are those that a person needs to grant it: everything
    /// a key can do with it.
    #[must_use]
    pub const fn new(word: &'static str, permissions: &'static [&'static str]) -> Self {
        Self { word, permissions }
    }

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.word
    }

    /// The permissions that a person needs to grant it.
    #[must_use]
    pub const fn permissions(self) -> &'static [&'static str] {
        self.permissions
    }

    /// Every scope that keys of this program can have: those that Usher brings, then the product's.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::BUILT_IN.into_iter().chain(SCOPES.all().iter().copied())
    }

    /// All their words, for a sentence.
    #[must_use]
    pub fn words() -> String {
        Self::all().map(Self::as_str).collect::<Vec<_>>().join(", ")
    }

    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::all().find(|scope| scope.word == word)
    }
}

impl PartialEq for Scope {
    fn eq(&self, other: &Self) -> bool {
        self.word == other.word
    }
}

impl Eq for Scope {}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word)
    }
}

/// Whether the key has this scope. A scope that this build doesn't know grants nothing.
#[must_use]
pub fn allows(key: &api_key::Model, scope: Scope) -> bool {
    key.scopes.split(' ').any(|word| word == scope.as_str())
}
