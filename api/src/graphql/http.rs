//! GraphQL over HTTP: a request is answered as the GraphQL-over-HTTP specification says, and browsers get a page to
//! write queries in.

use std::sync::Arc;

use async_graphql::{Request, ServerError, parser::types::OperationType};
use axum::{
    Extension,
    extract::{FromRequestParts, Request as HttpRequest, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use usher_serve::quality;
use usher_shared::foundation::rules::ViolationKind;

use super::{answer::Answer, execute::execute, graph::Graph, prepared::Prepared, session::Session, socket};
use crate::{
    site,
    state::AppState,
    toolkit::{body, caller::Caller, code::Code, error::ApiError, html::wants_html, request::Context},
};

/// The media type of answers (GraphQL over HTTP §4.1). `application/json` is for older clients.
const GRAPHQL_JSON: &str = "application/graphql-response+json";

/// `POST /graphql`.
pub(super) async fn answer(
    State(state): State<AppState>,
    Extension(graph): Extension<Arc<Graph>>,
    Context(context): Context,
    request: HttpRequest,
) -> Result<Response, ApiError> {
    let (mut parts, body) = request.into_parts();
    let caller = Caller::from_request_parts(&mut parts, &state).await?;
    let headers = parts.headers.clone();
    let request = body::json(HttpRequest::from_parts(parts, body)).await?;
    if !request.is_object() {
        let message = "Send a JSON object with the query; one query can run several operations";
        return Err(body::fault(ViolationKind::ModelAttributesType, message));
    }
    let request: Request = serde_json::from_value(request).map_err(|error| {
        let message = format!("Send query, and operationName and variables where there are some: {error}");
        body::fault(ViolationKind::ModelAttributesType, &message)
    })?;
    let answer = match Prepared::new(&graph, request).await {
        Err(answer) => answer.into(),
        Ok(_) if matches!(caller, Caller::Anonymous) => return Err(Code::AUTHENTICATION_REQUIRED.into()),
        Ok(prepared) => match prepared.plan(&graph) {
            Ok(plan) if plan.kind == OperationType::Subscription => {
                let message = "Subscriptions go over a socket, by graphql-transport-ws";
                Answer::refused(&[ServerError::new(message, None)])
            }
            Ok(plan) => {
                let session = Session::new(&state, &context, caller, &headers);
                execute(&graph, &session, &plan).await
            }
            Err(error) => Answer::refused(&[error]),
        },
    };
    Ok(respond(&headers, answer))
}

/// `GET /graphql`: a page for browsers, or a socket.
pub(super) async fn page(
    State(state): State<AppState>,
    Extension(graph): Extension<Arc<Graph>>,
    context: Context,
    request: HttpRequest,
) -> Result<Response, ApiError> {
    if request.headers().contains_key(header::UPGRADE) {
        return socket::connect(&state, graph, context, request).await;
    }
    if graph.allows_introspection && wants_html(request.headers()) {
        return Ok(site::graphiql(&state, super::PATH));
    }
    let mut refused = ApiError::from(Code::METHOD_NOT_ALLOWED).into_response();
    refused
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static("POST"));
    Ok(refused)
}

/// A query that could not run is 400, but not for clients that know `application/json` alone: they take another status
/// for a fault of the way (GraphQL over HTTP §6.4).
fn respond(headers: &HeaderMap, answer: Answer) -> Response {
    let asked = |kind| quality(headers, header::ACCEPT, kind).unwrap_or_default();
    let is_new = headers.contains_key(header::ACCEPT) && asked(GRAPHQL_JSON) >= asked("application/json");
    let status = match is_new && !answer.has_run {
        true => StatusCode::BAD_REQUEST,
        false => StatusCode::OK,
    };
    let kind = if is_new { GRAPHQL_JSON } else { "application/json" };
    let kind = [
        (header::CONTENT_TYPE, format!("{kind}; charset=utf-8")),
        (header::VARY, "accept".to_owned()),
    ];
    (status, kind, answer.json()).into_response()
}
