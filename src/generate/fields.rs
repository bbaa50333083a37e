//! Fields as they are given on the command line: `subject:string`, `due_at:datetime?`, `requester:user`.

use anyhow::{Context, Result, ensure};

use super::names::{Name, is_sql_keyword};

/// One field of a model or of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// Without the `_id` of a reference.
    pub(super) name: Name,
    pub(super) kind: Kind,
    /// Whether it can be empty.
    pub(super) optional: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One line.
    String,
    /// Many lines.
    Text,
    Integer,
    Bool,
    DateTime,
    /// One of these words.
    Enum(Vec<Name>),
    User,
    /// Another model of the product.
    Model(Name),
}

/// Columns that every model has.
const OWN_COLUMNS: [&str; 4] = ["id", "version", "created_at", "updated_at"];

impl Field {
    pub(super) fn parse_all(given: &[String]) -> Result<Vec<Self>> {
        let fields: Vec<_> = given.iter().map(|field| Self::parse(field)).collect::<Result<_>>()?;
        for (at, field) in fields.iter().enumerate() {
            let twice = fields[..at].iter().any(|other| other.column() == field.column());
            ensure!(!twice, "the field {} is given twice", field.column());
        }
        Ok(fields)
    }

    fn parse(given: &str) -> Result<Self> {
        let parts = given.split_once(':');
        let (name, kind) = parts.with_context(|| format!("{given}: a field is name:type, such as {given}:string"))?;
        let (kind, optional) = match kind.strip_suffix('?') {
            Some(kind) => (kind, true),
            None => (kind, false),
        };
        let kind = Kind::parse(kind).with_context(|| format!("{given}: {TYPES}"))?;
        let name = if kind.is_reference() {
            name.trim_end_matches("_id")
        } else {
            name
        };
        let field = Self {
            name: Name::parse(name)?,
            kind,
            optional,
        };
        let column = field.column();
        ensure!(
            !OWN_COLUMNS.contains(&column.as_str()),
            "every model has the field {column}; leave it out"
        );
        ensure!(
            !is_sql_keyword(&column),
            "{column:?} can't be a field: it's a keyword of SQL"
        );
        Ok(field)
    }

    /// The column's name, which is also that of the field in code.
    pub(super) fn column(&self) -> String {
        let name = self.name.snake();
        if self.kind.is_reference() {
            format!("{name}_id")
        } else {
            name.to_owned()
        }
    }
}

pub(super) const TYPES: &str = "the types are string, text, integer, bool, datetime, enum(open,closed), user, and a \
                                model of this product such as ticket; a ? at the end lets the field be empty";

impl Kind {
    fn parse(word: &str) -> Result<Self> {
        Ok(match word {
            "string" => Self::String,
            "text" => Self::Text,
            "integer" => Self::Integer,
            "bool" => Self::Bool,
            "datetime" => Self::DateTime,
            "user" => Self::User,
            _ => match word.strip_prefix("enum(").and_then(|words| words.strip_suffix(')')) {
                Some(words) => Self::Enum(words.split(',').map(Name::parse).collect::<Result<_>>()?),
                None => Self::Model(Name::parse(word)?),
            },
        })
    }

    pub(super) fn is_reference(&self) -> bool {
        matches!(self, Self::User | Self::Model(_))
    }
}
