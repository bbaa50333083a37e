//! What a model's own hooks are given while a form is saved, and what they answer.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use futures::future::BoxFuture;
use sea_orm::DbErr;
use usher_shared::{audit::Actor, foundation::config::Config, jobs::Tx};

use crate::request::staff::Staff;
use crate::rows::{draft::Draft, row::Row};

/// See [`AdminModel::CHANGE`](super::admin_model::AdminModel::CHANGE).
pub type Change = for<'a> fn(&'a Saving<'a>, &'a Row, &'a mut Draft) -> Answer<'a, Changed>;

/// How a model's own change ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    Saved,
    /// The form says what is stored.
    Unchanged,
    /// The draft says what is wrong.
    Refused,
}

/// What a hook answers once it has asked the database.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, DbErr>>;

/// What a hook needs while a save runs.
pub struct Saving<'a> {
    pub tx: &'a Tx,
    pub config: &'a Config,
    pub actor: &'a Actor,
    pub staff: &'a Staff,
    /// What is ticked of [`AdminModel::TICKS`]; none where that is as stored.
    pub ticked: Option<BTreeSet<String>>,
    /// What the hooks have to say.
    pub said: Mutex<Said>,
}

/// What is said after a save.
#[derive(Debug, Default)]
pub struct Said {
    /// In the place of the usual words, such as a secret that is shown once.
    notice: Option<String>,
    /// Behind the usual words, each once.
    remarks: BTreeSet<String>,
}

impl<'a> Saving<'a> {
    pub(crate) fn new(tx: &'a Tx, config: &'a Config, actor: &'a Actor, staff: &'a Staff) -> Self {
        Self {
            tx,
            config,
            actor,
            staff,
            ticked: None,
            said: Mutex::default(),
        }
    }

    /// Says this after the save.
    pub fn notice(&self, words: String) {
        self.lock().notice = Some(words);
    }

    /// Says this behind the usual words, however many objects it is true of.
    pub fn remark(&self, words: String) {
        self.lock().remarks.insert(words);
    }

    pub(crate) fn said(&self) -> Option<String> {
        self.lock().notice.take()
    }

    pub(crate) fn remarks(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().remarks).into_iter().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
