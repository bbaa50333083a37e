//! The declaration of a model: the one trait that a product implements.

use sea_orm::{EntityName, EntityTrait, IdenStatic, Iterable, PrimaryKeyToColumn};
use usher_shared::{AppContext, foundation::config::Config};

use super::meta::{Meta, Operation};
use super::saving::{Change, HookFuture, SaveContext};
use super::spec::{SearchBy, Spec};
use super::{
    action::Action, checklist::Checklist, deletion::Deletion, field::Field, inline::Inline, many_to_many::ManyToMany,
    model::Model, panel::Panel,
};
use crate::request::staff::Staff;
use crate::rows::{draft::Draft, row::Row};

/// How the admin shows and changes one table. `field` classifies every column, so that a new column does not compile
/// until someone decides who sees it.
///
/// Implement it for the entity, or for a type of your own if the entity belongs to another crate.
pub trait AdminModel: 'static {
    type Entity: EntityTrait;

    const META: Meta;

    /// What staff can do to objects; see [`Action`].
    const ACTIONS: &'static [Action] = &[];

    /// How objects are deleted, if they are [deletable](Meta::deletable). Unless declared, rows are deleted, and
    /// nothing else refers to them.
    const DELETION: Option<&'static Deletion> = None;

    /// A set of words that belongs to an object, such as the permissions of a role.
    const CHECKLIST: Option<&'static Checklist> = None;

    fn field(column: Column<Self>) -> Field<Self::Entity>;

    /// The list's default order: the newest ids first, unless declared. The column's field must be sortable.
    fn ordering() -> Ordering<Self::Entity> {
        Ordering::descending(key::<Self::Entity>())
    }

    /// Why this person may not do this to this object despite having the permission. `act` is `change` or the name of
    /// an action. `None` allows it.
    fn locked_for(_row: &Row, _staff: &Staff, _act: &str) -> Option<String> {
        None
    }

    /// A notice on top of the object's page, such as why it is locked.
    fn banner(_row: &Row) -> Option<String> {
        None
    }

    /// Whether the object changes by itself, so that its page reloads.
    fn is_live(_row: &Row) -> bool {
        false
    }

    /// Notes beside a column's field. `shown` gives what the form shows for a column.
    fn notes(_column: Column<Self>, _shown: &dyn Fn(Column<Self>) -> String) -> Vec<String> {
        vec![]
    }

    /// Validates the typed values, and sets values derived from them.
    /// `before` is `None` for a new object.
    fn clean(_draft: &mut Draft, _before: Option<&Row>, _config: &Config) {}

    /// Validation that needs the database, in the transaction of the save.
    fn guard<'a>(_saving: &'a SaveContext<'a>, _row: &'a Row, _draft: &'a mut Draft) -> HookFuture<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    /// Creates an object, and writes the audit entry. Returns its id, or `None` with errors in the draft. Unless
    /// declared, it is [`SaveContext::insert`].
    fn create<'a>(saving: &'a SaveContext<'a>, draft: &'a mut Draft) -> HookFuture<'a, Option<String>> {
        Box::pin(saving.insert(draft))
    }

    /// Changes an object if that takes more than updating the row, such as a function that the API calls too and that
    /// writes the audit entry. With `None` the engine updates the row.
    const CHANGE: Option<Change> = None;

    /// The field and the message for a violated unique constraint, from the driver's text. Unless declared, it is the
    /// column that SQLite names as `table.column`, and PostgreSQL by a constraint or index `table_column_…`.
    fn taken(violated: &str) -> Option<(Column<Self>, &'static str)> {
        let table = Self::Entity::default().table_name();
        let is_named = |column: &Column<Self>| {
            let (name, mut words) = (column.as_str(), violated.split([' ', ',', '"']));
            let starts = format!("{table}_{name}_");
            words.any(|word| word == format!("{table}.{name}") || word.starts_with(&starts))
        };
        let column = Column::<Self>::iter()
            .filter(is_named)
            .max_by_key(|column| column.as_str().len());
        column.map(|column| (column, "This is already taken"))
    }

    /// Related objects in a join table: a filter of the list, and where declared a column and a field of the form.
    fn many_to_many() -> Vec<ManyToMany> {
        vec![]
    }

    /// Facts that actions need: a name, and SQL that is true or false for a row. Read with single objects and with
    /// those that actions run on.
    const FACTS: &'static [(&'static str, &'static str)] = &[];

    /// Rows of other models that refer to this object, beside the form.
    fn inlines() -> Vec<Inline> {
        vec![]
    }

    /// Other tables beside the form. At most one statement.
    fn panels<'a>(_app: &'a AppContext, _row: &'a Row, _staff: &'a Staff) -> HookFuture<'a, Vec<Panel>> {
        Box::pin(async { Ok(vec![]) })
    }
}

