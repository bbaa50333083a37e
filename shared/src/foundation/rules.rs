//! What a valid name, email, age and password is: one rule, shown by the API as 422 and by the admin beside the field.

mod email;
mod fields;
mod password;
pub mod text;
mod violation;

pub use email::{Email, EmailPolicy, SPECIAL_DOMAINS};
pub use fields::{Age, ExternalId, Name, Reason};
pub use password::Password;
pub use violation::{FieldErrors, Violation, ViolationKind};
