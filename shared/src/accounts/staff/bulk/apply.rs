//! One row of a bulk action: the same function as for a single object, its audit row and the row's outcome, in one
//! transaction.

use sea_orm::DbErr;
use thiserror::Error;
use uuid::Uuid;

use super::{
    items::settle,
    order::{BulkAction, BulkJob},
    own::{Applied, BulkRow, OwnAction},
};
use crate::{
    accounts::{
        staff::{
            jobs::{job_refusal, retry_as},
            policy::{Holder, user_refusal},
        },
        users::{self, ChangeError, StatusChange},
    },
    audit::{self, Entry},
    foundation::{
        db,
        entity::{
            job_item::ItemOutcome,
            user::{self, UserStatus},
        },
        rules::Reason,
    },
    jobs::{self, EnqueueOptions, JobStore, OperationError, Tx, mail_suppressions},
};

/// The actor who ordered the action, with their current rights.
#[derive(Clone, Debug)]
pub struct OrderingActor<'a> {
    order: &'a BulkJob,
    holder: Holder,
}

/// Why a bulk action stops.
#[derive(Debug, Error)]
pub enum BulkError {
    /// The remaining rows stay unchanged.
    #[error("{0}, who ordered this, no longer has the permission {1}")]
    NotAllowed(String, &'static str),
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// Why a row was not changed.
enum Refused {
    /// It is already as wanted, or gone.
    Skip(&'static str),
    Fail(String),
    Db(DbErr),
}

impl From<DbErr> for Refused {
    fn from(error: DbErr) -> Self {
        // A violated constraint concerns this row alone; an outage concerns all.
        if db::is_outage(&error) {
            Self::Db(error)
        } else {
            Self::Fail(format!("the database refused it: {error}"))
        }
    }
}

impl From<OperationError> for Refused {
    fn from(error: OperationError) -> Self {
        match error {
            OperationError::NotFound => Self::Skip("it is gone"),
            OperationError::WrongState(_) => Self::Skip("its state does not allow this now"),
            OperationError::Paused(_) => Self::Skip("its queue is paused"),
            OperationError::MailSent => Self::Skip("its mail was sent already"),
            OperationError::NotUnique => Self::Fail(error.to_string()),
            OperationError::Db(error) => error.into(),
        }
    }
}

impl<'a> OrderingActor<'a> {
    /// Looks up the actor's rights. The action stops if they were locked, are no longer staff or have lost the
    /// permission.
    pub async fn of(job_store: &JobStore, order: &'a BulkJob) -> Result<Self, BulkError> {
        let holder = Holder::of(job_store.db(), &order.actor).await?;
        if order.what.refusal(&holder).is_some() {
            let permission = order.what.permission();
            return Err(BulkError::NotAllowed(order.actor.label.clone(), permission));
        }
        Ok(Self { order, holder })
    }

    /// Applies the action to one row, once: `None` if the row already had an outcome. One commit; five round trips for
    /// a job, six for a user, eight if sessions end.
    pub async fn apply(
        &self,
        job_store: &JobStore,
        job_id: Uuid,
        object_id: &str,
    ) -> Result<Option<ItemOutcome>, DbErr> {
        let tx = job_store.begin().await?;
        if !settle(&*tx, job_id, object_id, ItemOutcome::Done, None).await? {
            return Ok(None);
        }
        let refused = match self.act(&tx, object_id).await {
            Ok(()) => {
                tx.commit().await?;
                return Ok(Some(ItemOutcome::Done));
            }
            Err(refused) => refused,
        };
        tx.rollback().await?;
        let (outcome, why) = match refused {
            Refused::Skip(why) => (ItemOutcome::Skipped, why.to_owned()),
            Refused::Fail(why) => (ItemOutcome::Failed, why),
            Refused::Db(error) => return Err(error),
        };
        let settled = settle(job_store.db(), job_id, object_id, outcome, Some(&why)).await?;
        Ok(settled.then_some(outcome))
    }

    async fn act(&self, tx: &Tx, object_id: &str) -> Result<(), Refused> {
        let change = match self.order.what {
            BulkAction::LockUsers { until } => StatusChange::Locked { until },
            BulkAction::UnlockUsers => StatusChange::Unlocked,
            BulkAction::DeactivateUsers => StatusChange::Deactivated,
            BulkAction::ReactivateUsers => StatusChange::Reactivated,
            BulkAction::ResendVerification | BulkAction::SendPasswordReset => return self.mail(tx, object_id).await,
            BulkAction::ReplayJobs | BulkAction::RunJobsNow | BulkAction::CancelJobs | BulkAction::DeleteJobs => {
                return self.job(tx, object_id).await;
            }
            BulkAction::DeleteSuppressions => {
                if !mail_suppressions::clear(&**tx, object_id).await? {
                    return Err(Refused::Skip("it is gone"));
                }
                return self.record(tx, object_id, Some(object_id.to_owned())).await;
            }
            BulkAction::Own { name } => return self.own(tx, object_id, name).await,
        };
        self.change_status(tx, object_id, change).await
    }

    async fn own(&self, tx: &Tx, id: &str, OwnAction(action): OwnAction) -> Result<(), Refused> {
        let reason = self.reason();
        let row = BulkRow {
            tx,
            id,
            actor: &self.order.actor,
            reason: reason.as_ref(),
        };
        match (action.apply)(row).await? {
            Applied::Done(label) => self.record(tx, id, Some(label)).await,
            Applied::Audited => Ok(()),
            Applied::Skipped(why) => Err(Refused::Skip(why)),
        }
    }

    fn reason(&self) -> Option<Reason> {
        Reason::parse(self.order.reason.as_deref()?).ok()
    }

    async fn change_status(&self, tx: &Tx, object_id: &str, change: StatusChange) -> Result<(), Refused> {
        let user = self.user(tx, object_id).await?;
        let reason = self.reason();
        let is_endless = user.status == UserStatus::Locked && user.locked_until.is_none();
        if is_endless && matches!(change, StatusChange::Locked { until: Some(_) }) {
            return Err(Refused::Skip("it is locked without an end"));
        }
        let version = user.version;
        match users::change_status(tx, user, change, reason, &self.order.actor).await {
            Ok(after) if after.version == version => Err(Refused::Skip("it is so already")),
            Ok(_) => Ok(()),
            Err(ChangeError::Db(error)) => Err(error.into()),
            Err(error) => Err(Refused::Fail(error.to_string())),
        }
    }

    async fn mail(&self, tx: &Tx, object_id: &str) -> Result<(), Refused> {
        let user = self.user(tx, object_id).await?;
        let options = EnqueueOptions::by(&self.order.actor).unique(format!("user:{}", user.id));
        let enqueued = if self.order.what == BulkAction::ResendVerification {
            if user.email_verified_at.is_some() {
                return Err(Refused::Skip("the address is verified already"));
            }
            users::send_verification(tx, user.id, options).await
        } else {
            users::send_password_reset(tx, user.id, options).await
        };
        match enqueued {
            Ok(jobs::Enqueued::New(_)) => self.record(tx, object_id, Some(user.email)).await,
            Ok(jobs::Enqueued::Existing(_)) => Err(Refused::Skip("such a mail is under way already")),
            Err(jobs::EnqueueError::Db(error)) => Err(error.into()),
            Err(error) => Err(Refused::Fail(error.to_string())),
        }
    }

    async fn job(&self, tx: &Tx, object_id: &str) -> Result<(), Refused> {
        let id: Uuid = object_id.parse().map_err(|_| Refused::Skip("it is gone"))?;
        let job = jobs::find_for_change(tx, id)
            .await?
            .ok_or(Refused::Skip("it is gone"))?;
        let refusal = match self.order.what.act() {
            Some(act) => job_refusal(&**tx, &self.holder, act, &job).await?,
            None => None,
        };
        if let Some(refusal) = refusal {
            return Err(Refused::Fail(refusal.to_string()));
        }
        let job = match self.order.what {
            BulkAction::ReplayJobs => retry_as(tx, id, &self.order.actor).await?,
            BulkAction::RunJobsNow => jobs::run_now(tx, id).await?,
            BulkAction::DeleteJobs => jobs::delete(tx, id).await?,
            _ => jobs::cancel(tx, id).await?,
        };
        self.record(tx, object_id, Some(job.kind)).await
    }

    /// The account, locked, if this actor may change it.
    async fn user(&self, tx: &Tx, object_id: &str) -> Result<user::Model, Refused> {
        let gone = Refused::Skip("it is gone");
        let Ok(id) = object_id.parse() else { return Err(gone) };
        let user = users::find_for_change(tx, id).await?.ok_or(gone)?;
        let refusal = match self.order.what.act() {
            Some(act) => user_refusal(&**tx, &self.holder, act, &user).await?,
            None => None,
        };
        match refusal {
            Some(refusal) => Err(Refused::Fail(refusal.to_string())),
            None => Ok(user),
        }
    }

    async fn record(&self, tx: &Tx, object_id: &str, label: Option<String>) -> Result<(), Refused> {
        let what = self.order.what;
        let entry = Entry {
            action: what.word(),
            object_type: what.object_type(),
            object_id: Some(object_id.to_owned()),
            object_label: label,
            changes: None,
            reason: self.order.reason.clone(),
        };
        Ok(audit::record(&**tx, &self.order.actor, entry).await?)
    }
}
