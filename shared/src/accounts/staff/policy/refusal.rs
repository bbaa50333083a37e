//! Why an act is refused.

use thiserror::Error;

/// Why an act is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    #[error("you need the permission {0}")]
    Permission(&'static str),
    #[error("only superusers can change a superuser")]
    Superuser,
    #[error("only superusers can change other staff")]
    Staff,
    #[error("staff can't be impersonated")]
    NeverStaff,
    #[error("you can't do this to your own account; ask a colleague")]
    Oneself,
    #[error("this is the last active superuser; create another one first")]
    LastSuperuser,
    #[error("the scope {0} needs the permission {1}, which you don't have")]
    Scope(&'static str, &'static str),
    #[error("enter a reason")]
    Reason,
}
