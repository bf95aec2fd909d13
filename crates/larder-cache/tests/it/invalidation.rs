use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use larder_cache::{Cache, Source};
use larder_store::{Kind, ManualClock, Store};
use larder_test::ModelStore;
use tokio::task::JoinHandle;

use crate::support::{
    Act, Broken, Gate, MINUTE, Operation, beside, far_films, far_key, films, load, near_films,
};

type Films = Cache<u32, String>;

/// Begins a load that waits at the gate.
fn held_load(films: &Films, gate: &Gate, value: &'static str) -> JoinHandle<String> {
    let (films, gate) = (films.clone(), gate.clone());
    tokio::spawn(async move {
        let load = || async move {
            gate.pass().await;
            Ok::<_, Infallible>(value.to_owned())
        };
        films.find_or_load(&7, load).await.unwrap().to_string()
    })
}

/// Begins to read, and to load this value if it is absent.
fn reading(films: &Films, or_load: Option<&'static str>) -> JoinHandle<String> {
    let films = films.clone();
    tokio::spawn(async move {
        match or_load {
            Some(value) => load(&films, &7, value).await,
            None => films.get(&7).await.unwrap().to_string(),
        }
    })
}

fn inserting(films: &Films, value: impl ToString) -> JoinHandle<()> {
    let (films, value) = (films.clone(), value.to_string());
    tokio::spawn(async move { films.insert(7, value).await.unwrap() })
}

fn removing(films: &Films) -> JoinHandle<()> {
    let films = films.clone();
    tokio::spawn(async move { films.remove(&7).await.unwrap() })
}

#[tokio::test]
async fn a_load_that_began_before_a_removal_is_stored_nowhere() {
    let (films, store) = far_films();
    let gate = Gate::closed();
    let old = held_load(&films, &gate, "old");
    gate.arrived().await;
    films.remove(&7).await.unwrap();
    gate.open();
    assert_eq!(old.await.unwrap(), "old");
    assert!(films.get_near(&7).is_none());
    assert!(store.model.get(&far_key(7)).await.unwrap().is_none());
    assert!(films.get(&7).await.is_none());
}

#[tokio::test]
async fn a_caller_after_a_removal_joins_no_load_that_began_before_it() {
    let films = near_films();
    let gate = Gate::closed();
    let old = held_load(&films, &gate, "old");
    gate.arrived().await;
    films.remove(&7).await.unwrap();
    assert_eq!(load(&films, &7, "new").await, "new");
    gate.open();
    assert_eq!(old.await.unwrap(), "old");
    assert_eq!(*films.get_near(&7).unwrap(), "new");
    assert_eq!(films.loads_in_flight(), 0);
}

#[tokio::test]
async fn a_load_that_began_before_a_clear_is_not_kept_and_no_later_caller_joins_it() {
    for somebody_loads_meanwhile in [false, true] {
        let films = near_films();
        let gate = Gate::closed();
        let old = held_load(&films, &gate, "old");
        gate.arrived().await;
        films.clear().await.unwrap();
        if somebody_loads_meanwhile {
            assert_eq!(load(&films, &7, "new").await, "new");
        }
        gate.open();
        assert_eq!(old.await.unwrap(), "old");
        let near = films.get_near(&7);
        assert_eq!(
            near.as_deref().map(String::as_str),
            somebody_loads_meanwhile.then_some("new")
        );
    }
}

#[tokio::test]
async fn a_load_does_not_overwrite_what_was_inserted_while_it_ran() {
    let (over_far, store) = far_films();
    for films in [near_films(), over_far] {
        let gate = Gate::closed();
        let old = held_load(&films, &gate, "old");
        gate.arrived().await;
        films.insert(7, "new".to_owned()).await.unwrap();
        gate.open();
        old.await.unwrap();
        assert_eq!(*films.get_near(&7).unwrap(), "new");
    }
    let other = beside(&ManualClock::default(), &store);
    assert_eq!(*other.get(&7).await.unwrap(), "new");
}

