//! What answers queries.

use axum::Router;

use super::{catalog::Catalog, schema::Checked};

/// The schema, and the operations that answer it.
pub(super) struct Graph {
    pub(super) catalog: Catalog,
    pub(super) schema: Checked,
    /// The API's operations, within the layers that belong to them.
    pub(super) operations: Router,
    pub(super) allows_introspection: bool,
}
