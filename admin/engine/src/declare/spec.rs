//! What the engine knows about one column: the classification without its entity's type.

use sea_orm::sea_query::{Expr, ExprTrait, SimpleExpr, Value};
use usher_shared::foundation::{
    rules::Email,
    search::{Folded, Part},
};

use super::{many_to_many::ManyToMany, time_dependent::TimeDependent, tone::Tone};
use crate::{rows::storage::Storage, text::readable};

/// What a column holds, as a person sees it.
#[derive(Clone, Debug, Default)]
pub enum Kind {
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
    /// No column of the table: objects that it is related to by a join table.
    ManyToMany(Box<ManyToMany>),
    /// Written by the program, never shown and never asked for.
    #[default]
    Internal,
    /// Never read, shown, searched or filtered by; attempts are logged.
    Secret,
    /// Counts changes, so that a stale save is noticed.
    RowVersion,
    /// The time of the last save.
    Touched,
}

/// One value of an enum column.
#[derive(Clone, Debug)]
pub struct Choice {
    pub value: String,
    pub label: String,
    pub tone: Tone,
    /// SQL that is true of every row with this value, if declared.
    pub implies: Option<&'static str>,
}

/// All spellings of a word that rows may hold.
pub type Spellings = fn(&str) -> Vec<&str>;

/// A [`Field`] without its entity's type: what the engine works with.
#[derive(Debug, Default)]
pub struct Spec {
    pub name: &'static str,
    pub label: String,
    pub kind: Kind,
    pub storage: Storage,
    pub nullable: bool,
    pub listed: bool,
    pub link: bool,
    pub in_form: bool,
    pub readonly: bool,
    /// Whether it is the time at which the row was inserted.
    pub created: bool,
    pub not_new: bool,
    /// Asked for a new object, and only shown afterwards.
    pub chosen: bool,
    pub optional: bool,
    /// Whether a change needs a recent password confirmation.
    pub sensitive: bool,
    pub filter: bool,
    /// Whether the filter does without an index.
    pub scanned: bool,
    /// Whether it is an email address.
    pub address: bool,
    /// See [`Field::spelt`].
    pub spellings: Option<Spellings>,
    /// What the filter requires of another column.
    pub beside: Option<(&'static str, &'static str)>,
    /// The column that the list is sorted by in its place.
    pub sort: Option<&'static str>,
    pub search: Option<SearchBy>,
    /// How the value depends on time.
    pub time_dependent: Option<TimeDependent>,
    pub help: &'static str,
    pub fieldset: &'static str,
}

/// A [`Search`] without its entity's type.
#[derive(Debug)]
pub enum SearchBy {
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
    /// The declared choice with this value.
    pub fn choice(&self, value: &str) -> Option<&Choice> {
        match &self.kind {
            Kind::Choice(choices) => choices.iter().find(|choice| choice.value == value),
            _ => None,
        }
    }

    /// The value as a person reads it.
    pub fn shown(&self, text: String) -> String {
        match self.address {
            true => Email::shown(&text).into_owned(),
            false => text,
        }
    }

    /// A condition for this value in any spelling.
    pub fn equals(&self, value: &Value) -> SimpleExpr {
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
    pub fn is_read(&self) -> bool {
        !matches!(self.kind, Kind::Secret | Kind::ManyToMany(_))
    }

    /// Whether the form of a new or of an existing object asks for it.
    pub fn is_asked(&self, new: bool) -> bool {
        let is_open = if new {
            self.chosen || !self.readonly && !self.not_new
        } else {
            !self.readonly
        };
        self.in_form && is_open
    }
}

/// `last_login_at` → `Last login`, `is_staff` → `Staff`.
pub(super) fn label_of(column: &str) -> String {
    let words = column.strip_suffix("_at").unwrap_or(column);
    let words = words.strip_prefix("is_").unwrap_or(words);
    match words {
        "id" => "ID".to_owned(),
        words => readable(words),
    }
}
