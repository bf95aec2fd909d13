use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::future::poll_fn;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;

use super::{Waiter, Wake};
use crate::{Content, Error, ErrorKind, Key, Refusal, Result};

/// The default maximum number of waiters of an in-process store.
pub const DEFAULT_MAX_WAITERS: usize = 100_000;

/// The number of shards, a power of two.
const SHARDS: usize = 16;

/// The waiters of an in-process store, for stores.
pub struct Waiters {
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
    registered: AtomicUsize,
    last_number: AtomicU64,
    max: usize,
}

/// The waiters of each record by number, so that one can leave without a search through the others.
type Shard = HashMap<Box<[u8]>, BTreeMap<u64, Arc<Signal>>>;

impl Waiters {
    /// Makes an empty set of at most `max` waiters.
    pub fn new(max: usize) -> Self {
        Self {
            hasher: RandomState::new(),
            shards: Default::default(),
            registered: AtomicUsize::new(0),
            last_number: AtomicU64::new(0),
            max,
        }
    }

    /// Registers a waiter for the record at `key`.
    ///
    /// # Errors
    /// [`Refusal::WrongType`] if the key's kind is not one of records, and [`Refusal::Full`] at the maximum
    /// number of waiters.
    pub fn wait_for(self: &Arc<Self>, key: &Key) -> Result<Box<dyn Waiter>> {
        key.require(Content::Record, "wait")?;
        // Counted before the caller reads the record: a step that the read does not see then finds
        // that somebody waits.
        let more = |registered| (registered < self.max).then_some(registered + 1);
        self.registered
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, more)
            .map_err(|_| self.full())?;
        let (key, signal): (Box<[u8]>, _) = (key.as_bytes().into(), Arc::<Signal>::default());
        let number = self.last_number.fetch_add(1, Ordering::Relaxed);
        let mut shard = lock(self.shard(&key));
        let signals = shard.entry(key.clone()).or_default();
        signals.insert(number, signal.clone());
        drop(shard);
        Ok(Box::new(LocalWaiter {
            waiters: self.clone(),
            key,
            number,
            signal,
        }))
    }

    /// Wakes all waiters of the record at `key`. Call it after the step, outside every lock: it
    /// runs wakers. It costs one atomic read while nobody waits for any record.
    pub fn wake(&self, key: &Key) {
        if self.registered.load(Ordering::SeqCst) == 0 {
            return;
        }
        let shard = lock(self.shard(key.as_bytes()));
        let signals = shard.get(key.as_bytes()).map(BTreeMap::values);
        let signals: Vec<_> = signals.into_iter().flatten().cloned().collect();
        drop(shard);
        for signal in signals {
            signal.wake();
        }
    }

    fn shard(&self, key: &[u8]) -> &Mutex<Shard> {
        &self.shards[self.hasher.hash_one(key) as usize % SHARDS]
    }

    fn full(&self) -> Error {
        let text = format!(
            "the store has reached its maximum of {} waiters: let fewer tasks wait at once",
            self.max
        );
        Error::new("wait", ErrorKind::Refused(Refusal::Full), text)
    }
}

impl Default for Waiters {
    fn default() -> Self {
        Self::new(DEFAULT_MAX_WAITERS)
    }
}

impl fmt::Debug for Waiters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiters")
            .field("registered", &self.registered)
            .field("max", &self.max)
            .finish_non_exhaustive()
    }
}

struct LocalWaiter {
    waiters: Arc<Waiters>,
    key: Box<[u8]>,
    number: u64,
    signal: Arc<Signal>,
}

#[async_trait]
impl Waiter for LocalWaiter {
    async fn next(&mut self) -> Wake {
        poll_fn(|cx| self.signal.poll(cx)).await;
        Wake::Woken
    }
}

impl Drop for LocalWaiter {
    fn drop(&mut self) {
        let mut shard = lock(self.waiters.shard(&self.key));
        if let Some(signals) = shard.get_mut(&self.key) {
            signals.remove(&self.number);
            if signals.is_empty() {
                shard.remove(&self.key);
            }
        }
        drop(shard);
        self.waiters.registered.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Whether a waiter was woken, and its task.
#[derive(Default)]
struct Signal(Mutex<(bool, Option<Waker>)>);

impl Signal {
    fn wake(&self) {
        let mut state = lock(&self.0);
        state.0 = true;
        let waker = state.1.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        // Cloning and dropping a waker run code of its owner, so both are done outside the lock.
        let waker = cx.waker().clone();
        let mut state = lock(&self.0);
        let is_woken = std::mem::take(&mut state.0);
        let before = match is_woken {
            true => state.1.take(),
            false => state.1.replace(waker),
        };
        drop(state);
        drop(before);
        match is_woken {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

/// Locks, and ignores poison: the content is whole at every moment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    const SEAT: Kind = Kind::record("seat");

    fn is_woken(waiter: &mut Box<dyn Waiter>) -> bool {
        let mut next = waiter.next();
        let polled = next.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        polled.is_ready()
    }

    #[test]
    fn a_waiter_that_leaves_takes_no_room() {
        let (waiters, key) = (Arc::new(Waiters::new(2)), Key::new(SEAT, 1_u32));
        let one = waiters.wait_for(&key).unwrap();
        let _other = waiters.wait_for(&Key::new(SEAT, 2_u32)).unwrap();
        let full = waiters.wait_for(&key).err().unwrap();
        assert_eq!(full.kind(), ErrorKind::Refused(Refusal::Full));
        drop(one);
        let mut again = waiters.wait_for(&key).unwrap();
        waiters.wake(&key);
        assert!(is_woken(&mut again));
        assert!(!is_woken(&mut again));
        drop(again);
        let left: usize = waiters.shards.iter().map(|shard| lock(shard).len()).sum();
        assert_eq!(left, 1);
    }

    #[test]
    fn all_who_wait_for_one_record_leave_in_no_time() {
        let (waiters, key) = (Arc::new(Waiters::default()), Key::new(SEAT, 1_u32));
        let all: Vec<_> = (0..DEFAULT_MAX_WAITERS)
            .map(|_| waiters.wait_for(&key).unwrap())
            .collect();
        let began = std::time::Instant::now();
        drop(all);
        // If each waiter that leaves had to look through all the others, it would take ten times as long.
        assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
    }

    #[test]
    fn a_dropped_wait_loses_no_wake() {
        let (waiters, key) = (Arc::new(Waiters::default()), Key::new(SEAT, 1_u32));
        let mut waiter = waiters.wait_for(&key).unwrap();
        assert!(!is_woken(&mut waiter));
        waiters.wake(&key);
        drop(waiter.next());
        waiters.wake(&key);
        assert!(is_woken(&mut waiter));
        assert!(!is_woken(&mut waiter), "wakes count as one");
    }
}
