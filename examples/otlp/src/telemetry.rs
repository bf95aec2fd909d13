//! Logs, spans and metrics of the process.

use std::env::var_os;
use std::error::Error;

use metrics_exporter_opentelemetry::Recorder;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{MetricExporter, SpanExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{Aggregation, Instrument, SdkMeterProvider, Stream};
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{EnvFilter, fmt};

const NAME: &str = "larder-otlp";

/// The address of the collector, which the exporters read as well.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// All spans of larder are at debug level; those of its layers have the names of their crates.
const SPANS: &str = "info,larder=debug,larder_cache=debug,larder_queue=debug,larder_redis=debug,larder_structures=debug";

/// The exporters of spans and metrics, if there is a collector.
pub struct Telemetry {
    spans: Option<SdkTracerProvider>,
    metrics: Option<SdkMeterProvider>,
}

impl Telemetry {
    /// Installs the subscriber of `tracing` and the recorder of `metrics`. Call it before building layers.
    pub fn start() -> Result<Self, Box<dyn Error>> {
        let collector = var_os(ENDPOINT);
        let spans = collector.is_some().then(spans).transpose()?;
        let tracer = spans.as_ref().map(|provider| provider.tracer(NAME));
        let logs = EnvFilter::try_from_default_env().unwrap_or(EnvFilter::new("info"));
        tracing_subscriber::registry()
            .with(fmt::layer().with_filter(logs))
            .with(tracer.map(|tracer| {
                tracing_opentelemetry::layer()
                    .with_tracer(tracer)
                    .with_filter(EnvFilter::new(SPANS))
            }))
            .init();
        let metrics = collector.is_some().then(metrics).transpose()?;
        match collector {
            Some(collector) => tracing::info!(?collector, "spans and metrics go to the collector"),
            None => tracing::info!("{ENDPOINT} names no collector: there are only logs"),
        }
        Ok(Self { spans, metrics })
    }

    /// Sends the rest. A collector that is down stops nothing: it is logged.
    pub fn end(self) {
        let spans = self.spans.map(|spans| spans.shutdown());
        let metrics = self.metrics.map(|metrics| metrics.shutdown());
        for ended in [spans, metrics].into_iter().flatten() {
            if let Err(error) = ended {
                tracing::warn!("not everything was sent: {error}");
            }
        }
    }
}

fn resource() -> Resource {
    Resource::builder().with_service_name(NAME).build()
}

fn spans() -> Result<SdkTracerProvider, Box<dyn Error>> {
    let exporter = SpanExporter::builder().with_http().build()?;
    Ok(SdkTracerProvider::builder()
        .with_resource(resource())
        .with_batch_exporter(exporter)
        .build())
}

fn metrics() -> Result<SdkMeterProvider, Box<dyn Error>> {
    let exporter = MetricExporter::builder().with_http().build()?;
    let (provider, _) = Recorder::builder(NAME)
        .with_meter_provider(|builder| {
            builder
                .with_resource(resource())
                .with_view(stream)
                .with_periodic_exporter(exporter)
        })
        .install()?;
    Ok(provider)
}

/// Gives the histograms of larder their buckets.
///
/// The recorder describes only the first series of a metric, so the others would be a different metric: so none
/// is described here.
fn stream(instrument: &Instrument) -> Option<Stream> {
    let stream = Stream::builder().with_description("").with_unit("");
    let mut buckets = larder::buckets().iter();
    let bounds = buckets.find(|(name, _)| *name == instrument.name());
    let stream = match bounds {
        Some((_, bounds)) => stream.with_aggregation(Aggregation::ExplicitBucketHistogram {
            boundaries: bounds.to_vec(),
            record_min_max: true,
        }),
        None => stream,
    };
    stream.build().ok()
}
