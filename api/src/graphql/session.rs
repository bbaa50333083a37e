//! Who asks, and how the API's operations run for them.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use async_graphql::{ErrorExtensionValues, PathSegment, Pos, ServerError, Value as Graphql};
use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header},
    response::{IntoResponse, Response},
};
use http_body_util::BodyExt;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value as Json};
use tower::ServiceExt;
use url::form_urlencoded;
use usher_shared::foundation::rules::Violation;

use super::{
    catalog::{Catalog, ETAG},
    names::camel,
    operation::{Paging, Place},
    plan::Call,
    values::{Kind, to_graphql, to_json, to_text},
};
use crate::toolkit::{
    caller::Caller,
    code::Code,
    connection::Connection,
    error::ApiError,
    fields::{FieldError, Step},
    path_id::PathId,
    problem::{self, Face, STRICT},
    request::RequestContext,
    state::Toolkit,
};

/// Headers of a request that its operations may read.
const CARRIED: &[HeaderName] = &[header::AUTHORIZATION, header::USER_AGENT, header::ACCEPT_LANGUAGE];

/// What the operations of one request may answer with together, in bytes.
const MAX_READ: usize = 16 * 1024 * 1024;
/// The longest address of an operation, in bytes: what a request of its own could have.
const MAX_ADDRESS: usize = 8 * 1024;

/// Who asks.
pub(super) struct Session {
    toolkit: Toolkit,
    context: Arc<RequestContext>,
    caller: Caller,
    headers: HeaderMap,
    /// Whether an operation has run: the first one was counted with the credential.
    has_run: AtomicBool,
    /// Bytes that operations have answered with.
    read: AtomicUsize,
}

impl Session {
    pub(super) fn new(toolkit: &Toolkit, context: &Arc<RequestContext>, caller: Caller, headers: &HeaderMap) -> Self {
        let carried = CARRIED
            .iter()
            .filter_map(|name| Some((name.clone(), headers.get(name)?.clone())));
        Self {
            toolkit: toolkit.clone(),
            context: Arc::clone(context),
            caller,
            headers: carried.collect(),
            has_run: AtomicBool::new(false),
            read: AtomicUsize::new(0),
        }
    }

    /// Runs an operation as a request of its own would, and counts as one.
    pub(super) async fn run(
        &self,
        operations: &Router,
        catalog: &Catalog,
        call: &Call<'_>,
        connection: Option<Connection>,
    ) -> Result<Answered, Failure> {
        if self.has_run.swap(true, Ordering::Relaxed) {
            let charged = self.caller.charge(&self.toolkit, &self.context).await;
            charged.map_err(|error| self.failure(&error))?;
        }
        let mut request = request(catalog, call, connection.is_some()).map_err(|error| self.failure(&error))?;
        request.headers_mut().extend(self.headers.clone());
        // So that an error that idempotency keeps has the words that are read here.
        request
            .headers_mut()
            .insert(header::ACCEPT, HeaderValue::from_static(STRICT));
        let extensions = request.extensions_mut();
        extensions.insert(self.caller.clone());
        extensions.insert(Arc::clone(&self.context));
        if let Some(connection) = connection {
            extensions.insert(connection);
        }
        let response = operations.clone().oneshot(request).await.into_response();
        let read = self.read(response).await;
        read.map_err(|failure| failure.of_page(call))
    }

    async fn read(&self, mut response: Response) -> Result<Answered, Failure> {
        let error = response.extensions_mut().remove::<Arc<ApiError>>();
        if let Some(error) = error {
            return Err(self.failure(&error));
        }
        let (parts, body) = response.into_parts();
        let bytes = body
            .collect()
            .await
            .map_err(|_| Failure::plain("The answer broke off"))?
            .to_bytes();
        if self.read.fetch_add(bytes.len(), Ordering::Relaxed) + bytes.len() > MAX_READ {
            return Err(Failure::plain("The answer would be too large; ask for less"));
        }
        if parts.status.is_client_error() || parts.status.is_server_error() {
            return Err(match (bytes.is_empty(), parts.status) {
                // An argument that makes another address than the operation's.
                (true, StatusCode::METHOD_NOT_ALLOWED) => self.failure(&Code::METHOD_NOT_ALLOWED.into()),
                (true, _) => self.failure(&Code::NOT_FOUND.into()),
                (false, _) => Failure::of_problem(&bytes, &parts.headers),
            });
        }
        Ok(Answered {
            bytes,
            tag: parts.headers.get(header::ETAG).cloned(),
        })
    }

    fn failure(&self, error: &ApiError) -> Failure {
        Failure::of(error, &self.context, &self.toolkit)
    }
}

/// What an operation answered.
pub(super) struct Answered {
    pub(super) bytes: Bytes,
    tag: Option<HeaderValue>,
}

impl Answered {
    /// Its value, with its version as one of its fields. Without a body it is true.
    pub(super) fn value(&self) -> Result<Json, Failure> {
        if self.bytes.is_empty() {
            return Ok(Json::Bool(true));
        }
        let value = serde_json::from_slice(&self.bytes);
        let mut value: Json = value.map_err(|_| Failure::plain("The answer is no JSON"))?;
        let tag = self.tag.as_ref().and_then(|tag| tag.to_str().ok());
        if let (Json::Object(fields), Some(tag)) = (&mut value, tag) {
            fields.entry(ETAG).or_insert_with(|| tag.into());
        }
        Ok(value)
    }
}

/// What went wrong with an operation.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    message: String,
    extensions: ErrorExtensionValues,
    faults: Vec<Json>,
}

