//! The application's spans, which follow OpenTelemetry's semantic conventions. They contain nothing that a client sent:
//! no path, no address, no parameter. If nothing is exported, a span is only its trace.

use std::borrow::Cow;

use opentelemetry::{
    Context, KeyValue, Value,
    trace::{
        Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId,
        TraceState, Tracer,
    },
};
use opentelemetry_sdk::trace::Span as Exported;
use uuid::Uuid;

use super::{
    context::{Trace, within},
    export::{is_on, tracer},
};

/// Any other method is reported as `_OTHER` (conventions for HTTP spans).
const METHODS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT",
];

/// The route of a path that has none.
pub const NO_ROUTE: &str = "none";

/// A span, which ends when it is dropped.
#[derive(Debug)]
#[must_use = "a span ends when it is dropped"]
pub struct Span {
    trace: Trace,
    exported: Option<Exported>,
}

impl Span {
    /// A request, until [`answered`](Self::answered), in the trace of its `traceparent` if that is valid; whether it is
    /// sampled was decided there. Health probes never are.
    pub fn request(method: &str, route: &str, secure: bool, traceparent: Option<&str>) -> Self {
        let parent = traceparent.and_then(Trace::parse);
        if route.starts_with("/health/") {
            return Self::silent(parent.map(|parent| Trace { flags: 0, ..parent }));
        }
        let mut span = Self::start("request", SpanKind::Server, parent);
        span.note(|| {
            let scheme = if secure { "https" } else { "http" };
            let known = METHODS.iter().find(|known| **known == method);
            [
                KeyValue::new("http.request.method", known.copied().unwrap_or("_OTHER")),
                KeyValue::new("url.scheme", scheme),
            ]
        });
        span
    }

    /// Ends a request's span. The route is the router's, such as `/users/{id}`, or [`NO_ROUTE`].
    pub fn answered(mut self, method: &str, route: &str, status: u16) {
        let Some(span) = &mut self.exported else { return };
        let method = if METHODS.contains(&method) { method } else { "HTTP" };
        if route == NO_ROUTE {
            span.update_name(method.to_owned());
        } else {
            span.update_name(format!("{method} {route}"));
            span.set_attribute(KeyValue::new("http.route", route.to_owned()));
        }
        span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
        // A client's error is not the server's.
        if status >= 500 {
            self.fail(status.to_string());
        }
    }

    /// One attempt of a job, in the trace of what caused it; a scheduled job starts a new trace.
    pub fn attempt(kind: &str, queue: &str, job: Uuid, attempt: i32, traceparent: Option<&str>) -> Self {
        let parent = traceparent.and_then(Trace::parse);
        let mut span = Self::start("process", SpanKind::Consumer, parent);
        if let Some(exported) = &mut span.exported {
            exported.update_name(format!("process {kind}"));
            exported.set_attributes(messaging("process", kind, queue));
            exported.set_attribute(KeyValue::new("messaging.message.id", job.to_string()));
            exported.set_attribute(KeyValue::new("usher.job.attempt", i64::from(attempt)));
        }
        span
    }

    /// A mail being sent to the server.
    pub fn mail(host: &str, port: u16) -> Self {
        let mut span = Self::start("send mail", SpanKind::Client, Trace::current());
        span.note(|| {
            [
                KeyValue::new("network.protocol.name", "smtp"),
                KeyValue::new("server.address", host.to_owned()),
                KeyValue::new("server.port", i64::from(port)),
            ]
        });
        span
    }

    /// A batch of several callers' requests, in the trace of the first and with links to the others, because a span has
    /// one parent. Each caller passes its [`Trace::exported`]; without any there is no span.
    pub fn batch(callers: impl IntoIterator<Item = Option<Trace>>) -> Option<Self> {
        let mut callers = callers.into_iter().flatten();
        let first = callers.next()?;
        let mut span = Self::silent(Some(first));
        let others: Vec<_> = callers.collect();
        // A single caller needs no extra span.
        if !others.is_empty() {
            span = Self::start("batch", SpanKind::Internal, Some(first));
            span.note(|| [KeyValue::new("usher.batch.size", count(others.len() + 1))]);
            if let Some(exported) = &mut span.exported {
                for other in others {
                    exported.add_link(other.into(), Vec::new());
                }
            }
        }
        Some(span)
    }

