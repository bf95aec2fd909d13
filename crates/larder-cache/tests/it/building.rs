use std::sync::Arc;
use std::time::Duration;

use larder_cache::{Cache, CacheBuilder, LoadError};
use larder_store::{ErrorKind, Kind, ManualClock, Ttl};

use crate::support::{Act, Broken, FILM, Gate, MINUTE, Operation, Staged, load, until};

fn refusal(builder: CacheBuilder<u32, String>) -> String {
    let error = builder.build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    error.to_string()
}

#[test]
fn an_impossible_setting_is_refused_when_the_cache_is_built_and_the_error_says_why() {
    let film = || Cache::builder(FILM, MINUTE);
    let wrong = [
        (
            Cache::builder(Kind::pinned("film"), MINUTE),
            "Kind::evictable",
        ),
        (
            Cache::builder(Kind::record("film"), MINUTE),
            "Kind::evictable",
        ),
        (film().with_jitter(1.1), "jitter"),
        (film().with_jitter(-0.1), "jitter"),
        (film().with_jitter(f64::NAN), "jitter"),
        (film().with_max_near_entries(0), "near capacity"),
        (film().with_max_near_weight(0, |_, _| 1), "near capacity"),
        (film().with_max_loads(0), "cap on loads"),
        (film().with_max_value(0), "bytes of a far value"),
        (film().with_load_timeout(Duration::ZERO), "load timeout"),
        (film().with_near_ttl(Duration::ZERO), "without_near"),
    ];
    for (builder, expected) in wrong {
        let text = refusal(builder);
        assert!(
            text.contains("kind 'film'") && text.contains(expected),
            "{text}"
        );
    }
    assert!(film().build().is_ok());
}

#[tokio::test]
async fn the_longest_timeouts_and_the_largest_caps_work() {
    let clock = ManualClock::default();
    let store = Arc::new(Staged::new(&clock));
    let films = Cache::<u32, String>::builder(FILM, Ttl::MAX)
        .with_far(store.clone())
        .with_store_timeout(Duration::MAX)
        .with_load_timeout(Duration::MAX)
        .with_stale_if_error(Ttl::MAX)
        .with_soft_timeout(Duration::MAX)
        .with_retry_after(Duration::MAX, Duration::MAX)
        .with_refresh_after(Ttl::MAX)
        .with_lease(Ttl::MAX)
        .with_near_ttl(Duration::MAX)
        .with_max_value(usize::MAX)
        .with_max_loads(usize::MAX)
        .with_max_near_entries(u64::MAX)
        .with_jitter(1.0)
        .with_clock(clock)
        .build()
        .unwrap();
    assert_eq!(load(&films, &7, "Metropolis").await, "Metropolis");
    films.insert(8, "Nosferatu".to_owned()).await.unwrap();
    films.remove(&7).await.unwrap();
    assert!(films.get(&7).await.is_none());
    // Real waits: for the store, for a load, and for the load of another caller.
    let gate = Gate::closed();
    store.stage(Operation::Get, Act::HoldBefore(gate.clone()));
    let (one, two) = (films.clone(), films.clone());
    let leader = tokio::spawn(async move { load(&one, &9, "M").await });
    gate.arrived().await;
    let follower = tokio::spawn(async move { load(&two, &9, "M").await });
    tokio::task::yield_now().await;
    gate.open();
    assert_eq!(leader.await.unwrap(), "M");
    assert_eq!(follower.await.unwrap(), "M");
}

#[tokio::test]
async fn the_largest_batch_of_refreshes_works() {
    let clock = ManualClock::default();
    let all = |keys: Vec<u32>| async move {
        let new = keys.into_iter().map(|key| (key, Ok("new".to_owned())));
        Ok::<Vec<(u32, Result<String, Broken>)>, Broken>(new.collect())
    };
    let films = Cache::<u32, String>::builder(FILM, MINUTE)
        .with_refresh_after(Ttl::from_secs(1))
        .with_batch_refresh(usize::MAX, Duration::from_millis(1), all)
        .with_clock(clock.clone())
        .build()
        .unwrap();
    assert_eq!(load(&films, &7, "old").await, "old");
    clock.advance(Duration::from_secs(2));
    assert_eq!(*films.get_near(&7).unwrap(), "old");
    until("it is refreshed", || *films.get_near(&7).unwrap() == "new").await;
}

#[tokio::test]
async fn the_shortest_timeouts_give_an_error_and_no_panic() {
    let store = Arc::new(Staged::new(&ManualClock::default()));
    let films = Cache::<u32, String>::builder(FILM, Ttl::from_millis(1))
        .with_far(store.clone())
        .with_store_timeout(Duration::from_nanos(1))
        .with_load_timeout(Duration::from_nanos(1))
        .build()
        .unwrap();
    for operation in [Operation::Get, Operation::Put, Operation::Delete] {
        store.stage(operation, Act::Hang);
    }
    let never = || std::future::pending::<Result<String, Broken>>();
    assert!(films.get(&7).await.is_none());
    assert!(films.insert(7, "Metropolis".to_owned()).await.is_err());
    assert!(films.remove(&7).await.is_err());
    let error = films.get_or_load(&7, never).await.unwrap_err();
    assert!(matches!(error, LoadError::TimedOut), "{error:?}");
}

#[test]
fn a_cache_is_cheap_to_clone_and_can_be_shared() {
    fn shared<T: Clone + Send + Sync + 'static>() {}
    shared::<Cache<String, Vec<u8>>>();
    assert_eq!(size_of::<Cache<String, Vec<u8>>>(), size_of::<usize>());
}
