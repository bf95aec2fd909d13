mod follower;

use std::borrow::Borrow;
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use foldhash::quality::RandomState;
use metrics::Gauge;
use parking_lot::Mutex;

pub use follower::{Failure, Follower};

use follower::Flight;

/// The number of locks. With more of them, callers contend for one less often.
const STRIPES: usize = 512;

/// Lets any number of callers of one key share one piece of work.
///
/// The first caller of a key leads. Callers that join before it completes follow, and get a clone of its
/// outcome. A leader that panics or is dropped releases its followers at once. The number of flights under
/// way is limited.
pub struct SingleFlight<K, T> {
    stripes: Box<[Mutex<Flights<K, T>>]>,
    hasher: RandomState,
    in_flight: AtomicUsize,
    gauge: Gauge,
    max: usize,
}

// A handful at most, so that a search along them beats a map.
type Flights<K, T> = Vec<(K, Arc<Flight<T>>)>;

/// The role that [`SingleFlight::join`] gives a caller.
pub enum Joined<K: Hash + Eq, T, H> {
    /// The caller does the work, and completes the flight.
    Leader(Leader<K, T>),
    /// The caller waits for the leader.
    Follower(Follower<T>),
    /// No flight is under way, and `recheck` found an outcome.
    Hit(H),
    /// The maximum number of flights is under way.
    Full,
}

/// The caller that does the work of a flight.
///
/// The flight ends when this completes, fails or is dropped.
pub struct Leader<K: Hash + Eq, T> {
    flights: Arc<SingleFlight<K, T>>,
    hash: u64,
    flight: Arc<Flight<T>>,
    is_completed: bool,
}

impl<K: Hash + Eq, T> SingleFlight<K, T> {
    /// Makes a single flight with at most `max` flights at once.
    pub fn new(max: usize) -> Arc<Self> {
        Self::with_gauge(max, Gauge::noop())
    }

    /// Makes a single flight that shows the number of its flights on a gauge.
    ///
    /// Single flights that share a gauge add up on it.
    pub fn with_gauge(max: usize, gauge: Gauge) -> Arc<Self> {
        Arc::new(Self {
            stripes: std::iter::repeat_with(Mutex::default)
                .take(STRIPES)
                .collect(),
            hasher: RandomState::default(),
            in_flight: AtomicUsize::new(0),
            gauge,
            max,
        })
    }

    /// Joins the flight of `key`, or leads a new one.
    ///
    /// If no flight is under way, `recheck` looks for the outcome of one that ended since the caller
    /// looked. It runs under a lock, and must not use this type.
    pub fn join<Q, H>(
        self: &Arc<Self>,
        key: &Q,
        recheck: impl FnOnce() -> Option<H>,
    ) -> Joined<K, T, H>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let hash = self.hasher.hash_one(key);
        let mut stripe = self.stripe(hash).lock();
        let same = stripe.iter().find(|(joined, _)| joined.borrow() == key);
        if let Some((_, flight)) = same {
            let flight = flight.clone();
            return Joined::Follower(Follower { flight });
        }
        if let Some(hit) = recheck() {
            return Joined::Hit(hit);
        }
        if self.in_flight.fetch_add(1, Ordering::Relaxed) >= self.max {
            self.in_flight.fetch_sub(1, Ordering::Relaxed);
            return Joined::Full;
        }
        self.gauge.increment(1.0);
        let flight = Flight::new();
        stripe.push((key.to_owned(), flight.clone()));
        drop(stripe);
        Joined::Leader(Leader {
            flights: self.clone(),
            hash,
            flight,
            is_completed: false,
        })
    }

    /// Invalidates the flight of `key`.
    ///
    /// Its followers still get its outcome. No caller joins it any more, and [`Leader::if_current`] keeps
    /// nothing.
    pub fn invalidate<Q>(&self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        invalidate_in(&mut self.stripe(self.hasher.hash_one(key)).lock(), key);
    }

    /// Invalidates every flight, as [`invalidate`](Self::invalidate) does for one key.
    pub fn invalidate_all(&self) {
        for stripe in &self.stripes {
            for (_, flight) in stripe.lock().drain(..) {
                flight.is_invalidated.store(true, Ordering::Release);
            }
        }
    }

    /// Invalidates the flight of `key`, and runs `keep` before any later flight can keep anything.
    ///
    /// Use it if the caller has a newer value than the flight will find. `keep` runs under a lock, and must
    /// not use the flights.
    pub fn replace<R>(&self, key: K, keep: impl FnOnce(K) -> R) -> R {
        let mut stripe = self.stripe(self.hasher.hash_one(&key)).lock();
        invalidate_in(&mut stripe, &key);
        let kept = keep(key);
        drop(stripe);
        kept
    }

    /// Ends the flight of `key`, if there is one, and gives every follower a clone of `outcome`.
    ///
    /// Use it for an outcome that another caller found, such as a leader that was abandoned. The leader of
    /// the flight continues, but keeps nothing, and its outcome is dropped.
    pub fn complete<Q>(&self, key: &Q, outcome: T)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let mut stripe = self.stripe(self.hasher.hash_one(key)).lock();
        let joined = stripe.iter().position(|(joined, _)| joined.borrow() == key);
        let flight = joined.map(|at| stripe.swap_remove(at).1);
        if let Some(flight) = &flight {
            // Under the lock: an invalidation that no longer finds the flight relies on it.
            flight.is_invalidated.store(true, Ordering::Release);
        }
        drop(stripe);
        if let Some(flight) = flight {
            flight.end(Ok(outcome));
        }
    }

    /// Abandons a leader that stalls, so that the next caller of `key` leads.
    ///
    /// `follower` waits for that leader, which keeps nothing, because an invalidation could no longer reach
    /// it.
    pub fn abandon<Q>(&self, key: &Q, follower: &Follower<T>)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let mut stripe = self.stripe(self.hasher.hash_one(key)).lock();
        follower
            .flight
            .is_invalidated
            .store(true, Ordering::Release);
        remove_from(&mut stripe, &follower.flight);
    }

    /// Returns whether a flight of `key` is under way that a caller would join.
    pub fn is_in_flight<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let stripe = self.stripe(self.hasher.hash_one(key)).lock();
        stripe.iter().any(|(joined, _)| joined.borrow() == key)
    }

    fn stripe(&self, hash: u64) -> &Mutex<Flights<K, T>> {
        &self.stripes[hash as usize % STRIPES]
    }

    fn remove(&self, hash: u64, gone: &Arc<Flight<T>>) {
        remove_from(&mut self.stripe(hash).lock(), gone);
    }
}

