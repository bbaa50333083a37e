//! A query on its way from a text to a plan.

use async_graphql::{
    Request, Response, ServerError, Variables,
    parser::{parse_query, types::ExecutableDocument},
};

use super::{
    graph::Graph,
    plan::{Plan, is_introspection, weigh},
};

/// The longest text of a query, in bytes: reading one takes a thread for as long as it is.
const MAX_QUERY: usize = 16 * 1024;
/// Faults that are told at once.
const MAX_ERRORS: usize = 20;

/// What is wrong with a text that is no query, without the text: errors never repeat what was sent.
fn unread(error: &ServerError) -> ServerError {
    let reason = error.message.rsplit("  = ").next().unwrap_or_default();
    let message = match error.message.contains("  = ") {
        true => format!("The query can't be read: {reason}"),
        false => error.message.clone(),
    };
    ServerError::new(message, error.locations.first().copied())
}

/// A query that was checked.
pub(super) struct Prepared {
    document: ExecutableDocument,
    operation_name: Option<String>,
    variables: Variables,
}

impl Prepared {
    /// Checks a query.
    ///
    /// # Errors
    ///
    /// The answer, where there is one without running anything: the faults, or what was asked about the schema.
    pub(super) async fn new(graph: &Graph, mut request: Request) -> Result<Self, Response> {
        let fault = |error: ServerError| Response::from_errors(vec![error]);
        if request.query.trim().is_empty() {
            return Err(fault(ServerError::new("Send a query", None)));
        }
        if request.query.len() > MAX_QUERY {
            let message = format!("The query has more than {MAX_QUERY} bytes; send values as variables");
            return Err(fault(ServerError::new(message, None)));
        }
        let document = parse_query(&request.query).map_err(|error| fault(unread(&error.into())))?;
        let is_introspection = is_introspection(&document, request.operation_name.as_deref());
        weigh(&document, is_introspection).map_err(fault)?;
        let prepared = Self {
            operation_name: request.operation_name.clone(),
            variables: request.variables.clone(),
            document: document.clone(),
        };
        request.set_parsed_query(document);
        let mut answer = graph.schema.check(request, is_introspection).await;
        answer.errors.truncate(MAX_ERRORS);
        match is_introspection || !answer.errors.is_empty() {
            true => Err(answer),
            false => Ok(prepared),
        }
    }

    /// # Errors
    ///
    /// If it would cost too much.
    pub(super) fn plan<'c>(&self, graph: &'c Graph) -> Result<Plan<'c>, ServerError> {
        let name = self.operation_name.as_deref();
        Plan::new(&graph.catalog, &self.document, name, &self.variables)
    }
}
