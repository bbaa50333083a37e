//! What a model's hooks get while a form is saved, and what they return.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use futures::future::BoxFuture;
use sea_orm::DbErr;
use usher_shared::{AppContext, audit::Actor, events::Feed, foundation::config::Config, jobs::Tx};

use crate::request::staff::Staff;
use crate::rows::{draft::Draft, related_change::RelatedChange, row::Row};

/// See [`AdminModel::CHANGE`](super::admin_model::AdminModel::CHANGE).
pub type Change = for<'a> fn(&'a SaveContext<'a>, &'a Row, &'a mut Draft) -> HookFuture<'a, Changed>;

/// The result of a model's own change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    Saved,
    /// The form equals what is stored.
    Unchanged,
    /// The draft has the errors.
    Refused,
}

/// What a hook returns once it has asked the database.
pub type HookFuture<'a, T> = BoxFuture<'a, Result<T, DbErr>>;

/// How the row of a new object is inserted.
pub(crate) trait InsertRow {
    fn insert<'a>(&'a self, saving: &'a SaveContext<'a>, draft: &'a mut Draft) -> HookFuture<'a, Option<String>>;
}

/// The save that a hook runs in.
pub struct SaveContext<'a> {
    pub tx: &'a Tx,
    pub config: &'a Config,
    /// The stream of events.
    pub events: &'a Feed,
    pub actor: &'a Actor,
    pub staff: &'a Staff,
    /// The checked options of the model's checklist, if they differ from what is stored.
    pub checked: Option<BTreeSet<String>>,
    pub(crate) new_row: &'a (dyn InsertRow + Sync),
    /// What the form changes of relations. The engine stores it after the hooks.
    pub(crate) related: Mutex<Vec<RelatedChange>>,
    /// Messages of the hooks.
    pub said: Mutex<Notices>,
}

/// Messages after a save.
#[derive(Debug, Default)]
pub struct Notices {
    /// Instead of the usual message, such as a secret that is shown once.
    notice: Option<String>,
    /// After the usual message, each once.
    remarks: BTreeSet<String>,
}

impl<'a> SaveContext<'a> {
    pub(crate) fn new(
        new_row: &'a (dyn InsertRow + Sync),
        tx: &'a Tx,
        app: &'a AppContext,
        actor: &'a Actor,
        staff: &'a Staff,
    ) -> Self {
        Self {
            tx,
            config: &app.config,
            events: &app.events,
            actor,
            staff,
            checked: None,
            new_row,
            related: Mutex::default(),
            said: Mutex::default(),
        }
    }

    /// What the form changes of relations, to be stored once.
    pub(crate) fn take_related(&self) -> Vec<RelatedChange> {
        std::mem::take(&mut self.related.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Inserts the row of a new object with its relations and an audit entry, and returns its id: what
    /// [`create`](crate::AdminModel::create) does unless it is declared. A row version starts at 1, times of creation
    /// and of the last save are now, and a UUID that nobody chose is a new one.
    ///
    /// # Errors
    /// Also when a column without a value allows neither NULL nor has a default.
    pub async fn insert(&self, draft: &mut Draft) -> Result<Option<String>, DbErr> {
        self.new_row.insert(self, draft).await
    }

    /// Shows this instead of the usual message.
    pub fn notice(&self, words: String) {
        self.lock().notice = Some(words);
    }

    /// Adds this to the usual message, once for any number of objects.
    pub fn remark(&self, words: String) {
        self.lock().remarks.insert(words);
    }

    pub(crate) fn said(&self) -> Option<String> {
        self.lock().notice.take()
    }

    pub(crate) fn remarks(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().remarks).into_iter().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Notices> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
