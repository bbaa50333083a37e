//! What staff can do to objects beyond editing them: on one object's page, on the selected rows of a list, or on all
//! that match its filters.

use std::borrow::Cow;

use sea_orm::sea_query::SelectStatement;
use usher_shared::AppContext;
use uuid::Uuid;

use super::params::{Answers, Ask};
use super::saving::{Answer, Saving};
use super::{deletion::DELETE, model::Model};
use crate::rows::row::Row;

/// Enqueues the job that runs an action on all objects of a select of ids; returns its id and the number of objects.
pub type Enqueue = for<'a> fn(&'a Acting<'a>, SelectStatement) -> Answer<'a, (Uuid, u64)>;

/// An act on objects of one model.
#[derive(Debug)]
pub struct Action {
    /// In the posted form, in the permission `jobs.retry` and in the audit log.
    pub name: &'static str,
    /// On the button.
    pub label: &'static str,
    /// In the message afterwards: "3 jobs retried".
    pub done: &'static str,
    /// What it means, on the page that asks whether it is meant.
    pub about: &'static str,
    pub asks: &'static [Ask],
    /// Whether it is confirmed even for one object.
    pub grave: bool,
    /// Whether the password must have been shown within the last minutes.
    pub fresh: bool,
    /// Whether it is done to one object at a time.
    single: bool,
    /// Whether it fits an object, as far as its row tells.
    pub fits: fn(&Row) -> bool,
    /// Said of those that it does not fit.
    pub unfit: &'static str,
    /// Does it to one object.
    pub run: for<'a> fn(&'a Acting<'a>, &'a Row) -> Answer<'a, Ran>,
    /// Orders a job that does it to more objects than are done at once.
    pub bulk: Option<Enqueue>,
}

/// What became of one object.
#[derive(Debug)]
pub enum Ran {
    Done,
    /// Done, and already written down with more detail than the engine knows.
    Recorded,
    /// Left alone, and why.
    Unfit(Cow<'static, str>),
}

/// What an action is given.
pub struct Acting<'a> {
    pub app: &'a AppContext,
    pub model: &'a Model,
    pub saving: &'a Saving<'a>,
    pub answers: &'a Answers,
}

impl Action {
    /// One that fits every object and takes no confirmation on an object's own page.
    pub const fn new(
        name: &'static str,
        label: &'static str,
        run: for<'a> fn(&'a Acting<'a>, &'a Row) -> Answer<'a, Ran>,
    ) -> Self {
        Self {
            name,
            label,
            done: "done",
            about: "",
            asks: &[],
            grave: false,
            fresh: false,
            single: false,
            fits: |_| true,
            unfit: "it doesn't apply to them",
            run,
            bulk: None,
        }
    }

    pub const fn done(self, done: &'static str) -> Self {
        Self { done, ..self }
    }

    pub const fn about(self, about: &'static str) -> Self {
        Self { about, ..self }
    }

    pub const fn asks(self, asks: &'static [Ask]) -> Self {
        Self {
            asks,
            grave: true,
            ..self
        }
    }

    pub const fn grave(self) -> Self {
        Self { grave: true, ..self }
    }

    pub const fn fresh(self) -> Self {
        Self {
            fresh: true,
            grave: true,
            ..self
        }
    }

    /// Done to one object at a time, on its own page.
    pub const fn single(self) -> Self {
        Self { single: true, ..self }
    }

    pub const fn fits(self, fits: fn(&Row) -> bool, unfit: &'static str) -> Self {
        Self { fits, unfit, ..self }
    }

    pub const fn bulk(self, enqueue: Enqueue) -> Self {
        Self {
            bulk: Some(enqueue),
            ..self
        }
    }

    /// What orders the job, where there is one.
    pub(crate) fn enqueue(&self, model: &Model) -> Option<Enqueue> {
        let of_deletion = || model.deletion.filter(|_| self.name == DELETE)?.bulk;
        self.bulk.or_else(of_deletion)
    }

    pub fn permission(&self, model: &Model) -> String {
        format!("{}.{}", model.meta.name, self.name)
    }

    /// Whether it replaces what was seen, such as a set or an end, so that it is not done unseen.
    pub(crate) fn replaces(&self) -> bool {
        self.asks
            .iter()
            .any(|ask| matches!(ask, Ask::Some { .. } | Ask::Until { .. }))
    }

    /// Whether it is done to one object at a time, as one that asks something that depends on the object always is.
    pub(crate) fn is_for_one(&self) -> bool {
        self.single || self.asks.iter().any(|ask| matches!(ask, Ask::Some { .. }))
    }
}
