//! Sends spans and metrics to a collector by OTLP. Without one it only logs.
//!
//! ```text
//! cargo run
//! STORE_URL=redis://127.0.0.1:6379 OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 cargo run
//! ```

mod telemetry;

use std::env::var;
use std::error::Error;

use larder::cache::Cache;
use larder::queue::worker::{JobError, Worker};
use larder::queue::{Job, Queue};
use larder::{Kind, Ttl};
use serde::{Deserialize, Serialize};
use telemetry::Telemetry;

const FILM: Kind = Kind::evictable("film");

#[derive(Serialize, Deserialize)]
struct Welcome {
    name: String,
}

impl Job for Welcome {
    const NAME: &'static str = "welcome";
}

fn main() -> Result<(), Box<dyn Error>> {
    // The exporter sends from threads of its own, so it is created and ended outside the runtime.
    let telemetry = Telemetry::start()?;
    let worked = tokio::runtime::Runtime::new()?.block_on(work());
    telemetry.end();
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
