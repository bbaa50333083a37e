//! A CSV file as lines about users, parsed by the rules of the API.

use sea_orm::{IdenStatic, Iterable};
use usher_shared::{
    accounts::staff::imports::MAX_ROWS,
    foundation::{
        csv::{self, Records},
        entity::user,
        rules::{Age, Email, EmailPolicy, Name, Violation, ViolationKind},
    },
};

/// All lines of a file.
pub(super) struct Table {
    pub(super) lines: Vec<Line>,
    /// Columns of an export that an import ignores.
    pub(super) ignored: Vec<String>,
}

/// One line: its cells, or why they cannot be parsed.
pub(super) struct Line {
    /// Its number in the file, from 1.
    pub(super) number: usize,
    pub(super) cells: Result<Cells, String>,
}

pub(super) struct Cells {
    pub(super) email: Cell<Email>,
    pub(super) name: Cell<Name>,
    /// None when the file has no such column.
    pub(super) age: Option<Cell<Age>>,
}

/// The text of a cell, and its value or what is wrong with it.
pub(super) struct Cell<T> {
    pub(super) typed: String,
    pub(super) value: Result<T, Violation>,
}

impl<T> Cell<T> {
    fn read(typed: &str, rule: impl FnOnce(&str) -> Result<T, Violation>) -> Self {
        Self {
            typed: typed.trim().to_owned(),
            value: rule(typed),
        }
    }

    pub(super) fn is_blank(&self) -> bool {
        self.typed.is_empty()
    }
}

/// The positions of the columns.
struct Columns {
    email: usize,
    name: usize,
    age: Option<usize>,
    /// The names in the first line; blank ones are no columns.
    header: Vec<String>,
    /// Number of fields up to the last named column.
    width: usize,
}

impl Line {
    /// The key that the address is looked up by.
    pub(super) fn key(&self) -> Option<String> {
        let cells = self.cells.as_ref().ok()?;
        (!cells.email.is_blank()).then(|| Email::key_of(&cells.email.typed))
    }
}

impl Table {
    /// The error says why the file cannot be used, and what to do.
    pub(super) fn read(bytes: &[u8], policy: EmailPolicy) -> Result<Self, String> {
        let text = csv::decode(bytes)?;
        let mut records = Records::of(&text);
        let header = match records.next() {
            Some(Ok((_, header))) => header,
            Some(Err(error)) => return Err(error.to_string()),
            None => return Err("the file is empty; its first line must name the columns: email,name,age".to_owned()),
        };
        let (columns, ignored) = Columns::of(header)?;
        let mut lines = Vec::new();
        for record in records {
            let (number, fields) = record.map_err(|error| error.to_string())?;
            if lines.len() == MAX_ROWS {
                return Err(format!("the file has more than {MAX_ROWS} lines: split it"));
            }
            let cells = columns.read(&fields, policy);
            lines.push(Line { number, cells });
        }
        Ok(Self { lines, ignored })
    }
}

impl Columns {
    fn of(header: Vec<String>) -> Result<(Self, Vec<String>), String> {
        let (mut email, mut name, mut age) = (None, None, None);
        let mut ignored: Vec<String> = Vec::new();
        for (index, column) in header.iter().enumerate() {
            let place = match word(column).as_str() {
                "" => continue,
                "email" | "emailaddress" => &mut email,
                "name" => &mut name,
                "age" => &mut age,
                other if is_exported(other) => {
                    ignored.push(column.trim().to_owned());
                    continue;
                }
                _ => {
                    return Err(format!("unknown column {column:?}; use email, name and age"));
                }
            };
            if place.replace(index).is_some() {
                return Err(format!("the column {column:?} appears twice"));
            }
        }
        let (Some(email), Some(name)) = (email, name) else {
            return Err("the first line must name the columns email and name; age is optional".to_owned());
        };
        let width = header.iter().rposition(|column| !word(column).is_empty());
        let columns = Self {
            email,
            name,
            age,
            width: width.map_or(0, |last| last + 1),
            header,
        };
        Ok((columns, ignored))
    }

    fn read(&self, fields: &[String], policy: EmailPolicy) -> Result<Cells, String> {
        let names = |index: usize| self.header.get(index).is_some_and(|column| !word(column).is_empty());
        let is_stray = |(index, field): (usize, &String)| !names(index) && !field.trim().is_empty();
        // A missing field would count as blank.
        if fields.len() < self.width || fields.iter().enumerate().any(is_stray) {
            let filled = fields.iter().rposition(|field| !field.trim().is_empty());
            let has = filled.map_or(0, |last| last + 1).max(fields.len().min(self.width));
            let named = self.width;
            return Err(format!("it has {has} fields, but the first line names {named} columns"));
        }
        let field = |index: usize| fields[index].as_str();
        Ok(Cells {
            email: Cell::read(field(self.email), |typed| Email::parse(typed, policy)),
            name: Cell::read(field(self.name), Name::parse),
            age: self.age.map(|index| Cell::read(field(index), parse_age)),
        })
    }
}

/// `E-mail` and ` EMAIL ` are `email`.
fn word(column: &str) -> String {
    let letters = column.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

/// Whether an export of users has this column.
fn is_exported(column: &str) -> bool {
    user::Column::iter().any(|known| word(known.as_str()) == column)
}

fn parse_age(raw: &str) -> Result<Age, Violation> {
    let number = raw.trim().parse::<i64>();
    let number = number.map_err(|_| Violation::new(ViolationKind::IntParsing, "The age must be a whole number"))?;
    Age::parse(number)
}