#[tokio::test]
async fn a_far_read_during_an_insert_does_not_replace_it_near() {
    for or_load in [None, Some("new")] {
        let (films, store) = far_films();
        let other = beside(&ManualClock::default(), &store);
        other.insert(7, "old".to_owned()).await.unwrap();
        let (puts, gets) = (Gate::closed(), Gate::closed());
        store.stage(Operation::Put, Act::HoldBefore(puts.clone()));
        store.stage(Operation::Get, Act::HoldAfter(gets.clone()));
        let insert = inserting(&films, "new");
        puts.arrived().await;
        let reader = reading(&films, or_load);
        gets.arrived().await;
        puts.open();
        insert.await.unwrap();
        gets.open();
        assert_eq!(reader.await.unwrap(), "old");
        assert_eq!(*films.get_near(&7).unwrap(), "new");
    }
}

#[tokio::test]
async fn an_insert_waits_for_a_write_back_that_has_begun() {
    let (films, store) = far_films();
    let gate = Gate::closed();
    store.stage(Operation::Put, Act::HoldBefore(gate.clone()));
    let loading = reading(&films, Some("old"));
    gate.arrived().await;
    let insert = inserting(&films, "new");
    tokio::task::yield_now().await;
    assert_eq!(store.count(Operation::Put), 1);
    gate.open();
    gate.open();
    insert.await.unwrap();
    assert_eq!(loading.await.unwrap(), "old");
    let other = beside(&ManualClock::default(), &store);
    assert_eq!(*other.get(&7).await.unwrap(), "new");
    assert_eq!(*films.get_near(&7).unwrap(), "new");
}

#[tokio::test]
async fn a_far_read_that_a_removal_overtakes_is_not_kept_near() {
    for or_load in [None, Some("new")] {
        let clock = ManualClock::default();
        let (films, store) = far_films();
        let other = beside(&clock, &store);
        other.insert(7, "old".to_owned()).await.unwrap();

        let gate = Gate::closed();
        store.stage(Operation::Get, Act::HoldAfter(gate.clone()));
        let reader = reading(&films, or_load);
        gate.arrived().await;
        films.remove(&7).await.unwrap();
        gate.open();
        assert_eq!(reader.await.unwrap(), "old");
        assert!(films.get_near(&7).is_none());
    }
}

#[tokio::test]
async fn a_removal_waits_for_a_write_back_that_has_begun() {
    let (films, store) = far_films();
    let gate = Gate::closed();
    store.stage(Operation::Put, Act::HoldBefore(gate.clone()));
    let loading = reading(&films, Some("old"));
    gate.arrived().await;
    let removal = removing(&films);
    tokio::task::yield_now().await;
    assert_eq!(store.count(Operation::Delete), 0);
    gate.open();
    removal.await.unwrap();
    assert_eq!(loading.await.unwrap(), "old");
    assert!(store.model.get(&far_key(7)).await.unwrap().is_none());
    assert!(films.get_near(&7).is_none());
}

#[tokio::test]
async fn a_far_read_that_ends_during_a_removal_is_not_near_after_it() {
    let (films, store) = far_films();
    let other = beside(&ManualClock::default(), &store);
    other.insert(7, "old".to_owned()).await.unwrap();
    let gate = Gate::closed();
    store.stage(Operation::Delete, Act::HoldBefore(gate.clone()));
    let removal = removing(&films);
    gate.arrived().await;
    // This load began after the removal, but before the removal reached the store.
    assert_eq!(load(&films, &7, "new").await, "old");
    assert!(films.get_near(&7).is_some());
    gate.open();
    removal.await.unwrap();
    assert!(films.get_near(&7).is_none());
    assert!(films.get(&7).await.is_none());
}

#[tokio::test]
async fn a_far_read_that_begins_during_a_removal_and_ends_after_it_is_not_kept_near() {
    for or_load in [None, Some("new")] {
        let (films, store) = far_films();
        let other = beside(&ManualClock::default(), &store);
        other.insert(7, "old".to_owned()).await.unwrap();
        let (deletes, gets) = (Gate::closed(), Gate::closed());
        store.stage(Operation::Delete, Act::HoldBefore(deletes.clone()));
        store.stage(Operation::Get, Act::HoldAfter(gets.clone()));
        let removal = removing(&films);
        deletes.arrived().await;
        let reader = reading(&films, or_load);
        gets.arrived().await;
        deletes.open();
        removal.await.unwrap();
        gets.open();
        assert_eq!(reader.await.unwrap(), "old");
        assert!(films.get_near(&7).is_none());
    }
}

