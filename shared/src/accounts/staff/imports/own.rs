//! Imports of a product's models: what it declares, and what it is given for each line.

use std::{fmt, pin::Pin};

use sea_orm::{DbErr, SqlErr};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use thiserror::Error;

use crate::{
    audit::Actor,
    foundation::{
        Registered,
        rules::{FieldErrors, Violation},
    },
    jobs::{EnqueueError, Tx},
};

/// The product's imports.
pub(in crate::accounts) static IMPORTS: Registered<Vec<ImportExtension>> = Registered::new();

/// What an import did with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    Created,
    Changed,
    /// Everything is as the line says already.
    Unchanged,
}

/// Why a line is not imported. It is reported with its number, and the others go on.
#[derive(Debug, Error)]
pub enum ImportFault {
    /// What is wrong with a cell, and what to do about it.
    #[error("{column}: {words}")]
    Cell { column: &'static str, words: String },
    /// The same of the whole line.
    #[error("{0}")]
    Line(String),
    /// A constraint that the line violates. While the database is away the import waits instead.
    #[error("{}", refusal(.0))]
    Db(#[from] DbErr),
}

impl ImportFault {
    /// What is wrong with the cell in this column.
    #[must_use]
    pub fn cell(column: &'static str, words: impl Into<String>) -> Self {
        let words = words.into();
        Self::Cell { column, words }
    }
}

impl From<FieldErrors> for ImportFault {
    fn from(errors: FieldErrors) -> Self {
        Self::Line(errors.to_string())
    }
}

impl From<EnqueueError> for ImportFault {
    fn from(error: EnqueueError) -> Self {
        match error {
            EnqueueError::Db(error) => Self::Db(error),
            error => Self::Line(error.to_string()),
        }
    }
}

fn refusal(error: &DbErr) -> String {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => {
            "another object has one of these values already: change the line, or leave it out".to_owned()
        }
        Some(SqlErr::ForeignKeyConstraintViolation(_)) => {
            "it refers to something that doesn't exist: change the line, or add that first".to_owned()
        }
        _ => format!("the database refused it: {error}"),
    }
}

/// The outcome of one line.
pub type ImportedFuture<'a> = Pin<Box<dyn Future<Output = Result<Imported, ImportFault>> + Send + 'a>>;

/// What an import is given for one line.
pub struct ImportRow<'a> {
    /// The line's changes and its outcome commit together; a dry run rolls them back.
    pub tx: &'a Tx,
    /// Who has ordered the import.
    pub actor: &'a Actor,
    /// The number of the line in the file, from 1.
    pub line: usize,
    /// In the order in which the import declares its columns; none for an optional one that the file lacks.
    pub(super) cells: &'a [Option<String>],
    pub(super) import: &'static ImportExtension,
}

impl ImportRow<'_> {
    /// The text of the cell in this column, trimmed. Empty if the cell is blank, or if the file lacks the optional
    /// column.
    ///
    /// # Panics
    /// If the import doesn't declare the column.
    #[must_use]
    pub fn get(&self, column: &str) -> &str {
        let place = self.import.columns().position(|known| known == column);
        let place = place.unwrap_or_else(|| panic!("{:?} declares no column {column}", self.import));
        self.cells[place].as_deref().unwrap_or_default().trim()
    }

    /// What `parse` makes of the cell, such as `Text::<1, 50>::parse`.
    ///
    /// # Errors
    /// What `parse` refused, with the column's name.
    ///
    /// # Panics
    /// If the import doesn't declare the column.
    pub fn rule<T>(
        &self,
        column: &'static str,
        parse: impl FnOnce(&str) -> Result<T, Violation>,
    ) -> Result<T, ImportFault> {
        parse(self.get(column)).map_err(|violation| ImportFault::cell(column, violation.message))
    }
}

/// An import of a product's model from CSV files.
#[derive(Clone, Copy)]
pub struct ImportExtension {
    /// The permission a person needs, such as `tags.import`; also its stable name in waiting jobs.
    pub permission: &'static str,
    /// The plural of what it imports, such as `tags`.
    pub objects: &'static str,
    /// What the first line of the file must name.
    pub required: &'static [&'static str],
    /// What it may name.
    pub optional: &'static [&'static str],
    /// The column in which no two lines of a file may have the same.
    pub key: Option<&'static str>,
    /// The columns of an export, which are ignored if the import has none of that name.
    pub exported: fn() -> Vec<&'static str>,
    /// Applies one line. An error rolls it back.
    pub apply: for<'a> fn(ImportRow<'a>) -> ImportedFuture<'a>,
}

impl ImportExtension {
    /// The required columns, then the optional ones.
    pub fn columns(&self) -> impl Iterator<Item = &'static str> {
        self.required.iter().chain(self.optional).copied()
    }
}

impl fmt::Debug for ImportExtension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.permission)
    }
}

/// An [`ImportExtension`] that the program has registered; in a job's payload it is its name.
#[derive(Clone, Copy, Debug)]
pub struct OwnImport(pub(super) &'static ImportExtension);

impl OwnImport {
    /// The import of this name, if the program has it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let mut registered = IMPORTS.all().iter();
        registered.find(|import| import.permission == name).map(Self)
    }

    #[must_use]
    pub const fn declared(self) -> &'static ImportExtension {
        self.0
    }
}

impl PartialEq for OwnImport {
    fn eq(&self, other: &Self) -> bool {
        self.0.permission == other.0.permission
    }
}

impl Eq for OwnImport {}

impl Serialize for OwnImport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.permission.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for OwnImport {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let unknown = || D::Error::custom(format!("this program has no import {name}"));
        Self::named(&name).ok_or_else(unknown)
    }
}
