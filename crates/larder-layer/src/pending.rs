use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};

use larder_store::Timestamp;
use parking_lot::Mutex;

/// The maximum number of invalidations that are tried together.
const BATCH: usize = 500;

/// The invalidations that a store has not confirmed: of keys, of tags or of URIs.
///
/// Until one is confirmed, its process must not read from the store what it invalidates. [`replay`](crate::replay)
/// tries them again.
pub struct Pending<K> {
    waiting: Mutex<Waiting<K>>,
    count: AtomicUsize,
    max: usize,
}

struct Waiting<K> {
    keys: HashMap<K, One>,
    turns: u64,
}

#[derive(Clone, Copy)]
struct One {
    since: Timestamp,
    /// Distinguishes a later invalidation of the key from the one that was tried.
    turn: u64,
}

impl<K: Clone + Eq + Hash> Pending<K> {
    /// Makes an empty list that holds at most `max` invalidations.
    pub fn new(max: usize) -> Self {
        Self {
            waiting: Mutex::new(Waiting {
                keys: HashMap::new(),
                turns: 0,
            }),
            count: AtomicUsize::new(0),
            max,
        }
    }

    /// Returns whether what is stored under `key` must not be read. One relaxed load if nothing waits.
    pub fn contains(&self, key: &K) -> bool {
        self.count.load(Ordering::Relaxed) != 0 && self.waiting.lock().keys.contains_key(key)
    }

    /// Returns the number of invalidations that wait.
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Returns whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds an invalidation. Returns false if too many are waiting already.
    pub fn add(&self, key: &K, now: Timestamp) -> bool {
        let mut waiting = self.waiting.lock();
        waiting.turns += 1;
        let turn = waiting.turns;
        if let Some(one) = waiting.keys.get_mut(key) {
            one.turn = turn;
            return true;
        }
        let fits = waiting.keys.len() < self.max;
        if fits {
            waiting.keys.insert(key.clone(), One { since: now, turn });
            self.count.store(waiting.keys.len(), Ordering::Relaxed);
        }
        fits
    }

    /// Returns the last turn, when an operation begins that may settle waiting invalidations.
    pub fn turn(&self) -> u64 {
        self.waiting.lock().turns
    }

    /// Removes the invalidation of `key`, because an operation that began at `turn`, and so after
    /// it, has succeeded. One that was added since then waits on.
    pub fn settle(&self, key: &K, turn: u64) {
        if !self.is_empty() {
            let mut waiting = self.waiting.lock();
            if waiting.keys.get(key).is_some_and(|one| one.turn <= turn) {
                waiting.keys.remove(key);
            }
            self.count.store(waiting.keys.len(), Ordering::Relaxed);
        }
    }

    /// Returns those that have waited longest, at most 500, to be tried.
    pub fn next(&self) -> Vec<(K, u64)> {
        let waiting = self.waiting.lock();
        let all = waiting.keys.iter();
        let mut some: Vec<_> = all.map(|(key, one)| (key, one.turn)).collect();
        if some.len() > BATCH {
            some.select_nth_unstable_by_key(BATCH, |(_, turn)| *turn);
            some.truncate(BATCH);
        }
        let some = some.into_iter();
        some.map(|(key, turn)| (key.clone(), turn)).collect()
    }

    /// Returns those that are done, and moves those that failed again behind the others.
    pub fn sort_out<E>(&self, tried: Vec<(K, u64)>, results: Vec<Result<(), E>>) -> Vec<(K, u64)> {
        let mut done = Vec::with_capacity(tried.len());
        let mut waiting = self.waiting.lock();
        let waiting = &mut *waiting;
        for ((key, turn), result) in tried.into_iter().zip(results) {
            if result.is_ok() {
                done.push((key, turn));
            } else if let Some(one) = waiting.keys.get_mut(&key)
                && one.turn == turn
            {
                waiting.turns += 1;
                one.turn = waiting.turns;
            }
        }
        done
    }

    /// Removes those that are done, except keys that were invalidated again meanwhile.
    pub fn settle_all(&self, done: &[(K, u64)]) {
        let mut waiting = self.waiting.lock();
        for (key, turn) in done {
            if waiting.keys.get(key).is_some_and(|one| one.turn == *turn) {
                waiting.keys.remove(key);
            }
        }
        self.count.store(waiting.keys.len(), Ordering::Relaxed);
    }

    /// Returns when the oldest was added.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.waiting.lock().keys.values().map(|one| one.since).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    #[test]
    fn invalidations_that_fail_again_do_not_hold_up_the_others() {
        let pending = Pending::new(10_000);
        for key in 0..BATCH as u32 + 100 {
            assert!(pending.add(&key, at(0)));
        }
        let first = pending.next();
        assert_eq!(first.len(), BATCH);
        let failed = first.iter().map(|_| Err("the store does not answer"));
        assert!(pending.sort_out(first.clone(), failed.collect()).is_empty());
        let second = pending.next();
        let is_new = |(key, _): &&(u32, u64)| first.iter().all(|(tried, _)| tried != key);
        assert_eq!(second.iter().filter(is_new).count(), 100);
    }

    #[test]
    fn an_operation_settles_what_waited_when_it_began_and_nothing_later() {
        let pending = Pending::new(1);
        assert!(pending.add(&'a', at(1)) && !pending.add(&'b', at(2)));
        let turn = pending.turn();
        let tried = pending.next();
        assert!(pending.add(&'a', at(3)));
        pending.settle(&'a', turn);
        pending.settle_all(&tried);
        assert!(pending.contains(&'a') && pending.oldest() == Some(at(1)));
        pending.settle(&'a', pending.turn());
        assert!(pending.is_empty() && !pending.contains(&'a') && pending.oldest().is_none());
    }
}
