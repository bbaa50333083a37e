//! The declaration of a model: the one trait that a product implements.

use sea_orm::{DbErr, EntityName, EntityTrait, IdenStatic, Iterable, PrimaryKeyToColumn};
use usher_shared::{AppContext, foundation::config::Config};

use super::meta::{Meta, Operation};
use super::saving::{Answer, Change, Saving};
use super::spec::{SearchBy, Spec};
use super::{
    action::Action, checklist::Ticks, deletion::Deletion, field::Field, inline::Inline, many_to_many::Across,
    model::Model, panel::Panel,
};
use crate::request::staff::Staff;
use crate::rows::{draft::Draft, row::Row};

/// How the admin shows and changes one table. `field` classifies every column, so that a new column does not compile until
/// somebody decides who sees it.
///
/// It is implemented by the entity itself, or by a type of the declaring crate where the entity is of another one.
pub trait AdminModel: 'static {
    type Entity: EntityTrait;

    const META: Meta;

    /// Acts on objects; see [`Action`].
    const ACTIONS: &'static [Action] = &[];

    /// How objects are deleted, where [`Meta::deletable`] says that they can be.
    const DELETION: Option<&'static Deletion> = None;

    /// A set of words that belongs to an object, such as the permissions of a role.
    const TICKS: Option<&'static Ticks> = None;

    fn field(column: Column<Self>) -> Field<Self::Entity>;

    /// The list's order when nobody chose one. The column's field must be sortable.
    fn ordering() -> Ordering<Self::Entity>;

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
    fn notes(_column: Column<Self>, _shown: &dyn Fn(Column<Self>) -> String) -> Vec<String> {
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
    fn taken(_violated: &str) -> Option<(Column<Self>, &'static str)> {
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
    fn panels<'a>(_app: &'a AppContext, _row: &'a Row, _staff: &'a Staff) -> Answer<'a, Vec<Panel>> {
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

/// The declaration without its type.
///
/// # Panics
/// At the start, when a column is classified as another one, or the key has several columns.
pub(super) fn erase<M: AdminModel>(base: &'static str) -> Model {
    let fields: Vec<Spec> = Column::<M>::iter().map(classified::<M>).collect();
    let key: Vec<_> = <M::Entity as EntityTrait>::PrimaryKey::iter()
        .map(|key| key.into_column().as_str())
        .collect();
    let [id] = key[..] else {
        panic!("{} has a compound key", M::META.name)
    };
    let ordering = M::ordering();
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
        deletion: M::DELETION,
        ticks: M::TICKS,
        across: M::across(),
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
        panels: M::panels,
    }
}

/// The model's own actions, and those that every model with a deletion has.
fn actions<M: AdminModel>() -> Vec<&'static Action> {
    assert_eq!(
        M::META.offers(Operation::Delete),
        M::DELETION.is_some(),
        "{}: deletable and DELETION go together",
        M::META.name
    );
    let soft = M::DELETION.and_then(|deletion| deletion.soft);
    let delete = M::DELETION.map(|_| &Deletion::ACTION);
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
