//! New users that arrive together are written in one transaction: one commit for all of them, and each exists with
//! its audit row and its welcome job or not at all.

use std::collections::HashMap;

use futures::FutureExt;
use sea_orm::{DbErr, RuntimeErr};

use super::{
    CreateUserError, NewUser,
    creation::{Draft, created, insert_all},
};
use crate::{
    audit::{self, Actor},
    foundation::{batch::Batch, db::CommitGate, entity::user, time::now, trace::Trace},
    jobs::{EnqueueError, Job, JobStore, Origin, Tx, WelcomeEmail, enqueue_all},
};

/// Users of one transaction at most.
const MOST: usize = 64;
/// Transactions at once; while one waits for the disk, others are prepared.
const AT_ONCE: usize = 4;

/// Takes new users in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Intake(Batch<Applicant, Result<user::Model, CreateUserError>>);

#[derive(Clone)]
struct Applicant {
    new: NewUser,
    actor: Actor,
    trace: Option<String>,
    /// Of whoever waits for it. Who was told that it took too long has no user afterwards.
    gate: Option<CommitGate>,
}

impl Intake {
    #[must_use]
    pub fn new(job_store: JobStore) -> Self {
        Self(Batch::new(MOST, AT_ONCE, move |applicants| {
            admit(job_store.clone(), applicants).boxed()
        }))
    }

    /// [`super::create`] in a transaction that callers of the same moment share: three statements and one commit for
    /// all of them. It is done even if the caller goes away, but not if its time is over ([`crate::foundation::db::cut_before_commit`]).
    pub async fn create(&self, new: NewUser, actor: Actor) -> Result<user::Model, CreateUserError> {
        let trace = Trace::for_job(WelcomeEmail::KIND, WelcomeEmail::QUEUE).map(|trace| trace.to_string());
        let applicant = Applicant {
            new,
            actor,
            trace,
            gate: CommitGate::current(),
        };
        let none = || Err(no_answer().into());
        self.0.add(applicant).await.unwrap_or_else(none)
    }
}

async fn admit(job_store: JobStore, applicants: Vec<Applicant>) -> Vec<Result<user::Model, CreateUserError>> {
    match admit_all(&job_store, &applicants).await {
        Ok(answers) => answers,
        Err(Failure {
            before_commit: true, ..
        }) if applicants.len() > 1 => {
            // Whoever spoiled it fails alone.
            let mut answers = Vec::new();
            for applicant in applicants {
                let alone = admit_all(&job_store, &[applicant]).await;
                answers.push(alone.map_or_else(|failure| Err(failure.error()), |mut one| one.remove(0)));
            }
            answers
        }
        Err(failure) => applicants.iter().map(|_| Err(failure.error())).collect(),
    }
}

fn no_answer() -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(
        "the new user's transaction had no answer in time".to_owned(),
    ))
}

/// Why none of them was written, or, when the commit failed, perhaps all of them.
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
    applicants: &[Applicant],
) -> Result<Vec<Result<user::Model, CreateUserError>>, Failure> {
    let early = |error| Failure {
        error,
        before_commit: true,
    };
    let tx = job_store.begin().await.map_err(early)?;
    let mut users = write(&tx, applicants).await.map_err(early)?;
    let mut gates = applicants.iter().filter_map(|applicant| applicant.gate.as_ref());
    if !gates.all(CommitGate::pass) {
        return Err(early(no_answer()));
    }
    tx.commit().await.map_err(|error| Failure {
        error,
        before_commit: false,
    })?;
    // Of two with the same address the first has it.
    let answer = |applicant: &Applicant| {
        users
            .remove(applicant.new.email.key())
            .ok_or(CreateUserError::EmailTaken)
    };
    Ok(applicants.iter().map(answer).collect())
}

/// The users that were written, by their email keys; the other addresses are taken.
async fn write(tx: &Tx, applicants: &[Applicant]) -> Result<HashMap<String, user::Model>, DbErr> {
    let at = now();
    let drafts: Vec<Draft<'_>> = applicants.iter().map(|applicant| (&applicant.new).into()).collect();
    let users = insert_all(&**tx, at, &drafts).await?;
    let mut seen = std::collections::HashSet::new();
    let first = applicants
        .iter()
        .filter(|applicant| seen.insert(applicant.new.email.key()));
    let admitted: Vec<_> = first
        .filter_map(|applicant| Some((applicant, users.get(applicant.new.email.key())?)))
        .collect();
    let entries = admitted
        .iter()
        .map(|(applicant, user)| (&applicant.actor, created(user)));
    audit::record_all(&**tx, at, entries).await?;
    let jobs = admitted.iter().map(|(applicant, user)| {
        let origin = Origin {
            actor: Some(applicant.actor.word()),
            trace_context: applicant.trace.clone(),
        };
        (WelcomeEmail { user_id: user.id }, origin)
    });
    enqueue_all(tx, jobs).await.map_err(|error| match error {
        EnqueueError::Db(error) => error,
        other => DbErr::Custom(other.to_string()),
    })?;
    Ok(users)
}
