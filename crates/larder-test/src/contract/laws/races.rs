use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use larder_store::{Delete, Put, Store};

use super::Outcome;
use super::scene::{Scene, race};

const RACERS: usize = 64;

pub(super) async fn one_of_64_put_if_absent_wins(at: Scene<'_>) -> Outcome {
    one_wins(&at, |number| at.put("seat", number.to_string()).if_absent()).await
}

pub(super) async fn one_of_64_put_if_version_wins(at: Scene<'_>) -> Outcome {
    let held = at.put("seat", "held");
    at.write(&held).await?;
    one_wins(&at, |number| {
        at.put("seat", number.to_string())
            .if_version(held.version())
    })
    .await
}

pub(super) async fn one_of_64_replaces_an_expired_value(at: Scene<'_>) -> Outcome {
    at.expired("seat").await?;
    one_wins(&at, |number| at.put("seat", number.to_string()).if_absent()).await
}

pub(super) async fn one_of_64_deletes_removes(at: Scene<'_>) -> Outcome {
    let held = at.put("seat", "held");
    at.write(&held).await?;
    one_removes(&at, &Delete::new(held.key().clone())).await
}

pub(super) async fn one_of_64_delete_if_version_removes(at: Scene<'_>) -> Outcome {
    let held = at.put("seat", "held");
    at.write(&held).await?;
    one_removes(
        &at,
        &Delete::new(held.key().clone()).if_version(held.version()),
    )
    .await
}

pub(super) async fn compare_and_set_loses_no_increment(at: Scene<'_>) -> Outcome {
    let counter = at.put("counter", "0");
    at.write(&counter).await?;
    race(RACERS, |_| increment(at.store.clone(), counter.clone())).await?;
    let total = Put::new(counter.key().clone(), RACERS.to_string(), counter.ttl());
    let held = at.store.get(counter.key()).await?;
    let held = held.map(|held| held.value);
    ensure_eq!(
        held,
        Some(total.value().clone()),
        "the counter after 64 increments"
    );
    Ok(())
}

/// Adds one with a compare-and-set loop.
async fn increment(store: Arc<dyn Store>, counter: Put) -> Outcome {
    // Each failure means that another task has won, so there are at most as many failures as tasks.
    for _ in 0..=RACERS {
        let Some(held) = store.get(counter.key()).await? else {
            break;
        };
        let count = std::str::from_utf8(&held.value)
            .ok()
            .and_then(|text| text.parse::<u32>().ok());
        let next = count.unwrap_or_default() + 1;
        let put = Put::new(counter.key().clone(), next.to_string(), counter.ttl());
        let outcome = store.put(&put.if_version(held.version)).await?;
        if outcome.is_stored() {
            return Ok(());
        }
    }
    Err(super::Violation::new(
        "a compare-and-set loop: expected to win once, never did",
    ))
}

pub(super) async fn no_reader_sees_a_torn_value(at: Scene<'_>) -> Outcome {
    let put = |byte: u8| at.put("page", Bytes::from(vec![byte; 64 * 1024]));
    at.write(&put(0)).await?;
    let (key, puts) = (at.key("page"), (1..=16).map(put).collect::<Vec<_>>());
    let written = Arc::new(AtomicBool::new(false));
    race(4, |number| {
        let (store, key, written) = (at.store.clone(), key.clone(), written.clone());
        let puts = if number == 0 {
            puts.clone()
        } else {
            Vec::new()
        };
        async move {
            for put in &puts {
                let _ = store.put(put).await?;
                // Otherwise a store that never waits would write everything before the first read.
                tokio::task::yield_now().await;
            }
            written.fetch_or(!puts.is_empty(), Ordering::SeqCst);
            loop {
                let is_last = written.load(Ordering::SeqCst);
                let held = store
                    .get(&key)
                    .await?
                    .map(|held| held.value)
                    .unwrap_or_default();
                let whole = held.len() == 64 * 1024 && held.first() == held.last();
                ensure!(
                    whole,
                    "a get beside puts: expected one of the values, got parts"
                );
                if is_last {
                    break;
                }
                tokio::task::yield_now().await;
            }
            Ok(())
        }
    })
    .await?;
    Ok(())
}

async fn one_wins(at: &Scene<'_>, put: impl Fn(usize) -> Put) -> Outcome {
    let puts: Vec<Put> = (0..RACERS).map(put).collect();
    let met = race(RACERS, |number| {
        let (store, put) = (at.store.clone(), puts[number].clone());
        async move { Ok(store.put(&put).await?) }
    })
    .await?;
    let winners: Vec<usize> = (0..RACERS)
        .filter(|&number| met[number].is_stored())
        .collect();
    ensure_eq!(winners.len(), 1, "winners among 64 racers");
    at.holds(&puts[winners[0]], "what the winner wrote").await
}

async fn one_removes(at: &Scene<'_>, delete: &Delete) -> Outcome {
    let removed = race(RACERS, |_| {
        let (store, delete) = (at.store.clone(), delete.clone());
        async move { Ok(store.delete(&delete).await?) }
    })
    .await?;
    let winners = removed.into_iter().filter(|outcome| outcome.is_deleted());
    let winners = winners.count();
    ensure_eq!(winners, 1, "removers among 64 racers");
    at.is_absent(delete.key(), "after them").await
}
