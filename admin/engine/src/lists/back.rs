//! The way back to the list that an object was opened from.

use url::form_urlencoded;

use crate::{declare::model::Model, request::sent::Fields, text::path_segment};

/// The hidden field and parameter that hold the list's query, for the way back.
pub(crate) const BACK: &str = "_list";

/// The list's query that a form carries; empty without one.
pub(crate) fn back_query(fields: &Fields) -> String {
    let query = fields.get(BACK).unwrap_or_default();
    // Serialized again, so that it holds nothing but parameters.
    let pairs = form_urlencoded::parse(query.as_bytes());
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

/// What carries the list's query to another page, behind `?` or `&`; empty without one.
pub(crate) fn back_parameter(separator: char, query: &str) -> String {
    if query.is_empty() {
        return String::new();
    }
    format!("{separator}{BACK}={}", path_segment(query))
}

/// The list as it was left.
pub(crate) fn list_of(model: &Model, form: &Fields) -> String {
    href(model, &back_query(form))
}

/// A model's list with this query.
pub(crate) fn href(model: &Model, query: &str) -> String {
    if query.is_empty() {
        model.href()
    } else {
        format!("{}?{query}", model.href())
    }
}
