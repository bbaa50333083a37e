//! What staff may do to jobs, which includes whatever a retried job does.

use sea_orm::{
    ActiveValue::{Set, Unchanged},
    ConnectionTrait, DbErr, EntityTrait,
};
use uuid::Uuid;

use crate::{
    accounts::staff::{
        bulk::order::BulkJob,
        exports::ExportJob,
        imports::{self, ImportJob, ImportUsers},
        policy::{Act, Holder, Refusal, Target, owner},
    },
    audit::Actor,
    foundation::entity::job,
    jobs::{self, Job, OperationError, PasswordReset, Tx, VerifyEmail},
};

/// [`jobs::retry`] on behalf of `actor`: a job over many rows then acts with this actor's rights and is logged under
/// this actor's name, not under that of whoever ordered it first. Costs such a job one more statement.
pub async fn retry_as(tx: &Tx, id: Uuid, actor: &Actor) -> Result<job::Model, OperationError> {
    let mut job = jobs::retry(tx, id).await?;
    if [BulkJob::KIND, ExportJob::KIND, ImportUsers::KIND, ImportJob::KIND].contains(&job.kind.as_str()) {
        job.payload["actor"] = serde_json::to_value(actor).map_err(|error| DbErr::Json(error.to_string()))?;
        job.actor = Some(actor.to_string());
        let row = job::ActiveModel {
            id: Unchanged(id),
            payload: Set(job.payload.clone()),
            actor: Set(job.actor.clone()),
            ..Default::default()
        };
        job::Entity::update(row).exec(&**tx).await?;
    }
    Ok(job)
}

/// Why this may not be done to this job. Whoever retries a job repeats what it does, so they need the permissions for
/// that. Jobs that concern staff, such as their password resets, are for superusers only. At most one statement.
pub async fn job_refusal(
    conn: &impl ConnectionTrait,
    holder: &Holder,
    act: Act,
    job: &job::Model,
) -> Result<Option<Refusal>, DbErr> {
    if let Some(refusal) = holder.refuses(act) {
        return Ok(Some(refusal));
    }
    if holder.is_superuser() {
        return Ok(None);
    }
    if act == Act::RetryJob
        && let Some(lacking) = repeats(job).into_iter().find(|permission| !holder.may(permission))
    {
        return Ok(Some(Refusal::Permission(lacking)));
    }
    match job.user_id {
        Some(user_id) => Ok(owner(conn, user_id).await?.and_then(|owner| match owner {
            Target { is_superuser: true, .. } => Some(Refusal::Superuser),
            Target { is_staff: true, .. } => Some(Refusal::Staff),
            _ => None,
        })),
        None => Ok(None),
    }
}

/// The permissions a person needs for what this job does. Only Usher sends welcome mails, so they need none.
fn repeats(job: &job::Model) -> Vec<&'static str> {
    match job.kind.as_str() {
        PasswordReset::KIND => vec![Act::SendPasswordReset.rule().permission],
        VerifyEmail::KIND => vec![Act::ResendVerification.rule().permission],
        BulkJob::KIND => read(job).map_or_else(Vec::new, |order: BulkJob| vec![order.what.permission()]),
        ExportJob::KIND => read(job).map_or_else(Vec::new, |order: ExportJob| order.what.permissions().to_vec()),
        ImportUsers::KIND => vec![imports::PERMISSION],
        ImportJob::KIND => read(job).map_or_else(Vec::new, |order: ImportJob| vec![order.what.declared().permission]),
        _ => vec![],
    }
}

fn read<J: Job>(job: &job::Model) -> Option<J> {
    serde_json::from_value(job.payload.clone()).ok()
}
