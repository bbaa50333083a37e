//! Lists as another face of the API asks for them: pages in both directions, with a cursor for each row, and the rows
//! that belong to many others at once.

/// What is asked besides the query of an address. A layer puts it into the request's extensions, where no client can.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connection {
    /// Rows before the cursor, or the last ones.
    pub(crate) backward: bool,
    /// Whether each row has its cursor.
    pub(crate) cursors: bool,
    /// Only rows that belong to these, `limit` and one more of each, in one statement.
    pub(crate) parents: Option<Parents>,
}

/// Objects whose rows are asked for.
#[derive(Clone, Debug)]
pub(crate) struct Parents {
    /// The column that refers to them.
    pub(crate) column: String,
    pub(crate) ids: Vec<i64>,
}
