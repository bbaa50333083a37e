//! What the admin does with one column. A constructor takes a typed column, so that a text widget on a
//! boolean does not compile; what follows it says where the column is seen and what can be done with it.

use sea_orm::{
    ActiveEnum, ActiveEnumValue, BoolColumn, BytesColumn, ColumnTrait, DateTimeLikeColumn, EntityTrait, IdenStatic,
    Iterable, JsonColumn, NumericColumn, NumericColumnNullable, StringColumn, StringColumnNullable, UuidColumn,
    sea_query::{Expr, ExprTrait, SimpleExpr, Value},
};
use usher_shared::foundation::{
    rules::Email,
    search::{Folded, Part},
};

use crate::engine::{declare::{by_clock::ByClock, meta::capitalised, model::AdminModel}, rows::storage::{Storage, text_of}};

/// One column's classification. Build it with a constructor, then say where it appears.
pub(crate) struct Field<E: EntityTrait> {
    pub(crate) column: E::Column,
    pub(crate) kind: Kind,
    pub(crate) listed: bool,
    pub(crate) link: bool,
    pub(crate) in_form: bool,
    pub(crate) readonly: bool,
    pub(crate) not_new: bool,
    /// Asked for a new object, and only shown afterwards.
    pub(crate) chosen: bool,
    pub(crate) optional: bool,
    pub(crate) sensitive: bool,
    pub(crate) filter: bool,
    pub(crate) scanned: bool,
    pub(crate) address: bool,
    pub(crate) beside: Option<(E::Column, &'static str)>,
    pub(crate) spellings: Option<Spellings>,
    pub(crate) sort: Option<E::Column>,
    pub(crate) search: Option<Search<E>>,
    pub(crate) by_clock: Option<ByClock>,
    pub(crate) label: Option<&'static str>,
    pub(crate) help: &'static str,
    pub(crate) fieldset: &'static str,
}

/// What a column holds, as a person sees it.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Id,
    Text {
        long: bool,
    },
    Choice(Vec<Choice>),
    Bool,
    Int,
    Time,
    Json,
    Bytes,
    /// The id of an object of the model with this name.
    ForeignKey(&'static str),
    /// Written by the program, never shown and never asked for.
    Internal,
    /// Never read, shown, searched or filtered by; a try to do so is logged.
    Secret,
    /// Counts changes, so that a stale save is seen.
    RowVersion,
    /// The time of the last save.
    Touched,
}

/// One value of an enum column.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub(crate) value: String,
    pub(crate) label: String,
    pub(crate) tone: Tone,
    /// SQL that is true of every row with this value, if the declaration has any.
    pub(crate) implies: Option<&'static str>,
}

/// How a value strikes the eye.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Busy,
    Warning,
    Bad,
    Quiet,
}

impl Tone {
    /// The CSS class that paints it.
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Busy => "busy",
            Self::Warning => "warning",
            Self::Bad => "bad",
            Self::Quiet => "quiet",
        }
    }
}

/// Every text by which rows may hold what a word stands for.
pub(crate) type Spellings = fn(&str) -> Vec<&str>;

/// How a word typed into the search box finds a column.
pub(crate) enum Search<E: EntityTrait> {
    /// The key column starts with the word's key; a plain index serves it.
    Prefix {
        key_column: E::Column,
        key: fn(&str) -> String,
    },
    /// The column holds the word, whatever its letter case and accents. For models of few rows: all are read.
    Words,
    /// The same for any number of rows, by a column of `usher_shared::foundation::search::folded` text and its index.
    Folded { at: Folded, part: Part },
    /// The column is the word.
    Exact,
}

/// A typed column that can be an id: a number, a UUID or a word.
pub(crate) trait IdColumn<E: EntityTrait> {
    fn column(self) -> E::Column;
}

/// A typed column of text.
pub(crate) trait TextColumn<E: EntityTrait> {
    fn column(self) -> E::Column;
}

