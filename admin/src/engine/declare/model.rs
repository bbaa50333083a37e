//! The declaration of a model, and the same with its type erased, so that each page is written once.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use futures::future::BoxFuture;
use sea_orm::{
    DbErr, EntityTrait, IdenStatic, Iterable, PrimaryKeyToColumn, QueryResult,
    sea_query::{Expr, Query, SelectStatement},
};
use usher_shared::{audit::Actor, foundation::config::Config, jobs::Tx};

use crate::engine::{declare::{action::Action, checklist::Ticks, deletion::Deletion, field::{Field, Kind, SearchBy, Spec, Tone}, inline::Inline, many_to_many::Across, meta::{Meta, Operation}, panel::Panel}, rows::{draft::Draft, row::{Cell, Names, Row}}};
use crate::{engine::request::staff::Staff, state::AppState};

/// How the admin shows and changes one table. `field` classifies every column, so that a new column does
/// not compile until somebody decides who sees it.
pub(crate) trait AdminModel: EntityTrait {
    const META: Meta;

    /// Acts on objects; see [`Action`].
    const ACTIONS: &'static [Action] = &[];

    /// How objects are deleted, where [`Meta::deletable`] says that they can be.
    const DELETION: Option<&'static Deletion> = None;

    /// A set of words that belongs to an object, such as the permissions of a role.
    const TICKS: Option<&'static Ticks> = None;

    fn field(column: Self::Column) -> Field<Self>;

    /// The list's order when nobody chose one. The column's field must be sortable.
    fn ordering() -> Ordering<Self>;

    /// Why this person may not do this to this object, though they hold the permission: `change` by the form, or the
    /// name of an action. `None` lets them.
    fn locked_for(_row: &Row, _staff: &Staff, _act: &str) -> Option<String> {
        None
    }

    /// What everybody who looks at this object should know first, such as why it is locked.
    fn banner(_row: &Row) -> Option<String> {
        None
    }

    /// Whether the object changes by itself, so that its page is worth loading again.
    fn is_live(_row: &Row) -> bool {
        false
    }

    /// What follows from the values in the form, beside a field: `shown` is what stands in a column's field.
    fn notes(_column: Self::Column, _shown: &dyn Fn(Self::Column) -> String) -> Vec<String> {
        vec![]
    }

    /// Checks the typed values by the model's rules, and sets what follows from them.
    /// `before` is none for a new object.
    fn clean(_draft: &mut Draft, _before: Option<&Row>, _config: &Config) {}

    /// What only the database can refuse, asked inside the transaction of the save.
    fn guard<'a>(_saving: &'a Saving<'a>, _row: &'a Row, _draft: &'a mut Draft) -> Answer<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    /// Makes an object where that means more than a row; answers its id, or refuses through the draft.
    fn create<'a>(_saving: &'a Saving<'a>, _draft: &'a mut Draft) -> Answer<'a, Option<String>> {
        Box::pin(async { Err(DbErr::Custom(format!("{} cannot be added", Self::META.plural))) })
    }

    /// Changes an object where that means more than a row, by the function of `shared` that the API calls, which also
    /// writes the audit row. None lets the engine write the row.
    const CHANGE: Option<Change> = None;

    /// The field and the words for a unique constraint that a save ran into, by the driver's text.
    fn taken(_violated: &str) -> Option<(Self::Column, &'static str)> {
        None
    }

    /// Filters by what objects are tied to through a table of pairs.
    fn across() -> Vec<Across> {
        vec![]
    }

    /// What else actions ask of an object: a name, and SQL that is true or false of its row. Read with one object, and
    /// with those that are acted on.
    const FACTS: &'static [(&'static str, &'static str)] = &[];

    /// Rows of other models that stand beside the form, because they hold this object's id.
    fn inlines() -> Vec<Inline> {
        vec![]
    }

    /// What else stands beside the form. At most one statement.
    fn panels<'a>(_state: &'a AppState, _row: &'a Row, _staff: &'a Staff) -> Answer<'a, Vec<Panel>> {
        Box::pin(async { Ok(vec![]) })
    }
}