/// A column of a model.
pub type Column<M> = <<M as AdminModel>::Entity as EntityTrait>::Column;

/// A list's order by one column; equal values are ordered by the primary key.
pub struct Ordering<E: EntityTrait> {
    column: E::Column,
    descending: bool,
}

impl<E: EntityTrait> Ordering<E> {
    pub fn ascending(column: E::Column) -> Self {
        Self {
            column,
            descending: false,
        }
    }

    pub fn descending(column: E::Column) -> Self {
        Self {
            column,
            descending: true,
        }
    }
}

/// The deletion of a model that declares none.
static ROWS: Deletion = Deletion::rows(&[]);

/// The primary key's column.
pub(super) fn key<E: EntityTrait>() -> E::Column {
    let first = E::PrimaryKey::iter().next();
    first.expect("every entity has a key").into_column()
}

/// Erases the declaration's type.
///
/// # Panics
/// At startup, when a column is classified as another one, or the key has several columns.
pub(crate) fn erase<M: AdminModel>(base: &'static str) -> Model {
    let mut fields: Vec<Spec> = Column::<M>::iter().map(classified::<M>).collect();
    let many_to_many = M::many_to_many();
    for relation in many_to_many.iter().filter_map(ManyToMany::spec) {
        let (model, name) = (M::META.name, relation.name);
        let is_column = fields.iter().any(|spec| spec.name == name);
        assert!(
            !is_column,
            "{model}: the relation {name} has the name of a column or of another relation"
        );
        fields.push(relation);
    }
    let key: Vec<_> = <M::Entity as EntityTrait>::PrimaryKey::iter()
        .map(|key| key.into_column().as_str())
        .collect();
    let [id] = key[..] else {
        panic!("{} has a compound key", M::META.name)
    };
    let ordering = M::ordering();
    let deletion = M::DELETION.or_else(|| M::META.offers(Operation::Delete).then_some(&ROWS));
    let words = fields.iter().find(|spec| matches!(spec.search, Some(SearchBy::Words)));
    if let (Some(spec), false) = (words, M::META.few) {
        panic!(
            "{}.{} is declared for a search by words, for which all rows are read: declare the model as one of few, or \
             the search as Search::Folded",
            M::META.name,
            spec.name
        )
    }
    Model {
        base,
        meta: M::META,
        table: M::Entity::default().table_name(),
        id,
        fields,
        ordering: (ordering.column.as_str(), ordering.descending),
        actions: actions::<M>(),
        links: M::META.link.into_iter().collect(),
        deletion,
        checklist: M::CHECKLIST,
        many_to_many,
        facts: M::FACTS,
        inlines: M::inlines(),
        locked_for: M::locked_for,
        banner: M::banner,
        is_live: M::is_live,
        notes: |column, shown| {
            let known = Column::<M>::iter().find(|known| known.as_str() == column);
            known.map_or_else(Vec::new, |column| M::notes(column, &|column| shown(column.as_str())))
        },
        clean: M::clean,
        guard: M::guard,
        create: M::create,
        change: M::CHANGE,
        taken: |violated| M::taken(violated).map(|(column, words)| (column.as_str(), words)),
        panels: vec![M::panels],
    }
}

/// The model's own actions and the built-in ones.
fn actions<M: AdminModel>() -> Vec<&'static Action> {
    let is_deletable = M::META.offers(Operation::Delete);
    assert!(
        is_deletable || M::DELETION.is_none(),
        "{}: DELETION needs Meta::deletable",
        M::META.name
    );
    let soft = M::DELETION.and_then(|deletion| deletion.soft);
    let delete = is_deletable.then_some(&Deletion::ACTION);
    let restore = soft.map(|_| &Deletion::UNDO);
    M::ACTIONS.iter().chain(delete).chain(restore).collect()
}

fn classified<M: AdminModel>(column: Column<M>) -> Spec {
    let spec = M::field(column).into_spec();
    let (wanted, got) = (column.as_str(), spec.name);
    assert_eq!(
        wanted,
        got,
        "{}: the column {wanted} is classified as {got}",
        M::META.name
    );
    spec
}
