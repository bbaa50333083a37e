//! Exports spans to an OpenTelemetry collector, by OTLP over HTTP. The queue is bounded and never blocks: what doesn't
//! fit is dropped, each export is tried once, and both losses are counted.

use std::{
    sync::{
        LazyLock, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use opentelemetry::{Context, KeyValue, trace::TracerProvider};
use opentelemetry_otlp::{ExporterBuildError, Protocol, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, Span, SpanData, SpanExporter, SpanProcessor},
};
use prometheus_client::metrics::counter::Counter;
use thiserror::Error;
use uuid::Uuid;

use super::collector::Collector;
use crate::foundation::{config::Config, metrics::Metrics};

/// The time limit for the last spans at shutdown.
const FAREWELL: Duration = Duration::from_secs(3);

/// Creates spans, once [`start`] was called with a collector. Global, like the log.
static TRACER: OnceLock<SdkTracer> = OnceLock::new();

static ENDED: LazyLock<Counter> = LazyLock::new(Counter::default);
static EXPORTED: LazyLock<Counter> = LazyLock::new(Counter::default);
static FAILED: LazyLock<Counter> = LazyLock::new(Counter::default);

/// The collector's settings cannot be used.
#[derive(Debug, Error)]
#[error("cannot export traces (OTEL_EXPORTER_OTLP_ENDPOINT): {0}")]
pub struct ExportError(#[from] ExporterBuildError);

/// Exports the remaining spans when dropped, within 3 s.
#[derive(Debug)]
#[must_use = "spans are exported until this is dropped"]
pub struct Exporting(SdkTracerProvider);

impl Drop for Exporting {
    fn drop(&mut self) {
        if let Err(error) = self.0.shutdown_with_timeout(FAREWELL) {
            tracing::warn!(%error, "the last spans did not reach the collector");
        }
    }
}

/// Exports spans under this program's name (`usher-api`, …) until the returned value is dropped; none if the settings
/// have no collector. Call it before opening the database, whose statements are spans too.
///
/// # Panics
/// Outside a Tokio runtime, if there is a collector.
pub fn start(config: &Config, program: &str) -> Result<Option<Exporting>, ExportError> {
    let Some(traces) = &config.traces else {
        return Ok(None);
    };
    let otlp = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(Collector::default())
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(traces.spans_url())
        .with_headers(traces.headers.clone())
        .build()?;
    let service = traces.service.clone().unwrap_or_else(|| program.to_owned());
    let resource = Resource::builder_empty().with_attributes([
        KeyValue::new("service.name", service),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", Uuid::new_v4().to_string()),
    ]);
    let queue = BatchSpanProcessor::builder(Told {
        otlp,
        is_failing: AtomicBool::new(false),
    });
    let provider = SdkTracerProvider::builder()
        .with_span_processor(Counted(queue.build()))
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(traces.ratio))))
        .with_resource(resource.build())
        .build();
    // A second start in a process keeps the first tracer.
    drop(TRACER.set(provider.tracer("usher")));
    tracing::info!(endpoint = traces.endpoint, ratio = traces.ratio, "spans are exported");
    Ok(Some(Exporting(provider)))
}

pub(crate) fn is_on() -> bool {
    TRACER.get().is_some()
}

pub(super) fn tracer() -> Option<&'static SdkTracer> {
    TRACER.get()
}

/// Reports in the metrics what becomes of spans, if they are exported.
pub(crate) fn count_spans(metrics: &Metrics) {
    if is_on() {
        metrics.register("usher_spans_ended", "Spans that ended", ENDED.clone());
        metrics.register(
            "usher_spans_exported",
            "Spans that the collector took",
            EXPORTED.clone(),
        );
        metrics.register(
            "usher_spans_failed",
            "Spans that the collector did not take",
            FAILED.clone(),
        );
    }
}

/// Counts ended spans: those neither exported nor failed were dropped by the queue.
#[derive(Debug)]
struct Counted(BatchSpanProcessor);

impl SpanProcessor for Counted {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.0.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        ENDED.inc();
        self.0.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

/// Counts exported spans, and logs when exports start and stop failing.
#[derive(Debug)]
struct Told<E> {
    otlp: E,
    is_failing: AtomicBool,
}

impl<E: SpanExporter> SpanExporter for Told<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let outcome = self.otlp.export(batch).await;
        let counter = if outcome.is_ok() { &EXPORTED } else { &FAILED };
        counter.inc_by(spans);
        let was_failing = self.is_failing.swap(outcome.is_err(), Ordering::Relaxed);
        match &outcome {
            Err(error) if !was_failing => {
                tracing::warn!(%error, "the collector accepts no spans, so they are dropped until it does");
            }
            Ok(()) if was_failing => tracing::info!("the collector accepts spans again"),
            _ => {}
        }
        outcome
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.otlp.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.otlp.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.otlp.set_resource(resource);
    }
}