/// See [`AdminModel::CHANGE`].
pub(crate) type Change = for<'a> fn(&'a Saving<'a>, &'a Row, &'a mut Draft) -> Answer<'a, Changed>;

/// How a model's own change ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    Saved,
    /// The form says what is stored.
    Unchanged,
    /// The draft says what is wrong.
    Refused,
}

/// What a hook answers once it has asked the database.
pub(crate) type Answer<'a, T> = BoxFuture<'a, Result<T, DbErr>>;

/// What a hook needs while a save runs.
pub(crate) struct Saving<'a> {
    pub(crate) tx: &'a Tx,
    pub(crate) config: &'a Config,
    pub(crate) actor: &'a Actor,
    pub(crate) staff: &'a Staff,
    /// What is ticked of [`AdminModel::TICKS`]; none where that is as stored.
    pub(crate) ticked: Option<BTreeSet<String>>,
    /// What the hooks have to say.
    pub(crate) said: Mutex<Said>,
}

/// What is said after a save.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// In the place of the usual words, such as a secret that is shown once.
    notice: Option<String>,
    /// Behind the usual words, each once.
    remarks: BTreeSet<String>,
}

impl Saving<'_> {
    /// Says this after the save.
    pub(crate) fn notice(&self, words: String) {
        self.lock().notice = Some(words);
    }

    /// Says this behind the usual words, however many objects it is true of.
    pub(crate) fn remark(&self, words: String) {
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

/// A list's order by one column; equal values are ordered by the primary key.
pub(crate) struct Ordering<E: EntityTrait> {
    column: E::Column,
    descending: bool,
}

impl<E: EntityTrait> Ordering<E> {
    pub(crate) fn ascending(column: E::Column) -> Self {
        Self {
            column,
            descending: false,
        }
    }

    pub(crate) fn descending(column: E::Column) -> Self {
        Self {
            column,
            descending: true,
        }
    }
}

/// What stands beside the field of this column, by what the form shows of the others.
pub(crate) type Notes = fn(&str, &dyn Fn(&str) -> String) -> Vec<String>;

/// An [`AdminModel`] without its type.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) meta: Meta,
    pub(crate) table: &'static str,
    /// The primary key's column; models with a compound key cannot be registered.
    pub(crate) id: &'static str,
    pub(crate) fields: Vec<Spec>,
    /// The default order: a column's name, and whether it descends.
    pub(crate) ordering: (&'static str, bool),
    pub(crate) actions: Vec<&'static Action>,
    pub(crate) deletion: Option<&'static Deletion>,
    pub(crate) ticks: Option<&'static Ticks>,
    pub(crate) across: Vec<Across>,
    pub(crate) facts: &'static [(&'static str, &'static str)],
    pub(crate) inlines: Vec<Inline>,
    pub(crate) locked_for: fn(&Row, &Staff, &str) -> Option<String>,
    pub(crate) banner: fn(&Row) -> Option<String>,
    pub(crate) is_live: fn(&Row) -> bool,
    pub(crate) notes: Notes,
    pub(crate) clean: fn(&mut Draft, Option<&Row>, &Config),
    pub(crate) guard: for<'a> fn(&'a Saving<'a>, &'a Row, &'a mut Draft) -> Answer<'a, ()>,
    pub(crate) create: for<'a> fn(&'a Saving<'a>, &'a mut Draft) -> Answer<'a, Option<String>>,
    pub(crate) change: Option<Change>,
    pub(crate) taken: fn(&str) -> Option<(&'static str, &'static str)>,
    pub(crate) panels: for<'a> fn(&'a AppState, &'a Row, &'a Staff) -> Answer<'a, Vec<Panel>>,
}

