use std::borrow::Borrow;
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use foldhash::quality::RandomState;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

/// The number of locks. More of them only make waits for one rarer.
const STRIPES: usize = 512;

/// Lets any number of callers of one key share one piece of work.
///
/// The first caller of a key leads. Callers that join before it completes follow, and get a clone
/// of its outcome. A leader that panics or is dropped releases its followers at once. The number of
/// flights under way is bounded.
pub struct SingleFlight<K, T> {
    stripes: Box<[Mutex<Flights<K, T>>]>,
    hasher: RandomState,
    under_way: AtomicUsize,
    max: usize,
}

// A handful at most, so that a search along them beats a map.
type Flights<K, T> = Vec<(K, Arc<Flight<T>>)>;

struct Flight<T> {
    outcome: OnceLock<Result<T, Failure>>,
    completed: Notify,
    is_invalidated: AtomicBool,
}

impl<T> Flight<T> {
    /// Wakes every follower. The first outcome counts.
    fn end(&self, outcome: Result<T, Failure>) {
        let _ = self.outcome.set(outcome);
        self.completed.notify_waiters();
    }
}

/// The role that [`SingleFlight::join`] gives a caller.
pub enum Joined<K: Hash + Eq, T, H> {
    /// The caller does the work, and completes the flight.
    Leader(Leader<K, T>),
    /// The caller waits for the leader.
    Follower(Follower<T>),
    /// There is no flight, and `recheck` found what one would have produced.
    Hit(H),
    /// As many flights as permitted are under way.
    Full,
}

/// Why a flight has no outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The follower's deadline passed.
    TimedOut,
    /// The leader panicked.
    Panicked,
    /// The leader was dropped before it completed.
    Abandoned,
}

/// The caller that does the work of a flight.
///
/// However it ends, so does the flight.
pub struct Leader<K: Hash + Eq, T> {
    flights: Arc<SingleFlight<K, T>>,
    hash: u64,
    flight: Arc<Flight<T>>,
    is_completed: bool,
}

/// A caller that waits for the leader of a flight.
///
/// Dropping it holds up nothing.
pub struct Follower<T> {
    flight: Arc<Flight<T>>,
}

impl<K: Hash + Eq, T> SingleFlight<K, T> {
    /// Makes a single flight with at most `max` flights at once.
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            stripes: std::iter::repeat_with(Mutex::default)
                .take(STRIPES)
                .collect(),
            hasher: RandomState::default(),
            under_way: AtomicUsize::new(0),
            max,
        })
    }

    /// Joins the flight of `key`, or leads a new one.
    ///
    /// Where there is no flight, `recheck` looks once more for what an earlier one may have
    /// produced since the caller looked. It runs under a lock, and must not use this type.
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
        if self.under_way.fetch_add(1, Ordering::Relaxed) >= self.max {
            self.under_way.fetch_sub(1, Ordering::Relaxed);
            return Joined::Full;
        }
        let flight = Arc::new(Flight {
            outcome: OnceLock::new(),
            completed: Notify::new(),
            is_invalidated: AtomicBool::new(false),
        });
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
    /// It goes on for its followers, but nobody joins it from now on, and [`Leader::if_current`]
    /// keeps nothing.
    pub fn invalidate<Q>(&self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        invalidate_in(&mut self.stripe(self.hasher.hash_one(key)).lock(), key);
    }

    /// Invalidates the flight of `key`, and runs `keep` before any later flight can keep anything.
    ///
    /// For a value that replaces what a flight would find. `keep` runs under a lock, and must not
    /// use the flights.
    pub fn replace<R>(&self, key: K, keep: impl FnOnce(K) -> R) -> R {
        let mut stripe = self.stripe(self.hasher.hash_one(&key)).lock();
        invalidate_in(&mut stripe, &key);
        let kept = keep(key);
        drop(stripe);
        kept
    }

    /// Ends the flight of `key`, if there is one, and gives every follower a clone of `outcome`.
    ///
    /// For an outcome that came from elsewhere, such as a leader that was abandoned. The flight's own
    /// leader goes on, but keeps nothing, and its outcome reaches nobody.
    pub fn complete<Q>(&self, key: &Q, outcome: T)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let mut stripe = self.stripe(self.hasher.hash_one(key)).lock();
        let joined = stripe.iter().position(|(joined, _)| joined.borrow() == key);
        let flight = joined.map(|at| stripe.swap_remove(at).1);
        drop(stripe);
        if let Some(flight) = flight {
            flight.is_invalidated.store(true, Ordering::Release);
            flight.end(Ok(outcome));
        }
    }

    /// Lets the next caller of `key` lead, because the leader that `follower` waits for stalls.
    ///
    /// The stalled leader keeps nothing: an invalidation could no longer reach it.
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
    pub fn is_under_way<Q>(&self, key: &Q) -> bool
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
    /// Returns the number of flights under way.
    pub fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }
}