impl Failure {
    pub(super) fn plain(message: &str) -> Self {
        Self {
            message: message.to_owned(),
            extensions: ErrorExtensionValues::default(),
            faults: vec![],
        }
    }

    /// An error as its problem tells it, and the log where it is ours.
    pub(super) fn of(error: &ApiError, context: &RequestContext, toolkit: &Toolkit) -> Self {
        if let Some(cause) = error.cause() {
            tracing::error!(
                code = error.code().as_str(),
                cause,
                "an operation of a GraphQL request failed"
            );
        }
        let body = problem::body(error, Face::Strict, &context.id, &toolkit.config.api_url);
        let mut headers = HeaderMap::new();
        if let ApiError::RateLimited { retry_after } = error {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(*retry_after));
        }
        Self::of_problem(&body, &headers)
    }

    /// A problem (RFC 9457), whose faults point to arguments.
    fn of_problem(body: &[u8], headers: &HeaderMap) -> Self {
        let problem: Map<String, Json> = serde_json::from_slice(body).unwrap_or_default();
        let words = [problem.get("detail"), problem.get("title")];
        let message = words.into_iter().flatten().find_map(Json::as_str);
        let mut failure = Self::plain(message.unwrap_or("The operation failed"));
        for key in ["code", "status", "type", "request_id"] {
            if let Some(value) = problem.get(key) {
                failure.extensions.set(camel(key), to_graphql(value));
            }
        }
        // The default face has the faults as its detail.
        let faults = problem.get("errors").or(problem.get("detail")).and_then(Json::as_array);
        failure.faults = faults.into_iter().flatten().map(fault).collect();
        if let Some(seconds) = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()) {
            let seconds: u32 = seconds.parse().unwrap_or(1);
            failure.extensions.set("retryAfter", seconds);
        }
        failure
    }

    /// With arguments of a list as connections call them.
    fn of_page(mut self, call: &Call<'_>) -> Self {
        let is_last = call.paging(Paging::Last).is_some();
        for fault in &mut self.faults {
            for (parameter, first, last) in [("cursor", "after", "before"), ("limit", "first", "last")] {
                if fault["argument"] == serde_json::json!([parameter]) {
                    fault["argument"] = serde_json::json!([if is_last { last } else { first }]);
                }
            }
        }
        self
    }

    pub(super) fn at(mut self, pos: Option<Pos>, path: Vec<PathSegment>) -> ServerError {
        if !self.faults.is_empty() {
            let faults = Json::Array(self.faults);
            self.extensions.set("errors", to_graphql(&faults));
        }
        let mut error = ServerError::new(self.message, pos);
        error.path = path;
        error.extensions = Some(self.extensions);
        error
    }
}

/// A fault of a request, with the argument that it is in.
fn fault(fault: &Json) -> Json {
    let pointer = fault["pointer"].as_str().map(|pointer| {
        let steps = pointer.trim_start_matches('#').split('/').skip(1);
        let steps = steps.map(camel);
        ["input".to_owned()].into_iter().chain(steps).collect::<Vec<_>>()
    });
    let parameter = || fault["parameter"].as_str().map(|name| vec![camel(name)]);
    let message = fault.get("detail").or(fault.get("msg"));
    serde_json::json!({
        "type": fault["type"],
        "message": message,
        "argument": pointer.or_else(parameter),
    })
}

/// The request that an operation takes.
fn request(catalog: &Catalog, call: &Call<'_>, is_list: bool) -> Result<Request<Body>, ApiError> {
    let operation = call.operation;
    let mut path = operation.path.clone();
    let mut query = form_urlencoded::Serializer::new(String::new());
    let mut request = Request::builder().method(operation.method.as_str());
    let mut body = Body::empty();
    for (argument, value) in &call.arguments {
        let value = to_json(catalog, &argument.value.kind, value.clone());
        match &argument.place {
            Place::Path(_) if argument.value.kind == (Kind::Id { numeric: true }) && !value.is_number() => {
                return Err(ApiError::Invalid(vec![PathId::fault()]));
            }
            Place::Path(name) => {
                let text = to_text(value).unwrap_or_default();
                let text = utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string();
                path = path.replace(&format!("{{{name}}}"), &text);
            }
            Place::Query(name) => drop(to_text(value).map(|text| query.append_pair(name, &text))),
            Place::Header(name) => {
                if let Some(text) = to_text(value) {
                    let value = HeaderValue::from_str(&text).map_err(|_| {
                        let violation = Violation::value("Send visible ASCII characters");
                        let step = Step::Key(name.clone().into());
                        ApiError::Invalid(vec![FieldError::new("header", Some(step), violation)])
                    })?;
                    request = request.header(name.as_str(), value);
                }
            }
            Place::Body if value.is_null() => {}
            Place::Body => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                body = Body::from(value.to_string());
            }
            Place::Page(_) => {}
        }
    }
    if is_list {
        query.append_pair("limit", &call.size.to_string());
        let cursor = call.paging(Paging::After).or(call.paging(Paging::Before));
        if let Some(Graphql::String(cursor)) = cursor {
            query.append_pair("cursor", cursor);
        }
        if call.counts {
            query.append_pair("count", "true");
        }
    }
    let query = query.finish();
    let address = if query.is_empty() {
        path
    } else {
        format!("{path}?{query}")
    };
    if address.len() > MAX_ADDRESS {
        return Err(Code::URI_TOO_LONG.into());
    }
    let request = request.uri(address).body(body);
    request.map_err(|error| ApiError::Internal(error.into()))
}
