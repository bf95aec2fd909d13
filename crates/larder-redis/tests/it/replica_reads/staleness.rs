use std::time::Duration;

use larder_store::{Put, Store, Ttl};
use tokio::time::{Instant, sleep_until};

use super::{LONG, Pair, reader, until_read_there, value};
use crate::support::{calls, key, ok, patient, put};

#[tokio::test]
async fn a_replica_that_fell_behind_is_read_for_as_long_as_is_allowed_and_no_longer() {
    const ALLOWED: Duration = Duration::from_millis(500);
    let pair = Pair::start().await;
    let writer = patient(&pair.master.url()).connect().await.unwrap();
    let _ = writer.put(&put(1, "old")).await.unwrap();
    let brief = reader(&pair.master.url(), ALLOWED).await;
    let patient = reader(&pair.master.url(), LONG).await;
    for store in [&brief, &patient] {
        until_read_there(store, &key(1), || calls(&pair.replica, "get")).await;
    }

    pair.part();
    let _ = writer.put(&put(1, "new")).await.unwrap();
    let written = Instant::now();
    assert_eq!(value(&patient, 1).await, "old");
    // For a while a store may miss the write of another store, but not for longer than allowed.
    assert!(["old", "new"].contains(&&*value(&brief, 1).await));
    sleep_until(written + ALLOWED).await;
    for _ in 0..50 {
        assert_eq!(value(&brief, 1).await, "new");
    }
    assert_eq!(value(&patient, 1).await, "old");

    // The replica catches up, and is read again.
    let port = pair.master.port().to_string();
    ok(&pair.replica, &["REPLICAOF", "127.0.0.1", &port]);
    until_read_there(&brief, &key(1), || calls(&pair.replica, "get")).await;
    assert_eq!(value(&brief, 1).await, "new");
}

#[tokio::test]
async fn a_store_reads_its_own_writes_however_far_behind_the_replica_is() {
    let pair = Pair::start().await;
    let store = reader(&pair.master.url(), LONG).await;
    let _ = store.put(&put(1, "old")).await.unwrap();
    let _ = store.put(&put(2, "old")).await.unwrap();
    for id in [1, 2] {
        until_read_there(&store, &key(id), || calls(&pair.replica, "get")).await;
    }
    pair.part();
    let _ = store.put(&put(1, "new")).await.unwrap();
    let leases = store.clone().leases().unwrap();
    assert!(leases.invalidate(&key(2)).await.unwrap().is_deleted());
    // Longer than any operation takes that had begun by then, so that only the comparison with the replica counts.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(value(&store, 1).await, "new");
    assert!(store.get(&key(2)).await.unwrap().is_none());
    let both = store.get_many(&[key(1), key(2)]).await;
    let both: Vec<_> = both.into_iter().map(Result::unwrap).collect();
    assert_eq!(&both[0].as_ref().unwrap().value[..], b"new");
    assert_eq!(both[1], None);
}

#[tokio::test]
async fn a_store_that_writes_and_reads_at_once_never_reads_an_overwritten_value() {
    const KEYS: u64 = 8;
    let pair = Pair::start().await;
    let builder = larder_redis::RedisStore::builder(&pair.master.url())
        // Short, so that keys are read from the replica soon after they were written.
        .with_timeout(Duration::from_millis(200))
        .with_replica_reads(Duration::from_millis(100));
    let store = builder.connect().await.unwrap();
    let mut latest = [0; KEYS as usize];
    let mut draw = fastrand::Rng::with_seed(7);
    let before = calls(&pair.replica, "get");
    for step in 1..=3_000_u64 {
        let id = draw.u64(..KEYS);
        // Some keys are not written for a while.
        if draw.u64(..200) == 0 && id >= (step / 500) {
            let value = step.to_string();
            if store
                .put(&Put::new(key(id), value, Ttl::from_secs(60)))
                .await
                .is_ok()
            {
                latest[id as usize] = step;
            }
        }
        if latest[id as usize] != 0
            && let Ok(entry) = store.get(&key(id)).await
        {
            let value = entry.expect("a value").value;
            let value: u64 = std::str::from_utf8(&value).unwrap().parse().unwrap();
            assert!(value >= latest[id as usize], "step {step}");
        }
        if step % 20 == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    assert!(calls(&pair.replica, "get") > before, "no replica was read");
}
