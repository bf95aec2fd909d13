use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use foldhash::quality::RandomState;
use parking_lot::{Mutex, MutexGuard};

use crate::flight::Flight;

/// How many stripes a cache has. More of them only make false alarms and waits rarer.
const STRIPES: usize = 1024;

/// The flights under way and the generations of all keys, in stripes.
///
/// Near values are written under the lock of their stripe, and only if nothing has outdated them:
/// so there is no moment at which an invalidated value is near.
pub(crate) struct Stripes<K, V> {
    stripes: Box<[Mutex<Stripe<K, V>>]>,
    hasher: RandomState,
}

/// The keys that share a lock.
pub(crate) struct Stripe<K, V> {
    generation: u64,
    // A handful at most, so that a search along them beats a map.
    flights: Vec<(K, Arc<Flight<V>>)>,
}

/// How often keys of one stripe were written or invalidated, at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Generation(u64);

impl<K: Hash + Eq + Clone, V> Stripes<K, V> {
    pub(crate) fn new(hasher: RandomState) -> Self {
        let stripe = || {
            Mutex::new(Stripe {
                generation: 0,
                flights: Vec::new(),
            })
        };
        Self {
            stripes: std::iter::repeat_with(stripe).take(STRIPES).collect(),
            hasher,
        }
    }

    pub(crate) fn hash(&self, key: &K) -> u64 {
        self.hasher.hash_one(key)
    }

    /// Locks the stripe of the key with this hash. Never held across an await.
    pub(crate) fn lock(&self, hash: u64) -> MutexGuard<'_, Stripe<K, V>> {
        self.stripes[hash as usize % STRIPES].lock()
    }
}

impl<K: Eq + Clone, V> Stripe<K, V> {
    pub(crate) fn generation(&self) -> Generation {
        Generation(self.generation)
    }

    /// The flight that one who asks for `key` now may join.
    pub(crate) fn flight(&self, key: &K) -> Option<&Arc<Flight<V>>> {
        self.flights
            .iter()
            .find_map(|(flown, flight)| (flown == key).then_some(flight))
    }

    /// Begins a flight for `key`, which has none.
    pub(crate) fn depart(&mut self, key: K) -> Arc<Flight<V>> {
        let flight = Arc::new(Flight::new());
        self.flights.push((key, flight.clone()));
        flight
    }

    /// Takes a flight off that is over; nothing if it was outdated before.
    pub(crate) fn arrive(&mut self, flight: &Arc<Flight<V>>) {
        self.flights
            .retain(|(_, flown)| !Arc::ptr_eq(flown, flight));
    }

    /// Outdates all that is being read of `key`: its flight, which nobody joins from now on, and
    /// by the generation what has no flight, where a neighbour in the stripe is hit too.
    pub(crate) fn outdate(&mut self, key: &K) {
        self.generation = self.generation.wrapping_add(1);
        self.flights.retain(|(flown, flight)| {
            let same = flown == key;
            if same {
                flight.outdate();
            }
            !same
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outdated_flight_is_joined_by_nobody_and_its_neighbour_is_left_alone() {
        let mut stripe = Stripe::<u32, ()> {
            generation: 0,
            flights: Vec::new(),
        };
        let (one, two) = (stripe.depart(1), stripe.depart(2));
        let before = stripe.generation();
        stripe.outdate(&1);
        assert!(one.is_stale() && !two.is_stale());
        assert!(stripe.flight(&1).is_none());
        assert!(Arc::ptr_eq(stripe.flight(&2).unwrap(), &two));
        assert_ne!(stripe.generation(), before);
    }

    #[test]
    fn the_end_of_an_outdated_flight_leaves_its_successor_in_the_air() {
        let mut stripe = Stripe::<u32, ()> {
            generation: 0,
            flights: Vec::new(),
        };
        let old = stripe.depart(1);
        stripe.outdate(&1);
        let new = stripe.depart(1);
        stripe.arrive(&old);
        assert!(Arc::ptr_eq(stripe.flight(&1).unwrap(), &new));
        stripe.arrive(&new);
        assert!(stripe.flights.is_empty());
    }

    #[test]
    fn all_keys_fall_into_a_bounded_number_of_stripes() {
        let stripes = Stripes::<u64, ()>::new(RandomState::default());
        for key in 0..100_000 {
            stripes.lock(stripes.hash(&key)).outdate(&key);
        }
        let moved = stripes
            .stripes
            .iter()
            .filter(|stripe| stripe.lock().generation > 0)
            .count();
        assert_eq!(moved, STRIPES);
        assert_eq!(stripes.stripes.len(), STRIPES);
    }
}
