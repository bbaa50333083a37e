//! The way back to the list that an object was opened from.

use url::form_urlencoded;

use crate::{declare::model::Model, request::sent::Fields};

/// The hidden field and parameter that hold the list's query, for the way back.
pub(crate) const BACK: &str = "_list";

/// The list's query that a form carries, when it is one.
pub(crate) fn back_query(fields: &Fields) -> Option<String> {
    let query = fields.get(BACK).filter(|query| !query.is_empty())?;
    // Serialized again, so that it holds nothing but parameters.
    let pairs = form_urlencoded::parse(query.as_bytes());
    Some(
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish(),
    )
}

/// A text as one segment of a path.
pub(crate) fn path_segment(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// The list as it was left.
pub(crate) fn list_of(model: &Model, form: &Fields) -> String {
    back_query(form).map_or_else(|| model.href(), |query| format!("{}?{query}", model.href()))
}

/// A model's list with this query.
pub(crate) fn href(model: &Model, query: &str) -> String {
    if query.is_empty() {
        model.href()
    } else {
        format!("{}?{query}", model.href())
    }
}
