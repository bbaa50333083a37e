//! Short tables beside an object's form.

use crate::rows::cell::Cell;

/// The headings of a panel's columns.
pub fn headings<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}

/// A titled table.
#[derive(Debug, Default)]
pub struct Panel {
    /// Its `id` on the page; empty for none.
    pub anchor: &'static str,
    pub title: String,
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Cell>>,
    /// Shown when there are no rows.
    pub empty: &'static str,
    /// The whole list, where there is one.
    pub href: Option<String>,
    /// A document in a frame below the table, and its title.
    pub frame: Option<(String, &'static str)>,
    /// A preformatted text below the table.
    pub text: Option<String>,
    /// A progress bar below the title, 0–100.
    pub progress: Option<i16>,
    /// Links to other pages of its rows.
    pub pages: Vec<(&'static str, String)>,
    /// Whether it needs the page's whole width.
    pub wide: bool,
}
