use std::sync::Arc;
use std::time::{Duration, Instant};

use larder::store::{Delete, Put};
use larder::{Key, Kind, Store, Ttl};
use serde_json::json;
use tokio::task::JoinSet;

use super::DONE;
use crate::error::{Error, Result};
use crate::output::Output;
use crate::target::Target;

const KIND: Kind = Kind::evictable("larder-bench");

/// The length of a value that is written, in bytes.
const VALUE: usize = 256;

pub(super) async fn run(target: &Target, millis: u64, output: &mut Output<'_, '_>) -> Result<u8> {
    let mut rows = Vec::new();
    for tasks in [1, 16, 64] {
        for operation in [Operation::Put, Operation::Get] {
            output.progress(&format!("{} at {tasks} tasks", operation.name()));
            let within = Duration::from_millis(millis);
            let mut times = measure(&target.store, operation, tasks, within).await?;
            times.sort_unstable();
            let at = |part: f64| {
                let index = (times.len().saturating_sub(1) as f64 * part).round() as usize;
                let time = times.get(index).copied().unwrap_or_default();
                json!(time.as_micros() as u64)
            };
            let rate = times.len() as f64 / within.as_secs_f64();
            let (rate, name) = (json!(rate.round() as u64), operation.name());
            rows.push(vec![
                json!(name),
                json!(tasks),
                rate,
                at(0.5),
                at(0.99),
                at(1.0),
            ]);
        }
    }
    let keys: Vec<_> = (0..64).map(|task| Delete::new(key(task))).collect();
    for removed in target.store.delete_many(&keys).await {
        let _ = removed?;
    }
    output.end_progress();
    let columns = [
        "operation",
        "tasks",
        "per second",
        "median us",
        "p99 us",
        "max us",
    ];
    output.table(&columns, rows)?;
    Ok(DONE)
}

#[derive(Clone, Copy)]
enum Operation {
    Put,
    Get,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Get => "get",
        }
    }
}

fn key(task: u32) -> Key {
    Key::new(KIND, task)
}

/// Runs one operation after the other in each task, and returns the time of each.
async fn measure(
    store: &Arc<dyn Store>,
    operation: Operation,
    tasks: u32,
    within: Duration,
) -> Result<Vec<Duration>> {
    let mut running = JoinSet::new();
    for task in 0..tasks {
        let store = store.clone();
        running.spawn(async move {
            let (key, mut times) = (key(task), Vec::new());
            let value = vec![b'x'; VALUE];
            let started = Instant::now();
            while started.elapsed() < within {
                let begun = Instant::now();
                match operation {
                    Operation::Get => drop(store.get(&key).await?),
                    Operation::Put => {
                        let put = Put::new(key.clone(), value.clone(), Ttl::from_secs(60));
                        let _ = store.put(&put).await?;
                    }
                }
                times.push(begun.elapsed());
            }
            Ok::<_, larder::Error>(times)
        });
    }
    let mut all = Vec::new();
    while let Some(times) = running.join_next().await {
        let times = times.map_err(|error| Error::usage(error.to_string()))?;
        all.extend(times?);
    }
    Ok(all)
}
