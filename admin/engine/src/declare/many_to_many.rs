//! Many-to-many relations through a join table, such as the tags of a ticket: a filter of the list, and where declared
//! a column of it and a field of the form.

use sea_orm::{
    Value,
    sea_query::{Expr, ExprTrait, Query, SimpleExpr},
};

use super::spec::{Kind, Spec};
use crate::rows::storage::Storage;

/// The objects of another model that an object is related to by rows of a join table. The list can always be filtered
/// by one of them; each object is shown once, however many pairs it is in.
///
/// Rows of the join table are added and removed as pairs of ids, so its other columns need defaults, and both foreign
/// keys `ON DELETE CASCADE`.
#[derive(Clone, Debug)]
pub struct ManyToMany {
    /// In the address: `?tag=3`.
    pub(crate) name: &'static str,
    pub(crate) label: String,
    /// The model of the other side.
    pub(crate) model: &'static str,
    /// How the other side's ids are stored.
    pub(crate) storage: Storage,
    pub(crate) table: &'static str,
    pub(crate) own: &'static str,
    pub(crate) other: &'static str,
    /// As a column, field and key of exports: `tags`.
    pub(super) plural: &'static str,
    pub(super) plural_label: String,
    listed: bool,
    in_form: bool,
    readonly: bool,
    help: &'static str,
    fieldset: &'static str,
}

impl ManyToMany {
    pub(super) fn new(
        (name, label): (&'static str, String),
        (plural, plural_label): (&'static str, String),
        (model, storage): (&'static str, Storage),
        (table, own, other): (&'static str, &'static str, &'static str),
    ) -> Self {
        Self {
            name,
            label,
            model,
            storage,
            table,
            own,
            other,
            plural,
            plural_label,
            listed: false,
            in_form: false,
            readonly: false,
            help: "",
            fieldset: "",
        }
    }

    /// A column of the list, with the names of the first few. An index of the join table must begin with `own`.
    #[must_use]
    pub fn list(self) -> Self {
        Self { listed: true, ..self }
    }

    /// A field of the form, for staff who may change the object and see the other model: checkboxes, or if there are
    /// many to choose from, those that are chosen and a field to add others. An index of the join table must begin with
    /// `own`.
    #[must_use]
    pub fn form(self) -> Self {
        Self { in_form: true, ..self }
    }

    /// A field of the form that is only shown.
    #[must_use]
    pub fn readonly(self) -> Self {
        Self {
            readonly: true,
            ..self.form()
        }
    }

    /// Names of its own, where several relations lead to the same model: `watcher` in addresses and `watchers` as a
    /// column and field.
    #[must_use]
    pub fn named(self, name: &'static str, plural: &'static str) -> Self {
        Self {
            name,
            label: super::spec::label_of(name),
            plural,
            plural_label: super::spec::label_of(plural),
            ..self
        }
    }

    /// One line beside the field.
    #[must_use]
    pub fn help(self, help: &'static str) -> Self {
        Self { help, ..self }
    }

    /// The heading in the form under which the field appears.
    #[must_use]
    pub fn fieldset(self, fieldset: &'static str) -> Self {
        Self { fieldset, ..self }
    }

    /// The column and field; `None` if it is only a filter.
    pub(super) fn spec(&self) -> Option<Spec> {
        (self.listed || self.in_form).then(|| Spec {
            name: self.plural,
            label: self.plural_label.clone(),
            kind: Kind::ManyToMany(Box::new(self.clone())),
            storage: Storage::Json,
            nullable: true,
            optional: true,
            listed: self.listed,
            in_form: self.in_form,
            readonly: self.readonly,
            help: self.help,
            fieldset: self.fieldset,
            ..Spec::default()
        })
    }

    /// Parses an id of the other side.
    pub(crate) fn parse(&self, text: &str) -> Option<Value> {
        self.storage.parse(text)
    }

    /// The condition that an object is related to this one.
    pub(crate) fn condition(&self, own_id: &'static str, id: &Value) -> SimpleExpr {
        let pairs = Query::select()
            .column(self.own)
            .from(self.table)
            .and_where(Expr::col(self.other).eq(id.clone()))
            .to_owned();
        Expr::col(own_id).in_subquery(pairs)
    }
}
