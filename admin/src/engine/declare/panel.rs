//! What stands beside an object's form: short tables of what belongs to it.

use crate::engine::rows::row::Cell;

/// The headings of a panel's columns.
pub(crate) fn headings<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}

/// A titled table.
#[derive(Debug, Default)]
pub(crate) struct Panel {
    /// Its `id` on the page; empty for none.
    pub(crate) anchor: &'static str,
    pub(crate) title: String,
    pub(crate) columns: Vec<String>,
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
    /// Links to other pages of its rows.
    pub(crate) pages: Vec<(&'static str, String)>,
    /// Whether it needs the page's whole width.
    pub(crate) wide: bool,
}
