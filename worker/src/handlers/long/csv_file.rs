//! An uploaded CSV file as lines of cells in the order of the columns that an import declares.

use std::collections::HashMap;

use futures::TryStreamExt;
use serde_json::json;
use usher_shared::{
    accounts::staff::imports::{ImportLine, MAX_ROWS},
    foundation::csv::{self, Records},
    jobs::files,
};
use uuid::Uuid;

use crate::{foundation::JobError, runtime::JobContext};

/// What the first line of a file may name.
pub(super) struct Declared<'a> {
    pub(super) required: &'a [&'static str],
    pub(super) optional: &'a [&'static str],
    /// Other names of columns, each with the one it stands for.
    pub(super) aliases: &'a [(&'static str, &'static str)],
    /// The columns of an export; those that the import has no use for are ignored.
    pub(super) exported: Vec<&'static str>,
    /// The column in which no two lines may have the same.
    pub(super) key: Option<&'static str>,
}

/// All lines of a file.
pub(super) struct CsvFile {
    pub(super) lines: Vec<ImportLine>,
    /// Columns of an export that the import ignores.
    pub(super) ignored: Vec<String>,
}

/// The bytes of a job's file; none if there are none.
pub(super) async fn bytes_of(context: &JobContext, file_id: Uuid) -> Result<Option<Vec<u8>>, JobError> {
    let pieces: Vec<Vec<u8>> = files::read(context.db.clone(), file_id).try_collect().await?;
    Ok((!pieces.is_empty()).then(|| pieces.concat()))
}

/// Why [`bytes_of`] found nothing.
pub(super) const NO_FILE: &str = "the file is empty, or was removed with its dry run: upload it again";

/// Ends the job: its file cannot be imported.
pub(super) async fn refuse(context: &JobContext, why: &str) -> Result<(), JobError> {
    let tx = context.begin().await?;
    context.complete_with(tx, json!({ "refused": why })).await
}

pub(super) fn percent(far: usize, all: usize) -> i16 {
    let percent = (far.min(all) * 100).checked_div(all).unwrap_or(100);
    i16::try_from(percent).unwrap_or(100)
}

impl CsvFile {
    /// The error says why the file cannot be used, and what to do.
    pub(super) fn read(bytes: &[u8], declared: &Declared<'_>) -> Result<Self, String> {
        let text = csv::decode(bytes)?;
        let mut records = Records::of(&text);
        let header = match records.next() {
            Some(Ok((_, header))) => header,
            Some(Err(error)) => return Err(error.to_string()),
            None => return Err(format!("the file is empty: {}", declared.wanted())),
        };
        let columns = Columns::of(header, declared)?;
        let mut lines = Vec::new();
        for record in records {
            let (number, fields) = record.map_err(|error| error.to_string())?;
            if lines.len() == MAX_ROWS {
                return Err(format!("the file has more than {MAX_ROWS} lines: split it"));
            }
            let cells = columns.cells(fields);
            lines.push(ImportLine { number, cells });
        }
        if let Some(key) = declared.key {
            refuse_twice(&mut lines, declared, key);
        }
        let ignored = columns.ignored;
        Ok(Self { lines, ignored })
    }
}

/// Makes a fault of each line whose cell in this column an earlier line has.
fn refuse_twice(lines: &mut [ImportLine], declared: &Declared<'_>, key: &str) {
    let Some(place) = declared.names().position(|name| name == key) else {
        return;
    };
    let mut first: HashMap<String, usize> = HashMap::new();
    for line in lines {
        let cell = line.cells.as_ref().ok().and_then(|cells| cells[place].as_deref());
        let Some(cell) = cell.map(str::trim).filter(|cell| !cell.is_empty()) else {
            continue;
        };
        let earlier = *first.entry(cell.to_owned()).or_insert(line.number);
        if earlier != line.number {
            line.cells = Err(format!("{key}: line {earlier} has the same; leave one of the two"));
        }
    }
}

impl Declared<'_> {
    /// In the order of a line's cells.
    fn names(&self) -> impl Iterator<Item = &'static str> {
        self.required.iter().chain(self.optional).copied()
    }

    /// The place of the column that a first line names so.
    fn place(&self, column: &str) -> Option<usize> {
        let alias = self.aliases.iter().find(|(alias, _)| word(alias) == column);
        self.names()
            .position(|name| word(name) == column || alias.is_some_and(|(_, of)| *of == name))
    }

    /// What the first line must be.
    fn wanted(&self) -> String {
        let required = enumerated(self.required);
        let column = if self.required.len() == 1 { "column" } else { "columns" };
        let optional = match self.optional {
            [] => String::new(),
            [one] => format!("; {one} is optional"),
            some => format!("; {} are optional", enumerated(some)),
        };
        format!("the first line must name the {column} {required}{optional}")
    }
}

/// `1 field`, `2 fields`.
fn counted(number: usize, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

/// `a`, `a and b`, `a, b and c`.
fn enumerated(names: &[&str]) -> String {
    match names {
        [some @ .., last] if !some.is_empty() => format!("{} and {last}", some.join(", ")),
        _ => names.concat(),
    }
}

/// The first line.
struct Columns {
    /// Where in a record the cell of each declared column is; none for an optional one that the file lacks.
    places: Vec<Option<usize>>,
    /// Which fields have a name.
    named: Vec<bool>,
    /// Number of fields up to the last named column.
    width: usize,
    ignored: Vec<String>,
}

impl Columns {
    fn of(header: Vec<String>, declared: &Declared<'_>) -> Result<Self, String> {
        let mut places: Vec<Option<usize>> = declared.names().map(|_| None).collect();
        let mut ignored = Vec::new();
        for (index, column) in header.iter().enumerate() {
            let name = word(column);
            if name.is_empty() {
                continue;
            }
            match declared.place(&name) {
                Some(place) if places[place].replace(index).is_some() => {
                    return Err(format!("the column {column:?} appears twice"));
                }
                Some(_) => {}
                None if declared.exported.iter().any(|known| word(known) == name) => {
                    ignored.push(column.trim().to_owned());
                }
                None => {
                    let known: Vec<_> = declared.names().collect();
                    return Err(format!("unknown column {column:?}; use {}", enumerated(&known)));
                }
            }
        }
        if places[..declared.required.len()].iter().any(Option::is_none) {
            return Err(declared.wanted());
        }
        let named: Vec<bool> = header.iter().map(|column| !word(column).is_empty()).collect();
        Ok(Self {
            places,
            width: named.iter().rposition(|named| *named).map_or(0, |last| last + 1),
            named,
            ignored,
        })
    }

    fn cells(&self, mut fields: Vec<String>) -> Result<Vec<Option<String>>, String> {
        let is_named = |index: usize| self.named.get(index) == Some(&true);
        let is_stray = |(index, field): (usize, &String)| !is_named(index) && !field.trim().is_empty();
        // A missing field would count as blank.
        if fields.len() < self.width || fields.iter().enumerate().any(is_stray) {
            let filled = fields.iter().rposition(|field| !field.trim().is_empty());
            let has = filled.map_or(0, |last| last + 1).max(fields.len().min(self.width));
            let (has, named) = (counted(has, "field"), counted(self.width, "column"));
            return Err(format!("it has {has}, but the first line names {named}"));
        }
        let take = |place: &Option<usize>| place.map(|index| std::mem::take(&mut fields[index]));
        Ok(self.places.iter().map(take).collect())
    }
}

/// `E-mail` and ` EMAIL ` are `email`.
fn word(column: &str) -> String {
    let letters = column.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}
