//! What the admin does with one column. A constructor takes a typed column, so that a text field on a boolean does not
//! compile; the methods after it say where the column appears and what can be done with it.

use std::marker::PhantomData;

use sea_orm::{
    ActiveEnum, ActiveEnumValue, BoolColumn, BytesColumn, ColumnTrait, DateTimeLikeColumn, EntityTrait, IdenStatic,
    Iterable, JsonColumn, NumericColumn, NumericColumnNullable, StringColumn, StringColumnNullable, UuidColumn,
    sea_query::Value,
};
use usher_shared::foundation::search::{Folded, Part};

use super::admin_model::key;
use super::spec::{Choice, Kind, SearchBy, Spec, Spellings, label_of};
use super::{time_dependent::TimeDependent, tone::Tone};
use crate::rows::storage::{Storage, text_of};
use crate::text::readable;

/// One column's classification. Build it with a constructor, then say where it appears.
pub struct Field<E: EntityTrait> {
    spec: Spec,
    entity: PhantomData<E>,
}

/// How a word typed into the search box finds a column.
pub enum Search<E: EntityTrait> {
    /// The key column starts with the word's key; a plain index serves it.
    Prefix {
        key_column: E::Column,
        key: fn(&str) -> String,
    },
    /// The column holds the word, ignoring case and accents. For models with few rows: all are read.
    Words,
    /// The same for any number of rows, by a column of `usher_shared::foundation::search::folded` text and its index.
    Folded { at: Folded, part: Part },
    /// The column is the word.
    Exact,
}

/// A typed column that can be an id: a number, a UUID or a word.
pub trait IdColumn<E: EntityTrait> {
    fn column(self) -> E::Column;
}

/// A typed column of text.
pub trait TextColumn<E: EntityTrait> {
    fn column(self) -> E::Column;
}

/// A typed column of whole numbers.
pub trait IntColumn<E: EntityTrait> {
    fn column(self) -> E::Column;
}

macro_rules! typed_columns {
    ($($kind:ident: $($column:ident),+;)+) => {$($(
        impl<E: EntityTrait> $kind<E> for $column<E> {
            fn column(self) -> E::Column {
                self.0
            }
        }
    )+)+};
}
typed_columns! {
    IdColumn: NumericColumn, NumericColumnNullable, UuidColumn, StringColumn;
    TextColumn: StringColumn, StringColumnNullable;
    IntColumn: NumericColumn, NumericColumnNullable;
}

impl<E: EntityTrait> Field<E> {
    pub(super) fn new(column: E::Column, kind: Kind) -> Self {
        let (name, definition) = (column.as_str(), column.def());
        let words = name
            .strip_suffix("_id")
            .filter(|_| matches!(kind, Kind::ForeignKey(_)))
            .unwrap_or(name);
        Self {
            spec: Spec {
                name,
                label: label_of(words),
                kind,
                storage: Storage::of(definition.get_column_type()),
                nullable: definition.is_null(),
                optional: definition.is_null(),
                ..Spec::default()
            },
            entity: PhantomData,
        }
    }

    /// The primary key, sortable and found by `id:`.
    pub fn id(column: impl IdColumn<E>) -> Self {
        let field = Self::new(column.column(), Kind::Id).sort().search(Search::Exact);
        field.with(|spec| spec.readonly = true)
    }

    pub fn text(column: impl TextColumn<E>) -> Self {
        Self::new(column.column(), Kind::Text { long: false })
    }

    /// Text of several lines.
    pub fn long_text(column: impl TextColumn<E>) -> Self {
        Self::new(column.column(), Kind::Text { long: true })
    }

    /// An enum that is stored as words. `tone` decides how each value looks.
    pub fn choice<C>(column: E::Column, tone: fn(&C) -> Tone) -> Self
    where
        C: ActiveEnum + Iterable,
        C::Value: ActiveEnumValue,
    {
        let choices = C::iter().map(|each| {
            let value = text_of(&Into::<Value>::into(each.to_value())).unwrap_or_default();
            Choice {
                label: readable(&value),
                value,
                tone: tone(&each),
                implies: None,
            }
        });
        Self::new(column, Kind::Choice(choices.collect()))
    }

    pub fn bool(column: BoolColumn<E>) -> Self {
        Self::new(column.0, Kind::Bool)
    }

    pub fn int(column: impl IntColumn<E>) -> Self {
        Self::new(column.column(), Kind::Int)
    }

    pub fn time(column: DateTimeLikeColumn<E>) -> Self {
        Self::new(column.0, Kind::Time)
    }

    pub fn json(column: JsonColumn<E>) -> Self {
        Self::new(column.0, Kind::Json).with(|spec| spec.readonly = true)
    }

    pub fn bytes(column: BytesColumn<E>) -> Self {
        Self::new(column.0, Kind::Bytes).with(|spec| spec.readonly = true)
    }

    /// Written by the program, never shown and never asked for.
    pub fn internal(column: E::Column) -> Self {
        Self::new(column, Kind::Internal)
    }

    /// Never read, shown, searched or filtered by.
    pub fn secret(column: E::Column) -> Self {
        Self::new(column, Kind::Secret)
    }

    /// Counts changes, so that a stale save is noticed.
    pub fn row_version(column: NumericColumn<E>) -> Self {
        Self::new(column.0, Kind::RowVersion)
    }

