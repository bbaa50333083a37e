//! Fields as they are given on the command line: `subject:string`, `due_at:datetime?`, `requester:user`.

use anyhow::{Context, Result, bail, ensure};

use super::names::{Name, capitalized, is_sql_keyword};

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

/// Parameters of every list in the API and the admin, beside its filters.
const PARAMETERS: [&str; 6] = ["after", "count", "cursor", "limit", "q", "sort"];

/// Columns that every model has.
const OWN_COLUMNS: [&str; 4] = ["id", "version", "created_at", "updated_at"];

impl Field {
    pub(super) fn parse_all(given: &[String]) -> Result<Vec<Self>> {
        let fields: Vec<_> = given.iter().map(|field| Self::parse(field)).collect::<Result<_>>()?;
        for (at, field) in fields.iter().enumerate() {
            let twice = fields[..at].iter().any(|other| other.column() == field.column());
            ensure!(!twice, "the field {} is given twice", field.column());
            let alike = |other: &&Self| other.variant() == field.variant();
            if let Some(other) = fields[..at].iter().find(alike) {
                let (one, two) = (other.column(), field.column());
                bail!("the fields {one} and {two} would have the same name in code; call one of them something else");
            }
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
        if let Kind::Enum(words) = &kind {
            check_words(given, words)?;
        }
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
        field.check_column()?;
        Ok(field)
    }

    /// Refuses a column that the table, the code or the API couldn't have.
    fn check_column(&self) -> Result<()> {
        let column = self.column();
        ensure!(
            !OWN_COLUMNS.contains(&column.as_str()),
            "every model has the field {column}; leave it out"
        );
        ensure!(
            !is_sql_keyword(&column),
            "{column:?} can't be a field: it's a keyword of SQL"
        );
        ensure!(
            column != "fields",
            "`fields` can't be a field: the code around it has this name; use another, such as all_fields"
        );
        let is_parameter = matches!(self.kind, Kind::Enum(_)) && PARAMETERS.contains(&column.as_str());
        ensure!(
            !is_parameter,
            "`{column}` can't be an enum: lists have a parameter of this name; use another, such as {column}_kind"
        );
        Ok(())
    }

    /// The column's name in SeaORM's enum.
    fn variant(&self) -> String {
        self.column().split('_').map(capitalized).collect()
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

/// Refuses words that are the same in code, and those that rows would hold in another form.
fn check_words(given: &str, words: &[Name]) -> Result<()> {
    for (at, word) in words.iter().enumerate() {
        let snake = word.snake();
        match words[..at].iter().find(|other| other.pascal() == word.pascal()) {
            Some(other) if other == word => bail!("{given}: the word {snake} is given twice"),
            Some(other) => bail!("{given}: {} and {snake} are the same word in code", other.snake()),
            None => {}
        }
        let parts: Vec<_> = snake.split('_').collect();
        let is_unclear = parts.windows(2).any(|two| two[0].len() == 1 && two[1].len() == 1)
            || parts
                .iter()
                .any(|part| part.starts_with(|first: char| first.is_ascii_digit()));
        ensure!(
            !is_unclear,
            "{given}: write {snake} without the underscore before a digit or between single letters"
        );
    }
    Ok(())
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
