//! Sends spans to a collector by OTLP. Where none listens, it only logs.
//!
//! ```text
//! docker run -p 4318:4318 -p 16686:16686 jaegertracing/jaeger
//! STORE_URL=redis://127.0.0.1:6379 cargo run
//! ```

use std::env::var;
use std::error::Error;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use larder::cache::Cache;
use larder::queue::worker::{JobError, Worker};
use larder::queue::{Job, Queue};
use larder::{Kind, Ttl};
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde::{Deserialize, Serialize};
use tracing_subscriber::prelude::*;
use tracing_subscriber::{EnvFilter, fmt};

const FILM: Kind = Kind::evictable("film");

#[derive(Serialize, Deserialize)]
struct Welcome {
    name: String,
}

impl Job for Welcome {
    const NAME: &'static str = "welcome";
}

/// Makes the exporter of spans, if a collector listens.
///
/// It is asked once, when the program starts: an exporter without a collector would log each batch that it loses.
fn provider(collector: &str) -> Result<Option<SdkTracerProvider>, Box<dyn Error>> {
    let address = collector
        .trim_start_matches("http://")
        .to_socket_addrs()?
        .next();
    let wait = Duration::from_millis(500);
    if !address.is_some_and(|address| TcpStream::connect_timeout(&address, wait).is_ok()) {
        return Ok(None);
    }
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpJson)
        .with_endpoint(format!("{collector}/v1/traces"))
        .build()?;
    let resource = Resource::builder().with_service_name("larder-otlp").build();
    let provider = SdkTracerProvider::builder()
        .with_resource(resource)
        .with_batch_exporter(exporter)
        .build();
    Ok(Some(provider))
}

fn main() -> Result<(), Box<dyn Error>> {
    let collector = var("OTLP_ENDPOINT").unwrap_or("http://127.0.0.1:4318".to_owned());
    let provider = provider(&collector)?;
    let tracer = provider.as_ref().map(|provider| provider.tracer("larder"));
    // What it sends is at debug level; what it logs is not.
    let spans = EnvFilter::new(
        "info,larder=debug,larder_cache=debug,larder_queue=debug,larder_redis=debug",
    );
    let logs = EnvFilter::try_from_default_env().unwrap_or(EnvFilter::new("info"));
    tracing_subscriber::registry()
        .with(fmt::layer().with_filter(logs))
        .with(tracer.map(|tracer| {
            tracing_opentelemetry::layer()
                .with_tracer(tracer)
                .with_filter(spans)
        }))
        .init();
    match &provider {
        Some(_) => tracing::info!(collector, "spans go to the collector"),
        None => tracing::info!(
            collector,
            "no collector listens there: only logs are written"
        ),
    }
    // The exporter sends from a thread of its own, so it is made and ended outside of the runtime.
    let worked = tokio::runtime::Runtime::new()?.block_on(work());
    if let Some(provider) = provider {
        provider.shutdown()?;
    }
    worked
}

/// A load, a hit in the store, a removal, and a job.
async fn work() -> Result<(), Box<dyn Error>> {
    let store = larder::connect(&var("STORE_URL").unwrap_or("memory://".to_owned())).await?;
    let films = || {
        let films = Cache::<u32, String>::builder(FILM, Ttl::from_secs(60));
        // As in two processes, which share the store.
        films
            .with_far(store.clone())
            .with_key_hashes_in_spans()
            .build()
    };
    let (one, other) = (films()?, films()?);
    let load = || async { Ok::<_, std::io::Error>("Metropolis".to_owned()) };
    one.get_or_load(&1927, load).await?;
    other.get_or_load(&1927, load).await?;
    one.remove(&1927).await?;
    let queue = Queue::new(store, "example-otlp")?;
    let name = "ada".to_owned();
    let _ = queue.enqueue(&Welcome { name }).await?;
    let welcome = |job: Welcome| async move {
        tracing::info!(letters = job.name.len(), "welcome");
        Ok::<_, JobError>(())
    };
    Worker::new(queue).on(welcome).drain().await?;
    Ok(())
}
