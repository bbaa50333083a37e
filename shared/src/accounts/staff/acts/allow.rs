//! Asking the table about one object. Each is asked in the transaction of the act, of the row that is held for it.

use sea_orm::{ConnectionTrait, DbErr, EntityTrait};
use thiserror::Error;

use super::{Act, Holder, Target};
use crate::{
    accounts::{
        api_keys::Scope,
        staff::{
            bulk::BulkJob,
            exports::ExportJob,
            imports::{self, ImportUsers},
            roles,
        },
    },
    foundation::entity::{api_key, job, user},
    jobs::{Job, PasswordReset, VerifyEmail},
};

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

/// Why this may not be done to this account. One statement, only where it shuts a superuser out.
pub async fn user_refusal(
    conn: &impl ConnectionTrait,
    holder: &Holder,
    act: Act,
    user: &user::Model,
) -> Result<Option<Refusal>, DbErr> {
    if let Some(refusal) = holder.refuses_to(act, user.into()) {
        return Ok(Some(refusal));
    }
    let is_last = act.rule().shuts_out && user.is_superuser && roles::is_last_superuser(conn, user.id).await?;
    Ok(is_last.then_some(Refusal::LastSuperuser))
}

/// Why this person may not end the session of this account. One statement, except for superusers.
pub async fn session_refusal(
    conn: &impl ConnectionTrait,
    holder: &Holder,
    user_id: i64,
) -> Result<Option<Refusal>, DbErr> {
    refusal_about(conn, holder, Act::EndSession, user_id).await
}

/// Why this may not be done to this key, or with these scopes: a key is as strong as whoever makes, changes or rotates it.
/// Revoking one takes away only.
#[must_use]
pub fn key_refusal(holder: &Holder, act: Act, key: Option<&api_key::Model>, scopes: &[Scope]) -> Option<Refusal> {
    if let Some(refusal) = holder.refuses(act) {
        return Some(refusal);
    }
    if act == Act::RevokeKey {
        return None;
    }
    let had = key
        .into_iter()
        .flat_map(|key| key.scopes.split(' ').filter_map(Scope::parse));
    let (scope, permission) = holder.lacks(had.chain(scopes.iter().copied()))?;
    Some(Refusal::Scope(scope.as_str(), permission))
}

/// Why this may not be done to this job. Whoever runs a job again does what it does, so they need what that takes; and jobs
/// that concern staff, their reset mails and warnings among them, are for superusers alone. One statement at most.
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

/// The permissions that what a job does takes when a person does it. A first welcome is nobody's act but Usher's.
fn repeats(job: &job::Model) -> Vec<&'static str> {
    match job.kind.as_str() {
        PasswordReset::KIND => vec![Act::SendPasswordReset.rule().permission],
        VerifyEmail::KIND => vec![Act::ResendVerification.rule().permission],
        BulkJob::KIND => read::<BulkJob>(job)
            .map(|order| order.what.act().rule().permission)
            .into_iter()
            .collect(),
        ExportJob::KIND => read::<ExportJob>(job)
            .map(|order| order.what.permissions())
            .into_iter()
            .flatten()
            .collect(),
        ImportUsers::KIND => vec![imports::PERMISSION],
        _ => vec![],
    }
}

fn read<J: Job>(job: &job::Model) -> Option<J> {
    serde_json::from_value(job.payload.clone()).ok()
}

async fn refusal_about(
    conn: &impl ConnectionTrait,
    holder: &Holder,
    act: Act,
    user_id: i64,
) -> Result<Option<Refusal>, DbErr> {
    if let Some(refusal) = holder.refuses(act) {
        return Ok(Some(refusal));
    }
    if holder.is_superuser() {
        return Ok(None);
    }
    let owner = owner(conn, user_id).await?;
    Ok(owner.and_then(|owner| holder.refuses_to(act, owner)))
}

/// The account with this id, deleted or not.
async fn owner(conn: &impl ConnectionTrait, user_id: i64) -> Result<Option<Target>, DbErr> {
    let owner = user::Entity::find_by_id(user_id).one(conn).await?;
    Ok(owner.as_ref().map(Target::from))
}
