use std::task::Poll;

use larder_store::program::{Programs, Record};
use larder_store::{Clock, Key, Kind, Store, Ttl};
use tokio::task::JoinSet;

use super::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn no_step_is_lost_under_64_tasks() {
    let (store, _) = store_with(|store| store);
    let key = Tally::key("one");
    let mut tasks = JoinSet::new();
    for _ in 0..64 {
        let (store, key) = (store.clone(), key.clone());
        tasks.spawn(async move {
            for _ in 0..100 {
                run(&store, &key, Step::Add(1, HOUR)).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(run(&store, &key, Step::Read).await.unwrap(), Some(6400));
}

#[tokio::test]
async fn a_record_ends_at_the_ttl_of_its_last_write() {
    let (store, clock) = store_with(|store| store);
    let key = Tally::key("a");
    for (ttl, lives) in [(1000, 1000), (5000, 5000), (3, 3)] {
        let add = Step::Add(1, Ttl::from_millis(ttl));
        run(&store, &key, Step::Add(1, HOUR)).await.unwrap();
        run(&store, &key, add).await.unwrap();
        clock.advance_micros(lives * 1000 - 1);
        assert_eq!(run(&store, &key, Step::Read).await.unwrap(), Some(2));
        clock.advance_micros(1);
        assert_eq!(run(&store, &key, Step::Read).await.unwrap(), None);
    }
}

#[test]
fn a_step_says_what_time_it_saw() {
    let (store, clock) = store_with(|store| store);
    clock.advance_micros(1_234);
    let programs: &dyn Programs = &*store;
    let timed = programs.run_timed_now(&Tally::key("a"), &Step::Read);
    assert_eq!(
        timed.map(Result::unwrap),
        Poll::Ready((None, Some(clock.now())))
    );
}

#[tokio::test]
async fn a_step_that_only_reads_or_removes_stores_nothing() {
    let (store, _) = store_with(|store| store);
    let key = Tally::key("a");
    for step in [Step::Read, Step::Remove] {
        run(&store, &key, step).await.unwrap();
        assert_eq!(store.pinned.held(Tally::KIND), 0);
    }
    run(&store, &key, Step::Add(1, HOUR)).await.unwrap();
    assert_eq!(store.pinned.held(Tally::KIND), 1);
    run(&store, &key, Step::Remove).await.unwrap();
    assert_eq!(store.pinned.held(Tally::KIND), 0);
}

#[tokio::test]
async fn a_read_does_not_prolong_a_record() {
    let (store, clock) = store_with(|store| store);
    let key = Tally::key("a");
    run(&store, &key, Step::Add(1, SECOND)).await.unwrap();
    clock.advance_micros(999_999);
    assert_eq!(run(&store, &key, Step::Read).await.unwrap(), Some(1));
    clock.advance_micros(1);
    assert_eq!(run(&store, &key, Step::Read).await.unwrap(), None);
}

#[tokio::test]
async fn a_step_that_panics_leaves_no_half_dead_record() {
    let (store, clock) = store_with(|store| store.with_max_keys_per_kind(1));
    let key = Tally::key("a");
    let panics = async |step: Step| {
        let (store, key) = (store.clone(), key.clone());
        let ended = tokio::spawn(async move { run(&store, &key, step).await }).await;
        assert!(ended.unwrap_err().is_panic());
    };
    // A record that was to be created does not exist.
    panics(Step::PanicAfterAdding(1, HOUR)).await;
    assert_eq!(store.pinned.held(Tally::KIND), 0);
    // An existing record keeps what was written, with its new TTL.
    run(&store, &key, Step::Add(1, HOUR)).await.unwrap();
    panics(Step::PanicAfterAdding(1, SECOND)).await;
    assert_eq!(run(&store, &key, Step::Read).await.unwrap(), Some(2));
    clock.advance(SECOND.into());
    assert_eq!(run(&store, &key, Step::Read).await.unwrap(), None);
    // A removed record gives its room back.
    run(&store, &key, Step::Add(1, HOUR)).await.unwrap();
    panics(Step::PanicAfterRemoving).await;
    assert_eq!(store.pinned.held(Tally::KIND), 0);
    let other = Tally::key("b");
    run(&store, &other, Step::Add(1, HOUR)).await.unwrap();
}

#[tokio::test]
async fn values_and_records_are_kept_apart() {
    let (store, _) = store_with(|store| store);
    // The form of the kind is wrong.
    let record = Tally::key("a");
    run(&store, &record, Step::Add(1, HOUR)).await.unwrap();
    assert!(is_wrong_type(&store.get(&record).await.unwrap_err()));
    let value = put(SEAT, "a", HOUR);
    let _ = store.put(&value).await.unwrap();
    let error = run(&store, value.key(), Step::Read).await.unwrap_err();
    assert!(is_wrong_type(&error));

    // Two kinds of different forms share a name.
    const SAME_NAME: Kind = Kind::pinned(Tally::KIND.name());
    let value = put(SAME_NAME, "a", HOUR);
    for error in [
        store.get(value.key()).await.unwrap_err(),
        store.put(&value).await.unwrap_err(),
        store.expire(value.key(), HOUR).await.unwrap_err(),
        store.ttl(value.key()).await.unwrap_err(),
    ] {
        assert!(is_wrong_type(&error), "{error}");
    }
    let other = Key::new(SAME_NAME, "b");
    let _ = store.put(&put(SAME_NAME, "b", HOUR)).await.unwrap();
    let error = run(&store, &Tally::key("b"), Step::Read).await.unwrap_err();
    assert!(is_wrong_type(&error));
    assert!(store.get(&other).await.unwrap().is_some());
}
