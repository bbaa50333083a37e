//! Users created at the same time share a transaction: one commit for all of them, and each is written with its audit
//! row and welcome job or not at all.

use futures::FutureExt;
use sea_orm::{DbErr, RuntimeErr};

use super::{
    creation::{CreateUserError, Draft, NewUser, create_all},
    write::db_error,
};
use crate::{
    audit::Actor,
    foundation::{batch::Batch, db::CommitGate, entity::user, trace::Trace},
    jobs::{Job, JobStore, Origin, Tx, WelcomeEmail, enqueue_all},
};

/// The most users in one transaction.
const MOST: usize = 64;
/// Concurrent transactions; while one waits for the disk, others are prepared.
const AT_ONCE: usize = 4;

/// Inserts new users in batches. Cheap to clone.
#[derive(Clone, Debug)]
pub struct UserBatchInserter(Batch<PendingUser, Result<user::Model, CreateUserError>>);

#[derive(Clone)]
struct PendingUser {
    new: NewUser,
    actor: Actor,
    trace: Option<String>,
    /// The gate of the waiting request: a user whose request timed out must not be committed.
    gate: Option<CommitGate>,
}

impl UserBatchInserter {
    #[must_use]
    pub fn new(job_store: JobStore) -> Self {
        Self(Batch::new(MOST, AT_ONCE, move |pending| {
            admit(job_store.clone(), pending).boxed()
        }))
    }

    /// [`super::create`] in a transaction that concurrent callers share: three statements and one commit for all of
    /// them. It completes even if the caller goes away, but not if the caller's time is up
    /// ([`crate::foundation::db::cut_before_commit`]).
    pub async fn create(&self, new: NewUser, actor: Actor) -> Result<user::Model, CreateUserError> {
        let trace = Trace::for_job(WelcomeEmail::KIND, WelcomeEmail::QUEUE).map(|trace| trace.to_string());
        let user = PendingUser {
            new,
            actor,
            trace,
            gate: CommitGate::current(),
        };
        let none = || Err(no_answer().into());
        self.0.add(user).await.unwrap_or_else(none)
    }
}

async fn admit(job_store: JobStore, pending: Vec<PendingUser>) -> Vec<Result<user::Model, CreateUserError>> {
    match admit_all(&job_store, &pending).await {
        Ok(answers) => answers,
        Err(Failure {
            before_commit: true, ..
        }) if pending.len() > 1 => {
            // Only the one that caused the failure fails.
            let mut answers = Vec::new();
            for user in pending {
                let alone = admit_all(&job_store, &[user]).await;
                answers.push(alone.map_or_else(|failure| Err(failure.error()), |mut one| one.remove(0)));
            }
            answers
        }
        Err(failure) => pending.iter().map(|_| Err(failure.error())).collect(),
    }
}

fn no_answer() -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(
        "the new user's transaction was not answered in time".to_owned(),
    ))
}

/// Why none of them was written or, if the commit failed, perhaps all of them.
struct Failure {
    error: DbErr,
    before_commit: bool,
}

impl Failure {
    fn error(&self) -> CreateUserError {
        self.error.clone().into()
    }
}

async fn admit_all(
    job_store: &JobStore,
    pending: &[PendingUser],
) -> Result<Vec<Result<user::Model, CreateUserError>>, Failure> {
    let early = |error| Failure {
        error,
        before_commit: true,
    };
    let tx = job_store.begin().await.map_err(early)?;
    let users = write(&tx, pending).await.map_err(early)?;
    let mut gates = pending.iter().filter_map(|user| user.gate.as_ref());
    if !gates.all(CommitGate::pass) {
        return Err(early(no_answer()));
    }
    tx.commit().await.map_err(|error| Failure {
        error,
        before_commit: false,
    })?;
    let answers = users.into_iter().map(|user| user.ok_or(CreateUserError::EmailTaken));
    Ok(answers.collect())
}

/// The users that were written, in order; none for those whose address is taken. Of two with the same address the first
/// gets it.
async fn write(tx: &Tx, pending: &[PendingUser]) -> Result<Vec<Option<user::Model>>, DbErr> {
    let drafts = pending.iter().map(|user| (Draft::from(&user.new), &user.actor));
    let users = create_all(&**tx, drafts).await?;
    let jobs = pending.iter().zip(&users).filter_map(|(new, user)| {
        let origin = Origin {
            actor: Some(new.actor.to_string()),
            trace_context: new.trace.clone(),
        };
        let user_id = user.as_ref()?.id;
        Some((WelcomeEmail { user_id }, origin))
    });
    enqueue_all(tx, jobs).await.map_err(db_error)?;
    Ok(users)
}
