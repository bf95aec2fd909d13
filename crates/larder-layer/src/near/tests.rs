use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::*;

const END: Timestamp = Timestamp::from_micros(10);

fn near() -> NearCache<Box<[u8]>, u32> {
    NearCache::new(Capacity::Entries(100))
}

fn value(near: &NearCache<Box<[u8]>, u32>, key: &[u8]) -> Option<u32> {
    near.get(key).map(|held| held.value)
}

#[test]
fn a_value_comes_back_with_its_deadline() {
    let near = near();
    near.insert(b"a"[..].into(), 7, END);
    assert_eq!(
        near.get(b"a".as_slice()).map(|held| held.deadline),
        Some(END)
    );
    near.invalidate(b"a".as_slice());
    assert_eq!(value(&near, b"a"), None);
}

#[test]
fn a_value_read_before_an_invalidation_is_not_kept_after_it() {
    let near = near();
    let before = near.generation(b"a".as_slice());
    near.invalidate(b"a".as_slice());
    assert!(!near.insert_if_unchanged(b"a"[..].into(), 7, END, before));
    let before = near.generation(b"a".as_slice());
    near.invalidate_where(|_, _| false);
    assert!(!near.insert_if_unchanged(b"a"[..].into(), 7, END, before));
    let before = near.generation(b"a".as_slice());
    near.put(b"a"[..].into(), 8, END);
    assert!(!near.insert_if_unchanged(b"a"[..].into(), 7, END, before));
    assert_eq!(value(&near, b"a"), Some(8));
    let now = near.generation(b"a".as_slice());
    assert!(near.insert_if_unchanged(b"a"[..].into(), 9, END, now));
    assert_eq!(value(&near, b"a"), Some(9));
}

/// Another thread has a new value ready while an update reads the old one.
#[test]
fn an_update_puts_no_older_value_back_over_one_that_was_kept_meanwhile() {
    for _ in 0..200 {
        let near = near();
        let key: Box<[u8]> = b"a"[..].into();
        near.insert(key.clone(), 7, END);
        let barrier = std::sync::Barrier::new(2);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                barrier.wait();
                near.insert(b"a"[..].into(), 100, END);
            });
            near.update(&key, |held| {
                barrier.wait();
                std::thread::yield_now();
                held.map(|held| Held {
                    value: held.value + 1,
                    ..held
                })
            });
        });
        assert_eq!(value(&near, b"a"), Some(100));
    }
}

#[test]
fn what_was_read_before_values_expired_is_kept_as_one_that_has_ended_and_not_after_a_removal() {
    let near = near();
    let key: Box<[u8]> = b"a"[..].into();
    let ended = |_| {
        Some(Held {
            value: 7,
            deadline: END,
        })
    };
    let before = near.generation(&key);
    near.expire_reads();
    assert!(!near.update_if_unchanged(&key, before, ended));
    assert!(near.update_unless_removed(&key, before, ended));
    near.invalidate_where(|_, _| false);
    assert!(!near.update_unless_removed(&key, before, ended));
    let before = near.generation(&key);
    near.invalidate(&key);
    assert!(!near.update_unless_removed(&key, before, ended));
}

#[test]
fn what_was_read_before_its_key_was_found_gone_is_not_kept_as_one_that_has_ended() {
    let near = NearCache::new(Capacity::Entries(1_000));
    let ended = |_: Option<Held<u32>>| {
        Some(Held {
            value: 7,
            deadline: END,
        })
    };
    let before = near.generation(&1_u32);
    assert!(!near.remove_if(&1, |_| true), "nothing was kept");
    assert!(!near.update_unless_removed(&1, before, ended));
    assert!(near.update_unless_removed(&1, near.generation(&1), ended));
    assert!(near.remove_if(&1, |_| true) && near.is_empty());
    // Some of the other keys share its count.
    let before: Vec<_> = (2..1_000).map(|key| near.generation(&key)).collect();
    near.remove_if(&1, |_| true);
    for (key, before) in (2..1_000).zip(before) {
        assert!(near.update_unless_removed(&key, before, ended), "{key}");
    }
    let before = near.generation(&1);
    near.remove_if(&1, |_| true);
    assert!(
        near.insert_if_unchanged(1, 8, END, before),
        "one that has not ended"
    );
}

#[test]
fn an_update_of_what_is_not_kept_any_more_keeps_nothing() {
    let near = near();
    let key: Box<[u8]> = b"a"[..].into();
    near.insert(key.clone(), 7, END);
    let before = near.generation(&key);
    near.invalidate(&key);
    assert!(!near.update(&key, |held| held));
    let new = |_| {
        Some(Held {
            value: 8,
            deadline: END,
        })
    };
    assert!(!near.update_if_unchanged(&key, before, new));
    assert!(near.update_if_unchanged(&key, near.generation(&key), new));
    assert_eq!(value(&near, b"a"), Some(8));
}

