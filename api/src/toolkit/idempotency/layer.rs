//! The layer around every operation.

use std::{panic::AssertUnwindSafe, sync::Arc};

use axum::{
    body::{Body, Bytes},
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::FutureExt;
use http_body_util::BodyExt;
use tracing::Instrument;
use usher_shared::foundation::{
    crypto::sha256,
    db::{CommitGate, cut_before_commit, with_gate},
    rate_limit::bucket::network,
    trace,
};

use crate::toolkit::{
    body,
    caller::Caller,
    code::Code,
    error::ApiError,
    limits::admit_stranger,
    media_type::{MULTIPART, media_type},
    problem::{self, Face},
    request::{Context, RequestContext},
    state::Toolkit,
};

use super::{
    key::{NAME, WITHOUT, key_of},
    reservation::{self, Answer, Reservation, Reserved},
};

/// Longer paths are stored as a hash: an index entry has no room for more.
const MAX_PATH: usize = 200;

/// The layer. Requests without the header pass untouched, and so do operations that go without it.
pub(crate) async fn once(
    State(toolkit): State<Toolkit>,
    Context(context): Context,
    request: Request,
    next: Next,
) -> Response {
    let is_asked = request.headers().contains_key(NAME)
        && matches!(*request.method(), Method::POST | Method::PATCH)
        && !WITHOUT.contains(&request.uri().path());
    if !is_asked {
        return next.run(request).await;
    }
    answer(toolkit, context, request, next)
        .await
        .unwrap_or_else(IntoResponse::into_response)
}

async fn answer(
    toolkit: Toolkit,
    context: Arc<RequestContext>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let key = key_of(request.headers())?;
    let (mut parts, body) = request.into_parts();
    // Before the lookup: a caller never gets another caller's answer.
    match Caller::from_request_parts(&mut parts, &toolkit).await {
        Ok(caller) => drop(parts.extensions.insert(caller)),
        // For the handler to refuse: one that takes a password does not mind an old token.
        // A comparison, because the compiler evaluates a constant in a pattern of this future by its own type.
        Err(ApiError::Coded(code)) if code == Code::INVALID_CREDENTIAL => {}
        Err(error) => return Err(error),
    }
    admit_stranger(&context)?;
    // The same file is another body each time: the boundary between its parts is made up anew.
    let (body, compared) = match is_upload(&parts.headers) {
        true => (body, Bytes::new()),
        false => {
            let bytes = body::read(Request::new(body)).await?;
            (Body::from(bytes.clone()), bytes)
        }
    };
    let (scope, fingerprints) = (scope(&parts, &context), fingerprints(&toolkit, &parts, &compared));
    match reservation::reserve(&toolkit.db, scope, key, &fingerprints).await? {
        Reserved::Ours(reservation) => {
            let face = Face::asked_by(&parts.headers);
            let request = Request::from_parts(parts, body);
            let running = run(toolkit, context, face, request, next, reservation);
            // A task of its own: a client that hangs up ends this future, and its retry must find the answer.
            let running = with_gate(CommitGate::current(), trace::carried(running));
            match tokio::spawn(running.in_current_span()).await {
                Ok(response) => Ok(response),
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(error) => Err(ApiError::Internal(error.into())),
                },
            }
        }
        Reserved::Answered(answer) => Ok(replay(answer)),
        Reserved::Running => Err(Code::IDEMPOTENCY_IN_PROGRESS.into()),
        Reserved::OfAnother => Err(Code::IDEMPOTENCY_KEY_REUSED.into()),
    }
}

