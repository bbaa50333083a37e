//! Short tables beside an object's form.

use std::fmt;

use askama::{Template, filters::HtmlSafe};
use usher_shared::AppContext;

use super::saving::HookFuture;
use crate::request::staff::Staff;
use crate::rows::{cell::Cell, row::Row};

/// What makes the panels of an object, such as `|app, row, staff| Box::pin(panels(app, row, staff))`.
pub type Panels = for<'a> fn(&'a AppContext, &'a Row, &'a Staff) -> HookFuture<'a, Vec<Panel>>;

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

#[derive(Template)]
#[template(path = "parts/panel.html")]
struct PanelHtml<'a> {
    panel: &'a Panel,
}

/// As HTML, for a template of the application's own.
impl fmt::Display for Panel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        PanelHtml { panel: self }.render_into(f).map_err(|_| fmt::Error)
    }
}

impl HtmlSafe for Panel {}