#[test]
fn a_value_that_is_made_under_the_lock_outdates_what_was_read_before() {
    let near = NearCache::new(Capacity::Entries(100));
    let before = near.generation(&1_u32);
    near.put_with(1, || Held {
        value: 7,
        deadline: END,
    });
    assert!(!near.insert_if_unchanged(1, 9, END, before));
    assert_eq!(near.get(&1).map(|held| held.value), Some(7));
}

#[test]
fn values_that_match_are_invalidated_and_the_others_stay() {
    let near = near();
    for number in 0..50_u32 {
        near.insert(number.to_le_bytes().into(), number, END);
    }
    near.invalidate_where(|_, number| number % 2 == 0);
    for number in 0..50_u32 {
        let is_odd = number % 2 == 1;
        assert_eq!(value(&near, &number.to_le_bytes()).is_some(), is_odd);
    }
}

#[test]
fn no_more_is_kept_than_the_capacity_in_entries_even_if_the_shards_do_not_divide_it() {
    for capacity in [1, 31, 100, 1_003] {
        let near = NearCache::new(Capacity::Entries(capacity));
        for number in 0..10_000_u32 {
            near.insert(number, number, END);
            assert!(near.len() as u64 <= capacity);
        }
        assert!(near.len() as u64 >= capacity / 2);
    }
}

#[test]
fn no_more_is_kept_than_the_capacity_in_weight_and_used_entries_stay() {
    let weigh = Arc::new(|_: &u32, bytes: &u64| *bytes);
    let near = NearCache::new(Capacity::Weight(1 << 20, weigh));
    near.insert(u32::MAX, 10_000_u64, END);
    for number in 0..10_000_u32 {
        near.insert(number, 1_000 + u64::from(number % 7), END);
        assert!(near.get(&u32::MAX).is_some(), "evicted at {number}");
        assert!(near.weight() <= 1 << 20);
    }
    near.insert(u32::MAX, 1 << 21, END);
    assert!(near.get(&u32::MAX).is_none(), "the older value is gone too");
}

#[test]
fn an_entry_of_a_twentieth_of_the_capacity_fits() {
    let weigh = Arc::new(|_: &u32, bytes: &u64| *bytes);
    let near = NearCache::new(Capacity::Weight(64 << 20, weigh));
    for number in 0..100 {
        near.insert(number, (64 << 20) / 20, END);
        assert!(near.get(&number).is_some());
    }
}

#[test]
fn a_key_that_is_written_again_and_again_takes_no_more_room() {
    let weigh = Arc::new(|_: &u32, bytes: &u64| *bytes);
    let near = NearCache::new(Capacity::Weight(1 << 20, weigh));
    for _ in 0..10_000 {
        near.put(1, 1_000_u64, END);
    }
    assert_eq!((near.len(), near.weight()), (1, 1_000));
}

#[test]
fn a_sweep_waits_for_an_insert_that_has_passed_its_check() {
    let near = NearCache::new(Capacity::Entries(100));
    std::thread::scope(|scope| {
        let before = near.generation(&1_u32);
        let stripe = near.stripe(&1_u32).lock();
        let sweeper = scope.spawn(|| near.invalidate_where(|_, _| true));
        let since = std::time::Instant::now();
        while !sweeper.is_finished() && since.elapsed().as_millis() < 20 {
            std::thread::yield_now();
        }
        assert_ne!(near.sweeps.load(Ordering::SeqCst), before.sweeps);
        near.entries.insert(
            1,
            Held {
                value: 7,
                deadline: END,
            },
        );
        drop(stripe);
    });
    assert!(near.get(&1).is_none());
}

#[test]
fn gauges_show_what_is_kept_and_caches_that_share_them_add_up() {
    let gauges = [0, 1].map(|_| Arc::new(AtomicU64::new(0)));
    let make = || {
        let [entries, weight] = gauges.clone().map(Gauge::from_arc);
        let weigh = |_: &u32, value: &u32| u64::from(*value);
        let capacity = Capacity::Weight(100_000, Arc::new(weigh));
        NearCache::new(capacity).with_gauges(entries, weight)
    };
    let shown = || [0, 1].map(|at| f64::from_bits(gauges[at].load(Ordering::SeqCst)));
    let (one, other) = (make(), make());
    for key in 0..200 {
        one.insert(key, 3, END);
        other.put(key, 2, END);
    }
    for key in 0..100 {
        one.invalidate(&key);
    }
    // This updates the metrics, on a machine with many cores too.
    one.invalidate_where(|_, _| false);
    other.invalidate_where(|key, _| *key >= 50);
    assert_eq!(shown(), [150.0, 400.0]);
    drop(one);
    assert_eq!(shown(), [50.0, 100.0]);
    drop(other);
    assert_eq!(shown(), [0.0, 0.0]);
}