fn remove_from<K, T>(stripe: &mut Flights<K, T>, gone: &Arc<Flight<T>>) {
    stripe.retain(|(_, flight)| !Arc::ptr_eq(flight, gone));
}

/// Takes the flight of `key` out of its stripe, and marks it as invalidated.
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

    /// Takes the flight out first, so that a follower that is woken and tries again may lead.
    fn end(&mut self, outcome: Result<T, Failure>) {
        self.is_completed = true;
        self.flights.remove(self.hash, &self.flight);
        self.flights.under_way.fetch_sub(1, Ordering::Relaxed);
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

impl<T: Clone> Follower<T> {
    /// Waits for the outcome of the flight, at most until `deadline`.
    ///
    /// # Errors
    /// [`Failure`].
    ///
    /// # Cancellation
    /// A dropped call stops waiting; the flight goes on.
    pub async fn outcome(&self, deadline: Instant) -> Result<T, Failure> {
        // Made before the outcome is looked at, so that no end falls between the two.
        let completed = self.flight.completed.notified();
        if let Some(outcome) = self.flight.outcome.get() {
            return outcome.clone();
        }
        let waited = tokio::time::timeout_at(deadline, completed).await;
        match (self.flight.outcome.get(), waited) {
            (Some(outcome), _) => outcome.clone(),
            (None, Err(_)) => Err(Failure::TimedOut),
            // The outcome is set before anyone is woken.
            (None, Ok(())) => Err(Failure::Abandoned),
        }
    }
}

impl<K, T> fmt::Debug for SingleFlight<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SingleFlight")
            .field("under_way", &self.under_way)
            .field("max", &self.max)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    type Flights = SingleFlight<String, u32>;

    fn flights() -> Arc<Flights> {
        SingleFlight::new(100)
    }

    fn join(flights: &Arc<Flights>, key: &str) -> Joined<String, u32, ()> {
        flights.join(key, || None)
    }

    fn lead(flights: &Arc<Flights>, key: &str) -> Leader<String, u32> {
        match join(flights, key) {
            Joined::Leader(leader) => leader,
            _ => panic!("'{key}' has a leader already"),
        }
    }

    fn follow(flights: &Arc<Flights>, key: &str) -> Follower<u32> {
        match join(flights, key) {
            Joined::Follower(follower) => follower,
            _ => panic!("'{key}' has no leader"),
        }
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[tokio::test(start_paused = true)]
    async fn all_followers_get_the_outcome() {
        let flights = flights();
        let leader = lead(&flights, "a");
        let (one, two) = (follow(&flights, "a"), follow(&flights, "a"));
        let other = lead(&flights, "b");
        assert_eq!(flights.under_way(), 2);
        leader.complete(7);
        assert_eq!(one.outcome(soon()).await, Ok(7));
        assert_eq!(two.outcome(soon()).await, Ok(7));
        drop(other);
        assert_eq!(flights.under_way(), 0);
        drop(lead(&flights, "a"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_that_is_dropped_strands_nobody() {
        let flights = flights();
        let leader = lead(&flights, "a");
        let one = follow(&flights, "a");
        drop(leader);
        assert_eq!(one.outcome(soon()).await, Err(Failure::Abandoned));
        drop(lead(&flights, "a"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_that_panics_says_so() {
        let flights = flights();
        let leader = lead(&flights, "a");
        let one = follow(&flights, "a");
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _leader = leader;
            panic!("the work failed");
        }));
        assert!(panicked.is_err());
        assert_eq!(one.outcome(soon()).await, Err(Failure::Panicked));
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_that_stalls_is_replaced_and_its_end_harms_no_successor() {
        let flights = flights();
        let stalled = lead(&flights, "a");
        let one = follow(&flights, "a");
        assert_eq!(one.outcome(soon()).await, Err(Failure::TimedOut));
        flights.abandon("a", &one);
        let next = lead(&flights, "a");
        assert_eq!(stalled.if_current(|| "kept"), None);
        drop(stalled);
        let two = follow(&flights, "a");
        next.complete(8);
        assert_eq!(two.outcome(soon()).await, Ok(8));
    }

    #[tokio::test(start_paused = true)]
    async fn an_outcome_from_elsewhere_releases_the_followers_of_whoever_leads() {
        let flights = flights();
        let slow = lead(&flights, "a");
        flights.abandon("a", &slow.follow());
        let next = lead(&flights, "a");
        let one = follow(&flights, "a");
        flights.complete("a", 7);
        slow.complete(7);
        assert_eq!(one.outcome(soon()).await, Ok(7));
        assert_eq!(next.if_current(|| "kept"), None);
        let later = lead(&flights, "a");
        next.complete(8);
        let two = follow(&flights, "a");
        later.complete(9);
        assert_eq!(two.outcome(soon()).await, Ok(9));
        assert_eq!(flights.under_way(), 0);
        flights.complete("a", 10);
    }

    #[tokio::test(start_paused = true)]
    async fn an_invalidated_flight_is_joined_by_nobody_and_keeps_nothing() {
        let flights = flights();
        let (old, neighbour) = (lead(&flights, "a"), lead(&flights, "b"));
        assert_eq!(old.if_current(|| "kept"), Some("kept"));
        let waiting = follow(&flights, "a");
        flights.invalidate("a");
        assert_eq!(old.if_current(|| "kept"), None);
        assert!(!neighbour.is_invalidated());
        let new = lead(&flights, "a");
        old.complete(1);
        assert_eq!(
            waiting.outcome(soon()).await,
            Ok(1),
            "it asked before the change"
        );
        let later = follow(&flights, "a");
        new.complete(2);
        assert_eq!(later.outcome(soon()).await, Ok(2));
    }

    #[test]
    fn a_flight_that_began_before_a_replacement_keeps_nothing_and_a_later_one_waits_for_it() {
        let flights = flights();
        let old = lead(&flights, "a");
        std::thread::scope(|scope| {
            flights.replace("a".to_owned(), |_| {
                let later = scope.spawn(|| lead(&flights, "a").if_current(|| "kept"));
                let since = std::time::Instant::now();
                while since.elapsed().as_millis() < 20 {
                    assert!(!later.is_finished(), "it keeps before the replacement does");
                    std::thread::yield_now();
                }
            });
        });
        assert_eq!(old.if_current(|| "kept"), None);
    }

    #[test]
    fn no_more_flights_than_permitted_are_under_way() {
        let flights = SingleFlight::new(2);
        let leaders = [lead(&flights, "a"), lead(&flights, "b")];
        assert!(matches!(join(&flights, "c"), Joined::Full));
        assert!(matches!(join(&flights, "a"), Joined::Follower(_)));
        drop(leaders);
        drop(lead(&flights, "c"));
    }

    #[test]
    fn a_caller_that_finds_the_outcome_at_the_second_look_neither_leads_nor_follows() {
        let flights = flights();
        assert!(matches!(flights.join("a", || Some(7)), Joined::Hit(7)));
        assert_eq!(flights.under_way(), 0);
    }
}
