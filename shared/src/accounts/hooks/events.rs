//! What hooks are told.

use strum::{EnumDiscriminants, IntoStaticStr};

use crate::foundation::entity::{session::SessionKind, user};

/// Something that happened to an account, in the transaction that the hook runs in.
///
/// What an account does by itself is no event: the time of its last sign-in, a stronger hash of the same password, a
/// welcome mail that was sent.
#[derive(Clone, Copy, Debug, EnumDiscriminants)]
#[strum_discriminants(name(UserEventKind), derive(IntoStaticStr), strum(serialize_all = "snake_case"))]
#[strum_discriminants(doc = "The kind of a [`UserEvent`].")]
pub enum UserEvent<'a> {
    Created(UserCreated<'a>),
    Verified(UserVerified<'a>),
    Changed(UserChanged<'a>),
    Deleted(UserDeleted<'a>),
    Restored(UserRestored<'a>),
    Purged(UserPurged<'a>),
    SignedIn(UserSignedIn<'a>),
}

/// There is a new account, created by a service, by staff, by an import or by a command.
///
/// Of self sign-ups only verified ones count: this event, and after it [`UserVerified`], follow when the address is
/// verified. Until then the account is nobody's, and a hook that ran at once would take time that tells a stranger
/// whether the address had an account before. Hooks learn nothing of an account before this event.
#[derive(Clone, Copy, Debug)]
pub struct UserCreated<'a> {
    pub user: &'a user::Model,
}

/// Somebody has shown that the account's address is theirs: for the first time, or again because it is a new one.
#[derive(Clone, Copy, Debug)]
pub struct UserVerified<'a> {
    pub before: &'a user::Model,
    pub user: &'a user::Model,
}

/// The account's row has changed: name, address, age, status, password, roles, a scheduled deletion. A verification is
/// a change, too; deleting and restoring are not.
#[derive(Clone, Copy, Debug)]
pub struct UserChanged<'a> {
    pub before: &'a user::Model,
    pub user: &'a user::Model,
    /// As in the audit log, such as `update`, `lock` or `set_roles`.
    pub action: &'a str,
}

/// The account is deleted: nobody can sign in to it or find it, but for 30 days it can be restored.
#[derive(Clone, Copy, Debug)]
pub struct UserDeleted<'a> {
    pub before: &'a user::Model,
    pub user: &'a user::Model,
}

/// The account is no longer deleted.
#[derive(Clone, Copy, Debug)]
pub struct UserRestored<'a> {
    pub before: &'a user::Model,
    pub user: &'a user::Model,
}

/// The account is about to be removed for good; its row is still there. What happens to a product's rows about the
/// person is rather declared in [`UserData`](crate::accounts::user_data::UserData).
#[derive(Clone, Copy, Debug)]
pub struct UserPurged<'a> {
    pub user: &'a user::Model,
}

/// The owner has signed in, with the second factor if the account has one. Neither a refresh nor an impersonation is a
/// sign-in.
#[derive(Clone, Copy, Debug)]
pub struct UserSignedIn<'a> {
    /// `last_login_at` is still the time of the previous sign-in.
    pub user: &'a user::Model,
    pub session: SessionKind,
}

impl UserEvent<'_> {
    #[must_use]
    pub fn kind(&self) -> UserEventKind {
        self.into()
    }
}

impl UserEventKind {
    /// `created`, `verified` and so on.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