    /// The trace for what happens within the span.
    #[must_use]
    pub const fn trace(&self) -> Trace {
        self.trace
    }

    /// Marks it as failed, with one of a few fixed reasons, because an error's text may quote what a client sent.
    pub fn fail(&mut self, reason: impl Into<Cow<'static, str>>) {
        if let Some(span) = &mut self.exported {
            span.set_status(Status::error(""));
            span.set_attribute(KeyValue::new("error.type", reason.into()));
        }
    }

    fn start(name: &'static str, kind: SpanKind, parent: Option<Trace>) -> Self {
        let Some(span) = begin(SpanBuilder::from_name(name).with_kind(kind), parent) else {
            return Self::silent(parent);
        };
        Self {
            trace: Trace::from(span.span_context()),
            exported: span.is_recording().then_some(span),
        }
    }

    fn silent(parent: Option<Trace>) -> Self {
        Self {
            trace: parent.unwrap_or_else(Trace::generate),
            exported: None,
        }
    }

    fn note<const N: usize>(&mut self, attributes: impl FnOnce() -> [KeyValue; N]) {
        if let Some(span) = &mut self.exported {
            span.set_attributes(attributes());
        }
    }
}

/// Runs a future as part of this span, if there is one, and then ends the span.
pub async fn during<F: Future>(span: Option<Span>, future: F) -> F::Output {
    within(span.as_ref().map(Span::trace), future).await
}

/// None if nothing is exported.
pub(super) fn begin(span: SpanBuilder, parent: Option<Trace>) -> Option<Exported> {
    let parent = parent.map_or_else(Context::new, |parent| {
        Context::new().with_remote_span_context(parent.into())
    });
    Some(tracer()?.build_with_context(span, &parent))
}

impl Trace {
    /// The trace that a job's row stores, so that its attempts join this task's trace however late they run. If spans
    /// are exported, it is a producer span (conventions for messaging), otherwise the current trace.
    pub(crate) fn for_job(kind: &str, queue: &str) -> Option<Self> {
        let trace = Self::current()?;
        if !(is_on() && trace.is_sampled()) {
            return Some(trace);
        }
        let span = SpanBuilder::from_name(format!("send {kind}"))
            .with_kind(SpanKind::Producer)
            .with_attributes(messaging("send", kind, queue));
        begin(span, Some(trace)).map(|span| Self::from(span.span_context()))
    }

    /// This task's trace, if its spans are exported.
    #[must_use]
    pub fn exported() -> Option<Self> {
        is_on().then(Self::current).flatten().filter(|trace| trace.is_sampled())
    }

    const fn is_sampled(self) -> bool {
        self.flags & 1 == 1
    }
}

impl From<&SpanContext> for Trace {
    fn from(context: &SpanContext) -> Self {
        Self {
            id: u128::from_be_bytes(context.trace_id().to_bytes()),
            parent: u64::from_be_bytes(context.span_id().to_bytes()),
            flags: context.trace_flags().to_u8(),
        }
    }
}

impl From<Trace> for SpanContext {
    fn from(trace: Trace) -> Self {
        let (id, parent) = (trace.id.to_be_bytes(), trace.parent.to_be_bytes());
        let (id, parent) = (TraceId::from_bytes(id), SpanId::from_bytes(parent));
        Self::new(id, parent, TraceFlags::new(trace.flags), true, TraceState::NONE)
    }
}

fn messaging(operation: &'static str, kind: &str, queue: &str) -> [KeyValue; 5] {
    [
        KeyValue::new("messaging.system", "usher"),
        KeyValue::new("messaging.operation.type", operation),
        KeyValue::new("messaging.operation.name", operation),
        KeyValue::new("messaging.destination.name", queue.to_owned()),
        KeyValue::new("usher.job.kind", kind.to_owned()),
    ]
}

fn count(items: usize) -> Value {
    i64::try_from(items).unwrap_or(i64::MAX).into()
}
