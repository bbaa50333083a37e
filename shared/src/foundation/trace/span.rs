//! The spans of the application, named and described as OpenTelemetry's semantic conventions have them. None of them holds what
//! somebody sent: no path, no address, no parameter. Where nothing is exported a span is its trace and nothing more.

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

/// Any other method is told as `_OTHER` (conventions for HTTP spans).
const METHODS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT",
];

/// What a path is called that belongs to no route.
pub const NO_ROUTE: &str = "none";

/// Something that takes time, until it is dropped.
#[derive(Debug)]
#[must_use = "a span ends when it is dropped"]
pub struct Span {
    trace: Trace,
    exported: Option<Exported>,
}

impl Span {
    /// A request being answered, until [`answered`](Self::answered), in the trace of its `traceparent` if it has a valid
    /// one. Whether it is sampled was decided there then; probes of health never are.
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
        // A client's mistake is no error of the server's.
        if status >= 500 {
            self.fail(status.to_string());
        }
    }

    /// One attempt at a job, in the trace of what caused it; a job that the clock caused begins one.
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

    /// A mail on its way to the server.
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

    /// What several callers asked for and is done at once, in the trace of the first and with links to the others: a span
    /// has one parent. Each gives what [`Trace::exported`] was to it; where nobody's is there is no span.
    pub fn batch(callers: impl IntoIterator<Item = Option<Trace>>) -> Option<Self> {
        let mut callers = callers.into_iter().flatten();
        let first = callers.next()?;
        let mut span = Self::silent(Some(first));
        let others: Vec<_> = callers.collect();
        // One caller needs no span between.
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

    /// As what happens meanwhile sees it.
    #[must_use]
    pub const fn trace(&self) -> Trace {
        self.trace
    }

    /// Marks it as failed, with one of a few reasons that the program has: an error's text can quote what somebody sent.
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

/// What happens in the future is part of this span, where there is one, which ends with it.
pub async fn during<F: Future>(span: Option<Span>, future: F) -> F::Output {
    within(span.as_ref().map(Span::trace), future).await
}

/// None where nothing is exported.
pub(super) fn begin(span: SpanBuilder, parent: Option<Trace>) -> Option<Exported> {
    let parent = parent.map_or_else(Context::new, |parent| {
        Context::new().with_remote_span_context(parent.into())
    });
    Some(tracer()?.build_with_context(span, &parent))
}

impl Trace {
    /// What a job's row carries, so that its attempts join this task's trace however late they run. Where spans are
    /// exported it is the writing of the job (conventions for messaging: a producer), else the trace as it is.
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

    /// This task's trace, where its spans are exported.
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
