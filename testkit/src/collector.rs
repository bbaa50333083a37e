//! A collector of spans (OpenTelemetry Protocol over HTTP, in protobuf) in this process that keeps all that it is sent,
//! and that can be told to refuse or to hang.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, header},
    routing::post,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::{self as otlp, span::SpanKind, status::StatusCode as Outcome},
};
use prost::Message;
use tokio::{net::TcpListener, task::JoinHandle, time::sleep};

use crate::run::{eventually, free_port};

/// A span as it arrived; ids are lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    pub service: String,
    pub name: String,
    /// `Server`, `Client`, …
    pub kind: String,
    pub trace: String,
    pub id: String,
    /// Empty where it has none.
    pub parent: String,
    /// The traces that it names besides its own.
    pub links: Vec<String>,
    pub attributes: BTreeMap<String, String>,
    pub is_error: bool,
    pub took: Duration,
}

impl Span {
    /// An attribute's value; empty where there is none.
    #[must_use]
    pub fn get(&self, attribute: &str) -> &str {
        self.attributes.get(attribute).map_or("", String::as_str)
    }
}

/// A server on a free port of 127.0.0.1; ends when dropped.
pub struct Collector {
    port: u16,
    shared: Arc<Shared>,
    listening: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    /// What it answers instead of 200; 0 is nothing, for longer than anybody waits.
    answer: Mutex<Option<u16>>,
    spans: Mutex<Vec<Span>>,
    /// Of the last post.
    headers: Mutex<HeaderMap>,
    /// Every byte that came, as text.
    heard: Mutex<String>,
}

impl Collector {
    pub async fn start() -> Self {
        let (port, shared) = (free_port(), Arc::<Shared>::default());
        let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a free port");
        let router = Router::new()
            .route("/v1/traces", post(take))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&shared));
        let listening = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("it serves");
        });
        Self {
            port,
            shared,
            listening,
        }
    }

    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// From now on it answers this status; 0 for no answer at all, 200 for taking everything.
    pub fn answers(&self, status: u16) {
        *lock(&self.shared.answer) = (status != 200).then_some(status);
    }

    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        lock(&self.shared.spans).clone()
    }

    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        lock(&self.shared.headers).clone()
    }

    #[must_use]
    pub fn heard(&self) -> String {
        lock(&self.shared.heard).clone()
    }

    /// The spans of this trace, once one of each of these names is there.
    pub async fn trace(&self, id: &str, names: &[&str]) -> Vec<Span> {
        let what = format!("{names:?} of trace {id}");
        eventually(Duration::from_secs(30), &what, async || {
            let spans: Vec<_> = self.spans().into_iter().filter(|span| span.trace == id).collect();
            let has = |name: &&str| spans.iter().any(|span| span.name == *name);
            names.iter().all(has).then_some(spans)
        })
        .await
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn take(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> (StatusCode, &'static str) {
    let answer = *lock(&shared.answer);
    if answer == Some(0) {
        sleep(Duration::from_secs(600)).await;
    }
    if let Some(answer) = answer {
        return (StatusCode::from_u16(answer).expect("a status"), "not now");
    }
    let is_protobuf = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|form| form == "application/x-protobuf");
    let Ok(request) = ExportTraceServiceRequest::decode(body.clone()) else {
        return (StatusCode::BAD_REQUEST, "no protobuf");
    };
    if !is_protobuf {
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, "not told to be protobuf");
    }
    lock(&shared.heard).push_str(&String::from_utf8_lossy(&body));
    for resource in request.resource_spans {
        let service = resource.resource.map(|resource| attributes(resource.attributes));
        let service = service
            .and_then(|mut all| all.remove("service.name"))
            .unwrap_or_default();
        let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
        lock(&shared.spans).extend(spans.map(|span| read(&service, span)));
    }
    *lock(&shared.headers) = headers;
    (StatusCode::OK, "")
}

fn read(service: &str, span: otlp::Span) -> Span {
    let nanoseconds = span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano);
    Span {
        service: service.to_owned(),
        kind: format!("{:?}", SpanKind::try_from(span.kind).expect("a known kind")),
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        links: span.links.iter().map(|link| hex(&link.trace_id)).collect(),
        attributes: attributes(span.attributes),
        is_error: span.status.is_some_and(|status| status.code() == Outcome::Error),
        took: Duration::from_nanos(nanoseconds),
        name: span.name,
    }
}

fn attributes(pairs: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |value: Option<AnyValue>| match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    pairs.into_iter().map(|pair| (pair.key, text(pair.value))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn lock<T>(part: &Mutex<T>) -> MutexGuard<'_, T> {
    part.lock().unwrap_or_else(PoisonError::into_inner)
}
