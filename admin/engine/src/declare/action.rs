//! What staff can do to objects beyond editing them: on one object's page, on the selected rows of a list, or on all
//! that match its filters.

use std::borrow::Cow;

use sea_orm::sea_query::SelectStatement;
use usher_shared::AppContext;
use uuid::Uuid;

use super::params::{Param, Params};
use super::saving::{HookFuture, SaveContext};
use super::{deletion::DELETE, model::Model};
use crate::rows::row::Row;

/// Enqueues the job that runs an action on all objects of a select of ids; returns its id and the number of objects.
pub type Enqueue = for<'a> fn(&'a ActionContext<'a>, SelectStatement) -> HookFuture<'a, (Uuid, u64)>;

/// Something staff can do to objects of one model.
#[derive(Debug)]
pub struct Action {
    /// In the posted form, in the permission `jobs.retry` and in the audit log.
    pub name: &'static str,
    /// On the button.
    pub label: &'static str,
    /// In the message afterwards: "3 jobs retried".
    pub done: &'static str,
    /// What it does, on the confirmation page.
    pub about: &'static str,
    pub params: &'static [Param],
    /// Whether it is confirmed even on one object's own page.
    pub confirms: bool,
    /// Whether the password must have been confirmed in the last minutes.
    pub sensitive: bool,
    /// Whether it runs on one object at a time.
    single: bool,
    /// Whether it applies to an object, judging by its row.
    pub fits: fn(&Row) -> bool,
    /// Why it doesn't apply to the others.
    pub unfit: &'static str,
    /// Runs it on one object.
    pub run: for<'a> fn(&'a ActionContext<'a>, &'a Row) -> HookFuture<'a, Outcome>,
    /// Enqueues a job for more objects than run at once.
    pub bulk: Option<Enqueue>,
}

/// The result for one object.
#[derive(Debug)]
pub enum Outcome {
    Done,
    /// Done, and the action wrote a more detailed audit entry itself.
    Audited,
    /// Skipped, and why.
    Skipped(Cow<'static, str>),
}

/// What an action is given.
pub struct ActionContext<'a> {
    pub app: &'a AppContext,
    pub model: &'a Model,
    pub saving: &'a SaveContext<'a>,
    pub params: &'a Params,
}

impl Action {
    /// An action that applies to every object and needs no confirmation on an object's own page.
    pub const fn new(
        name: &'static str,
        label: &'static str,
        run: for<'a> fn(&'a ActionContext<'a>, &'a Row) -> HookFuture<'a, Outcome>,
    ) -> Self {
        Self {
            name,
            label,
            done: "done",
            about: "",
            params: &[],
            confirms: false,
            sensitive: false,
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

    pub const fn params(self, params: &'static [Param]) -> Self {
        Self {
            params,
            confirms: true,
            ..self
        }
    }

    pub const fn confirmed(self) -> Self {
        Self { confirms: true, ..self }
    }

    pub const fn sensitive(self) -> Self {
        Self {
            sensitive: true,
            confirms: true,
            ..self
        }
    }

    /// Runs on one object at a time, from its own page.
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

    /// What enqueues the job, if there is one.
    pub(crate) fn enqueue(&self, model: &Model) -> Option<Enqueue> {
        let of_deletion = || model.deletion.filter(|_| self.name == DELETE)?.bulk;
        self.bulk.or_else(of_deletion)
    }

    pub fn permission(&self, model: &Model) -> String {
        format!("{}.{}", model.meta.name, self.name)
    }

    /// Whether it replaces a value that the person has seen, such as a set of roles, so that a stale page must not do
    /// it.
    pub(crate) fn replaces(&self) -> bool {
        self.params
            .iter()
            .any(|param| matches!(param, Param::Checklist { .. } | Param::Time { .. }))
    }

    /// Whether it runs on one object at a time. Actions whose parameters depend on the object always do.
    pub(crate) fn is_for_one(&self) -> bool {
        self.single || self.params.iter().any(|param| matches!(param, Param::Checklist { .. }))
    }
}
