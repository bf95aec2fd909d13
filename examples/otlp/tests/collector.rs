//! Runs the example with a collector of a few lines, and without one.

use std::collections::BTreeMap;
use std::process::Output;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use larder_test::server::RedisServer;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message;
use tokio::net::TcpListener;
use tokio::process::Command;

/// What a collector received: spans by name, metrics by name with their series, and all of it as text.
#[derive(Default)]
struct Received {
    spans: BTreeMap<String, usize>,
    metrics: BTreeMap<String, Vec<Data>>,
    text: String,
}

type Collector = Arc<Mutex<Received>>;

async fn traces(State(collector): State<Collector>, body: Bytes) -> StatusCode {
    let Ok(request) = ExportTraceServiceRequest::decode(body) else {
        return StatusCode::BAD_REQUEST;
    };
    let mut received = collector.lock().expect("nobody panicked");
    received.text += &format!("{request:?}");
    let scopes = request.resource_spans.into_iter();
    let scopes = scopes.flat_map(|resource| resource.scope_spans);
    for span in scopes.flat_map(|scope| scope.spans) {
        *received.spans.entry(span.name).or_default() += 1;
    }
    StatusCode::OK
}

async fn metrics(State(collector): State<Collector>, body: Bytes) -> StatusCode {
    let Ok(request) = ExportMetricsServiceRequest::decode(body) else {
        return StatusCode::BAD_REQUEST;
    };
    let mut received = collector.lock().expect("nobody panicked");
    received.text += &format!("{request:?}");
    let scopes = request.resource_metrics.into_iter();
    let scopes = scopes.flat_map(|resource| resource.scope_metrics);
    for metric in scopes.flat_map(|scope| scope.metrics) {
        let streams = received.metrics.entry(metric.name).or_default();
        streams.extend(metric.data);
    }
    StatusCode::OK
}

/// Starts a collector on loopback, and returns its address.
async fn start() -> (String, Collector) {
    let collector = Collector::default();
    let router = Router::new()
        .route("/v1/traces", post(traces))
        .route("/v1/metrics", post(metrics))
        .with_state(collector.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}"), collector)
}

async fn example(store: &str, collector: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_larder-otlp"));
    command.env("STORE_URL", store).env_remove("RUST_LOG");
    match collector {
        Some(collector) => command.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector),
        None => command.env_remove("OTEL_EXPORTER_OTLP_ENDPOINT"),
    };
    command.output().await.expect("the example runs")
}

#[tokio::test]
async fn a_collector_receives_spans_and_metrics_and_neither_a_key_nor_a_value() {
    let redis = RedisServer::start().expect("a server");
    for store in ["memory://", &redis.url()] {
        let (address, collector) = start().await;
        let ran = example(store, Some(&address)).await;
        assert!(ran.status.success(), "{ran:?}");
        let received = collector.lock().expect("nobody panicked");
        let spans = &received.spans;
        for (name, count) in [
            ("cache.load", 1),
            ("cache.remove", 1),
            ("send example-otlp", 1),
            ("process example-otlp", 1),
        ] {
            assert_eq!(spans.get(name), Some(&count), "{name}: {spans:?}");
        }
        assert!(spans.contains_key("cache.get"), "{spans:?}");
        // Only a server has round trips.
        let has_programs = spans.keys().any(|name| name.starts_with("EVALSHA"));
        assert_eq!(has_programs, store != "memory://", "{spans:?}");
        let metrics = &received.metrics;
        for name in [
            "larder_cache_hits_total",
            "larder_cache_load_seconds",
            "larder_cache_loads_total",
            "larder_queue_done_total",
            "larder_queue_enqueued_total",
        ] {
            let streams = metrics.get(name).map(Vec::len);
            assert_eq!(streams, Some(1), "{name}: {metrics:?}");
        }
        let Data::Histogram(loads) = &metrics["larder_cache_load_seconds"][0] else {
            panic!("it is a histogram: {metrics:?}");
        };
        let (bounds, loads) = (&loads.data_points[0].explicit_bounds, &loads.data_points);
        assert_eq!(bounds.first(), Some(&0.000_25), "the buckets of larder");
        assert_eq!(loads.iter().map(|point| point.count).sum::<u64>(), 1);
        assert!(received.text.contains("larder-otlp"), "the service's name");
        for secret in ["1927", "Metropolis", "\"ada\""] {
            assert!(!received.text.contains(secret), "{secret}: {spans:?}");
        }
    }
}

#[tokio::test]
async fn the_app_works_without_a_collector_and_with_one_that_is_away() {
    for (collector, says) in [
        (None, "there are only logs"),
        (Some("http://127.0.0.1:1"), "go to the collector"),
    ] {
        let ran = example("memory://", collector).await;
        let out = String::from_utf8_lossy(&ran.stdout);
        assert!(ran.status.success(), "{ran:?}");
        assert!(out.contains(says) && out.contains("welcome"), "{out}");
    }
}