#[tokio::test]
async fn a_far_read_that_an_insert_overtakes_does_not_replace_it_near() {
    let (films, store) = far_films();
    let other = beside(&ManualClock::default(), &store);
    other.insert(7, "old".to_owned()).await.unwrap();
    let gate = Gate::closed();
    store.stage(Operation::Get, Act::HoldAfter(gate.clone()));
    let reader = reading(&films, None);
    gate.arrived().await;
    films.insert(7, "new".to_owned()).await.unwrap();
    gate.open();
    assert_eq!(reader.await.unwrap(), "old");
    assert_eq!(*films.get_near(&7).unwrap(), "new");
}

#[tokio::test]
async fn a_removal_that_the_far_store_refuses_says_so_and_leaves_nothing_near() {
    let (films, store) = far_films();
    films.insert(7, "old".to_owned()).await.unwrap();
    store.stage(Operation::Delete, Act::Fail);
    assert!(films.remove(&7).await.is_err());
    assert!(films.get_near(&7).is_none());
}

#[tokio::test]
async fn a_removal_in_one_process_is_seen_far_by_the_other() {
    let (films, store) = far_films();
    let other = beside(&ManualClock::default(), &store);
    films.insert(7, "old".to_owned()).await.unwrap();
    films.remove(&7).await.unwrap();
    let load = || async { Ok::<_, Broken>("new".to_owned()) };
    assert_eq!(
        other.find_or_load(&7, load).await.unwrap().source,
        Source::Loaded
    );
}

/// The whole rule. Some tasks change the source and then remove the cached value. Others read through the
/// cache, and must never get a value that is older than the one that was acknowledged before their read.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_older_than_an_acknowledged_removal_is_ever_seen() {
    const KEYS: usize = 3;
    const COUNT: Kind = Kind::evictable("count");
    let store = Arc::new(ModelStore::new());
    let near = Cache::<u32, u64>::builder(COUNT, MINUTE).build().unwrap();
    let far = Cache::builder(COUNT, MINUTE)
        .with_far(store)
        .build()
        .unwrap();
    for counts in [near, far] {
        let truth: Arc<[AtomicU64; KEYS]> = Arc::default();
        let acknowledged: Arc<[AtomicU64; KEYS]> = Arc::default();
        let mut tasks = Vec::new();
        for task in 0..8_u32 {
            let (counts, truth, acknowledged) =
                (counts.clone(), truth.clone(), acknowledged.clone());
            tasks.push(tokio::spawn(async move {
                for step in 0..1_500_u32 {
                    let key = (task * 7 + step) as usize % KEYS;
                    let id = key as u32;
                    if (task + step).is_multiple_of(8) {
                        let written = truth[key].fetch_add(1, Ordering::SeqCst) + 1;
                        counts.remove(&id).await.unwrap();
                        acknowledged[key].fetch_max(written, Ordering::SeqCst);
                        continue;
                    }
                    let least = acknowledged[key].load(Ordering::SeqCst);
                    let truth = truth.clone();
                    let seen = counts
                        .get_or_load(&id, || async move {
                            let read = truth[key].load(Ordering::SeqCst);
                            tokio::task::yield_now().await;
                            Ok::<_, Infallible>(read)
                        })
                        .await
                        .unwrap();
                    assert!(*seen >= least, "saw {seen} after {least} was acknowledged");
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    }
}

#[tokio::test]
async fn an_insert_shows_the_same_value_near_and_far_when_many_race() {
    let (films, store) = far_films();
    let inserts: Vec<_> = (0..50).map(|n| inserting(&films, n)).collect();
    for insert in inserts {
        insert.await.unwrap();
    }
    let other = beside(&ManualClock::default(), &store);
    assert_eq!(films.get_near(&7), other.get(&7).await);
}

#[tokio::test]
async fn a_removal_of_one_key_leaves_the_load_of_another_alone() {
    let films = films(&ManualClock::default()).build().unwrap();
    let gate = Gate::closed();
    let loading = held_load(&films, &gate, "Metropolis");
    gate.arrived().await;
    for film in 100..5_000 {
        films.remove(&film).await.unwrap();
    }
    gate.open();
    loading.await.unwrap();
    assert_eq!(*films.get_near(&7).unwrap(), "Metropolis");
}
