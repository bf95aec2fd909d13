use std::time::Instant;

use larder::redis::AdminServer;
use serde_json::{Value, json};

use super::{DONE, NOT_DONE};
use crate::error::Result;
use crate::output::Output;
use crate::target::Target;

pub(super) async fn run(target: &Target, count: u32, output: &mut Output<'_, '_>) -> Result<u8> {
    let (mut rows, mut code) = (Vec::new(), DONE);
    for server in target.redis()?.admin().servers() {
        let mut times = match times(&server, count).await {
            Ok(times) => times,
            // The other servers may still answer.
            Err(error) => {
                code = NOT_DONE;
                let (server, error) = (json!(server.location()), json!(error.to_string()));
                rows.push(vec![server, Value::Null, Value::Null, Value::Null, error]);
                continue;
            }
        };
        times.sort_unstable_by(f64::total_cmp);
        let at = |part: f64| {
            let index = ((times.len() - 1) as f64 * part).round() as usize;
            let millis = times.get(index).copied().unwrap_or_default();
            json!((millis * 1_000.0).round() / 1_000.0)
        };
        let server = json!(server.location());
        rows.push(vec![server, at(0.0), at(0.5), at(1.0), Value::Null]);
    }
    output.table(&["server", "min ms", "median ms", "max ms", "error"], rows)?;
    Ok(code)
}

/// Returns the time of each `PING`, in milliseconds.
async fn times(server: &AdminServer, count: u32) -> larder::Result<Vec<f64>> {
    let mut times = Vec::new();
    for _ in 0..count {
        let started = Instant::now();
        server.run(&[b"PING"]).await?;
        times.push(started.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(times)
}
