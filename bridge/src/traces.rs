//! Traces of what clients ask of the bridge, for an OpenTelemetry collector that `bridge.traces_url` names: a span for each HTTP request, each WebSocket client and each of
//! its requests, named as the semantic conventions of OpenTelemetry have it. None for a message of the stream: those are measured by counters alone (`docs/latency.md`).
//!
//! A thread of the library's delivers them. What it cannot deliver, or has no room for, is counted in the log; nobody waits for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::{MatchedPath, Request};
use axum::http::StatusCode;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use tickpath_service::config::Url;
use tickpath_service::logging::Spans;
use tracing::level_filters::LevelFilter;
use tracing::{Span, field, info_span};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;

/// How long the collector may take to answer, and at the end to take the last spans.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// The part of the address that the protocol prescribes.
const PATH: &str = "/v1/traces";

/// A collector that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("`bridge.traces_url` {url}: {reason}")]
pub struct TracesError {
    url: String,
    reason: String,
}

/// Delivers spans until it is dropped, the last ones then.
#[derive(Debug)]
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Makes what delivers spans to the collector at `url`, and what hands them to it.
    ///
    /// # Errors
    /// [`TracesError`] if the address is none, or no client can be made. Whether a collector is there shows when there is something to deliver.
    pub fn to(url: &Url) -> Result<(Traces, Spans), TracesError> {
        let failed = |reason: String| TracesError {
            url: url.to_string(),
            reason,
        };
        // Whoever was first installed this one: there is no other in the program.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = reqwest::blocking::Client::builder()
            .no_proxy()
            .timeout(ANSWER_MAX)
            .build();
        let collector = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_http_client(client.map_err(|error| failed(error.to_string()))?)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{url}{PATH}"))
            .build()
            .map_err(|error| failed(error.to_string()))?;
        let resource = Resource::builder_empty()
            .with_service_name("tickpath-bridge")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_attribute(KeyValue::new("process.pid", i64::from(std::process::id())))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(Delivery {
                collector,
                lost: AtomicU64::new(0),
            })
            .with_resource(resource)
            .build();
        let ours = filter_fn(|metadata| metadata.is_span() && metadata.target().starts_with(env!("CARGO_CRATE_NAME")));
        let spans = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("tickpath-bridge"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(ours.with_max_level_hint(LevelFilter::INFO))
            .boxed();
        Ok((Traces(provider), spans))
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        if let Err(error) = self.0.shutdown_with_timeout(ANSWER_MAX) {
            tracing::warn!(%error, "the last traces were not delivered");
        }
    }
}

/// Hands spans to the collector, and says once that it does not take them and once that it does again, with how many were lost in between.
#[derive(Debug)]
struct Delivery {
    collector: opentelemetry_otlp::SpanExporter,
    lost: AtomicU64,
}

impl SpanExporter for Delivery {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len() as u64;
        match self.collector.export(batch).await {
            Ok(()) => {
                let lost = self.lost.swap(0, Ordering::Relaxed);
                if lost > 0 {
                    tracing::info!(lost, "the collector of traces takes them again");
                }
            }
            Err(error) if self.lost.fetch_add(count, Ordering::Relaxed) == 0 => {
                tracing::warn!(%error, "the collector of traces does not take them: they are lost until it does");
            }
            Err(_) => {}
        }
        // It has been said.
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(lost, "the collector of traces took none to the end");
        }
        self.collector.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.collector.set_resource(resource);
    }
}

/// The span of an HTTP request. Its route, not its path: a path may hold anything.
pub fn request(request: &Request) -> Span {
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("", MatchedPath::as_str);
    let gap = if route.is_empty() { "" } else { " " };
    info_span!(
        parent: None,
        "request",
        otel.name = format_args!("{}{gap}{route}", request.method()),
        otel.kind = "server",
        http.request.method = request.method().as_str(),
        http.route = route,
        http.response.status_code = field::Empty,
        otel.status_code = field::Empty,
    )
}

/// What a request was answered. An error of the client's is none of the server's.
pub fn answered(span: &Span, status: StatusCode) {
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
}

/// The span of a WebSocket client, from its upgrade to its end.
pub fn client(id: u64) -> Span {
    info_span!(
        parent: Span::current(),
        "websocket",
        client = id,
        close.code = field::Empty,
        close.reason = field::Empty
    )
}

/// The span of a request over the WebSocket of `client`, until the reading thread has it.
pub fn client_request(client: &Span) -> Span {
    info_span!(parent: client, "websocket.request", otel.kind = "server", error.code = field::Empty)
}
