//! The models that staff see. One file declares one model.

mod audit_log;
mod jobs;
mod mails;
mod roles;
mod user_actions;
mod users;

use usher_shared::entity::{audit_log as audit_entity, job, mail, role, user};

use crate::engine::Site;

/// Every registered model, in the order of the navigation.
pub(crate) fn site() -> Site {
    Site::default()
        .with::<user::Entity>()
        .with::<role::Entity>()
        .with::<job::Entity>()
        .with::<mail::Entity>()
        .with::<audit_entity::Entity>()
}
