//! Why an act is refused.

use thiserror::Error;

/// Why an act is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    #[error("you need the permission {0}")]
    Permission(&'static str),
    #[error("only superusers may change a superuser")]
    Superuser,
    #[error("only superusers may change other members of staff")]
    Staff,
    #[error("nobody acts for staff")]
    NeverStaff,
    #[error("nobody does this to themselves; ask a colleague")]
    Oneself,
    #[error("this is the last active superuser; make another one first")]
    LastSuperuser,
    #[error("the scope {0} takes the permission {1}, which you don't hold")]
    Scope(&'static str, &'static str),
    #[error("it takes a reason")]
    Reason,
}