/// A typed column of whole numbers.
pub(crate) trait IntColumn<E: EntityTrait> {
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
    fn new(column: E::Column, kind: Kind) -> Self {
        Self {
            column,
            kind,
            listed: false,
            link: false,
            in_form: false,
            readonly: false,
            not_new: false,
            chosen: false,
            optional: false,
            sensitive: false,
            filter: false,
            scanned: false,
            address: false,
            beside: None,
            spellings: None,
            sort: None,
            search: None,
            by_clock: None,
            label: None,
            help: "",
            fieldset: "",
        }
    }

    /// The primary key, sortable and found by `id:`.
    pub(crate) fn id(column: impl IdColumn<E>) -> Self {
        let column = column.column();
        Self {
            search: Some(Search::Exact),
            sort: Some(column),
            readonly: true,
            ..Self::new(column, Kind::Id)
        }
    }

    pub(crate) fn text(column: impl TextColumn<E>) -> Self {
        Self::new(column.column(), Kind::Text { long: false })
    }

    /// Text of several lines.
    pub(crate) fn long_text(column: impl TextColumn<E>) -> Self {
        Self::new(column.column(), Kind::Text { long: true })
    }

    /// An enum that is kept as words. The tone of each value is decided here.
    pub(crate) fn choice<C>(column: E::Column, tone: fn(&C) -> Tone) -> Self
    where
        C: ActiveEnum + Iterable,
        C::Value: ActiveEnumValue,
    {
        let choices = C::iter().map(|each| {
            let value = text_of(&Into::<Value>::into(each.to_value())).unwrap_or_default();
            Choice {
                label: capitalised(&value.replace('_', " ")),
                value,
                tone: tone(&each),
                implies: None,
            }
        });
        Self::new(column, Kind::Choice(choices.collect()))
    }

    pub(crate) fn bool(column: BoolColumn<E>) -> Self {
        Self::new(column.0, Kind::Bool)
    }

    pub(crate) fn int(column: impl IntColumn<E>) -> Self {
        Self::new(column.column(), Kind::Int)
    }

    pub(crate) fn time(column: DateTimeLikeColumn<E>) -> Self {
        Self::new(column.0, Kind::Time)
    }

    pub(crate) fn json(column: JsonColumn<E>) -> Self {
        Self {
            readonly: true,
            ..Self::new(column.0, Kind::Json)
        }
    }

    #[expect(dead_code, reason = "no registered model has bytes that are not secret yet")]
    pub(crate) fn bytes(column: BytesColumn<E>) -> Self {
        Self {
            readonly: true,
            ..Self::new(column.0, Kind::Bytes)
        }
    }

    /// The id of an object of another declared model, shown by that object's name.
    pub(crate) fn foreign_key<To: AdminModel>(column: impl IdColumn<E>) -> Self {
        Self::new(column.column(), Kind::ForeignKey(To::META.name))
    }

    pub(crate) fn internal(column: E::Column) -> Self {
        Self::new(column, Kind::Internal)
    }

    pub(crate) fn secret(column: E::Column) -> Self {
        Self::new(column, Kind::Secret)
    }

    pub(crate) fn row_version(column: NumericColumn<E>) -> Self {
        Self::new(column.0, Kind::RowVersion)
    }

    pub(crate) fn touched(column: DateTimeLikeColumn<E>) -> Self {
        Self {
            readonly: true,
            in_form: true,
            ..Self::new(column.0, Kind::Touched)
        }
    }

    /// A column of the list.
    pub(crate) fn list(self) -> Self {
        Self { listed: true, ..self }
    }

    /// The column of the list that leads to the object and names it.
    pub(crate) fn link(self) -> Self {
        Self {
            link: true,
            listed: true,
            ..self
        }
    }

    /// A field of the form, which staff with the permission may change.
    pub(crate) fn form(self) -> Self {
        Self { in_form: true, ..self }
    }

    /// A field of the form that is only shown.
    pub(crate) fn readonly(self) -> Self {
        Self {
            in_form: true,
            readonly: true,
            ..self
        }
    }

    /// May be left empty, though the column is never NULL.
    pub(crate) fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    /// Whoever changes it has shown the password, and the second factor, within the last minutes.
    pub(crate) fn sensitive(self) -> Self {
        Self {
            sensitive: true,
            ..self
        }
    }