    /// The time at which the object was created: a column of the list, sorted by the primary key, which must grow with
    /// time, as numbers and UUIDs of version 7 do.
    pub fn created(column: DateTimeLikeColumn<E>) -> Self {
        let field = Self::time(column).list().sort_by(key::<E>()).readonly().not_new();
        field.with(|spec| spec.created = true)
    }

    /// The time of the last save.
    pub fn touched(column: DateTimeLikeColumn<E>) -> Self {
        Self::new(column.0, Kind::Touched).readonly()
    }

    fn with(mut self, change: impl FnOnce(&mut Spec)) -> Self {
        change(&mut self.spec);
        self
    }

    /// A column of the list.
    pub fn list(self) -> Self {
        self.with(|spec| spec.listed = true)
    }

    /// The column of the list that names the object and links to it.
    pub fn link(self) -> Self {
        self.list().with(|spec| spec.link = true)
    }

    /// A field of the form, which staff with the permission may change.
    pub fn form(self) -> Self {
        self.with(|spec| spec.in_form = true)
    }

    /// A field of the form that is only shown.
    pub fn readonly(self) -> Self {
        self.form().with(|spec| spec.readonly = true)
    }

    /// May be left empty, even though the column is never NULL.
    pub fn optional(self) -> Self {
        self.with(|spec| spec.optional = true)
    }

    /// A change asks for the password, and the second factor, unless they were confirmed in the last minutes.
    pub fn sensitive(self) -> Self {
        self.with(|spec| spec.sensitive = true)
    }

    /// A key that staff choose: only the form of a new object asks for it.
    pub fn chosen(self) -> Self {
        self.form().with(|spec| spec.chosen = true)
    }

    /// A new object's form does not ask for it.
    pub fn not_new(self) -> Self {
        self.with(|spec| spec.not_new = true)
    }

    /// The heading in the form under which the field appears.
    pub fn fieldset(self, fieldset: &'static str) -> Self {
        self.with(|spec| spec.fieldset = fieldset)
    }

    /// The list can be filtered by it; an index on the column must serve that, unless it holds one of few values.
    pub fn filter(self) -> Self {
        self.with(|spec| spec.filter = true)
    }

    /// A filter without an index: the list is read until a page is full. For words that many rows share.
    pub fn scanned_filter(self) -> Self {
        self.filter().with(|spec| spec.scanned = true)
    }

    /// A filter that also requires a word in another column, as an id requires a type; one index serves both.
    pub fn filter_beside(self, column: E::Column, word: &'static str) -> Self {
        let beside = Some((column.as_str(), word));
        self.filter().with(|spec| spec.beside = beside)
    }

    /// States what is true of every row with this value of a choice, for rows that are found through partial indexes:
    /// PostgreSQL does not see by itself that the parts cover everything.
    pub fn implies(mut self, value: &str, condition: &'static str) -> Self {
        if let Kind::Choice(choices) = &mut self.spec.kind {
            for choice in choices.iter_mut().filter(|choice| choice.value == value) {
                choice.implies = Some(condition);
            }
        }
        self
    }

    /// The value changes with time, without being written.
    pub fn time_dependent(self, time_dependent: TimeDependent) -> Self {
        self.with(|spec| spec.time_dependent = Some(time_dependent))
    }

    /// A filter by a word finds the rows that hold any of its spellings, and those show the first one.
    pub fn spelt(self, spellings: Spellings) -> Self {
        self.with(|spec| spec.spellings = Some(spellings))
    }

    /// The list can be sorted by it; an index on the column and the primary key must serve that.
    pub fn sort(self) -> Self {
        self.with(|spec| spec.sort = Some(spec.name))
    }

    /// Sorting by it sorts by another column, such as a case-folded one.
    pub fn sort_by(self, column: E::Column) -> Self {
        self.with(|spec| spec.sort = Some(column.as_str()))
    }

    pub fn search(self, search: Search<E>) -> Self {
        self.with(|spec| {
            spec.search = Some(match search {
                Search::Prefix { key_column, key } => SearchBy::Prefix {
                    key_column: key_column.as_str(),
                    key,
                },
                Search::Words => SearchBy::Words,
                Search::Folded { at, part } => SearchBy::Folded { at, part },
                Search::Exact => SearchBy::Exact,
            });
        })
    }

    pub fn label(self, label: &'static str) -> Self {
        self.with(|spec| label.clone_into(&mut spec.label))
    }

    /// An email address: its domain is shown in Unicode, however it is stored.
    pub fn address(self) -> Self {
        self.with(|spec| spec.address = true)
    }

    /// One line beside the field.
    pub fn help(self, help: &'static str) -> Self {
        self.with(|spec| spec.help = help)
    }

    /// The classification without its entity's type.
    ///
    /// # Panics
    /// When a secret column is declared to be seen.
    pub(super) fn into_spec(self) -> Spec {
        let spec = self.spec;
        let is_seen = spec.listed || spec.in_form || spec.filter || spec.sort.is_some() || spec.search.is_some();
        assert!(
            !(is_seen && matches!(spec.kind, Kind::Secret)),
            "{}.{} is secret and declared to be seen",
            E::default().table_name(),
            spec.name,
        );
        spec
    }
}

#[cfg(test)]
mod tests {
    use usher_shared::foundation::entity::user;

    use super::*;

    #[test]
    #[should_panic(expected = "users.password_hash is secret and declared to be seen")]
    fn a_secret_that_is_declared_to_be_seen_does_not_start() {
        drop(
            Field::<user::Entity>::secret(user::Column::PasswordHash)
                .list()
                .into_spec(),
        );
    }
}
