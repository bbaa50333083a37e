//! Hooks: what a product does when an account is created, verified, changed, deleted, restored or purged, and when its
//! owner signs in. They run in the transaction of what they follow and can refuse it.

mod error;
mod events;
mod known;
mod user_hooks;

pub use error::HookError;
pub(super) use error::plain;
pub use events::{
    UserChanged, UserCreated, UserDeleted, UserEvent, UserEventKind, UserPurged, UserRestored, UserSignedIn,
    UserVerified,
};
pub(super) use known::is_known;
pub(super) use user_hooks::{HOOKS, has_hooks, limited, run};
pub use user_hooks::{HookContext, HookFuture, UserHook, UserHooks};