    /// A key that staff choose: the form of a new object asks for it, and no other.
    pub(crate) fn chosen(self) -> Self {
        Self {
            in_form: true,
            chosen: true,
            ..self
        }
    }

    /// A new object's form does not ask for it.
    pub(crate) fn not_new(self) -> Self {
        Self { not_new: true, ..self }
    }

    /// The heading in the form under which the field stands.
    pub(crate) fn fieldset(self, fieldset: &'static str) -> Self {
        Self { fieldset, ..self }
    }

    /// The list can be filtered by it; an index on the column must serve that, unless it holds one of few values.
    pub(crate) fn filter(self) -> Self {
        Self { filter: true, ..self }
    }

    /// Says what is true of every row with this value of a choice, where the rows are found through indexes of parts of
    /// them: `PostgreSQL` does not see by itself that the parts are all there are.
    pub(crate) fn implies(mut self, value: &str, condition: &'static str) -> Self {
        if let Kind::Choice(choices) = &mut self.kind {
            for choice in choices.iter_mut().filter(|choice| choice.value == value) {
                choice.implies = Some(condition);
            }
        }
        self
    }

    /// The value changes by the clock, without being written.
    pub(crate) fn by_clock(self, by_clock: ByClock) -> Self {
        Self {
            by_clock: Some(by_clock),
            ..self
        }
    }

    /// A filter that no index serves: the list is read until a page is full. For words that many rows share.
    pub(crate) fn scanned_filter(self) -> Self {
        Self {
            filter: true,
            scanned: true,
            ..self
        }
    }

    /// A filter that means another column is this word as well, as an id means a type; one index serves both.
    pub(crate) fn filter_beside(self, column: E::Column, word: &'static str) -> Self {
        Self {
            filter: true,
            beside: Some((column, word)),
            ..self
        }
    }

    /// A filter by a word finds the rows that hold any of its spellings, and those show the first one.
    pub(crate) fn spelt(self, spellings: Spellings) -> Self {
        Self {
            spellings: Some(spellings),
            ..self
        }
    }

    /// The list can be sorted by it; an index on the column and the primary key must serve that.
    pub(crate) fn sort(self) -> Self {
        Self {
            sort: Some(self.column),
            ..self
        }
    }

    /// The list is sorted by another column in its place, such as a case-folded one.
    pub(crate) fn sort_by(self, column: E::Column) -> Self {
        Self {
            sort: Some(column),
            ..self
        }
    }

    pub(crate) fn search(self, search: Search<E>) -> Self {
        Self {
            search: Some(search),
            ..self
        }
    }

    pub(crate) fn label(self, label: &'static str) -> Self {
        Self {
            label: Some(label),
            ..self
        }
    }

    /// An email address: its domain is shown in Unicode, however it is stored.
    pub(crate) fn address(self) -> Self {
        Self { address: true, ..self }
    }

    /// One line beside the field.
    pub(crate) fn help(self, help: &'static str) -> Self {
        Self { help, ..self }
    }

    /// The classification without its entity's type.
    pub(crate) fn erased(self) -> Spec {
        let name = self.column.as_str();
        let definition = self.column.def();
        let words = name
            .strip_suffix("_id")
            .filter(|_| matches!(self.kind, Kind::ForeignKey(_)))
            .unwrap_or(name);
        let is_seen = self.listed || self.in_form || self.filter || self.sort.is_some() || self.search.is_some();
        assert!(
            !(is_seen && matches!(self.kind, Kind::Secret)),
            "{}.{name} is secret and declared to be seen",
            E::default().table_name(),
        );
        let label = self.label.map_or_else(|| label_of(words), str::to_owned);
        Spec {
            name,
            label,
            storage: Storage::of(definition.get_column_type()),
            nullable: definition.is_null(),
            listed: self.listed,
            link: self.link,
            in_form: self.in_form,
            readonly: self.readonly || matches!(self.kind, Kind::Id),
            not_new: self.not_new,
            chosen: self.chosen,
            optional: self.optional || definition.is_null(),
            sensitive: self.sensitive,
            filter: self.filter,
            scanned: self.scanned,
            address: self.address,
            spellings: self.spellings,
            beside: self.beside.map(|(column, word)| (column.as_str(), word)),
            sort: self.sort.map(|column| column.as_str()),
            search: self.search.map(|search| match search {
                Search::Prefix { key_column, key } => SearchBy::Prefix {
                    key_column: key_column.as_str(),
                    key,
                },
                Search::Words => SearchBy::Words,
                Search::Folded { at, part } => SearchBy::Folded { at, part },
                Search::Exact => SearchBy::Exact,
            }),
            by_clock: self.by_clock,
            help: self.help,
            fieldset: self.fieldset,
            kind: self.kind,
        }
    }
}

