//! A CSV file as lines about users, parsed by the rules of the API.

use sea_orm::{IdenStatic, Iterable};
use usher_shared::foundation::{
    entity::user,
    rules::{Age, Email, EmailPolicy, Name, Violation, ViolationKind},
};

use crate::handlers::long::csv_file::{CsvFile, Declared};

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
        let declared = Declared {
            required: &["email", "name"],
            optional: &["age"],
            aliases: &[("email address", "email")],
            exported: user::Column::iter().map(|column| column.as_str()).collect(),
            key: None,
        };
        let CsvFile { lines, ignored } = CsvFile::read(bytes, &declared)?;
        let lines = lines.into_iter().map(|line| Line {
            number: line.number,
            cells: line.cells.map(|cells| Cells::of(&cells, policy)),
        });
        Ok(Self {
            lines: lines.collect(),
            ignored,
        })
    }
}

impl Cells {
    fn of(cells: &[Option<String>], policy: EmailPolicy) -> Self {
        let cell = |index: usize| cells[index].as_deref();
        Self {
            email: Cell::read(cell(0).unwrap_or_default(), |typed| Email::parse(typed, policy)),
            name: Cell::read(cell(1).unwrap_or_default(), Name::parse),
            age: cell(2).map(|typed| Cell::read(typed, parse_age)),
        }
    }
}

fn parse_age(raw: &str) -> Result<Age, Violation> {
    let number = raw.trim().parse::<i64>();
    let number = number.map_err(|_| Violation::new(ViolationKind::IntParsing, "The age must be a whole number"))?;
    Age::parse(number)
}