/// Runs the handler to its end and settles the reservation.
async fn run(
    toolkit: Toolkit,
    context: Arc<RequestContext>,
    face: Face,
    request: Request,
    next: Next,
    reservation: Reservation,
) -> Response {
    let handler = AssertUnwindSafe(next.run(request)).catch_unwind();
    let mut response = match cut_before_commit(toolkit.time_limit, handler).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => {
            reservation.release(&toolkit.db).await;
            std::panic::resume_unwind(panic)
        }
        Err(cut) => ApiError::from(cut).into_response(),
    };
    if !is_final(response.status()) {
        reservation.release(&toolkit.db).await;
        return response;
    }
    // An error gets its body here, because this is what a repetition shall see.
    if let Some(error) = response.extensions_mut().remove::<Arc<ApiError>>() {
        problem::fill(&mut response, &error, face, &context.id, &toolkit.config.api_url);
    }
    let (parts, body) = response.into_parts();
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return ApiError::Internal(error.into()).into_response(),
    };
    let answer = if says_no_store(&parts.headers) {
        Answer::without_body(parts.status, &parts.headers)
    } else {
        Answer::whole(parts.status, &parts.headers, &body)
    };
    reservation.settle(&toolkit.db, answer).await;
    Response::from_parts(parts, Body::from(body))
}

/// Whether the answer is stored: successes, and errors that depend on stored data, which may change. An invalid request
/// fails again the same way, and what depends on the time or the credential is not stored either, so that refusals
/// can't fill the table.
fn is_final(status: StatusCode) -> bool {
    let met_the_state = [
        StatusCode::NOT_FOUND,
        StatusCode::CONFLICT,
        StatusCode::GONE,
        StatusCode::PRECONDITION_FAILED,
    ];
    status.is_success() || status.is_redirection() || met_the_state.contains(&status)
}

/// Whether the handler marked its answer `no-store` (RFC 9111 §5.2.2.5): it holds a secret.
fn says_no_store(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::CACHE_CONTROL).iter();
    values.any(|value| value.to_str().is_ok_and(|value| value.contains("no-store")))
}

fn replay(answer: Answer) -> Response {
    let Answer { status, headers, body } = answer;
    let mut response = match body {
        Some(body) => (status, Body::from(body)).into_response(),
        None => ApiError::from(Code::ANSWER_NOT_KEPT).into_response(),
    };
    response.headers_mut().extend(headers);
    let replayed = HeaderValue::from_static("true");
    response.headers_mut().insert("idempotency-replayed", replayed);
    response
}

fn is_upload(headers: &HeaderMap) -> bool {
    media_type(headers).is_some_and(|named| named == MULTIPART)
}

/// Whose key it is, and for what: another caller's, and the same on another address, is another key.
fn scope(parts: &Parts, context: &RequestContext) -> String {
    let caller = match (context.caller.get(), parts.headers.get(header::AUTHORIZATION)) {
        (Some(caller), _) => caller.clone(),
        (None, Some(unknown)) => format!("unknown:{}", hash(unknown.as_bytes())),
        (None, None) => format!("anonymous:{}", network(context.address)),
    };
    let path = parts.uri.path();
    let path = match path.len() {
        0..=MAX_PATH => path.to_owned(),
        _ => hash(path.as_bytes()),
    };
    format!("{caller} {} {path}", parts.method)
}

fn hash(bytes: &[u8]) -> String {
    sha256(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What must be the same in a repetition. Keyed, because a body may hold a password that a plain hash would give away.
/// One for each key of ours, the newest's first.
fn fingerprints(toolkit: &Toolkit, parts: &Parts, body: &[u8]) -> Vec<[u8; 32]> {
    let mut text = Vec::new();
    text.extend(parts.uri.query().unwrap_or_default().as_bytes());
    let kind = (!is_upload(&parts.headers)).then_some(header::CONTENT_TYPE);
    for name in kind.into_iter().chain([header::IF_MATCH, header::IF_NONE_MATCH]) {
        for value in parts.headers.get_all(name) {
            text.push(b'\n');
            text.extend(value.as_bytes());
        }
        text.push(b'\n');
    }
    text.extend(body);
    let key = &toolkit.config.secret_key;
    key.signatures("idempotency fingerprint", &text).collect()
}