impl<K, T> SingleFlight<K, T> {
    /// Returns the number of flights that are under way.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }
}

fn remove_from<K, T>(stripe: &mut Flights<K, T>, gone: &Arc<Flight<T>>) {
    stripe.retain(|(_, flight)| !Arc::ptr_eq(flight, gone));
}

/// Removes the flight of `key` from its stripe, and marks it as invalidated.
fn invalidate_in<K, T, Q>(stripe: &mut Flights<K, T>, key: &Q)
where
    K: Borrow<Q>,
    Q: Eq + ?Sized,
{
    stripe.retain(|(joined, flight)| {
        let is_other = joined.borrow() != key;
        if !is_other {
            flight.is_invalidated.store(true, Ordering::Release);
        }
        is_other
    });
}

impl<K: Hash + Eq, T> Leader<K, T> {
    /// Completes the flight, and gives every follower a clone of `outcome`.
    pub fn complete(mut self, outcome: T) {
        self.end(Ok(outcome));
    }

    /// Ends the flight without an outcome.
    pub fn fail(mut self, failure: Failure) {
        self.end(Err(failure));
    }

    /// Returns whether the key was invalidated since the flight began.
    pub fn is_invalidated(&self) -> bool {
        self.flight.is_invalidated.load(Ordering::Acquire)
    }

    /// Runs `keep` unless the key was invalidated since the flight began.
    ///
    /// An [`invalidate`](SingleFlight::invalidate) that begins meanwhile waits until `keep` has
    /// ended. `keep` runs under a lock, and must not use the flights.
    pub fn if_current<R>(&self, keep: impl FnOnce() -> R) -> Option<R> {
        let stripe = self.flights.stripe(self.hash).lock();
        let kept = (!self.is_invalidated()).then(keep);
        drop(stripe);
        kept
    }

    /// Returns a follower of this flight.
    pub fn follow(&self) -> Follower<T> {
        Follower {
            flight: self.flight.clone(),
        }
    }

    /// Removes the flight first, so that a follower that is woken and tries again may lead.
    fn end(&mut self, outcome: Result<T, Failure>) {
        self.is_completed = true;
        self.flights.remove(self.hash, &self.flight);
        self.flights.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.flights.gauge.decrement(1.0);
        self.flight.end(outcome);
    }
}

impl<K: Hash + Eq, T> Drop for Leader<K, T> {
    fn drop(&mut self) {
        if !self.is_completed {
            self.end(Err(if std::thread::panicking() {
                Failure::Panicked
            } else {
                Failure::Abandoned
            }));
        }
    }
}

impl<K, T> fmt::Debug for SingleFlight<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SingleFlight")
            .field("in_flight", &self.in_flight)
            .field("max", &self.max)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
