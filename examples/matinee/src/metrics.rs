//! Counts and times every request; `/metrics` shows the results as Prometheus text.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use larder::ops::page::Figures;
use metrics::{Gauge, Label, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::runtime::Handle;

const SECONDS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0,
];

pub(crate) fn routes(metrics: PrometheusHandle) -> Router {
    Router::new()
        .route("/metrics", get(show))
        .with_state(metrics)
}

/// The metrics of this process.
#[derive(Clone)]
pub(crate) struct Metrics {
    /// For Prometheus.
    pub(crate) exported: PrometheusHandle,
    /// For the operators' page.
    pub(crate) figures: Figures,
    /// The number of requests that wait for an answer.
    in_flight: Gauge,
}

/// Returns the recorder of this process. There can be only one, so apps in one process share it.
pub(crate) fn recorder() -> Metrics {
    static METRICS: OnceLock<Metrics> = OnceLock::new();
    METRICS
        .get_or_init(|| {
            let mut exporter = PrometheusBuilder::new();
            let of_larder = larder::buckets().iter();
            let of_larder = of_larder.map(|(name, bounds)| (Some(*name), *bounds));
            for (name, bounds) in [(None, SECONDS)].into_iter().chain(of_larder) {
                // The only possible error is an empty list of buckets.
                exporter = match name {
                    None => exporter.set_buckets(bounds),
                    Some(name) => {
                        exporter.set_buckets_for_metric(Matcher::Full(name.to_owned()), bounds)
                    }
                }
                .unwrap_or_default();
            }
            let exporter = exporter.build_recorder();
            let (exported, figures) = (exporter.handle(), Figures::new());
            if metrics::set_global_recorder(figures.recorder(exporter)).is_err() {
                tracing::warn!("another metrics recorder is installed: /metrics stays empty");
            }
            larder::describe_metrics();
            metrics::describe_histogram!(
                "http_request_duration_seconds",
                "Time from the request's head to the response's head."
            );
            metrics::describe_gauge!(
                "http_requests_in_flight",
                "Requests that wait for an answer."
            );
            metrics::describe_gauge!(
                "tokio_tasks_alive",
                "Tasks of the runtime that have not ended."
            );
            metrics::describe_counter!(
                "matinee_sign_ins_total",
                "Attempts to sign in, by outcome."
            );
            Metrics {
                exported,
                figures,
                in_flight: gauge!("http_requests_in_flight"),
            }
        })
        .clone()
}

/// Counts and times a request, if metrics are kept. Each label has few values: it is the route, not the
/// path.
pub(crate) async fn track(
    State(metrics): State<Option<Arc<Metrics>>>,
    request: Request,
    next: Next,
) -> Response {
    let Some(metrics) = metrics else {
        return next.run(request).await;
    };
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = label(request.method());
    let start = Instant::now();
    let in_flight = InFlight::enter(&metrics.in_flight);
    let response = next.run(request).await;
    drop(in_flight);

    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let labels = [
        Label::from_static_parts("method", method),
        Label::new("route", route.to_owned()),
        Label::new("status", response.status().as_str().to_owned()),
    ];
    histogram!("http_request_duration_seconds", labels.iter()).record(start.elapsed());
    response
}

/// Keeps the gauge correct even if the request is dropped.
struct InFlight<'a>(&'a Gauge);

impl<'a> InFlight<'a> {
    fn enter(gauge: &'a Gauge) -> Self {
        gauge.increment(1);
        Self(gauge)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

fn label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

async fn show(State(metrics): State<PrometheusHandle>) -> impl IntoResponse {
    let tasks = Handle::current().metrics().num_alive_tasks();
    // There are far fewer than a float can count.
    gauge!("tokio_tasks_alive").set(tasks as f64);
    (
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        metrics.render(),
    )
}
