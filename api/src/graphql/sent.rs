//! An answer on its way.

use async_graphql::{Response, ServerError, Value};
use serde::Serialize;

/// What is sent. Without `data` nothing has run (GraphQL §7.1).
#[derive(Serialize)]
pub(super) struct Sent<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [ServerError],
}

impl<'a> Sent<'a> {
    pub(super) fn new(answer: &'a Response) -> Self {
        let has_run = answer.data != Value::Null || answer.errors.is_empty();
        Self {
            data: has_run.then_some(&answer.data),
            errors: &answer.errors,
        }
    }

    pub(super) fn has_run(&self) -> bool {
        self.data.is_some()
    }
}