/// A [`Field`] without its entity's type: what the engine works with.
#[derive(Debug)]
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    pub(crate) label: String,
    pub(crate) kind: Kind,
    pub(crate) storage: Storage,
    pub(crate) nullable: bool,
    pub(crate) listed: bool,
    pub(crate) link: bool,
    pub(crate) in_form: bool,
    pub(crate) readonly: bool,
    pub(crate) not_new: bool,
    /// Asked for a new object, and only shown afterwards.
    pub(crate) chosen: bool,
    pub(crate) optional: bool,
    /// Whether a change takes a fresh password.
    pub(crate) sensitive: bool,
    pub(crate) filter: bool,
    /// Whether the filter does without an index.
    pub(crate) scanned: bool,
    /// Whether it is an email address.
    pub(crate) address: bool,
    /// See [`Field::spelt`].
    pub(crate) spellings: Option<Spellings>,
    /// What the filter says of another column.
    pub(crate) beside: Option<(&'static str, &'static str)>,
    /// The column that the list is sorted by in its place.
    pub(crate) sort: Option<&'static str>,
    pub(crate) search: Option<SearchBy>,
    /// What time makes of the stored value.
    pub(crate) by_clock: Option<ByClock>,
    pub(crate) help: &'static str,
    pub(crate) fieldset: &'static str,
}

/// A [`Search`] without its entity's type.
#[derive(Debug)]
pub(crate) enum SearchBy {
    Prefix {
        key_column: &'static str,
        key: fn(&str) -> String,
    },
    Words,
    Folded {
        at: Folded,
        part: Part,
    },
    Exact,
}

impl Spec {
    /// What a value means, where there are only some.
    pub(crate) fn choice(&self, value: &str) -> Option<&Choice> {
        match &self.kind {
            Kind::Choice(choices) => choices.iter().find(|choice| choice.value == value),
            _ => None,
        }
    }

    /// The column's value as a person reads it.
    pub(crate) fn shown(&self, text: String) -> String {
        match self.address {
            true => Email::shown(&text).into_owned(),
            false => text,
        }
    }

    /// That the column is this value, however it is spelt.
    pub(crate) fn equals(&self, value: &Value) -> SimpleExpr {
        let column = Expr::col(self.name);
        match (self.spellings, value) {
            (Some(spellings), Value::String(Some(word))) => match &spellings(word)[..] {
                [only] => column.eq(*only),
                all => column.is_in(all.iter().copied()),
            },
            _ => column.eq(value.clone()),
        }
    }

    /// Whether the column is ever read from the database.
    pub(crate) fn is_read(&self) -> bool {
        !matches!(self.kind, Kind::Secret)
    }

    /// Whether the form of a new or of an existing object asks for it.
    pub(crate) fn is_asked(&self, new: bool) -> bool {
        let is_open = if new {
            self.chosen || !self.readonly && !self.not_new
        } else {
            !self.readonly
        };
        self.in_form && is_open
    }
}

/// `last_login_at` → `Last login`, `is_staff` → `Staff`.
fn label_of(column: &str) -> String {
    let words = column.strip_suffix("_at").unwrap_or(column);
    let words = words.strip_prefix("is_").unwrap_or(words);
    match words {
        "id" => "ID".to_owned(),
        words => capitalised(&words.replace('_', " ")),
    }
}
