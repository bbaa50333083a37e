//! A new user as it comes in.

use usher_api_macros::FromFields;
use usher_shared::foundation::rules::{Age, Email, Name};

/// A person to sign up.
#[derive(FromFields)]
#[schema(as = NewUser)]
pub(super) struct CreateUserIn {
    pub(super) name: Name,
    pub(super) email: Email,
    pub(super) age: Option<Age>,
}
