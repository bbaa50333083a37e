//! Users created at the same time share a transaction: one commit for all of them, and each is written with its audit
//! row and welcome job or not at all.

use std::{sync::Arc, time::Duration};

use sea_orm::{DbErr, RuntimeErr};

use super::{
    creation::{CreateUserError, Draft, NewUser, create_all},
    write::db_error,
};
use crate::{
    audit::Actor,
    foundation::{
        batcher::Batcher,
        db::{CommitGate, cut_before_commit, is_outage},
        entity::user,
        rules::FieldErrors,
        trace::Trace,
    },
    jobs::{Job, JobStore, Origin, Tx, WelcomeEmail, enqueue_all},
};

/// The most users in one transaction.
const MOST: usize = 64;
/// Concurrent transactions; while one waits for the disk, others are prepared.
const AT_ONCE: usize = 4;
/// A transaction that takes longer has lost its database.
const LIMIT: Duration = Duration::from_secs(10);

/// Inserts new users in batches. Cheap to clone.
#[derive(Clone, Debug)]
pub struct UserBatchInserter(Batcher<PendingUser, Result<user::Model, CreateUserError>, Failure>);

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
        // A user who fails a batch fails alone.
        let retries = |failure: &Failure| failure.retry_alone;
        Self(Batcher::new(MOST, AT_ONCE, retries, move |pending| {
            let inserted = insert_together(job_store.clone(), pending);
            async {
                let inserted = cut_before_commit(LIMIT, inserted).await;
                inserted.unwrap_or_else(|_| Err(no_answer().into()))
            }
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
        self.0.ask(user).await?
    }
}

fn no_answer() -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(
        "the new user's transaction was not answered in time".to_owned(),
    ))
}

/// Why none of them was written or, if the commit failed, perhaps all of them.
#[derive(Clone)]
struct Failure {
    cause: Cause,
    /// None was written, and one of them may be the reason: not the commit, and not a database that is away, which 64
    /// tries would each wait for.
    retry_alone: bool,
}

#[derive(Clone)]
enum Cause {
    Db(DbErr),
    /// A hook refused one of them.
    Refused(FieldErrors),
}

impl From<DbErr> for Failure {
    fn from(error: DbErr) -> Self {
        Self {
            cause: Cause::Db(error),
            retry_alone: false,
        }
    }
}

impl From<Failure> for CreateUserError {
    fn from(failure: Failure) -> Self {
        match failure.cause {
            Cause::Db(error) => Self::Db(error),
            Cause::Refused(fields) => Self::Refused(fields),
        }
    }
}

impl Failure {
    /// Nothing was committed.
    fn early(error: CreateUserError) -> Self {
        let cause = match error {
            CreateUserError::Refused(fields) => Cause::Refused(fields),
            CreateUserError::Db(error) => Cause::Db(error),
            CreateUserError::Enqueue(error) => Cause::Db(db_error(error)),
            taken @ CreateUserError::EmailTaken => Cause::Db(DbErr::Custom(taken.to_string())),
        };
        let retry_alone = !matches!(&cause, Cause::Db(error) if is_outage(error));
        Self { cause, retry_alone }
    }
}

async fn insert_together(
    job_store: JobStore,
    pending: Arc<[PendingUser]>,
) -> Result<Vec<Result<user::Model, CreateUserError>>, Failure> {
    let tx = job_store.begin().await.map_err(|error| Failure::early(error.into()))?;
    let users = write(&tx, &pending).await.map_err(Failure::early)?;
    let mut gates = pending.iter().filter_map(|user| user.gate.as_ref());
    if !gates.all(CommitGate::pass) {
        // The others still have time.
        return Err(Failure {
            cause: Cause::Db(no_answer()),
            retry_alone: true,
        });
    }
    tx.commit().await?;
    let answers = users.into_iter().map(|user| user.ok_or(CreateUserError::EmailTaken));
    Ok(answers.collect())
}

/// The users that were written, in order; none for those whose address is taken. Of two with the same address the first
/// gets it.
async fn write(tx: &Tx, pending: &[PendingUser]) -> Result<Vec<Option<user::Model>>, CreateUserError> {
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
    enqueue_all(tx, jobs).await?;
    Ok(users)
}
