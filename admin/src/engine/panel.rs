//! What stands beside an object's form: short tables of what belongs to it.

use super::row::Cell;

/// A titled table.
#[derive(Debug, Default)]
pub(crate) struct Panel {
    pub(crate) title: &'static str,
    pub(crate) columns: Vec<&'static str>,
    pub(crate) rows: Vec<Vec<Cell>>,
    /// Said when there are no rows.
    pub(crate) empty: &'static str,
    /// The whole list, where there is one.
    pub(crate) href: Option<String>,
    /// A document shown in a frame of its own below the table, and its title.
    pub(crate) frame: Option<(String, &'static str)>,
    /// A text shown as it is below the table.
    pub(crate) text: Option<String>,
    /// A bar below the title, 0–100.
    pub(crate) progress: Option<i16>,
    /// Whether it needs the page's whole width.
    pub(crate) wide: bool,
}