impl Model {
    /// # Panics
    /// At the start, when a column is classified as another one, or the key has several columns.
    fn of<E: AdminModel>() -> Self {
        let fields: Vec<Spec> = E::Column::iter()
            .map(|column| classified::<E>(column).erased())
            .collect();
        let key: Vec<_> = E::PrimaryKey::iter().map(|key| key.into_column().as_str()).collect();
        let [id] = key[..] else {
            panic!("{} has a compound key", E::META.name)
        };
        let ordering = E::ordering();
        let words = fields.iter().find(|spec| matches!(spec.search, Some(SearchBy::Words)));
        if let (Some(spec), false) = (words, E::META.few) {
            panic!(
                "{}.{} is declared for a search by words, for which all rows are read: declare the model as one of few, or \
                 the search as Search::Folded",
                E::META.name,
                spec.name
            )
        }
        Self {
            meta: E::META,
            table: E::default().table_name(),
            id,
            fields,
            ordering: (ordering.column.as_str(), ordering.descending),
            actions: actions::<E>(),
            deletion: E::DELETION,
            ticks: E::TICKS,
            across: E::across(),
            facts: E::FACTS,
            inlines: E::inlines(),
            locked_for: E::locked_for,
            banner: E::banner,
            is_live: E::is_live,
            notes: |column, shown| {
                let known = E::Column::iter().find(|known| known.as_str() == column);
                known.map_or_else(Vec::new, |column| E::notes(column, &|column| shown(column.as_str())))
            },
            clean: E::clean,
            guard: E::guard,
            create: E::create,
            change: E::CHANGE,
            taken: |violated| E::taken(violated).map(|(column, words)| (column.as_str(), words)),
            panels: E::panels,
        }
    }

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

    /// How sentences call an object.
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

    pub(crate) fn href(&self) -> String {
        format!("/admin/{}", self.meta.name)
    }

    /// The list, or the empty form for whoever may only add; none for whom the model is not there.
    pub(crate) fn entrance(&self, staff: &Staff) -> Option<String> {
        let may = |operation| self.meta.offers(operation) && staff.may(&self.meta.permission(operation));
        if may(Operation::View) {
            Some(self.href())
        } else {
            may(Operation::Add).then(|| format!("{}/new", self.href()))
        }
    }

    /// Reads every column but the secret ones.
    pub(crate) fn select(&self) -> SelectStatement {
        let columns = self.fields.iter().filter(|spec| spec.is_read()).map(|spec| spec.name);
        Query::select().columns(columns).from(self.table).to_owned()
    }

    /// The same with what else actions ask.
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

    /// A value of a row. What is deleted is neither active nor anything else.
    pub(crate) fn cell(&self, spec: &Spec, row: &Row, names: &Names) -> Cell {
        self.deleted(spec, row).unwrap_or_else(|| Cell::of(spec, row, names))
    }

    /// The same as the object's own page shows it.
    pub(crate) fn whole_cell(&self, spec: &Spec, row: &Row, names: &Names) -> Cell {
        self.deleted(spec, row).unwrap_or_else(|| Cell::whole(spec, row, names))
    }

    fn deleted(&self, spec: &Spec, row: &Row) -> Option<Cell> {
        let is_state = matches!(spec.kind, Kind::Choice(_)) && self.is_deleted(row);
        is_state.then(|| Cell::badge("Deleted", Tone::Quiet.class()))
    }
}

/// The model's own actions, and those that every model with a deletion has.
fn actions<E: AdminModel>() -> Vec<&'static Action> {
    assert_eq!(
        E::META.offers(Operation::Delete),
        E::DELETION.is_some(),
        "{}: deletable and DELETION go together",
        E::META.name
    );
    let soft = E::DELETION.and_then(|deletion| deletion.soft);
    let delete = E::DELETION.map(|_| &Deletion::ACTION);
    let restore = soft.map(|_| &Deletion::UNDO);
    E::ACTIONS.iter().chain(delete).chain(restore).collect()
}

fn classified<E: AdminModel>(column: E::Column) -> Field<E> {
    let field = E::field(column);
    let (wanted, got) = (column.as_str(), field.column.as_str());
    assert_eq!(
        wanted,
        got,
        "{}: the column {wanted} is classified as {got}",
        E::META.name
    );
    field
}

/// Every registered model, in the order of the navigation.
#[derive(Debug, Default)]
pub(crate) struct Site {
    pub(crate) models: Vec<Model>,
}

impl Site {
    #[must_use]
    pub(crate) fn with<E: AdminModel>(mut self) -> Self {
        self.models.push(Model::of::<E>());
        self
    }

    pub(crate) fn model(&self, name: &str) -> Option<&Model> {
        self.models.iter().find(|model| model.meta.name == name)
    }
}
