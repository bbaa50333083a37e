//! Related rows beside an object's form, such as the sessions of a user.

use sea_orm::ColumnTrait;

/// Rows of another model that hold this object's id.
#[derive(Clone, Debug)]
pub struct Inline {
    pub(crate) model: &'static str,
    /// The column with the object's id.
    pub(crate) column: &'static str,
    /// A column that must hold this word, such as the type of the object.
    pub(crate) only: Option<(&'static str, &'static str)>,
    pub(crate) shown: Vec<&'static str>,
    pub(crate) title: Option<&'static str>,
    pub(crate) empty: &'static str,
}

impl Inline {
    /// Only rows in which this column is this word.
    pub fn only<C: ColumnTrait>(self, column: C, word: &'static str) -> Self {
        let only = Some((column.as_str(), word));
        Self { only, ..self }
    }

    pub fn title(self, title: &'static str) -> Self {
        let title = Some(title);
        Self { title, ..self }
    }

    /// Shown when there are no rows.
    pub fn empty(self, empty: &'static str) -> Self {
        Self { empty, ..self }
    }
}
