use std::time::Duration;

use larder_ops::vitals::Vitals;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::DONE;
use crate::error::Result;
use crate::output::Output;
use crate::target::Target;

pub(super) async fn run(
    target: &Target,
    count: Option<u64>,
    interval: u64,
    output: &mut Output<'_, '_>,
) -> Result<u8> {
    let admin = target.redis()?.admin();
    let mut shown = 0;
    loop {
        let mut rows = Vec::new();
        for server in admin.servers() {
            let read = Vitals::read(&server).await;
            rows.push(match read {
                Ok(vitals) => row(server.location(), &vitals),
                // A server that is unavailable reappears in the view by itself.
                Err(error) => {
                    let mut row = vec![Value::Null; COLUMNS.len()];
                    row[0] = json!(server.location());
                    row[COLUMNS.len() - 1] = json!(error.to_string());
                    row
                }
            });
        }
        output.clear()?;
        output.table(&COLUMNS, rows)?;
        shown += 1;
        if count.is_some_and(|count| shown >= count) {
            return Ok(DONE);
        }
        sleep(Duration::from_millis(interval)).await;
    }
}

const COLUMNS: [&str; 10] = [
    "server",
    "ops/s",
    "ping ms",
    "memory MiB",
    "of max %",
    "clients",
    "hits %",
    "evicted",
    "replicas",
    "error",
];

fn row(server: &str, vitals: &Vitals) -> Vec<Value> {
    let tenth = |number: f64| json!((number * 10.0).round() / 10.0);
    let percent = |part: Option<f64>| part.map_or(Value::Null, |part| tenth(part * 100.0));
    vec![
        json!(server),
        json!(vitals.operations_per_second),
        json!((vitals.round_trip.as_secs_f64() * 1e6).round() / 1e3),
        tenth(vitals.used_memory as f64 / (1024.0 * 1024.0)),
        percent(vitals.memory_share()),
        json!(vitals.clients),
        percent(vitals.hit_ratio()),
        json!(vitals.evicted_keys),
        json!(vitals.replicas),
        Value::Null,
    ]
}
