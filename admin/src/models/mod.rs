//! The models that staff see. One file declares one model.

mod api_keys;
mod audit_log;
mod breakers;
mod jobs;
mod mails;
mod queues;
mod roles;
mod schedules;
mod sessions;
mod suppressions;
mod user_actions;
mod users;

use usher_shared::entity::{
    api_key, audit_log as audit_entity, job, job_queue, job_schedule, mail, mail_breaker, mail_suppression, role,
    session, user,
};

use sea_orm::{DbErr, sea_query::SelectStatement};
use usher_shared::bulk::{self, BulkAction, Objects, OrderError};
use uuid::Uuid;

use crate::engine::{Acting, Site};

/// Orders the job of a bulk action.
async fn order(acting: &Acting<'_>, what: BulkAction, select: SelectStatement) -> Result<(Uuid, u64), DbErr> {
    let saving = acting.saving;
    let reason = acting.answers.reason.clone();
    match bulk::order(saving.tx, what, Objects::Select(Box::new(select)), reason, saving.actor).await {
        Ok(ordered) => Ok((ordered.job_id, ordered.rows)),
        Err(OrderError::Db(error)) => Err(error),
        Err(error) => Err(DbErr::Custom(error.to_string())),
    }
}

/// Every registered model, in the order of the navigation.
pub(crate) fn site() -> Site {
    Site::default()
        .with::<user::Entity>()
        .with::<role::Entity>()
        .with::<session::Entity>()
        .with::<api_key::Entity>()
        .with::<job::Entity>()
        .with::<job_schedule::Entity>()
        .with::<job_queue::Entity>()
        .with::<mail::Entity>()
        .with::<mail_suppression::Entity>()
        .with::<mail_breaker::Entity>()
        .with::<audit_entity::Entity>()
}
