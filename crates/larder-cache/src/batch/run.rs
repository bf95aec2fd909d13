use std::collections::HashMap;
use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::join_all;
use larder_layer::Failure;
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use super::BatchLoader;
use super::look::read_many;
use crate::cache::Inner;
use crate::election::{Elected, First, Lead};
use crate::leader::{Erased, LoadTask, while_renewing};
use crate::recursion::{self, Node};
use crate::spawn::spawn_in_span;
use crate::{CacheKey, Loaded};

/// Runs some flights together: one read, one load, and the writes concurrently.
pub(super) async fn run<K: CacheKey, V: Send + Sync + 'static>(
    tasks: Vec<LoadTask<K, V>>,
    load: BatchLoader<K, V>,
    deadline: Instant,
) {
    let Some(inner) = tasks.first().map(|task| task.inner.clone()) else {
        return;
    };
    let reads = read(&inner, &tasks).await;
    let elections = tasks.into_iter().zip(reads).map(|(task, read)| async {
        let elected = task.elect_at_once(read, deadline).await;
        (task, elected)
    });
    let mut led = Vec::new();
    for (task, elected) in join_all(elections).await {
        match elected {
            Elected::Lead(lead) => led.push((task, lead)),
            Elected::Found(stored, reading, step) => {
                if let Some(refresh) = task.found(stored, &reading, step) {
                    spawn_in_span(&Handle::current(), follow(refresh, load.clone()));
                }
            }
            Elected::TimedOut => task.fail(Failure::TimedOut),
            Elected::Elsewhere => {
                spawn_in_span(&Handle::current(), follow(task, load.clone()));
            }
        }
    }
    if !led.is_empty() {
        load_led(&inner, led, &load, deadline).await;
    }
}

/// Runs one flight of a batch that another process loads, or that is refreshed.
async fn follow<K: CacheKey, V: Send + Sync + 'static>(
    task: LoadTask<K, V>,
    load: BatchLoader<K, V>,
) {
    let key = task.key.clone();
    let deadline = Instant::now() + task.inner.load_timeout;
    // A batch of one, which is created only if it is needed.
    let load = Box::pin(async move {
        let parts = load(vec![key.clone()]).await?;
        let own = parts.into_iter().find(|(part, _)| *part == key);
        own.map_or(Ok(Loaded::not_found()), |(_, part)| part)
    });
    task.run(load, deadline).await;
}

/// Reads the far store for all flights that begin with that.
async fn read<K: CacheKey, V: Send + Sync + 'static>(
    inner: &Arc<Inner<K, V>>,
    tasks: &[LoadTask<K, V>],
) -> Vec<First<V>> {
    let uses: Vec<_> = tasks.iter().map(LoadTask::reads_far).collect();
    let asked = tasks.iter().zip(&uses).filter(|(_, (_, reads))| *reads);
    let asked: Vec<_> = asked.map(|(task, _)| &task.key).collect();
    let mut reads = match &inner.far {
        Some(far) => read_many(inner, far, &asked).await,
        None => Vec::new(),
    }
    .into_iter();
    let first = |(is_used, is_read)| match (is_used, is_read) {
        (true, true) => reads.next().map_or(First::Unused, First::Read),
        (true, false) => First::Known,
        (false, _) => First::Unused,
    };
    uses.into_iter().map(first).collect()
}

/// Loads what this process leads, and keeps it.
async fn load_led<K: CacheKey, V: Send + Sync + 'static>(
    inner: &Arc<Inner<K, V>>,
    led: Vec<(LoadTask<K, V>, Lead<V>)>,
    load: &BatchLoader<K, V>,
    deadline: Instant,
) {
    let keys: Vec<_> = led.iter().map(|(task, _)| task.key.clone()).collect();
    for (task, lead) in &led {
        task.begin_load(lead);
    }
    let (step, began) = (inner.begin_step(), inner.clock.now());
    // A caller that waits for one of the keys waits for the batch.
    let batch = Node {
        cache: Arc::as_ptr(inner).cast::<()>() as usize,
        // It equals no hash of a key, except with a probability of 1 in 2^64.
        key: step.rotate_left(32) ^ rand::random::<u64>(),
    };
    let linked: Vec<_> = keys
        .iter()
        .map(|key| recursion::link(inner.node(key), batch))
        .collect();
    let span = tracing::debug_span!(
        "cache.load_many",
        cache.kind = inner.kind.name(),
        cache.batch.size = led.len() as u64,
    );
    let loaded = async { load(keys).await };
    let loaded = recursion::within(batch, loaded).instrument(span);
    let loaded = AssertUnwindSafe(loaded).catch_unwind();
    let renewals = led.iter().map(|(task, lead)| task.renew(lead));
    let renewals = async {
        join_all(renewals).await;
        pending().await
    };
    let loaded = timeout_at(deadline, while_renewing(loaded, renewals)).await;
    drop(linked);
    let mut parts: HashMap<K, Result<Loaded<V>, Erased>> = HashMap::new();
    let failure = match loaded {
        Ok(Ok(Ok(found))) => {
            parts.extend(found);
            None
        }
        Ok(Ok(Err(error))) => Some(Ok(error)),
        Ok(Err(_)) => Some(Err(Failure::Panicked)),
        Err(_) => Some(Err(Failure::TimedOut)),
    };
    let ends = led.into_iter().map(|(task, lead)| {
        let end = match &failure {
            None => match parts.remove(&task.key) {
                Some(Ok(loaded)) => Ok(loaded),
                Some(Err(error)) => Err(Ok(error)),
                None => Ok(Loaded::not_found()),
            },
            Some(failure) => Err(failure.clone()),
        };
        task.end(end, lead, step, began)
    });
    join_all(ends).await;
}
