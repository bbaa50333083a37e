//! A declared model with its type erased, so that each page is written once.

use sea_orm::{
    ConnectionTrait, DbErr, QueryResult,
    sea_query::{Expr, Query, SelectStatement},
};
use usher_shared::{audit::Entry, foundation::config::Config};

use super::meta::{Link, Meta, Operation};
use super::saving::{Change, HookFuture, SaveContext};
use super::spec::{Kind, Spec};
use super::{
    action::Action, checklist::Checklist, deletion::Deletion, inline::Inline, many_to_many::ManyToMany, panel::Panels,
    tone::Tone,
};
use crate::request::staff::Staff;
use crate::rows::cell::{Cell, Names};
use crate::rows::{draft::Draft, row::Row};
use crate::text::path_segment;

/// Notes beside a column's field, from the values that the form shows.
pub(crate) type Notes = fn(&str, &dyn Fn(&str) -> String) -> Vec<String>;

/// An [`AdminModel`](super::admin_model::AdminModel) without its type.
#[derive(Debug)]
pub struct Model {
    pub meta: Meta,
    /// What the addresses of the site begin with.
    pub(crate) base: &'static str,
    pub(crate) table: &'static str,
    /// The primary key's column. Models with a compound key cannot be registered.
    pub(crate) id: &'static str,
    pub(crate) fields: Vec<Spec>,
    /// The default order: a column's name, and whether it descends.
    pub(crate) ordering: (&'static str, bool),
    pub actions: Vec<&'static Action>,
    /// The model's own, then those that apps add.
    pub(crate) links: Vec<Link>,
    pub(crate) deletion: Option<&'static Deletion>,
    pub(crate) checklist: Option<&'static Checklist>,
    pub(crate) many_to_many: Vec<ManyToMany>,
    pub(crate) facts: &'static [(&'static str, &'static str)],
    pub(crate) inlines: Vec<Inline>,
    pub(crate) locked_for: fn(&Row, &Staff, &str) -> Option<String>,
    pub(crate) banner: fn(&Row) -> Option<String>,
    pub(crate) is_live: fn(&Row) -> bool,
    pub(crate) notes: Notes,
    pub(crate) clean: fn(&mut Draft, Option<&Row>, &Config),
    pub(crate) guard: for<'a> fn(&'a SaveContext<'a>, &'a Row, &'a mut Draft) -> HookFuture<'a, ()>,
    pub(crate) create: for<'a> fn(&'a SaveContext<'a>, &'a mut Draft) -> HookFuture<'a, Option<String>>,
    pub(crate) change: Option<Change>,
    pub(crate) taken: fn(&str) -> Option<(&'static str, &'static str)>,
    /// The model's own, then those that other apps add.
    pub(crate) panels: Vec<Panels>,
}

impl Link {
    pub(crate) fn permission(&self, model: &Model) -> String {
        format!("{}.{}", model.meta.name, self.word)
    }
}

impl Model {
    pub(crate) fn field(&self, name: &str) -> Option<&Spec> {
        self.fields.iter().find(|spec| spec.name == name)
    }

    pub(crate) fn id_field(&self) -> &Spec {
        self.field(self.id).expect("the key is a column")
    }

    /// The column that names an object.
    pub(crate) fn name_field(&self) -> &Spec {
        self.fields
            .iter()
            .find(|spec| spec.link)
            .unwrap_or_else(|| self.id_field())
    }

    /// The list's columns: what names the object first, then as the entity has them.
    pub(crate) fn listed(&self) -> impl Iterator<Item = &Spec> {
        let name = self.name_field();
        let others = self.fields.iter().filter(|spec| spec.listed && spec.name != name.name);
        std::iter::once(name).chain(others)
    }

    pub(crate) fn row_version(&self) -> Option<&Spec> {
        self.fields.iter().find(|spec| matches!(spec.kind, Kind::RowVersion))
    }

    /// The object's name in sentences.
    pub(crate) fn label(&self, row: &Row) -> String {
        let name = self.name_field();
        row.text(name.name).map(|text| name.shown(text)).unwrap_or_default()
    }

    /// The column that marks a row as deleted.
    pub(crate) fn soft(&self) -> Option<&'static str> {
        self.deletion.and_then(|deletion| deletion.soft).map(|soft| soft.column)
    }

    pub(crate) fn is_deleted(&self, row: &Row) -> bool {
        self.soft().is_some_and(|column| row.get(column).is_some())
    }

    pub fn href(&self) -> String {
        format!("{}/{}", self.base, self.meta.name)
    }

    /// The page of the object with this id.
    pub(crate) fn object_href(&self, id: &str) -> String {
        format!("{}/{}", self.href(), path_segment(id))
    }

    /// Whether this exists for objects of the model, and this person may do it.
    pub fn allows(&self, staff: &Staff, operation: Operation) -> bool {
        self.meta.offers(operation) && staff.may(&self.meta.permission(operation))
    }

    /// An audit entry about an object.
    pub(crate) fn entry<'a>(&self, row: &Row, action: &'a str) -> Entry<'a> {
        Entry {
            action,
            object_type: self.meta.object_type(),
            object_id: row.text(self.id),
            object_label: Some(self.label(row)),
            ..Entry::default()
        }
    }

    /// The list, or the empty form for people who may only add; none for people who may do neither.
    pub(crate) fn entrance(&self, staff: &Staff) -> Option<String> {
        if self.allows(staff, Operation::View) {
            Some(self.href())
        } else {
            self.allows(staff, Operation::Add)
                .then(|| format!("{}/new", self.href()))
        }
    }

    /// Reads every column but the secret ones.
    pub(crate) fn select(&self) -> SelectStatement {
        let columns = self.fields.iter().filter(|spec| spec.is_read()).map(|spec| spec.name);
        Query::select().columns(columns).from(self.table).to_owned()
    }

    /// Reads the rows of such a select.
    pub(crate) async fn read(&self, db: &impl ConnectionTrait, select: &SelectStatement) -> Result<Vec<Row>, DbErr> {
        let results = db.query_all(select).await?;
        results.iter().map(|result| Row::read(&self.fields, result)).collect()
    }

    /// The same select with the model's facts.
    pub(crate) fn select_whole(&self) -> SelectStatement {
        let mut select = self.select();
        for (name, sql) in self.facts {
            select.expr_as(Expr::cust(*sql), *name);
        }
        select
    }

    /// Reads what [`Self::select_whole`] selects.
    pub(crate) fn read_whole(&self, result: &QueryResult) -> Result<Row, DbErr> {
        let mut row = Row::read(&self.fields, result)?;
        for (name, _) in self.facts {
            row = row.and(name, result.try_get("", name)?);
        }
        Ok(row)
    }

    /// A value of a row. The state of a deleted row is "Deleted".
    pub(crate) fn cell(&self, spec: &Spec, row: &Row, names: &Names) -> Cell {
        self.deleted(spec, row).unwrap_or_else(|| Cell::of(spec, row, names))
    }

    /// The same in full, for the object's own page.
    pub(crate) fn whole_cell(&self, spec: &Spec, row: &Row, names: &Names) -> Cell {
        self.deleted(spec, row).unwrap_or_else(|| Cell::whole(spec, row, names))
    }

    fn deleted(&self, spec: &Spec, row: &Row) -> Option<Cell> {
        let is_state = matches!(spec.kind, Kind::Choice(_)) && self.is_deleted(row);
        is_state.then(|| Cell::badge("Deleted", Tone::Quiet.class()))
    }
}
