//! A query on its way from a text to a plan.

use async_graphql::{
    Request, Response, ServerError, Variables,
    parser::{parse_query, types::ExecutableDocument},
};

use super::{
    graph::Graph,
    plan::{Plan, is_introspection, weigh},
};

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
        let document = parse_query(&request.query).map_err(|error| fault(error.into()))?;
        weigh(&document).map_err(fault)?;
        let is_introspection = is_introspection(&document, request.operation_name.as_deref());
        let prepared = Self {
            operation_name: request.operation_name.clone(),
            variables: request.variables.clone(),
            document: document.clone(),
        };
        request.set_parsed_query(document);
        let answer = graph.schema.check(request, is_introspection).await;
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
