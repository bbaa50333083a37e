//! A list's page as a connection (Relay's specification of cursor connections).

use serde_json::{Map, Value as Json, json};

use super::{
    plan::{Selected, asks},
    session::Failure,
};

/// A page that was read whole, with all that a connection has.
///
/// # Errors
///
/// If it is no JSON.
pub(super) fn page_of(page: &[u8], fields: &[Selected<'_>]) -> Result<Json, Failure> {
    let page = serde_json::from_slice(page);
    let mut page: Json = page.map_err(|_| Failure::plain("The answer is no JSON"))?;
    let rows = items(&mut page["data"]);
    let place = &mut page["connection"];
    let cursors = items(&mut place["cursors"]);
    let (start, end) = (place["start"].take(), place["end"].take());
    let mut made = rows_as(rows, cursors, fields);
    let page_info = json!({
        "has_next_page": !page["next_cursor"].is_null(),
        "has_previous_page": !page["prev_cursor"].is_null(),
        "start_cursor": start,
        "end_cursor": end,
    });
    made.insert("page_info".to_owned(), page_info);
    made.insert("total_count".to_owned(), page["count"].take());
    made.insert("total_count_is_exact".to_owned(), page["count_is_exact"].take());
    Ok(Json::Object(made))
}

/// The values of a list, taken out of it.
pub(super) fn items(list: &mut Json) -> Vec<Json> {
    match list.take() {
        Json::Array(items) => items,
        _ => vec![],
    }
}

/// Rows as nodes, as edges, or as both.
pub(super) fn rows_as(rows: Vec<Json>, cursors: Vec<Json>, fields: &[Selected<'_>]) -> Map<String, Json> {
    let mut made = Map::new();
    if !asks(fields, "edges") {
        made.insert("nodes".to_owned(), Json::Array(rows));
        return made;
    }
    if asks(fields, "nodes") {
        made.insert("nodes".to_owned(), Json::Array(rows.clone()));
    }
    let edges = rows.into_iter().zip(cursors);
    let edges = edges.map(|(node, cursor)| json!({"node": node, "cursor": cursor}));
    made.insert("edges".to_owned(), Json::Array(edges.collect()));
    made
}
